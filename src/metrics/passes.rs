//! What is counted of the passes over `QosSession`s.

use k8s_openapi::jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::clock::Clock;
use crate::session::decide::Row;
use crate::session::write::WriteError;

/// Upper bounds in seconds: from a pass that calls nobody to one that waits for a provider.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0];

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PassResult {
    /// It came to its end.
    Done,
    /// The object had changed meanwhile: it is begun again.
    Conflict,
    /// The object was gone.
    Gone,
    /// The API server refused a write.
    Denied,
    /// The API server did not answer a write, or the record did not fit.
    Failed,
}

impl PassResult {
    /// How the pass with that outcome ended.
    pub const fn of(result: &Result<(), WriteError>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(WriteError::Conflict) => Self::Conflict,
            Err(WriteError::Gone) => Self::Gone,
            Err(WriteError::Denied(_)) => Self::Denied,
            Err(WriteError::Lost | WriteError::TooLong(_)) => Self::Failed,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    result: PassResult,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    row: RowLabel,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RowLabel(Row);

impl EncodeLabelValue for PassResult {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        EncodeLabelValue::encode(&format!("{self:?}"), encoder)
    }
}

impl EncodeLabelValue for RowLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        EncodeLabelValue::encode(&format!("{:?}", self.0), encoder)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Passes {
    ended: Family<Ended, Counter>,
    duration: Histogram,
    decided: Family<Decided, Counter>,
}

impl Default for Passes {
    fn default() -> Self {
        Self { ended: Family::default(), duration: Histogram::new(BUCKETS), decided: Family::default() }
    }
}

impl Passes {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("passes", "Passes over QosSessions, by how they ended", self.ended.clone());
        registry.register(
            "pass_duration_seconds",
            "Time that a pass took from its turn on, calls of the provider included",
            self.duration.clone(),
        );
        registry.register(
            "decisions",
            "Decisions of passes, by the row of the decision table in docs/architecture.md",
            self.decided.clone(),
        );
    }

    pub(super) fn begin(&self, clock: &Clock) -> Pass {
        Pass { passes: self.clone(), clock: clock.clone(), began: clock.now() }
    }

    pub(super) fn decided(&self, row: Row) {
        self.decided.get_or_create(&Decided { row: RowLabel(row) }).inc();
    }
}

/// A pass that has its turn.
#[derive(Debug)]
#[must_use]
pub struct Pass {
    passes: Passes,
    clock: Clock,
    began: Timestamp,
}

impl Pass {
    /// The pass has ended.
    pub fn ended(self, result: PassResult) {
        self.passes.ended.get_or_create(&Ended { result }).inc();
        self.passes.duration.observe(self.clock.now().duration_since(self.began).as_secs_f64().max(0.0));
    }
}
