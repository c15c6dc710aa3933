//! The controller of `QosProvider`: finds out whether each provider can be used and what it offers, and keeps its status.
//!
//! Sessions see the result through [`Providers`].

mod access;
mod admission;
mod backoff;
mod budget;
mod callbacks;
mod connection;
mod gate;
mod keeper;
mod learned;
mod limits;
mod login;
mod object;
mod probe;
mod readiness;
mod record;
mod registry;
mod secrets;
mod snapshot;
mod status;
mod upkeep;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::jiff::SignedDuration;
use kube::Api;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube_runtime::{WatchStreamExt as _, watcher};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::connection::Basis;
use self::keeper::Keeper;
use self::object::Objects;
use self::watch::Listing;

pub use access::{Access, Ticket};
pub use gate::{Closed, Gate};
pub use limits::{Limits, Permit};
pub use readiness::Readiness;
pub use registry::{Change, Providers};
pub use snapshot::{ProfileAnswer, Provider};

use crate::api::{QosProvider, QosProviderSpec};
use crate::clock::Clock;
use crate::scope::watch::Cause;
use crate::vitals::Vitals;

/// What the provider controller needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's own namespace: the one of the providers' Secrets.
    pub namespace: String,
    /// Label selector of the QosProviders that this instance keeps; none: all.
    pub selector: Option<String>,
    /// The time.
    pub clock: Clock,
    /// How often a provider that is Ready is asked again whether it is, and what it offers.
    pub profile_refresh: SignedDuration,
    /// What it reports to.
    pub vitals: Vitals,
    /// Where providers that name no callback URL of their own send notifications; none: they are asked only.
    pub callback: Option<Url>,
}

impl Settings {
    /// The usual settings: all providers, asked again every 10 minutes.
    pub fn new(namespace: impl Into<String>, vitals: impl Into<Vitals>) -> Self {
        let vitals = vitals.into();
        Self {
            namespace: namespace.into(),
            selector: None,
            clock: vitals.clock.clone(),
            profile_refresh: SignedDuration::from_mins(10),
            vitals,
            callback: None,
        }
    }
}

/// What the tasks of all providers share.
struct Context {
    settings: Settings,
    providers: Providers,
    objects: Objects,
    /// The Secrets of the operator's own namespace, by name; none before their first list.
    secrets: Mutex<Option<BTreeMap<String, Secret>>>,
}

impl Context {
    /// What a connection for the spec is made of; none while the Secrets are not known.
    fn basis(&self, spec: &QosProviderSpec) -> Option<Basis> {
        self.secrets.lock().as_ref().map(|secrets| Basis::new(spec, secrets))
    }
}

/// Runs until `shutdown` is cancelled.
pub async fn run(client: kube::Client, settings: Settings, providers: Providers, shutdown: CancellationToken) {
    let selected = watcher::Config { label_selector: settings.selector.clone(), ..watcher::Config::default() };
    let everything = watcher::Config::default();
    let own: Api<Secret> = Api::namespaced(client.clone(), &settings.namespace);
    let mut objects = watcher(Api::<DeserializeGuard<QosProvider>>::all(client.clone()), selected).default_backoff().boxed();
    let mut secrets = watcher(own, everything.clone()).default_backoff().boxed();
    let mut namespaces = watcher(Api::<PartialObjectMeta<Namespace>>::all(client.clone()), everything).default_backoff().boxed();
    let (mut object_list, mut secret_list, mut namespace_list) = Default::default();
    let context = Context { settings, providers, objects: Objects::new(client), secrets: Mutex::default() };
    let mut keeper = Keeper::new(Arc::new(context));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some(event) = objects.next() => {
                if let Some(change) = taken("QosProviders", &mut object_list, event) {
                    keeper.take_providers(change);
                }
            }
            Some(event) = secrets.next() => {
                if let Some(change) = taken("Secrets", &mut secret_list, event) {
                    keeper.take_secrets(change);
                }
            }
            Some(event) = namespaces.next() => {
                if let Some(change) = taken("Namespaces", &mut namespace_list, event) {
                    keeper.take_namespaces(change);
                }
            }
        }
    }
}

/// The change that an event of a watch brings; an error is logged, and the watch goes on by itself.
fn taken<K>(kind: &str, listing: &mut Listing<K>, event: watcher::Result<watcher::Event<K>>) -> Option<watch::Change<K>> {
    match event {
        Ok(event) => listing.take(event),
        Err(error) => {
            tracing::warn!(kind, cause = %Cause::of(&error), "a watch failed");
            None
        }
    }
}
