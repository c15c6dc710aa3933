//! All sessions of the provider: the overlap rule, who may touch what, and the passing of time.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::jiff::Timestamp;
use uuid::Uuid;

use super::device::Device;
use super::generation::Generation;
use super::session::{NotExtended, Order, Session, State, seconds_later};
use super::settings::{Overlap, Settings};
use super::transition::{Change, Transition};

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
pub(super) mod tests {
    use super::super::session::tests::{order, start};
    use super::super::settings::{Flavour, Quirk};
    use super::super::transition::{EventStatus, NotifyTarget, StatusInfo};
    use super::*;
    use crate::private::Private;

    const PHONE: &str = "+447700900112";

    /// Somebody with a two-legged token of `client`.
    pub(in super::super) fn viewer(client: &str) -> Viewer<'_> {
        Viewer { client, subject: None, generation: Generation::V0_10 }
    }

    fn at(seconds: i64) -> Timestamp {
        seconds_later(start(), seconds)
    }

    fn create(sessions: &mut Sessions, client: &str, now: i64, settings: &Settings) -> Result<Uuid, ()> {
        sessions.create(order(client, PHONE, 3600), at(now), settings, settings.overlap).map(|session| session.id).map_err(drop)
    }

    #[test]
    fn a_flow_is_refused_while_another_session_holds_it_and_free_after_delete() {
        let settings = Settings { requested_delay_seconds: 10, ..Settings::default() };
        let mut sessions = Sessions::default();
        let first = create(&mut sessions, "a", 0, &settings).unwrap();
        assert_eq!(create(&mut sessions, "a", 1, &settings), Err(()), "REQUESTED holds it");
        assert_eq!(create(&mut sessions, "b", 1, &settings), Err(()), "for other clients too");
        sessions.advance(at(20), &settings);
        assert_eq!(create(&mut sessions, "a", 20, &settings), Err(()), "AVAILABLE holds it");
        assert_eq!(sessions.terminate(at(30), &settings, |_| true), 1);
        sessions.advance(at(389), &settings);
        assert_eq!(create(&mut sessions, "a", 389, &settings), Err(()), "kept as UNAVAILABLE it holds it");
        sessions.delete(first, &viewer("a"), at(389), &settings).unwrap();
        let second = create(&mut sessions, "a", 389, &settings).unwrap();
        assert_eq!(sessions.get(first, &viewer("a"), at(390)).unwrap_err(), Refused::NotFound);
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
        assert_eq!(sessions.get(id, &viewer("b"), at(1)).unwrap_err(), Refused::Foreign);
        assert_eq!(sessions.all()[0].last_asked, None);
        assert_eq!(sessions.delete(id, &viewer("b"), at(1), &settings), Err(Refused::Foreign));
        sessions.get(id, &viewer("a"), at(2)).unwrap();
        assert_eq!(sessions.all()[0].last_asked, Some(at(2)));
    }

    #[test]
    fn an_extended_session_ends_at_its_new_time_only() {
        let settings = Settings::default();
        let mut sessions = Sessions::default();
        let id = create(&mut sessions, "a", 0, &settings).unwrap();
        sessions.extend(id, &viewer("a"), 600, at(10), &settings).unwrap();
        sessions.advance(at(3600), &settings);
        assert_eq!(sessions.get(id, &viewer("a"), at(3600)).unwrap().state, State::Available);
        sessions.advance(at(4200), &settings);
        assert_eq!(sessions.get(id, &viewer("a"), at(4200)).unwrap_err(), Refused::NotFound);
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
        sessions.delete(first, &viewer("a"), at(1), &settings).unwrap();
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
        assert_eq!(sessions.get(id, &viewer("a"), at(2)).unwrap_err(), Refused::NotFound);
        assert!(create(&mut sessions, "a", 2, &settings).is_ok());
    }

    #[test]
    fn a_session_is_found_and_listed_only_by_its_client_its_subject_and_its_generation() {
        let settings = Settings::default();
        let mut sessions = Sessions::default();
        let id = create(&mut sessions, "a", 0, &settings).unwrap();
        let device = order("a", PHONE, 60).flow.device;
        let other = order("a", "+447700900113", 60).flow.device;
        let by = |subject, generation| Viewer { subject, generation, ..viewer("a") };
        assert!(sessions.get(id, &by(Some(&device), Generation::V0_10), at(1)).is_ok());
        assert_eq!(sessions.get(id, &by(Some(&other), Generation::V0_10), at(1)).unwrap_err(), Refused::Foreign);
        assert_eq!(sessions.get(id, &by(None, Generation::V0_11), at(1)).unwrap_err(), Refused::NotFound);
        let listed = |who: &Viewer<'_>, device: &Device, lag| sessions.list(who, device, at(1), lag).count();
        assert_eq!(listed(&viewer("a"), &device, 0), 1);
        assert_eq!(listed(&viewer("a"), &device, 1), 1);
        assert_eq!(listed(&viewer("a"), &device, 2), 0, "the list lags behind");
        assert_eq!(listed(&viewer("a"), &other, 0), 0);
        assert_eq!(listed(&viewer("b"), &device, 0), 0);
        assert_eq!(listed(&by(None, Generation::V0_11), &device, 0), 0);
    }

    #[test]
    fn a_list_has_retained_sessions_and_never_a_deleted_one() {
        let settings = Settings { deleted_kept_seconds: 360, ..Settings::default() };
        let mut sessions = Sessions::default();
        let id = create(&mut sessions, "a", 0, &settings).unwrap();
        let device = order("a", PHONE, 60).flow.device;
        sessions.terminate(at(1), &settings, |_| true);
        assert_eq!(sessions.list(&viewer("a"), &device, at(2), 0).count(), 1);
        sessions.delete(id, &viewer("a"), at(2), &settings).unwrap();
        assert!(sessions.get(id, &viewer("a"), at(2)).is_ok(), "still shown by its id");
        assert_eq!(sessions.list(&viewer("a"), &device, at(2), 0).count(), 0);
    }

    fn told(sessions: &mut Sessions) -> Vec<(i64, EventStatus, Option<StatusInfo>)> {
        let at = |transition: Transition| transition.at.as_second() - start().as_second();
        sessions.transitions().drain(..).map(|told| (at(told), told.status, told.info)).collect()
    }

    fn notified(generation: Generation) -> Order {
        let url = Private::from("https://client.example.com/n/1");
        let flavour = Flavour::Camara;
        let target = NotifyTarget { url, token: None, token_expires: None, key: None, generation, flavour };
        Order { notify: Some(target), generation, ..order("a", PHONE, 3600) }
    }

    #[test]
    fn the_client_is_told_of_each_change_at_its_own_time_and_of_none_twice() {
        use EventStatus::{Available, Unavailable};
        let settings = Settings { requested_delay_seconds: 5, ..Settings::default() };
        let mut sessions = Sessions::default();
        let create = |sessions: &mut Sessions, settings: &Settings, now| {
            sessions.create(notified(Generation::V1_1), at(now), settings, Overlap::Off).unwrap().id
        };
        let id = create(&mut sessions, &settings, 0);
        assert_eq!(told(&mut sessions), []);
        sessions.advance(at(100), &settings);
        assert_eq!(told(&mut sessions), [(5, Available, None)]);
        sessions.extend(id, &viewer_of(Generation::V1_1), 60, at(101), &settings).unwrap();
        assert_eq!(told(&mut sessions), [], "an extension is no event");
        sessions.terminate(at(110), &settings, |_| true);
        assert_eq!(told(&mut sessions), [(110, Unavailable, Some(StatusInfo::NetworkTerminated))]);
        sessions.advance(at(5000), &settings);
        assert_eq!(told(&mut sessions), [], "the end of the retention is no event");
        let id = create(&mut sessions, &settings, 5000);
        sessions.delete(id, &viewer_of(Generation::V1_1), at(5001), &settings).unwrap();
        assert_eq!(told(&mut sessions), [], "it was REQUESTED");
        let at_once = Settings::default();
        let id = create(&mut sessions, &at_once, 6000);
        sessions.delete(id, &viewer_of(Generation::V1_1), at(6001), &at_once).unwrap();
        assert_eq!(told(&mut sessions), [(6000, Available, None), (6001, Unavailable, Some(StatusInfo::DeleteRequested))]);
        create(&mut sessions, &at_once, 7000);
        sessions.advance(at(20_000), &at_once);
        assert_eq!(told(&mut sessions), [(7000, Available, None), (10_600, Unavailable, Some(StatusInfo::DurationExpired))]);
        let id = create(&mut sessions, &at_once, 20_000);
        sessions.terminate(at(20_001), &at_once, |_| true);
        told(&mut sessions);
        sessions.delete(id, &viewer_of(Generation::V1_1), at(20_002), &at_once).unwrap();
        assert_eq!(told(&mut sessions), [], "it was UNAVAILABLE already");
        sessions.create(order("a", "+447700900113", 60), at(20_000), &at_once, Overlap::Off).unwrap();
        assert_eq!(told(&mut sessions), [], "no callback was given");
    }

    fn viewer_of(generation: Generation) -> Viewer<'static> {
        Viewer { generation, ..viewer("a") }
    }

    #[test]
    fn a_creation_refused_by_the_network_is_told_at_once_and_a_late_one_when_the_retention_ends() {
        let refused = Settings { unavailable_at_once: true, ..Settings::default() };
        let mut sessions = Sessions::default();
        let terminated = Some(StatusInfo::NetworkTerminated);
        sessions.create(notified(Generation::V1_2), at(0), &refused, Overlap::Enforced).unwrap();
        assert_eq!(told(&mut sessions), [(0, EventStatus::Unavailable, terminated)]);
        let late = Settings { quirks: [Quirk::LateTerminationEvent].into(), ..Settings::default() };
        let mut sessions = Sessions::default();
        sessions.create(notified(Generation::V1_1), at(0), &late, Overlap::Enforced).unwrap();
        told(&mut sessions);
        sessions.terminate(at(10), &late, |_| true);
        assert_eq!(told(&mut sessions), []);
        sessions.advance(at(1000), &late);
        assert_eq!(told(&mut sessions), [(370, EventStatus::Unavailable, terminated)]);
    }
}
