//! All sessions of the provider: the overlap rule, who may touch what, and the passing of time.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::jiff::Timestamp;
use uuid::Uuid;

use super::session::{End, Order, Session, State};
use super::settings::{Overlap, Settings};
use super::transition::{EventStatus, NotifyTarget, StatusInfo, Transition};

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
    /// What is to be told and was not yet taken.
    transitions: Vec<Transition>,
}

/// Why a session is not created: another one is in the way until (at the latest) this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conflict;

/// Why a session is not given to who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Never created, or gone.
    NotFound,
    /// Another client's.
    Foreign,
    /// Not AVAILABLE.
    Inactive,
}

impl Sessions {
    /// Makes every change that is due by `now`, each at its own time.
    pub(super) fn advance(&mut self, now: Timestamp, settings: &Settings) {
        while let Some((at, index)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, index));
            let before = self.state(index);
            if let Some(session) = self.all.get_mut(index) {
                session.change(settings);
            }
            self.settle(index);
            self.tell(index, before);
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
        if self.held().any(in_the_way) {
            return Err(Conflict);
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
        self.all.push(session);
        self.settle(index);
        self.tell(index, None);
        // Just pushed: the index is in range.
        Ok(&self.all[index])
    }

    /// The session with this id as `client` sees it. Asking is noted, whatever the answer.
    pub(super) fn get(&mut self, id: Uuid, client: &str, now: Timestamp) -> Result<&Session, Refused> {
        let index = self.find(id, client, now)?;
        Ok(&self.all[index])
    }

    /// `client` deletes its session; one that only is still readable answers the same.
    pub(super) fn delete(&mut self, id: Uuid, client: &str, now: Timestamp, settings: &Settings) -> Result<(), Refused> {
        let index = self.find(id, client, now)?;
        self.untime(index);
        let before = self.state(index);
        let session = &mut self.all[index];
        if session.holds() {
            session.delete(now, settings);
        } else {
            // Still readable after its end: from here on it is not.
            session.state = State::Over(now);
        }
        self.settle(index);
        self.tell(index, before);
        Ok(())
    }

    /// `client` lengthens its session.
    pub(super) fn extend(
        &mut self,
        id: Uuid,
        client: &str,
        by: i64,
        now: Timestamp,
        settings: &Settings,
    ) -> Result<&Session, Refused> {
        let index = self.find(id, client, now)?;
        self.untime(index);
        let extended = self.all[index].extend(by, now, settings);
        self.settle(index);
        extended.map_err(|_| Refused::Inactive)?;
        Ok(&self.all[index])
    }

    /// The network ends those sessions in effect that `which` picks; says how many.
    pub(super) fn terminate(&mut self, now: Timestamp, settings: &Settings, mut which: impl FnMut(&Session) -> bool) -> usize {
        let picked: Vec<usize> =
            self.held.iter().copied().filter(|index| self.all.get(*index).is_some_and(|s| s.serves() && which(s))).collect();
        for index in &picked {
            self.untime(*index);
            let before = self.state(*index);
            self.all[*index].terminate(now, settings);
            self.settle(*index);
            self.tell(*index, before);
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

    /// What clients that gave a callback are to be told.
    pub(super) fn take_transitions(&mut self) -> Vec<Transition> {
        std::mem::take(&mut self.transitions)
    }

    /// Where the client of this session wants to be told.
    pub(super) fn target(&self, id: Uuid) -> Option<NotifyTarget> {
        self.all.get(*self.index.get(&id)?)?.order.notify.clone()
    }

    /// When a session next changes by itself.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn state(&self, index: usize) -> Option<State> {
        self.all.get(index).map(|session| session.state)
    }

    /// Notes what is to be told of the session's change from `before` (none: it was created) to what it is now.
    fn tell(&mut self, index: usize, before: Option<State>) {
        let Some(session) = self.all.get(index).filter(|session| session.order.notify.is_some()) else { return };
        let served = matches!(before, None | Some(State::Requested(_) | State::Available));
        let (at, status, info) = match (session.state, session.first_available, session.ended) {
            (State::Available, Some(at), _) if before != Some(State::Available) => (at, EventStatus::Available, None),
            (State::Retained(_) | State::Over(_), _, Some((at, how))) if served => {
                let info = match how {
                    End::DurationExpired => StatusInfo::DurationExpired,
                    End::NetworkTerminated => StatusInfo::NetworkTerminated,
                    End::Deleted if before == Some(State::Available) => StatusInfo::DeleteRequested,
                    End::Deleted | End::Lost => return,
                };
                (at, EventStatus::Unavailable, Some(info))
            }
            _ => return,
        };
        self.transitions.push(Transition { session_id: session.id, at, status, info });
    }

    /// Notes that the answer to the creation of `id` went out.
    pub(super) fn answered(&mut self, id: Uuid) {
        if let Some(session) = self.index.get(&id).and_then(|index| self.all.get_mut(*index)) {
            session.answered = true;
        }
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

    fn find(&mut self, id: Uuid, client: &str, now: Timestamp) -> Result<usize, Refused> {
        let index = *self.index.get(&id).ok_or(Refused::NotFound)?;
        let session = self.all.get_mut(index).ok_or(Refused::NotFound)?;
        if session.order.client == client {
            session.last_asked = Some(now);
        }
        if !session.readable(now) {
            return Err(Refused::NotFound);
        }
        if session.order.client == client { Ok(index) } else { Err(Refused::Foreign) }
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
mod tests {
    use super::super::session::tests::{order, start};
    use super::super::session::{State, seconds_later};
    use super::*;
    use crate::private::Private;

    const PHONE: &str = "+447700900112";

    fn at(seconds: i64) -> Timestamp {
        seconds_later(start(), seconds)
    }

    fn create(sessions: &mut Sessions, client: &str, now: i64, settings: &Settings) -> Result<Uuid, Conflict> {
        sessions.create(order(client, PHONE, 3600), at(now), settings, settings.overlap).map(|session| session.id)
    }

    #[test]
    fn a_flow_is_refused_while_another_session_holds_it_and_free_after_delete() {
        let settings = Settings { requested_delay_seconds: 10, ..Settings::default() };
        let mut sessions = Sessions::default();
        let first = create(&mut sessions, "a", 0, &settings).unwrap();
        assert_eq!(create(&mut sessions, "a", 1, &settings), Err(Conflict), "REQUESTED holds it");
        assert_eq!(create(&mut sessions, "b", 1, &settings), Err(Conflict), "for other clients too");
        sessions.advance(at(20), &settings);
        assert_eq!(create(&mut sessions, "a", 20, &settings), Err(Conflict), "AVAILABLE holds it");
        assert_eq!(sessions.terminate(at(30), &settings, |_| true), 1);
        sessions.advance(at(389), &settings);
        assert_eq!(create(&mut sessions, "a", 389, &settings), Err(Conflict), "kept as UNAVAILABLE it holds it");
        sessions.delete(first, "a", at(389), &settings).unwrap();
        let second = create(&mut sessions, "a", 389, &settings).unwrap();
        assert_eq!(sessions.get(first, "a", at(390)).unwrap_err(), Refused::NotFound);
        sessions.terminate(at(400), &settings, |session| session.id == second);
        sessions.advance(at(760), &settings);
        assert!(create(&mut sessions, "a", 760, &settings).is_ok(), "after the retention it is free");
    }

    #[test]
    fn each_overlap_setting_refuses_what_it_says() {
        let mut other_profile = order("a", PHONE, 60);
        other_profile.profile = "QOS_S".to_owned();
        for (overlap, same, other) in
            [(Overlap::Enforced, false, false), (Overlap::Identical, false, true), (Overlap::Off, true, true)]
        {
            let settings = Settings { overlap, ..Settings::default() };
            let mut sessions = Sessions::default();
            create(&mut sessions, "a", 0, &settings).unwrap();
            assert_eq!(create(&mut sessions, "a", 0, &settings).is_ok(), same, "{overlap:?}");
            assert_eq!(sessions.create(other_profile.clone(), at(0), &settings, overlap).is_ok(), other, "{overlap:?}");
        }
    }

    #[test]
    fn another_client_is_refused_and_its_asking_does_not_count_as_the_owners() {
        let settings = Settings::default();
        let mut sessions = Sessions::default();
        let id = create(&mut sessions, "a", 0, &settings).unwrap();
        assert_eq!(sessions.get(id, "b", at(1)).unwrap_err(), Refused::Foreign);
        assert_eq!(sessions.all()[0].last_asked, None);
        assert_eq!(sessions.delete(id, "b", at(1), &settings), Err(Refused::Foreign));
        sessions.get(id, "a", at(2)).unwrap();
        assert_eq!(sessions.all()[0].last_asked, Some(at(2)));
    }

    #[test]
    fn an_extended_session_ends_at_its_new_time_only() {
        let settings = Settings::default();
        let mut sessions = Sessions::default();
        let id = create(&mut sessions, "a", 0, &settings).unwrap();
        sessions.extend(id, "a", 600, at(10), &settings).unwrap();
        sessions.advance(at(3600), &settings);
        assert_eq!(sessions.get(id, "a", at(3600)).unwrap().state, State::Available);
        sessions.advance(at(4200), &settings);
        assert_eq!(sessions.get(id, "a", at(4200)).unwrap_err(), Refused::NotFound);
        assert!(sessions.timers.is_empty());
    }

    #[test]
    fn twins_of_one_client_are_doubled_by_flow_or_by_callback_and_of_two_clients_only_overlapping() {
        let settings = Settings { overlap: Overlap::Off, ..Settings::default() };
        let doubled = |sessions: &Sessions| sessions.all().iter().filter(|session| session.doubled).count();
        let mut sessions = Sessions::default();
        let first = create(&mut sessions, "a", 0, &settings).unwrap();
        create(&mut sessions, "b", 0, &settings).unwrap();
        assert_eq!((doubled(&sessions), sessions.overlapping()), (0, 1));
        sessions.delete(first, "a", at(1), &settings).unwrap();
        create(&mut sessions, "a", 2, &settings).unwrap();
        assert_eq!(doubled(&sessions), 0, "one after the other is no double");
        create(&mut sessions, "a", 3, &settings).unwrap();
        assert_eq!(doubled(&sessions), 1);
        let mut sessions = Sessions::default();
        for phone in [PHONE, "+447700900113"] {
            let mut order = order("a", phone, 60);
            order.callback = Some(Private::from("https://client.example.com/n/1"));
            sessions.create(order, at(0), &settings, settings.overlap).unwrap();
        }
        assert_eq!((doubled(&sessions), sessions.overlapping()), (1, 0));
    }

    #[test]
    fn a_lost_session_is_not_found_and_frees_its_flow() {
        let settings = Settings::default();
        let mut sessions = Sessions::default();
        let id = create(&mut sessions, "a", 0, &settings).unwrap();
        assert_eq!(sessions.lose(at(1), |session| session.id == id), 1);
        assert_eq!(sessions.get(id, "a", at(2)).unwrap_err(), Refused::NotFound);
        assert!(create(&mut sessions, "a", 2, &settings).is_ok());
    }
}
