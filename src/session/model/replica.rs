//! A replica's pass: the cached object, the read that is due, the shipped decision, and the first step of what it asks for.

use super::super::bounds;
use super::super::decide::{self, Step};
use super::super::facts::{AppliedHash, Nonce, Outcome, Past, Read};
use super::super::protocol::Sending;
use super::super::rules::Rule;
use super::config::Fault;
use super::moves::{Moves, Sink, who};
use super::record;
use super::state::{Answer, NO, NONE, Object, Prog, Rec, Saw, Shown, Slot, State, Status};
use super::view::{self, Pass};

impl<S: Sink> Moves<'_, S> {
    pub(super) fn replica(&mut self, r: usize, o: usize) {
        let slot = *self.state.slot(r, o);
        let name = who(self.config, r, o);
        let fixed = matches!(
            slot.prog,
            Prog::Looked { .. }
                | Prog::Intend { .. }
                | Prog::Patch { .. }
                | Prog::Restore
                | Prog::Delete { .. }
                | Prog::Extend { .. }
        );
        if slot.stale && !fixed {
            let mut next = *self.state;
            next.refresh(r, o, self.rules);
            self.free(next, || format!("{name}: its cache catches up"));
        }
        if slot.prog == Prog::Idle {
            if slot.cache.exists {
                self.pass(r, o);
            }
        } else {
            self.act(r, o);
        }
        if o == 0 && self.state.left(Fault::Crash) {
            self.crash(r);
        }
    }

    fn crash(&mut self, r: usize) {
        let mut next = *self.state;
        for o in 0..self.config.objects {
            *next.slot_mut(r, o) = Slot {
                cache: *self.state.object(o),
                stale: false,
                prog: Prog::Idle,
                no_get: false,
                no_delete: false,
                claim: false,
            };
            next.refresh(r, o, self.rules);
        }
        self.any(next, Some(Fault::Crash), None, || format!("{} crashes and starts again", who(self.config, r, 0)));
    }

    /// A pass over the object as the cache has it.
    fn pass(&mut self, r: usize, o: usize) {
        let slot = *self.state.slot(r, o);
        let past = view::past(&slot.cache, self.rules);
        let nonce = slot.cache.rec.filter(|rec| rec.uid == slot.cache.uid).map(|rec| rec.nonce);
        let named: Vec<u8> = match nonce {
            Some(nonce) if self.config.events && past.held.is_none() => self.state.named(nonce).collect(),
            _ => Vec::new(),
        };
        let readiness: &[bool] = if self.state.down { &[true, false] } else { &[true] };
        let polls: &[bool] = if past.held.is_some() { &[true, false] } else { &[true] };
        for &ready in readiness {
            for &poll in polls {
                for event in std::iter::once(None).chain(named.iter().copied().map(Some)) {
                    self.pass_with(r, o, &past, ready, poll, event);
                }
            }
        }
    }

    fn pass_with(&mut self, r: usize, o: usize, past: &Past, ready: bool, poll: bool, event: Option<u8>) {
        let slot = *self.state.slot(r, o);
        let (config, rules) = (self.config, self.rules);
        let pass = Pass {
            saw: Saw::Nothing,
            ready,
            poll,
            no_get: slot.no_get,
            no_delete: slot.no_delete,
            peer: config.objects > 1 && self.state.peer(r, o, self),
        };
        let goal = view::goal(&slot.cache, config);
        let observed = view::observed(&pass, self.state, config, rules);
        let read = decide::due_read(&goal, past, &observed, event.is_some(), view::now());
        let object = slot.cache;
        // Where the recorded session lives; the mutant has only what the spec says.
        let as_sent = |hash: u8| if rules.on(Rule::RecordAsSent) && hash != NONE { hash } else { object.spec };
        match read {
            Read::None if event.is_some() => {}
            Read::None => self.decided(r, o, &pass, &Seeing::before(0)),
            Read::Held => {
                let answer = self.state.get(object.status.session, as_sent(object.status.hash), config);
                self.read_answers(r, o, &pass, Saw::Held, answer);
            }
            Read::OfEvent => {
                let named = event.unwrap();
                let answer = self.state.get(named, as_sent(object.rec.map_or(NONE, |rec| rec.hash)), config);
                self.read_answers(r, o, &pass, |answer| Saw::Event { slot: named, answer }, answer);
            }
            Read::List if event.is_some() => {}
            Read::List => {
                let rec = object.rec.filter(|rec| rec.uid == object.uid);
                let open = bounds::open(past, view::now()).is_some();
                let hash = if open { as_sent(rec.map_or(NONE, |rec| rec.hash)) } else { object.spec };
                let wanted = if open { rec.map_or(object.spec, |rec| rec.hash) } else { object.spec };
                let key = u8::try_from(o).unwrap();
                let shown = self.state.list(key, rec.filter(|_| open).map(|rec| rec.nonce), hash, wanted, config);
                if self.state.down {
                    self.look(r, o, &pass, Saw::List(None), None, || "list fails".to_owned());
                } else {
                    let words = || format!("list: {}", listed(&shown));
                    self.look(r, o, &pass, Saw::List(Some(shown)), None, words);
                    if self.state.left(Fault::ReadError) {
                        self.look(r, o, &pass, Saw::List(None), Some(Fault::ReadError), || "list fails".to_owned());
                    }
                }
            }
        }
    }

    fn read_answers(&mut self, r: usize, o: usize, pass: &Pass, saw: impl Fn(Answer) -> Saw, answer: Answer) {
        let error = || "GET fails".to_owned();
        if self.state.down {
            self.look(r, o, pass, saw(Answer::Error), None, error);
            return;
        }
        self.look(r, o, pass, saw(answer), None, || format!("GET: {}", got(&answer)));
        if self.state.left(Fault::ReadError) {
            self.look(r, o, pass, saw(Answer::Error), Some(Fault::ReadError), error);
        }
        if self.state.left(Fault::Gateway) {
            let answer = if self.rules.on(Rule::GatewayIsNotGone) { Answer::Error } else { Answer::Gone };
            self.look(r, o, pass, saw(answer), Some(Fault::Gateway), || "GET: 404 of a gateway".to_owned());
        }
    }

    fn look(&mut self, r: usize, o: usize, pass: &Pass, saw: Saw, fault: Option<Fault>, words: impl FnOnce() -> String) {
        if self.rules.on(Rule::DecidedAsOfTheLook) {
            // What is decided goes by the time of the look, and by what was observed then: nothing can come between them.
            let seeing = Seeing { since: 0, fault, words: words() };
            return self.decided(r, o, &Pass { saw, ..*pass }, &seeing);
        }
        let mut next = *self.state;
        let slot = next.slot_mut(r, o);
        slot.prog = Prog::Looked { saw, since: 0, ready: pass.ready };
        if saw == Saw::Held(Answer::NotSupported) {
            slot.no_get = true;
        }
        let name = who(self.config, r, o);
        self.any(next, fault, None, || format!("{name}: {}", words()));
    }

    /// The decision, and the first step of what it asks for.
    pub(super) fn decided(&mut self, r: usize, o: usize, pass: &Pass, seeing: &Seeing) {
        let (config, rules) = (self.config, self.rules);
        let slot = *self.state.slot(r, o);
        let (goal, past) = (view::goal(&slot.cache, config), view::past(&slot.cache, rules));
        let observed = view::observed(pass, self.state, config, rules);
        let decision = decide::decide(&goal, &past, &observed, view::now());
        let (object, status) = (slot.cache, slot.cache.status);
        let as_sent = |hash: u8| if rules.on(Rule::RecordAsSent) && hash != NONE { hash } else { object.spec };
        let write = |status: Status| Prog::Write { uid: object.uid, status, stale: slot.stale, answered: None };
        let shown = match pass.saw {
            Saw::List(Some(shown)) => Some(shown),
            _ => None,
        };
        let mut next = *self.state;
        let prog = match decision.step {
            Step::None => match record::untold(&status, &decision) {
                Some(status) => write(status),
                None => Prog::Idle,
            },
            Step::RemoveFinalizer => Prog::Unfinalize { uid: object.uid },
            Step::RestoreFinalizer => Prog::Restore,
            Step::Release => Prog::Delete { slot: status.session, hash: as_sent(status.hash), held: true },
            Step::ReleaseListed(i) => {
                let slot = u8::try_from(i).unwrap();
                Prog::Delete { slot, hash: self.state.session(slot).hash, held: false }
            }
            Step::RecordReleased(ending) => write(record::released(&status, ending)),
            Step::RecordSeen(seen) => write(record::seen(&status, view::sight(&seen), config)),
            Step::AdoptListed(i) => {
                let (rec, shown) = (object.rec.unwrap(), shown.unwrap());
                // Without a nonce there is only the flow to adopt by: a mutant does that.
                let found = if shown.own == NONE { shown.flow } else { u8::try_from(i).unwrap() };
                write(record::created(&status, &rec, found, shown.sight, config))
            }
            Step::AdoptEvent(seen) => {
                let Saw::Event { slot: named, .. } = pass.saw else { unreachable!() };
                write(record::created(&status, &object.rec.unwrap(), named, view::sight(&seen), config))
            }
            Step::SettleEvent => write(record::over(&status, &object.rec.unwrap())),
            Step::RecordListed(i) => Prog::Patch { rec: self.found(i, &object) },
            Step::MarkExtends => Prog::Patch { rec: Rec { extends: true, ..object.rec.unwrap() } },
            Step::DeferDeath { dead_by } => Prog::Patch { rec: Rec { dead: view::ticks(dead_by), ..object.rec.unwrap() } },
            Step::Extend { seconds } => {
                Prog::Extend { slot: status.session, ticks: i8::try_from(seconds).unwrap(), since: seeing.since }
            }
            Step::RecordAbsent => write(record::settled(&status, object.rec.unwrap().nonce, Outcome::Absent)),
            Step::Send { seconds, earlier } => {
                let seconds = i8::try_from(seconds).unwrap();
                Prog::Intend { seconds, earlier: earlier.map_or(NO, view::ticks) }
            }
        };
        let slot = next.slot_mut(r, o);
        slot.prog = prog;
        slot.no_get |= pass.saw == Saw::Held(Answer::NotSupported);
        if next != *self.state {
            let words = || {
                let saw = if seeing.words.is_empty() { String::new() } else { format!("{}; ", seeing.words) };
                format!("{}: {saw}row {:?}: {}", who(config, r, o), decision.row, stepped(&decision.step))
            };
            self.any(next, seeing.fault, None, words);
        }
    }

    /// The record for a send that is about to be made.
    pub(super) fn intent(&self, r: usize, o: usize, seconds: i8, earlier: i8) -> Rec {
        let object = self.state.slot(r, o).cache;
        let again = object.rec.filter(|rec| rec.uid == object.uid && earlier != NO && !self.rules.on(Rule::FreshNonce));
        let sending = Sending {
            nonce: Nonce(u128::from(again.map_or(self.state.fresh, |rec| rec.nonce))),
            hash: AppliedHash(u64::from(object.spec)),
            duration_seconds: i64::from(seconds),
            longest_grant: i64::from(self.config.longest(self.state.shortened)),
            earlier: (earlier != NO).then(|| view::time(earlier)),
        };
        view::record(&sending, object.uid, self.state, self.config, self.rules)
    }

    /// The record for a session of ours that neither annotation nor status knows.
    fn found(&self, i: usize, object: &Object) -> Rec {
        let session = &self.state.sessions[i];
        let sending = Sending {
            nonce: Nonce(u128::from(session.nonce)),
            hash: AppliedHash(u64::from(object.spec)),
            duration_seconds: i64::from(session.granted),
            longest_grant: i64::from(self.config.longest(self.state.shortened)),
            earlier: None,
        };
        view::record(&sending, object.uid, self.state, self.config, self.rules)
    }
}

/// What a pass saw before it decided.
pub(super) struct Seeing {
    since: i8,
    fault: Option<Fault>,
    words: String,
}

impl Seeing {
    pub(super) const fn before(since: i8) -> Self {
        Self { since, fault: None, words: String::new() }
    }
}

impl State {
    /// The cache catches up; what it shows of the object's holdings is what the process claims, unless it is at it.
    pub(super) fn refresh(&mut self, r: usize, o: usize, rules: super::super::rules::Rules) {
        let object = *self.object(o);
        let slot = self.slot_mut(r, o);
        slot.cache = object;
        slot.stale = false;
        if slot.prog == Prog::Idle {
            slot.claim = holds(&object, rules);
        }
    }

    /// Another object holds the flow, is sending for it, or wants it and is older: as this replica's cache has it.
    pub(super) fn peer<S: Sink>(&self, r: usize, o: usize, moves: &Moves<'_, S>) -> bool {
        let other = self.slot(r, 1 - o);
        let object = &other.cache;
        if self.slot(r, o).cache.spec != object.spec && moves.config.other != super::config::Other::Profile {
            return false;
        }
        let wants = object.exists && !object.deleting && !object.suspend && !object.paused;
        object.exists && (other.claim || holds(object, moves.rules)) || (wants && 1 - o < o)
    }

    /// Takes the flow's claim for this object, if no other of this process has it (R13).
    pub(super) fn claims<S: Sink>(&mut self, r: usize, o: usize, moves: &Moves<'_, S>) -> bool {
        if moves.config.objects > 1 && moves.rules.on(Rule::OneObjectAFlow) && self.slot(r, 1 - o).claim {
            return false;
        }
        self.slot_mut(r, o).claim = moves.config.objects > 1;
        true
    }
}

fn holds(object: &Object, rules: super::super::rules::Rules) -> bool {
    let past = view::past(object, rules);
    object.exists && (past.held.is_some() || bounds::open(&past, view::now()).is_some())
}

fn stepped(step: &Step) -> String {
    match step {
        Step::RecordSeen(seen) => format!("RecordSeen({:?})", seen.word),
        Step::AdoptEvent(_) => "AdoptEvent".to_owned(),
        Step::Send { earlier, .. } => format!("Send{}", if earlier.is_some() { " once more" } else { "" }),
        step => format!("{step:?}"),
    }
}

fn listed(shown: &Shown) -> String {
    match (shown.own, shown.other_own, shown.flow) {
        (NONE, NONE, NONE) => "empty".to_owned(),
        (NONE, NONE, flow) => format!("#{flow} on the flow"),
        (NONE, other, _) => format!("#{other} of this object"),
        (own, ..) => format!("#{own} of this nonce"),
    }
}

fn got(answer: &Answer) -> String {
    match answer {
        Answer::Session(sight) => format!("{:?}", sight.word),
        Answer::Gone => "404 NOT_FOUND".to_owned(),
        Answer::Error => "an error".to_owned(),
        Answer::NotSupported => "405".to_owned(),
    }
}
