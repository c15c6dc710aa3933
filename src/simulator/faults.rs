//! Faults that are put between client and API.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::session::seconds_later;
use super::settings::Operation;

/// Which calls a fault meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// All of them.
    #[default]
    Any,
    /// `createSession`
    Create,
    /// `getSession`
    Get,
    /// `deleteSession`
    Delete,
    /// `extendQosSessionDuration`
    Extend,
    /// `retrieveSessionsByDevice`
    RetrieveSessions,
    /// `getQosProfiles` and `getQosProfile`
    Profiles,
    /// CIBA's `/bc-authorize`
    Authorize,
    /// OAuth's `/token`
    Token,
    /// `retrieveQoSProfiles`
    RetrieveProfiles,
}

impl Target {
    fn meets(self, operation: Operation) -> bool {
        match self {
            Self::Any => true,
            Self::Create => operation == Operation::Create,
            Self::Get => operation == Operation::Get,
            Self::Delete => operation == Operation::Delete,
            Self::Extend => operation == Operation::Extend,
            Self::RetrieveSessions => operation == Operation::RetrieveSessions,
            Self::Profiles => operation == Operation::Profiles,
            Self::Authorize => operation == Operation::Authorize,
            Self::Token => operation == Operation::Token,
            Self::RetrieveProfiles => operation == Operation::RetrieveProfiles,
        }
    }
}

/// Whether the call takes effect although a status is answered that says nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Before the answer goes out.
    Before,
    /// Right after the answer.
    After,
    /// Not at all.
    #[default]
    None,
}

/// What happens to the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum What {
    /// The connection is closed; nothing else happens.
    Refuse,
    /// The same, under the name that goes with `dropAfter`.
    DropBefore,
    /// The call takes effect, then the connection is cut without a byte of an answer.
    DropAfter,
    /// The call takes effect, and the connection is cut in the middle of the answer's body.
    CutBody,
    /// The connection is cut at once, and the call takes effect this many seconds later.
    Late {
        /// Seconds on the simulator's clock.
        seconds: i64,
    },
    /// The call is handled as usual, but slowly. A client that hangs up meanwhile does not stop it.
    Delay {
        /// Seconds before the effect, on the simulator's clock.
        #[serde(default)]
        before_seconds: f64,
        /// Seconds between effect and answer.
        #[serde(default)]
        after_seconds: f64,
    },
    /// This status is answered.
    Status {
        /// The HTTP status.
        status: u16,
        /// A code for an error body in the API's form; without it and without `body` the answer is empty.
        #[serde(default)]
        code: Option<String>,
        /// The body: a text is sent as it is (HTML unless a header says otherwise), anything else as JSON.
        #[serde(default)]
        body: Option<Value>,
        /// Further headers, for example `Retry-After`, `Location`, `Content-Type`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Whether the call takes effect all the same.
        #[serde(default)]
        effect: Effect,
    },
}

impl What {
    /// The fault's name in the request log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::DropBefore => "dropBefore",
            Self::DropAfter => "dropAfter",
            Self::CutBody => "cutBody",
            Self::Late { .. } => "late",
            Self::Delay { .. } => "delay",
            Self::Status { .. } => "status",
        }
    }
}

/// A fault, and the calls that it meets. Of several that fit, the first in the list is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Which operation it meets.
    #[serde(default)]
    pub operation: Target,
    /// What it does.
    pub what: What,
    /// How many calls it meets before it is used up; absent: no limit.
    #[serde(default)]
    pub times: Option<u32>,
    /// How many fitting calls it lets pass first.
    #[serde(default)]
    pub skip: u32,
    /// The share of fitting calls that it meets, from 0 to 1; absent: all.
    #[serde(default)]
    pub rate: Option<f64>,
    /// For how long it lasts, from its installation on, in seconds; absent: no limit.
    #[serde(default)]
    pub for_seconds: Option<i64>,
}

/// Why a fault is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault: {0}")]
pub struct Invalid(&'static str);

impl Fault {
    /// A fault that meets every call of `operation`.
    pub const fn new(operation: Target, what: What) -> Self {
        Self { operation, what, times: None, skip: 0, rate: None, for_seconds: None }
    }

    /// A fault that meets the next call of `operation`.
    pub fn once(operation: Target, what: What) -> Self {
        Self { times: Some(1), ..Self::new(operation, what) }
    }

    /// A status with an error body in the API's form, without an effect.
    pub fn status(status: u16, code: &str) -> What {
        What::Status { status, code: Some(code.to_owned()), body: None, headers: BTreeMap::new(), effect: Effect::None }
    }

    /// Refuses values that make no sense.
    pub fn check(&self) -> Result<(), Invalid> {
        let span = |seconds: f64| (0.0..=1e9).contains(&seconds);
        if self.rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            return Err(Invalid("rate must be between 0 and 1"));
        }
        if self.for_seconds.is_some_and(|seconds| !(0..=1_000_000_000).contains(&seconds)) {
            return Err(Invalid("forSeconds must be 0 or more"));
        }
        match &self.what {
            What::Late { seconds } if !(0..=1_000_000_000).contains(seconds) => Err(Invalid("late.seconds must be 0 or more")),
            What::Delay { before_seconds, after_seconds } if !span(*before_seconds) || !span(*after_seconds) => {
                Err(Invalid("delay: beforeSeconds and afterSeconds must be 0 or more"))
            }
            What::Status { status, .. } if !(200..=599).contains(status) => Err(Invalid("status must be between 200 and 599")),
            What::Status { headers, .. }
                if headers.iter().any(|(name, value)| {
                    axum::http::HeaderName::try_from(name).is_err() || axum::http::HeaderValue::try_from(value).is_err()
                }) =>
            {
                Err(Invalid("headers must be valid HTTP headers"))
            }
            _ => Ok(()),
        }
    }
}

/// The faults that are installed.
#[derive(Debug, Default)]
pub struct Faults(Vec<(Fault, Timestamp)>);

impl Faults {
    /// Installs `fault` behind those that are there.
    pub fn add(&mut self, fault: Fault, now: Timestamp) {
        self.0.push((fault, now));
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Those that are left, with what is left of their `skip` and `times`.
    pub fn left(&self) -> Vec<Fault> {
        self.0.iter().map(|(fault, _)| fault.clone()).collect()
    }

    /// What happens to a call of `operation` at `now`; `chance` gives a number from 0 to 1.
    pub fn meet(&mut self, operation: Operation, now: Timestamp, mut chance: impl FnMut() -> f64) -> Option<What> {
        self.0.retain(|(fault, since)| {
            fault.times != Some(0) && fault.for_seconds.is_none_or(|seconds| now < seconds_later(*since, seconds))
        });
        for (fault, _) in &mut self.0 {
            if !fault.operation.meets(operation) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if fault.rate.is_some_and(|rate| chance() >= rate) {
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times = times.saturating_sub(1);
            }
            let what = fault.what.clone();
            self.0.retain(|(fault, _)| fault.times != Some(0));
            return Some(what);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::session::tests::start;
    use super::*;

    fn parsed(fault: Value) -> Fault {
        serde_json::from_value(fault).unwrap()
    }

    #[test]
    fn a_fault_meets_its_operation_as_often_as_it_says_after_those_it_lets_pass() {
        let mut faults = Faults::default();
        faults.add(parsed(json!({"operation": "get", "what": "dropAfter", "skip": 1, "times": 2})), start());
        let mut meet = |operation| faults.meet(operation, start(), || 0.0).is_some();
        let met =
            [Operation::Create, Operation::Get, Operation::Get, Operation::Delete, Operation::Get, Operation::Get].map(&mut meet);
        assert_eq!(met, [false, false, true, false, true, false]);
    }

    #[test]
    fn a_fault_with_a_rate_meets_its_share_and_the_next_one_gets_the_rest() {
        let mut faults = Faults::default();
        faults.add(parsed(json!({"what": "refuse", "rate": 0.25})), start());
        faults.add(parsed(json!({"what": {"late": {"seconds": 3}}})), start());
        assert_eq!(faults.meet(Operation::Get, start(), || 0.2), Some(What::Refuse));
        assert_eq!(faults.meet(Operation::Get, start(), || 0.25), Some(What::Late { seconds: 3 }));
    }

    #[test]
    fn a_fault_with_an_end_is_gone_after_it() {
        let mut faults = Faults::default();
        faults.add(
            parsed(json!({"operation": "create", "what": {"status": {"status": 409, "code": "CONFLICT"}}, "forSeconds": 600})),
            start(),
        );
        let mut met = |seconds| faults.meet(Operation::Create, seconds_later(start(), seconds), || 0.0).is_some();
        assert_eq!([met(0), met(599), met(600)], [true, true, false]);
        assert!(faults.left().is_empty());
    }

    #[test]
    fn a_fault_that_makes_no_sense_is_refused() {
        for fault in [
            json!({"what": "refuse", "rate": 1.5}),
            json!({"what": {"status": {"status": 99}}}),
            json!({"what": {"status": {"status": 500, "headers": {"a b": "c"}}}}),
            json!({"what": {"delay": {"beforeSeconds": -1}}}),
        ] {
            assert!(parsed(fault.clone()).check().is_err(), "{fault}");
        }
        assert!(serde_json::from_value::<Fault>(json!({"what": "explode"})).is_err());
        assert!(serde_json::from_value::<Fault>(json!({"what": "refuse", "time": 1})).is_err());
    }
}
