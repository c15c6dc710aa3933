//! What is known, and the passes that follow: one at a time in each namespace, a bounded number of writes at a time in all.

mod watched;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use self::watched::{Listing, Watch};
use super::Settings;
use super::counts::Counts;
use super::facts::{Child, Namespace, Nodes};
use super::notice::Notice;
use super::plan::Step;
use super::room::{Pass, Room};
use super::seen;
use super::write::{Outcome, Writer};
use crate::leader::Drain;
use crate::scope::Reach;
use crate::session;
use crate::session::Context;
use crate::session::claims::Object;
use crate::session::timers::Timers;

/// Writes and Events that are under way at a time.
const AT_A_TIME: usize = 16;

/// A pass has ended.
pub(super) struct Ended {
    namespace: String,
    outcomes: Vec<(Step, Outcome)>,
}

/// All that is known, and what is under way.
pub(super) struct Keeper {
    context: Arc<Context>,
    settings: Settings,
    /// Labels that the session selector names.
    shown_by: Vec<String>,
    writer: Writer,
    counts: Counts,
    pub(super) timers: Arc<Timers>,
    permits: Arc<Semaphore>,
    ended: mpsc::UnboundedSender<Ended>,
    drain: Drain,
    shutdown: CancellationToken,
    namespaces: BTreeMap<String, Namespace>,
    nodes: Nodes,
    rooms: HashMap<String, Room>,
    listing: Listing,
    /// First lists that are not complete yet.
    missing: BTreeSet<(Watch, Reach)>,
}

impl Keeper {
    pub(super) fn new(
        context: Arc<Context>,
        settings: Settings,
        sessions: &session::Settings,
        counts: Counts,
        drain: Drain,
        shutdown: CancellationToken,
    ) -> (Self, mpsc::UnboundedReceiver<Ended>) {
        let (ended, passes) = mpsc::unbounded_channel();
        let mut missing = BTreeSet::from([(Watch::Namespaces, Reach::Everywhere)]);
        if settings.node_devices {
            missing.insert((Watch::Nodes, Reach::Everywhere));
        }
        for reach in sessions.namespaces.reaches() {
            missing.extend([Watch::Pods, Watch::Services, Watch::Children].map(|watch| (watch, reach.clone())));
        }
        let keeper = Self {
            writer: Writer::new(context.client.clone()),
            context,
            settings,
            shown_by: sessions.selector.as_deref().map(seen::labels_of).unwrap_or_default(),
            counts,
            timers: Arc::default(),
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
            ended,
            drain,
            shutdown,
            namespaces: BTreeMap::new(),
            nodes: Nodes::new(),
            rooms: HashMap::new(),
            listing: Listing::new(),
            missing,
        };
        (keeper, passes)
    }

    fn room(&mut self, namespace: &str) -> &mut Room {
        self.rooms.entry(namespace.to_owned()).or_default()
    }

    fn wake_if(&mut self, news: bool, namespace: &str) {
        if news {
            self.wake(namespace);
        }
    }

    /// Something has changed that may matter everywhere.
    pub(super) fn wake_all(&mut self) {
        for namespace in self.rooms.keys().cloned().collect::<Vec<_>>() {
            self.wake(&namespace);
        }
    }

    /// Something has changed in the namespace, or its time has come.
    pub(super) fn wake(&mut self, namespace: &str) {
        let Some(room) = self.rooms.get_mut(namespace) else { return };
        // What is not known is not absent. Who asks in one namespace does not wait for the lists of another: children and those who
        // claim them are of one namespace, and of flows across namespaces the session controller decides.
        if self.missing.iter().any(|(_, reach)| reach.covers(namespace)) || self.shutdown.is_cancelled() {
            return;
        }
        let key = |name: &str, uid: &str| Object::new(namespace, name, uid);
        let claims = &self.context.claims;
        let awaited = |name: &str, child: &Child| claims.is_awaited(&key(name, &child.uid));
        let facts = self.namespaces.get(namespace).cloned().unwrap_or_default();
        let nodes = self.settings.node_devices.then_some(&self.nodes);
        let before = room.tally;
        let (until, now) = (self.drain.until(), self.context.clock.now());
        let Some(pass) = room.begin(&facts, nodes, &awaited, self.settings.linger, until, now) else { return };
        self.counts.changed(before, room.tally);
        self.timers.set(&key("", ""), pass.look_at);
        let Pass { steps, notices, .. } = pass;
        if room.is_empty() {
            self.rooms.remove(namespace);
        } else if !steps.is_empty() {
            self.begin(namespace.to_owned(), steps);
        }
        self.tell(namespace, notices);
    }

    fn begin(&self, namespace: String, steps: Vec<Step>) {
        let (writer, permits, shutdown) = (self.writer.clone(), Arc::clone(&self.permits), self.shutdown.clone());
        let (ended, drain, clock) = (self.ended.clone(), self.drain.clone(), self.context.clock.clone());
        self.context.tasks.spawn(async move {
            let mut outcomes = Vec::new();
            for step in steps {
                // The semaphore is never closed.
                let _permit = permits.acquire().await;
                if shutdown.is_cancelled() {
                    return;
                }
                // It was planned before that was known.
                if drain.until().is_some_and(|until| until > clock.now()) {
                    break;
                }
                let outcome = writer.perform(&namespace, &step).await;
                outcomes.push((step, outcome));
            }
            // The receiver is gone only when the operator is shutting down.
            let _ = ended.send(Ended { namespace, outcomes });
        });
    }

    pub(super) fn ended(&mut self, Ended { namespace, outcomes }: Ended) {
        let (now, jitter) = (self.context.clock.now(), self.context.jitter());
        let Some(room) = self.rooms.get_mut(&namespace) else { return };
        let notices = room.ended(outcomes, now, jitter);
        self.tell(&namespace, notices);
        self.wake(&namespace);
    }

    /// Nothing waits for Events.
    fn tell(&self, namespace: &str, notices: Vec<Notice>) {
        if notices.is_empty() {
            return;
        }
        let (writer, permits, namespace) = (self.writer.clone(), Arc::clone(&self.permits), namespace.to_owned());
        self.context.tasks.spawn(async move {
            for notice in notices {
                // The semaphore is never closed.
                let _permit = permits.acquire().await;
                writer.tell(&namespace, &notice).await;
            }
        });
    }
}
