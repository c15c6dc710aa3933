//! The rules, one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::super::annotations::{Kind, parse, parse_node};
use super::super::facts::{Child, Claimant, Namespace, NodeDevice, Nodes, Owner, Place};
use super::super::keys::PREFIX;
use super::super::notice::Reason;
use super::world::LINGER;
use super::{Claimed, Plan, Step, View, plan};
use crate::api::DeletionPolicy;

type Pairs<'a> = &'a [(&'a str, &'a str)];

const USUAL: Pairs<'static> = &[("profile", "QOS_E"), ("device", "tel:+447700900112"), ("application-server", "198.51.100.7")];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn annotations(pairs: Pairs<'_>) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned())).collect()
}

fn owner(api_version: &str, kind: &str, name: &str) -> Owner {
    Owner { uid: format!("uid-{name}"), api_version: api_version.into(), kind: kind.into(), name: name.into() }
}

fn replicas(name: &str) -> Owner {
    owner("apps/v1", "ReplicaSet", name)
}

fn pod(name: &str, owner: Owner, pairs: Pairs<'_>) -> Claimant {
    Claimant {
        kind: Kind::Pod,
        name: name.into(),
        uid: format!("uid-{name}"),
        created: at(0),
        deleting: false,
        parsed: parse(Kind::Pod, &annotations(pairs)),
        owner,
        place: Place::Pod { node: Some("edge-7".into()), finished: false },
    }
}

fn bare(name: &str, pairs: Pairs<'_>) -> Claimant {
    pod(name, owner("v1", "Pod", name), pairs)
}

fn service(name: &str, pairs: Pairs<'_>, balanced: bool, addresses: &[&str], host_name: bool) -> Claimant {
    Claimant {
        kind: Kind::Service,
        parsed: parse(Kind::Service, &annotations(pairs)),
        place: Place::Service {
            balanced,
            addresses: addresses.iter().map(|address| address.parse::<IpAddr>().unwrap()).collect(),
            host_name,
            ports: vec![8554, 5060],
        },
        ..pod(name, owner("v1", "Service", name), &[])
    }
}

struct Scene {
    namespace: Namespace,
    claimants: BTreeMap<String, Claimant>,
    nodes: Nodes,
    nodes_name_devices: bool,
    children: BTreeMap<String, Child>,
    claimed: Claimed,
    awaited: bool,
}

impl Scene {
    fn of(claimants: impl IntoIterator<Item = Claimant>) -> Self {
        let mut scene = Self {
            namespace: Namespace::Enabled { labels: BTreeMap::new() },
            claimants: BTreeMap::new(),
            nodes: Nodes::from([("edge-7".into(), NodeDevice::None)]),
            nodes_name_devices: true,
            children: BTreeMap::new(),
            claimed: Claimed::new(),
            awaited: false,
        };
        for claimant in claimants {
            scene.put(claimant);
        }
        scene
    }

    fn put(&mut self, claimant: Claimant) {
        self.claimants.insert(claimant.uid.clone(), claimant);
    }

    fn plan_at(&self, now: Timestamp) -> Plan {
        let awaited = |_: &str| self.awaited;
        let view = View {
            namespace: &self.namespace,
            claimants: &self.claimants,
            nodes: self.nodes_name_devices.then_some(&self.nodes),
            children: &self.children,
            awaited: &awaited,
            drains_until: None,
        };
        plan(&view, &self.claimed, LINGER, now)
    }

    fn plan(&self) -> Plan {
        self.plan_at(at(100))
    }

    /// The plan, carried out as the API server would.
    fn settled(mut self) -> Self {
        let plan = self.plan();
        for step in plan.steps {
            let Step::Apply { desired, .. } = step else { panic!("not an apply: {step:?}") };
            let child = Child {
                uid: format!("uid-{}", desired.name),
                version: Some("7".into()),
                deleting: false,
                spec: Some(desired.spec),
                labels: desired.labels,
                owners: desired.owners,
                unclaimed_since: None,
            };
            self.children.insert(desired.name, child);
        }
        self.claimed = plan.claimed;
        assert_eq!(self.plan().steps, []);
        self
    }

    fn child(&mut self) -> &mut Child {
        assert_eq!(self.children.len(), 1);
        self.children.values_mut().next().unwrap()
    }

    /// The steps in short.
    fn steps(&self) -> Vec<&'static str> {
        self.plan().steps.iter().map(short).collect()
    }

    fn reasons(&self) -> Vec<Reason> {
        self.plan().notices.iter().map(|notice| notice.reason).collect()
    }
}

fn short(step: &Step) -> &'static str {
    match step {
        Step::Apply { uid: None, .. } => "create",
        Step::Apply { .. } => "apply",
        Step::Mark { since: Some(_), .. } => "mark",
        Step::Mark { .. } => "unmark",
        Step::Delete { .. } => "delete",
    }
}

#[test]
fn a_child_carries_what_was_asked_for_its_owner_and_nothing_else() {
    let asks = [USUAL, &[("provider", "p1"), ("duration", "1h30m"), ("device-ports", "1-9"), ("suspend", "true")]].concat();
    let mut scene = Scene::of([pod("a", replicas("encoder"), &asks)]);
    scene.namespace = Namespace::Enabled { labels: BTreeMap::from([("shard".into(), "a".into())]) };
    let plan = scene.plan();
    let [Step::Apply { desired, uid: None, .. }] = plan.steps.as_slice() else { panic!("{plan:?}") };
    let expected = json!({
        "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession",
        "metadata": {
            "name": desired.name,
            "labels": {
                "app.kubernetes.io/managed-by": "qos-operator", "qos-operator.io/source": "workload", "shard": "a",
            },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "encoder", "uid": "uid-encoder",
                "controller": false, "blockOwnerDeletion": false,
            }],
        },
        "spec": {
            "providerRef": { "name": "p1" },
            "device": { "phoneNumber": "+447700900112" },
            "applicationServer": { "ipv4Address": "198.51.100.7" },
            "devicePorts": { "ranges": [{ "from": 1, "to": 9 }] },
            "qosProfile": "QOS_E", "durationSeconds": 5400,
            "renewalPolicy": "Always", "recoveryPolicy": "Recreate", "deletionPolicy": "Delete", "suspend": true,
        },
    });
    assert_eq!(desired.manifest(None, &[]), expected);
}

#[test]
fn only_a_pod_that_is_bound_and_not_ended_claims() {
    let with = |node: Option<&str>, finished| {
        let place = Place::Pod { node: node.map(Into::into), finished };
        Scene::of([Claimant { place, ..bare("a", USUAL) }]).steps()
    };
    assert_eq!(with(Some("edge-7"), false), ["create"]);
    assert_eq!(with(None, false), [""; 0]);
    assert_eq!(with(Some("edge-7"), true), [""; 0]);
}

#[test]
fn a_pod_that_is_being_deleted_keeps_its_child_and_makes_none() {
    let going = Claimant { deleting: true, ..pod("a", replicas("encoder"), USUAL) };
    assert_eq!(Scene::of([going.clone()]).steps(), [""; 0]);
    let mut scene = Scene::of([pod("a", replicas("encoder"), USUAL)]).settled();
    scene.put(going);
    assert_eq!(scene.steps(), [""; 0]);
    // The garbage collector has taken the controller off: it is not put back.
    scene.child().owners = BTreeSet::from([replicas("other")]);
    assert_eq!(scene.steps(), [""; 0]);
}

#[test]
fn each_device_is_a_child_and_the_nodes_device_is_the_last_resort() {
    let own = Scene::of([bare("a", &[("profile", "QOS_E"), ("device", "tel:+447700900112,ip:192.0.2.1"), USUAL[2]])]);
    assert_eq!(own.steps(), ["create", "create"]);

    let asks: Pairs<'_> = &[USUAL[0], USUAL[2]];
    let mut scene = Scene::of([bare("a", asks)]);
    let device = |text: &str| match parse_node(&annotations(&[("device", text)])).unwrap() {
        Ok(devices) => NodeDevice::Devices(devices),
        Err(problem) => NodeDevice::Wrong(problem),
    };
    assert_eq!((scene.steps(), scene.reasons()), (vec![], vec![Reason::NoDevice]));
    assert!(scene.plan().notices[0].text.contains("neither the Pod nor its Node edge-7 names a device"));
    scene.nodes.insert("edge-7".into(), device("tel:+447700900131"));
    assert_eq!((scene.steps(), scene.reasons()), (vec!["create"], vec![]));
    scene = scene.settled();
    scene.nodes.insert("edge-7".into(), device("x"));
    assert_eq!((scene.steps(), scene.reasons()), (vec![], vec![Reason::InvalidAnnotation]), "what stands stays");
    assert!(scene.plan().notices[0].text.contains("qos-operator.io/device of Node edge-7: entry 1"));
    scene.nodes.clear();
    assert_eq!((scene.steps(), scene.reasons()), (vec![], vec![]), "a Node that is not known says nothing");
    scene.nodes.insert("edge-7".into(), NodeDevice::None);
    assert_eq!((scene.steps(), scene.reasons()), (vec!["delete"], vec![Reason::NoDevice]), "taken off by hand");
    scene.nodes_name_devices = false;
    scene.nodes.insert("edge-7".into(), device("tel:+447700900131"));
    assert_eq!((scene.steps(), scene.reasons()), (vec!["delete"], vec![Reason::NoDevice]));
}

#[test]
fn a_service_takes_its_load_balancers_addresses_and_ports() {
    let asks: Pairs<'_> = &[USUAL[0], USUAL[1]];
    let with = |balanced, addresses: &[&str], host_name| Scene::of([service("media", asks, balanced, addresses, host_name)]);
    let plan = with(true, &["198.51.100.7", "2001:db8::7"], false).plan();
    let [Step::Apply { desired, .. }] = plan.steps.as_slice() else { panic!("{plan:?}") };
    assert_eq!(desired.spec.application_server.ipv6_address.as_deref(), Some("2001:db8::7"));
    assert_eq!(desired.spec.application_server_ports.as_ref().unwrap().ports, Some(vec![5060, 8554]));

    assert_eq!((with(true, &[], false).steps(), with(true, &[], false).reasons()), (vec![], vec![]), "it may come");
    for (balanced, host_name) in [(true, true), (false, false)] {
        let scene = with(balanced, &[], host_name);
        assert_eq!((scene.steps(), scene.reasons()), (vec![], vec![Reason::NoAddress]));
        assert!(scene.plan().notices[0].text.ends_with("set qos-operator.io/application-server"));
    }
    let mut scene = with(true, &["198.51.100.7"], false).settled();
    scene.put(service("media", asks, true, &[], false));
    assert_eq!(scene.steps(), [""; 0], "gone for a moment is unknown, not empty");
    scene.put(service("media", asks, true, &[], true));
    assert_eq!(scene.steps(), [""; 0]);
    scene.put(service("media", asks, true, &["198.51.100.8"], false));
    assert_eq!(scene.steps(), ["delete", "create"]);
    scene.put(service("media", asks, false, &[], false));
    assert_eq!(scene.steps(), ["delete"]);
}

#[test]
fn of_those_that_claim_one_flow_the_oldest_decides_and_a_younger_one_that_disagrees_is_told() {
    let younger = [("profile", "QOS_S"), USUAL[1], USUAL[2], ("duration", "60s")];
    let b = Claimant { created: at(5), ..service("b", &younger, false, &[], false) };
    let scene = Scene::of([pod("a", replicas("encoder"), USUAL), Claimant { created: at(5), ..bare("c", USUAL) }, b.clone()]);
    let mut b_wins = scene.plan();
    assert_eq!(b_wins.steps.len(), 2, "the Service has ports of its own, so its flow is another one");
    b_wins.steps.clear();
    let same_ports = [younger.as_slice(), &[("application-server-ports", "1-65535")]].concat();
    let usual = [USUAL, &[("application-server-ports", "1-65535")]].concat();
    let b = Claimant { parsed: parse(Kind::Service, &annotations(&same_ports)), ..b };
    let scene = Scene::of([pod("a", replicas("encoder"), &usual), Claimant { created: at(5), ..bare("c", &usual) }, b]);
    let plan = scene.plan();
    let [Step::Apply { desired, .. }] = plan.steps.as_slice() else { panic!("{plan:?}") };
    assert_eq!((desired.spec.qos_profile.as_str(), desired.spec.duration_seconds), ("QOS_E", None));
    let owners: BTreeSet<_> = [replicas("encoder"), owner("v1", "Pod", "c"), owner("v1", "Service", "b")].into();
    assert_eq!(desired.owners, owners);
    let [notice] = plan.notices.as_slice() else { panic!("{plan:?}") };
    assert_eq!((notice.asker.name.as_str(), notice.reason), ("b", Reason::FlowShared));
    assert!(
        notice.text.starts_with("qos-operator.io/profile, qos-operator.io/duration: ReplicaSet encoder is older"),
        "{notice:?}"
    );
}

#[test]
fn an_edit_of_the_profile_edits_the_child_and_another_flow_is_another_child() {
    let mut scene = Scene::of([service("media", &[USUAL[0], USUAL[1], USUAL[2]], false, &[], false)]).settled();
    scene.put(service("media", &[("profile", "QOS_S"), USUAL[1], USUAL[2]], false, &[], false));
    assert_eq!(scene.steps(), ["apply"]);
    scene.put(service("media", &[USUAL[0], ("device", "tel:+447700900113"), USUAL[2]], false, &[], false));
    assert_eq!(scene.steps(), ["delete", "create"]);
    scene.put(service("media", &[USUAL[0], USUAL[1], USUAL[2], ("provider", "p2")], false, &[], false));
    assert_eq!(scene.steps(), ["delete", "create"]);
    scene.put(service("media", &[("profile", "?"), USUAL[1]], false, &[], false));
    assert_eq!((scene.steps(), scene.reasons()), (vec![], vec![Reason::InvalidAnnotation]), "what stands stays");
    scene.put(service("media", &[], false, &[], false));
    assert_eq!(scene.steps(), ["delete"]);
}

#[test]
fn a_child_outlives_its_last_pod_by_the_linger_and_not_longer() {
    let mut scene = Scene::of([pod("a", replicas("encoder"), USUAL)]).settled();
    scene.claimants.clear();
    assert_eq!(scene.plan().steps.iter().map(short).collect::<Vec<_>>(), ["mark"]);
    scene.child().unclaimed_since = Some(at(100).to_string());
    let plan = scene.plan_at(at(159));
    assert_eq!((plan.steps, plan.look_at), (vec![], Some(at(160))));
    assert_eq!(scene.plan_at(at(120)).look_at, Some(at(122)), "somebody may come to wait for the flow");
    assert_eq!(scene.plan_at(at(160)).steps.iter().map(short).collect::<Vec<_>>(), ["delete"]);
    scene.put(pod("b", replicas("encoder"), USUAL));
    assert_eq!(scene.steps(), ["unmark"], "a claim has come back");
    scene.claimants.clear();
    scene.child().unclaimed_since = Some(at(1_000_000).to_string());
    assert_eq!(scene.steps(), ["mark"], "a time ahead keeps nothing");
}

#[test]
fn nothing_lingers_after_an_edit_without_a_controller_or_while_another_waits() {
    let asked = || Scene::of([pod("a", replicas("encoder"), USUAL)]).settled();
    let mut edited = asked();
    edited.put(pod("a", replicas("encoder"), &[]));
    assert_eq!(edited.steps(), ["delete"]);
    let mut moved = asked();
    moved.put(pod("a", replicas("encoder"), &[USUAL[0], ("device", "tel:+447700900113"), USUAL[2]]));
    assert_eq!(moved.steps(), ["delete", "create"]);
    let mut ended = asked();
    ended.put(Claimant {
        place: Place::Pod { node: Some("edge-7".into()), finished: true },
        ..pod("a", replicas("encoder"), &[])
    });
    assert_eq!(ended.steps(), ["mark"], "a Pod that has ended was not edited away");
    let mut bare_one = Scene::of([bare("a", USUAL)]).settled();
    bare_one.put(Claimant { place: Place::Pod { node: Some("edge-7".into()), finished: true }, ..bare("a", USUAL) });
    assert_eq!(bare_one.steps(), ["delete"]);
    let mut waited_for = asked();
    waited_for.claimants.clear();
    waited_for.awaited = true;
    assert_eq!(waited_for.steps(), ["delete"]);
    let mut orphaned = asked();
    orphaned.claimants.clear();
    orphaned.child().owners.clear();
    assert_eq!(orphaned.steps(), ["mark"], "neither claim nor owner: after the linger");
}

#[test]
fn a_namespace_that_has_not_opted_in_gets_nothing_and_one_that_opts_out_loses_what_it_has() {
    let mut scene = Scene::of([pod("a", replicas("encoder"), USUAL), bare("typo", &[("profil", "x")])]).settled();
    scene.namespace = Namespace::NotEnabled;
    assert_eq!((scene.steps(), scene.reasons()), (vec!["delete"], vec![Reason::NamespaceNotEnabled; 2]));
    scene.namespace = Namespace::Elsewhere;
    assert_eq!((scene.steps(), scene.reasons()), (vec!["delete"], vec![]));
    scene.namespace = Namespace::Ending;
    assert_eq!((scene.steps(), scene.reasons()), (vec![], vec![]));
    scene.child().deleting = true;
    scene.namespace = Namespace::NotEnabled;
    assert_eq!(scene.steps(), [""; 0]);
}

#[test]
fn who_joins_a_child_that_goes_waits_until_it_is_gone() {
    let mut scene = Scene::of([pod("a", replicas("encoder"), USUAL)]).settled();
    scene.child().deleting = true;
    assert_eq!(scene.steps(), [""; 0]);
    scene.children.clear();
    assert_eq!(scene.steps(), ["create"]);
}

#[test]
fn what_is_changed_on_a_child_by_hand_is_undone() {
    let asked = || Scene::of([pod("a", replicas("encoder"), USUAL)]).settled();
    let changes: [fn(&mut Child); 4] = [
        |child| child.spec.as_mut().unwrap().suspend = true,
        |child| child.labels.clear(),
        |child| child.owners.clear(),
        |child| child.unclaimed_since = Some("2026-11-24T13:06:00Z".into()),
    ];
    for (change, expected) in changes.into_iter().zip(["apply", "apply", "apply", "unmark"]) {
        let mut scene = asked();
        change(scene.child());
        assert_eq!(scene.steps(), [expected]);
    }
    let mut unreadable = asked();
    unreadable.child().spec = None;
    assert_eq!(unreadable.steps(), [""; 0], "a newer version's spec is left alone");
}

#[test]
fn who_drains_makes_changes_and_deletes_nothing_until_that_is_over_and_then_goes_on_where_it_was() {
    let until = at(160);
    let planned = |scene: &Scene, now| {
        let awaited = |_: &str| true;
        let view = View {
            namespace: &scene.namespace,
            claimants: &scene.claimants,
            nodes: None,
            children: &scene.children,
            awaited: &awaited,
            drains_until: Some(until),
        };
        plan(&view, &scene.claimed, LINGER, now)
    };
    let mut asked = Scene::of([pod("a", replicas("encoder"), USUAL)]);
    let mut changed = Scene::of([pod("a", replicas("encoder"), USUAL)]).settled();
    changed.child().spec.as_mut().unwrap().deletion_policy = DeletionPolicy::Orphan;
    let mut left = Scene::of([pod("a", replicas("encoder"), USUAL)]).settled();
    left.claimants.clear();
    let mut withdrawn = Scene::of([pod("a", replicas("encoder"), USUAL)]).settled();
    withdrawn.namespace = Namespace::NotEnabled;
    asked.claimed = changed.claimed.clone();
    for (scene, after) in [(asked, "create"), (changed, "apply"), (left, "delete"), (withdrawn, "delete")] {
        let expected = Plan { claimed: scene.claimed.clone(), look_at: Some(until), ..Plan::default() };
        assert_eq!(planned(&scene, at(159)), expected, "{after}");
        assert_eq!(planned(&scene, until).steps.iter().map(short).collect::<Vec<_>>(), [after]);
    }
}

#[test]
fn a_linger_of_nothing_deletes_at_once() {
    let mut scene = Scene::of([pod("a", replicas("encoder"), USUAL)]).settled();
    scene.claimants.clear();
    let awaited = |_: &str| false;
    let view = View {
        namespace: &scene.namespace,
        claimants: &scene.claimants,
        nodes: None,
        children: &scene.children,
        awaited: &awaited,
        drains_until: None,
    };
    let plan = plan(&view, &scene.claimed, SignedDuration::ZERO, at(100));
    assert_eq!(plan.steps.iter().map(short).collect::<Vec<_>>(), ["delete"]);
}
