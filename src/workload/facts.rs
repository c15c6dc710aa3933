//! What is kept of the cluster: plain values, parsed as they arrive. Of a Pod or Service only what a plan needs; of one that never
//! had an annotation of ours, nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::jiff::Timestamp;

use super::annotations::{AnnotationProblem, Kind, Parsed};
use super::notice::Asker;
use crate::api::{Device, QosSessionSpec};

/// Whom a child's ownerReference names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Names repeat, uids do not.
    pub uid: String,
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `name`.
    pub name: String,
}

impl Owner {
    /// Whether it is itself a Pod or Service, so that nothing of it is left that could bring a claim back.
    pub fn is_claimant(&self) -> bool {
        self.api_version == "v1" && matches!(self.kind.as_str(), "Pod" | "Service")
    }
}

/// A Pod or Service that has, or had, an annotation of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Which of the two.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// creationTimestamp: of those that claim one flow, the oldest decides.
    pub created: Timestamp,
    /// It is being deleted.
    pub deleting: bool,
    /// What its annotations say.
    pub parsed: Parsed,
    /// Whom its children name as owner: the Service, a Pod's controller, or a Pod that has none.
    pub owner: Owner,
    /// What its kind has besides.
    pub place: Place,
}

/// What else is known of a Pod or a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A Pod.
    Pod {
        /// Where it is bound to.
        node: Option<String>,
        /// Its phase is Succeeded or Failed, or it mirrors a static Pod of its Node.
        finished: bool,
    },
    /// A Service.
    Service {
        /// Its type is LoadBalancer.
        balanced: bool,
        /// The IP addresses in `status.loadBalancer`.
        addresses: BTreeSet<IpAddr>,
        /// A host name stands there.
        host_name: bool,
        /// `spec.ports[].port`.
        ports: Vec<i32>,
    },
}

impl Claimant {
    /// It is there and at work: a Service that is not being deleted, or a Pod that is bound and has not ended. A Pod that is being
    /// deleted still sends.
    pub const fn counts(&self) -> bool {
        match &self.place {
            Place::Pod { node, finished } => node.is_some() && !*finished,
            Place::Service { .. } => !self.deleting,
        }
    }

    /// For Events on it.
    pub fn asker(&self) -> Asker {
        Asker { kind: self.kind, name: self.name.clone(), uid: self.uid.clone(), owner: self.owner.uid.clone() }
    }
}

/// What the `device` of a Node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeDevice {
    /// It has none.
    None,
    /// The devices of the Pods that run there.
    Devices(Vec<Device>),
    /// It cannot be used.
    Wrong(AnnotationProblem),
}

/// The Nodes by name. One that is not among them is not known, which is not the same as one without a device.
pub type Nodes = BTreeMap<String, NodeDevice>;

/// A namespace, as far as asking goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Namespace {
    /// Its workloads may ask.
    Enabled {
        /// Those of its labels that the session selector names: its children carry them, so that this instance sees them.
        labels: BTreeMap<String, String>,
    },
    /// The label is missing.
    NotEnabled,
    /// It is being deleted: nothing can be made in it, and what is in it goes.
    Ending,
    /// Not one that this instance serves, or gone.
    #[default]
    Elsewhere,
}

/// A `QosSession` that was made for workloads.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub version: Option<String>,
    /// It is being deleted.
    pub deleting: bool,
    /// Its spec; none where this version cannot read it.
    pub spec: Option<Box<QosSessionSpec>>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its owners.
    pub owners: BTreeSet<Owner>,
    /// The annotation `unclaimed-since`.
    pub unclaimed_since: Option<String>,
}
