//! The account of every session: what a test of a client looks at in the end.

use std::fmt;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::generation::Generation;
use super::session::{End, Session, State};
use super::sessions::Sessions;

/// The counters. Every session is in exactly one of `live`, `released`, `expired`, `unasked`, `leaked`, `lost`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Sessions that came to be, whether or not the answer went out.
    pub created: u64,
    /// Those that hold their flow: REQUESTED, AVAILABLE, or kept as UNAVAILABLE.
    pub live: u64,
    /// Freed by their client's DELETE.
    pub released: u64,
    /// Ended by time alone (duration or retention ran out), and their client has asked for them since their end.
    pub expired: u64,
    /// Ended by time alone; their client has not asked since, but may yet.
    pub unasked: u64,
    /// Ended by time alone, and their client never asked again although it could: nobody knew of them.
    pub leaked: u64,
    /// Lost by the provider (vanished, forgotten).
    pub lost: u64,
    /// Born while their client held another in effect on an overlapping flow, or with the same callback URL. Never goes down.
    pub doubled: u64,
    /// Born over the flow of another one in effect, whosever. Never goes down.
    pub overlapping: u64,
    /// Time that flows were held in all, in seconds.
    pub held_seconds: i64,
    /// Time that flows were held by sessions kept as UNAVAILABLE, in seconds.
    pub blocked_seconds: i64,
}

impl Ledger {
    /// Nothing is left, nothing was lost sight of, nothing was had twice.
    pub const fn clean(&self) -> bool {
        self.live == 0 && self.leaked == 0 && self.doubled == 0
    }
}

/// The one line of it, as `ledger: created=2 released=1 expired=1 live=0 leaked=0 doubled=0`.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, released, expired, live, leaked, doubled, .. } = self;
        write!(f, "ledger: created={created} released={released} expired={expired} live={live} leaked={leaked} doubled={doubled}")
    }
}

/// When the API could not be reached, from and to (none: it still cannot).
#[derive(Clone, Debug, Default)]
pub struct Outages(Vec<(Timestamp, Option<Timestamp>)>);

impl Outages {
    /// Notes whether the API can be reached from `now` on.
    pub fn note(&mut self, out: bool, now: Timestamp) {
        match self.0.last_mut() {
            Some((_, end @ None)) if !out => *end = Some(now),
            Some((_, None)) => {}
            _ if out => self.0.push((now, None)),
            _ => {}
        }
    }

    /// How long the API could be reached between `since` and `now`.
    fn reachable(&self, since: Timestamp, now: Timestamp) -> SignedDuration {
        let out = self.0.iter().map(|(from, to)| {
            let (from, to) = ((*from).max(since), to.unwrap_or(now).min(now));
            to.duration_since(from).max(SignedDuration::ZERO)
        });
        out.fold(now.duration_since(since), SignedDuration::saturating_sub)
    }
}

/// When a session that ended by time and was not asked for since is called leaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaked {
    /// While things run: when its client had at least this much reachable time to ask.
    After(SignedDuration),
    /// When all is over and no client will ask any more: at once, if it could have asked at all.
    AtEnd,
}

/// Counts `sessions` as they are at `now`, to which they must have been advanced.
pub(super) fn count(sessions: &Sessions, outages: &Outages, leaked: Leaked, now: Timestamp) -> Ledger {
    let mut ledger = Ledger { overlapping: sessions.overlapping(), ..Ledger::default() };
    let (mut held, mut blocked) = (SignedDuration::ZERO, SignedDuration::ZERO);
    for session in sessions.all() {
        ledger.created += 1;
        ledger.doubled += u64::from(session.doubled);
        held = held.saturating_add(session.held(now));
        blocked = blocked.saturating_add(session.blocked(now));
        *match fate(session, outages, leaked, now) {
            Fate::Live => &mut ledger.live,
            Fate::Released => &mut ledger.released,
            Fate::Expired => &mut ledger.expired,
            Fate::Unasked => &mut ledger.unasked,
            Fate::Leaked => &mut ledger.leaked,
            Fate::Lost => &mut ledger.lost,
        } += 1;
    }
    (ledger.held_seconds, ledger.blocked_seconds) = (held.as_secs(), blocked.as_secs());
    ledger
}

/// What became of a session: the counter that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// [`Ledger::live`]
    Live,
    /// [`Ledger::released`]
    Released,
    /// [`Ledger::expired`]
    Expired,
    /// [`Ledger::unasked`]
    Unasked,
    /// [`Ledger::leaked`]
    Leaked,
    /// [`Ledger::lost`]
    Lost,
}

fn fate(session: &Session, outages: &Outages, leaked: Leaked, now: Timestamp) -> Fate {
    match session.ended {
        _ if session.released.is_some() => Fate::Released,
        Some((_, End::Lost)) => Fate::Lost,
        _ if session.holds() => Fate::Live,
        Some((ended, _)) if session.last_asked.is_some_and(|asked| asked >= ended) => Fate::Expired,
        Some((ended, _)) => {
            let reachable = outages.reachable(ended, now);
            let over = match leaked {
                Leaked::After(grace) => reachable > grace,
                Leaked::AtEnd => reachable > SignedDuration::ZERO,
            };
            if over { Fate::Leaked } else { Fate::Unasked }
        }
        // A session that holds nothing has ended: this is not reached.
        None => Fate::Live,
    }
}

/// One session as the admin API shows it; its device is masked, its callback URL left out.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    session_id: Uuid,
    generation: Generation,
    client: String,
    device: String,
    application_server: Vec<String>,
    device_ports: String,
    application_server_ports: String,
    qos_profile: String,
    callback: bool,
    state: &'static str,
    fate: Fate,
    duration: i64,
    created: String,
    expires: String,
    first_available: Option<String>,
    extended: u32,
    ended: Option<String>,
    ended_by: Option<End>,
    freed: Option<String>,
    released: Option<String>,
    last_asked: Option<String>,
    events_due: usize,
    answered: bool,
    doubled: bool,
    held_seconds: i64,
    blocked_seconds: i64,
}

/// All sessions as the admin API shows them, in order of creation.
pub(super) fn entries(sessions: &Sessions, outages: &Outages, leaked: Leaked, now: Timestamp) -> Vec<Entry> {
    let text = |at: Timestamp| at.to_string();
    let entry = |session: &Session| Entry {
        session_id: session.id,
        generation: session.order.generation,
        client: session.order.client.clone(),
        device: session.order.flow.device.masked(),
        application_server: session.order.flow.servers.iter().map(ToString::to_string).collect(),
        device_ports: session.order.flow.device_ports.to_string(),
        application_server_ports: session.order.flow.server_ports.to_string(),
        qos_profile: session.order.profile.clone(),
        callback: session.order.callback.is_some(),
        state: match session.state {
            State::Requested(_) => "REQUESTED",
            State::Available => "AVAILABLE",
            State::Retained(_) => "UNAVAILABLE",
            State::Over(_) => "OVER",
        },
        fate: fate(session, outages, leaked, now),
        duration: session.duration,
        created: text(session.created),
        expires: text(session.expires()),
        first_available: session.first_available.map(text),
        extended: session.extended,
        ended: session.ended.map(|(at, _)| text(at)),
        ended_by: session.ended.map(|(_, how)| how),
        freed: session.freed.map(text),
        released: session.released.map(text),
        last_asked: session.last_asked.map(text),
        events_due: session.due.len(),
        answered: session.answered,
        doubled: session.doubled,
        held_seconds: session.held(now).as_secs(),
        blocked_seconds: session.blocked(now).as_secs(),
    };
    sessions.all().iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::super::session::seconds_later;
    use super::super::session::tests::{order, start};
    use super::super::sessions::tests::viewer;
    use super::super::settings::{Overlap, Settings};
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        seconds_later(start(), seconds)
    }

    fn one(duration: i64) -> (Sessions, Uuid) {
        let mut sessions = Sessions::default();
        let settings = Settings::default();
        let id = sessions.create(order("a", "+447700900112", duration), start(), &settings, settings.overlap).unwrap().id;
        (sessions, id)
    }

    fn at_end(sessions: &Sessions, now: i64) -> Ledger {
        count(sessions, &Outages::default(), Leaked::AtEnd, at(now))
    }

    #[test]
    fn a_released_session_leaves_a_clean_ledger_and_a_live_one_does_not() {
        let (mut sessions, id) = one(60);
        assert_eq!((at_end(&sessions, 1).live, at_end(&sessions, 1).clean()), (1, false));
        sessions.delete(id, &viewer("a"), at(10), &Settings::default()).unwrap();
        let ledger = at_end(&sessions, 1000);
        assert_eq!(ledger.to_string(), "ledger: created=1 released=1 expired=0 live=0 leaked=0 doubled=0");
        assert_eq!((ledger.clean(), ledger.held_seconds), (true, 10));
    }

    #[test]
    fn a_session_that_ended_by_time_is_expired_once_its_client_asks_and_leaked_if_it_never_does() {
        let settings = Settings::default();
        let (mut sessions, id) = one(60);
        sessions.get(id, &viewer("a"), at(59)).unwrap();
        sessions.advance(at(61), &settings);
        let running = |sessions: &Sessions, now| {
            count(sessions, &Outages::default(), Leaked::After(SignedDuration::from_secs(600)), at(now))
        };
        assert_eq!((running(&sessions, 61).unasked, running(&sessions, 61).leaked), (1, 0), "it may yet ask");
        assert_eq!((running(&sessions, 661).unasked, running(&sessions, 661).leaked), (0, 1), "the grace is over");
        assert_eq!((at_end(&sessions, 61).leaked, at_end(&sessions, 61).clean()), (1, false), "at the end at once");
        sessions.get(id, &viewer("a"), at(700)).unwrap_err();
        let ledger = at_end(&sessions, 700);
        assert_eq!((ledger.expired, ledger.leaked, ledger.clean()), (1, 0, true));
    }

    #[test]
    fn a_client_that_could_not_ask_has_not_leaked() {
        let settings = Settings::default();
        let (mut sessions, _) = one(60);
        let mut outages = Outages::default();
        outages.note(true, at(50));
        outages.note(true, at(55));
        sessions.advance(at(100), &settings);
        let ledger = count(&sessions, &outages, Leaked::AtEnd, at(100));
        assert_eq!((ledger.unasked, ledger.leaked), (1, 0));
        outages.note(false, at(100));
        outages.note(false, at(101));
        let running = |now| count(&sessions, &outages, Leaked::After(SignedDuration::from_secs(600)), at(now)).leaked;
        assert_eq!((running(700), running(701)), (0, 1), "the grace runs in reachable time");
    }

    #[test]
    fn a_client_that_saw_the_end_during_the_retention_has_not_leaked_and_blocked_time_is_counted() {
        let settings = Settings::default();
        let (mut sessions, id) = one(3600);
        sessions.terminate(at(10), &settings, |_| true);
        assert_eq!(at_end(&sessions, 20).live, 1, "kept, it still holds its flow");
        sessions.get(id, &viewer("a"), at(20)).unwrap();
        sessions.advance(at(5000), &settings);
        let ledger = at_end(&sessions, 5000);
        assert_eq!((ledger.expired, ledger.leaked, ledger.blocked_seconds, ledger.held_seconds), (1, 0, 360, 370));
    }

    #[test]
    fn a_double_stays_in_the_ledger_after_both_are_gone() {
        let settings = Settings { overlap: Overlap::Off, ..Settings::default() };
        let mut sessions = Sessions::default();
        for _ in 0..2 {
            sessions.create(order("a", "+447700900112", 60), start(), &settings, settings.overlap).unwrap();
        }
        for id in sessions.all().iter().map(|session| session.id).collect::<Vec<_>>() {
            sessions.delete(id, &viewer("a"), at(1), &settings).unwrap();
        }
        let ledger = at_end(&sessions, 2);
        assert_eq!(ledger.to_string(), "ledger: created=2 released=2 expired=0 live=0 leaked=0 doubled=1");
        assert!(!ledger.clean());
    }

    #[test]
    fn a_session_that_the_provider_lost_is_no_fault_of_the_client() {
        let (mut sessions, _) = one(60);
        sessions.lose(at(1), |_| true);
        let ledger = at_end(&sessions, 5000);
        assert_eq!((ledger.lost, ledger.clean()), (1, true));
    }

    #[test]
    fn what_is_shown_of_a_session_hides_device_and_callback() {
        let mut order = order("a", "+447700900112", 60);
        order.callback = Some(crate::private::Private::from("https://client.example.com/n/secret"));
        let mut sessions = Sessions::default();
        let settings = Settings::default();
        sessions.create(order, start(), &settings, settings.overlap).unwrap();
        let shown = serde_json::to_string(&entries(&sessions, &Outages::default(), Leaked::AtEnd, at(1))).unwrap();
        assert!(shown.contains("phone …112") && shown.contains("198.51.100.10/32"), "{shown}");
        assert!(!shown.contains("447700900") && !shown.contains("secret"), "{shown}");
    }
}
