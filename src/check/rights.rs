//! What the operator must be allowed to do: the one table, by which `qos-operator check` asks, and which the documentation and the
//! chart are held against.

/// Where a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// In the whole cluster.
    Cluster,
    /// In the namespaces whose sessions are kept: all of them, or each of `--watch-namespaces`.
    Watched,
    /// In the operator's own namespace.
    Own,
}

impl Scope {
    /// As it stands in the documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Watched => "watched namespaces",
            Self::Own => "own namespace",
        }
    }
}

/// Who needs a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Every operator.
    Always,
    /// One of several replicas.
    Election,
    /// Who serves annotated Pods and Services.
    Workloads,
    /// Who takes the devices of Pods from their Nodes.
    NodeDevices,
    /// Who wants what `why` names.
    Optional,
}

impl Need {
    /// As it stands in the documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "yes",
            Self::Election => "with --leader-election",
            Self::Workloads => "with --workloads",
            Self::NodeDevices => "with --workload-node-devices",
            Self::Optional => "no",
        }
    }
}

/// A right that the operator needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// The API group; empty: the core's.
    pub group: &'static str,
    /// The resource, with its subresource after a slash.
    pub resource: &'static str,
    /// In the words of RBAC.
    pub verbs: &'static [&'static str],
    /// Where.
    pub scope: Scope,
    /// Who needs it.
    pub need: Need,
    /// What for.
    pub why: &'static str,
}

/// All of them.
pub const RIGHTS: &[Right] = &[
    Right {
        group: "qos-operator.io",
        resource: "qossessions",
        verbs: &["get", "list", "watch", "patch"],
        scope: Scope::Watched,
        need: Need::Always,
        why: "to see what is declared, and to put finalizer and attempt record on it",
    },
    Right {
        group: "qos-operator.io",
        resource: "qossessions/status",
        verbs: &["patch"],
        scope: Scope::Watched,
        need: Need::Always,
        why: "to record the session and to tell its state",
    },
    Right {
        group: "qos-operator.io",
        resource: "qosproviders",
        verbs: &["list", "watch", "patch"],
        scope: Scope::Cluster,
        need: Need::Always,
        why: "to see how providers are called, and to put the finalizer on those in use",
    },
    Right {
        group: "qos-operator.io",
        resource: "qosproviders/status",
        verbs: &["patch"],
        scope: Scope::Cluster,
        need: Need::Always,
        why: "to tell whether the provider can be used",
    },
    Right {
        group: "",
        resource: "namespaces",
        verbs: &["list", "watch"],
        scope: Scope::Cluster,
        need: Need::Always,
        why: "to know the labels that a QosProvider's allowedNamespaces selects",
    },
    Right {
        group: "",
        resource: "secrets",
        verbs: &["get", "list", "watch", "create"],
        scope: Scope::Own,
        need: Need::Always,
        why: "to read the providers' credentials, and to make the operator's key",
    },
    Right {
        group: "events.k8s.io",
        resource: "events",
        verbs: &["create", "patch"],
        scope: Scope::Cluster,
        need: Need::Always,
        why: "to tell what happened to an object, in its namespace or for a QosProvider in default",
    },
    Right {
        group: "coordination.k8s.io",
        resource: "leases",
        verbs: &["get", "create", "update"],
        scope: Scope::Own,
        need: Need::Election,
        why: "to know and to tell which replica leads",
    },
    Right {
        group: "",
        resource: "pods",
        verbs: &["list", "watch"],
        scope: Scope::Watched,
        need: Need::Workloads,
        why: "to see which Pods ask for QosSessions by annotation",
    },
    Right {
        group: "",
        resource: "services",
        verbs: &["list", "watch"],
        scope: Scope::Watched,
        need: Need::Workloads,
        why: "to see which Services ask for QosSessions by annotation",
    },
    Right {
        group: "qos-operator.io",
        resource: "qossessions",
        verbs: &["create", "delete"],
        scope: Scope::Watched,
        need: Need::Workloads,
        why: "to make their QosSessions and to take them away",
    },
    Right {
        group: "",
        resource: "nodes",
        verbs: &["list", "watch"],
        scope: Scope::Cluster,
        need: Need::NodeDevices,
        why: "to know the device that a Node names for its Pods",
    },
    Right {
        group: "",
        resource: "secrets",
        verbs: &["get"],
        scope: Scope::Watched,
        need: Need::Optional,
        why: "to read the phone numbers that phoneNumberFrom names: granted namespace by namespace, by who owns it",
    },
];
