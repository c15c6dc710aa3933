//! Whether this process is well: what its parts report, and the pure fold of that into checks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use crate::clock::Clock;

/// A watch, or the API server, may fail for so long before the process is not ready any more: the API server of an upgraded
/// control plane comes back within it.
pub const BOUND: SignedDuration = SignedDuration::from_mins(1);

/// A timer that has been due for so long says that nobody takes timers up any more.
const OVERDUE: SignedDuration = SignedDuration::from_mins(2);

/// What is read whole before anything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// QosProviders, Secrets and Namespaces.
    Providers,
    /// QosSessions.
    Sessions,
}

/// One line of `/readyz` or `/healthz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// What is wrong; none: it is well.
    pub wrong: Option<String>,
}

/// What the parts report. Clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    key_loaded: bool,
    /// Whether it leads; none: there is no election.
    leads: Option<bool>,
    listed: BTreeSet<Part>,
    /// Lists that a part waits for, and what was wrong with them.
    awaited: BTreeMap<Part, Vec<String>>,
    /// By the path that is watched.
    watches: BTreeMap<String, Watch>,
    api_server: Option<Streak>,
    /// Kinds that the API server does not serve, as of the last look.
    missing: Vec<&'static str>,
    ending: bool,
}

#[derive(Clone, Debug)]
struct Watch {
    resource: String,
    /// Where it watches, if in one namespace.
    namespace: Option<String>,
    /// None before the first try.
    streak: Option<Streak>,
}

impl Watch {
    fn tried(&mut self, well: bool, now: Timestamp) {
        self.streak = Some(Streak::after(self.streak, well, now));
    }

    fn wrong(&self, now: Timestamp) -> Option<String> {
        let wrong = self.streak?.wrong("the watch", now)?;
        Some(self.namespace.as_ref().map_or_else(|| wrong.clone(), |namespace| format!("{wrong}, in namespace {namespace}")))
    }
}

/// Tries in a row that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Streak {
    /// The first of them; none: the last try succeeded.
    failing_since: Option<Timestamp>,
}

impl Streak {
    fn after(before: Option<Self>, well: bool, now: Timestamp) -> Self {
        let since = before.and_then(|before| before.failing_since);
        Self { failing_since: (!well).then(|| since.unwrap_or(now)) }
    }

    /// What is wrong once that has lasted longer than [`BOUND`].
    fn wrong(self, what: &str, now: Timestamp) -> Option<String> {
        let since = self.failing_since?;
        let lasted = now.duration_since(since);
        (lasted > BOUND).then(|| format!("{what} has failed for {} s, since {since:.0}", lasted.as_secs()))
    }
}

impl Health {
    /// Nothing has been reported.
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Arc::default() }
    }

    /// The operator's key is there.
    pub fn key_loaded(&self) {
        self.state.lock().key_loaded = true;
    }

    /// This process leads, or stands by. Where this is never told there is no election.
    pub fn leading(&self, leads: bool) {
        self.state.lock().leads = Some(leads);
    }

    /// Whether this process leads.
    pub fn leads(&self) -> bool {
        self.state.lock().leads != Some(false)
    }

    /// The first list of that part is in.
    pub fn listed(&self, part: Part) {
        let mut state = self.state.lock();
        state.listed.insert(part);
        state.awaited.remove(&part);
    }

    /// The first list of that part is made of several, and waits for these, such as `namespace arena (403 Forbidden)`.
    pub fn awaits(&self, part: Part, lists: Vec<String>) {
        self.state.lock().awaited.insert(part, lists);
    }

    /// Nothing new is begun any more.
    pub fn ending(&self) {
        self.state.lock().ending = true;
    }

    /// `path` is to be watched: from now on also a list of it that fails before the first watch is a watch that fails.
    pub fn watches_from_now_on(&self, resource: &str, path: &str, namespace: Option<&str>) {
        let watch = Watch { resource: resource.to_owned(), namespace: namespace.map(str::to_owned), streak: None };
        self.state.lock().watches.entry(path.to_owned()).or_insert(watch);
    }

    /// A watch of `path` was begun, or could not be.
    pub fn watched(&self, resource: &str, path: &str, well: bool) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let new = || Watch { resource: resource.to_owned(), namespace: None, streak: None };
        state.watches.entry(path.to_owned()).or_insert_with(new).tried(well, now);
    }

    /// `path` was listed, or could not be: where it is watched too, that is how a watch begins, or begins anew.
    pub fn listed_for_watch(&self, path: &str, well: bool) {
        let now = self.clock.now();
        if let Some(watch) = self.state.lock().watches.get_mut(path) {
            watch.tried(well, now);
        }
    }

    /// The namespace of `path` does not exist: that it cannot be watched is no failure.
    pub fn has_nothing_to_watch(&self, path: &str) {
        if let Some(watch) = self.state.lock().watches.get_mut(path) {
            watch.streak = None;
        }
    }

    /// The API server was asked what it serves of our group; `missing`: kinds that it does not, none: it did not answer.
    pub fn asked_api_server(&self, missing: Option<Vec<&'static str>>) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.api_server = Some(Streak::after(state.api_server, missing.is_some(), now));
        if let Some(missing) = missing {
            state.missing = missing;
        }
    }

    /// Each watched resource, and whether the last try to watch it succeeded.
    pub fn watches(&self) -> Vec<(String, bool)> {
        let mut up = BTreeMap::new();
        for watch in self.state.lock().watches.values() {
            let Some(streak) = watch.streak else { continue };
            *up.entry(watch.resource.clone()).or_insert(true) &= streak.failing_since.is_none();
        }
        up.into_iter().collect()
    }

    /// The checks of `/readyz`: whether the process can do its work, or stands by to do it.
    pub fn ready(&self) -> Vec<Check> {
        let state = self.state.lock().clone();
        state.checks(self.clock.now())
    }
}

impl State {
    fn checks(&self, now: Timestamp) -> Vec<Check> {
        let check = |name: &str, wrong: Option<String>| Check { name: name.to_owned(), wrong };
        let api_server = match self.api_server {
            None => Some("it has not been asked yet".to_owned()),
            Some(streak) => streak.wrong("asking it", now),
        };
        let definitions = (!self.missing.is_empty())
            .then(|| format!("{} are not served: apply the CustomResourceDefinitions", self.missing.join(" and ")));
        let key = (!self.key_loaded).then(|| "the Secret with the operator's key has not been read yet".to_owned());
        let mut checks = vec![check("api-server", api_server), check("definitions", definitions), check("key", key)];
        let mut watches: BTreeMap<&str, Option<String>> = BTreeMap::new();
        for watch in self.watches.values() {
            let wrong = watches.entry(&watch.resource).or_default();
            *wrong = wrong.take().or_else(|| watch.wrong(now));
        }
        checks.extend(watches.into_iter().map(|(resource, wrong)| check(&format!("watch-{resource}"), wrong)));
        let stands_by = self.leads == Some(false);
        for (name, part) in [("first-list-providers", Part::Providers), ("first-list-sessions", Part::Sessions)] {
            let waits = !stands_by && !self.listed.contains(&part);
            let lists = self.awaited.get(&part).filter(|lists| !lists.is_empty());
            let for_which = lists.map(|lists| format!(": it waits for {}", lists.join(" and "))).unwrap_or_default();
            checks.push(check(name, waits.then(|| format!("the first list is not complete{for_which}"))));
        }
        checks.push(check("shutdown", self.ending.then(|| "the process is ending".to_owned())));
        checks
    }
}

/// The checks of `/healthz`. `overdue`: since when the first timer has been due; none: the operator's tables did not answer, since
/// somebody holds one of their locks for good.
pub(super) fn live(overdue: Option<SignedDuration>) -> Vec<Check> {
    let tables = overdue.is_none().then(|| "the operator's tables do not answer".to_owned());
    let timers = overdue.filter(|overdue| *overdue > OVERDUE);
    let timers = timers.map(|overdue| format!("a timer has been due for {} s and nobody takes it up", overdue.as_secs()));
    vec![Check { name: "tables".to_owned(), wrong: tables }, Check { name: "timers".to_owned(), wrong: timers }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(health: &Health) -> Vec<String> {
        health.ready().into_iter().filter(|check| check.wrong.is_some()).map(|check| check.name).collect()
    }

    fn well(clock: &Clock) -> Health {
        let health = Health::new(clock.clone());
        health.key_loaded();
        health.asked_api_server(Some(Vec::new()));
        health.watched("qossessions", "/sessions", true);
        health.listed(Part::Providers);
        health.listed(Part::Sessions);
        health
    }

    #[test]
    fn a_process_that_has_done_nothing_yet_is_not_ready_and_says_all_that_is_missing() {
        let clock = Clock::system();
        let expected = ["api-server", "key", "first-list-providers", "first-list-sessions"];
        assert_eq!(wrong(&Health::new(clock.clone())), expected);
        assert_eq!(wrong(&well(&clock)), Vec::<String>::new());
    }

    #[test]
    fn a_watch_may_fail_for_a_minute_and_one_success_makes_it_well_again() {
        let clock = Clock::system();
        let health = well(&clock);
        let seconds = SignedDuration::from_secs;
        health.watched("qossessions", "/sessions", false);
        clock.advance(seconds(50));
        health.listed_for_watch("/sessions", false);
        assert_eq!(wrong(&health), Vec::<String>::new());
        assert_eq!(health.watches(), [("qossessions".to_owned(), false)]);
        clock.advance(seconds(11));
        assert_eq!(wrong(&health), ["watch-qossessions"]);
        health.listed_for_watch("/sessions", true);
        assert_eq!(wrong(&health), Vec::<String>::new());
    }

    #[test]
    fn of_two_watches_of_a_resource_both_must_be_well() {
        let clock = Clock::system();
        let health = well(&clock);
        health.watched("qossessions", "/other", false);
        clock.advance(SignedDuration::from_secs(61));
        assert_eq!(wrong(&health), ["watch-qossessions"]);
        health.listed_for_watch("/unwatched", false);
        assert_eq!(health.ready().len(), 7, "a list of what is not watched is no watch");
    }

    #[test]
    fn a_first_list_that_fails_is_a_watch_that_fails_and_says_in_which_namespace() {
        let clock = Clock::system();
        let health = well(&clock);
        health.watches_from_now_on("qossessions", "/arena", Some("arena"));
        assert_eq!(health.watches(), [("qossessions".to_owned(), true)], "what was not tried has not failed");
        health.listed_for_watch("/arena", false);
        assert_eq!(health.watches(), [("qossessions".to_owned(), false)]);
        clock.advance(SignedDuration::from_secs(61));
        let all = health.ready();
        let check = all.iter().find(|check| check.name == "watch-qossessions").unwrap();
        assert!(check.wrong.as_ref().unwrap().ends_with(", in namespace arena"), "{check:?}");
        health.has_nothing_to_watch("/arena");
        assert_eq!(wrong(&health), Vec::<String>::new(), "a namespace that does not exist cannot be watched, and need not be");
        health.listed_for_watch("/arena", false);
        clock.advance(SignedDuration::from_secs(59));
        assert_eq!(wrong(&health), Vec::<String>::new(), "its minute begins anew");
    }

    #[test]
    fn a_first_list_of_several_says_what_it_waits_for() {
        let health = Health::new(Clock::system());
        health.awaits(Part::Sessions, vec!["namespace arena (403 Forbidden)".to_owned(), "namespace stadium".to_owned()]);
        let told = |health: &Health| health.ready().into_iter().find(|check| check.name == "first-list-sessions").unwrap().wrong;
        let expected = "the first list is not complete: it waits for namespace arena (403 Forbidden) and namespace stadium";
        assert_eq!(told(&health).as_deref(), Some(expected));
        health.listed(Part::Sessions);
        assert_eq!(told(&health), None);
    }

    #[test]
    fn an_api_server_that_does_not_answer_or_does_not_serve_our_kinds_is_told() {
        let clock = Clock::system();
        let health = well(&clock);
        health.asked_api_server(None);
        clock.advance(SignedDuration::from_secs(61));
        health.asked_api_server(None);
        assert_eq!(wrong(&health), ["api-server"]);
        health.asked_api_server(Some(vec!["QosSession"]));
        assert_eq!(wrong(&health), ["definitions"]);
    }

    #[test]
    fn who_stands_by_is_ready_without_any_list_and_who_leads_is_not() {
        let clock = Clock::system();
        let health = Health::new(clock.clone());
        health.key_loaded();
        health.asked_api_server(Some(Vec::new()));
        health.leading(false);
        assert_eq!(wrong(&health), Vec::<String>::new());
        assert!(!health.leads());
        health.leading(true);
        assert_eq!(wrong(&health), ["first-list-providers", "first-list-sessions"]);
        health.ending();
        assert!(wrong(&health).contains(&"shutdown".to_owned()));
    }

    #[test]
    fn tables_that_do_not_answer_and_timers_that_nobody_takes_up_are_no_life() {
        let wrong = |overdue| live(overdue).into_iter().filter(|c| c.wrong.is_some()).map(|c| c.name).collect::<Vec<_>>();
        assert_eq!(wrong(Some(SignedDuration::from_secs(119))), Vec::<String>::new());
        assert_eq!(wrong(Some(SignedDuration::from_secs(121))), ["timers"]);
        assert_eq!(wrong(None), ["tables"]);
    }
}
