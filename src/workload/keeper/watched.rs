//! What the watches bring. Each list is taken as one change, so that what is no longer in it is seen to be gone.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as core;
use kube::ResourceExt as _;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube_runtime::watcher::Event;

use super::super::annotations::Kind;
use super::super::facts::Claimant;
use super::super::lean::{Pod, Service};
use super::super::seen;
use super::Keeper;
use crate::api::QosSession;
use crate::scope::Reach;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::workload) enum Watch {
    Pods,
    Services,
    Nodes,
    Namespaces,
    Children,
}

/// What the list that is being read has shown so far, of each watch: uids, or names of Nodes and namespaces.
pub(super) type Listing = BTreeMap<(Watch, Reach), BTreeSet<String>>;

impl Keeper {
    pub(in crate::workload) fn pods(&mut self, reach: &Reach, event: Event<Pod>) {
        match event {
            Event::Init => self.list(Watch::Pods, reach),
            Event::InitApply(pod) => self.claimant(Some((Watch::Pods, reach)), &pod.metadata, || seen::pod(&pod)),
            Event::Apply(pod) => self.claimant(None, &pod.metadata, || seen::pod(&pod)),
            Event::Delete(pod) => self.claimant_is_gone(&pod.namespace().unwrap_or_default(), &pod.uid().unwrap_or_default()),
            Event::InitDone => self.forget_claimants(Watch::Pods, reach, Kind::Pod),
        }
    }

    pub(in crate::workload) fn services(&mut self, reach: &Reach, event: Event<Service>) {
        match event {
            Event::Init => self.list(Watch::Services, reach),
            Event::InitApply(service) => {
                self.claimant(Some((Watch::Services, reach)), &service.metadata, || seen::service(&service));
            }
            Event::Apply(service) => self.claimant(None, &service.metadata, || seen::service(&service)),
            Event::Delete(service) => {
                self.claimant_is_gone(&service.namespace().unwrap_or_default(), &service.uid().unwrap_or_default());
            }
            Event::InitDone => self.forget_claimants(Watch::Services, reach, Kind::Service),
        }
    }

    pub(in crate::workload) fn nodes(&mut self, event: Event<PartialObjectMeta<core::Node>>) {
        match event {
            Event::Init => self.list(Watch::Nodes, &Reach::Everywhere),
            Event::InitApply(node) => {
                self.is_listed(Watch::Nodes, &Reach::Everywhere, node.name_any());
                self.node(&node);
            }
            Event::Apply(node) => self.node(&node),
            Event::Delete(node) => self.node_is_gone(&node.name_any()),
            Event::InitDone => {
                let listed = self.listed(Watch::Nodes, &Reach::Everywhere);
                let gone: Vec<_> = self.nodes.keys().filter(|name| !listed.contains(*name)).cloned().collect();
                for name in gone {
                    self.node_is_gone(&name);
                }
                self.is_complete(Watch::Nodes, &Reach::Everywhere);
            }
        }
    }

    pub(in crate::workload) fn namespaces(&mut self, event: Event<PartialObjectMeta<core::Namespace>>) {
        match event {
            Event::Init => self.list(Watch::Namespaces, &Reach::Everywhere),
            Event::InitApply(namespace) => {
                self.is_listed(Watch::Namespaces, &Reach::Everywhere, namespace.name_any());
                self.namespace(&namespace);
            }
            Event::Apply(namespace) => self.namespace(&namespace),
            Event::Delete(namespace) => self.namespace_is_gone(&namespace.name_any()),
            Event::InitDone => {
                let listed = self.listed(Watch::Namespaces, &Reach::Everywhere);
                let gone: Vec<_> = self.namespaces.keys().filter(|name| !listed.contains(*name)).cloned().collect();
                for name in gone {
                    self.namespace_is_gone(&name);
                }
                self.is_complete(Watch::Namespaces, &Reach::Everywhere);
            }
        }
    }

    pub(in crate::workload) fn children(&mut self, reach: &Reach, event: Event<DeserializeGuard<QosSession>>) {
        match event {
            Event::Init => self.list(Watch::Children, reach),
            Event::InitApply(object) => self.child(Some(reach), object),
            Event::Apply(object) => self.child(None, object),
            Event::Delete(object) => {
                let (metadata, child) = seen::child(object);
                let namespace = metadata.namespace.unwrap_or_default();
                let name = metadata.name.unwrap_or_default();
                let news = self.rooms.get_mut(&namespace).is_some_and(|room| room.child_is_gone(&name, &child.uid));
                self.wake_if(news, &namespace);
            }
            Event::InitDone => {
                let listed = self.listed(Watch::Children, reach);
                let mut gone = Vec::new();
                for (namespace, room) in self.rooms.iter().filter(|(namespace, _)| reach.covers(namespace)) {
                    let missing = room.children().filter(|(_, child)| !listed.contains(&child.uid));
                    gone.extend(missing.map(|(name, child)| (namespace.clone(), name.clone(), child.uid.clone())));
                }
                for (namespace, name, uid) in gone {
                    let news = self.room(&namespace).child_is_gone(&name, &uid);
                    self.wake_if(news, &namespace);
                }
                self.is_complete(Watch::Children, reach);
            }
        }
    }

    fn list(&mut self, watch: Watch, reach: &Reach) {
        self.listing.insert((watch, reach.clone()), BTreeSet::new());
    }

    fn is_listed(&mut self, watch: Watch, reach: &Reach, key: String) {
        self.listing.entry((watch, reach.clone())).or_default().insert(key);
    }

    fn listed(&mut self, watch: Watch, reach: &Reach) -> BTreeSet<String> {
        self.listing.remove(&(watch, reach.clone())).unwrap_or_default()
    }

    /// A list of `watch` is in. Before all that cover a namespace are, nothing is planned for it.
    fn is_complete(&mut self, watch: Watch, reach: &Reach) {
        if self.missing.remove(&(watch, reach.clone())) {
            for namespace in self.rooms.keys().filter(|namespace| reach.covers(namespace)).cloned().collect::<Vec<_>>() {
                self.wake(&namespace);
            }
        }
    }

    fn claimant(&mut self, listed: Option<(Watch, &Reach)>, metadata: &kube::core::ObjectMeta, facts: impl FnOnce() -> Claimant) {
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let annotated = seen::is_annotated(metadata);
        // Most objects of a cluster have never heard of us: nothing is parsed or kept of them.
        if !annotated && !self.rooms.contains_key(namespace) {
            return;
        }
        if let Some((watch, reach)) = listed {
            self.is_listed(watch, reach, metadata.uid.clone().unwrap_or_default());
        }
        let news = self.room(namespace).claimant_is(facts());
        self.wake_if(news, namespace);
    }

    fn claimant_is_gone(&mut self, namespace: &str, uid: &str) {
        let news = self.rooms.get_mut(namespace).is_some_and(|room| room.claimant_is_gone(uid));
        self.wake_if(news, namespace);
    }

    fn forget_claimants(&mut self, watch: Watch, reach: &Reach, kind: Kind) {
        let listed = self.listed(watch, reach);
        let mut gone = Vec::new();
        for (namespace, room) in self.rooms.iter().filter(|(namespace, _)| reach.covers(namespace)) {
            let missing = room.claimants().filter(|claimant| claimant.kind == kind && !listed.contains(&claimant.uid));
            gone.extend(missing.map(|claimant| (namespace.clone(), claimant.uid.clone())));
        }
        for (namespace, uid) in gone {
            self.claimant_is_gone(&namespace, &uid);
        }
        self.is_complete(watch, reach);
    }

    fn node(&mut self, node: &PartialObjectMeta<core::Node>) {
        let (name, device) = (node.name_any(), seen::node(&node.metadata));
        if self.nodes.get(&name) != Some(&device) {
            self.nodes.insert(name.clone(), device);
            self.wake_on(&name);
        }
    }

    fn node_is_gone(&mut self, name: &str) {
        if self.nodes.remove(name).is_some() {
            self.wake_on(name);
        }
    }

    fn wake_on(&mut self, node: &str) {
        let there = self.rooms.iter().filter(|(_, room)| room.is_on(node)).map(|(namespace, _)| namespace.clone());
        for namespace in there.collect::<Vec<_>>() {
            self.wake(&namespace);
        }
    }

    fn namespace(&mut self, namespace: &PartialObjectMeta<core::Namespace>) {
        let (name, facts) = (namespace.name_any(), seen::namespace(&namespace.metadata, &self.shown_by));
        if self.namespaces.get(&name) != Some(&facts) {
            self.namespaces.insert(name.clone(), facts);
            self.wake(&name);
        }
    }

    fn namespace_is_gone(&mut self, name: &str) {
        if self.namespaces.remove(name).is_some() {
            self.wake(name);
        }
    }

    fn child(&mut self, listed: Option<&Reach>, object: DeserializeGuard<QosSession>) {
        let (metadata, child) = seen::child(object);
        let namespace = metadata.namespace.unwrap_or_default();
        if let Some(reach) = listed {
            self.is_listed(Watch::Children, reach, child.uid.clone());
        }
        let news = self.room(&namespace).child_is(&metadata.name.unwrap_or_default(), child);
        self.wake_if(news, &namespace);
    }
}
