//! Breadth first over all states, so that a trace is a shortest one; then backwards from the goals, over moves without a fault.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use super::super::rules::Rules;
use super::config::{Config, Fault};
use super::moves::{Sink, moves};
use super::names::fingerprint;
use super::oracles;
use super::state::State;

/// What an exploration came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every state was seen: none offends an oracle, and (where that was asked) the goal is reachable from each.
    Holds,
    /// An oracle is offended; the shortest trace, a line for each step.
    Broken { oracle: &'static str, trace: Vec<String> },
    /// A state from which the goal cannot be reached any more without a fault; the shortest trace to it.
    Stuck { trace: Vec<String> },
    /// There are more states than the limit.
    TooLarge,
}

impl Verdict {
    /// In a word, with the length of the trace.
    pub(super) fn brief(&self) -> String {
        match self {
            Self::Holds => "holds".to_owned(),
            Self::Broken { oracle, trace } => format!("{oracle} @{}", trace.len()),
            Self::Stuck { trace } => format!("g: stuck @{}", trace.len()),
            Self::TooLarge => "too large".to_owned(),
        }
    }

    pub(super) fn trace(&self) -> &[String] {
        match self {
            Self::Broken { trace, .. } | Self::Stuck { trace } => trace,
            _ => &[],
        }
    }
}

/// An exploration's result and size.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) states: usize,
    pub(super) transitions: usize,
    pub(super) depth: usize,
    pub(super) took: Duration,
    pub(super) verdict: Verdict,
}

/// Fingerprints are spread already.
#[derive(Clone, Copy, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are hashed")
    }

    fn write_u128(&mut self, print: u128) {
        self.0 = (print >> 64) as u64 ^ print as u64;
    }
}

struct Search<'a> {
    config: &'a Config,
    seen: HashMap<u128, u32, BuildHasherDefault<Spread>>,
    /// Of each state but the first, the state that it was found from.
    parents: Vec<u32>,
    goals: Vec<bool>,
    rules: Rules,
    next: Vec<(u32, State)>,
    /// The moves without a fault, from each state in turn.
    edges: Vec<u32>,
    ends: Vec<u64>,
    transitions: usize,
    from: u32,
    broken: Option<(&'static str, u32, u128)>,
}

impl Sink for Search<'_> {
    fn take(&mut self, next: State, fault: Option<Fault>, offends: Option<&'static str>, _: impl FnOnce() -> String) {
        if self.broken.is_some() {
            return;
        }
        self.transitions += 1;
        let (state, bytes) = next.exact(self.config, self.rules);
        let print = fingerprint(&bytes);
        if let Some(oracle) = offends {
            self.broken = Some((oracle, self.from, print));
            return;
        }
        let count = u32::try_from(self.parents.len()).unwrap();
        let id = match self.seen.entry(print) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                place.insert(count);
                self.parents.push(self.from);
                if let Some(oracle) = oracles::offended(&state, self.config) {
                    self.broken = Some((oracle, self.from, print));
                    return;
                }
                if self.config.live {
                    self.goals.push(oracles::reached(&state, self.config, self.rules));
                }
                self.next.push((count, state));
                count
            }
        };
        if self.config.live && fault.is_none() {
            self.edges.push(id);
        }
    }
}

/// Explores all states, up to `limit`.
pub(super) fn explore(config: &Config, rules: Rules, limit: usize) -> Report {
    let started = Instant::now();
    let mut search = Search {
        config,
        seen: HashMap::default(),
        parents: Vec::new(),
        goals: Vec::new(),
        rules,
        next: Vec::new(),
        edges: Vec::new(),
        ends: Vec::new(),
        transitions: 0,
        from: 0,
        broken: None,
    };
    search.take(State::first(config), Some(Fault::Crash), None, String::new);
    let mut depth = 0;
    let mut large = false;
    'all: while !search.next.is_empty() {
        for (id, state) in std::mem::take(&mut search.next) {
            search.from = id;
            moves(config, rules, &state, &mut search);
            search.ends.push(search.edges.len() as u64);
            if search.broken.is_some() {
                break 'all;
            }
            if search.parents.len() > limit {
                large = true;
                break 'all;
            }
        }
        depth += 1;
    }
    let verdict = match search.broken {
        Some((oracle, from, last)) => Verdict::Broken { oracle, trace: search.trace(from, Some(last)) },
        None if large => Verdict::TooLarge,
        None => search.stuck().map_or(Verdict::Holds, |id| Verdict::Stuck { trace: search.trace(id, None) }),
    };
    let (states, transitions) = (search.parents.len(), search.transitions);
    Report { states, transitions, depth, took: started.elapsed(), verdict }
}

impl Search<'_> {
    /// The first state from which no goal can be reached without a fault.
    fn stuck(&self) -> Option<u32> {
        if !self.config.live {
            return None;
        }
        let count = self.parents.len();
        let mut starts = vec![0_u32; count + 1];
        for to in &self.edges {
            starts[*to as usize + 1] += 1;
        }
        for i in 0..count {
            starts[i + 1] += starts[i];
        }
        let mut fill = starts.clone();
        let mut back = vec![0_u32; self.edges.len()];
        let mut edge = 0;
        for (from, end) in self.ends.iter().enumerate() {
            while edge < usize::try_from(*end).unwrap() {
                let to = self.edges[edge] as usize;
                back[fill[to] as usize] = u32::try_from(from).unwrap();
                fill[to] += 1;
                edge += 1;
            }
        }
        let mut good = self.goals.clone();
        let mut todo: Vec<usize> = (0..count).filter(|i| good[*i]).collect();
        while let Some(at) = todo.pop() {
            for from in &back[starts[at] as usize..starts[at + 1] as usize] {
                let from = *from as usize;
                if !std::mem::replace(&mut good[from], true) {
                    todo.push(from);
                }
            }
        }
        good.iter().position(|good| !good).map(|id| u32::try_from(id).unwrap())
    }

    /// The way to a state (and one step further), in words.
    fn trace(&self, id: u32, last: Option<u128>) -> Vec<String> {
        let mut ids = vec![id];
        while *ids.last().unwrap() != 0 {
            ids.push(self.parents[*ids.last().unwrap() as usize]);
        }
        ids.reverse();
        let prints: HashMap<u32, u128> = {
            let wanted: std::collections::HashSet<u32> = ids.iter().copied().collect();
            self.seen.iter().filter(|(_, id)| wanted.contains(id)).map(|(print, id)| (*id, *print)).collect()
        };
        let mut path: Vec<u128> = ids[1..].iter().map(|id| prints[id]).collect();
        path.extend(last);
        retell(self.config, self.rules, &path)
    }
}

/// Follows the path without renaming anything on the way, so that each nonce and session keeps its name in the words.
pub(super) fn retell(config: &Config, rules: Rules, path: &[u128]) -> Vec<String> {
    struct Follow<'a> {
        config: &'a Config,
        rules: Rules,
        wanted: u128,
        found: Option<(State, String)>,
    }
    impl Sink for Follow<'_> {
        fn take(&mut self, next: State, _: Option<Fault>, _: Option<&'static str>, words: impl FnOnce() -> String) {
            if self.found.is_none() && fingerprint(&next.exact(self.config, self.rules).1) == self.wanted {
                self.found = Some((next, words()));
            }
        }
    }
    let mut state = State::first(config);
    let mut trace = Vec::new();
    for wanted in path {
        let mut follow = Follow { config, rules, wanted: *wanted, found: None };
        moves(config, rules, &state, &mut follow);
        let (next, words) = follow.found.expect("a path of the search can be followed");
        state = next;
        state.conflicts(rules);
        trace.push(words);
    }
    trace
}
