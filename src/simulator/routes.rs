//! Which path speaks which generation: one under the simulator's own base path, and all of them side by side under prefixes
//! (`/v1.1/quality-on-demand/v1`, `/telefonica/v0.10/apigateway/qod/v0`).

use axum::http::Method;

use super::generation::Dialect;
use super::settings::Operation;
use super::wire::{Wire, wire};

/// Where `dialect` is served beside the simulator's own API: the base paths of its sessions and its profiles.
pub(super) fn beside(dialect: Dialect) -> (String, String) {
    let (prefix, wire) = (dialect.prefix(), wire(dialect));
    (format!("{prefix}{}", wire.sessions), format!("{prefix}{}", wire.profiles))
}

/// What is under a base path.
#[derive(Clone, Debug)]
struct Mount {
    base: String,
    /// What it speaks; none: what the settings say.
    dialect: Option<Dialect>,
    sessions: bool,
    profiles: bool,
}

/// All base paths.
#[derive(Clone, Debug)]
pub(super) struct Mounts {
    sessions: String,
    profiles: String,
    /// The longest first.
    all: Vec<Mount>,
}

/// A path within the API.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// What it speaks.
    pub(super) wire: &'static Wire,
    rest: &'a str,
    sessions: bool,
    profiles: bool,
}

impl Mounts {
    /// The base paths of an API that speaks `own` at its start; `base` if it was given.
    pub(super) fn new(base: Option<String>, own: Dialect) -> Self {
        let default = wire(own);
        let profiles = match &base {
            None => default.profiles.to_owned(),
            Some(base) => match base.rsplit_once("/quality-on-demand/") {
                Some((root, version)) => format!("{root}/qos-profiles/{version}"),
                None => base.clone(),
            },
        };
        let sessions = base.unwrap_or_else(|| default.sessions.to_owned());
        let both = |(sessions, profiles): (String, String), dialect: Option<Dialect>| {
            let one = sessions == profiles;
            let profiles = (!one).then_some(Mount { base: profiles, dialect, sessions: false, profiles: true });
            [Some(Mount { base: sessions, dialect, sessions: true, profiles: one }), profiles].into_iter().flatten()
        };
        let beside = Dialect::all().flat_map(|dialect| both(beside(dialect), Some(dialect)));
        let mut all: Vec<Mount> = both((sessions.clone(), profiles.clone()), None).chain(beside).collect();
        all.sort_by_key(|mount| std::cmp::Reverse(mount.base.len()));
        Self { sessions, profiles, all }
    }

    /// The API's own base path for sessions.
    pub(super) fn sessions(&self) -> &str {
        &self.sessions
    }

    /// The API's own base path for profiles.
    pub(super) fn profiles(&self) -> &str {
        &self.profiles
    }

    /// What is at `path`, if anything; `own` is what the API speaks now under its own base path.
    pub(super) fn find<'a>(&self, path: &'a str, own: Dialect) -> Option<Place<'a>> {
        self.all.iter().find_map(|mount| {
            let rest = path.strip_prefix(mount.base.as_str())?.strip_prefix('/')?;
            let wire = wire(mount.dialect.unwrap_or(own));
            // Up to 0.10 both are one API.
            let profiles = mount.profiles || (mount.sessions && !wire.offers(Operation::RetrieveProfiles));
            Some(Place { wire, rest, sessions: mount.sessions, profiles })
        })
    }
}

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// This operation, with the session's id or the profile's name.
    Found(Operation, Option<String>),
    /// The path is there, but for these methods only.
    WrongMethod(Vec<Method>),
    /// There is no such path.
    Unknown,
}

/// What a request with `method` to `place` is for.
pub(super) fn route(place: &Place<'_>, method: &Method) -> Route {
    let segments: Vec<&str> = place.rest.split('/').collect();
    let list = !place.wire.offers(Operation::RetrieveProfiles);
    let (sessions, profiles) = (place.sessions, place.profiles);
    let named: &[(Method, Operation)] = match segments.as_slice() {
        ["sessions"] if sessions => &[(Method::POST, Operation::Create)],
        ["sessions", id] if sessions && !id.is_empty() => &[(Method::GET, Operation::Get), (Method::DELETE, Operation::Delete)],
        ["sessions", id, "extend"] if sessions && !id.is_empty() => &[(Method::POST, Operation::Extend)],
        ["retrieve-sessions"] if sessions => &[(Method::POST, Operation::RetrieveSessions)],
        ["qos-profiles"] if profiles && list => &[(Method::GET, Operation::Profiles)],
        ["qos-profiles", name] if profiles && !name.is_empty() => &[(Method::GET, Operation::Profiles)],
        ["retrieve-qos-profiles"] if profiles => &[(Method::POST, Operation::RetrieveProfiles)],
        _ => &[],
    };
    let offered: Vec<&(Method, Operation)> = named.iter().filter(|(_, operation)| place.wire.offers(*operation)).collect();
    if offered.is_empty() {
        return Route::Unknown;
    }
    let name = segments.get(1).map(|name| (*name).to_owned());
    match offered.iter().find(|(of, _)| of == method) {
        Some((_, operation)) => Route::Found(*operation, name),
        None => Route::WrongMethod(offered.iter().map(|(method, _)| method.clone()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::generation::Generation;
    use super::*;

    fn at(mounts: &Mounts, method: &Method, path: &str) -> Option<(Dialect, Route)> {
        let place = mounts.find(path, Dialect::telefonica(Generation::V0_10))?;
        Some((place.wire.dialect, route(&place, method)))
    }

    #[test]
    fn each_generation_has_the_paths_of_its_document_and_no_other() {
        let mounts = Mounts::new(None, Dialect::telefonica(Generation::V0_10));
        let found = |path: &str| at(&mounts, &Method::POST, path).map(|(_, route)| route);
        let create = Some(Route::Found(Operation::Create, None));
        for base in [
            "/apigateway/qod/v0",
            "/v0.8/qod/v0",
            "/v0.9/qod/v0",
            "/v0.10/qod/v0",
            "/v0.11/quality-on-demand/v0.11",
            "/v1.0/quality-on-demand/v1",
            "/v1.1/quality-on-demand/v1",
            "/v1.2/quality-on-demand/v1rc3",
            "/telefonica/v0.8/apigateway/qod/v0",
            "/telefonica/v0.10/apigateway/qod/v0",
            "/telefonica/v1.1/apigateway/quality-on-demand/v1",
        ] {
            assert_eq!(found(&format!("{base}/sessions")), create, "{base}");
        }
        let extends: Vec<bool> = Generation::ALL
            .map(|generation| found(&format!("{}/sessions/x/extend", beside(Dialect::camara(generation)).0)))
            .iter()
            .map(|route| matches!(route, Some(Route::Found(Operation::Extend, Some(id))) if id == "x"))
            .collect();
        assert_eq!(extends, [false, false, true, true, true, true, true]);
        assert_eq!(found("/v0.10/qod/v0/retrieve-sessions"), Some(Route::Unknown));
        assert_eq!(found("/v1.1/quality-on-demand/v1/retrieve-qos-profiles"), Some(Route::Unknown), "it is the profiles' API");
        assert_eq!(found("/v1.1/qos-profiles/v1/retrieve-qos-profiles"), Some(Route::Found(Operation::RetrieveProfiles, None)));
        let get = |path: &str| at(&mounts, &Method::GET, path).map(|(_, route)| route);
        assert_eq!(get("/v0.8/qod/v0/qos-profiles"), Some(Route::Unknown));
        assert_eq!(get("/v0.9/qod/v0/qos-profiles"), Some(Route::Found(Operation::Profiles, None)));
        assert_eq!(get("/v1.1/qos-profiles/v1/qos-profiles"), Some(Route::Unknown), "the list is a POST");
        assert_eq!(get("/v1.1/quality-on-demand/v1/retrieve-sessions"), Some(Route::WrongMethod(vec![Method::POST])));
        assert_eq!(get("/v1.1/quality-on-demand/v2/sessions/x"), None);
        assert_eq!(get("/sessions/x"), None);
    }

    #[test]
    fn a_base_path_given_by_hand_takes_the_place_of_the_generations_own() {
        let own = Dialect::camara(Generation::V1_1);
        let mounts = Mounts::new(Some("/x/quality-on-demand/v1".to_owned()), own);
        assert_eq!((mounts.sessions(), mounts.profiles()), ("/x/quality-on-demand/v1", "/x/qos-profiles/v1"));
        let mounts = Mounts::new(Some(String::new()), own);
        let route = |path| mounts.find(path, own).map(|place| route(&place, &Method::POST));
        assert_eq!(route("/sessions"), Some(Route::Found(Operation::Create, None)));
        assert_eq!(route("/retrieve-qos-profiles"), Some(Route::Found(Operation::RetrieveProfiles, None)));
        assert_eq!(route("/v0.10/qod/v0/sessions"), Some(Route::Found(Operation::Create, None)));
    }
}
