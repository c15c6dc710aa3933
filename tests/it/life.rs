//! The life of a session on a real API server, with a provider that behaves as the official documents say.

use std::collections::BTreeMap;

use qos_operator::simulator::Selection;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use crate::support::stage::{Stage, TOKEN, condition, message};

fn status(object: &qos_operator::api::QosSession) -> qos_operator::api::QosSessionStatus {
    object.status.clone().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_created_told_and_released_with_three_writes_and_two_calls() {
    let stage = Stage::new("life").await;
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    let object = stage.available("camera-12").await;
    let told = status(&object);
    assert!(told.session_id.is_some() && told.expires_at.is_some(), "{told:?}");
    assert_eq!(told.granted_duration_seconds, Some(3600));
    assert_eq!(told.device.as_deref(), Some("tel:*112"));
    assert_eq!(condition(&object, "Available"), ("True", "Available"));
    assert_eq!(message(&object, "Ready"), "the network gives the QoS");
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [1, 1]);
    let writes = stage.writes("camera-12");
    assert_eq!(writes.len(), 3, "finalizer with attempt, status, finalizer removal; seen: {writes:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_requested_first_costs_one_write_more() {
    let stage = Stage::new("requested").await;
    stage.admin.change(|settings| settings.requested_delay_seconds = 20).await.unwrap();
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    let object = stage.ready("camera-12", "False", "Requested").await;
    assert_eq!(status(&object).qos_status.as_deref(), Some("REQUESTED"));
    assert_eq!(condition(&object, "Reconciling").0, "True");
    stage.pass(21).await;
    stage.available("camera-12").await;
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    let writes = stage.writes("camera-12");
    assert_eq!(writes.len(), 4, "{writes:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standing_session_is_extended_before_its_expiry_with_one_write_each() {
    let stage = Stage::new("extend").await;
    stage.create("camera-12", json!({})).await;
    let first = status(&stage.available("camera-12").await).expires_at.unwrap();
    let before = stage.writes("camera-12").len();
    stage.pass(3600 - 200).await;
    let object = stage.until("camera-12", "extended", |object| status(object).expires_at.is_some_and(|at| at.0 > first.0)).await;
    assert_eq!(condition(&object, "Ready"), ("True", "Available"));
    assert_eq!(stage.calls(Operation::Extend), 1);
    assert_eq!(stage.calls(Operation::Create), 1, "no second session");
    stage.quiet().await;
    // The first extension also marks the record: extensions count in the bound from then on.
    let cost: Vec<_> = stage.writes("camera-12").split_off(before);
    assert!(cost.len() <= 2, "{cost:?}");
    let second = status(&stage.get("camera-12").await.unwrap()).expires_at.unwrap();
    let before = stage.writes("camera-12").len();
    stage.pass(3600).await;
    stage.until("camera-12", "extended again", |object| status(object).expires_at.is_some_and(|at| at.0 > second.0)).await;
    stage.quiet().await;
    let cost: Vec<_> = stage.writes("camera-12").split_off(before);
    assert_eq!(cost.len(), 1, "one write a renewal: {cost:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_expired_and_is_not_bought_again() {
    let stage = Stage::new("expiry").await;
    stage.create("camera-12", json!({ "durationSeconds": 600 })).await;
    stage.available("camera-12").await;
    stage.pass(700).await;
    let object = stage.ready("camera-12", "True", "Expired").await;
    let told = status(&object);
    assert_eq!(told.qos_status.as_deref(), Some("UNAVAILABLE"));
    assert_eq!(told.status_info.as_deref(), Some("DURATION_EXPIRED"));
    assert_eq!(told.session_id, None);
    stage.pass(7200).await;
    stage.quiet().await;
    assert_eq!(stage.calls(Operation::Create), 1);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_network_terminated_the_device_is_freed_by_a_delete_and_served_again_at_once() {
    let mut stage = Stage::bare("terminated").await;
    stage.secret(TOKEN).await;
    stage.provider(json!({ "polling": { "availablePeriodSeconds": 60 } })).await;
    stage.start().await;
    stage.create("camera-12", json!({})).await;
    let first = status(&stage.available("camera-12").await).session_id;
    assert_eq!(stage.admin.terminate(&Selection::default()), 1);
    stage.pass(70).await;
    let second = stage
        .until("camera-12", "served again", |object| {
            condition(object, "Ready") == ("True", "Available") && status(object).session_id != first
        })
        .await;
    assert!(status(&second).session_id.is_some());
    assert_eq!(stage.calls(Operation::Delete), 1, "the explicit DELETE");
    assert_eq!(stage.calls(Operation::Create), 2, "no 409 in between");
    let reasons: Vec<_> = stage.events("camera-12").await.into_iter().map(|event| event.1).collect();
    assert!(reasons.contains(&"NetworkTerminated".to_owned()) && reasons.contains(&"Recovered".to_owned()), "{reasons:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_flows_of_one_device_live_side_by_side() {
    // Field case 1.
    let stage = Stage::new("flows").await;
    stage.create("a", json!({ "applicationServerPorts": { "ports": [5000] } })).await;
    stage.create("b", json!({ "applicationServerPorts": { "ports": [6000] } })).await;
    stage.available("a").await;
    stage.available("b").await;
    assert_eq!(stage.calls(Operation::Create), 2);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_object_for_the_flow_waits_and_takes_over_when_the_first_is_deleted() {
    let stage = Stage::new("waits").await;
    stage.create("camera-11", json!({})).await;
    stage.available("camera-11").await;
    stage.create("camera-12", json!({})).await;
    let waiting = stage.ready("camera-12", "False", "DeviceBusy").await;
    assert!(message(&waiting, "Ready").contains("camera-11"), "{}", message(&waiting, "Ready"));
    assert_eq!(stage.calls(Operation::Create), 1, "no POST that must fail");
    stage.delete("camera-11").await;
    stage.available("camera-12").await;
    let counts: BTreeMap<_, _> = stage.admin.request_counts();
    assert!(!counts[&Operation::Create].contains_key("409"), "{counts:?}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_the_profile_releases_before_it_creates() {
    let stage = Stage::new("edit").await;
    stage.create("camera-12", json!({})).await;
    let first = status(&stage.available("camera-12").await).session_id;
    stage.patch("camera-12", json!({ "spec": { "qosProfile": "QOS_S" } })).await;
    stage
        .until("camera-12", "served with the new profile", |object| {
            condition(object, "Ready") == ("True", "Available") && status(object).session_id != first
        })
        .await;
    let order: Vec<_> = stage
        .admin
        .requests()
        .into_iter()
        .map(|request| request.operation)
        .filter(|operation| matches!(operation, Operation::Create | Operation::Delete))
        .collect();
    assert_eq!(order, [Operation::Create, Operation::Delete, Operation::Create]);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_to_a_profile_that_is_not_offered_keeps_the_living_session() {
    let stage = Stage::new("keeps").await;
    stage.create("camera-12", json!({})).await;
    let first = status(&stage.available("camera-12").await).session_id;
    stage.patch("camera-12", json!({ "spec": { "qosProfile": "QOS_X" } })).await;
    let object = stage.ready("camera-12", "False", "ProfileUnavailable").await;
    assert_eq!(status(&object).session_id, first);
    assert_eq!(status(&object).qos_status.as_deref(), Some("AVAILABLE"));
    assert!(message(&object, "Ready").contains("QOS_E"), "what is offered: {}", message(&object, "Ready"));
    assert_eq!(stage.calls(Operation::Delete), 0);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspend_releases_and_its_end_creates_again() {
    let stage = Stage::new("suspend").await;
    stage.create("camera-12", json!({})).await;
    stage.available("camera-12").await;
    stage.patch("camera-12", json!({ "spec": { "suspend": true } })).await;
    let object = stage.ready("camera-12", "True", "Suspended").await;
    assert_eq!(status(&object).session_id, None);
    assert_eq!(stage.admin.ledger().live, 0);
    stage.patch("camera-12", json!({ "spec": { "suspend": false } })).await;
    stage.available("camera-12").await;
    assert_eq!(stage.calls(Operation::Create), 2);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_object_has_no_effect_at_the_provider_not_even_its_release() {
    let stage = Stage::new("paused").await;
    let paused = |value: serde_json::Value| json!({ "metadata": { "annotations": { "qos-operator.io/paused": value } } });
    stage.create("camera-12", json!({})).await;
    stage.available("camera-12").await;
    stage.patch("camera-12", paused(json!("true"))).await;
    stage.delete("camera-12").await;
    stage.quiet().await;
    assert_eq!(stage.calls(Operation::Delete), 0);
    assert!(stage.get("camera-12").await.is_some());
    stage.patch("camera-12", paused(json!(null))).await;
    stage.gone("camera-12").await;
    assert_eq!(stage.calls(Operation::Delete), 1);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orphaned_session_outlives_its_object_and_the_event_names_it() {
    let stage = Stage::new("orphan").await;
    stage.create("camera-12", json!({ "durationSeconds": 600, "deletionPolicy": "Orphan" })).await;
    let id = status(&stage.available("camera-12").await).session_id.unwrap();
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    assert_eq!(stage.calls(Operation::Delete), 0);
    assert_eq!(stage.admin.ledger().live, 1);
    let events = stage.events("camera-12").await;
    assert!(events.iter().any(|event| event.1 == "Orphaned" && event.2.contains(&id)), "{events:?}");
    stage.stop_without_ledger().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_sessions_at_rest_cost_no_write_and_no_call_but_their_polls() {
    // Field case 24, over five minutes of the clock.
    let stage = Stage::new("rest").await;
    for index in 0..20 {
        let phone = format!("+4477009{index:05}");
        stage.create(&format!("s{index}"), json!({ "device": { "phoneNumber": phone } })).await;
    }
    for index in 0..20 {
        stage.available(&format!("s{index}")).await;
    }
    stage.quiet().await;
    let versions = stage.versions().await;
    let writes = stage.all_writes();
    let creates = stage.calls(Operation::Create);
    // Each is polled once in 300 s, give or take a tenth.
    for _ in 0..17 {
        stage.pass(20).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    stage.quiet().await;
    assert_eq!(stage.versions().await, versions, "no resourceVersion moves");
    assert_eq!(stage.all_writes(), writes, "no write to qossessions");
    let polls = stage.calls(Operation::Get);
    println!("20 sessions at rest for 340 s: 0 writes, {polls} polls");
    assert!((20..=40).contains(&polls), "about one poll each: {polls}");
    assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [creates, 0]);
    stage.finish().await;
}
