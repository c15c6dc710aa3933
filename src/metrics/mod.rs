//! What is counted, and what is shown of the operator's own tables, in Prometheus' form. `docs/metrics.md` has the list.
//!
//! Labels are bounded: the names of the `QosProvider`s that there are, and closed lists. No label names an object, a device or a
//! person. What belongs to a provider goes with it.

mod api_server;
mod gauges;
mod notifications;
mod passes;
mod process;
mod provider;
mod sessions;
mod shown;
mod traces;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use kube_runtime::reflector::Store;
use parking_lot::Mutex;
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use api_server::counted;
pub use passes::{Pass, PassResult};
pub use provider::OfProvider;
pub(crate) use provider::{grant, outcome_of, token_outcome_of};

use crate::admin::Health;
use crate::api::QosSession;
use crate::clock::Clock;
use crate::notify::receiver::Counters;
use crate::session::context::Context;
use crate::trace;

/// What all names of ours begin with.
pub const PREFIX: &str = "qos_operator";

/// The two text forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prometheus' text format 0.0.4, which every scraper reads.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Form {
    /// The form that an `Accept` header asks for.
    pub fn of(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What is counted. Clones share it.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    shared: Arc<Shared>,
    passes: passes::Passes,
    api_server: api_server::Requests,
}

/// What a scrape looks at.
struct Shared {
    clock: Clock,
    health: Health,
    providers: Mutex<BTreeMap<String, Arc<OfProvider>>>,
    /// The operator that runs in this process, while it does.
    context: Mutex<Weak<Context>>,
    sessions: Mutex<Option<Store<QosSession>>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Nothing is counted yet.
    pub fn new(clock: Clock, health: Health) -> Self {
        let shared = Arc::new(Shared {
            clock,
            health,
            providers: Mutex::default(),
            context: Mutex::default(),
            sessions: Mutex::default(),
        });
        let (passes, api_server) = (passes::Passes::default(), api_server::Requests::default());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process));
        let ours = registry.sub_registry_with_prefix(PREFIX);
        ours.register("build", "The version of the operator", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        passes.register(ours);
        api_server.register(ours);
        ours.register_collector(Box::new(shown::Shown(Arc::clone(&shared))));
        Self(Arc::new(Inner { registry: Mutex::new(registry), shared, passes, api_server }))
    }

    /// Adds what another part counts. The names get the prefix `qos_operator_`, and those of counters the end `_total`; labels must
    /// be bounded.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(self.0.registry.lock().sub_registry_with_prefix(PREFIX));
    }

    /// Adds a gauge without labels that is read at each scrape. `help` ends with a full stop.
    pub fn gauge(&self, name: &'static str, help: &'static str, read: impl Fn() -> i64 + Send + Sync + 'static) {
        let gauge = shown::Gauge { name, help, read: Box::new(read) };
        self.register(|registry| registry.register_collector(Box::new(gauge)));
    }

    /// Everything, in that form. It takes the locks of the operator's tables, one after another, each for a moment.
    pub fn text(&self, form: Form) -> Result<String, fmt::Error> {
        let registry = self.0.registry.lock();
        let mut text = String::new();
        match form {
            Form::Prometheus => prometheus_text::encode(&mut text, &registry)?,
            Form::OpenMetrics => text::encode(&mut text, &registry)?,
        }
        Ok(text)
    }

    /// From now on the tables of that operator are shown, for as long as it is there.
    pub fn watch(&self, context: &Arc<Context>) {
        *self.0.shared.context.lock() = Arc::downgrade(context);
    }

    /// From now on the sessions of that store are counted.
    pub fn watch_sessions(&self, store: Store<QosSession>) {
        *self.0.shared.sessions.lock() = Some(store);
    }

    /// From now on what that receiver counts is shown.
    pub fn watch_receiver(&self, counters: &Arc<Counters>) {
        let collector = notifications::Notifications(Arc::clone(counters));
        self.register(|registry| registry.register_collector(Box::new(collector)));
    }

    /// From now on what became of spans is shown.
    pub fn watch_traces(&self, counts: Arc<trace::Counts>) {
        self.register(|registry| registry.register_collector(Box::new(traces::Traces(counts))));
    }

    /// What is counted of the provider of that name; it begins at nothing.
    pub fn provider(&self, name: &str) -> Arc<OfProvider> {
        let mut providers = self.0.shared.providers.lock();
        Arc::clone(providers.entry(name.to_owned()).or_insert_with(|| Arc::new(OfProvider::new(name))))
    }

    /// The provider is gone, and with it what was counted of it.
    pub fn forget_provider(&self, name: &str) {
        self.0.shared.providers.lock().remove(name);
    }

    /// A pass begins.
    pub fn pass(&self) -> Pass {
        self.0.passes.begin(&self.0.shared.clock)
    }

    /// A pass has decided by that row of the decision table.
    pub fn decided(&self, row: crate::session::decide::Row) {
        self.0.passes.decided(row);
    }

    /// Whether the operator's tables answer: reads all of them, and returns how many objects have a timer, and for how many seconds
    /// the first of them has been due. It does not return while a lock is held.
    pub(crate) fn touch(&self) -> gauges::Work {
        let context = self.0.shared.context.lock().upgrade();
        context.map(|context| gauges::Work::read(&context, self.0.shared.clock.now())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;
    use crate::vitals::Vitals;

    #[test]
    fn what_other_parts_add_is_shown_with_our_prefix_in_both_forms() {
        let metrics = Vitals::new(Clock::system()).metrics;
        let counter = Counter::<u64>::default();
        metrics.register(|registry| registry.register("parts", "Parts", counter.clone()));
        metrics.gauge("waiting", "Who waits.", || 7);
        counter.inc_by(3);
        let text = metrics.text(Form::Prometheus).unwrap();
        for line in ["# TYPE qos_operator_parts_total counter\n", "qos_operator_parts_total 3\n", "qos_operator_waiting 7\n"] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        let text = metrics.text(Form::OpenMetrics).unwrap();
        assert!(text.contains("# TYPE qos_operator_parts counter\n") && text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn the_form_is_the_one_that_is_accepted_and_else_the_one_that_everybody_reads() {
        assert_eq!(Form::of("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"), Form::OpenMetrics);
        assert_eq!(Form::of("text/plain;version=0.0.4"), Form::Prometheus);
        assert_eq!(Form::of(""), Form::Prometheus);
    }
}
