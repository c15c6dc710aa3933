//! Nothing personal or secret leaves the cluster with the traces.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;
use kube::api::ListParams;
use qos_operator::api::ATTEMPT_ANNOTATION;
use qos_operator::simulator::faults::{Effect, Fault, Target, What};
use qos_operator::simulator::generation::Generation;
use serde_json::{Value, json};

use super::{Collector, end, process};
use crate::support::stage::{Stage, TOKEN, condition, message};

/// A refusal whose prose and code tell what it was asked.
fn talkative(status: u16, code: &str, prose: &str) -> What {
    let body = json!({ "status": status, "code": code, "message": prose });
    What::Status { status, code: None, body: Some(body), headers: BTreeMap::new(), effect: Effect::None }
}

/// The nonces that stand in the objects now, and the ids of their sessions.
async fn note(stage: &Stage, noted: &mut BTreeSet<String>) {
    for object in stage.sessions().list(&ListParams::default()).await.unwrap() {
        if let Some(record) = object.annotations().get(ATTEMPT_ANNOTATION) {
            let record: Value = serde_json::from_str(record).unwrap();
            noted.insert(record["nonce"].as_str().unwrap().to_owned());
        }
        noted.extend(object.status.and_then(|status| status.session_id));
    }
}

pub(super) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_exported_byte_tells_a_number_address_token_nonce_session_or_callback() {
    let stage = Stage::bare("discreet").await;
    stage.secret(TOKEN).await;
    stage.any_secret("device", "number", "+447700900165").await;
    let api = stage.api_of(Generation::V1_0);
    stage.provider(json!({ "api": api })).await;
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let more = ["--callback-url", "https://hooks.example.com/in-here", "--log-level", "trace", "--log-format", "json"];
    let process = process(&stage, folder.path(), &collector.url, "200", &more).await;
    process.start();

    let mut secrets = BTreeSet::new();
    let source = json!({ "secretKeyRef": { "name": "device", "key": "number" } });
    let device = json!({ "phoneNumber": null, "phoneNumberFrom": source });
    stage.create("from-secret", json!({ "device": device, "durationSeconds": 3600 })).await;
    stage.available("from-secret").await;
    note(&stage, &mut secrets).await;
    let trouble = [
        (
            "conflict",
            json!({ "ipv4Address": { "publicAddress": "203.0.113.178", "publicPort": 59766 } }),
            talkative(409, "CONFLICT", "203.0.113.178 camera-77@example.com"),
        ),
        (
            "failing",
            json!({ "ipv4Address": { "publicAddress": "203.0.113.17", "publicPort": 59765 } }),
            talkative(500, "INTERNAL_203", "203.0.113.177"),
        ),
        ("lost", json!({ "ipv6Address": "2001:db8::177" }), What::DropAfter),
        ("invalid", json!({ "phoneNumber": "+447700900162" }), talkative(400, "+447700900162", "+447700900162 2001:db8::177")),
    ];
    for (name, mut device, what) in trouble {
        stage.admin.add_fault(Fault::once(Target::Create, what)).unwrap();
        device["phoneNumber"] = device["phoneNumber"].take();
        stage.create(name, json!({ "device": device })).await;
        let object = stage.until(name, "answered", |object| !condition(object, "Ready").1.is_empty()).await;
        println!("{name}: {:?} {}", condition(&object, "Ready"), message(&object, "Ready"));
        note(&stage, &mut secrets).await;
        stage.admin.clear_faults();
    }
    // An edit, and its new session.
    stage.patch("from-secret", json!({ "spec": { "applicationServerPorts": { "ports": [5000] } } })).await;
    stage.available("from-secret").await;
    note(&stage, &mut secrets).await;
    for name in ["from-secret", "conflict", "invalid"] {
        stage.delete(name).await;
        stage.gone(name).await;
    }
    assert!(end(&process).await.success(), "{}", process.log());

    assert!(secrets.len() >= 6, "{secrets:?}");
    let known =
        ["447700900165", "447700900162", "7700900", "camera-77", "203.0.113.17", "5976", "2001:db8::177", "198.51.100.10", TOKEN];
    let known = known.into_iter().chain(["hooks.example.com", "in-here", "Bearer", "of-the-collector"]).map(str::to_owned);
    secrets.extend(known.chain([stage.cluster.token()]));
    let requests = collector.requests();
    let bytes: usize = requests.iter().map(|(_, body)| body.len()).sum();
    println!("{} spans, {bytes} bytes in {} requests, {} secrets", collector.spans().len(), requests.len(), secrets.len());
    // Lines of a pass name its trace.
    let traces: BTreeSet<_> = collector.spans().into_iter().map(|span| hex::encode(span.trace)).collect();
    let lines = process.log().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
    let (within, without): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["trace_id"].is_string());
    assert!(within.iter().all(|line| traces.contains(line["trace_id"].as_str().unwrap())), "{within:?}");
    assert!(within.iter().filter(|line| line["message"] == "decided").count() > 5, "{within:?}");
    assert!(without.iter().all(|line| line["message"] != "decided") && !without.is_empty(), "{without:?}");
    // The search finds what is there.
    for shown in ["from-secret", "conflict", "RefusedInvalid", "Ambiguous", "Conflict", "createSession", stage.provider_name()] {
        assert!(requests.iter().any(|(_, body)| contains(body, shown)), "{shown} is in no request");
    }
    for secret in secrets {
        assert!(!requests.iter().any(|(_, body)| contains(body, &secret)), "{secret} was exported");
    }
    stage.stop_without_ledger().await;
}
