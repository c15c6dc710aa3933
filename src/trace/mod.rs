//! Traces of what the operator does, sent to a collector by OTLP where that is asked for (`--otlp-endpoint`).
//!
//! This half makes the spans: one for each pass over a `QosSession`, and below it one for each call of the provider, each request
//! for a token and each write to the API server. What may stand in a span is what these functions take: names of Kubernetes objects,
//! numbers, and words of closed lists that stand in our source, never a text of the provider, of a person or of a Secret. Spans
//! have a target of their own, which the log does not print; where nothing is traced, no span is made.
//!
//! The other half, `collector` and `Traces`, sends them.

mod args;
mod collector;
mod counts;
mod export;
mod lines;

use opentelemetry::Context;
use opentelemetry::trace::FutureExt as _;
use tracing::{Instrument as _, Span, field};

pub use args::{Endpoint, TraceArguments};
pub use counts::{Counts, Outcome};
pub use export::{Error, Traces};
pub use lines::Named;

use crate::api::Reason;
use crate::metrics::PassResult;
use crate::session::decide::Row;

/// The target of all spans. No line of the log has it.
pub const TARGET: &str = "otlp";

const STATUS: &str = "http.response.status_code";
const OUTCOME: &str = "qos.outcome";
const CORRELATOR: &str = "qos.correlator";
/// What OpenTelemetry takes for a failure.
const OTEL_STATUS: &str = "otel.status_code";

/// A pass over the `QosSession` of that namespace, name and uid, which is to be run within it.
pub(crate) fn pass(namespace: &str, name: &str, uid: &str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "reconcile",
        k8s.object.kind = "QosSession",
        k8s.namespace.name = namespace,
        k8s.object.name = name,
        k8s.object.uid = uid,
        qos.provider = field::Empty,
        qos.row = field::Empty,
        qos.reason = field::Empty,
        qos.result = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// The pass that is under way has decided by that row, with this provider in view.
pub(crate) fn decided(row: Row, provider: Option<&str>) {
    let span = Span::current();
    span.record("qos.row", field::debug(row));
    if let Some(provider) = provider {
        span.record("qos.provider", provider);
    }
}

/// The pass that is under way leaves that reason in the condition Ready.
pub(crate) fn told(reason: Reason) {
    Span::current().record("qos.reason", reason.as_str());
}

/// How the pass of `span` ended.
pub(crate) fn ended(span: &Span, result: PassResult) {
    span.record("qos.result", field::debug(result));
    if matches!(result, PassResult::Denied | PassResult::Failed) {
        span.record(OTEL_STATUS, "ERROR");
    }
}

/// A request to somebody else, under way.
#[derive(Debug)]
pub(crate) struct Request(Span);

impl Request {
    /// A call of a provider's API; the `attempt` is 2 after a 401.
    pub(crate) fn call(provider: &str, operation: &'static str, attempt: u8) -> Self {
        Self(tracing::info_span!(
            target: TARGET,
            "call",
            otel.name = operation,
            otel.kind = "client",
            qos.provider = provider,
            qos.operation = operation,
            qos.attempt = attempt,
            qos.correlator = field::Empty,
            http.response.status_code = field::Empty,
            qos.outcome = field::Empty,
            otel.status_code = field::Empty,
        ))
    }

    /// A request to a token endpoint.
    pub(crate) fn token(provider: &str, grant: &'static str) -> Self {
        Self(tracing::info_span!(
            target: TARGET,
            "token",
            otel.kind = "client",
            qos.provider = provider,
            qos.grant = grant,
            http.response.status_code = field::Empty,
            qos.outcome = field::Empty,
            otel.status_code = field::Empty,
        ))
    }

    /// A write to the API server.
    pub(crate) fn write(verb: &'static str, resource: &'static str) -> Self {
        Self(tracing::info_span!(
            target: TARGET,
            "write",
            otel.name = format_args!("{verb} {resource}"),
            otel.kind = "client",
            k8s.verb = verb,
            k8s.resource = resource,
            http.response.status_code = field::Empty,
            qos.outcome = field::Empty,
            otel.status_code = field::Empty,
        ))
    }

    /// `future`, within the span.
    pub(crate) fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        future.instrument(self.0.clone())
    }

    /// The HTTP status of the answer.
    pub(crate) fn answered(&self, status: u16) {
        self.0.record(STATUS, status);
    }

    /// What the request came to: a word that stands in the metrics too.
    pub(crate) fn ended(&self, outcome: &'static str, well: bool) {
        self.0.record(OUTCOME, outcome);
        if !well {
            self.0.record(OTEL_STATUS, "ERROR");
        }
    }
}

/// The request of the span that is entered carries this `x-correlator`.
pub(crate) fn correlated(correlator: &uuid::Uuid) {
    Span::current().record(CORRELATOR, field::display(correlator));
}

/// The request of the span that is entered was answered with that status.
pub(crate) fn answered(status: u16) {
    Span::current().record(STATUS, status);
}

/// What spans belong to that are begun in another task.
#[derive(Clone, Debug)]
pub(crate) struct Cause(Context);

impl Cause {
    /// The span that is entered now, if any.
    pub(crate) fn now() -> Self {
        Self(Context::current())
    }

    /// Spans that `task` begins are below it, which does not wait for them.
    pub(crate) fn of<F: Future>(self, task: F) -> impl Future<Output = F::Output> {
        task.with_context(self.0)
    }
}
