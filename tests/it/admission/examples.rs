//! The manifests that we hand out, in files and in pages.

use std::fs;

use qos_operator::api::{QosProvider, QosSession};
use serde_json::Value;

use super::server::Server;
use crate::support::{cluster, in_repository};

/// Where they are, and the least that there must be in each. That of the demo is completed by its script.
const FOLDERS: [(&str, usize); 2] = [("examples", 5), ("examples/providers", 7)];
const README: &str = include_str!("../../../README.md");
const PROVIDERS: &str = include_str!("../../../docs/providers.md");

/// Every YAML document in the folders and in the README, with the name of its file.
fn documents() -> Vec<(String, String)> {
    let mut files: Vec<_> = FOLDERS.iter().flat_map(|(folder, least)| files(folder, *least)).collect();
    let blocks = blocks(README);
    assert!(!blocks.is_empty(), "README.md shows no manifest");
    files.extend(blocks.into_iter().map(|block| ("README.md".to_owned(), block)));
    files.iter().flat_map(|(name, text)| text.split("\n---\n").map(|document| (name.clone(), document.to_owned()))).collect()
}

/// The YAML files of a folder, by name.
fn files(folder: &str, least: usize) -> Vec<(String, String)> {
    let entries = fs::read_dir(in_repository(folder)).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (format!("{folder}/{name}"), fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(found.len() >= least, "only {} files in {folder}/", found.len());
    found
}

/// The YAML that a page shows.
fn blocks(page: &str) -> Vec<String> {
    page.split("```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn every_manifest_in_examples_is_admitted() {
    let server = Server::shared().await;
    let cluster = cluster().await;
    cluster.ensure_namespace("qos-operator").await;
    for (name, document) in documents() {
        if let Err(refusal) = server.dry_run(&document).await {
            panic!("{name}: {}", refusal.text);
        }
    }
}

#[test]
fn every_manifest_in_examples_keeps_the_rules_without_a_server_too() {
    let (mut sessions, mut providers) = (0, 0);
    for (name, document) in documents() {
        let value: Value = serde_saphyr::from_str(&document).unwrap();
        let broken = match value["kind"].as_str() {
            Some("QosSession") => {
                sessions += 1;
                serde_saphyr::from_str::<QosSession>(&document).unwrap().validate_cel().err()
            }
            Some("QosProvider") => {
                providers += 1;
                serde_saphyr::from_str::<QosProvider>(&document).unwrap().validate_cel().err()
            }
            _ => None,
        };
        assert!(broken.is_none(), "{name}: {broken:?}");
    }
    assert!(sessions >= 5 && providers >= 9, "{sessions} sessions, {providers} providers");
}

#[test]
fn what_the_page_on_providers_shows_stands_in_an_example() {
    let examples: Vec<_> = FOLDERS.iter().flat_map(|(folder, least)| files(folder, *least)).collect();
    let blocks = blocks(PROVIDERS);
    assert!(blocks.len() >= 5, "only {} excerpts", blocks.len());
    for block in blocks {
        let (place, lines) = block.split_once('\n').unwrap();
        // What is under `spec.auth` stands four blanks further right in the whole object.
        let path = place.strip_prefix("# QosProvider, ").unwrap_or_else(|| panic!("where does this stand?\n{block}"));
        let indent = "  ".repeat(path.split('.').count());
        let lines: String = lines.lines().flat_map(|line| [&indent, line, "\n"]).collect();
        assert!(examples.iter().any(|(_, text)| text.contains(&lines)), "no example has these lines:\n{lines}");
    }
    for (name, _) in files("examples/providers", 7) {
        assert!(PROVIDERS.contains(&name), "docs/providers.md does not name {name}");
    }
}

/// So that the test above can fail: the rules are evaluated, not skipped.
#[test]
fn a_broken_rule_is_found_without_a_server() {
    let mut session: QosSession = serde_json::from_value(super::session(serde_json::json!({}))).unwrap();
    session.spec.device.phone_number = Some("447700900112".into());
    let errors = session.validate_cel().unwrap_err().to_string();
    assert!(errors.contains("write a phone number in E.164 form"), "{errors}");
    let mut provider: QosProvider = serde_json::from_value(super::provider(serde_json::json!({}))).unwrap();
    provider.spec.api.base_url = "http://qod.example.com/qod/v0".to_owned();
    let errors = provider.validate_cel().unwrap_err().to_string();
    assert!(errors.contains("must be an https:// URL"), "{errors}");
}
