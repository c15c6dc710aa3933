//! Objects of the cluster, as far as they are read: while one arrives, all but a few fields are skipped. What an object holds on its
//! way here is most of what this controller costs, since nearly all of them have never heard of us.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::keys::PREFIX;

/// An object of kind `K` with the parts `P` of its spec and `U` of its status.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "P: Default + Deserialize<'de>, U: Default + Deserialize<'de>")]
pub struct Lean<K, P, U> {
    /// Of the metadata only names, times, owners and our annotations.
    #[serde(deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    /// Parts of its spec.
    #[serde(default)]
    pub spec: P,
    /// Parts of its status.
    #[serde(default)]
    pub status: U,
    #[serde(skip)]
    kind: PhantomData<K>,
}

impl<K: Resource<DynamicType = ()>, P, U> Resource for Lean<K, P, U> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    owner_references: Option<Vec<OwnerReference>>,
    #[serde(default, deserialize_with = "ours")]
    annotations: BTreeMap<String, String>,
}

fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let read = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: read.name,
        namespace: read.namespace,
        uid: read.uid,
        resource_version: read.resource_version,
        creation_timestamp: read.creation_timestamp,
        deletion_timestamp: read.deletion_timestamp,
        owner_references: read.owner_references,
        annotations: Some(read.annotations).filter(|all| !all.is_empty()),
        ..ObjectMeta::default()
    })
}

/// The annotations whose keys are ours.
fn ours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Ours;
    impl<'de> Visitor<'de> for Ours {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("annotations")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut kept = BTreeMap::new();
            while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                if key.starts_with(PREFIX) {
                    kept.insert(key.into_owned(), map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(kept)
        }
    }
    deserializer.deserialize_any(Ours)
}

/// A Pod.
pub type Pod = Lean<core::Pod, PodSpec, PodStatus>;

/// Of `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec {
    /// Where it is bound to.
    pub node_name: Option<String>,
}

/// Of `status`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PodStatus {
    /// Pending, Running, Succeeded or Failed.
    pub phase: Option<String>,
}

/// A Service.
pub type Service = Lean<core::Service, ServiceSpec, ServiceStatus>;

/// Of `spec`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ServiceSpec {
    /// ClusterIP, LoadBalancer, …
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// Its ports.
    #[serde(default)]
    pub ports: Vec<ServicePort>,
}

/// Of one port.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ServicePort {
    /// The port that clients see.
    pub port: i32,
}

/// Of `status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// What the load balancer has told.
    #[serde(default)]
    pub load_balancer: LoadBalancer,
}

/// Of `status.loadBalancer`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct LoadBalancer {
    /// Where it takes traffic.
    #[serde(default)]
    pub ingress: Vec<Ingress>,
}

/// An address or a host name.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Ingress {
    /// The address.
    pub ip: Option<String>,
    /// The host name.
    pub hostname: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_what_arrives_only_what_is_read_is_kept() {
        let whole = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "a", "labels": { "x": "y" }, "finalizers": ["z"],
                "managedFields": [{ "manager": "kubelet", "operation": "Update", "fieldsV1": { "f:status": {} } }],
                "annotations": { "example.com/config": "long", "qos-operator.io/profile": "QOS_E", "a/\"b": "\"" },
            },
            "spec": { "nodeName": "edge-7", "containers": [] },
        });
        // As it comes over the wire, where keys may have to be unescaped.
        let pod: Pod = serde_json::from_str(&whole.to_string()).unwrap();
        assert_eq!(pod.metadata.annotations.unwrap().into_keys().collect::<Vec<_>>(), ["qos-operator.io/profile"]);
        assert_eq!((pod.metadata.labels, pod.metadata.managed_fields), (None, None));
        assert_eq!((pod.spec.node_name.as_deref(), pod.status.phase), (Some("edge-7"), None));
        let bare: Pod = serde_json::from_value(json!({ "metadata": { "name": "b", "annotations": null } })).unwrap();
        assert_eq!((bare.metadata.annotations, bare.spec.node_name), (None, None));
    }
}
