//! The crash table: the real operator is killed before and after each mutating call that it makes in the life of a session, at the
//! API server and at the provider, or gets no answer to it; it starts again, and in the end nothing was doubled, nothing leaked,
//! and nothing was blocked for longer than the protocol says: with a list and a callback until a create has landed or never does,
//! without one until the death of a create whose id is lost.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod life;
mod setup;
mod table;
mod verdict;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use futures::StreamExt as _;

use self::life::{Lived, Point, Stuck, live, trace};
use self::setup::{Asked, Scene, Setup};
use self::table::Table;
use self::verdict::fault_of;
use crate::support::fault::{Kind, Side};

/// Lives at a time: they wait far more than they work.
const PARALLEL: usize = 14;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_mutating_call_doubles_nothing_leaks_nothing_and_blocks_no_longer_than_death() {
    let (started, asked) = (Instant::now(), Asked::read());
    let folder = tempfile::tempdir().unwrap();
    let dry = futures::stream::iter(asked.setups()).map(|setup| {
        let folder = folder.path().join(format!("{setup:?}"));
        async move { (setup, in_folder(setup, None, &folder).await) }
    });
    let dry: Vec<_> = dry.buffered(PARALLEL).collect().await;
    let mut points = Vec::new();
    for (setup, lived) in &dry {
        let lived = lived.as_ref().unwrap_or_else(|stuck| panic!("{setup:?} without a fault: {stuck}"));
        assert!(
            !lived.steps.iter().any(|(_, calls)| calls.is_empty()) || setup.scene == Scene::Plain,
            "a step of {setup:?} without a call"
        );
        assert_eq!(fault_of(*setup, lived), None, "{setup:?} without a fault: {}\n{}", lived.at_end, trace(&lived.journal));
        points.extend(points_of(&asked, *setup, lived));
    }
    let runs = futures::stream::iter(points.iter().enumerate()).map(|(number, point)| {
        let folder = folder.path().join(number.to_string());
        async move { (point, in_folder(point.setup, Some(*point), &folder).await) }
    });
    let runs: Vec<_> = runs.buffered(PARALLEL).collect().await;

    let (mut table, mut failures) = (Table::new(), String::new());
    for (number, (point, result)) in runs.iter().enumerate() {
        let verdict = table.row(point, result);
        if let Some(fault) = verdict {
            let detail = result.as_ref().map_or_else(ToString::to_string, |lived| trace(&lived.journal));
            writeln!(failures, "{point:?}: {fault}\n{detail}").unwrap();
            keep_log(&folder.path().join(number.to_string()), number, &mut failures);
        }
    }
    let table = table.finish(started.elapsed());
    println!("{table}");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash-table.txt"), &table).unwrap();
    assert!(failures.is_empty(), "{failures}");
}

async fn in_folder(setup: Setup, point: Option<Point>, folder: &Path) -> Result<Lived, Stuck> {
    std::fs::create_dir(folder).unwrap();
    live(setup, point, folder).await
}

fn keep_log(folder: &Path, number: usize, told: &mut String) {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{number}.log"));
    if std::fs::copy(folder.join("log"), &kept).is_ok() {
        writeln!(told, "      the operator's log: {}", kept.display()).unwrap();
    }
}

/// Every call of the steps that are this scene's own, with each kind of fault: creation and deletion are tried in the plain life,
/// with `CRASH=all` in all of them.
fn points_of(asked: &Asked, setup: Setup, lived: &Lived) -> Vec<Point> {
    let mut points = Vec::new();
    for (step, calls) in lived.steps.iter().filter(|(step, _)| asked.strikes(setup.scene, *step)) {
        for side in [Side::ApiServer, Side::Provider] {
            let count = lived.journal[calls.clone()].iter().filter(|entry| entry.side == side).count();
            for number in 1..=count {
                points.extend(Kind::ALL.map(|kind| Point { setup, step: *step, side, number, kind }));
            }
        }
    }
    points
}
