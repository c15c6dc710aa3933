//! The manifests that we hand out.

use std::fs;

use qos_operator::api::{QosProvider, QosSession};
use serde_json::Value;

use super::server::Server;
use crate::support::{cluster, in_repository};

/// Every YAML document in `examples/`, with the name of its file.
fn documents() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(in_repository("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        found.extend(text.split("\n---\n").map(|document| (name.clone(), document.to_owned())));
    }
    assert!(found.len() >= 5, "only {} documents in examples/", found.len());
    found
}

#[tokio::test]
async fn every_manifest_in_examples_is_admitted() {
    let server = Server::shared().await;
    let cluster = cluster().await;
    cluster.ensure_namespace("qos-operator").await;
    for (name, document) in documents() {
        if let Err(refusal) = server.dry_run(&document).await {
            panic!("examples/{name}: {}", refusal.text);
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
        assert!(broken.is_none(), "examples/{name}: {broken:?}");
    }
    assert!(sessions >= 4 && providers >= 1, "{sessions} sessions, {providers} providers");
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
