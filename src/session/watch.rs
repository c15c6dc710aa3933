//! The watch of `QosSession`s: pruned, guarded against objects that cannot be decoded, and told to the claim table before any pass.

use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use kube::ResourceExt as _;
use kube::core::DeserializeGuard;
use kube_runtime::WatchStreamExt as _;
use kube_runtime::reflector::{self, Store};
use kube_runtime::watcher::{self, Event};
use tokio::sync::{broadcast, watch};

use super::Settings;
use super::claims::Object;
use super::context::Context;
use super::joined::Joined;
use super::salvage;
use crate::admin::Part;
use crate::api::QosSession;
use crate::provider::Change;
use crate::scope::watch::Cause;
use crate::scope::{self, Reach};

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
    let mut config = watcher::Config::default();
    if let Some(selector) = &settings.selector {
        config = config.labels(selector);
    }
    let (sender, receiver) = watch::channel(false);
    let writer = reflector::store::Writer::<QosSession>::new(());
    let store = writer.as_reader();
    let mut guard = Guard { context: Arc::clone(context), joined: Joined::new(settings.namespaces.reaches()), sender };
    let news = scope::watch::watch(&context.client, &settings.namespaces, &config, &context.vitals.health);
    let events = news.flat_map(move |(reach, news)| futures::stream::iter(guard.admit(&reach, news).into_iter().map(Ok)));
    (store, events.reflect(writer).applied_objects(), Listed(receiver))
}

/// Turns what the watches of guarded objects bring into events of objects, and keeps the context's tables in step.
struct Guard {
    context: Arc<Context>,
    joined: Joined,
    sender: watch::Sender<bool>,
}

impl Guard {
    fn admit(&mut self, reach: &Reach, news: Result<Event<DeserializeGuard<QosSession>>, Cause>) -> Vec<Event<QosSession>> {
        let event = match news {
            Ok(event) => self.decoded(event),
            Err(cause) => {
                if self.joined.failed(reach, &cause) {
                    self.tell_waiting();
                    let waits_for = self.joined.waits_for().join(" and ");
                    tracing::warn!(
                        waits_for,
                        "no QosSession is served yet: one that is not listed may hold a flow that another one asks for. Let the \
                         operator list and watch them there, or take the namespace out of --watch-namespaces"
                    );
                }
                return Vec::new();
            }
        };
        let waited = !self.joined.is_complete();
        if let Event::Apply(object) | Event::InitApply(object) = &event {
            // While nothing is served the table is to be as of now: whoever is served first must see what the others have become.
            if waited || self.joined.is_new(reach, &Object::of(object)) {
                self.context.appeared(object);
            }
        }
        let is_list = matches!(event, Event::InitDone);
        let taken = self.joined.take(reach, event);
        for key in &taken.vanished {
            self.context.vanished(key);
        }
        if waited && self.joined.is_complete() {
            self.context.providers.occupancy_complete();
            self.context.vitals.health.listed(Part::Sessions);
            self.context.inbox.listed();
            self.sender.send_replace(true);
        } else if waited && is_list {
            self.tell_waiting();
        }
        taken.events
    }

    fn tell_waiting(&self) {
        self.context.vitals.health.awaits(Part::Sessions, self.joined.waits_for());
    }

    fn decoded(&self, event: Event<DeserializeGuard<QosSession>>) -> Event<QosSession> {
        match event {
            Event::Apply(object) => Event::Apply(self.decode(object)),
            Event::Delete(object) => Event::Delete(self.decode(object)),
            Event::Init => Event::Init,
            Event::InitApply(object) => Event::InitApply(self.decode(object)),
            Event::InitDone => Event::InitDone,
        }
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
