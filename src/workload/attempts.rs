//! Which steps have not worked, and when each may be tried again. Pure, given the jitter.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use super::plan::Step;
use crate::clock::later;
use crate::session::backoff;

/// How often an object of the child's name that is not ours is looked at again, in seconds: nothing tells when it goes.
const TAKEN_PERIOD: i64 = 60;

/// Why a step has not done what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The API server did not answer, or not with a reason that concerns the child.
    Failed,
    /// Admission or a quota refused it: somebody must lift that, or ask for something else.
    Refused,
    /// The name is another object's.
    Taken,
    /// It changed nothing: something else holds what differs.
    Futile,
}

/// The children of one namespace whose steps have not worked, by name.
#[derive(Debug, Default)]
pub struct Attempts(BTreeMap<String, Attempt>);

#[derive(Debug)]
struct Attempt {
    hindrance: Hindrance,
    /// Of the apply that was tried; none of another step.
    fingerprint: Option<u64>,
    /// Not before; none: not at all, as long as nothing else is asked for.
    until: Option<Timestamp>,
    failures: u32,
}

fn fingerprint(step: &Step) -> Option<u64> {
    match step {
        Step::Apply { fingerprint, .. } => Some(*fingerprint),
        Step::Mark { .. } | Step::Delete { .. } => None,
    }
}

impl Attempts {
    /// Whether `step` may be tried now.
    pub fn allow(&self, step: &Step, now: Timestamp) -> bool {
        let Some(attempt) = self.0.get(step.name()) else { return true };
        let other = attempt.hindrance != Hindrance::Failed && attempt.fingerprint != fingerprint(step);
        other || attempt.until.is_some_and(|until| until <= now)
    }

    /// `step` has not worked.
    pub fn hindered(&mut self, step: &Step, hindrance: Hindrance, now: Timestamp, jitter: f64) {
        let before = self.0.get(step.name()).filter(|before| before.hindrance == hindrance);
        let failures = before.map_or(0, |before| before.failures).saturating_add(1);
        let pause = match hindrance {
            Hindrance::Failed => Some(backoff::growing(failures, jitter)),
            Hindrance::Refused => Some(backoff::slow(jitter)),
            Hindrance::Taken => Some(backoff::period(TAKEN_PERIOD, jitter)),
            Hindrance::Futile => None,
        };
        let until = pause.map(|pause| later(now, pause));
        self.0.insert(step.name().to_owned(), Attempt { hindrance, fingerprint: fingerprint(step), until, failures });
    }

    /// A step on the child of that name has worked.
    pub fn worked(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Forgets what nobody plans a step for any more; returns when the first of `steps` may be tried.
    pub fn next(&mut self, steps: &[Step], now: Timestamp) -> Option<Timestamp> {
        self.0.retain(|name, _| steps.iter().any(|step| step.name() == name));
        let waiting = steps.iter().filter(|step| !self.allow(step, now)).filter_map(|step| self.0.get(step.name())?.until);
        waiting.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::child::Desired;

    fn apply(fingerprint: u64) -> Step {
        let desired = Desired {
            name: "qos-1".to_owned(),
            labels: BTreeMap::new(),
            owners: std::collections::BTreeSet::new(),
            spec: Box::default(),
        };
        Step::Apply { desired, uid: None, surplus: Vec::new(), fingerprint, askers: Vec::new() }
    }

    fn delete() -> Step {
        Step::Delete { name: "qos-1".to_owned(), uid: "u".to_owned(), version: None }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_refused_child_waits_ten_minutes_unless_something_else_is_asked_for() {
        let mut attempts = Attempts::default();
        attempts.hindered(&apply(1), Hindrance::Refused, at(0), 0.5);
        assert!(!attempts.allow(&apply(1), at(599)) && attempts.allow(&apply(1), at(600)));
        assert!(attempts.allow(&apply(2), at(1)) && attempts.allow(&delete(), at(1)));
        assert_eq!(attempts.next(&[apply(1)], at(1)), Some(at(600)));
    }

    #[test]
    fn a_failing_api_server_is_left_alone_for_longer_each_time() {
        let mut attempts = Attempts::default();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            attempts.hindered(&delete(), Hindrance::Failed, at(0), 0.5);
            pauses.push(attempts.next(&[delete()], at(0)).unwrap().as_second());
            assert!(!attempts.allow(&apply(1), at(0)), "any step would fail");
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
        attempts.worked("qos-1");
        assert!(attempts.allow(&delete(), at(0)));
    }

    #[test]
    fn what_changes_nothing_is_not_done_again_until_it_would_be_another_thing() {
        let mut attempts = Attempts::default();
        attempts.hindered(&apply(1), Hindrance::Futile, at(0), 0.5);
        assert!(!attempts.allow(&apply(1), Timestamp::MAX));
        assert_eq!(attempts.next(&[apply(1)], at(0)), None);
        assert!(attempts.allow(&apply(2), at(0)));
        attempts.next(&[], at(0));
        assert!(attempts.allow(&apply(1), at(0)), "forgotten with the wish");
    }
}
