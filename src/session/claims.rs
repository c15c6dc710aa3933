//! Which object holds which flow, which ones want it, and who is woken when it comes free.
//!
//! Within one process this table is complete, since one leader reconciles all objects: it is filled from the first list before
//! anything is sent, and a flow is taken in it before the attempt is recorded.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use parking_lot::Mutex;

use super::flow::{DeviceKey, Flow};
use crate::api::QosSession;

/// The object of a claim. Half a dozen tables keep each of what may be 100,000 objects, so clones share the names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object(Arc<Names>);

/// What tells an object from others.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Names {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Names repeat, uids do not.
    pub uid: String,
}

impl Object {
    /// Which one it is.
    pub fn of(object: &QosSession) -> Self {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let metadata = &object.metadata;
        Self::new(text(&metadata.namespace), text(&metadata.name), text(&metadata.uid))
    }

    /// The object of these names.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, uid: impl Into<String>) -> Self {
        Self(Arc::new(Names { namespace: namespace.into(), name: name.into(), uid: uid.into() }))
    }
}

impl Deref for Object {
    type Target = Names;

    fn deref(&self) -> &Names {
        &self.0
    }
}

/// What an object does with its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// It holds a session, or one of its creates may have made one.
    Holds,
    /// It would create one if it could.
    Wants,
    /// It does not compete: suspended, invalid, at its end, or pausing after a refusal.
    Rests,
}

/// One object's claim.
#[derive(Clone, Debug)]
pub struct Claim {
    /// creationTimestamp: of those that want a flow, the oldest comes first.
    pub created: Timestamp,
    /// What it wants, or holds.
    pub flow: Flow,
    /// See [`Stance`].
    pub stance: Stance,
}

/// Who stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The object.
    pub object: Object,
    /// It is older than the one that asks.
    pub older: bool,
}

/// The table.
#[derive(Debug, Default)]
pub struct Claims(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    claims: HashMap<Object, Claim>,
    by_device: HashMap<DeviceKey, HashSet<Object>>,
}

impl Claims {
    /// Sets what `object` does with its flow (`None`: it is gone), and returns whom to wake: those that overlap with what it gave up.
    pub fn set(&self, object: &Object, claim: Option<Claim>) -> Vec<Object> {
        let mut table = self.0.lock();
        let before = table.remove(object);
        let woken = before.filter(|before| before.frees(claim.as_ref())).map(|before| table.overlapping(object, &before.flow));
        if let Some(claim) = claim {
            table.insert(object.clone(), claim);
        }
        woken.unwrap_or_default()
    }

    /// Who stands in the way of `object` taking `flow`: a holder, or an older one that wants it.
    pub fn blocker(&self, object: &Object, created: Timestamp, flow: &Flow) -> Option<Peer> {
        self.0.lock().blocker(object, created, flow)
    }

    /// Takes `flow` for `object` where nobody stands in the way, in one step; what `object` had before is given up, and whom to wake
    /// for that is returned.
    pub fn take(&self, object: &Object, created: Timestamp, flow: &Flow) -> Result<Vec<Object>, Peer> {
        let mut table = self.0.lock();
        if let Some(peer) = table.blocker(object, created, flow) {
            return Err(peer);
        }
        let claim = Claim { created, flow: flow.clone(), stance: Stance::Holds };
        let before = table.remove(object);
        let woken = before.filter(|before| before.frees(Some(&claim))).map(|before| table.overlapping(object, &before.flow));
        table.insert(object.clone(), claim);
        Ok(woken.unwrap_or_default())
    }

    /// Whether another object wants what `object` holds or wants.
    pub fn is_awaited(&self, object: &Object) -> bool {
        let table = self.0.lock();
        let Some(claim) = table.claims.get(object) else { return false };
        table.others(object, &claim.flow).any(|(_, other)| other.stance == Stance::Wants)
    }

    /// How many objects are in the table.
    pub fn len(&self) -> usize {
        self.0.lock().claims.len()
    }

    /// How many objects hold, want, and rest.
    pub fn stances(&self) -> [usize; 3] {
        let table = self.0.lock();
        let count = |stance| table.claims.values().filter(|claim| claim.stance == stance).count();
        [count(Stance::Holds), count(Stance::Wants), count(Stance::Rests)]
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Claim {
    /// Whether `next` leaves something free that this claim kept from others.
    fn frees(&self, next: Option<&Self>) -> bool {
        let weight = |stance| match stance {
            Stance::Holds => 2,
            Stance::Wants => 1,
            Stance::Rests => 0,
        };
        self.stance != Stance::Rests
            && next.is_none_or(|next| weight(next.stance) < weight(self.stance) || next.flow != self.flow)
    }
}

impl Table {
    fn insert(&mut self, object: Object, claim: Claim) {
        for key in &claim.flow.device {
            self.by_device.entry(*key).or_default().insert(object.clone());
        }
        self.claims.insert(object, claim);
    }

    fn remove(&mut self, object: &Object) -> Option<Claim> {
        let claim = self.claims.remove(object)?;
        for key in &claim.flow.device {
            if let Some(objects) = self.by_device.get_mut(key) {
                objects.remove(object);
                if objects.is_empty() {
                    self.by_device.remove(key);
                }
            }
        }
        Some(claim)
    }

    fn others<'a>(&'a self, object: &'a Object, flow: &'a Flow) -> impl Iterator<Item = (&'a Object, &'a Claim)> {
        flow.device
            .iter()
            .filter_map(|key| self.by_device.get(key))
            .flatten()
            .filter(move |other| *other != object)
            .filter_map(|other| self.claims.get(other).map(|claim| (other, claim)))
            .filter(move |(_, claim)| claim.flow.overlaps(flow))
    }

    fn overlapping(&self, object: &Object, flow: &Flow) -> Vec<Object> {
        let objects: HashSet<_> = self.others(object, flow).map(|(other, _)| other.clone()).collect();
        objects.into_iter().collect()
    }

    fn blocker(&self, object: &Object, created: Timestamp, flow: &Flow) -> Option<Peer> {
        let older = |other: &Object, claim: &Claim| (claim.created, &other.uid) < (created, &object.uid);
        self.others(object, flow)
            .filter(|(other, claim)| claim.stance == Stance::Holds || (claim.stance == Stance::Wants && older(other, claim)))
            .min_by_key(|(other, claim)| (claim.stance != Stance::Holds, claim.created, other.uid.clone()))
            .map(|(other, claim)| Peer { object: other.clone(), older: older(other, claim) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Device;
    use crate::session::flow::device_keys;
    use crate::session::key::OperatorKey;

    fn flow(phone: &str) -> Flow {
        let device = Device { phone_number: Some(phone.into()), ..Device::default() };
        Flow::anything(device_keys(&OperatorKey::fixed(), "stadium", &device, None))
    }

    fn object(name: &str) -> Object {
        Object::new("stadium", name, format!("uid-{name}"))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn claim(created: i64, stance: Stance) -> Claim {
        Claim { created: at(created), flow: flow("+447700900112"), stance }
    }

    #[test]
    fn of_two_that_want_a_flow_the_older_comes_first_and_a_holder_before_both() {
        let claims = Claims::default();
        let mine = flow("+447700900112");
        claims.set(&object("young"), Some(claim(20, Stance::Wants)));
        assert_eq!(claims.blocker(&object("old"), at(10), &mine), None);
        claims.set(&object("old"), Some(claim(10, Stance::Wants)));
        assert_eq!(claims.blocker(&object("young"), at(20), &mine).map(|peer| peer.object), Some(object("old")));
        claims.take(&object("old"), at(10), &mine).unwrap();
        claims.set(&object("oldest"), Some(claim(1, Stance::Wants)));
        let peer = claims.blocker(&object("oldest"), at(1), &mine).unwrap();
        assert_eq!((peer.object, peer.older), (object("old"), false));
    }

    #[test]
    fn who_waits_is_woken_when_the_holder_lets_go() {
        let claims = Claims::default();
        claims.take(&object("old"), at(10), &flow("+447700900112")).unwrap();
        claims.set(&object("young"), Some(claim(20, Stance::Wants)));
        claims.set(&object("elsewhere"), Some(Claim { flow: flow("+447700900113"), ..claim(20, Stance::Wants) }));
        assert_eq!(claims.set(&object("old"), Some(claim(10, Stance::Holds))), vec![]);
        assert_eq!(claims.set(&object("old"), None), vec![object("young")]);
        assert!(claims.take(&object("young"), at(20), &flow("+447700900112")).is_ok());
    }

    #[test]
    fn a_holder_is_awaited_by_those_who_want_its_flow_only() {
        let claims = Claims::default();
        claims.take(&object("old"), at(10), &flow("+447700900112")).unwrap();
        claims.set(&object("elsewhere"), Some(Claim { flow: flow("+447700900113"), ..claim(20, Stance::Wants) }));
        claims.set(&object("suspended"), Some(claim(20, Stance::Rests)));
        assert!(!claims.is_awaited(&object("old")) && !claims.is_awaited(&object("nobody")));
        claims.set(&object("young"), Some(claim(20, Stance::Wants)));
        assert!(claims.is_awaited(&object("old")));
    }

    #[test]
    fn an_object_that_rests_stands_in_nobodys_way() {
        let claims = Claims::default();
        claims.set(&object("suspended"), Some(claim(1, Stance::Rests)));
        assert!(claims.take(&object("young"), at(20), &flow("+447700900112")).is_ok());
    }
}
