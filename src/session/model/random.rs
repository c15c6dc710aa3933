//! Random walks through worlds that are too large to be explored: more faults, two replicas, longer times. Each state is checked;
//! then the faults stop, and the goal must be reached.

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner};

use super::super::rules::Rules;
use super::config::{Config, Fault};
use super::configs;
use super::moves::{Sink, moves};
use super::names::fingerprint;
use super::oracles;
use super::search::retell;
use super::state::State;

/// Steps with faults. The shortest traces of all mutants have at most 24 steps.
const STEPS: usize = 60;
/// Steps without a fault within which the goal must be reached: a walk without any aim needs some hundred.
const CALM: usize = 6_000;

struct Choices(Vec<(State, Option<Fault>, Option<&'static str>)>);

impl Sink for Choices {
    fn take(&mut self, next: State, fault: Option<Fault>, offends: Option<&'static str>, _: impl FnOnce() -> String) {
        self.0.push((next, fault, offends));
    }
}

struct Walk<'a> {
    config: &'a Config,
    state: State,
    path: Vec<u128>,
}

impl Walk<'_> {
    fn choices(&self) -> Choices {
        let mut choices = Choices(Vec::new());
        moves(self.config, Rules::ALL, &self.state, &mut choices);
        choices
    }

    /// One of the moves: the clock's, one with a fault, or any other, by `kind`.
    fn step(&mut self, kind: u8, pick: usize, faults: bool) -> Result<(), TestCaseError> {
        let choices = self.choices().0;
        let of = |with: bool| choices[1..].iter().filter(move |choice| choice.1.is_some() == with).collect::<Vec<_>>();
        let (faulty, free) = (of(true), of(false));
        let (next, _, offends) = match kind {
            0..=1 => &choices[0],
            2..=3 if faults && !faulty.is_empty() => faulty[pick % faulty.len()],
            _ if !free.is_empty() => free[pick % free.len()],
            _ => &choices[0],
        };
        let (state, bytes) = next.exact(self.config, Rules::ALL);
        self.state = state;
        self.path.push(fingerprint(&bytes));
        let offended = offends.or_else(|| oracles::offended(&state, self.config));
        self.expect(offended.is_none(), offended.unwrap_or_default())
    }

    fn expect(&self, holds: bool, what: &str) -> Result<(), TestCaseError> {
        if holds {
            return Ok(());
        }
        let trace = retell(self.config, Rules::ALL, &self.path);
        Err(TestCaseError::fail(format!("{} in \"{}\":\n  {}", what, self.config.name, trace.join("\n  "))))
    }
}

fn walk(config: &Config, steps: &[(u8, u16)]) -> Result<(), TestCaseError> {
    let mut walk = Walk { config, state: State::first(config), path: Vec::new() };
    for (kind, pick) in steps {
        walk.step(*kind, usize::from(*pick), true)?;
    }
    // A calm walk without any aim, from a small generator of its own: it reaches the goal soon, where that can be reached.
    let mut seed =
        steps.iter().fold(1_u32, |seed, (kind, pick)| seed.wrapping_mul(31).wrapping_add(u32::from(*pick) + u32::from(*kind)));
    for _ in 0..CALM {
        if oracles::reached(&walk.state, config, Rules::ALL) {
            return Ok(());
        }
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        walk.step(u8::try_from(seed >> 28).unwrap(), usize::try_from(seed >> 8 & 0xFFFF).unwrap(), false)?;
    }
    walk.path.truncate(steps.len() + 60);
    walk.expect(false, "g: the goal is not reached after the faults have stopped")
}

/// `cases` walks through each world: always the same ones, or others each time.
pub(super) fn walks(cases: u32, others: bool) {
    for config in configs::boundless() {
        let settings = Cases { cases, failure_persistence: None, max_shrink_iters: 3_000, ..Cases::default() };
        let mut runner = if others {
            TestRunner::new(settings)
        } else {
            TestRunner::new_with_rng(settings, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        };
        let steps = proptest::collection::vec((0..16_u8, any::<u16>()), 14..STEPS);
        if let Err(error) = runner.run(&steps, |steps| walk(&config, &steps)) {
            panic!("{error}");
        }
    }
}
