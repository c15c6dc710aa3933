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
pub(super) mod tests;
