//! All sessions of the provider: the overlap rule, who may touch what, and the passing of time.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::jiff::Timestamp;
use uuid::Uuid;

use super::device::Device;
use super::generation::Generation;
use super::session::{NotExtended, Order, Session, State, seconds_later};
use super::settings::{Overlap, Settings};
use super::transition::{Change, NotifyTarget, Transition};

/// Every session since the start or the last reset; none is dropped, so that the ledger is complete.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: Vec<Session>,
    index: HashMap<Uuid, usize>,
    /// Those that hold their flow.
    held: BTreeSet<usize>,
    /// When each next changes by itself.
    timers: BTreeSet<(Timestamp, usize)>,
    /// How often a session was created over another one's flow, whosever; never goes down.
    overlapping: u64,
    /// What clients that gave a callback are to be told, until it is taken.
    transitions: Vec<Transition>,
}

/// Who asks for a session: it sees its own client's, of the generation that it speaks, and, with a three-legged token, of one device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Viewer<'a> {
    /// The client.
    pub(super) client: &'a str,
    /// The device of a three-legged token.
    pub(super) subject: Option<&'a Device>,
    /// The generation: a session is of the generation that made it, and is not found through another one.
    pub(super) generation: Generation,
}

impl Viewer<'_> {
    fn owns(&self, session: &Session) -> bool {
        session.order.client == self.client && self.subject.is_none_or(|subject| session.order.flow.device.is(subject))
    }
}

/// Why a session is not created: another one is in the way, by its own duration until this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conflict(pub(super) Timestamp);

/// Why a session is not given to who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Never created, or gone.
    NotFound,
    /// Another client's.
    Foreign,
    /// Not AVAILABLE.
    Inactive,
    /// At its longest already.
    AtMaximum,
}

impl Sessions {
    /// Makes every change that is due by `now`, each at its own time.
    pub(super) fn advance(&mut self, now: Timestamp, settings: &Settings) {
        while let Some((at, index)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, index));
            let change = self.all.get_mut(index).and_then(|session| session.change(settings));
            self.tell(index, change);
            self.settle(index);
        }
    }

    /// Creates a session, unless one that holds its flow is in the way. `overlap` is the rule that decides.
    pub(super) fn create(
        &mut self,
        order: Order,
        now: Timestamp,
        settings: &Settings,
        overlap: Overlap,
    ) -> Result<&Session, Conflict> {
        let in_the_way = |session: &Session| match overlap {
            Overlap::Enforced => session.order.flow.overlaps(&order.flow),
            Overlap::Identical => session.order.flow == order.flow && session.order.profile == order.profile,
            Overlap::Off => false,
        };
        if let Some(other) = self.held().find(|session| in_the_way(session)) {
            return Err(Conflict(other.expires()));
        }
        let (mut doubled, mut overlapping) = (false, false);
        for other in self.held().filter(|session| session.serves()) {
            let overlaps = other.order.flow.overlaps(&order.flow);
            let same_callback = order.callback.is_some() && other.order.callback == order.callback;
            overlapping |= overlaps;
            doubled |= other.order.client == order.client && (overlaps || same_callback);
        }
        self.overlapping = self.overlapping.saturating_add(u64::from(overlapping));
        let mut session = Session::create(Uuid::new_v4(), order, now, settings);
        session.doubled = doubled;
        let index = self.all.len();
        self.index.insert(session.id, index);
        let born = session.born().map(|change| (now, change));
        self.all.push(session);
        self.tell(index, born);
        self.settle(index);
        // Just pushed: the index is in range.
        Ok(&self.all[index])
    }

    /// The session with this id as `who` sees it. Asking is noted, whatever the answer.
    pub(super) fn get(&mut self, id: Uuid, who: &Viewer<'_>, now: Timestamp) -> Result<&Session, Refused> {
        let index = self.find(id, who, now)?;
        Ok(&self.all[index])
    }

    /// `who` deletes its session; one that only is still readable answers the same.
    pub(super) fn delete(&mut self, id: Uuid, who: &Viewer<'_>, now: Timestamp, settings: &Settings) -> Result<(), Refused> {
        let index = self.find(id, who, now)?;
        self.untime(index);
        let session = &mut self.all[index];
        let mut change = None;
        if session.holds() {
            change = session.delete(now, settings);
        } else {
            // Still readable after its end: from here on it is not.
            session.state = State::Over(now);
        }
        self.tell(index, change);
        self.settle(index);
        Ok(())
    }

    /// `who` lengthens its session.
    pub(super) fn extend(
        &mut self,
        id: Uuid,
        who: &Viewer<'_>,
        by: i64,
        now: Timestamp,
        settings: &Settings,
    ) -> Result<&Session, Refused> {
        let index = self.find(id, who, now)?;
        self.untime(index);
        let extended = self.all[index].extend(by, now, settings);
        self.settle(index);
        match extended {
            Ok(()) => Ok(&self.all[index]),
            Err(NotExtended::Inactive) => Err(Refused::Inactive),
            Err(NotExtended::AtMaximum) => Err(Refused::AtMaximum),
            Err(NotExtended::NearEnd) => Err(Refused::NotFound),
        }
    }

    /// The sessions of `device` that `who` sees in a list, in order of creation: those that hold their flow, and those that expired and
    /// are still shown, but none that was deleted. A session appears `lag` seconds after its creation.
    pub(super) fn list(&self, who: &Viewer<'_>, device: &Device, now: Timestamp, lag: i64) -> impl Iterator<Item = &Session> {
        self.all.iter().filter(move |session| {
            who.owns(session)
                && session.order.generation == who.generation
                && session.order.flow.device.is(device)
                && session.released.is_none()
                && session.readable(now)
                && seconds_later(session.created, lag) <= now
        })
    }

    /// How many sessions of `client` are REQUESTED or AVAILABLE.
    pub(super) fn serving(&self, client: &str) -> usize {
        self.held().filter(|session| session.serves() && session.order.client == client).count()
    }

    /// When the next session changes by itself.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Those whom a change is to be told, since this was last asked.
    pub(super) const fn transitions(&mut self) -> &mut Vec<Transition> {
        &mut self.transitions
    }

    /// The network ends those sessions in effect that `which` picks; says how many.
    pub(super) fn terminate(&mut self, now: Timestamp, settings: &Settings, mut which: impl FnMut(&Session) -> bool) -> usize {
        let picked: Vec<usize> =
            self.held.iter().copied().filter(|index| self.all.get(*index).is_some_and(|s| s.serves() && which(s))).collect();
        for index in &picked {
            self.untime(*index);
            let change = self.all[*index].terminate(now, settings);
            self.tell(*index, change);
            self.settle(*index);
        }
        picked.len()
    }

    /// The provider loses those sessions that `which` picks, without a trace; says how many.
    pub(super) fn lose(&mut self, now: Timestamp, mut which: impl FnMut(&Session) -> bool) -> usize {
        let picked: Vec<usize> =
            (0..self.all.len()).filter(|index| self.all[*index].readable(now) && which(&self.all[*index])).collect();
        for index in &picked {
            self.untime(*index);
            self.all[*index].lose(now);
            self.settle(*index);
        }
        picked.len()
    }

    /// Notes that the answer to the creation of `id` went out.
    pub(super) fn answered(&mut self, id: Uuid) {
        if let Some(session) = self.index.get(&id).and_then(|index| self.all.get_mut(*index)) {
            session.answered = true;
        }
    }

    /// Where the client of this session wants to be told of its changes.
    pub(super) fn notify_target(&self, id: Uuid) -> Option<&NotifyTarget> {
        self.all.get(*self.index.get(&id)?)?.order.notify.as_ref()
    }

    /// Every session, in order of creation.
    pub(super) fn all(&self) -> &[Session] {
        &self.all
    }

    /// How often a session was created over the flow of another one in effect, whosever.
    pub(super) const fn overlapping(&self) -> u64 {
        self.overlapping
    }

    fn held(&self) -> impl Iterator<Item = &Session> {
        self.held.iter().filter_map(|index| self.all.get(*index))
    }

    fn find(&mut self, id: Uuid, who: &Viewer<'_>, now: Timestamp) -> Result<usize, Refused> {
        let index = *self.index.get(&id).ok_or(Refused::NotFound)?;
        let session = self.all.get_mut(index).ok_or(Refused::NotFound)?;
        if session.order.generation != who.generation {
            return Err(Refused::NotFound);
        }
        let owns = who.owns(session);
        if owns {
            session.last_asked = Some(now);
        }
        if !session.readable(now) {
            return Err(Refused::NotFound);
        }
        if owns { Ok(index) } else { Err(Refused::Foreign) }
    }

    /// Notes what the client is to be told of a change, if it gave a callback and its generation tells of it.
    fn tell(&mut self, index: usize, change: Option<(Timestamp, Change)>) {
        let (Some((at, change)), Some(session)) = (change, self.all.get_mut(index)) else {
            return;
        };
        let told = session.order.notify.as_ref().and_then(|_| change.told(session.order.generation));
        if let Some((status, info)) = told {
            let transition = Transition { session_id: session.id, at, status, info };
            session.due.push(transition);
            self.transitions.push(transition);
        }
    }

    /// Takes the session's timer away, before its state changes.
    fn untime(&mut self, index: usize) {
        if let Some(at) = self.all.get(index).and_then(Session::next_change) {
            self.timers.remove(&(at, index));
        }
    }

    /// Brings the indexes in line with the session's new state.
    fn settle(&mut self, index: usize) {
        let Some(session) = self.all.get(index) else {
            return;
        };
        if session.holds() {
            self.held.insert(index);
        } else {
            self.held.remove(&index);
        }
        if let Some(at) = session.next_change() {
            self.timers.insert((at, index));
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
