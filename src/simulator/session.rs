//! One session's life, as a pure state machine: the time is an argument, and every change happens at its exact moment, however late
//! it is looked at.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::flow::Flow;
use super::settings::{Extend, RequestedOutcome, Settings};
use super::transition::NotifyTarget;
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
    /// The fields of the request that answers repeat, in the generation's own form.
    pub echo: Private<Map<String, Value>>,
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
    /// Whether the answer to its creation went out.
    pub answered: bool,
    /// Whether it was born while its client held another one on an overlapping flow, or with the same callback URL.
    pub doubled: bool,
    outcome: RequestedOutcome,
}

/// Why an extend is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inactive;

impl Session {
    /// A session that the provider has just accepted.
    pub fn create(id: Uuid, order: Order, now: Timestamp, settings: &Settings) -> Self {
        let duration = settings.granted_seconds.unwrap_or(order.duration);
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
            answered: false,
            doubled: false,
            outcome: settings.requested_outcome,
        };
        if settings.requested_delay_seconds > 0 {
            session.state = State::Requested(seconds_later(now, settings.requested_delay_seconds));
        } else {
            session.first_available = Some(now);
        }
        session
    }

    /// When its duration ends.
    pub fn expires(&self) -> Timestamp {
        seconds_later(self.created, self.duration)
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

    /// Makes the change that is due at [`Session::next_change`].
    pub fn change(&mut self, settings: &Settings) {
        match self.state {
            State::Requested(ready) if ready < self.expires() => match self.outcome {
                RequestedOutcome::Available => {
                    self.state = State::Available;
                    self.first_available = Some(ready);
                }
                RequestedOutcome::Unavailable => self.terminate(ready, settings),
            },
            State::Requested(_) | State::Available => {
                let at = self.expires();
                self.end(at, End::DurationExpired);
                self.state = State::Over(seconds_later(at, settings.expired_kept_seconds));
                self.freed = Some(at);
            }
            State::Retained(until) => {
                self.state = State::Over(until);
                self.freed = Some(until);
            }
            State::Over(_) => {}
        }
    }

    /// The network ends it: it is kept for the retention and holds its flow meanwhile. Nothing happens to one that has ended already.
    pub fn terminate(&mut self, at: Timestamp, settings: &Settings) {
        if !self.serves() {
            return;
        }
        self.end(at, End::NetworkTerminated);
        if settings.retention_seconds > 0 {
            self.state = State::Retained(seconds_later(at, settings.retention_seconds));
        } else {
            self.state = State::Over(at);
            self.freed = Some(at);
        }
    }

    /// Its client deletes it: the flow is free at once. Only for one that holds its flow.
    pub fn delete(&mut self, at: Timestamp, settings: &Settings) {
        self.end(at, End::Deleted);
        self.state = State::Over(seconds_later(at, settings.deleted_kept_seconds));
        self.freed = Some(at);
        self.released = Some(at);
    }

    /// The provider loses it without a trace.
    pub fn lose(&mut self, at: Timestamp) {
        if self.holds() {
            self.end(at, End::Lost);
            self.freed = Some(at);
        }
        self.state = State::Over(at);
    }

    /// Lengthens it by `additional` seconds; what is then left is at most the cap, and never less than before.
    ///
    /// v0.10 `extendQosSessionDuration`: the remaining duration "shall not exceed the maximum remaining duration limit (currently fixed
    /// at 86,400 seconds)".
    pub fn extend(&mut self, additional: i64, now: Timestamp, settings: &Settings) -> Result<(), Inactive> {
        if self.state != State::Available {
            return Err(Inactive);
        }
        if settings.extend == Extend::Capped {
            let elapsed = now.duration_since(self.created).as_secs();
            let most = elapsed.saturating_add(settings.extend_cap_seconds);
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
    use super::*;

    pub(in super::super) fn order(client: &str, phone: &str, duration: i64) -> Order {
        let flow = Flow {
            device: Device::new([Identifier::phone(phone)]),
            servers: vec!["198.51.100.10/32".parse().unwrap()],
            device_ports: PortSet::ALL,
            server_ports: PortSet::ALL,
        };
        let profile = "QOS_E".to_owned();
        Order { client: client.to_owned(), flow, profile, duration, callback: None, notify: None, echo: Private::new(Map::new()) }
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
        session.change(&settings);
        assert_eq!(session.ended, Some((at(60), End::DurationExpired)));
        assert_eq!((session.freed, session.released), (Some(at(60)), None));
        assert!(!session.readable(at(60)));
    }

    #[test]
    fn a_requested_session_becomes_available_after_the_delay() {
        let settings = Settings { requested_delay_seconds: 2, ..Settings::default() };
        let mut session = session(60, &settings);
        assert_eq!((session.state, session.next_change()), (State::Requested(at(2)), Some(at(2))));
        assert_eq!(session.extend(10, at(1), &settings), Err(Inactive));
        session.change(&settings);
        assert_eq!((session.state, session.first_available, session.expires()), (State::Available, Some(at(2)), at(60)));
    }

    #[test]
    fn a_session_that_the_network_does_not_grant_is_kept_and_blocks_like_a_terminated_one() {
        let settings =
            Settings { requested_delay_seconds: 2, requested_outcome: RequestedOutcome::Unavailable, ..Settings::default() };
        let mut session = session(60, &settings);
        session.change(&settings);
        assert_eq!((session.state, session.first_available), (State::Retained(at(362)), None));
        assert_eq!(session.ended, Some((at(2), End::NetworkTerminated)));
        assert!(session.holds());
    }

    #[test]
    fn a_session_still_requested_at_its_end_expires() {
        let settings = Settings { requested_delay_seconds: 1000, ..Settings::default() };
        let mut session = session(60, &settings);
        assert_eq!(session.next_change(), Some(at(60)));
        session.change(&settings);
        assert_eq!(session.ended, Some((at(60), End::DurationExpired)));
    }

    #[test]
    fn a_terminated_session_is_kept_for_the_retention_beyond_its_own_end_and_then_goes() {
        let settings = Settings::default();
        let mut session = session(60, &settings);
        session.terminate(at(50), &settings);
        assert_eq!((session.state, session.holds(), session.serves()), (State::Retained(at(410)), true, false));
        assert_eq!(session.extend(10, at(51), &settings), Err(Inactive));
        session.terminate(at(55), &settings);
        assert_eq!(session.next_change(), Some(at(410)));
        session.change(&settings);
        assert_eq!((session.freed, session.holds()), (Some(at(410)), false));
        assert_eq!(session.blocked(at(1000)), SignedDuration::from_secs(360));
        assert_eq!(session.held(at(1000)), SignedDuration::from_secs(410));
    }

    #[test]
    fn delete_frees_a_kept_session_at_once_and_leaves_how_it_ended() {
        let settings = Settings::default();
        let mut session = session(60, &settings);
        session.terminate(at(10), &settings);
        session.delete(at(15), &settings);
        assert_eq!((session.freed, session.released), (Some(at(15)), Some(at(15))));
        assert_eq!(session.ended, Some((at(10), End::NetworkTerminated)));
        assert!(!session.readable(at(15)));
    }

    #[test]
    fn a_deleted_session_can_be_set_to_stay_readable_without_holding_its_flow() {
        let settings = Settings { deleted_kept_seconds: 360, ..Settings::default() };
        let mut session = session(60, &settings);
        session.delete(at(15), &settings);
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
}
