//! The lines of the log: JSON, with the fields that docs/operations.md lists and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use qos_operator::simulator::generation::Generation;
use serde_json::{Value, json};

use super::flags;
use crate::support::in_repository;
use crate::support::process::OperatorProcess;
use crate::support::stage::{Stage, TOKEN};

const PAGE: &str = include_str!("../../../docs/operations.md");
/// What every line has.
const COMMON: [&str; 4] = ["timestamp", "level", "target", "message"];

/// The fields of the page's table.
fn documented() -> BTreeSet<String> {
    let rows = PAGE.lines().skip_while(|line| *line != "| field | what it is |").skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // The simulator is another program, and binaries beside it have no logs of their own.
        let other = path.ends_with("src/simulator") || path.ends_with("src/bin") || path.ends_with("tests.rs");
        if path.is_dir() && !other {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !other {
            into.push(path);
        }
    }
}

/// The names of the fields in `tracing`'s macros in `source`, tests aside.
fn fields(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut found = Vec::new();
    for level in ["error", "warn", "info", "debug", "trace"] {
        for (start, opening) in source.match_indices(&format!("tracing::{level}!(")) {
            let arguments = arguments(&source[start + opening.len()..]);
            let named = arguments.iter().filter(|argument| !argument.starts_with('"') && !argument.starts_with("target:"));
            found.extend(named.map(|argument| {
                let name = argument.split('=').next().unwrap().trim().trim_start_matches(['%', '?']);
                name.rsplit('.').next().unwrap().to_owned()
            }));
        }
    }
    found
}

/// The arguments of a macro whose opening parenthesis stands before `rest`; texts become `""`.
fn arguments(rest: &str) -> Vec<String> {
    let (mut depth, mut text, mut escaped) = (0, false, false);
    let (mut all, mut argument) = (Vec::new(), String::new());
    for character in rest.chars() {
        if text {
            text = character != '"' || escaped;
            escaped = character == '\\' && !escaped;
            if !text {
                argument.push('"');
            }
            continue;
        }
        match character {
            '"' => text = true,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ')' => break,
            ',' if depth == 0 => {
                all.push(std::mem::take(&mut argument).trim().to_owned());
                continue;
            }
            _ => {}
        }
        argument.push(character);
    }
    all.push(argument.trim().to_owned());
    all.retain(|argument| !argument.is_empty());
    all
}

#[test]
fn the_fields_of_a_line_are_found_in_its_macro() {
    let source = r#"
        tracing::warn!(provider = name, cause, "a text, with (marks) and \" = x");
        tracing::debug!(namespace = %a.b.c, %error, row = ?x(1, 2), "decided");
        tracing::info!(
            address = %admin.address(),
            "served"
        );
#[cfg(test)]
mod tests {
        tracing::info!(hidden = 1, "x");
    "#;
    assert_eq!(fields(source), ["provider", "cause", "address", "namespace", "error", "row"]);
}

#[test]
fn the_page_lists_every_field_that_the_source_writes_and_no_other() {
    let mut files = Vec::new();
    sources(&in_repository("src"), &mut files);
    let written: BTreeSet<String> = files.iter().flat_map(|file| fields(&fs::read_to_string(file).unwrap())).collect();
    assert!(written.len() > 10, "{written:?}");
    assert_eq!(written, documented());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_in_json_is_an_object_with_the_documented_fields() {
    let stage = Stage::bare("lines").await;
    stage.secret(TOKEN).await;
    // From 0.11 on each request has a correlator.
    stage.provider(json!({ "api": stage.api_of(Generation::V1_0) })).await;
    let folder = tempfile::tempdir().unwrap();
    let more = ["--log-format", "json", "--log-level", "info,qos_operator=debug", "--admin-listen", "127.0.0.1:0"];
    let flags = flags(&stage).into_iter().chain(more.map(str::to_owned)).collect();
    let process = OperatorProcess::new(folder.path(), &stage.cluster.kubeconfig_of(stage.account_token().await), flags);
    process.start();
    stage.create("camera-12", json!({ "device": { "phoneNumber": "+447700900177" } })).await;
    stage.available("camera-12").await;
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    process.kill();
    let log = process.log();
    let documented = documented();
    let mut seen = BTreeSet::new();
    for line in log.lines() {
        let Ok(Value::Object(line)) = serde_json::from_str(line) else { panic!("no JSON object: {line}") };
        let target = line["target"].as_str().unwrap();
        for common in COMMON {
            assert!(line.contains_key(common), "{common} is missing in {line:?}");
        }
        if target.starts_with("qos_operator") {
            seen.extend(line.keys().filter(|key| !COMMON.contains(&key.as_str())).cloned());
        }
    }
    assert!(seen.is_subset(&documented), "{seen:?}");
    for told in ["namespace", "name", "row", "operation", "correlator", "address", "version"] {
        assert!(seen.contains(told), "{told} is in no line: {log}");
    }
    for hidden in ["447700900177", TOKEN] {
        assert!(!log.contains(hidden), "{hidden} is in the log");
    }
    stage.finish().await;
}
