//! Puts the parts together: key, providers, sessions, workloads.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::SignedDuration;
use kube::api::Api;
use kube_runtime::events::{Recorder, Reporter};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::args::RunArguments;
use crate::leader::Mandate;
use crate::metrics;
use crate::provider::{self, Providers};
use crate::session::claims::Claims;
use crate::session::context::Context;
use crate::session::facts::Margins;
use crate::session::inbox::Inbox;
use crate::session::key::{KeyError, OperatorKey};
use crate::session::memory::Memories;
use crate::session::timers::Timers;
use crate::session::turns::Turns;
use crate::session::{self, write};
use crate::vitals::Vitals;
use crate::workload;

/// How the operator is to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its own namespace.
    pub namespace: String,
    /// Name of the Secret with its key.
    pub key_secret: String,
    /// Which sessions it sees.
    pub sessions: session::Settings,
    /// Passes at a time.
    pub concurrency: usize,
    /// How often profiles are read again.
    pub profile_refresh: SignedDuration,
    /// Where providers send notifications; none: they are asked only.
    pub callback: Option<Url>,
    /// See [`Margins`].
    pub margins: Margins,
    /// How workloads are served; none: they are not.
    pub workloads: Option<workload::Settings>,
}

impl From<&RunArguments> for Settings {
    fn from(arguments: &RunArguments) -> Self {
        Self {
            namespace: arguments.namespace.clone(),
            key_secret: arguments.key_secret.clone(),
            sessions: session::Settings {
                namespaces: arguments.watch_namespaces.clone(),
                selector: arguments.session_selector.clone(),
            },
            concurrency: usize::from(arguments.concurrency),
            profile_refresh: arguments.profile_refresh,
            callback: arguments.callback_url.clone(),
            margins: arguments.margins.into(),
            workloads: arguments.workloads.settings(),
        }
    }
}

/// An operator that runs.
pub struct Operator {
    /// What its passes share.
    pub context: Arc<Context>,
    /// How many workloads ask.
    pub workloads: workload::Counts,
    parts: JoinSet<()>,
    shutdown: CancellationToken,
}

/// A client for `config` that repeats nothing by itself: the work queue is the retry.
///
/// # Errors
/// When the configuration cannot be used.
pub fn client(mut config: kube::Config) -> kube::Result<kube::Client> {
    config.default_retry = false;
    kube::Client::try_from(config)
}

/// The operator's key, which every replica needs: the leader and those that stand by.
///
/// # Errors
/// When it cannot be read or made.
pub async fn load_key(client: &kube::Client, settings: &Settings) -> Result<OperatorKey, KeyError> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &settings.namespace);
    OperatorKey::load(&secrets, &settings.key_secret).await
}

/// Starts the controllers, which report to `vitals` (a clock makes new ones). Where a leader is elected, the lease must be held: the
/// claim table is built from the first list that is made from now on.
pub fn start(
    client: kube::Client,
    operator_key: OperatorKey,
    mandate: impl Into<Mandate>,
    settings: Settings,
    vitals: impl Into<Vitals>,
) -> Operator {
    let Mandate { fence, drain } = mandate.into();
    let vitals = vitals.into();
    vitals.health.key_loaded();
    let (client, clock) = (metrics::counted(client, &vitals), vitals.clock.clone());
    let providers = Providers::new(clock.clone());
    let (wakes, woken) = mpsc::unbounded_channel();
    let reporter = Reporter { controller: write::MANAGER.to_owned(), instance: None };
    let context = Arc::new(Context {
        client: client.clone(),
        clock,
        operator_key,
        providers: providers.clone(),
        claims: Claims::default(),
        timers: Timers::default(),
        turns: Turns::new(settings.concurrency),
        memories: Memories::default(),
        inbox: Inbox::default(),
        margins: settings.margins,
        fence,
        vitals: vitals.clone(),
        tasks: TaskTracker::new(),
        recorder: Recorder::new(client.clone(), reporter),
        by_provider: Mutex::default(),
        wakes,
        undecodable: Mutex::default(),
    });
    vitals.metrics.watch(&context);
    let shutdown = CancellationToken::new();
    let mut parts = JoinSet::new();
    let provider_settings = provider::Settings {
        selector: settings.sessions.selector.clone(),
        profile_refresh: settings.profile_refresh,
        callback: settings.callback,
        ..provider::Settings::new(settings.namespace, vitals)
    };
    parts.spawn(provider::run(client, provider_settings, providers, shutdown.clone()));
    let counts = workload::Counts::default();
    if let Some(workloads) = settings.workloads {
        counts.show(&context.vitals.metrics);
        let (context, sessions) = (Arc::clone(&context), settings.sessions.clone());
        parts.spawn(workload::run(context, workloads, sessions, counts.clone(), drain, shutdown.clone()));
    }
    parts.spawn(session::run(Arc::clone(&context), settings.sessions, woken, shutdown.clone()));
    Operator { context, workloads: counts, parts, shutdown }
}

impl Operator {
    /// Ends: nothing new is begun, what is under way is recorded.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        while self.parts.join_next().await.is_some() {}
    }

    /// Returns when a part has ended by itself, which none does.
    pub async fn ended(&mut self) {
        self.parts.join_next().await;
    }
}
