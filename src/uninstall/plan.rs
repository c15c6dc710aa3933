//! What the guard does next, from what it sees. Pure.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::args::Mode;
use super::drain::LeaseName;
use crate::api::{DeletionPolicy, FINALIZER, IN_USE_FINALIZER, PAUSED_ANNOTATION, QosSession};
use crate::scope::Namespaces;
use crate::session::facts::Record;
use crate::session::{bounds, past};
use crate::workload::keys::{SOURCE_LABEL, SOURCE_WORKLOAD};

/// How the guard is to act.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What becomes of sessions that live.
    pub mode: Mode,
    /// How long it may take.
    pub timeout: SignedDuration,
    /// QosSessions of these namespaces.
    pub namespaces: Namespaces,
    /// Objects with these labels only.
    pub selector: Option<String>,
    /// The operator makes QosSessions for workloads.
    pub workloads: bool,
    /// Where it is told to make none; none: it cannot be told.
    pub lease: Option<LeaseName>,
    /// A QosProvider to delete at the end.
    pub delete_provider: Option<String>,
    /// The Helm release, for the message.
    pub release: String,
}

/// How a QosSession stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds a session.
    Lives,
    /// Whether it holds one is not known: a create whose answer was lost, or an object or record that this release cannot read.
    MayLive,
    /// It holds none and waits for one: the operator may create it at any moment.
    Wanted,
    /// It holds none and gets none as it is: suspended, run out, or refused until somebody changes something.
    AtRest,
}

/// A QosSession as far as the guard is concerned.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the object")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The resourceVersion that was read.
    pub version: String,
    /// Its finalizers.
    pub finalizers: Vec<String>,
    /// How it stands.
    pub standing: Standing,
    /// It is being deleted.
    pub deleting: bool,
    /// Nothing is done at the provider for it.
    pub paused: bool,
    /// Its deletionPolicy is Orphan.
    pub orphan: bool,
    /// It was made for a Pod or Service.
    pub of_workload: bool,
}

/// A QosProvider as far as the guard is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The resourceVersion that was read.
    pub version: String,
    /// Its finalizers.
    pub finalizers: Vec<String>,
    /// It is being deleted.
    pub deleting: bool,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Set deletionPolicy Orphan.
    Orphan(Session),
    /// Delete the QosSession.
    Delete(Session),
    /// Take the finalizer off a QosSession that is at rest.
    ReleaseSession(Session),
    /// Take the finalizer off a QosProvider where nothing lives.
    ReleaseProvider(Provider),
    /// Delete the QosProvider.
    DeleteProvider(Provider),
}

/// What is still waited for: an object, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept(String);

/// What to do now, and what to wait for; nothing of both: the operator can go.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be done now.
    pub orders: Vec<Order>,
    /// To be waited for.
    pub waits: Vec<Kept>,
}

impl Session {
    /// Reads an object; of one that cannot be decoded, its metadata.
    pub fn read(object: Result<QosSession, ObjectMeta>, now: Timestamp) -> Self {
        let (standing, orphan) = match &object {
            Ok(object) => (standing(object, now), object.spec.deletion_policy == DeletionPolicy::Orphan),
            Err(_) => (Standing::MayLive, false),
        };
        let metadata = object.map_or_else(|metadata| metadata, |object| object.metadata);
        let has = |map: &Option<std::collections::BTreeMap<String, String>>, key: &str, value: &str| {
            map.as_ref().and_then(|map| map.get(key)).is_some_and(|found| found == value)
        };
        Self {
            standing,
            orphan,
            deleting: metadata.deletion_timestamp.is_some(),
            paused: has(&metadata.annotations, PAUSED_ANNOTATION, "true"),
            of_workload: has(&metadata.labels, SOURCE_LABEL, SOURCE_WORKLOAD),
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            version: metadata.resource_version.unwrap_or_default(),
            finalizers: metadata.finalizers.unwrap_or_default(),
        }
    }

    fn kept(&self) -> Kept {
        let why = match self.standing {
            Standing::Lives => "its session lives",
            Standing::MayLive => "a session of it may live",
            Standing::Wanted => "it waits for a session",
            Standing::AtRest => "it is still there",
        };
        let more = match (self.deleting, self.paused) {
            (true, true) => "; being deleted, and paused by its annotation",
            (true, false) => "; being deleted",
            (false, true) => "; paused by its annotation",
            (false, false) => "",
        };
        Kept(format!("QosSession {}/{} ({why}{more})", self.namespace, self.name))
    }
}

impl Provider {
    /// Reads an object's metadata.
    pub fn read(metadata: &ObjectMeta) -> Self {
        Self {
            deleting: metadata.deletion_timestamp.is_some(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            version: metadata.resource_version.clone().unwrap_or_default(),
            finalizers: metadata.finalizers.clone().unwrap_or_default(),
        }
    }

    fn kept(&self) -> Kept {
        Kept(format!("QosProvider {} (it is still there)", self.name))
    }
}

impl Order {
    /// What the order is about, as something to wait for.
    pub fn kept(&self) -> Kept {
        match self {
            Self::Orphan(session) | Self::Delete(session) | Self::ReleaseSession(session) => session.kept(),
            Self::ReleaseProvider(provider) | Self::DeleteProvider(provider) => provider.kept(),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Orphan(of) => write!(formatter, "QosSession {}/{}: deletionPolicy is Orphan now", of.namespace, of.name),
            Self::Delete(of) => write!(formatter, "QosSession {}/{}: deleted", of.namespace, of.name),
            Self::ReleaseSession(of) => write!(formatter, "QosSession {}/{}: finalizer taken off", of.namespace, of.name),
            Self::ReleaseProvider(of) => write!(formatter, "QosProvider {}: finalizer taken off", of.name),
            Self::DeleteProvider(of) => write!(formatter, "QosProvider {}: deleted", of.name),
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What follows from what is seen. `drained`: the operator is known to make no QosSession for workloads.
pub fn plan(settings: &Settings, sessions: &[Session], providers: &[Provider], drained: bool) -> Plan {
    let mut plan = Plan::default();
    for session in sessions {
        match next(settings, session, drained) {
            Next::Do(order) => plan.orders.push(order),
            Next::Wait => plan.waits.push(session.kept()),
            Next::Nothing => {}
        }
    }
    let resting = |order: &Order| matches!(order, Order::ReleaseSession(_));
    if !plan.waits.is_empty() || !plan.orders.iter().all(resting) {
        // One by one would be no use: what lives keeps its provider. And a guard that may still fail has not changed anything.
        plan.orders.retain(|order| !resting(order));
        return plan;
    }
    for provider in providers {
        let marked = provider.finalizers.iter().any(|finalizer| finalizer == IN_USE_FINALIZER);
        let unwanted = settings.delete_provider.as_ref() == Some(&provider.name);
        if unwanted && !provider.deleting {
            plan.orders.push(Order::DeleteProvider(provider.clone()));
        } else if marked {
            plan.orders.push(Order::ReleaseProvider(provider.clone()));
        } else if unwanted {
            plan.waits.push(provider.kept());
        }
    }
    plan
}

enum Next {
    Do(Order),
    Wait,
    Nothing,
}

fn next(settings: &Settings, session: &Session, drained: bool) -> Next {
    let again = session.of_workload && settings.workloads && !drained;
    match settings.mode {
        Mode::Orphan if !session.orphan && !again => Next::Do(Order::Orphan(session.clone())),
        Mode::Delete | Mode::Orphan if !session.deleting && !again => Next::Do(Order::Delete(session.clone())),
        Mode::Delete | Mode::Orphan => Next::Wait,
        Mode::Wait if session.deleting || session.standing != Standing::AtRest => Next::Wait,
        Mode::Wait if session.finalizers.iter().any(|finalizer| finalizer == FINALIZER) => {
            Next::Do(Order::ReleaseSession(session.clone()))
        }
        Mode::Wait => Next::Nothing,
    }
}

fn standing(object: &QosSession, now: Timestamp) -> Standing {
    let (past, _) = past::read(object);
    if past.held.is_some() {
        return Standing::Lives;
    }
    if past.record == Record::Unreadable || bounds::open(&past, now).is_some() {
        return Standing::MayLive;
    }
    let Some(status) = object.status.as_ref().filter(|status| Some(status.observed_generation) == object.metadata.generation)
    else {
        return Standing::Wanted;
    };
    let is_true = |kind: &str| status.conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True");
    // Ready without a session: suspended, or run out. Stalled: only a change of something moves it.
    if is_true("Ready") || is_true("Stalled") { Standing::AtRest } else { Standing::Wanted }
}

#[cfg(test)]
mod tests;
