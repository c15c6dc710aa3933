//! What a replica's program does after its decision, one small step at a time: writes to the API server and calls to the provider.

use super::super::decide::{self, Ending, Step};
use super::super::facts::{Nonce, Outcome};
use super::super::protocol::{self, Recording};
use super::super::rules::Rule;
use super::config::Fault;
use super::moves::{Moves, Sink, who};
use super::provider::{self, Landing, Made};
use super::record;
use super::replica::Seeing;
use super::state::{FOREIGN, NONE, Pending, Prog, Rec, Session, Sight, State, Status};
use super::view::{self, Pass};
use super::world::told;

/// The outcome of a create, on its way into the status.
type Answered = (Rec, Outcome, u8, Sight);

impl<S: Sink> Moves<'_, S> {
    pub(super) fn act(&mut self, r: usize, o: usize) {
        let slot = *self.state.slot(r, o);
        match slot.prog {
            Prog::Idle => {}
            Prog::Looked { saw, since, ready } => {
                let peer = self.config.objects > 1 && self.state.peer(r, o, self);
                let pass = Pass { saw, ready, poll: true, no_get: slot.no_get, no_delete: slot.no_delete, peer };
                self.decided(r, o, &pass, &Seeing::before(since));
            }
            Prog::Intend { seconds, earlier } => {
                let rec = self.intent(r, o, seconds, earlier);
                self.patch(r, o, rec, true);
            }
            Prog::Patch { rec } => self.patch(r, o, rec, false),
            Prog::Restore => self.restore(r, o),
            Prog::Post { uid, rec } => self.post(r, o, uid, &rec),
            Prog::Answered { uid, rec, answer, slot, sight } => self.answered(r, o, uid, &rec, answer, slot, sight),
            Prog::Write { uid, status, stale, answered } => self.write(r, o, uid, &status, stale, answered),
            Prog::Delete { slot, hash, held } => self.delete(r, o, slot, hash, held),
            Prog::Unfinalize { uid } => self.unfinalize(r, o, uid),
            Prog::Extend { slot, ticks, since } => self.extend(r, o, slot, ticks, since),
        }
    }

    fn then(&self, r: usize, o: usize, prog: Prog) -> State {
        let mut next = *self.state;
        next.slot_mut(r, o).prog = prog;
        next
    }

    /// Finalizer and record in one patch, with the version that was read.
    fn patch(&mut self, r: usize, o: usize, rec: Rec, send: bool) {
        let name = who(self.config, r, o);
        let slot = *self.state.slot(r, o);
        let object = *self.state.object(o);
        let mut next = *self.state;
        if send && !next.claims(r, o, self) {
            let next = self.then(r, o, Prog::Idle);
            self.free(next, || format!("{name}: the flow is claimed"));
            return;
        }
        next.fresh = next.fresh.max(rec.nonce + 1);
        if send && !self.rules.on(Rule::IntentBeforeSend) {
            next.slot_mut(r, o).prog = Prog::Post { uid: slot.cache.uid, rec };
            self.free(next, || format!("{name}: writes nothing before n{}", rec.nonce));
            return;
        }
        let conflict = (slot.stale && self.rules.on(Rule::IntentGuardedByVersion)) || !object.exists;
        // The API server takes no new finalizer for an object that is being deleted.
        if conflict || (object.deleting && !object.finalizer) {
            let next = self.then(r, o, Prog::Idle);
            self.free(next, || format!("{name}: patch of the attempt conflicts"));
            return;
        }
        next.write(o, |object| {
            object.rec = Some(rec);
            object.finalizer = true;
        });
        let lost = {
            let mut next = next;
            next.slot_mut(r, o).prog = Prog::Idle;
            next
        };
        next.slot_mut(r, o).prog = if send { Prog::Post { uid: object.uid, rec } } else { Prog::Idle };
        self.free(next, || format!("{name}: patch finalizer+attempt n{}", rec.nonce));
        if send && self.state.left(Fault::LostApi) {
            self.any(lost, Some(Fault::LostApi), None, || format!("{name}: patch finalizer+attempt n{}, answer lost", rec.nonce));
        }
    }

    fn restore(&mut self, r: usize, o: usize) {
        let name = who(self.config, r, o);
        let object = self.state.object(o);
        let mut next = self.then(r, o, Prog::Idle);
        if self.state.slot(r, o).stale || !object.exists || object.deleting {
            self.free(next, || format!("{name}: patch of the finalizer conflicts"));
            return;
        }
        next.write(o, |object| object.finalizer = true);
        self.free(next, || format!("{name}: puts the finalizer back"));
    }

    /// The last check, and the create: once.
    fn post(&mut self, r: usize, o: usize, uid: u8, rec: &Rec) {
        let name = who(self.config, r, o);
        let key = u8::try_from(o).unwrap();
        let margins = self.config.margins(self.state.shortened);
        let idle = self.then(r, o, Prog::Idle);
        let rules = self.rules;
        let nothing = |outcome: Outcome| {
            // The mutant takes a refusal for the end of older sends too.
            let forgets = rec.earlier != super::state::NO && !rules.on(Rule::RefusalKeepsEarlier);
            let answer = if forgets { Outcome::Absent } else { outcome };
            Prog::Answered { uid, rec: *rec, answer, slot: NONE, sight: Sight::NOTHING }
        };
        if !protocol::may_send(view::time(rec.at), view::now(), &margins, rules) {
            let next = self.then(r, o, nothing(Outcome::Refused));
            self.free(next, || format!("{name}: the send window of n{} has passed, nothing sent", rec.nonce));
            return;
        }
        let late = self.config.late(self.state.shortened);
        if self.state.left(Fault::Late) && idle.pending.iter().any(Option::is_none) {
            let mut next = idle;
            let free = next.pending.iter().position(Option::is_none).unwrap();
            next.pending[free] = Some(Pending { rec: Rec { uid, ..*rec }, key, until: late, may_long: !self.state.shortened });
            self.any(next, Some(Fault::Late), None, || format!("{name}: POST n{} is under way, client gives up", rec.nonce));
        }
        if self.state.down {
            self.free(idle, || format!("{name}: POST n{} fails", rec.nonce));
            return;
        }
        if self.state.left(Fault::Lost) {
            self.any(idle, Some(Fault::Lost), None, || format!("{name}: POST n{} is lost on its way", rec.nonce));
        }
        if self.state.left(Fault::Refused) {
            let next = self.then(r, o, nothing(Outcome::Refused));
            self.any(next, Some(Fault::Refused), None, || format!("{name}: POST n{} is refused with 4xx", rec.nonce));
        }
        for (landing, fault) in provider::landings(self.state, !self.state.shortened) {
            let mut next = *self.state;
            let made = next.create(&Rec { uid, ..*rec }, key, landing, self.config);
            if landing != Landing::PLAIN && matches!(made, Made::Conflict(_)) {
                continue;
            }
            let offends = self.conflict(&mut next, made, uid);
            let prog = match made {
                Made::Session(slot) => {
                    let sight = provider::sight(next.session(slot));
                    Prog::Answered { uid, rec: *rec, answer: Outcome::Created, slot, sight }
                }
                Made::Conflict(_) => nothing(Outcome::Busy),
            };
            let mut lost = next;
            next.slot_mut(r, o).prog = prog;
            self.any(next, fault, offends, || format!("{name}: POST n{} {}", rec.nonce, told(made, landing)));
            if self.state.left(Fault::Lost) {
                lost.slot_mut(r, o).prog = Prog::Idle;
                if let Some(fault) = fault {
                    lost.budget[fault as usize] -= 1;
                }
                let words = || format!("{name}: POST n{} {}, answer lost", rec.nonce, told(made, landing));
                self.any(lost, Some(Fault::Lost), offends, words);
            }
        }
    }

    /// The outcome of a create: what the object says now tells what to do with it.
    #[expect(clippy::too_many_arguments, reason = "they are the fields of one variant")]
    fn answered(&mut self, r: usize, o: usize, uid: u8, rec: &Rec, answer: Outcome, slot: u8, sight: Sight) {
        let name = who(self.config, r, o);
        let object = *self.state.object(o);
        let same = object.exists && object.uid == uid;
        let past = view::past(&object, self.rules);
        let (told, idle) = (outcome(rec, answer, slot), self.then(r, o, Prog::Idle));
        match protocol::recording(same, &past, Nonce(u128::from(rec.nonce)), self.rules) {
            Recording::Write => {
                let status = match answer {
                    Outcome::Created => record::created(&object.status, rec, slot, sight, self.config),
                    _ => record::settled(&object.status, rec.nonce, answer),
                };
                let answered = Some((*rec, answer, slot, sight));
                if self.rules.on(Rule::StatusGuardedByVersion) {
                    // Reading and writing are one: a change between them is a conflict, and both are made again.
                    return self.write(r, o, uid, &status, false, answered);
                }
                let next = self.then(r, o, Prog::Write { uid, status, stale: false, answered });
                self.free(next, || format!("{name}: has the object at hand to record {told}"));
            }
            Recording::Known => {
                let kept = same && object.status.settled.is_some_and(|(nonce, _)| nonce == rec.nonce);
                let dropped = slot != NONE && !kept && self.state.session(slot).live();
                let offends = dropped.then_some("h: the id of a living session was in hand and is thrown away");
                self.any(idle, None, offends, || format!("{name}: {told} needs no record"));
            }
            Recording::Superseded if slot == NONE => self.free(idle, || format!("{name}: {told} is superseded")),
            Recording::Superseded => {
                let next = self.then(r, o, Prog::Delete { slot, hash: rec.hash, held: false });
                self.free(next, || format!("{name}: {told} is superseded"));
            }
        }
    }

    fn write(&mut self, r: usize, o: usize, uid: u8, status: &Status, stale: bool, answered: Option<Answered>) {
        let name = who(self.config, r, o);
        let object = *self.state.object(o);
        let again = answered.map_or(Prog::Idle, |(rec, answer, slot, sight)| Prog::Answered { uid, rec, answer, slot, sight });
        let same = object.exists && object.uid == uid;
        if !same || (stale && self.rules.on(Rule::StatusGuardedByVersion)) {
            let next = self.then(r, o, again);
            self.free(next, || format!("{name}: status write conflicts"));
            return;
        }
        let mut next = *self.state;
        let mut offends = None;
        if status.session != NONE && status.session != object.status.session {
            let session = &mut next.sessions[usize::from(status.session)];
            session.known = session.there();
            offends = (!self.ours(session, o, &object.rec)).then_some("d: another's session is adopted");
        }
        next.write(o, |object| object.status = *status);
        let mut lost = next;
        next.slot_mut(r, o).prog = Prog::Idle;
        self.any(next, None, offends, || format!("{name}: writes status: {}", held(status)));
        if self.state.left(Fault::LostApi) {
            lost.slot_mut(r, o).prog = again;
            self.any(lost, Some(Fault::LostApi), offends, || format!("{name}: writes status: {}, answer lost", held(status)));
        }
    }

    /// A session that this object may adopt: its own, or one that carries the nonce of its record.
    fn ours(&self, session: &Session, o: usize, rec: &Option<Rec>) -> bool {
        let object = self.state.object(o);
        !session.there()
            || session.uid == object.uid
            || (session.uid != FOREIGN && session.nonce != NONE && rec.is_some_and(|rec| rec.nonce == session.nonce))
    }

    fn delete(&mut self, r: usize, o: usize, slot: u8, hash: u8, held: bool) {
        let name = who(self.config, r, o);
        let idle = self.then(r, o, Prog::Idle);
        let unconfirmed = if self.rules.on(Rule::ConfirmedRelease) || !held {
            idle
        } else {
            self.then(r, o, self.released(r, o, Ending::Deleted))
        };
        if self.state.down {
            self.free(unconfirmed, || format!("{name}: DELETE #{slot} fails"));
            return;
        }
        if !self.config.deletes {
            let mut next = idle;
            next.slot_mut(r, o).no_delete = true;
            self.free(next, || format!("{name}: DELETE #{slot}: 405"));
            return;
        }
        let foreign = self.state.session(slot).there() && usize::from(self.state.session(slot).key) != o;
        let offends = foreign.then_some("d: another's session is deleted");
        let mut next = *self.state;
        let deleted = next.delete(slot, hash, self.config);
        let ending = if deleted { Ending::Deleted } else { Ending::GoneAtDelete };
        let words = if deleted { "204" } else { "404 NOT_FOUND" };
        next.slot_mut(r, o).prog = if held { self.released(r, o, ending) } else { Prog::Idle };
        let mut lost = next;
        self.any(next, None, offends, || format!("{name}: DELETE #{slot}: {words}"));
        if self.state.left(Fault::Lost) {
            lost.slot_mut(r, o).prog = unconfirmed.slot(r, o).prog;
            self.any(lost, Some(Fault::Lost), offends, || format!("{name}: DELETE #{slot}: {words}, answer lost"));
            self.any(unconfirmed, Some(Fault::Lost), offends, || format!("{name}: DELETE #{slot} is lost on its way"));
        }
        if self.state.left(Fault::Gateway) {
            let gone = held && !self.rules.on(Rule::GatewayIsNotGone);
            let next = if gone { self.then(r, o, self.released(r, o, Ending::GoneAtDelete)) } else { idle };
            self.any(next, Some(Fault::Gateway), offends, || format!("{name}: DELETE #{slot}: 404 of a gateway"));
        }
    }

    /// What follows a confirmed release, as the shipped code says.
    fn released(&self, r: usize, o: usize, ending: Ending) -> Prog {
        let slot = self.state.slot(r, o);
        let (goal, past) = (view::goal(&slot.cache, self.config), view::past(&slot.cache, self.rules));
        match decide::after_release(&goal, &past, ending, view::now()) {
            Step::RemoveFinalizer => Prog::Unfinalize { uid: slot.cache.uid },
            _ => Prog::Write {
                uid: slot.cache.uid,
                status: record::released(&slot.cache.status, ending),
                stale: slot.stale,
                answered: None,
            },
        }
    }

    fn unfinalize(&mut self, r: usize, o: usize, uid: u8) {
        let name = who(self.config, r, o);
        let object = *self.state.object(o);
        let mut next = self.then(r, o, Prog::Idle);
        if !object.exists || !object.finalizer || (object.uid != uid && self.rules.on(Rule::FinalizerGuardedByUid)) {
            self.free(next, || format!("{name}: removal of the finalizer finds none"));
            return;
        }
        next.write(o, |object| object.finalizer = false);
        self.free(next, || format!("{name}: removes the finalizer"));
    }

    fn extend(&mut self, r: usize, o: usize, session: u8, ticks: i8, since: i8) {
        let name = who(self.config, r, o);
        let idle = self.then(r, o, Prog::Idle);
        let margins = self.config.margins(self.state.shortened);
        if !protocol::may_send(view::time(since), view::now(), &margins, self.rules) || self.state.down {
            self.free(idle, || format!("{name}: extend of #{session} is not made"));
            return;
        }
        let mut next = *self.state;
        let Some(sight) = next.extend(session, ticks) else {
            self.free(idle, || format!("{name}: extend of #{session} is refused"));
            return;
        };
        let slot = *self.state.slot(r, o);
        let status = record::seen(&slot.cache.status, sight, self.config);
        let mut lost = next;
        next.slot_mut(r, o).prog = Prog::Write { uid: slot.cache.uid, status, stale: slot.stale, answered: None };
        self.free(next, || format!("{name}: extends #{session} by {ticks}"));
        if self.state.left(Fault::Lost) {
            lost.slot_mut(r, o).prog = Prog::Idle;
            self.any(lost, Some(Fault::Lost), None, || format!("{name}: extends #{session} by {ticks}, answer lost"));
            self.any(idle, Some(Fault::Lost), None, || format!("{name}: extend of #{session} is lost on its way"));
        }
    }
}

fn held(status: &Status) -> String {
    match (status.session, status.settled) {
        (NONE, Some((nonce, outcome))) => format!("nothing held, n{nonce} {outcome:?}"),
        (NONE, None) => "nothing held".to_owned(),
        (session, Some((nonce, outcome))) => format!("holds #{session}, n{nonce} {outcome:?}"),
        (session, None) => format!("holds #{session}"),
    }
}

fn outcome(rec: &Rec, answer: Outcome, slot: u8) -> String {
    match slot {
        NONE => format!("n{} {answer:?}", rec.nonce),
        slot => format!("n{} = #{slot}", rec.nonce),
    }
}
