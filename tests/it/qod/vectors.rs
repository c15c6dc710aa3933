//! Runs every wire vector of a folder (`QOD_VECTORS`, else the project's own) through the real client and prints a table.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use qos_operator::qod::classify::{self, Asked};
use qos_operator::qod::{FaultClass, Generation, Operation};
use serde_json::Value;

use super::bench::{Bench, alternatives, kind};
use super::{case, response};

/// The vectors of a folder, with the file each is in.
pub(super) fn load(folder: &Path) -> Vec<(PathBuf, Value)> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    let vectors = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let vectors = file["vectors"].as_array().cloned().unwrap_or_else(|| panic!("{}: no vectors", path.display()));
        vectors.into_iter().map(move |vector| (path.clone(), vector))
    };
    files.into_iter().flat_map(vectors).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn chosen_folder() -> Option<PathBuf> {
    std::env::var("QOD_VECTORS").ok().filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

pub(super) fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

#[tokio::test]
async fn every_vector_passes() {
    let folder = chosen_folder();
    let vectors = load(folder.as_deref().unwrap_or(&own_folder()));
    assert!(!vectors.is_empty(), "there are no vectors");
    let bench = Bench::start().await;
    let mut table: BTreeMap<(String, String), [usize; 2]> = BTreeMap::new();
    let mut failures = Vec::new();
    for (path, vector) in &vectors {
        let first = vector["generation"].as_str().unwrap_or("-");
        let others = vector["alsoGenerations"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for generation in std::iter::once(first).chain(others) {
            let counts = table.entry((generation.to_owned(), kind(vector).to_owned())).or_default();
            match bench.run(generation, vector).await {
                Ok(()) => counts[0] += 1,
                Err(why) => {
                    counts[1] += 1;
                    failures.push(format!("{} ({generation}, {}): {why}", vector["id"], path.display()));
                }
            }
        }
    }
    print_table(&table);
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    if folder.is_none() {
        assert!(bench.looked_through.get() > 10_000, "hardly anything was logged, so that nothing leaked says little");
    }
}

fn print_table(table: &BTreeMap<(String, String), [usize; 2]>) {
    println!("{:<12} {:<14} {:>7} {:>7}", "generation", "kind", "passed", "failed");
    let mut sum = [0; 2];
    let order = |generation: &str| Generation::ALL.iter().position(|known| known.as_str() == generation);
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|((generation, kind), _)| (order(generation), kind.clone()));
    for ((generation, kind), counts) in rows {
        println!("{generation:<12} {kind:<14} {:>7} {:>7}", counts[0], counts[1]);
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    println!("{:<12} {:<14} {:>7} {:>7}", "all", "", sum[0], sum[1]);
}

/// The table of errors is one for all generations, so it is held to all of them now, whether the client speaks them or not.
#[test]
fn every_documented_error_of_every_generation_is_read_as_it_is_meant() {
    let mut seen = 0;
    for (_, vector) in load(&own_folder()) {
        if kind(&vector) != "response" {
            continue;
        }
        let cases: Vec<&Value> = vector["cases"].as_array().map_or_else(|| vec![&vector], |cases| cases.iter().collect());
        for case in cases {
            let reply = if case["response"].is_object() { &case["response"] } else { case };
            let empty_list = case["expect"]["class"] == "Profiles";
            if reply["transport"].is_string() || response::status(reply) < 300 || empty_list {
                continue;
            }
            let operation = case::operation(case["operation"].as_str().unwrap());
            let device_sent = case["context"]["deviceSent"].as_bool().or(vector["context"]["deviceSent"].as_bool());
            let asked = Asked { operation, device_sent: device_sent.unwrap_or(operation == Operation::CreateSession) };
            let fault = response::with_answer(reply, |answer| classify::fault(asked, answer));
            let outcome = case::fault(&fault);
            assert!(
                alternatives(case).any(|expected| case::holds(&outcome, expected)),
                "{} {case}: it was {outcome}",
                vector["id"]
            );
            assert!(!matches!(fault.class, FaultClass::NotExpressible { .. }));
            seen += 1;
        }
    }
    assert!(seen > 300, "only {seen} documented errors were found");
}
