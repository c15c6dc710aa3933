//! What the lives came to, a line each, and the summary of them.

use std::fmt::Write as _;
use std::time::Duration;

use super::life::{Lived, Point, Stuck};
use super::setup::Setup;
use super::verdict::{fault_of, outlived};

/// The table as it grows.
pub(crate) struct Table {
    text: String,
    sums: Vec<(Setup, Sum)>,
}

/// Of all points of a setup.
#[derive(Default)]
struct Sum {
    points: usize,
    doubled: u64,
    leaked: u64,
    outlived: u64,
    blocked: i64,
    slowest: Duration,
    failed: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        let mut text =
            "# crash points: the operator is killed before a call (Before), after its effect (After), or the answer is dropped\n"
                .to_owned();
        let columns = [
            "gen", "scene", "step", "side", "no", "call", "fault", "seconds", "starts", "creates", "released", "by time",
            "verdict",
        ];
        line(&mut text, &columns.map(str::to_owned));
        Self { text, sums: Vec::new() }
    }

    /// Adds the point's line and says what is wrong, if anything.
    pub(crate) fn row(&mut self, point: &Point, result: &Result<Lived, Stuck>) -> Option<String> {
        let Point { setup, step, side, number, kind } = point;
        let mut cells = [const { String::new() }; 13];
        let first = [
            setup.generation.to_string(),
            format!("{:?}", setup.scene),
            format!("{step:?}"),
            format!("{side:?}"),
            number.to_string(),
        ];
        for (cell, text) in cells.iter_mut().zip(first) {
            *cell = text;
        }
        cells[6] = format!("{kind:?}");
        let wrong = match result {
            Err(_) => Some("STUCK".to_owned()),
            Ok(lived) => {
                let ledger = &lived.at_end;
                let by_time = ledger.expired + ledger.unasked + ledger.leaked;
                cells[8] = lived.starts.to_string();
                cells[9] = ledger.created.to_string();
                cells[10] = ledger.released.to_string();
                cells[11] = by_time.to_string();
                match lived.struck {
                    Some((place, after)) => {
                        cells[5].clone_from(&lived.journal[place].what);
                        cells[7] = format!("{:.1}", after.as_secs_f64());
                        fault_of(*setup, lived)
                    }
                    None => Some("NOT REACHED".to_owned()),
                }
            }
        };
        cells[12] = wrong.clone().unwrap_or_else(|| "ok".to_owned());
        line(&mut self.text, &cells);
        self.sum(*setup, result, wrong.is_some());
        wrong
    }

    fn sum(&mut self, setup: Setup, result: &Result<Lived, Stuck>, failed: bool) {
        if self.sums.last().is_none_or(|(last, _)| *last != setup) {
            self.sums.push((setup, Sum::default()));
        }
        let Some((_, sum)) = self.sums.last_mut() else { return };
        sum.points += 1;
        sum.failed += usize::from(failed);
        let Ok(lived) = result else { return };
        let outlived = lived.at_end.leaked.min(outlived(setup, lived));
        sum.doubled += lived.at_end.doubled;
        sum.outlived += outlived;
        sum.leaked += lived.at_end.leaked - outlived;
        sum.blocked = sum.blocked.max(lived.at_end.blocked_seconds);
        sum.slowest = sum.slowest.max(lived.struck.map_or(Duration::ZERO, |(_, after)| after));
    }

    /// All lines, the summary in Markdown, and how long it took.
    pub(crate) fn finish(mut self, took: Duration) -> String {
        let text = &mut self.text;
        writeln!(
            text,
            "\n| generation | scene | points | doubled | leaked | outlived | blocked | slowest | settle | death | failed |"
        )
        .unwrap();
        writeln!(text, "|{}", "---|".repeat(11)).unwrap();
        for (setup, sum) in &self.sums {
            let Setup { generation, scene } = setup;
            let Sum { points, doubled, leaked, outlived, blocked, slowest, failed } = sum;
            let (slowest, settle, death) = (slowest.as_secs_f64(), setup.settle().as_secs(), setup.death().as_secs());
            writeln!(
                text,
                "| {generation} | {scene:?} | {points} | {doubled} | {leaked} | {outlived} | {blocked} | {slowest:.1} | {settle} | {death} | {failed} |"
            )
            .unwrap();
        }
        let points: usize = self.sums.iter().map(|(_, sum)| sum.points).sum();
        writeln!(text, "{points} points in {} s; settle and death are so many seconds after a record", took.as_secs()).unwrap();
        self.text
    }
}

fn line(table: &mut String, cells: &[String; 13]) {
    let [generation, scene, step, side, number, call, kind, seconds, starts, creates, released, by_time, verdict] = cells;
    writeln!(
        table,
        "{generation:<5} {scene:<10} {step:<6} {side:<9} {number:>2} {call:<32} {kind:<7} {seconds:>7} {starts:>6} {creates:>7} {released:>8} {by_time:>7} {verdict}"
    )
    .unwrap();
}
