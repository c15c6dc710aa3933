//! How many requests for tokens many objects cost.

use std::collections::BTreeMap;

use qos_operator::simulator::settings::Operation;
use serde_json::{Value, json};

use super::{Grant, Proof, Way, asked, basic, ciba, status};
use crate::auth::keys::Key;
use crate::support::stage::{Stage, condition};

fn phone(last: usize) -> String {
    format!("+447700900{last:03}")
}

/// Lets time pass until all are AVAILABLE.
async fn all_available(stage: &Stage, names: &[String]) {
    for name in names {
        if stage.get(name).await.is_some_and(|object| condition(&object, "Ready") == ("True", "Available")) {
            continue;
        }
        stage.pass_until(120, 1, name, |object| condition(object, "Ready") == ("True", "Available")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_objects_of_one_client_cost_one_request_for_a_token() {
    let way = basic();
    let mut stage = way.stage("hundred").await;
    let names: Vec<String> = (0..100).map(|number| format!("camera-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        stage.create(name, json!({ "device": { "phoneNumber": phone(number) } })).await;
    }
    stage.start().await;
    for name in &names {
        stage.available(name).await;
    }
    assert_eq!(stage.calls(Operation::Create), 100);
    assert_eq!(stage.calls(Operation::Token), 1);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_objects_of_one_device_cost_its_subscriber_one_question() {
    let way = ciba();
    let mut stage = way.stage("ten").await;
    let names: Vec<String> = (0..10).map(|number| format!("stream-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        stage.create(name, json!({ "applicationServerPorts": { "ports": [5000 + number] } })).await;
    }
    stage.start().await;
    all_available(&stage, &names).await;
    assert_eq!((asked(&stage), stage.calls(Operation::Token)), (1, 1));
    assert_eq!(stage.calls(Operation::Create), 10);
    stage.finish().await;
}

/// From 1.0 on the token alone says which device a session is for: a token in the wrong hands would give another device's session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_of_one_device_is_used_for_no_other() {
    for way in [ciba(), Way::new(Grant::JwtBearer, Proof::Key(Key::p256(), "ES256"))] {
        let mut stage = way.stage("own").await;
        let names: Vec<String> = (0..5).map(|number| format!("camera-{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            stage.create(name, json!({ "device": { "phoneNumber": phone(number) } })).await;
        }
        stage.start().await;
        all_available(&stage, &names).await;
        let entries: Vec<Value> = stage.admin.entries().iter().map(|entry| json!(entry)).collect();
        let devices: BTreeMap<&str, &str> =
            entries.iter().map(|entry| (entry["sessionId"].as_str().unwrap(), entry["device"].as_str().unwrap())).collect();
        for (number, name) in names.iter().enumerate() {
            let id = status(&stage.available(name).await).session_id.unwrap();
            assert_eq!(devices[id.as_str()], format!("phone …{number:03}"), "{name}");
        }
        assert_eq!(stage.calls(Operation::Token), 5, "one for each device");
        // Polls and releases go out with the device's own token too: any other one is refused.
        stage.let_pass(130, 10).await;
        let strangers: Vec<_> = stage.admin.requests().into_iter().filter(|r| matches!(r.status, Some(403 | 404))).collect();
        assert_eq!(strangers.len(), 0, "{strangers:?}");
        stage.finish().await;
    }
}
