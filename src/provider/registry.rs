//! What the sessions see of the providers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast};

use super::admission::Namespaces;
use super::budget::Usage;
use super::callbacks::Callbacks;
use super::learned::Learned;
use super::snapshot::Provider;
use crate::clock::{Clock, later};

/// Names that a receiver may be behind before it is told that it lagged; then it must take all providers as changed.
const CHANGES: usize = 1024;

/// How long a wish to be marked keeps `status.sessions` at 1 without anything to show for it.
const WISH: SignedDuration = SignedDuration::from_mins(1);

/// The providers, shared by the provider controller, which writes, and the session controller, which reads.
#[derive(Clone, Debug)]
pub struct Providers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    state: Mutex<State>,
    changes: broadcast::Sender<Change>,
}

/// What sessions are told of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Readiness, spec, profiles, gate, free budget or admitted namespaces changed, or it came or went: what it refused before may
    /// be tried again.
    Other(String),
    /// It is marked as in use now: who waited for that goes on, and no pause ends by it.
    Marked(String),
    /// Its notifications do not arrive, or do again: who relied on them polls otherwise, and no pause ends by it.
    Notifications(String),
}

#[derive(Debug, Default)]
struct State {
    providers: BTreeMap<String, Arc<Provider>>,
    /// Whose word counts on the provider of that name.
    tenures: HashMap<String, Tenure>,
    last_tenure: u64,
    /// By UID, also of providers that are not known yet: sessions may be told of first.
    files: HashMap<String, Arc<File>>,
    /// UID of the provider at which an object holds or may hold a session, by the object's UID.
    occupancy: HashMap<String, String>,
    occupancy_complete: bool,
    loaded: bool,
    namespaces: Namespaces,
}

/// The time for which one task looks after a provider. A task that is ended may be in the middle of a step: what it still says
/// after the end counts no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tenure(u64);

/// What outlives the snapshots of one provider.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) usage: Mutex<Usage>,
    /// Until when somebody who is about to attempt counts, though nothing is held yet.
    wish: Mutex<Option<Timestamp>>,
    /// What its answers have shown.
    pub(super) learned: Mutex<Learned>,
    /// Whether its notifications arrive.
    pub(super) callbacks: Mutex<Callbacks>,
    /// Wakes the provider's task.
    pub(super) wake: Arc<Notify>,
}

impl Providers {
    /// An empty registry: nothing is loaded.
    pub fn new(clock: Clock) -> Self {
        let (changes, _) = broadcast::channel(CHANGES);
        Self(Arc::new(Shared { clock, state: Mutex::default(), changes }))
    }

    /// The provider of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Provider>> {
        self.0.state.lock().providers.get(name).cloned()
    }

    /// The provider of that UID: a `QosProvider` made anew under the same name is another one.
    pub fn by_uid(&self, uid: &str) -> Option<Arc<Provider>> {
        self.0.state.lock().providers.values().find(|provider| provider.uid == uid).cloned()
    }

    /// All that there are, by name.
    pub fn all(&self) -> Vec<Arc<Provider>> {
        self.0.state.lock().providers.values().cloned().collect()
    }

    /// Name of the provider for sessions that name none. Of several that are annotated the newest wins, as with StorageClass.
    pub fn default_name(&self) -> Option<String> {
        let state = self.0.state.lock();
        let marked = state.providers.values().filter(|provider| provider.is_default);
        newest(marked.map(|provider| (provider.created, provider.name.as_str()))).map(str::to_owned)
    }

    /// Whether `spec.allowedNamespaces` lets objects of that namespace use the provider. A namespace that is not known is
    /// admitted by `All` only.
    pub fn admits(&self, provider: &Provider, namespace: &str) -> bool {
        self.0.state.lock().namespaces.admitted(&provider.spec.allowed_namespaces, namespace)
    }

    /// Whether the first lists of QosProviders, Secrets and Namespaces are in: before, that something is missing says nothing.
    pub fn loaded(&self) -> bool {
        self.0.state.lock().loaded
    }

    /// Tells that the object holds or may hold a session at that provider, or (none) no longer at any.
    ///
    /// Before an attempt: say so first, then read [`Provider::marked`] anew with [`Providers::by_uid`]. While an object is told of,
    /// a mark that is there is not taken away.
    pub fn set_occupancy(&self, object_uid: &str, provider_uid: Option<&str>) {
        let mut state = self.0.state.lock();
        let before = match provider_uid {
            Some(uid) => state.occupancy.insert(object_uid.to_owned(), uid.to_owned()),
            None => state.occupancy.remove(object_uid),
        };
        if before.as_deref() == provider_uid {
            return;
        }
        if let Some(uid) = before {
            state.file(&uid).usage.lock().holders.remove(object_uid);
            state.file(&uid).wake.notify_one();
            self.tell_if_place_was_scarce(&state, &uid);
        }
        if let Some(uid) = provider_uid {
            state.file(uid).usage.lock().holders.insert(object_uid.to_owned());
            *state.file(uid).wish.lock() = None;
            state.file(uid).wake.notify_one();
        }
    }

    /// Tells, once, that [`Providers::set_occupancy`] has been called for every object that was there at the start. Before, no
    /// finalizer is removed and no count lowered.
    pub fn occupancy_complete(&self) {
        let mut state = self.0.state.lock();
        state.occupancy_complete = true;
        state.wake_all();
    }

    /// Asks for the finalizer and `status.sessions` of at least 1, since an attempt is about to be made. `changes` tells when
    /// [`Provider::marked`] is true. The wish is forgotten after a minute, unless it is made again.
    pub fn want_marked(&self, provider_uid: &str) {
        let file = self.0.state.lock().file(provider_uid);
        *file.wish.lock() = Some(later(self.0.clock.now(), WISH));
        file.wake.notify_one();
    }

    /// What changed, by the provider's name. A receiver that lagged must take all of them as changed.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.changes.subscribe()
    }

    /// Counts seconds that a create or an extension was granted against the budget of this UTC day.
    pub fn charge(&self, provider_uid: &str, seconds: i64) {
        let file = self.0.state.lock().file(provider_uid);
        file.usage.lock().charge(seconds, self.0.clock.now());
        file.wake.notify_one();
    }

    fn tell_if_place_was_scarce(&self, state: &State, uid: &str) {
        let Some(provider) = state.providers.values().find(|provider| provider.uid == uid) else { return };
        let limit =
            provider.spec.budget.as_ref().and_then(|budget| budget.max_sessions).and_then(|max| usize::try_from(max).ok());
        if limit.is_some_and(|limit| provider.file.usage.lock().holders.len() < limit) {
            self.tell(&provider.name);
        }
    }
}

// What the provider controller does with it.
impl Providers {
    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn tell(&self, name: &str) {
        // Nobody listening is no error.
        let _ = self.0.changes.send(Change::Other(name.to_owned()));
    }

    pub(super) fn tell_notifications(&self, name: &str) {
        let _ = self.0.changes.send(Change::Notifications(name.to_owned()));
    }

    pub(super) fn file(&self, uid: &str) -> Arc<File> {
        self.0.state.lock().file(uid)
    }

    /// How many sessions are to be shown: at least `shown` until the occupancy is complete, and at least 1 for a wish. Also when
    /// that wish is forgotten.
    pub(super) fn sessions(&self, file: &File, shown: i32) -> (i32, Option<Timestamp>) {
        let held = i32::try_from(file.usage.lock().holders.len()).unwrap_or(i32::MAX);
        let wished_until = self.wished_until(file);
        let count = held.max(i32::from(wished_until.is_some()));
        (if self.occupancy_known() { count } else { count.max(shown) }, wished_until)
    }

    /// Whether [`Providers::occupancy_complete`] was called.
    pub(super) fn occupancy_known(&self) -> bool {
        self.0.state.lock().occupancy_complete
    }

    fn wished_until(&self, file: &File) -> Option<Timestamp> {
        file.wish.lock().filter(|until| *until > self.0.clock.now())
    }

    /// Wakes the tasks of all providers: something that any of them may rest on has changed.
    pub(super) fn wake_all(&self) {
        self.0.state.lock().wake_all();
    }

    pub(super) fn set_loaded(&self) {
        let names: Vec<_> = {
            let mut state = self.0.state.lock();
            state.loaded = true;
            state.wake_all();
            state.providers.keys().cloned().collect()
        };
        for name in &names {
            self.tell(name);
        }
    }

    /// A task looks after the provider of that name from now on, until [`Providers::remove`] or the next one.
    pub(super) fn begin(&self, name: &str) -> Tenure {
        let mut state = self.0.state.lock();
        state.last_tenure += 1;
        let tenure = Tenure(state.last_tenure);
        state.tenures.insert(name.to_owned(), tenure);
        tenure
    }

    /// Puts a provider in the place of the one of that name, and tells if there is a difference that sessions see. Nothing is done
    /// once the tenure is over.
    pub(super) fn publish(&self, tenure: Tenure, provider: &Arc<Provider>) {
        let name = provider.name.clone();
        let change = {
            let mut state = self.0.state.lock();
            if state.tenures.get(&name) != Some(&tenure) {
                return;
            }
            let is_default = provider.is_default;
            let before = state.providers.insert(name.clone(), Arc::clone(provider));
            if before.as_ref().map_or(is_default, |before| before.is_default != is_default) {
                state.wake_all();
            }
            match before {
                Some(before) if before.differs(provider) => Some(Change::Other(name)),
                Some(before) => (provider.marked && !before.marked).then_some(Change::Marked(name)),
                None => Some(Change::Other(name)),
            }
        };
        if let Some(change) = change {
            let _ = self.0.changes.send(change);
        }
    }

    /// Takes the mark away, unless somebody holds a session or is about to. Whoever is told of afterwards sees it gone.
    pub(super) fn unmark(&self, name: &str, file: &File) -> bool {
        let mut state = self.0.state.lock();
        if !state.occupancy_complete || !file.usage.lock().holders.is_empty() || self.wished_until(file).is_some() {
            return false;
        }
        // Another one of that name has a file of its own.
        if let Some(provider) = state.providers.get_mut(name).filter(|provider| std::ptr::eq(&raw const *provider.file, file)) {
            Arc::make_mut(provider).marked = false;
        }
        true
    }

    /// Forgets a provider that is gone.
    pub(super) fn remove(&self, name: &str, uid: &str) {
        {
            let mut state = self.0.state.lock();
            state.tenures.remove(name);
            if state.providers.get(name).is_some_and(|provider| provider.uid == uid) {
                state.providers.remove(name);
                state.wake_all();
            }
            if state.files.get(uid).is_some_and(|file| file.usage.lock().holders.is_empty()) {
                state.files.remove(uid);
            }
        }
        self.tell(name);
    }

    /// Changes what is known of the namespaces, and tells the providers that now admit others.
    pub(super) fn update_namespaces(&self, change: impl FnOnce(&mut Namespaces)) {
        let names: Vec<_> = {
            let mut state = self.0.state.lock();
            let before = state.namespaces.clone();
            change(&mut state.namespaces);
            let differs =
                |provider: &&Arc<Provider>| state.namespaces.admit_differently(&before, &provider.spec.allowed_namespaces);
            state.providers.values().filter(differs).map(|provider| provider.name.clone()).collect()
        };
        for name in &names {
            self.tell(name);
        }
    }
}

impl State {
    fn file(&mut self, uid: &str) -> Arc<File> {
        self.files.entry(uid.to_owned()).or_default().clone()
    }

    fn wake_all(&self) {
        self.files.values().for_each(|file| file.wake.notify_one());
    }
}

/// The newest; of those of the same age the first by name, as Kubernetes does with StorageClass.
fn newest<'a>(candidates: impl Iterator<Item = (Option<Timestamp>, &'a str)>) -> Option<&'a str> {
    candidates.min_by_key(|(created, name)| (std::cmp::Reverse(*created), *name)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
