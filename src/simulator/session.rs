//! One session's life, as a pure state machine: the time is an argument, and every change happens at its exact moment, however late
//! it is looked at.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::flow::Flow;
use super::generation::Generation;
use super::settings::{Extend, Quirk, RequestedOutcome, Settings};
use super::transition::{Change, NotifyTarget, Transition};
use crate::clock::later;
use crate::private::Private;

/// What a client asked for, free of any generation's form.
#[derive(Clone, Debug)]
pub struct Order {
    /// The client that the token stands for.
    pub client: String,
    /// The flow.
    pub flow: Flow,
    /// The profile's name.
    pub profile: String,
    /// The duration asked for, in seconds.
    pub duration: i64,
    /// The callback URL, if any.
    pub callback: Option<Private<String>>,
    /// The callback with what goes with it.
    pub notify: Option<NotifyTarget>,
    /// The fields of the request that answers repeat, in the generation's own form; secrets are left out when they do.
    pub echo: Private<Map<String, Value>>,
    /// The generation in which it was ordered, whose rules it lives by.
    pub generation: Generation,
}

/// The state of a session, from which every generation's status is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The network has not answered yet; it will at this time.
    Requested(Timestamp),
    /// In effect.
    Available,
    /// Ended by the network, kept until this time, still holding its flow.
    Retained(Timestamp),
    /// Over; it holds nothing. Readable as UNAVAILABLE until this time (at or before the end: no longer).
    Over(Timestamp),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// Its client's DELETE.
    Deleted,
    /// Its duration ran out.
    DurationExpired,
    /// The network ended it, or failed to grant it.
    NetworkTerminated,
    /// The provider lost it: it vanished, or everything was forgotten.
    Lost,
}

/// One session with all that the ledger keeps of it, also after its end.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// What was asked for.
    pub order: Order,
    /// Its state.
    pub state: State,
    /// When it was created; 0.x calls this `startedAt`.
    pub created: Timestamp,
    /// The overall duration granted, extensions included, in seconds.
    pub duration: i64,
    /// When it first became AVAILABLE.
    pub first_available: Option<Timestamp>,
    /// How many extends were accepted.
    pub extended: u32,
    /// When and how its service ended.
    pub ended: Option<(Timestamp, End)>,
    /// When it stopped holding its flow.
    pub freed: Option<Timestamp>,
    /// When its client's DELETE freed it; none: only time did, or nothing yet.
    pub released: Option<Timestamp>,
    /// When its client last asked for it by its id.
    pub last_asked: Option<Timestamp>,
    /// What its client was to be told of it so far, if it gave a callback.
    pub due: Vec<Transition>,
    /// Whether the answer to its creation went out.
    pub answered: bool,
    /// Whether it was born while its client held another one on an overlapping flow, or with the same callback URL.
    pub doubled: bool,
    outcome: RequestedOutcome,
}

/// Why an extend is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotExtended {
    /// It is not AVAILABLE.
    Inactive,
    /// It has its longest duration already (quirk).
    AtMaximum,
    /// It is about to end (quirk).
    NearEnd,
}

/// With [`Quirk::NearEndNotExtended`], how long before its end a session can no longer be extended, in seconds.
const NEAR_END: i64 = 20;
/// The longest duration of a session, in seconds: `duration` is an int32.
const LONGEST: i64 = i32::MAX as i64;

impl Session {
    /// A session that the provider has just accepted.
    pub fn create(id: Uuid, order: Order, now: Timestamp, settings: &Settings) -> Self {
        let course = settings.course(&order.profile);
        let duration = course.granted_seconds.unwrap_or(order.duration);
        let refused = settings.unavailable_at_once && order.generation >= Generation::V1_2;
        let mut session = Self {
            id,
            order,
            state: State::Available,
            created: now,
            duration,
            first_available: None,
            extended: 0,
            ended: None,
            freed: None,
            released: None,
            last_asked: None,
            due: Vec::new(),
            answered: false,
            doubled: false,
            outcome: course.requested_outcome.unwrap_or(RequestedOutcome::Available),
        };
        match course.requested_delay_seconds {
            _ if refused => {
                // Told by `born`.
                let _ = session.terminate(now, settings);
            }
            Some(delay) if delay > 0 => session.state = State::Requested(seconds_later(now, delay)),
            _ => session.first_available = Some(now),
        }
        session
    }

    /// What happened to it in its creation, as far as events go.
    pub(super) fn born(&self) -> Option<Change> {
        match self.state {
            State::Available => Some(Change::BornAvailable),
            State::Retained(_) | State::Over(_) => Some(Change::Terminated),
            State::Requested(_) => None,
        }
    }

    /// When its time began to run: at its creation up to 0.10; from 0.11 on when it became AVAILABLE (`SessionInfo.startedAt`), none: it
    /// has not.
    pub fn started(&self) -> Option<Timestamp> {
        if self.order.generation >= Generation::V0_11 { self.first_available } else { Some(self.created) }
    }

    /// When its duration ends; of one that is REQUESTED, as it is to be.
    pub fn expires(&self) -> Timestamp {
        let start = match (self.state, self.started()) {
            (_, Some(start)) => start,
            (State::Requested(ready), None) => ready,
            (_, None) => self.created,
        };
        seconds_later(start, self.duration)
    }

    /// For how long it was in effect when it ended, in seconds and at least 1 (0.11+: `duration` of an UNAVAILABLE session).
    pub fn effective(&self) -> i64 {
        match (self.started(), self.ended) {
            (Some(start), Some((end, _))) => end.duration_since(start).as_secs().max(1),
            _ => 1,
        }
    }

    /// Whether it holds its flow: REQUESTED, AVAILABLE, or kept after the network ended it.
    pub fn holds(&self) -> bool {
        !matches!(self.state, State::Over(_))
    }

    /// Whether it is, or is about to be, in effect.
    pub fn serves(&self) -> bool {
        matches!(self.state, State::Requested(_) | State::Available)
    }

    /// Whether a GET finds it.
    pub fn readable(&self, now: Timestamp) -> bool {
        match self.state {
            State::Over(until) => now < until,
            _ => true,
        }
    }

    /// When it next changes by itself.
    pub fn next_change(&self) -> Option<Timestamp> {
        match self.state {
            State::Requested(ready) => Some(ready.min(self.expires())),
            State::Available => Some(self.expires()),
            State::Retained(until) => Some(until),
            State::Over(_) => None,
        }
    }

    /// Makes the change that is due at [`Session::next_change`]; says what it was and when, where that is something to tell.
    #[must_use]
    pub(super) fn change(&mut self, settings: &Settings) -> Option<(Timestamp, Change)> {
        match self.state {
            State::Requested(ready) if ready < self.expires() => match self.outcome {
                RequestedOutcome::Available => {
                    self.state = State::Available;
                    self.first_available = Some(ready);
                    Some((ready, Change::Available))
                }
                RequestedOutcome::Unavailable => self.terminate(ready, settings),
            },
            State::Requested(_) | State::Available => {
                let at = self.expires();
                self.end(at, End::DurationExpired);
                self.state = State::Over(seconds_later(at, self.kept(settings.expired_kept_seconds)));
                self.freed = Some(at);
                Some((at, Change::Expired))
            }
            State::Retained(until) => {
                self.state = State::Over(until);
                self.freed = Some(until);
                settings.has(Quirk::LateTerminationEvent).then_some((until, Change::Terminated))
            }
            State::Over(_) => None,
        }
    }

    /// The network ends it: it is kept for the retention and holds its flow meanwhile. Nothing happens to one that has ended already.
    pub(super) fn terminate(&mut self, at: Timestamp, settings: &Settings) -> Option<(Timestamp, Change)> {
        if !self.serves() {
            return None;
        }
        self.end(at, End::NetworkTerminated);
        let retention = self.retention(settings);
        if retention > 0 {
            self.state = State::Retained(seconds_later(at, retention));
            return (!settings.has(Quirk::LateTerminationEvent)).then_some((at, Change::Terminated));
        }
        self.state = State::Over(at);
        self.freed = Some(at);
        Some((at, Change::Terminated))
    }

    /// How long it is kept after the network ended it: the rule came with 0.10, 0.8 has not even a status to show.
    fn retention(&self, settings: &Settings) -> i64 {
        match self.order.generation {
            Generation::V0_8 => 0,
            Generation::V0_9 => settings.retention_seconds_v0_9,
            _ => {
                // "At earliest" 360 s: each session has its own surplus, as its id has it.
                let spread = u128::try_from(settings.retention_spread_seconds).unwrap_or_default();
                let surplus = i64::try_from(self.id.as_u128() % (spread + 1)).unwrap_or_default();
                settings.retention_seconds.saturating_add(surplus)
            }
        }
    }

    /// 0.8 has no status in which an ended session could be shown.
    fn kept(&self, seconds: i64) -> i64 {
        if self.order.generation == Generation::V0_8 { 0 } else { seconds }
    }

    /// Its client deletes it: the flow is free at once. Only for one that holds its flow.
    pub(super) fn delete(&mut self, at: Timestamp, settings: &Settings) -> Option<(Timestamp, Change)> {
        let was = self.state;
        self.end(at, End::Deleted);
        self.state = State::Over(seconds_later(at, self.kept(settings.deleted_kept_seconds)));
        self.freed = Some(at);
        self.released = Some(at);
        (was == State::Available).then_some((at, Change::Deleted))
    }

    /// The provider loses it without a trace.
    pub fn lose(&mut self, at: Timestamp) {
        if self.holds() {
            self.end(at, End::Lost);
            self.freed = Some(at);
        }
        self.state = State::Over(at);
    }

    /// Lengthens it by `additional` seconds, up to a limit, and never shortens it.
    ///
    /// v0.10 `extendQosSessionDuration`: the remaining duration "shall not exceed the maximum remaining duration limit (currently fixed
    /// at 86,400 seconds)". From 0.11 on the overall duration is limited instead, by the profile's `maxDuration`.
    pub fn extend(&mut self, additional: i64, now: Timestamp, settings: &Settings) -> Result<(), NotExtended> {
        if self.state != State::Available {
            return Err(NotExtended::Inactive);
        }
        if settings.has(Quirk::NearEndNotExtended) && seconds_later(now, NEAR_END) >= self.expires() {
            return Err(NotExtended::NearEnd);
        }
        if settings.extend == Extend::Capped {
            let most = if self.order.generation >= Generation::V0_11 {
                settings.profile(&self.order.profile).and_then(|profile| profile.max_duration_seconds).unwrap_or(LONGEST)
            } else {
                now.duration_since(self.created).as_secs().saturating_add(settings.extend_cap_seconds)
            };
            if settings.has(Quirk::ExtendAtMaximumRefused) && self.duration >= most {
                return Err(NotExtended::AtMaximum);
            }
            self.duration = self.duration.saturating_add(additional).min(most).max(self.duration);
        }
        self.extended = self.extended.saturating_add(1);
        Ok(())
    }

    /// How long it held its flow up to `now`.
    pub fn held(&self, now: Timestamp) -> SignedDuration {
        self.freed.unwrap_or(now).duration_since(self.created)
    }

    /// How long it held its flow up to `now` without serving it: the retention.
    pub fn blocked(&self, now: Timestamp) -> SignedDuration {
        match self.ended {
            Some((ended, _)) => self.freed.unwrap_or(now).duration_since(ended).max(SignedDuration::ZERO),
            None => SignedDuration::ZERO,
        }
    }

    /// Keeps the first end: what happens to a session after the network ended it does not rewrite its history.
    fn end(&mut self, at: Timestamp, how: End) {
        self.ended.get_or_insert((at, how));
    }
}

/// `at`, `seconds` later.
pub fn seconds_later(at: Timestamp, seconds: i64) -> Timestamp {
    later(at, SignedDuration::from_secs(seconds))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::device::{Device, Identifier};
    use super::super::flow::PortSet;
    use super::super::settings::Course;
    use super::*;

    pub(in super::super) fn order(client: &str, phone: &str, duration: i64) -> Order {
        let flow = Flow {
            device: Device::new([Identifier::phone(phone)]),
            servers: vec!["198.51.100.10/32".parse().unwrap()],
            device_ports: PortSet::ALL,
            server_ports: PortSet::ALL,
        };
        let profile = "QOS_E".to_owned();
        Order {
            client: client.to_owned(),
            flow,
            profile,
            duration,
            callback: None,
            notify: None,
            echo: Private::new(Map::new()),
            generation: Generation::V0_10,
        }
    }

    pub(in super::super) fn start() -> Timestamp {
        Timestamp::from_second(1_767_322_800).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        seconds_later(start(), seconds)
    }

    fn session(duration: i64, settings: &Settings) -> Session {
        Session::create(Uuid::new_v4(), order("a", "+447700900112", duration), start(), settings)
    }

    #[test]
    fn without_a_delay_a_session_is_available_at_once_and_expires_at_its_end() {
        let settings = Settings::default();
        let mut session = session(60, &settings);
        assert_eq!((session.state, session.first_available), (State::Available, Some(start())));
        assert_eq!(session.next_change(), Some(at(60)));
        let _ = session.change(&settings);
        assert_eq!(session.ended, Some((at(60), End::DurationExpired)));
        assert_eq!((session.freed, session.released), (Some(at(60)), None));
        assert!(!session.readable(at(60)));
    }

    #[test]
    fn a_requested_session_becomes_available_after_the_delay() {
        let settings = Settings { requested_delay_seconds: 2, ..Settings::default() };
        let mut session = session(60, &settings);
        assert_eq!((session.state, session.next_change()), (State::Requested(at(2)), Some(at(2))));
        assert_eq!(session.extend(10, at(1), &settings), Err(NotExtended::Inactive));
        let _ = session.change(&settings);
        assert_eq!((session.state, session.first_available, session.expires()), (State::Available, Some(at(2)), at(60)));
    }

    #[test]
    fn a_session_that_the_network_does_not_grant_is_kept_and_blocks_like_a_terminated_one() {
        let settings =
            Settings { requested_delay_seconds: 2, requested_outcome: RequestedOutcome::Unavailable, ..Settings::default() };
        let mut session = session(60, &settings);
        let _ = session.change(&settings);
        assert_eq!((session.state, session.first_available), (State::Retained(at(362)), None));
        assert_eq!(session.ended, Some((at(2), End::NetworkTerminated)));
        assert!(session.holds());
    }

    #[test]
    fn a_session_still_requested_at_its_end_expires() {
        let settings = Settings { requested_delay_seconds: 1000, ..Settings::default() };
        let mut session = session(60, &settings);
        assert_eq!(session.next_change(), Some(at(60)));
        let _ = session.change(&settings);
        assert_eq!(session.ended, Some((at(60), End::DurationExpired)));
    }

    #[test]
    fn a_terminated_session_is_kept_for_the_retention_beyond_its_own_end_and_then_goes() {
        let settings = Settings::default();
        let mut session = session(60, &settings);
        let _ = session.terminate(at(50), &settings);
        assert_eq!((session.state, session.holds(), session.serves()), (State::Retained(at(410)), true, false));
        assert_eq!(session.extend(10, at(51), &settings), Err(NotExtended::Inactive));
        let _ = session.terminate(at(55), &settings);
        assert_eq!(session.next_change(), Some(at(410)));
        let _ = session.change(&settings);
        assert_eq!((session.freed, session.holds()), (Some(at(410)), false));
        assert_eq!(session.blocked(at(1000)), SignedDuration::from_secs(360));
        assert_eq!(session.held(at(1000)), SignedDuration::from_secs(410));
    }

    #[test]
    fn delete_frees_a_kept_session_at_once_and_leaves_how_it_ended() {
        let settings = Settings::default();
        let mut session = session(60, &settings);
        let _ = session.terminate(at(10), &settings);
        let _ = session.delete(at(15), &settings);
        assert_eq!((session.freed, session.released), (Some(at(15)), Some(at(15))));
        assert_eq!(session.ended, Some((at(10), End::NetworkTerminated)));
        assert!(!session.readable(at(15)));
    }

    #[test]
    fn a_deleted_session_can_be_set_to_stay_readable_without_holding_its_flow() {
        let settings = Settings { deleted_kept_seconds: 360, ..Settings::default() };
        let mut session = session(60, &settings);
        let _ = session.delete(at(15), &settings);
        assert!(session.readable(at(374)) && !session.readable(at(375)) && !session.holds());
    }

    #[test]
    fn extend_adds_to_the_duration_and_leaves_at_most_the_cap_before_the_end() {
        let settings = Settings::default();
        let mut documented = session(80_000, &settings);
        documented.extend(20_000, at(10_000), &settings).unwrap();
        assert_eq!(documented.duration, 96_400);
        let mut additive = session(100, &settings);
        additive.extend(50, at(10), &settings).unwrap();
        additive.extend(50, at(10), &settings).unwrap();
        assert_eq!((additive.duration, additive.expires(), additive.extended), (200, at(200), 2));
    }

    #[test]
    fn extend_never_shortens_and_can_be_set_to_gain_nothing() {
        let capped = Settings { extend_cap_seconds: 60, ..Settings::default() };
        let mut session_ = session(3600, &capped);
        session_.extend(10, at(10), &capped).unwrap();
        assert_eq!(session_.duration, 3600);
        let no_gain = Settings { extend: Extend::NoGain, ..Settings::default() };
        let mut session_ = session(1200, &no_gain);
        session_.extend(1200, at(10), &no_gain).unwrap();
        assert_eq!(session_.expires(), at(1200));
    }

    #[test]
    fn another_duration_than_asked_can_be_granted() {
        let settings = Settings { granted_seconds: Some(1200), ..Settings::default() };
        assert_eq!(session(7200, &settings).expires(), at(1200));
    }

    fn of(generation: Generation, duration: i64, settings: &Settings) -> Session {
        let order = Order { generation, ..order("a", "+447700900112", duration) };
        Session::create(Uuid::new_v4(), order, start(), settings)
    }

    #[test]
    fn from_0_11_on_the_time_runs_from_the_moment_it_became_available() {
        let settings = Settings { requested_delay_seconds: 5, ..Settings::default() };
        let mut early = of(Generation::V0_10, 60, &settings);
        let mut later = of(Generation::V0_11, 60, &settings);
        assert_eq!((early.started(), later.started()), (Some(at(0)), None));
        for session in [&mut early, &mut later] {
            let _ = session.change(&settings);
        }
        assert_eq!((early.expires(), later.started(), later.expires()), (at(60), Some(at(5)), at(65)));
        let _ = later.terminate(at(25), &settings);
        assert_eq!(later.effective(), 20);
        let mut at_once = of(Generation::V0_11, 60, &Settings::default());
        let _ = at_once.terminate(at(0), &settings);
        assert_eq!(at_once.effective(), 1, "a duration is at least 1");
    }

    #[test]
    fn from_0_11_on_an_extension_reaches_the_profiles_maximum_and_not_beyond() {
        let mut settings = Settings::default();
        settings.profiles[0].max_duration_seconds = Some(50_000);
        let mut session = of(Generation::V1_1, 30_000, &settings);
        session.extend(30_000, at(10), &settings).unwrap();
        assert_eq!(session.duration, 50_000);
        session.extend(1, at(10), &settings).unwrap();
        assert_eq!(session.duration, 50_000);
        settings.quirks.insert(Quirk::ExtendAtMaximumRefused);
        assert_eq!(session.extend(1, at(10), &settings), Err(NotExtended::AtMaximum));
        settings.quirks.insert(Quirk::NearEndNotExtended);
        assert_eq!(session.extend(1, at(49_980), &settings), Err(NotExtended::NearEnd));
        settings.profiles.clear();
        session.extend(i64::MAX, at(10), &settings).unwrap();
        assert_eq!(session.duration, i64::from(i32::MAX), "an int32 holds no more");
    }

    #[test]
    fn the_retention_came_with_0_10_is_a_setting_in_0_9_and_has_a_surplus_if_set() {
        let kept = |generation, settings: &Settings| {
            let mut session = of(generation, 3600, settings);
            let _ = session.terminate(at(10), settings);
            match session.state {
                State::Retained(until) => until.duration_since(at(10)).as_secs(),
                _ => 0,
            }
        };
        let settings = Settings::default();
        assert_eq!(Generation::ALL.map(|generation| kept(generation, &settings)), [0, 0, 360, 360, 360, 360, 360]);
        let set = Settings { retention_seconds_v0_9: 20, retention_spread_seconds: 60, ..Settings::default() };
        assert_eq!([Generation::V0_8, Generation::V0_9].map(|generation| kept(generation, &set)), [0, 20]);
        let many: Vec<i64> = (0..50).map(|_| kept(Generation::V1_1, &set)).collect();
        assert!(many.iter().all(|kept| (360..=420).contains(kept)), "{many:?}");
        assert!(many.iter().any(|kept| *kept != many[0]), "not all the same: {many:?}");
    }

    #[test]
    fn a_profile_can_have_a_course_of_its_own() {
        let course = Course { requested_delay_seconds: Some(9), granted_seconds: Some(360), ..Course::default() };
        let settings = Settings { courses: [("QOS_E".to_owned(), course)].into(), ..Settings::default() };
        let session = of(Generation::V1_1, 1200, &settings);
        assert_eq!((session.state, session.duration), (State::Requested(at(9)), 360));
    }
}
