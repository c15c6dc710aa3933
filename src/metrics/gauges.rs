//! The operator's own tables, read for one scrape.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use super::Shared;
use super::sessions::Summary;
use crate::api::Reason;
use crate::provider::{Provider, Readiness};
use crate::session::context::Context;
use crate::session::turns::Urgency;

/// The reasons for which a gate can be closed.
pub(super) const GATES: [Reason; 2] = [Reason::QuotaExceeded, Reason::CredentialsRejected];

/// What there is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(super) running: usize,
    pub(super) waiting: BTreeMap<Urgency, usize>,
    pub(super) timers: usize,
    pub(super) timers_due: usize,
    /// Since when the first timer has been due, in seconds.
    pub(crate) overdue_seconds: i64,
    /// Objects that hold, want, and rest.
    pub(super) stances: [usize; 3],
    pub(super) undecodable: usize,
}

/// What is known of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OfTheProvider {
    pub(super) name: String,
    pub(super) ready: bool,
    /// Empty where it is ready.
    pub(super) reason: &'static str,
    /// For which reason its gate is closed.
    pub(super) closed: Option<Reason>,
    /// Its notifications do not arrive; none: it is not asked for any.
    pub(super) silent: Option<bool>,
    pub(super) sessions: usize,
    pub(super) seconds: i64,
    pub(super) max_sessions: Option<i64>,
    pub(super) max_seconds: Option<i64>,
}

/// All of it.
pub(super) struct Tables {
    pub(super) work: Work,
    pub(super) providers: Vec<OfTheProvider>,
    pub(super) sessions: Summary,
}

impl Work {
    pub(crate) fn read(context: &Context, now: Timestamp) -> Self {
        let (running, waiting) = context.turns.load();
        let (timers, timers_due, first) = context.timers.load(now);
        Self {
            running,
            waiting,
            timers,
            timers_due,
            overdue_seconds: first.map_or(0, |first| now.duration_since(first).as_secs()),
            stances: context.claims.stances(),
            undecodable: context.undecodable.lock().len(),
        }
    }
}

impl OfTheProvider {
    fn of(provider: &Provider, now: Timestamp) -> Self {
        let (sessions, seconds) = provider.used();
        let budget = provider.spec.budget.as_ref();
        Self {
            name: provider.name.clone(),
            ready: provider.readiness == Readiness::Ready,
            reason: match &provider.readiness {
                Readiness::Ready => "",
                Readiness::NotReady { reason, .. } => reason.as_str(),
            },
            closed: provider.gate.closed(now).map(|closed| closed.reason),
            silent: provider.is_asked_to_notify().then(|| provider.is_silent()),
            sessions,
            seconds,
            max_sessions: budget.and_then(|budget| budget.max_sessions).map(i64::from),
            max_seconds: budget.and_then(|budget| budget.max_session_seconds_per_day),
        }
    }
}

impl Tables {
    /// What the operator of this process holds; none while none runs.
    pub(super) fn read(shared: &Shared) -> Option<Self> {
        let context: Arc<Context> = shared.context.lock().upgrade()?;
        let now = shared.clock.now();
        let providers: Vec<_> = context.providers.all().iter().map(|provider| OfTheProvider::of(provider, now)).collect();
        let known: BTreeSet<_> = providers.iter().map(|provider| provider.name.clone()).collect();
        let store = shared.sessions.lock().clone();
        let objects = store.map(|store| store.state()).unwrap_or_default();
        let default = context.providers.default_name();
        let sessions = Summary::of(objects.iter().map(AsRef::as_ref), &known, default.as_deref());
        Some(Self { work: Work::read(&context, now), providers, sessions })
    }
}
