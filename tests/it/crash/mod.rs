//! The crash table: the real operator is killed before and after each mutating call that it makes in the life of a session, at the
//! API server and at the provider, or gets no answer to it; it starts again, and in the end nothing was doubled, nothing leaked,
//! and nothing was blocked for longer than the protocol says for a provider without a list.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod life;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt as _;

use self::life::{DEATH, Lived, Point, SETTLE, Scene, Step, Stuck, live, trace};
use crate::support::fault::{Entry, Kind, Side};

/// Lives at a time: they wait far more than they work.
const PARALLEL: usize = 14;
/// For what comes on top of the protocol's times: one pause after a refusal or an error (5 s ± 10 %), and a busy machine.
const SLACK: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_mutating_call_doubles_nothing_leaks_nothing_and_blocks_no_longer_than_death() {
    let (started, scenes) = (Instant::now(), scenes());
    let folder = tempfile::tempdir().unwrap();
    let dry = futures::stream::iter(scenes).map(|scene| {
        let folder = folder.path().join(format!("{scene:?}"));
        async move { (scene, in_folder(scene, None, &folder).await) }
    });
    let dry: Vec<_> = dry.buffered(Scene::ALL.len()).collect().await;
    let mut points = Vec::new();
    for (scene, lived) in &dry {
        let lived = lived.as_ref().unwrap_or_else(|stuck| panic!("{scene:?} without a fault: {stuck}"));
        assert!(
            !lived.steps.iter().any(|(_, calls)| calls.is_empty()) || *scene == Scene::Plain,
            "a step of {scene:?} without a call"
        );
        assert_eq!(fault_of(*scene, lived), None, "{scene:?} without a fault: {}\n{}", lived.at_end, trace(&lived.journal));
        points.extend(points_of(*scene, lived));
    }
    let runs = futures::stream::iter(points.iter().enumerate()).map(|(number, point)| {
        let folder = folder.path().join(number.to_string());
        async move { (point, in_folder(point.scene, Some(*point), &folder).await) }
    });
    let runs: Vec<_> = runs.buffered(PARALLEL).collect().await;

    let (mut table, mut failures) = (heading(), String::new());
    for (number, (point, result)) in runs.iter().enumerate() {
        let verdict = row(&mut table, point, result);
        if let Some(fault) = verdict {
            let detail = result.as_ref().map_or_else(ToString::to_string, |lived| trace(&lived.journal));
            writeln!(failures, "{point:?}: {fault}\n{detail}").unwrap();
            keep_log(&folder.path().join(number.to_string()), number, &mut failures);
        }
    }
    let took = started.elapsed().as_secs();
    writeln!(table, "{} points in {took} s; death is {} s after a record", runs.len(), DEATH.as_secs()).unwrap();
    println!("{table}");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash-table.txt"), &table).unwrap();
    assert!(failures.is_empty(), "{failures}");
}

async fn in_folder(scene: Scene, point: Option<Point>, folder: &Path) -> Result<Lived, Stuck> {
    std::fs::create_dir(folder).unwrap();
    live(scene, point, folder).await
}

fn keep_log(folder: &Path, number: usize, told: &mut String) {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{number}.log"));
    if std::fs::copy(folder.join("log"), &kept).is_ok() {
        writeln!(told, "      the operator's log: {}", kept.display()).unwrap();
    }
}

/// What the environment variable `CRASH` asks for: `all` (creation and deletion of every scene too), or the name of one scene.
#[expect(clippy::disallowed_methods, reason = "the one setting of this test; the operator's come from its arguments")]
fn asked() -> Option<String> {
    std::env::var("CRASH").ok()
}

fn scenes() -> Vec<Scene> {
    let asked = asked();
    let named = |scene: &Scene| asked.as_deref().is_none_or(|asked| asked == "all" || asked == format!("{scene:?}"));
    let scenes: Vec<_> = Scene::ALL.into_iter().filter(named).collect();
    assert!(!scenes.is_empty(), "CRASH is all or one of {:?}", Scene::ALL);
    scenes
}

/// Every call of the steps that are this scene's own, with each kind of fault: creation and deletion are tried in the plain life,
/// with `CRASH=all` in all of them.
fn points_of(scene: Scene, lived: &Lived) -> Vec<Point> {
    let all = asked().as_deref() == Some("all");
    let own = |step: Step| all || (step == Step::Change) != (scene == Scene::Plain);
    let mut points = Vec::new();
    for (step, calls) in lived.steps.iter().filter(|(step, _)| own(*step)) {
        for side in [Side::ApiServer, Side::Provider] {
            let count = lived.journal[calls.clone()].iter().filter(|entry| entry.side == side).count();
            for number in 1..=count {
                points.extend(Kind::ALL.map(|kind| Point { scene, step: *step, side, number, kind }));
            }
        }
    }
    points
}

/// Whether the fault took the only knowledge of a session's id with it: the answer to a create, or its first record.
fn loses_an_id(journal: &[Entry], place: usize) -> bool {
    let is_create = |entry: &Entry| entry.side == Side::Provider && entry.what == "POST /sessions";
    let struck = &journal[place];
    match struck.side {
        Side::Provider => is_create(struck) && struck.fault != Some(Kind::Before),
        Side::ApiServer => struck.fault == Some(Kind::Before) && place > 0 && is_create(&journal[place - 1]),
    }
}

/// Whether the fault left open whether a create was, or will be, received.
fn leaves_a_create_open(scene: Scene, journal: &[Entry], place: usize) -> bool {
    let struck = &journal[place];
    // In the scene that asks this, each patch of the object itself is the record that goes before a create.
    let is_record = struck.what == "PATCH qossessions" && struck.fault != Some(Kind::Before);
    scene == Scene::Accepting && (is_record || struck.what == "POST /sessions")
}

/// What is wrong with a life, if anything.
fn fault_of(scene: Scene, lived: &Lived) -> Option<String> {
    let (gone, end) = (&lived.at_gone, &lived.at_end);
    let lost = lived.struck.is_some_and(|(place, _)| loses_an_id(&lived.journal, place));
    // Without a list a session whose id is lost cannot be released, only outlived: it ends by time before the next one begins, and
    // before the object goes. The simulator counts it as leaked, since nobody could ask for it.
    let outlived = u64::from(lost);
    // At a provider that accepts doubles nothing is sent again before the first create is dead, whether it was received or not.
    let waits = lost || lived.struck.is_some_and(|(place, _)| leaves_a_create_open(scene, &lived.journal, place));
    let limit = SLACK + if waits { DEATH } else { SETTLE };
    let rules = [
        (end.doubled == 0, "doubled"),
        (end.overlapping == 0, "overlapping"),
        (gone.live == 0, "lives after its object"),
        (end.live == 0, "lives at the end"),
        (end.created == gone.created, "created after its object"),
        (end.leaked <= outlived, "leaked"),
        (end.lost == 0, "lost by the simulator"),
        (end.blocked_seconds <= DEATH.as_secs().cast_signed(), "blocked"),
        (lived.struck.is_none_or(|(_, after)| after <= limit), "took too long"),
        (!lived.panicked, "the operator panicked"),
    ];
    let broken: Vec<_> = rules.iter().filter(|(holds, _)| !holds).map(|(_, name)| *name).collect();
    (!broken.is_empty()).then(|| broken.join(", "))
}

fn heading() -> String {
    let mut table =
        "# crash points: the operator is killed before a call (Before), after its effect (After), or the answer is dropped\n"
            .to_owned();
    let columns =
        ["scene", "step", "side", "no", "call", "fault", "seconds", "starts", "creates", "released", "by time", "verdict"];
    line(&mut table, &columns.map(str::to_owned));
    table
}

fn line(table: &mut String, cells: &[String; 12]) {
    let [scene, step, side, number, call, kind, seconds, starts, creates, released, by_time, verdict] = cells;
    writeln!(
        table,
        "{scene:<10} {step:<6} {side:<9} {number:>2} {call:<32} {kind:<7} {seconds:>7} {starts:>6} {creates:>7} {released:>8} {by_time:>7} {verdict}"
    )
    .unwrap();
}

/// Adds the point's line to the table and says what is wrong, if anything.
fn row(table: &mut String, point: &Point, result: &Result<Lived, Stuck>) -> Option<String> {
    let Point { scene, step, side, number, kind } = point;
    let mut cells = [const { String::new() }; 12];
    for (cell, text) in cells.iter_mut().zip([format!("{scene:?}"), format!("{step:?}"), format!("{side:?}"), number.to_string()])
    {
        *cell = text;
    }
    cells[5] = format!("{kind:?}");
    let wrong = match result {
        Err(_) => Some("STUCK".to_owned()),
        Ok(lived) => {
            let ledger = &lived.at_end;
            let by_time = ledger.expired + ledger.unasked + ledger.leaked;
            cells[7] = lived.starts.to_string();
            cells[8] = ledger.created.to_string();
            cells[9] = ledger.released.to_string();
            cells[10] = by_time.to_string();
            match lived.struck {
                Some((place, after)) => {
                    cells[4].clone_from(&lived.journal[place].what);
                    cells[6] = format!("{:.1}", after.as_secs_f64());
                    fault_of(*scene, lived)
                }
                None => Some("NOT REACHED".to_owned()),
            }
        }
    };
    cells[11] = wrong.clone().unwrap_or_else(|| "ok".to_owned());
    line(table, &cells);
    wrong
}
