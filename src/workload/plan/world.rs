//! A small world for plans: a namespace with Pods, Services, controllers and Nodes, an API server that keeps children, and the
//! garbage collector. Whatever happens in it, plans lead to the children that are claimed, and to no other.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::annotations::{Kind, parse, parse_node};
use super::super::facts::{Child, Claimant, Namespace, NodeDevice, Nodes, Owner, Place};
use super::super::keys::{DEVICE, PREFIX};
use super::{Claimed, Plan, Step, View, plan};
use crate::clock::later;

pub(super) const LINGER: SignedDuration = SignedDuration::from_secs(60);
const CONTROLLERS: usize = 2;

type Pairs = &'static [(&'static str, &'static str)];

/// What a Pod or Service may say, and the flow that it then asks for: a device, and a provider.
const ASKS: [(Pairs, Option<(&str, &str)>); 7] = [
    (&[], None),
    (&[("profile", "QOS_E"), ("device", "tel:+447700900101"), SERVER], Some(("+447700900101", ""))),
    (&[("profile", "QOS_S"), ("device", "tel:+447700900101"), SERVER], Some(("+447700900101", ""))),
    (&[("profile", "QOS_E"), ("device", "tel:+447700900101"), SERVER, ("provider", "p2")], Some(("+447700900101", "p2"))),
    (&[("profile", "QOS_E"), ("device", "tel:+447700900102"), SERVER], Some(("+447700900102", ""))),
    (&[("profile", "QOS_E"), SERVER], Some(("node", ""))),
    (&[("profile", "QOS_E"), ("device", "x"), SERVER], None),
];
const SERVER: (&str, &str) = ("application-server", "198.51.100.7");
const WRONG: usize = 6;
const OF_NODE: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Happens {
    Pod { controller: Option<usize>, ask: usize, node: Option<bool> },
    Service { ask: usize },
    Edit { which: usize, ask: usize },
    Finish(usize),
    Ending(usize),
    Gone(usize),
    ControllerGone(usize),
    Node { node: bool, device: usize },
    Namespace(bool),
    ChildDeleted(usize),
    ChildEdited(usize),
    MarkTampered(usize),
    Awaited(bool),
    Released,
    Pass(i64),
    Restart,
}

fn happens() -> impl Strategy<Value = Happens> {
    use Happens::*;
    let ask = || 0..ASKS.len();
    let which = || 0..6_usize;
    prop_oneof![
        6 => (prop::option::of(0..CONTROLLERS), ask(), prop::option::weighted(0.8, any::<bool>()))
            .prop_map(|(controller, ask, node)| Pod { controller, ask, node }),
        2 => ask().prop_map(|ask| Service { ask }),
        3 => (which(), ask()).prop_map(|(which, ask)| Edit { which, ask }),
        1 => which().prop_map(Finish),
        2 => which().prop_map(Ending),
        4 => which().prop_map(Gone),
        1 => (0..CONTROLLERS).prop_map(ControllerGone),
        2 => (any::<bool>(), 0..3_usize).prop_map(|(node, device)| Node { node, device }),
        1 => any::<bool>().prop_map(Namespace),
        1 => which().prop_map(ChildDeleted),
        1 => which().prop_map(ChildEdited),
        1 => which().prop_map(MarkTampered),
        1 => any::<bool>().prop_map(Awaited),
        4 => Just(Released),
        5 => (1..90_i64).prop_map(Pass),
        1 => Just(Restart),
    ]
}

struct World {
    now: Timestamp,
    enabled: bool,
    claimants: BTreeMap<String, Claimant>,
    asks: BTreeMap<String, usize>,
    /// The uids of the controllers that are there; a new one takes the place of one that is gone.
    controllers: [usize; CONTROLLERS],
    nodes: Nodes,
    children: BTreeMap<String, Child>,
    claimed: Claimed,
    awaited: bool,
    counter: usize,
}

impl World {
    fn new() -> Self {
        Self {
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            enabled: true,
            claimants: BTreeMap::new(),
            asks: BTreeMap::new(),
            controllers: [0, 1],
            nodes: Nodes::from([("false".into(), NodeDevice::None), ("true".into(), NodeDevice::None)]),
            children: BTreeMap::new(),
            claimed: Claimed::new(),
            awaited: false,
            counter: CONTROLLERS,
        }
    }

    fn next(&mut self) -> usize {
        self.counter += 1;
        self.counter
    }

    fn pick(&self, which: usize) -> Option<String> {
        self.claimants.keys().nth(which).cloned()
    }

    fn pick_child(&mut self, which: usize) -> Option<&mut Child> {
        self.children.values_mut().nth(which)
    }

    fn add(&mut self, kind: Kind, owner: Option<Owner>, ask: usize, place: Place) {
        let n = self.next();
        let uid = format!("{kind:?}-{n:04}");
        let itself = Owner { uid: uid.clone(), api_version: "v1".into(), kind: format!("{kind:?}"), name: uid.clone() };
        let claimant = Claimant {
            kind,
            name: uid.clone(),
            uid: uid.clone(),
            created: self.now,
            deleting: false,
            parsed: parse(kind, &annotations(ASKS[ask].0)),
            owner: owner.unwrap_or(itself),
            place,
        };
        self.asks.insert(uid.clone(), ask);
        self.claimants.insert(uid, claimant);
    }

    fn take(&mut self, what: Happens) {
        match what {
            Happens::Pod { controller, ask, node } => {
                let owner = controller.map(|index| {
                    let uid = format!("controller-{}", self.controllers[index]);
                    Owner { name: uid.clone(), uid, api_version: "apps/v1".into(), kind: "ReplicaSet".into() }
                });
                let node = node.map(|node| node.to_string());
                self.add(Kind::Pod, owner, ask, Place::Pod { node, finished: false });
            }
            Happens::Service { ask } => {
                let place = Place::Service { balanced: true, addresses: BTreeSet::new(), host_name: false, ports: Vec::new() };
                self.add(Kind::Service, None, if ask == OF_NODE { WRONG } else { ask }, place);
            }
            Happens::Edit { which, ask } => {
                let Some(uid) = self.pick(which) else { return };
                let claimant = self.claimants.get_mut(&uid).unwrap();
                let ask = if claimant.kind == Kind::Service && ask == OF_NODE { WRONG } else { ask };
                claimant.parsed = parse(claimant.kind, &annotations(ASKS[ask].0));
                self.asks.insert(uid, ask);
            }
            Happens::Finish(which) => {
                let Some(claimant) = self.pick(which).and_then(|uid| self.claimants.get_mut(&uid)) else { return };
                if let Place::Pod { finished, .. } = &mut claimant.place {
                    *finished = true;
                }
            }
            Happens::Ending(which) => {
                if let Some(claimant) = self.pick(which).and_then(|uid| self.claimants.get_mut(&uid)) {
                    claimant.deleting = true;
                }
            }
            Happens::Gone(which) => {
                if let Some(uid) = self.pick(which) {
                    self.claimants.remove(&uid);
                }
            }
            Happens::ControllerGone(index) => {
                let uid = format!("controller-{}", self.controllers[index]);
                self.claimants.retain(|_, claimant| claimant.owner.uid != uid);
                self.controllers[index] = self.next();
            }
            Happens::Node { node, device } => {
                let value = ["tel:+447700900103", "tel:+447700900104"].get(device);
                let device = value.map_or(NodeDevice::None, |value| {
                    let all = BTreeMap::from([(format!("{PREFIX}{DEVICE}"), (*value).to_owned())]);
                    NodeDevice::Devices(parse_node(&all).unwrap().unwrap())
                });
                self.nodes.insert(node.to_string(), device);
            }
            Happens::Namespace(enabled) => self.enabled = enabled,
            Happens::ChildDeleted(which) => {
                if let Some(child) = self.pick_child(which) {
                    child.deleting = true;
                }
            }
            Happens::ChildEdited(which) => {
                if let Some(child) = self.pick_child(which) {
                    child.spec.as_mut().unwrap().qos_profile = "QOS_BY_HAND".to_owned();
                    child.owners.clear();
                }
            }
            Happens::MarkTampered(which) => {
                if let Some(child) = self.pick_child(which) {
                    child.unclaimed_since = Some(["2999-01-01T00:00:00Z", "soon"][which % 2].to_owned());
                }
            }
            Happens::Awaited(awaited) => self.awaited = awaited,
            Happens::Released => self.children.retain(|_, child| !child.deleting),
            Happens::Pass(seconds) => self.now = later(self.now, SignedDuration::from_secs(seconds)),
            Happens::Restart => self.claimed.clear(),
        }
    }

    fn collect_garbage(&mut self) {
        let alive: BTreeSet<String> =
            self.controllers.iter().map(|n| format!("controller-{n}")).chain(self.claimants.keys().cloned()).collect();
        for child in self.children.values_mut() {
            let before = child.owners.len();
            child.owners.retain(|owner| alive.contains(&owner.uid));
            child.deleting |= before > 0 && child.owners.is_empty();
        }
    }

    fn plan(&self) -> Plan {
        let namespace = if self.enabled { Namespace::Enabled { labels: BTreeMap::new() } } else { Namespace::NotEnabled };
        let awaited = |_: &str| self.awaited;
        let view = View {
            namespace: &namespace,
            claimants: &self.claimants,
            nodes: Some(&self.nodes),
            children: &self.children,
            awaited: &awaited,
            drains_until: None,
        };
        plan(&view, &self.claimed, LINGER, self.now)
    }

    fn carry_out(&mut self, step: Step) {
        match step {
            Step::Apply { desired, uid, .. } => {
                let there = self.children.get(&desired.name);
                assert_eq!(there.map(|child| &child.uid), uid.as_ref(), "a step names the child that it was planned for");
                assert!(there.is_none_or(|child| !child.deleting), "nothing is written to a child that goes");
                let uid = uid.unwrap_or_else(|| format!("child-{}", self.next()));
                let child = Child {
                    uid,
                    version: None,
                    deleting: false,
                    spec: Some(desired.spec),
                    labels: desired.labels,
                    owners: desired.owners,
                    unclaimed_since: there_since(self.children.get(&desired.name)),
                };
                self.children.insert(desired.name, child);
            }
            Step::Mark { name, uid, since } => {
                let child = self.children.get_mut(&name).filter(|child| child.uid == uid).unwrap();
                child.unclaimed_since = since.map(|since| since.to_string());
            }
            Step::Delete { name, uid, .. } => {
                let child = self.children.get_mut(&name).filter(|child| child.uid == uid && !child.deleting).unwrap();
                child.deleting = true;
            }
        }
    }

    /// Plans until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..20 {
            self.collect_garbage();
            let plan = self.plan();
            self.claimed.clone_from(&plan.claimed);
            if plan.steps.is_empty() {
                assert_eq!(self.plan().steps, [], "planning again does nothing");
                return;
            }
            for step in plan.steps {
                self.carry_out(step);
            }
        }
        panic!("plans do not come to an end: {:?}", self.plan().steps);
    }

    /// The flow that a claimant asks for, and whether only a Pod that is being deleted does.
    fn flow_of(&self, claimant: &Claimant) -> Option<(String, String)> {
        let (device, provider) = ASKS[self.asks[&claimant.uid]].1?;
        let node = match &claimant.place {
            Place::Pod { finished: true, .. } | Place::Pod { node: None, .. } => return None,
            Place::Service { .. } if claimant.deleting => return None,
            Place::Pod { node, .. } => node.clone().unwrap(),
            Place::Service { .. } => String::new(),
        };
        let device = match (device, self.nodes.get(&node)) {
            ("node", Some(NodeDevice::Devices(devices))) => devices[0].phone_number.as_ref().unwrap().expose().clone(),
            ("node", _) => return None,
            _ => device.to_owned(),
        };
        Some((device, provider.to_owned()))
    }

    fn check(&self) {
        let flow = |child: &Child| {
            let spec = child.spec.as_ref().unwrap();
            let provider = spec.provider_ref.as_ref().map_or(String::new(), |provider| provider.name.clone());
            (spec.device.phone_number.as_ref().unwrap().expose().clone(), provider)
        };
        let live: Vec<_> = self.children.values().filter(|child| !child.deleting).collect();
        let flows: BTreeSet<_> = self.children.values().map(flow).collect();
        assert_eq!(flows.len(), self.children.len(), "never two children for one flow");
        if !self.enabled {
            assert_eq!(live.len(), 0, "the right to spend was withdrawn");
            return;
        }
        let claims: Vec<_> = self.claimants.values().filter_map(|claimant| Some((claimant, self.flow_of(claimant)?))).collect();
        for (claimant, wanted) in &claims {
            assert!(claimant.deleting || flows.contains(wanted), "{wanted:?} is claimed and has no child");
        }
        for child in live {
            let flow = flow(child);
            let by: Vec<_> = claims.iter().filter(|(_, wanted)| *wanted == flow).map(|(claimant, _)| *claimant).collect();
            if let Some(oldest) = by.iter().min_by_key(|claimant| (claimant.created, &claimant.uid)) {
                let profile = ASKS[self.asks[&oldest.uid]].0[0].1;
                assert_eq!(child.spec.as_ref().unwrap().qos_profile, profile, "the oldest claim decides");
                assert_eq!(child.unclaimed_since, None);
                let lasting = by.iter().filter(|claimant| !claimant.deleting);
                assert!(lasting.clone().all(|claimant| child.owners.contains(&claimant.owner)), "each claim's owner is one");
                continue;
            }
            let kept = self
                .claimants
                .values()
                .any(|claimant| self.asks[&claimant.uid] == WRONG && claimant.counts() && child.owners.contains(&claimant.owner));
            let since = child.unclaimed_since.as_ref().map(|since| since.parse::<Timestamp>().unwrap());
            let lingers = since.is_some_and(|since| since <= self.now && self.now < later(since, LINGER)) && !self.awaited;
            assert!(kept || lingers, "{flow:?} is not claimed and does not go");
        }
    }
}

fn there_since(child: Option<&Child>) -> Option<String> {
    child.and_then(|child| child.unclaimed_since.clone())
}

fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens_the_children_are_those_that_are_claimed(story in prop::collection::vec(happens(), 1..40)) {
        let mut world = World::new();
        for what in story {
            world.take(what);
            world.settle();
            world.check();
        }
        // At rest: what lingered is gone, what was released is made again where it is claimed.
        for _ in 0..2 {
            world.take(Happens::Released);
            world.settle();
            world.take(Happens::Pass(61));
            world.settle();
            world.check();
        }
        let live = world.children.values().filter(|child| !child.deleting && child.unclaimed_since.is_some()).count();
        prop_assert_eq!(live, 0, "nothing lingers for ever");
    }
}
