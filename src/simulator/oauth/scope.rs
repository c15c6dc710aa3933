//! Scopes: what is asked for, and what a token then holds.

use std::collections::BTreeSet;

use super::client::Client;
use super::refusal::{Code, Refusal};
use super::settings::OauthSettings;

/// For whom a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Legs {
    /// The client itself.
    Two,
    /// The client in the name of a device's user; only here a purpose may be required.
    Three,
}

/// Refuses a `scope` that is malformed (RFC 6749 section 3.3), has two purposes (CAMARA: exactly one), or is not for `client`.
pub(super) fn check(scope: &str, client: &Client, settings: &OauthSettings, legs: Legs) -> Result<(), Refusal> {
    let refused = |why| Err(Refusal::new(Code::InvalidScope, why));
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if !scope.split(' ').all(|one| !one.is_empty() && one.bytes().all(visible)) {
        return refused("the scope is malformed");
    }
    let purposes = scope.split(' ').filter_map(|one| one.strip_prefix("dpv:"));
    let purposes: BTreeSet<&str> = purposes.map(|one| one.split_once('#').map_or(one, |(purpose, _)| purpose)).collect();
    if purposes.len() > 1 || purposes.contains("") {
        return refused("the scope must name one purpose");
    }
    if purposes.is_empty() && legs == Legs::Three && settings.purpose_required {
        return refused("the scope must name a purpose");
    }
    let Some(allowed) = &client.scopes else {
        return Ok(());
    };
    let general = |one: &str| one == "openid" || one == "offline_access" || (one.starts_with("dpv:") && !one.contains('#'));
    let fits = |one: &str| general(one) || allowed.contains(one) || technical(one).is_some_and(|part| allowed.contains(part));
    if scope.split(' ').all(fits) { Ok(()) } else { refused("the client may not have this scope") }
}

/// The scopes of a token for `scope`. `dpv:Purpose#qod`, the form of CAMARA's first profile that Telefónica uses, gives `qod` too.
pub(super) fn granted(scope: &str) -> BTreeSet<String> {
    scope.split(' ').flat_map(|one| [Some(one), technical(one)]).flatten().map(str::to_owned).collect()
}

/// Whether a refresh token is asked for (OpenID Connect Core section 11).
pub(super) fn offline(scope: &str) -> bool {
    scope.split(' ').any(|one| one == "offline_access")
}

fn technical(one: &str) -> Option<&str> {
    one.strip_prefix("dpv:")?.split_once('#').map(|(_, technical)| technical)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(scopes: Option<&[&str]>) -> Client {
        let scopes = scopes.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        Client { scopes, ..Client::new("app-7") }
    }

    #[test]
    fn a_scope_has_one_purpose_at_most_and_only_what_the_client_may_have() {
        let settings = OauthSettings::default();
        let check = |scope, client: &Client| check(scope, client, &settings, Legs::Three).is_ok();
        for (scope, good) in [
            ("qod", true),
            ("dpv:RequestedServiceProvision#qod", true),
            ("openid dpv:RequestedServiceProvision quality-on-demand:sessions:create", true),
            ("dpv:A#qod dpv:A#sim-swap", true),
            ("dpv:A dpv:B", false),
            ("dpv:#qod", false),
            ("a  b", false),
            (" a", false),
            ("a\"b", false),
            ("größe", false),
        ] {
            assert_eq!(check(scope, &client(None)), good, "{scope}");
        }
        let narrow = client(Some(&["qod"]));
        assert!(check("openid offline_access dpv:A qod", &narrow) && check("dpv:A#qod", &narrow));
        assert!(!check("qod sim-swap", &narrow) && !check("dpv:A#sim-swap", &narrow));
    }

    #[test]
    fn a_purpose_can_be_required_of_three_legs_only() {
        let settings = OauthSettings { purpose_required: true, ..OauthSettings::default() };
        assert!(check("qod", &client(None), &settings, Legs::Two).is_ok());
        assert!(check("qod", &client(None), &settings, Legs::Three).is_err());
        assert!(check("dpv:A#qod", &client(None), &settings, Legs::Three).is_ok());
    }

    #[test]
    fn the_scope_within_a_purpose_is_granted_too() {
        let all: Vec<String> = granted("openid dpv:A#qod").into_iter().collect();
        assert_eq!(all, ["dpv:A#qod", "openid", "qod"]);
    }
}
