//! The modelled world as the facts of the shipped code, and its answers back again.

use k8s_openapi::jiff::Timestamp;

use super::super::facts::{
    AppliedHash, Attempt, Bar, Goal, Got, Held, Limits, Listed, Look, Memory, Nonce, Observed, Past, Reach, Record, Seen, Settled,
};
use super::super::protocol::{self, Sending};
use super::super::rules::{Rule, Rules};
use super::config::Config;
use super::state::{Answer, NO, NONE, Object, Rec, Saw, Sight, State};

/// Now, always: times are kept relative to it.
const NOW: i64 = 1_000_000;

pub(super) fn time(ticks: i8) -> Timestamp {
    Timestamp::from_second(NOW + i64::from(ticks)).unwrap()
}

pub(super) fn now() -> Timestamp {
    time(0)
}

fn some(ticks: i8) -> Option<Timestamp> {
    (ticks != NO).then(|| time(ticks))
}

/// Ticks from now; what is out of a byte's reach is far enough.
pub(super) fn ticks(at: Timestamp) -> i8 {
    i8::try_from((at.as_second() - NOW).clamp(-100, 100)).unwrap()
}

fn opt(at: Option<Timestamp>) -> i8 {
    at.map_or(NO, ticks)
}

fn attempt(rec: &Rec) -> Attempt {
    Attempt {
        nonce: Nonce(u128::from(rec.nonce)),
        at: time(rec.at),
        lands_by: time(rec.lands),
        dead_by: time(rec.dead),
        hash: AppliedHash(u64::from(rec.hash)),
        duration_seconds: i64::from(rec.duration),
        extends: rec.extends,
        earlier: some(rec.earlier),
    }
}

pub(super) fn rec(attempt: &Attempt, uid: u8) -> Rec {
    Rec {
        uid,
        nonce: u8::try_from(attempt.nonce.0).unwrap(),
        at: ticks(attempt.at),
        lands: ticks(attempt.lands_by),
        dead: ticks(attempt.dead_by),
        hash: u8::try_from(attempt.hash.0).unwrap(),
        duration: i8::try_from(attempt.duration_seconds).unwrap(),
        extends: attempt.extends,
        earlier: opt(attempt.earlier),
    }
}

/// The record of a send, as the shipped code makes it.
pub(super) fn record(sending: &Sending, uid: u8, state: &State, config: &Config, rules: Rules) -> Rec {
    rec(&protocol::attempt(sending, now(), &config.margins(state.shortened), rules), uid)
}

pub(super) fn seen(sight: &Sight) -> Seen {
    Seen {
        word: sight.word,
        info: sight.info,
        started_at: some(sight.started),
        expires_at: some(sight.expires),
        granted_seconds: None,
    }
}

pub(super) fn sight(seen: &Seen) -> Sight {
    Sight { word: seen.word, info: seen.info, started: opt(seen.started_at), expires: opt(seen.expires_at) }
}

pub(super) fn goal(object: &Object, config: &Config) -> Goal {
    Goal {
        deleting: object.deleting,
        orphan: config.orphan,
        suspend: object.suspend,
        paused: object.paused,
        hash: Some(AppliedHash(u64::from(object.spec))),
        renewal: config.renewal(),
        lease_seconds: Some(i64::from(config.d)),
        recreate: config.recreate,
    }
}

pub(super) fn past(object: &Object, rules: Rules) -> Past {
    let status = &object.status;
    let hash = (status.hash != NONE).then(|| AppliedHash(u64::from(status.hash)));
    let record = match &object.rec {
        Some(rec) if rec.uid == object.uid => Record::Of(attempt(rec)),
        _ => Record::None,
    };
    let settled = status.settled.map(|(nonce, outcome)| {
        // The mutant's status tells an outcome and not whose.
        let of = match record {
            Record::Of(attempt) if !rules.on(Rule::NonceSettles) => attempt.nonce,
            _ => Nonce(u128::from(nonce)),
        };
        Settled { nonce: of, outcome }
    });
    Past {
        finalizer: object.finalizer,
        record,
        settled,
        held: (status.session != NONE).then(|| Held { hash, seen: seen(&status.seen) }),
        last_hash: hash,
        last_info: status.seen.info,
        run_started_at: some(status.run),
    }
}

fn got(answer: &Answer) -> Got {
    match answer {
        Answer::Session(sight) => Got::Session(seen(sight)),
        Answer::Gone => Got::Gone,
        Answer::Error => Got::Error,
        Answer::NotSupported => Got::NotSupported,
    }
}

fn look(saw: &Saw) -> Look {
    match saw {
        Saw::Nothing => Look::None,
        Saw::Held(answer) => Look::Held(got(answer)),
        Saw::Event { answer, .. } => Look::OfEvent(got(answer)),
        Saw::List(shown) => Look::List(shown.map(|shown| {
            let slot = |slot: u8| (slot != NONE).then_some(usize::from(slot));
            Listed {
                own: slot(shown.own),
                other_own: slot(shown.other_own),
                own_matches: shown.matches,
                flow: shown.flow != NONE,
            }
        })),
    }
}

/// What a pass over an object observes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    pub(super) saw: Saw,
    /// The `QosProvider` is marked ready.
    pub(super) ready: bool,
    /// The poll is due.
    pub(super) poll: bool,
    pub(super) no_get: bool,
    pub(super) no_delete: bool,
    pub(super) peer: bool,
}

pub(super) fn observed(pass: &Pass, state: &State, config: &Config, rules: Rules) -> Observed {
    Observed {
        look: look(&pass.saw),
        abilities: config.abilities(),
        reach: if pass.ready { Reach::Ready } else { Reach::NotReady },
        bar: (!pass.ready).then_some(Bar::ProviderNotReady),
        peer: pass.peer,
        limits: Limits::default(),
        memory: Memory {
            poll_at: (!pass.poll).then(|| time(100)),
            get_unsupported: pass.no_get,
            delete_unsupported: pass.no_delete,
            ..Memory::default()
        },
        margins: config.margins(state.shortened),
        longest_grant: i64::from(config.longest(state.shortened)),
        rules,
    }
}
