//! A child as it should be: its name, and what is sent to the API server. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use kube::Resource as _;
use serde_json::{Value, json};

use super::facts::{Child, Owner};
use super::keys::{MANAGED_BY, MANAGED_BY_LABEL, SOURCE_LABEL, SOURCE_WORKLOAD};
use crate::api::{QosSession, QosSessionSpec};
use crate::session::flow::{self, PortSet};

/// A child as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// See [`name_of`].
    pub name: String,
    /// Its labels: ours, and those by which this instance sees it. No other is copied from anybody.
    pub labels: BTreeMap<String, String>,
    /// Its owners.
    pub owners: BTreeSet<Owner>,
    /// Its spec.
    pub spec: Box<QosSessionSpec>,
}

/// The child's name: `qos-` and 16 hexadecimal digits of SHA-256 over flow and provider in canonical form. Profile, duration and
/// suspend are not in it, so an edit of those edits the child in place.
pub fn name_of(spec: &QosSessionSpec) -> String {
    let servers = flow::servers(&spec.application_server).unwrap_or_default();
    let [device, server] = [&spec.device_ports, &spec.application_server_ports].map(|ports| PortSet::of(ports.as_ref()));
    let provider = spec.provider_ref.as_ref().map_or("", |provider| provider.name.as_str());
    let hash = flow::applied_hash(&spec.device, &servers, [&device, &server], "", provider);
    format!("qos-{:016x}", hash.0)
}

/// The labels of every child.
pub fn labels() -> BTreeMap<String, String> {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    BTreeMap::from([pair(MANAGED_BY_LABEL, MANAGED_BY), pair(SOURCE_LABEL, SOURCE_WORKLOAD)])
}

impl Desired {
    /// Whether `child` is so already. What others have added to its labels does not count.
    pub fn is(&self, child: &Child) -> bool {
        // A spec that this version cannot read is a newer one's: it is left as it is.
        child.spec.as_ref().is_none_or(|spec| *spec == self.spec)
            && self.labels.iter().all(|(key, value)| child.labels.get(key) == Some(value))
            && self.owners == child.owners
    }

    /// The fields that somebody has added to the spec of `child`: an apply takes away only what it once set itself.
    pub fn surplus(&self, child: &Child) -> Vec<&'static str> {
        let Some(theirs) = &child.spec else { return Vec::new() };
        let ours = &self.spec;
        let fields = [
            ("providerRef", ours.provider_ref.is_none() && theirs.provider_ref.is_some()),
            ("devicePorts", ours.device_ports.is_none() && theirs.device_ports.is_some()),
            ("applicationServerPorts", ours.application_server_ports.is_none() && theirs.application_server_ports.is_some()),
            ("durationSeconds", ours.duration_seconds.is_none() && theirs.duration_seconds.is_some()),
        ];
        fields.into_iter().filter_map(|(field, surplus)| surplus.then_some(field)).collect()
    }

    /// For a server-side apply; of an object that is there, with its uid. `surplus` is set to null, which means absent.
    pub fn manifest(&self, uid: Option<&str>, surplus: &[&str]) -> Value {
        let mut spec = json!(self.spec);
        for field in surplus {
            spec[*field] = Value::Null;
        }
        let owners = self.owners.iter().map(|owner| {
            json!({
                "apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid,
                "controller": false, "blockOwnerDeletion": false,
            })
        });
        let mut metadata = json!({ "name": self.name, "labels": self.labels, "ownerReferences": owners.collect::<Vec<_>>() });
        if let Some(uid) = uid {
            metadata["uid"] = uid.into();
        }
        json!({
            "apiVersion": QosSession::api_version(&()),
            "kind": QosSession::kind(&()),
            "metadata": metadata,
            "spec": spec,
        })
    }

    /// Tells one apply from another: what is asked for, and what stood there.
    pub fn fingerprint(&self, child: Option<&Child>) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.manifest(None, &[]).to_string().hash(&mut hasher);
        if let Some(child) = child {
            child.uid.hash(&mut hasher);
            serde_json::to_string(&child.spec).unwrap_or_default().hash(&mut hasher);
            child.labels.hash(&mut hasher);
            child.owners.hash(&mut hasher);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(json: Value) -> QosSessionSpec {
        serde_json::from_value(json).unwrap()
    }

    fn usual() -> Value {
        json!({
            "device": { "phoneNumber": "+447700900112" },
            "applicationServer": { "ipv4Address": "198.51.100.7" },
            "qosProfile": "QOS_E",
        })
    }

    fn with(changes: &Value) -> String {
        let mut whole = usual();
        for (key, value) in changes.as_object().unwrap() {
            whole[key] = value.clone();
        }
        name_of(&spec(whole))
    }

    #[test]
    fn the_name_is_that_of_the_flow_and_stays_the_same_from_release_to_release() {
        // Another name would be another session: whoever changes how it is made must read the old one too.
        assert_eq!(with(&json!({})), "qos-0906b6ef99ac5105");
    }

    #[test]
    fn one_flow_has_one_name_however_it_is_written() {
        let same = [
            (json!({ "qosProfile": "QOS_S", "durationSeconds": 60, "suspend": true }), json!({})),
            (json!({ "applicationServer": { "ipv4Address": "198.51.100.7/32" } }), json!({})),
            (
                json!({ "applicationServer": { "ipv4Address": "198.51.100.7/24" } }),
                json!({ "applicationServer": { "ipv4Address": "198.51.100.0/24" } }),
            ),
            (
                json!({ "applicationServerPorts": { "ports": [2, 1] } }),
                json!({ "applicationServerPorts": { "ranges": [{ "from": 1, "to": 2 }] } }),
            ),
            (json!({ "device": { "ipv6Address": "2001:DB8::1" } }), json!({ "device": { "ipv6Address": "2001:db8::1" } })),
        ];
        for (a, b) in same {
            assert_eq!(with(&a), with(&b), "{a} {b}");
        }
        let all = [
            json!({}),
            json!({ "providerRef": { "name": "p1" } }),
            json!({ "device": { "phoneNumber": "+447700900113" } }),
            json!({ "applicationServer": { "ipv4Address": "198.51.100.8" } }),
            json!({ "applicationServerPorts": { "ports": [5060] } }),
            json!({ "devicePorts": { "ports": [5060] } }),
        ];
        let names: BTreeSet<_> = all.iter().map(with).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn what_somebody_adds_to_the_spec_is_taken_away_again() {
        let desired =
            Desired { name: "qos-1".to_owned(), labels: labels(), owners: BTreeSet::new(), spec: Box::new(spec(usual())) };
        let mut theirs = usual();
        for (field, value) in [
            ("providerRef", json!({ "name": "p1" })),
            ("devicePorts", json!({ "ports": [1] })),
            ("applicationServerPorts", json!({ "ports": [1] })),
            ("durationSeconds", json!(60)),
        ] {
            theirs[field] = value;
        }
        let child = Child {
            uid: "c".to_owned(),
            version: None,
            deleting: false,
            spec: Some(Box::new(spec(theirs.clone()))),
            labels: labels(),
            owners: BTreeSet::new(),
            unclaimed_since: None,
        };
        let surplus = desired.surplus(&child);
        let manifest = desired.manifest(Some("c"), &surplus);
        let nulls =
            manifest["spec"].as_object().unwrap().iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key.as_str());
        assert_eq!(nulls.collect::<BTreeSet<_>>(), surplus.iter().copied().collect());
        assert_eq!(surplus.len(), 4);
        let asked = Desired { spec: Box::new(spec(theirs)), ..desired };
        assert!(asked.surplus(&child).is_empty());
    }

    #[test]
    fn a_child_is_left_alone_where_only_others_have_added_something() {
        let owner = Owner { uid: "u".into(), api_version: "apps/v1".into(), kind: "ReplicaSet".into(), name: "r".into() };
        let desired = Desired {
            name: "qos-1".to_owned(),
            labels: labels(),
            owners: BTreeSet::from([owner]),
            spec: Box::new(spec(usual())),
        };
        let child = Child {
            uid: "c".to_owned(),
            version: None,
            deleting: false,
            spec: Some(desired.spec.clone()),
            labels: desired.labels.clone().into_iter().chain([("team".to_owned(), "a".to_owned())]).collect(),
            owners: desired.owners.clone(),
            unclaimed_since: None,
        };
        assert!(desired.is(&child));
        assert!(!desired.is(&Child { owners: BTreeSet::new(), ..child.clone() }));
        assert!(!desired.is(&Child { labels: BTreeMap::new(), ..child.clone() }));
        assert!(!desired.is(&Child { spec: Some(Box::default()), ..child.clone() }));
        assert!(desired.is(&Child { spec: None, ..child }));
    }
}
