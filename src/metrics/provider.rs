//! What is counted of one provider: the calls of its API and the requests for its tokens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use k8s_openapi::jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::metrics::histogram::Histogram;

use crate::auth::Refusal;
use crate::auth::wire::{Asked, TokenFaultClass};
use crate::clock::Clock;
use crate::qod::{Fault, FaultClass, Operation};

/// Upper bounds in seconds: from a provider in the next room to the longest time-out that is usual.
const BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// A call that brought what was asked for.
const SUCCESS: &str = "Success";
/// A call whose caller went away before its end: a shutdown, or a spec that changed under it.
const ABANDONED: &str = "Abandoned";

/// What is counted of one provider.
#[derive(Debug, Default)]
pub struct OfProvider {
    name: String,
    calls: Mutex<Calls>,
    tokens: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    in_flight: AtomicI64,
}

#[derive(Debug, Default)]
struct Calls {
    by_outcome: BTreeMap<(Operation, &'static str), u64>,
    durations: BTreeMap<Operation, Histogram>,
}

/// A call under way. It counts as abandoned where nobody tells how it ended.
pub(crate) struct Call<'a> {
    of: &'a OfProvider,
    operation: Operation,
    clock: &'a Clock,
    began: Timestamp,
    told: bool,
}

/// What was counted up to now.
pub(super) struct Counted {
    pub(super) calls: Vec<(Operation, &'static str, u64)>,
    pub(super) durations: Vec<(Operation, Histogram)>,
    pub(super) tokens: Vec<(&'static str, &'static str, u64)>,
    pub(super) in_flight: i64,
}

impl OfProvider {
    /// Nothing yet, of the provider of that name.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The provider's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A call begins.
    pub(crate) fn call<'a>(&'a self, operation: Operation, clock: &'a Clock) -> Call<'a> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Call { of: self, operation, clock, began: clock.now(), told: false }
    }

    /// A request to the token endpoint has ended; `fault`: why there is no token.
    pub(crate) fn token_request(&self, asked: Asked, fault: Option<TokenFaultClass>) {
        let outcome = token_outcome_of(fault);
        *self.tokens.lock().entry((grant(asked), outcome)).or_default() += 1;
    }

    pub(super) fn counted(&self) -> Counted {
        let calls = self.calls.lock();
        Counted {
            calls: calls.by_outcome.iter().map(|((operation, outcome), count)| (*operation, *outcome, *count)).collect(),
            durations: calls.durations.iter().map(|(operation, durations)| (*operation, durations.clone())).collect(),
            tokens: self.tokens.lock().iter().map(|((grant, outcome), count)| (*grant, *outcome, *count)).collect(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
        }
    }
}

impl Call<'_> {
    /// The call has ended. What the API's generation cannot say was not sent, and is no call.
    pub(crate) fn ended<T>(mut self, answer: &Result<T, Fault>) {
        if !matches!(answer, Err(Fault { class: FaultClass::NotExpressible { .. }, .. })) {
            self.count(outcome_of(answer));
        }
        self.told = true;
    }

    fn count(&self, outcome: &'static str) {
        let seconds = self.clock.now().duration_since(self.began).as_secs_f64().max(0.0);
        let mut calls = self.of.calls.lock();
        *calls.by_outcome.entry((self.operation, outcome)).or_default() += 1;
        calls.durations.entry(self.operation).or_insert_with(|| Histogram::new(BUCKETS)).observe(seconds);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.count(ABANDONED);
        }
        self.of.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The label of an answer.
pub(crate) fn outcome_of<T>(answer: &Result<T, Fault>) -> &'static str {
    answer.as_ref().err().map_or(SUCCESS, |fault| fault.class.name())
}

/// The label of what a request for a token came to; `fault`: why there is no token.
pub(crate) fn token_outcome_of(fault: Option<TokenFaultClass>) -> &'static str {
    fault.map_or(SUCCESS, token_outcome)
}

/// The label of a request for a token.
pub(crate) const fn grant(asked: Asked) -> &'static str {
    match asked {
        Asked::ClientCredentials => "ClientCredentials",
        Asked::JwtBearer => "JwtBearer",
        Asked::Authorize => "Authorize",
        Asked::Poll => "Poll",
        Asked::Refresh => "Refresh",
    }
}

const fn token_outcome(class: TokenFaultClass) -> &'static str {
    match class {
        TokenFaultClass::Pending => "Pending",
        TokenFaultClass::SlowDown => "SlowDown",
        TokenFaultClass::Expired => "Expired",
        TokenFaultClass::Denied => "Denied",
        TokenFaultClass::Unavailable => "Unavailable",
        TokenFaultClass::Unparseable => "Unparseable",
        TokenFaultClass::Refused(reason) => match reason {
            Refusal::Credentials => "RefusedCredentials",
            Refusal::Permission => "RefusedPermission",
            Refusal::Device => "RefusedDevice",
            Refusal::Scope => "RefusedScope",
            Refusal::Invalid => "RefusedInvalid",
        },
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::SignedDuration;

    use super::*;
    use crate::qod::Field;
    use crate::qod::Reason;

    #[test]
    fn a_call_is_under_way_until_it_ends_and_counts_once_with_its_outcome_and_its_time() {
        let (of, clock) = (OfProvider::default(), Clock::system());
        let call = of.call(Operation::CreateSession, &clock);
        assert_eq!(of.counted().in_flight, 1);
        clock.advance(SignedDuration::from_secs(7));
        call.ended::<()>(&Err(Fault::new(FaultClass::Refused(Reason::Quota))));
        of.call(Operation::CreateSession, &clock).ended(&Ok(()));
        let counted = of.counted();
        assert_eq!(counted.in_flight, 0);
        let create = Operation::CreateSession;
        assert_eq!(counted.calls, [(create, "RefusedQuota", 1), (create, "Success", 1)]);
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register("calls", "Calls", counted.durations[0].1.clone());
        let mut text = String::new();
        prometheus_client::encoding::prometheus_text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("calls_bucket{le=\"5\"} 1\n") && text.contains("calls_bucket{le=\"10\"} 2\n"), "{text}");
    }

    #[test]
    fn a_call_that_was_dropped_is_abandoned_and_one_that_could_not_be_written_is_none() {
        let (of, clock) = (OfProvider::default(), Clock::system());
        drop(of.call(Operation::GetSession, &clock));
        let unsaid = Fault::not_expressible(Field::Operation, "extend appears in v0.10");
        of.call(Operation::ExtendQosSessionDuration, &clock).ended::<()>(&Err(unsaid));
        let counted = of.counted();
        assert_eq!((counted.calls, counted.in_flight), (vec![(Operation::GetSession, "Abandoned", 1)], 0));
    }
}
