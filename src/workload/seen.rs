//! From the API server's objects to facts. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::jiff::Timestamp;
use kube::core::DeserializeGuard;

use super::annotations::{Kind, parse, parse_node};
use super::facts::{Child, Claimant, Namespace, NodeDevice, Owner, Place};
use super::keys::{ENABLED, PREFIX, UNCLAIMED_SINCE, WORKLOADS_LABEL};
use super::lean::{Pod, Service};
use crate::api::QosSession;

/// Whether one of its annotations is ours.
pub fn is_annotated(metadata: &ObjectMeta) -> bool {
    metadata.annotations.iter().flatten().any(|(key, _)| key.starts_with(PREFIX))
}

/// The facts of a Pod.
pub fn pod(pod: &Pod) -> Claimant {
    let metadata = &pod.metadata;
    let controller = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true)).map(owner);
    let phase = pod.status.phase.as_deref();
    // A kubelet makes its mirror in any namespace it likes: no one who may ask there has asked.
    let is_mirror = controller.as_ref().is_some_and(|owner| (owner.api_version.as_str(), owner.kind.as_str()) == ("v1", "Node"));
    claimant(
        Kind::Pod,
        metadata,
        controller,
        Place::Pod {
            node: pod.spec.node_name.clone().filter(|node| !node.is_empty()),
            finished: is_mirror || matches!(phase, Some("Succeeded" | "Failed")),
        },
    )
}

/// The facts of a Service.
pub fn service(service: &Service) -> Claimant {
    let ingress = service.status.load_balancer.ingress.iter();
    let addresses = ingress.clone().filter_map(|ingress| ingress.ip.as_deref()?.parse::<IpAddr>().ok());
    let place = Place::Service {
        balanced: service.spec.type_.as_deref() == Some("LoadBalancer"),
        addresses: addresses.collect(),
        host_name: ingress.clone().any(|ingress| ingress.hostname.as_deref().is_some_and(|name| !name.is_empty())),
        ports: service.spec.ports.iter().map(|port| port.port).collect(),
    };
    claimant(Kind::Service, &service.metadata, None, place)
}

fn claimant(kind: Kind, metadata: &ObjectMeta, controller: Option<Owner>, place: Place) -> Claimant {
    let (name, uid) = (metadata.name.clone().unwrap_or_default(), metadata.uid.clone().unwrap_or_default());
    let itself = || Owner { uid: uid.clone(), api_version: "v1".to_owned(), kind: kind.as_str().to_owned(), name: name.clone() };
    Claimant {
        kind,
        created: metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |at| at.0),
        deleting: metadata.deletion_timestamp.is_some(),
        parsed: parse(kind, metadata.annotations.as_ref().unwrap_or(&BTreeMap::new())),
        owner: controller.unwrap_or_else(itself),
        name,
        uid,
        place,
    }
}

fn owner(reference: &OwnerReference) -> Owner {
    Owner {
        uid: reference.uid.clone(),
        api_version: reference.api_version.clone(),
        kind: reference.kind.clone(),
        name: reference.name.clone(),
    }
}

/// The facts of a Node.
pub fn node(metadata: &ObjectMeta) -> NodeDevice {
    match metadata.annotations.as_ref().and_then(parse_node) {
        None => NodeDevice::None,
        Some(Ok(devices)) => NodeDevice::Devices(devices),
        Some(Err(problem)) => NodeDevice::Wrong(problem),
    }
}

/// The facts of a namespace that the session selector selects; `shown_by` are the labels that it names.
pub fn namespace(metadata: &ObjectMeta, shown_by: &[String]) -> Namespace {
    let labels = metadata.labels.clone().unwrap_or_default();
    if metadata.deletion_timestamp.is_some() {
        Namespace::Ending
    } else if labels.get(WORKLOADS_LABEL).is_some_and(|value| value == ENABLED) {
        Namespace::Enabled { labels: labels.into_iter().filter(|(key, _)| shown_by.contains(key)).collect() }
    } else {
        Namespace::NotEnabled
    }
}

/// The facts of a child; metadata and spec only, since its status is the session controller's.
pub fn child(DeserializeGuard(object): DeserializeGuard<QosSession>) -> (ObjectMeta, Child) {
    let (metadata, spec) = match object {
        Ok(object) => (object.metadata, Some(Box::new(object.spec))),
        Err(invalid) => (invalid.metadata, None),
    };
    let child = Child {
        uid: metadata.uid.clone().unwrap_or_default(),
        version: metadata.resource_version.clone(),
        deleting: metadata.deletion_timestamp.is_some(),
        spec,
        labels: metadata.labels.clone().unwrap_or_default(),
        owners: metadata.owner_references.iter().flatten().map(owner).collect(),
        unclaimed_since: metadata.annotations.as_ref().and_then(|all| all.get(UNCLAIMED_SINCE)).cloned(),
    };
    (metadata, child)
}

/// The labels that a label selector names, such as `shard` of `shard=a,!legacy`.
pub fn labels_of(selector: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let requirements = selector.split(move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    let keys = requirements.map(|requirement| {
        let requirement = requirement.trim_start().trim_start_matches('!').trim_start();
        requirement.split(|c: char| c.is_whitespace() || "=!<>".contains(c)).next().unwrap_or_default().to_owned()
    });
    keys.filter(|key| !key.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::workload::annotations::Parsed;

    fn read_pod(value: Value) -> Claimant {
        pod(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn the_labels_of_a_selector_are_its_keys_whatever_its_operators() {
        let rows: [(&str, &[&str]); 7] = [
            ("shard=a", &["shard"]),
            ("shard==a, example.com/tier != x", &["shard", "example.com/tier"]),
            ("shard in (a, b),other", &["shard", "other"]),
            ("shard notin (a,b),!legacy", &["shard", "legacy"]),
            ("! legacy", &["legacy"]),
            ("a,b", &["a", "b"]),
            ("", &[]),
        ];
        for (selector, keys) in rows {
            assert_eq!(labels_of(selector), keys, "{selector}");
        }
    }

    #[test]
    fn a_pod_is_its_controllers_or_its_own_and_is_read_though_most_of_it_is_not_known() {
        let mut manifest = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "encoder-1", "uid": "p1", "creationTimestamp": "2026-11-24T13:06:00Z",
                "annotations": { "qos-operator.io/profile": "QOS_E", "qos-operator.io/application-server": "198.51.100.7" },
                "ownerReferences": [
                    { "apiVersion": "example.com/v1", "kind": "Thing", "name": "t", "uid": "t1" },
                    { "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "encoder", "uid": "r1", "controller": true },
                ],
            },
            "spec": { "nodeName": "edge-7", "containers": [{ "name": "app", "image": "example.com/app:1" }], "new": { "x": 1 } },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        let running = read_pod(manifest.clone());
        assert_eq!((running.owner.kind.as_str(), running.owner.uid.as_str()), ("ReplicaSet", "r1"));
        assert!(running.counts() && !running.deleting && matches!(running.parsed, Parsed::Asks(_)));
        manifest["status"]["phase"] = "Failed".into();
        assert!(!read_pod(manifest.clone()).counts());
        manifest["status"]["phase"] = "Running".into();
        let node = json!([{ "apiVersion": "v1", "kind": "Node", "name": "edge-7", "uid": "n1", "controller": true }]);
        manifest["metadata"]["ownerReferences"] = node;
        assert!(!read_pod(manifest.clone()).counts(), "a mirror of a static Pod asks for nothing");
        manifest["status"] = json!({});
        manifest["spec"] = json!({});
        manifest["metadata"]["ownerReferences"] = json!(null);
        let pending = read_pod(manifest);
        assert!(!pending.counts());
        assert_eq!((pending.owner.kind.as_str(), pending.owner.uid.as_str()), ("Pod", "p1"));
    }
}
