//! What this process remembers of each object between passes. All of it may be lost: a restart makes nothing unsafe, only less
//! well timed.

use std::collections::HashMap;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use parking_lot::Mutex;

use super::backoff;
use super::bounds::{self, seconds};
use super::decide::{Decision, Ending, Row, Step};
use super::facts::{Memory, Nonce, Outcome, Past, Word};
use super::inbox::Weighed;
use super::outcome::Effect;
use super::{past, status};
use crate::api::{QosSession, RECONCILE_REQUESTED_AT_ANNOTATION, Reason};
use crate::clock::later;
use crate::qod::{self, Fault, FaultClass, Generation, SessionId, StatusInfo};

/// One object's memory.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// What decisions see of it.
    pub memory: Memory,
    /// Errors in a row.
    pub failures: u32,
    /// Polls in a row that found the session not yet AVAILABLE.
    pub slow_polls: u32,
    /// The object as this process last wrote it, which the watch may not have brought yet.
    pub latest: Option<Box<QosSession>>,
    /// The last attempt, by which its notifications are known.
    pub attempt: Option<Nonce>,
    /// The API that it was made with.
    pub api: Option<Generation>,
    /// The session that a notification named for an attempt whose outcome was not known.
    pub event: Option<(Nonce, SessionId)>,
    /// What notifications said last of the session at hand.
    pub told: Option<(Word, Option<StatusInfo>)>,
    /// The session that `memory` speaks of.
    session: Option<String>,
    /// The generation that `memory` speaks of; deletion is another.
    generation: Option<i64>,
}

/// The polling periods of a provider, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Periods {
    /// While REQUESTED, or not said; it grows.
    pub requested: i64,
    /// While AVAILABLE.
    pub available: i64,
    /// From then on no notification comes any more, and this is the period.
    pub unheard: Option<(Timestamp, i64)>,
}

impl Remembered {
    /// Begins a pass over `object`: what was remembered of another session or another spec does not count any more. Of an object
    /// that this process sees for the first time, a pause that its status still owes is kept, and its poll comes at a random time
    /// within the period, so that a restart makes no beat.
    pub fn begin(&mut self, object: &QosSession, past: &Past, periods: Periods, now: Timestamp, jitter: f64) {
        let status = object.status.as_ref();
        let session = status.and_then(|status| status.session_id.clone());
        if session != self.session {
            let first = self.generation.is_none();
            self.memory = Memory { pause_until: self.memory.pause_until, refused: self.memory.refused, ..Memory::default() };
            self.slow_polls = 0;
            self.told = None;
            if first && past.held.is_some_and(|held| held.seen.word == Word::Available) {
                let expires = past.held.and_then(|held| held.seen.expires_at);
                self.memory.poll_at = Some(by_expiry(later(now, fraction(periods.available, jitter)), expires, now));
            }
            self.session = session;
        }
        if self.generation != object.metadata.generation {
            let seen = status.map(|status| status.observed_generation) == object.metadata.generation;
            let owed = self.generation.is_none() && seen;
            self.forget_pause();
            if let Some(attempt) = status.and_then(|status| status.attempt.as_ref()).filter(|_| owed) {
                let refused = past.settled.is_some_and(|settled| matches!(settled.outcome, Outcome::Busy | Outcome::Refused));
                let failures = u32::try_from(attempt.failures).unwrap_or(0);
                if refused && failures > 0 {
                    self.pause(now, backoff::growing(failures, jitter), true);
                }
            }
            self.generation = object.metadata.generation;
        }
        if asked_to_look(object) {
            self.forget_pause();
            self.memory.poll_at = None;
        }
        // The period has become shorter since: those that wait by the longer one are spread over the shorter.
        let latest = later(now, seconds(periods.available.saturating_mul(5) / 4));
        self.memory.poll_at =
            self.memory.poll_at.map(|at| if at > latest { later(now, fraction(periods.available, jitter)) } else { at });
    }

    /// Takes what notifications have said: the poll is due, or an id was brought.
    pub fn hinted(&mut self, weighed: Weighed, attempt: Option<Nonce>, api: Option<Generation>) {
        (self.attempt, self.api) = (attempt, api);
        if weighed.ask {
            self.memory.poll_at = None;
        }
        self.told = weighed.told.or(self.told.take());
        self.event = weighed.of_open.zip(attempt).map(|(session, nonce)| (nonce, session)).or(self.event.take());
    }

    /// The id of the session at hand.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Something that the object waited for has changed.
    pub fn forget_pause(&mut self) {
        self.memory.pause_until = None;
        self.memory.refused = false;
        self.failures = 0;
    }

    fn pause(&mut self, now: Timestamp, pause: k8s_openapi::jiff::SignedDuration, refused: bool) {
        self.memory.pause_until = Some(later(now, pause));
        self.memory.refused = refused;
    }

    fn failed(&mut self, fault: &Fault, now: Timestamp, jitter: f64) {
        let asked = fault.retry_after.and_then(|after| k8s_openapi::jiff::SignedDuration::try_from(after).ok());
        // Consent comes when it comes, whatever call waits for it: the token is asked for again when its server may be asked.
        if fault.class == FaultClass::ConsentPending {
            self.pause(now, asked.unwrap_or_else(|| seconds(5)), false);
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let pause = backoff::growing(self.failures, jitter).max(asked.unwrap_or_default());
        self.pause(now, pause, false);
    }

    /// The read of this pass brought an answer, or failed.
    pub fn looked(&mut self, answer: Result<&qod::SessionInfo, &Fault>, periods: Periods, now: Timestamp, jitter: f64) {
        match answer {
            Ok(info) => {
                self.failures = 0;
                self.memory.pause_until = None;
                self.polled(info, periods, now, jitter);
            }
            Err(fault) if fault.class == FaultClass::Gone => {}
            Err(fault) if fault.class == FaultClass::NotSupported => self.memory.get_unsupported = true,
            Err(fault) => self.failed(fault, now, jitter),
        }
    }

    /// A list of the device's sessions was read, or not: where it settles nothing, it is read again after a pause that grows, but
    /// right after `lands_by` of the open attempt, if that lies ahead: from then on what is not there never was.
    pub fn listed(&mut self, settles: bool, fault: Option<&Fault>, lands_by: Option<Timestamp>, now: Timestamp, jitter: f64) {
        match fault {
            Some(fault) => self.failed(fault, now, jitter),
            None if settles => {
                self.failures = 0;
                self.memory.pause_until = None;
            }
            None => {
                self.failures = self.failures.saturating_add(1);
                self.pause(now, backoff::growing(self.failures, jitter), false);
                let settled = lands_by.map(|at| later(at, bounds::MOMENT)).filter(|at| *at > now);
                self.memory.pause_until = self.memory.pause_until.into_iter().chain(settled).min();
            }
        }
    }

    /// A session is recorded, and what its provider said of it just now.
    pub fn began(&mut self, info: &qod::SessionInfo, periods: Periods, now: Timestamp, jitter: f64) {
        self.session = Some(info.session_id.as_str().to_owned());
        self.memory = Memory::default();
        self.slow_polls = 0;
        self.looked(Ok(info), periods, now, jitter);
        self.granted(info, now);
    }

    fn polled(&mut self, info: &qod::SessionInfo, periods: Periods, now: Timestamp, jitter: f64) {
        let seen = past::said(info);
        let period = if seen.word == Word::Available && seen.expires_at.is_none_or(|at| at > now) {
            self.slow_polls = 0;
            periods.available
        } else {
            self.slow_polls = self.slow_polls.saturating_add(1);
            let grown = periods.requested.saturating_mul(1_i64.checked_shl(self.slow_polls / 4).unwrap_or(i64::MAX));
            grown.min(periods.available.max(periods.requested))
        };
        let mut at = later(now, backoff::period(period, jitter));
        if let Some((from, short)) = periods.unheard {
            at = at.min(later(from.max(now), backoff::period(short, jitter)));
        }
        self.memory.poll_at = Some(by_expiry(at, seen.expires_at, now));
    }

    /// What acting brought. `failures`: as the status counts them now.
    pub fn acted(&mut self, decision: &Decision, effect: &Effect, failures: u32, now: Timestamp, jitter: f64) {
        match effect {
            Effect::None | Effect::Ambiguous(_) | Effect::ReleasedListed(Ending::Deleted) => {}
            // The list still shows what is gone: it is given time.
            Effect::ReleasedListed(_) => {
                self.failures = self.failures.saturating_add(1);
                self.pause(now, backoff::growing(self.failures, jitter), false);
            }
            Effect::Created { .. } => self.forget_pause(),
            Effect::NotCreated { fault: Some(fault), .. } => match fault.class {
                FaultClass::Refused(_) | FaultClass::NotExpressible { .. } | FaultClass::NotSupported => {
                    self.pause(now, backoff::slow(jitter), true);
                }
                _ => {
                    self.failures = failures.max(self.failures.saturating_add(1));
                    let asked = fault.retry_after.and_then(|after| k8s_openapi::jiff::SignedDuration::try_from(after).ok());
                    self.pause(now, backoff::growing(self.failures, jitter).max(asked.unwrap_or_default()), true);
                }
            },
            Effect::NotCreated { fault: None, .. } => self.pause(now, backoff::growing(1, jitter), false),
            Effect::NotSent(fault) => match fault.class {
                FaultClass::Refused(_) | FaultClass::NotExpressible { .. } => self.pause(now, backoff::slow(jitter), true),
                _ => self.failed(fault, now, jitter),
            },
            Effect::AdmissionDenied(_) => self.pause(now, backoff::slow(jitter), true),
            Effect::Released(_) => {
                // A session that the network ends again and again is bought back ever more slowly; the first time at once.
                if decision.row == Row::R8 && failures > 1 {
                    self.pause(now, backoff::growing(failures - 1, jitter), false);
                } else {
                    self.forget_pause();
                }
            }
            Effect::NotReleased(fault) => {
                let unsupported = fault.class == FaultClass::NotSupported;
                self.memory.delete_unsupported |= unsupported;
                // What the list shows stays there, and is to be released at every look: these come more and more slowly.
                if !unsupported || matches!(decision.step, Step::ReleaseListed(_)) {
                    self.failed(fault, now, jitter);
                }
            }
            Effect::Extended(info) => {
                self.forget_pause();
                self.granted(info, now);
            }
            Effect::NotExtended(fault) => match fault.class {
                FaultClass::Refused(qod::Reason::Credentials | qod::Reason::Permission) | FaultClass::RateLimited => {
                    self.failed(fault, now, jitter);
                }
                FaultClass::Refused(_) | FaultClass::NotSupported | FaultClass::Conflict | FaultClass::NotExpressible { .. } => {
                    self.memory.extend_refused = true;
                }
                _ => self.failed(fault, now, jitter),
            },
        }
    }

    /// An answer that grants time came now: the next extension waits until half of it has passed.
    pub fn granted(&mut self, info: &qod::SessionInfo, now: Timestamp) {
        let seen = past::said(info);
        let left = seen.expires_at.map(|at| at.duration_since(now).as_secs());
        if let Some(left) = seen.granted_seconds.map_or(left, |granted| left.map(|left| left.min(granted))) {
            self.memory.half_of_grant = Some(later(now, seconds(left.max(0) / 2)));
        }
    }

    /// The extend gained nothing.
    pub const fn no_gain(&mut self) {
        self.memory.extend_refused = true;
    }
}

/// A poll at `at`, but right after the expiry where that comes first.
fn by_expiry(at: Timestamp, expires: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let after = expires.map(|expires| later(expires, bounds::MOMENT)).filter(|after| *after > now);
    after.map_or(at, |after| at.min(after))
}

/// The annotation `qos-operator.io/reconcile-requested-at` has a value that no pass has acted on: the provider is asked now.
fn asked_to_look(object: &QosSession) -> bool {
    let asked = object.annotations().get(RECONCILE_REQUESTED_AT_ANNOTATION).map(|value| status::handled(value));
    let handled = object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref());
    asked.is_some() && asked.as_ref() != handled
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "milliseconds of a day are exact in a double")]
fn fraction(period: i64, jitter: f64) -> k8s_openapi::jiff::SignedDuration {
    k8s_openapi::jiff::SignedDuration::from_millis((period as f64 * 1000.0 * jitter) as i64)
}

/// All objects' memories, by uid.
#[derive(Debug, Default)]
pub struct Memories(Mutex<HashMap<String, Remembered>>);

impl Memories {
    /// Works on the memory of `uid`, which begins empty. Nothing may be awaited in `f`.
    pub fn with<T>(&self, uid: &str, f: impl FnOnce(&mut Remembered) -> T) -> T {
        let mut all = self.0.lock();
        if let Some(remembered) = all.get_mut(uid) {
            return f(remembered);
        }
        f(all.entry(uid.to_owned()).or_default())
    }

    /// The object is gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }

    /// The newer of what the watch brought and what this process wrote last.
    pub fn newest(&self, uid: &str, watched: QosSession) -> QosSession {
        let version = |object: &QosSession| object.metadata.resource_version.as_deref().and_then(|v| v.parse::<u64>().ok());
        self.with(uid, |remembered| match &remembered.latest {
            Some(latest) if version(latest) > version(&watched) => QosSession::clone(latest),
            _ => {
                remembered.latest = None;
                watched
            }
        })
    }
}

/// Whether a refusal with `reason` waits for a person or another spec.
pub const fn is_slow(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::CredentialsRejected
            | Reason::ProfileUnavailable
            | Reason::DurationOutOfRange
            | Reason::DeviceNotFound
            | Reason::IdentifierRejected
            | Reason::InvalidSpec
            | Reason::AdmissionDenied
            | Reason::NamespaceNotAllowed
            | Reason::ConsentDenied
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIODS: Periods = Periods { requested: 5, available: 300, unheard: None };

    fn available(expires: i64) -> qod::SessionInfo {
        let text = format!(
            r#"{{"sessionId": "s-1", "duration": 3600, "qosStatus": "AVAILABLE", "qosProfile": "QOS_E", "applicationServer": {{}},
                "startedAt": "2027-01-15T08:00:00Z", "expiresAt": "{}"}}"#,
            Timestamp::from_second(expires).unwrap()
        );
        qod::wire::Shape::of(Generation::V1_1).session(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_poll_becomes_short_when_the_bearer_of_notifications_ends() {
        let start = 1_800_000_000;
        let at = |seconds: i64| Timestamp::from_second(start + seconds).unwrap();
        let polled = |now: i64, periods: Periods| {
            let mut remembered = Remembered::default();
            remembered.looked(Ok(&available(start + 100_000)), periods, at(now), 0.5);
            remembered.memory.poll_at.unwrap().duration_since(at(0)).as_secs()
        };
        let until = |end: i64| Periods { unheard: Some((at(end), 5)), ..PERIODS };
        assert_eq!(polled(0, PERIODS), 300);
        assert_eq!(polled(0, until(1000)), 300, "its end is beyond the next poll");
        assert_eq!(polled(0, until(200)), 205);
        assert_eq!(polled(1000, until(200)), 1005);
    }

    #[test]
    fn a_period_that_became_shorter_holds_for_those_that_wait_already_and_spreads_them() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut remembered = Remembered::default();
        remembered.memory.poll_at = Some(later(now, seconds(250)));
        let object: QosSession = serde_json::from_value(serde_json::json!({
            "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession", "metadata": { "name": "camera-12" },
            "spec": { "device": {}, "applicationServer": {}, "qosProfile": "QOS_E" },
        }))
        .unwrap();
        let (past, _) = past::read(&object);
        remembered.begin(&object, &past, PERIODS, now, 0.5);
        assert_eq!(remembered.memory.poll_at, Some(later(now, seconds(250))));
        remembered.begin(&object, &past, Periods { available: 20, ..PERIODS }, now, 0.5);
        assert_eq!(remembered.memory.poll_at, Some(later(now, seconds(10))));
    }

    #[test]
    fn a_list_that_settles_nothing_is_read_again_after_a_growing_pause_but_right_after_a_create_can_no_longer_land() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let mut remembered = Remembered::default();
        let mut look = |now: i64, lands_by: Option<i64>| {
            remembered.listed(false, None, lands_by.map(at), at(now), 0.5);
            remembered.memory.pause_until.unwrap().duration_since(at(0)).as_secs()
        };
        assert_eq!([look(0, Some(30)), look(5, Some(30)), look(15, Some(30))], [5, 15, 31]);
        assert_eq!(look(31, Some(30)), 71, "what blocks now is no matter of landing");
        assert_eq!(look(71, None), 151);
    }
}
