//! What must hold in every state, and what must stay reachable.

use super::super::decide;
use super::super::facts::Word;
use super::super::rules::Rules;
use super::config::Config;
use super::state::{FOREIGN, NONE, Object, Saw, State};
use super::view::{self, Pass};

/// The oracle that this state offends.
pub(super) fn offended(state: &State, config: &Config) -> Option<&'static str> {
    let live = || state.sessions.iter().filter(|session| session.live() && session.uid != FOREIGN);
    for session in live() {
        if live().filter(|other| other.uid == session.uid).count() > 1 {
            return Some("a: two living sessions of one object");
        }
        let object = state.object(usize::from(session.key));
        let there = object.exists && object.uid == session.uid;
        if !there && !config.orphan {
            return Some("b: a living session whose object is gone");
        }
        let stripped = config.may(super::config::Fault::StripFinalizer) || config.may(super::config::Fault::StripMetadata);
        if there && !object.finalizer && !stripped {
            return Some("b: a living session whose object has no finalizer");
        }
        if live().any(|other| other.key != session.key && config.place(other.hash) == config.place(session.hash)) {
            return Some("e: two objects' sessions on one flow");
        }
    }
    None
}

/// Whether every object has what it declares, or nothing more can be asked of the operator.
pub(super) fn reached(state: &State, config: &Config, rules: Rules) -> bool {
    let objects = || state.objects.iter().flatten().enumerate();
    objects().all(|(o, object)| {
        if !object.exists {
            return true;
        }
        if object.deleting {
            return false;
        }
        if state.down || object.paused {
            return true;
        }
        let other_holds = objects().any(|(p, other)| p != o && holds(state, other, config));
        holds(state, object, config)
            || (at_rest(state, o, object) && (other_holds || nothing_wanted(state, object, config, rules)))
    })
}

fn holds(state: &State, object: &Object, config: &Config) -> bool {
    let status = &object.status;
    object.exists
        && object.finalizer
        && status.session != NONE
        && status.hash == object.spec
        && status.seen.word == Word::Available
        && {
            let session = state.session(status.session);
            session.life == super::state::Life::Available
                && session.hash == object.spec
                && (config.run.is_none() || status.run != super::state::NO)
        }
}

fn at_rest(state: &State, o: usize, object: &Object) -> bool {
    let own = |session: &super::state::Session| session.live() && usize::from(session.key) == o;
    object.status.session == NONE && !state.sessions.iter().any(own)
}

/// By the shipped table's own word: a fresh pass finds that nothing may be created (suspended, run over, recovery ended).
fn nothing_wanted(state: &State, object: &Object, config: &Config, rules: Rules) -> bool {
    let pass = Pass { saw: Saw::Nothing, ready: true, poll: true, no_get: false, no_delete: false, peer: false };
    let observed = view::observed(&pass, state, config, rules);
    let decision = decide::decide(&view::goal(object, config), &view::past(object, rules), &observed, view::now());
    decision.row == decide::Row::R25
}
