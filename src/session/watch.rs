//! The watch of `QosSession`s: pruned, guarded against objects that cannot be decoded, and told to the claim table before any pass.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use kube::ResourceExt as _;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube_runtime::reflector::{self, Store};
use kube_runtime::watcher::{self, Event};
use kube_runtime::{WatchStreamExt as _, watcher as start};
use tokio::sync::{broadcast, watch};

use super::Settings;
use super::claims::Object;
use super::context::Context;
use super::salvage;
use crate::admin::Part;
use crate::api::QosSession;
use crate::provider::Change;

/// kubectl's copy of the manifest: nobody here reads it, and it doubles an object's size.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Tells when the first list is complete.
#[derive(Clone, Debug)]
pub struct Listed(watch::Receiver<bool>);

impl Listed {
    /// Whether the first list is in the claim table.
    pub fn is_complete(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the first list is in the claim table.
    pub async fn wait(&self) {
        // The sender goes only with the watch itself.
        let _ = self.0.clone().wait_for(|listed| *listed).await;
    }
}

/// The store, the stream of changed objects, and when the first list is complete.
pub fn objects(
    context: &Arc<Context>,
    settings: &Settings,
) -> (Store<QosSession>, impl Stream<Item = Result<QosSession, watcher::Error>> + Send + 'static, Listed) {
    let client = context.client.clone();
    let api: Api<DeserializeGuard<QosSession>> = match &settings.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let mut config = watcher::Config::default();
    if let Some(selector) = &settings.selector {
        config = config.labels(selector);
    }
    let (sender, receiver) = watch::channel(false);
    let writer = reflector::store::Writer::<QosSession>::new(());
    let store = writer.as_reader();
    let mut guard = Guard { context: Arc::clone(context), listed: HashSet::new(), known: HashSet::new(), sender };
    let events = start(api, config).default_backoff().map(move |event| event.map(|event| guard.admit(event)));
    (store, events.reflect(writer).applied_objects(), Listed(receiver))
}

/// Turns events of guarded objects into events of objects, and keeps the context's tables in step.
struct Guard {
    context: Arc<Context>,
    /// Seen since the list began.
    listed: HashSet<Object>,
    known: HashSet<Object>,
    sender: watch::Sender<bool>,
}

impl Guard {
    fn admit(&mut self, event: Event<DeserializeGuard<QosSession>>) -> Event<QosSession> {
        match event {
            Event::Apply(object) => Event::Apply(self.appeared(object)),
            Event::Delete(object) => {
                let object = self.decode(object);
                let key = self.context.key_of(&object);
                self.known.remove(&key);
                self.context.vanished(&key);
                Event::Delete(object)
            }
            Event::Init => {
                self.listed.clear();
                Event::Init
            }
            Event::InitApply(object) => {
                let object = self.appeared(object);
                self.listed.insert(self.context.key_of(&object));
                Event::InitApply(object)
            }
            Event::InitDone => {
                let gone: Vec<_> = self.known.difference(&self.listed).cloned().collect();
                for key in gone {
                    self.known.remove(&key);
                    self.context.vanished(&key);
                }
                self.listed = HashSet::new();
                self.context.providers.occupancy_complete();
                self.context.vitals.health.listed(Part::Sessions);
                self.context.inbox.listed();
                self.sender.send_replace(true);
                Event::InitDone
            }
        }
    }

    fn appeared(&mut self, object: DeserializeGuard<QosSession>) -> QosSession {
        let object = self.decode(object);
        let key = self.context.key_of(&object);
        if self.known.insert(key) {
            self.context.appeared(&object);
        }
        object
    }

    fn decode(&self, object: DeserializeGuard<QosSession>) -> QosSession {
        let mut undecodable = self.context.undecodable.lock();
        let mut object = match object.0 {
            Ok(object) => {
                undecodable.remove(object.metadata.uid.as_deref().unwrap_or_default());
                object
            }
            Err(invalid) => {
                undecodable.insert(invalid.metadata.uid.clone().unwrap_or_default());
                QosSession { metadata: invalid.metadata, spec: salvage::placeholder(), status: None }
            }
        };
        object.metadata.managed_fields = None;
        object.annotations_mut().remove(LAST_APPLIED);
        object
    }
}

/// Wakes who waits for a provider when it changes. `changes` must be there before the first pass.
pub async fn provider_changes(context: Arc<Context>, mut changes: broadcast::Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(Change::Other(name)) => context.provider_changed(&name),
            Ok(Change::Marked(name) | Change::Notifications(name)) => context.wake(context.users_of(&name)),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                let names: Vec<_> = context.by_provider.lock().keys().cloned().collect();
                for name in names {
                    context.provider_changed(&name);
                }
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
