//! A folder of example objects that state in their first line what becomes of them:
//! `valid/*.yaml` are admitted; `invalid/*.yaml` begin with `# expect: TEXT`, and are refused with that text, or with
//! `# admitted; …`, and are admitted (the operator reports what is wrong with them).

use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

use qos_operator::api::{QosProvider, QosSession};
use serde_json::Value;

use super::server::Server;
use crate::support::in_repository;

#[tokio::test]
async fn every_shared_example_is_admitted_or_refused_as_its_first_line_says() {
    let folder = folder();
    if !folder.is_dir() {
        say(&format!("shared examples: none, {} is not there (QOS_API_EXAMPLES names another folder)", folder.display()));
        return;
    }
    let server = Server::shared().await;
    let (mut admitted, mut refused, mut surprises) = (0, 0, Vec::new());
    for file in files(&folder.join("valid")).into_iter().chain(files(&folder.join("invalid"))) {
        let yaml = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let expected = refusal_of(&file, &yaml);
        match (server.dry_run(&yaml).await, expected) {
            (Ok(object), None) => {
                admitted += 1;
                decode(object);
            }
            (Err(refusal), Some(text)) if refusal.text.contains(text) => refused += 1,
            (Ok(_), Some(text)) => surprises.push(format!("{name} is admitted, not refused with: {text}")),
            (Err(refusal), Some(text)) => surprises.push(format!("{name} is refused with: {}\n  not: {text}", refusal.text)),
            (Err(refusal), None) => surprises.push(format!("{name} is refused with: {}", refusal.text)),
        }
    }
    say(&format!("shared examples: {admitted} admitted, {refused} refused, {} otherwise than stated", surprises.len()));
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    assert!(admitted > 0 && refused > 0, "{} holds both kinds", folder.display());
}

/// The text that the file says it is refused with; nothing where it says that it is admitted.
fn refusal_of<'a>(file: &Path, yaml: &'a str) -> Option<&'a str> {
    if file.parent().unwrap().ends_with("valid") {
        return None;
    }
    let first = yaml.lines().next().unwrap_or_default();
    let text = first.strip_prefix("# expect: ");
    assert!(text.is_some() || first.starts_with("# admitted; "), "{} does not say what becomes of it", file.display());
    text
}

/// What the API server keeps of our kinds, the operator can read.
fn decode(object: Value) {
    match object["kind"].as_str() {
        Some("QosSession") => drop(serde_json::from_value::<QosSession>(object).unwrap()),
        Some("QosProvider") => drop(serde_json::from_value::<QosProvider>(object).unwrap()),
        _ => {}
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

#[expect(clippy::disallowed_methods, reason = "a setting of this test, not of the program")]
fn folder() -> PathBuf {
    std::env::var_os("QOS_API_EXAMPLES").map_or_else(|| in_repository("../shared/api-examples"), PathBuf::from)
}

/// Past the capture of a passing test's output: how much was tested belongs into the log of a run.
fn say(line: &str) {
    writeln!(stderr(), "{line}").unwrap();
}
