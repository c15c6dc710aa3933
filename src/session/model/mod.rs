//! The shipped decision table, model-checked: an exhaustive search over a small world of API server, stale caches, crashes, late
//! effects and a provider, in which every decision is taken by [`super::decide`], [`super::protocol`] and [`super::bounds`].
//!
//! The model adds only what performs the steps: `act` and `record` as small steps between which anything may happen.
//! `docs/model.md` tells how to read it and what it found.

mod act;
mod config;
mod configs;
mod moves;
mod mutants;
mod names;
mod oracles;
mod provider;
mod random;
mod record;
mod replica;
mod search;
mod state;
mod view;
mod world;

use std::sync::atomic::{AtomicUsize, Ordering};

use self::config::Config;
use self::search::{Report, Verdict, explore};
use super::rules::{Rule, Rules};

/// States up to which an exploration goes before it counts as too large.
const LIMIT: usize = 40_000_000;

/// `MODEL=long`: the large explorations too, and every exploration for each mutant.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting of the operator")]
fn long() -> bool {
    std::env::var("MODEL").is_ok_and(|form| form == "long")
}

/// Does `work` for each job on all processors; the results in the jobs' order.
fn side_by_side<J: Sync, R: Send>(jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let worker = || {
            let mut mine = Vec::new();
            while let Some((i, job)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, jobs.get(i)?))) {
                mine.push((i, work(job)));
            }
            mine
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

fn row(name: &str, report: &Report) -> String {
    let Report { states, transitions, depth, took, verdict } = report;
    format!("{name:46} {states:>10} {transitions:>11} {depth:>4} {:>7.1} s  {}", took.as_secs_f64(), verdict.brief())
}

fn story(verdict: &Verdict) -> String {
    verdict.trace().iter().map(|line| format!("    {line}\n")).collect()
}

#[test]
fn no_reachable_state_breaks_an_invariant_and_the_goal_stays_reachable() {
    let mut all = configs::small();
    if long() {
        all.extend(configs::wide());
        all.extend(configs::long());
    }
    let reports = side_by_side(&all, |config| {
        let report = explore(config, Rules::ALL, LIMIT);
        println!("{}", row(config.name, &report));
        report
    });
    let broken: Vec<_> = all
        .iter()
        .zip(&reports)
        .filter(|(_, report)| report.verdict != Verdict::Holds)
        .map(|(config, report)| format!("{}: {}\n{}", config.name, report.verdict.brief(), story(&report.verdict)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_rule_can_be_left_out() {
    let worlds: Vec<Config> = configs::small().into_iter().chain(configs::wide()).collect();
    let reports = side_by_side(mutants::RULES, |(rule, world)| {
        let named = worlds.iter().filter(|config| config.name == *world);
        let report = named.map(|config| explore(config, Rules::without(*rule), LIMIT)).next().unwrap();
        println!("{}", row(&format!("{rule:?}: {world}"), &report));
        if long() {
            println!("{}", story(&report.verdict));
        }
        report
    });
    let alive: Vec<Rule> = mutants::RULES
        .iter()
        .zip(&reports)
        .filter(|(_, report)| report.verdict.trace().is_empty())
        .map(|((rule, _), _)| *rule)
        .collect();
    assert!(alive.is_empty(), "nothing tells these rules' absence: {alive:?}");
}

#[test]
fn random_walks_through_larger_worlds_break_nothing_and_end_at_the_goal() {
    random::walks(if long() { 3_000 } else { 60 }, long());
}
