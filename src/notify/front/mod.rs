//! Any replica may receive notifications: the one that leads acts on them, the others hand them over.
//!
//! Whether a request carries the right bearer follows from the operator's key alone, which every replica has. So each answers for
//! itself, at once: an event that was refused or left waiting would be lost, since no version of the API sends it again. What is
//! accepted is kept in memory until the leader has taken it, and for a while after that, in case the leader dies before it acts.
//!
//! Pure: [`kept`] (which events are due), [`batch`] (what goes over the wire). [`listener`] takes batches, [`sender`] sends them.

pub mod batch;
pub mod kept;
pub mod listener;
mod sender;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use self::batch::Refusal;
use self::kept::{Kept, Notice};
use self::sender::{Failure, Sender};
use super::{Attempt, Class, Directory, Event, Target};
use crate::clock::Clock;
use crate::leader::{Leader, Place};
use crate::qod::Generation;
use crate::session::context::Context;
pub use crate::session::inbox::Standing;
use crate::session::key::OperatorKey;
use crate::session::sink::Mark;

/// Events that a replica keeps: some 10 MB.
const CAPACITY: usize = 10_000;
/// How long an event is kept after a leader has taken it, beyond the lease's duration: until then another one leads, or this one has
/// acted.
const AFTER_TAKING: Duration = Duration::from_mins(1);
/// The pause after a first failure; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often the leader looks whether its first list is complete, while events wait for it.
const UNTIL_LISTED: Duration = Duration::from_millis(100);
/// How often what is over is dropped.
const PRUNE: Duration = Duration::from_secs(10);

/// What takes the events on the leader. Neither costs I/O.
pub trait Deliver: Send + Sync + 'static {
    /// What is known of the object and the attempt.
    fn standing(&self, mark: &Mark) -> Standing;

    /// Takes an event with the right bearer.
    fn notified(&self, mark: &Mark, event: &Event);
}

impl Deliver for Context {
    fn standing(&self, mark: &Mark) -> Standing {
        Self::standing(self, mark)
    }

    fn notified(&self, mark: &Mark, event: &Event) {
        Self::notified(self, mark, event);
    }
}

/// Where the events that this replica receives go. Clones share it.
#[derive(Clone)]
pub struct Front(Arc<Inner>);

struct Inner {
    key: OperatorKey,
    clock: Clock,
    /// Others may lead: what was delivered here is kept for them.
    replicas: bool,
    state: Mutex<State>,
    /// The last batch was refused.
    refusing: AtomicBool,
    /// An event came.
    came: Notify,
    /// Another replica leads.
    led: Notify,
    /// What was due has been taken, or a leader has appeared.
    settled: Notify,
}

struct State {
    role: Role,
    kept: Kept,
}

#[derive(Clone)]
enum Role {
    Standby(Option<Leader>),
    Leading(Leader, Arc<dyn Deliver>),
}

/// What a turn of [`Front::run`] came to.
enum Turn {
    /// Nothing is due that can go anywhere.
    Idle,
    /// Something was taken.
    Taken,
    /// The leader's first list is not complete.
    Unlisted,
    /// The leader did not take it.
    Failed(Failure),
}

impl Front {
    /// One that leads as soon as [`Front::lead`] says so. `lease_duration`: none where no election is on, so that nobody else ever
    /// leads.
    pub fn new(key: OperatorKey, clock: Clock, lease_duration: Option<Duration>) -> Self {
        let kept = Kept::new(CAPACITY, lease_duration.unwrap_or_default() + AFTER_TAKING);
        let state = Mutex::new(State { role: Role::Standby(None), kept });
        let (refusing, came, led, settled) = Default::default();
        let replicas = lease_duration.is_some();
        Self(Arc::new(Inner { key, clock, replicas, state, refusing, came, led, settled }))
    }

    /// This replica leads from now on, as `leader`; `deliver` takes the events.
    pub fn lead(&self, leader: Leader, deliver: Arc<dyn Deliver>) {
        self.play(Role::Leading(leader, deliver));
    }

    /// This replica leads no longer: events are kept for the next leader.
    pub fn stand_down(&self) {
        self.play(Role::Standby(None));
    }

    fn play(&self, role: Role) {
        let mut state = self.0.state.lock();
        if let Role::Standby(Some(leader)) | Role::Leading(leader, _) = &role {
            state.kept.follow(leader);
        }
        state.role = role;
        drop(state);
        self.0.led.notify_one();
        self.0.settled.notify_waiters();
    }

    /// How many events are kept, and how many had to go before a leader had taken them.
    pub fn counts(&self) -> (usize, u64) {
        let state = self.0.state.lock();
        (state.kept.len(), state.kept.lost())
    }

    /// Follows who leads, as the election tells, without end.
    pub async fn follow(self, mut place: watch::Receiver<Place>) {
        loop {
            // That this replica leads, or does not any more, is said by who starts and stops the operator.
            if let Place::Standby(leader) = place.borrow_and_update().clone() {
                self.play(Role::Standby(leader));
            }
            if place.changed().await.is_err() {
                return;
            }
        }
    }

    /// Brings what is due to the leader, without end.
    pub async fn run(self) {
        let sender = Sender::new();
        let mut pause = FIRST_PAUSE;
        let mut failing = false;
        loop {
            match self.turn(&sender).await {
                Turn::Taken => {
                    (pause, failing) = (FIRST_PAUSE, false);
                    self.0.settled.notify_waiters();
                }
                Turn::Idle => tokio::select! {
                    () = self.0.came.notified() => {}
                    () = self.0.led.notified() => {}
                    () = sleep(PRUNE) => {}
                },
                Turn::Unlisted => sleep(UNTIL_LISTED).await,
                Turn::Failed(failure) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%failure, "notifications cannot be handed to the leader; they are kept for it");
                    }
                    tokio::select! {
                        () = self.0.led.notified() => pause = FIRST_PAUSE,
                        () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                    }
                }
            }
        }
    }

    async fn turn(&self, sender: &Sender) -> Turn {
        let role = {
            let mut state = self.0.state.lock();
            state.kept.prune(Instant::now());
            state.role.clone()
        };
        match role {
            Role::Leading(leader, deliver) => self.deliver_due(&leader, deliver.as_ref()),
            Role::Standby(Some(leader)) => self.hand_over(&leader, sender).await,
            Role::Standby(None) => Turn::Idle,
        }
    }

    /// To this replica's own objects.
    fn deliver_due(&self, leader: &Leader, deliver: &dyn Deliver) -> Turn {
        let mut state = self.0.state.lock();
        let mut turn = Turn::Idle;
        for (number, Notice { target, event }) in state.kept.due(CAPACITY) {
            if let Some(mark) = Mark::of(&target) {
                if deliver.standing(&mark) == Standing::Unlisted {
                    return Turn::Unlisted;
                }
                deliver.notified(&mark, &event);
            }
            state.kept.taken([number], leader, Instant::now());
            turn = Turn::Taken;
        }
        turn
    }

    /// To the replica that leads.
    async fn hand_over(&self, leader: &Leader, sender: &Sender) -> Turn {
        let due = self.0.state.lock().kept.due(batch::MOST);
        if due.is_empty() {
            return Turn::Idle;
        }
        let notices = due.iter().map(|(_, notice)| notice);
        let (body, mac) = batch::seal(&self.0.key, leader, notices, self.0.clock.now());
        match sender.send(leader.address.as_deref(), body, &mac).await {
            Ok(()) => {
                let numbers = due.into_iter().map(|(number, _)| number);
                self.0.state.lock().kept.taken(numbers, leader, Instant::now());
                Turn::Taken
            }
            Err(failure) => Turn::Failed(failure),
        }
    }

    /// Returns once another leader has taken all that this replica, which has stood down, still keeps.
    pub async fn handed_over(&self) {
        loop {
            let settled = self.0.settled.notified();
            {
                let state = self.0.state.lock();
                let followed = matches!(state.role, Role::Standby(Some(_))) && !state.kept.is_due();
                if state.kept.is_empty() || followed {
                    return;
                }
            }
            settled.await;
        }
    }

    /// Takes a batch that another replica has handed over.
    fn take(&self, body: &str, mac: &str) -> Result<(), Refusal> {
        let leader = match &self.0.state.lock().role {
            Role::Leading(leader, _) => Some(leader.clone()),
            Role::Standby(_) => None,
        };
        let opened = batch::open(&self.0.key, leader.as_ref(), body, mac, self.0.clock.now());
        // The first of a row is told. That it is for another leader is no news while the leader changes.
        let news = opened.as_ref().err().filter(|refusal| **refusal != Refusal::NotForMe);
        if let Some(refusal) = news
            && !self.0.refusing.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%refusal, "notifications from another replica are not taken");
        }
        for notice in opened? {
            // Who handed it over keeps it.
            self.accept(notice, false);
        }
        self.0.refusing.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn accept(&self, notice: Notice, keep: bool) {
        let Some(mark) = Mark::of(&notice.target) else { return };
        {
            let mut state = self.0.state.lock();
            match state.role.clone() {
                Role::Leading(leader, deliver) if deliver.standing(&mark) != Standing::Unlisted => {
                    deliver.notified(&mark, &notice.event);
                    if keep {
                        let number = state.kept.add(notice);
                        state.kept.taken([number], &leader, Instant::now());
                    }
                }
                _ => drop(state.kept.add(notice)),
            }
        }
        self.0.came.notify_one();
    }
}

impl Directory for Front {
    fn attempt(&self, target: &Target) -> Option<Attempt> {
        let mark = Mark::of(target)?;
        let token = Some(mark.bearer(&self.0.key));
        let standing = match &self.0.state.lock().role {
            Role::Leading(_, deliver) => deliver.standing(&mark),
            Role::Standby(_) => Standing::Unlisted,
        };
        // Version 0.8 may carry the bearer in the query. Where the version is not known that is let pass: it is the same secret.
        let unknown = Generation::V0_8;
        Some(match standing {
            Standing::Known { generation, standing } => Attempt { generation: generation.unwrap_or(unknown), token, standing },
            Standing::Gone => Attempt { generation: unknown, token, standing: super::Standing::Gone },
            // The leader will say what it is worth.
            Standing::Unlisted => Attempt { generation: unknown, token, standing: super::Standing::Current { session_id: None } },
        })
    }

    fn deliver(&self, target: &Target, class: &Class) {
        if let Class::Accepted { event, .. } | Class::Ignored { event } = class {
            self.accept(Notice::new(target, event), self.0.replicas);
        }
    }
}

#[cfg(test)]
mod tests;
