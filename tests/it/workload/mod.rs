//! Workloads on a real API server with its garbage collector. Nobody runs Pods or Deployments here: the tests do what kubelet,
//! scheduler and controllers would do.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod children;
mod drain;
mod examples;
mod lives;
mod scale;
mod told;

use std::time::Duration;

use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, Service};
use k8s_openapi::jiff::SignedDuration;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use qos_operator::api::{IS_DEFAULT_PROVIDER_ANNOTATION, QosProvider, QosSession};
use qos_operator::simulator::settings::Operation;
use qos_operator::workload;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::stage::{LABEL, Stage, TOKEN};

const PATIENCE: Duration = Duration::from_mins(1);

/// Annotations without their prefix.
pub(super) type Pairs<'a> = &'a [(&'a str, &'a str)];

/// One camera behind one server.
pub(super) const USUAL: Pairs<'static> =
    &[("profile", "QOS_E"), ("device", "tel:+447700900112"), ("application-server", "198.51.100.7")];

/// A stage whose namespace has opted in.
pub(super) struct Workloads {
    pub(super) stage: Stage,
}

impl Workloads {
    /// All of it: the provider is the default one, and the operator runs.
    pub(super) async fn new(prefix: &str) -> Self {
        let mut workloads = Self::bare(prefix).await;
        workloads.opt_in("enabled").await;
        workloads.stage.start().await;
        workloads
    }

    /// Without the opt-in, and without an operator.
    pub(super) async fn bare(prefix: &str) -> Self {
        let mut stage = Stage::bare(prefix).await;
        stage.workloads = Some(workload::Settings { linger: SignedDuration::from_secs(60), node_devices: true });
        stage.secret(TOKEN).await;
        stage.provider(json!({})).await;
        let workloads = Self { stage };
        workloads.is_default(workloads.stage.provider_name()).await;
        workloads.label(LABEL, Some(&workloads.stage.namespace)).await;
        workloads
    }

    pub(super) async fn is_default(&self, provider: &str) {
        let providers: Api<QosProvider> = Api::all(self.stage.client.clone());
        let patch = json!({ "metadata": { "annotations": { IS_DEFAULT_PROVIDER_ANNOTATION: "true" } } });
        providers.patch(provider, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Sets a label of the namespace, or takes it off.
    pub(super) async fn label(&self, key: &str, value: Option<&str>) {
        let namespaces: Api<Namespace> = Api::all(self.stage.client.clone());
        let patch = json!({ "metadata": { "labels": { key: value } } });
        namespaces.patch(&self.stage.namespace, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub(super) async fn opt_in(&self, value: &str) {
        self.label("qos-operator.io/workloads", Some(value)).await;
    }

    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.stage.client.clone(), &self.stage.namespace)
    }

    async fn create<K>(&self, value: Value) -> K
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Serialize
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let object: K = serde_json::from_value(value).unwrap();
        // A new namespace has no ServiceAccount for Pods until its controller has made one.
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.api().create(&PostParams::default(), &object).await {
                Ok(object) => return object,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A controller of Pods: ReplicaSet, StatefulSet or Job. Returns the owner reference of its Pods.
    pub(super) async fn controller(&self, kind: &str, name: &str) -> Value {
        let template = json!({
            "metadata": { "labels": { "app": name } },
            "spec": { "restartPolicy": "Never", "containers": [{ "name": "app", "image": "example.com/app:1" }] },
        });
        let selector = json!({ "matchLabels": { "app": name } });
        let mut all_ways = template.clone();
        all_ways["spec"]["restartPolicy"] = "Always".into();
        let metadata = json!({ "name": name });
        let (version, uid) = match kind {
            "ReplicaSet" => {
                let spec = json!({ "selector": selector, "template": all_ways });
                ("apps/v1", self.create::<ReplicaSet>(json!({ "metadata": metadata, "spec": spec })).await.uid())
            }
            "StatefulSet" => {
                let spec = json!({ "selector": selector, "template": all_ways, "serviceName": name });
                ("apps/v1", self.create::<StatefulSet>(json!({ "metadata": metadata, "spec": spec })).await.uid())
            }
            "Job" => {
                let spec = json!({ "template": template });
                ("batch/v1", self.create::<Job>(json!({ "metadata": metadata, "spec": spec })).await.uid())
            }
            other => panic!("no controller of kind {other}"),
        };
        json!({ "apiVersion": version, "kind": kind, "name": name, "uid": uid.unwrap(), "controller": true })
    }

    /// A Pod, bound where a node is given.
    pub(super) async fn pod(&self, name: &str, pairs: Pairs<'_>, owner: Option<&Value>, node: Option<&str>) -> Pod {
        let metadata = json!({ "name": name, "annotations": annotations(pairs), "ownerReferences": owner.map(|owner| [owner]) });
        let spec = json!({ "nodeName": node, "containers": [{ "name": "app", "image": "example.com/app:1" }] });
        self.create(json!({ "metadata": metadata, "spec": spec })).await
    }

    /// The Pod is gone at once, as when its node has confirmed it.
    pub(super) async fn pod_gone(&self, name: &str) {
        self.api::<Pod>().delete(name, &DeleteParams::default().grace_period(0)).await.unwrap();
    }

    /// What the kubelet would say.
    pub(super) async fn phase(&self, name: &str, status: Value) {
        self.api::<Pod>().patch_status(name, &PatchParams::default(), &Patch::Merge(json!({ "status": status }))).await.unwrap();
    }

    pub(super) async fn service(&self, name: &str, pairs: Pairs<'_>, kind: &str) -> Service {
        let spec = json!({ "type": kind, "ports": [{ "name": "a", "port": 5060 }, { "name": "b", "port": 8554 }] });
        self.create(json!({ "metadata": { "name": name, "annotations": annotations(pairs) }, "spec": spec })).await
    }

    /// What a cloud would say.
    pub(super) async fn ingress(&self, name: &str, ingress: Value) {
        let patch = json!({ "status": { "loadBalancer": { "ingress": ingress } } });
        self.api::<Service>().patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Sets annotations, or takes them off.
    pub(super) async fn annotate<K>(&self, name: &str, pairs: &[(&str, Option<&str>)])
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let annotations: serde_json::Map<String, Value> =
            pairs.iter().map(|(key, value)| (format!("qos-operator.io/{key}"), json!(value))).collect();
        let patch = json!({ "metadata": { "annotations": annotations } });
        self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// A Node of this stage, by a name that no other stage has.
    pub(super) async fn node(&self, name: &str, device: Option<&str>) -> String {
        let name = format!("{}-{name}", self.stage.namespace);
        let device: Vec<_> = device.map(|device| ("device", device)).into_iter().collect();
        let node: Node =
            serde_json::from_value(json!({ "metadata": { "name": name, "annotations": annotations(&device) } })).unwrap();
        Api::<Node>::all(self.stage.client.clone()).create(&PostParams::default(), &node).await.unwrap();
        name
    }

    pub(super) async fn children(&self) -> Vec<QosSession> {
        let ours = ListParams::default().labels("qos-operator.io/source=workload");
        self.stage.sessions().list(&ours).await.unwrap().items
    }

    /// Waits until the children are as `holds` says.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&[QosSession]) -> bool) -> Vec<QosSession> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let children = self.children().await;
            if holds(&children) {
                return children;
            }
            assert!(Instant::now() < deadline, "the children do not become: {what}; they are {}", shown(&children));
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Waits until there is one child, and it is AVAILABLE.
    pub(super) async fn one(&self) -> QosSession {
        let children = self.until("one", |all| all.len() == 1 && all[0].metadata.deletion_timestamp.is_none()).await;
        self.stage.available(&children[0].name_any()).await
    }

    pub(super) async fn none(&self) {
        self.until("none", <[_]>::is_empty).await;
    }

    /// Waits for a Warning on the object, and returns its note.
    pub(super) async fn warned(&self, name: &str, reason: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let events = self.stage.events(name).await;
            if let Some((kind, _, note)) = events.iter().find(|(_, found, _)| found == reason) {
                assert_eq!(kind, "Warning");
                return note.clone();
            }
            assert!(Instant::now() < deadline, "{name} is not told {reason}; it is told {events:?}");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Lets `seconds` pass on the operator's clock, four at a time, and lets it act in between.
    pub(super) async fn pass(&self, seconds: i64) {
        self.stage.let_pass(seconds, 4).await;
    }

    /// Creates and DELETEs at the provider so far.
    pub(super) fn calls(&self) -> [u64; 2] {
        [self.stage.calls(Operation::Create), self.stage.releases()]
    }

    /// The end of a test: whoever asks is gone, then all else.
    pub(super) async fn finish(self) {
        self.label("qos-operator.io/workloads", None).await;
        self.until("released", <[_]>::is_empty).await;
        self.stage.finish().await;
    }
}

pub(super) fn annotations(pairs: Pairs<'_>) -> Value {
    pairs.iter().map(|(key, value)| (format!("qos-operator.io/{key}"), json!(value))).collect::<serde_json::Map<_, _>>().into()
}

/// Names, kinds of owners and marks, for a failing test.
fn shown(children: &[QosSession]) -> String {
    let lines = children.iter().map(|child| {
        let owners: Vec<_> = child.owner_references().iter().map(|owner| format!("{} {}", owner.kind, owner.name)).collect();
        let mark = child.annotations().get("qos-operator.io/unclaimed-since");
        format!(
            "{} of {owners:?}, unclaimed {mark:?}, deleting {}",
            child.name_any(),
            child.metadata.deletion_timestamp.is_some()
        )
    });
    format!("{:#?}", lines.collect::<Vec<_>>())
}

pub(super) fn unclaimed(child: &QosSession) -> bool {
    child.annotations().contains_key("qos-operator.io/unclaimed-since")
}

/// The kinds and names of a child's owners, in order.
pub(super) fn owners(child: &QosSession) -> Vec<String> {
    let mut owners: Vec<_> = child.owner_references().iter().map(|owner| format!("{} {}", owner.kind, owner.name)).collect();
    owners.sort();
    owners
}
