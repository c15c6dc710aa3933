//! Several watches of `QosSession`s, one for each namespace, as one: it is complete when the first list of each is. Pure.
//!
//! Until then nothing is passed on, since nothing may be served: a session that is not listed yet may hold the flow that another one
//! asks for, and may hold it at a provider that takes a second one.

use std::collections::{BTreeMap, HashMap, HashSet};

use kube_runtime::watcher::Event;

use super::claims::Object;
use super::salvage;
use crate::api::QosSession;
use crate::scope::Reach;
use crate::scope::watch::Cause;

/// What the watches have brought so far.
#[derive(Debug)]
pub struct Joined {
    /// First lists that are not complete, and what was wrong with the last try.
    awaited: BTreeMap<Reach, Option<Cause>>,
    /// What is there, while a first list is missing.
    held: HashMap<Name, QosSession>,
    known: BTreeMap<Reach, HashSet<Object>>,
    /// Seen since a list began.
    listed: BTreeMap<Reach, HashSet<Object>>,
}

/// Namespace and name.
type Name = (String, String);

/// What follows from an event.
#[derive(Debug, Default)]
pub struct Taken {
    /// Of the one watch that all of them make.
    pub events: Vec<Event<QosSession>>,
    /// Objects that are gone.
    pub vanished: Vec<Object>,
}

impl Joined {
    /// Nothing is listed yet.
    pub fn new(reaches: impl IntoIterator<Item = Reach>) -> Self {
        let awaited = reaches.into_iter().map(|reach| (reach, None)).collect();
        Self { awaited, held: HashMap::new(), known: BTreeMap::new(), listed: BTreeMap::new() }
    }

    /// Whether every first list is complete.
    pub fn is_complete(&self) -> bool {
        self.awaited.is_empty()
    }

    /// Whether that object was not there before.
    pub fn is_new(&self, reach: &Reach, key: &Object) -> bool {
        self.known.get(reach).is_none_or(|known| !known.contains(key))
    }

    /// A list or watch failed. Whether that is news of a first list that is waited for.
    pub fn failed(&mut self, reach: &Reach, cause: &Cause) -> bool {
        self.awaited.get_mut(reach).is_some_and(|before| before.replace(cause.clone()).as_ref() != Some(cause))
    }

    /// The first lists that are waited for, in words.
    pub fn waits_for(&self) -> Vec<String> {
        let words = self.awaited.iter().map(|(reach, cause)| match cause {
            Some(cause) => format!("{reach} ({cause})"),
            None => reach.to_string(),
        });
        words.collect()
    }

    /// What an event of the watch of `reach` means for the whole.
    pub fn take(&mut self, reach: &Reach, event: Event<QosSession>) -> Taken {
        match event {
            Event::Init => {
                self.listed.insert(reach.clone(), HashSet::new());
                Taken::default()
            }
            Event::InitApply(object) => {
                self.listed.entry(reach.clone()).or_default().insert(Object::of(&object));
                self.applied(reach, object)
            }
            Event::Apply(object) => self.applied(reach, object),
            Event::Delete(object) => self.deleted(reach, object),
            Event::InitDone => self.done(reach),
        }
    }

    fn applied(&mut self, reach: &Reach, object: QosSession) -> Taken {
        let key = Object::of(&object);
        self.known.entry(reach.clone()).or_default().insert(key.clone());
        if self.is_complete() {
            return Taken { events: vec![Event::Apply(object)], vanished: Vec::new() };
        }
        self.held.insert((key.namespace.clone(), key.name.clone()), object);
        Taken::default()
    }

    fn deleted(&mut self, reach: &Reach, object: QosSession) -> Taken {
        let key = Object::of(&object);
        self.known.entry(reach.clone()).or_default().remove(&key);
        self.held.remove(&(key.namespace.clone(), key.name.clone()));
        let events = if self.is_complete() { vec![Event::Delete(object)] } else { Vec::new() };
        Taken { events, vanished: vec![key] }
    }

    /// The list of `reach` is whole: what it has not shown is gone.
    fn done(&mut self, reach: &Reach) -> Taken {
        let listed = self.listed.remove(reach).unwrap_or_default();
        let known = self.known.insert(reach.clone(), listed).unwrap_or_default();
        let listed = &self.known[reach];
        let vanished: Vec<_> = known.difference(listed).cloned().collect();
        let names: HashSet<_> = listed.iter().map(|key| (&key.namespace, &key.name)).collect();
        // One that was made again under the same name is there.
        let gone = vanished.iter().filter(|key| !names.contains(&(&key.namespace, &key.name)));
        let mut events = Vec::new();
        if self.is_complete() {
            events.extend(gone.map(|key| Event::Delete(remains(key))));
        } else {
            for key in gone {
                self.held.remove(&(key.namespace.clone(), key.name.clone()));
            }
            self.awaited.remove(reach);
            if self.is_complete() {
                let held = std::mem::take(&mut self.held);
                events.push(Event::Init);
                events.extend(held.into_values().map(Event::InitApply));
                events.push(Event::InitDone);
            }
        }
        Taken { events, vanished }
    }
}

/// What is known of an object that is gone.
fn remains(key: &Object) -> QosSession {
    let mut object = QosSession::new(&key.name, salvage::placeholder());
    object.metadata.namespace = Some(key.namespace.clone());
    object.metadata.uid = Some(key.uid.clone());
    object
}

#[cfg(test)]
mod tests;
