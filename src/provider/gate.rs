//! The gate of a provider: 401 and 429 close it for all of its sessions, since a refused token and a limit are the provider's and
//! not one session's.

use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::backoff::{self, Backoff};
use crate::api::Reason;
use crate::clock::later;
use crate::qod::{self, Fault, FaultClass};

/// Whether calls to one provider may be sent now. It outlives changes of the spec.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
    /// Wakes the provider's own task, which wakes the sessions when a pause is over and probes after a 401.
    wake: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// The provider asked to wait until then.
    pause: Option<Pause>,
    /// Pauses in a row without a success between them.
    pauses: u32,
    /// What the 401 said, until a probe finds the credentials good or they change.
    rejected: Option<String>,
    /// 401s to sessions in a row, each after a probe that found the credentials good.
    rejections: u32,
    /// What the last of them said, until a call succeeds or the credentials change.
    doubt: Option<String>,
}

#[derive(Clone, Debug)]
struct Pause {
    until: Timestamp,
    message: String,
}

/// The gate is closed: nothing is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// It opens by itself then; none: when a probe succeeds, or the Secret or the `QosProvider` changes.
    pub until: Option<Timestamp>,
    /// `QuotaExceeded` or `CredentialsRejected`.
    pub reason: Reason,
    /// Why, for the condition; the same from retry to retry.
    pub message: String,
}

impl Gate {
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        Self { state: Mutex::default(), wake }
    }

    /// Tells the gate how a call ended. A 401 closes it until a probe or a change opens it; a 429 closes it until `Retry-After`
    /// has passed, without that header for a pause that grows. A success ends the growth; it opens nothing, since it may be the
    /// answer to a call that was sent before the gate closed. Returns whether the gate changed.
    pub fn report(&self, outcome: Result<(), &Fault>, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        let changed = match outcome.map_err(|fault| (fault, fault.class)) {
            Ok(()) => {
                let paused = state.pause.as_ref().is_some_and(|pause| pause.until > now);
                if !paused {
                    state.pauses = 0;
                    state.pause = None;
                }
                if state.rejected.is_none() {
                    state.rejections = 0;
                    state.doubt.take().is_some()
                } else {
                    false
                }
            }
            Err((fault, FaultClass::RateLimited)) => state.pause_for(fault, now),
            Err((fault, FaultClass::Refused(qod::Reason::Credentials))) => {
                let changed = state.rejected.is_none();
                if changed {
                    state.rejections = state.rejections.saturating_add(1);
                }
                let said = fault.to_string();
                state.rejected = Some(said.clone());
                state.doubt = Some(said);
                changed
            }
            Err(_) => false,
        };
        drop(state);
        if changed {
            self.wake.notify_one();
        }
        changed
    }

    /// Why nothing may be sent now; none: it may.
    pub fn closed(&self, now: Timestamp) -> Option<Closed> {
        let state = self.state.lock();
        if let Some(message) = &state.rejected {
            return Some(Closed { until: None, reason: Reason::CredentialsRejected, message: message.clone() });
        }
        let pause = state.pause.as_ref().filter(|pause| pause.until > now)?;
        Some(Closed { until: Some(pause.until), reason: Reason::QuotaExceeded, message: pause.message.clone() })
    }

    /// Until when the provider asked to wait, if that time is still to come: a probe waits for it too.
    pub(super) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.state.lock().pause.as_ref().map(|pause| pause.until).filter(|until| *until > now)
    }

    /// How long to wait before the probe that a 401 to a session asks for; none where none is asked for. The first comes at once.
    /// Where the probe succeeds and the sessions are refused all the same, they come more and more slowly.
    pub(super) fn probe_wanted_after(&self) -> Option<SignedDuration> {
        let state = self.state.lock();
        state.rejected.is_some().then(|| match state.rejections {
            0 | 1 => SignedDuration::ZERO,
            more => backoff::pause(more - 1),
        })
    }

    /// What the last refusal of the credentials said, if no call has succeeded since: where a probe can try nothing, this is all that
    /// is known of them.
    pub(super) fn doubt(&self) -> Option<String> {
        self.state.lock().doubt.clone()
    }

    /// A probe found the credentials good.
    pub(super) fn credentials_work(&self) {
        self.state.lock().rejected = None;
    }

    /// The credentials or the spec changed: what a 401 said of the earlier ones counts no more. A pause that the provider asked
    /// for stays.
    pub(super) fn credentials_changed(&self) {
        let mut state = self.state.lock();
        (state.rejected, state.doubt) = (None, None);
        state.rejections = 0;
    }
}

impl State {
    fn pause_for(&mut self, fault: &Fault, now: Timestamp) -> bool {
        let running = self.pause.as_ref().map(|pause| pause.until).filter(|until| *until > now);
        let until = match fault.retry_after {
            Some(wait) => later(now, SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)),
            // Answers to calls that were sent before the pause began do not make it longer.
            None if running.is_some() => return false,
            None => {
                let wait = backoff::pause(self.pauses);
                self.pauses = self.pauses.saturating_add(1);
                later(now, Backoff::jitter(wait))
            }
        };
        if running.is_some_and(|running| running >= until) {
            return false;
        }
        self.pause = Some(Pause { until, message: fault.to_string() });
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn gate() -> Gate {
        Gate::new(Arc::default())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn rate_limited(retry_after: Option<u64>) -> Fault {
        Fault { status: Some(429), retry_after: retry_after.map(Duration::from_secs), ..Fault::new(FaultClass::RateLimited) }
    }

    fn unauthenticated() -> Fault {
        Fault { status: Some(401), ..Fault::new(FaultClass::Refused(qod::Reason::Credentials)) }
    }

    #[test]
    fn a_429_closes_it_until_retry_after_has_passed_and_a_late_success_does_not_open_it_before() {
        let gate = gate();
        assert_eq!(gate.closed(at(0)), None);
        assert!(gate.report(Err(&rate_limited(Some(30))), at(0)));
        assert!(!gate.report(Ok(()), at(1)));
        let closed = gate.closed(at(29)).unwrap();
        assert_eq!((closed.until, closed.reason), (Some(at(30)), Reason::QuotaExceeded));
        assert_eq!(gate.closed(at(30)), None);
        assert!(!gate.report(Err(&rate_limited(None)), at(5)), "a 429 without a time shortened or lengthened the pause");
        assert!(!gate.report(Err(&rate_limited(Some(10))), at(5)), "an earlier time shortened the pause");
        assert!(gate.report(Err(&rate_limited(Some(60))), at(5)));
        assert_eq!(gate.paused_until(at(6)), Some(at(65)));
    }

    #[test]
    fn without_retry_after_the_pauses_grow_until_a_success() {
        let gate = gate();
        let mut now = at(0);
        let mut lengths = Vec::new();
        for _ in 0..4 {
            gate.report(Err(&rate_limited(None)), now);
            let until = gate.closed(now).unwrap().until.unwrap();
            lengths.push(until.duration_since(now));
            now = until;
        }
        assert!(lengths.windows(2).all(|pair| pair[1] > pair[0]), "{lengths:?}");
        gate.report(Ok(()), now);
        gate.report(Err(&rate_limited(None)), now);
        assert!(gate.closed(now).unwrap().until.unwrap().duration_since(now) < SignedDuration::from_secs(6));
    }

    #[test]
    fn a_401_closes_it_until_a_probe_succeeds_and_repeated_ones_slow_the_probes_down() {
        let gate = gate();
        assert!(gate.report(Err(&unauthenticated()), at(0)));
        assert!(!gate.report(Err(&unauthenticated()), at(0)), "the second one of a burst changes nothing");
        gate.report(Ok(()), at(0));
        let closed = gate.closed(at(1_000_000)).unwrap();
        assert_eq!((closed.until, closed.reason), (None, Reason::CredentialsRejected));
        assert_eq!(gate.probe_wanted_after(), Some(SignedDuration::ZERO));
        gate.credentials_work();
        assert_eq!((gate.closed(at(1)), gate.probe_wanted_after()), (None, None));
        gate.report(Err(&unauthenticated()), at(2));
        let second = gate.probe_wanted_after().unwrap();
        assert!(second > SignedDuration::ZERO);
        gate.credentials_work();
        gate.report(Err(&unauthenticated()), at(3));
        assert!(gate.probe_wanted_after().unwrap() > second);
        gate.credentials_changed();
        assert_eq!(gate.closed(at(3)), None);
        gate.report(Err(&unauthenticated()), at(4));
        assert_eq!(gate.probe_wanted_after(), Some(SignedDuration::ZERO));
    }

    #[test]
    fn any_other_fault_leaves_it_open() {
        let gate = gate();
        for class in [FaultClass::Unavailable, FaultClass::Ambiguous, FaultClass::Refused(qod::Reason::Permission)] {
            assert!(!gate.report(Err(&Fault::new(class)), at(0)));
        }
        assert_eq!(gate.closed(at(0)), None);
    }
}
