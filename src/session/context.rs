//! What all passes share.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube_runtime::events::Recorder;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::bounds;
use super::claims::{Claim, Claims, Object, Stance};
use super::desired::Desired;
use super::facts::Margins;
use super::flow::{self, DeviceKey, Flow};
use super::inbox::Inbox;
use super::key::OperatorKey;
use super::memory::Memories;
use super::past;
use super::sink::ObjectKey;
use super::timers::Timers;
use super::turns::Turns;
use crate::api::QosSession;
use crate::clock::Clock;
use crate::leader::Fence;
use crate::provider::Providers;
use crate::vitals::Vitals;

/// How long a call to the API server that is no watch may take.
pub const API_TIMEOUT: Duration = Duration::from_secs(15);

/// What all passes share.
pub struct Context {
    /// The API server; it repeats nothing by itself.
    pub client: kube::Client,
    /// The one clock.
    pub clock: Clock,
    /// For keyed hashes.
    pub operator_key: OperatorKey,
    /// The providers as they are known.
    pub providers: Providers,
    /// Who holds and who wants which flow.
    pub claims: Claims,
    /// When to look at which object again.
    pub timers: Timers,
    /// Whose turn it is.
    pub turns: Turns,
    /// What is remembered of each object.
    pub memories: Memories,
    /// What notifications have said.
    pub inbox: Inbox,
    /// The flags' durations; `late_effect` without the provider's request time-out.
    pub margins: Margins,
    /// What stops a leader that was deposed.
    pub fence: Fence,
    /// What it reports to.
    pub vitals: Vitals,
    /// What shutdown waits for.
    pub tasks: TaskTracker,
    /// Writes Events.
    pub recorder: Recorder,
    /// Objects by the name of the provider that they wait for or use; the empty name is the default.
    pub by_provider: Mutex<HashMap<String, HashSet<Object>>>,
    /// Wakes an object.
    pub wakes: mpsc::UnboundedSender<Object>,
    /// Uids of objects that could not be decoded.
    pub undecodable: Mutex<HashSet<String>>,
}

/// A call to the API server did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It did not answer in time; the call may have taken effect.
    #[error("the API server did not answer in time")]
    Timeout,
    /// It refused, or the connection failed.
    #[error("the API server refused or the connection failed")]
    Kube(#[source] Box<kube::Error>),
}

/// Bounds a call to the API server.
pub async fn limited<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    match tokio::time::timeout(API_TIMEOUT, call).await {
        Ok(answer) => answer.map_err(|error| ApiError::Kube(Box::new(error))),
        Err(_) => Err(ApiError::Timeout),
    }
}

impl Context {
    /// A random number in 0..1.
    pub fn jitter(&self) -> f64 {
        rand::random()
    }

    /// The object's age.
    pub fn created(&self, object: &QosSession) -> Timestamp {
        object.metadata.creation_timestamp.as_ref().map_or_else(|| self.clock.now(), |at| at.0)
    }

    /// Returns once the providers have been listed: until then none can be said not to exist.
    pub async fn providers_loaded(&self) {
        while !self.providers.loaded() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Wakes `objects`.
    pub fn wake(&self, objects: impl IntoIterator<Item = Object>) {
        for object in objects {
            // The receiver is gone only when the operator is shutting down.
            let _ = self.wakes.send(object);
        }
    }

    /// Sets the claim of `object` and wakes who waited for what it gave up.
    pub fn claim(&self, object: &Object, claim: Option<Claim>) {
        let woken = self.claims.set(object, claim);
        self.wake(woken);
    }

    /// An object appeared in the watch for the first time: what it holds and wants, as far as it tells by itself. Its own pass makes
    /// this exact.
    pub fn appeared(&self, object: &QosSession) {
        let key = Object::of(object);
        self.inbox.appeared(ObjectKey::of(&self.operator_key, &key.uid), &key);
        let now = self.clock.now();
        let (past, parsed) = past::read(object);
        let open = bounds::open(&past, now);
        let status = object.status.as_ref();
        let home = match (past.held, open) {
            (Some(_), _) => status.and_then(|status| status.provider.as_ref()),
            (None, Some(_)) => parsed.record().map(|record| &record.provider),
            (None, None) => None,
        };
        self.providers.set_occupancy(&key.uid, home.map(|home| home.uid.as_str()));
        let desired = Desired::parse(object);
        let number = parsed.record().and_then(|record| record.device_hash.as_deref()).and_then(DeviceKey::parse);
        let sent = past.held.and_then(|held| held.hash).or(open.map(|attempt| attempt.hash));
        let same = home.is_some_and(|home| sent.is_some() && desired.hash(object, &home.uid) == sent);
        let holds = past.held.is_some() || open.is_some();
        let device = match parsed.record() {
            Some(record) if holds && !same => &record.device,
            _ => &object.spec.device,
        };
        let device = flow::device_keys(&self.operator_key, &key.namespace, device, number);
        let flow = match &desired.parts {
            Ok(parts) if !holds || same => Flow {
                device,
                servers: Some(parts.servers.clone()),
                device_ports: parts.device_ports.clone(),
                server_ports: parts.server_ports.clone(),
            },
            _ => Flow::anything(device),
        };
        let goal = desired.goal;
        let stance = if holds {
            Stance::Holds
        } else if goal.deleting || goal.suspend || goal.paused || desired.parts.is_err() || past.run_started_at.is_some() {
            Stance::Rests
        } else {
            Stance::Wants
        };
        self.claim(&key, Some(Claim { created: self.created(object), flow, stance }));
    }

    /// An object is gone from the API server.
    pub fn vanished(&self, key: &Object) {
        self.timers.set(key, None);
        self.inbox.vanished(ObjectKey::of(&self.operator_key, &key.uid), &key.uid);
        self.memories.forget(&key.uid);
        self.providers.set_occupancy(&key.uid, None);
        self.undecodable.lock().remove(&key.uid);
        for objects in self.by_provider.lock().values_mut() {
            objects.remove(key);
        }
        self.claim(key, None);
    }

    /// Notes which provider `object` uses or waits for.
    pub fn uses_provider(&self, object: &Object, names: [&str; 2]) {
        let mut all = self.by_provider.lock();
        for (name, objects) in all.iter_mut() {
            if !names.contains(&name.as_str()) {
                objects.remove(object);
            }
        }
        for name in names {
            all.entry(name.to_owned()).or_default().insert(object.clone());
        }
        all.retain(|_, objects| !objects.is_empty());
    }

    /// A pass of `object` is about to look at these providers: it is woken by what changes in them from now on. What it turns out
    /// not to use, [`Context::uses_provider`] takes off again.
    pub fn looks_at_providers<'a>(&self, object: &Object, names: impl IntoIterator<Item = &'a str>) {
        let mut all = self.by_provider.lock();
        for name in names {
            all.entry(name.to_owned()).or_default().insert(object.clone());
        }
    }

    /// Who uses a provider, waits for it, or waits for a default.
    pub fn users_of(&self, name: &str) -> HashSet<Object> {
        [name, ""].iter().filter_map(|name| self.by_provider.lock().get(*name).cloned()).flatten().collect()
    }

    /// A provider changed: who uses it, waits for it, or waits for a default forgets its pause and is woken.
    pub fn provider_changed(&self, name: &str) {
        let objects = self.users_of(name);
        for object in &objects {
            self.memories.with(&object.uid, super::memory::Remembered::forget_pause);
        }
        self.wake(objects);
    }
}
