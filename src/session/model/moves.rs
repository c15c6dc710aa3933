//! The moves of the world: each successor of a state, with the fault that it costs, the oracle that it offends, and its words.

use super::super::rules::Rules;
use super::config::{Config, Fault};
use super::state::State;

/// Takes the successors of a state.
pub(super) trait Sink {
    fn take(&mut self, next: State, fault: Option<Fault>, offends: Option<&'static str>, words: impl FnOnce() -> String);
}

/// All moves out of one state.
pub(super) struct Moves<'a, S> {
    pub(super) config: &'a Config,
    pub(super) rules: Rules,
    pub(super) state: &'a State,
    pub(super) sink: &'a mut S,
}

pub(super) fn moves(config: &Config, rules: Rules, state: &State, sink: &mut impl Sink) {
    let mut moves = Moves { config, rules, state, sink };
    moves.world();
    for r in 0..config.replicas {
        for o in 0..config.objects {
            moves.replica(r, o);
        }
    }
}

impl<S: Sink> Moves<'_, S> {
    /// A move that costs no fault.
    pub(super) fn free(&mut self, next: State, words: impl FnOnce() -> String) {
        self.sink.take(next, None, None, words);
    }

    /// A move that costs a fault, where one is named, and may offend an oracle.
    pub(super) fn any(
        &mut self,
        mut next: State,
        fault: Option<Fault>,
        offends: Option<&'static str>,
        words: impl FnOnce() -> String,
    ) {
        if let Some(fault) = fault {
            next.budget[fault as usize] -= 1;
        }
        self.sink.take(next, fault, offends, words);
    }
}

/// The name of a replica's program.
pub(super) fn who(config: &Config, r: usize, o: usize) -> String {
    let replica = if r == 0 { "A" } else { "B" };
    if config.objects > 1 { format!("{replica}{}", o + 1) } else { replica.to_owned() }
}
