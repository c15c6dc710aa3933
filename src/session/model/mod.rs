//! The shipped decision table, model-checked: an exhaustive search over a small world of API server, stale caches, crashes, late
//! effects and a provider, in which every decision is taken by [`super::decide`], [`super::protocol`] and [`super::bounds`].
//!
//! The model adds only what performs the steps: `act` and `record` as small steps between which anything may happen.
//! `docs/model.md` tells how to read it and what it found.

mod act;
mod config;
mod configs;
mod moves;
mod names;
mod oracles;
mod provider;
mod record;
mod replica;
mod search;
mod state;
mod view;
mod world;

use super::rules::Rules;

#[test]
fn small_explorations_hold() {
    for config in configs::small() {
        let report = search::explore(&config, Rules::ALL, 20_000_000);
        println!(
            "{:40} {:>9} {:>10} {:>3} {:>6.1}s {}",
            config.name,
            report.states,
            report.transitions,
            report.depth,
            report.took.as_secs_f64(),
            report.verdict.brief()
        );
        for line in report.verdict.trace() {
            println!("    {line}");
        }
    }
}
