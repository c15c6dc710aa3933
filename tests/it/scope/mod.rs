//! An operator that acts in some namespaces only, on a real API server.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod lists;
mod workloads;

use k8s_openapi::jiff::SignedDuration;
use qos_operator::api::QosSession;
use qos_operator::clock::Clock;
use qos_operator::operator;
use qos_operator::simulator::settings::Operation;
use qos_operator::uninstall::plan::Settings;
use qos_operator::uninstall::{Mode, guard};
use serde_json::{Value, json};

use crate::support::elsewhere::Elsewhere;
use crate::support::stage::{LABEL, Stage, TOKEN, message};

/// A stage whose operator, which does not run yet, is to watch a second namespace, and a third one that it is not to watch.
async fn of_two(prefix: &str) -> (Stage, String, String) {
    let mut stage = Stage::bare(prefix).await;
    let (second, third) = (stage.cluster.namespace(prefix).await, stage.cluster.namespace(prefix).await);
    stage.also_watched = vec![second.clone()];
    stage.secret(TOKEN).await;
    stage.provider(json!({})).await;
    (stage, second, third)
}

/// Whether no operator has looked at it.
fn is_untouched(object: &QosSession) -> bool {
    let told = object.status.as_ref().is_some_and(|status| status.observed_generation >= 0 || !status.conditions.is_empty());
    object.metadata.finalizers.is_none() && !told
}

fn device(number: u32) -> Value {
    json!({ "device": { "phoneNumber": format!("+4477009001{number:02}") } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_namespaces_that_are_named_are_served_and_another_one_is_not() {
    let (mut stage, second, third) = of_two("named").await;
    stage.start().await;
    stage.create("camera-1", device(1)).await;
    let (second, third) = (Elsewhere::new(&stage, &second), Elsewhere::new(&stage, &third));
    third.create("camera-3", device(3)).await;
    second.create("camera-2", device(2)).await;
    stage.available("camera-1").await;
    second.ready("camera-2", "True", "Available").await;
    stage.quiet().await;
    let left_alone = third.sessions.get("camera-3").await.unwrap();
    assert!(is_untouched(&left_alone), "{left_alone:?}");
    assert_eq!(stage.calls(Operation::Create), 2);
    second.clear().await;
    assert_eq!(stage.admin.ledger().live, 1);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_that_is_held_in_one_namespace_bars_the_same_flow_in_another_also_after_a_restart() {
    let (mut stage, second, _) = of_two("barred").await;
    stage.start().await;
    Elsewhere::new(&stage, &second).create("camera-11", device(11)).await;
    Elsewhere::new(&stage, &second).ready("camera-11", "True", "Available").await;
    stage.create("camera-12", device(11)).await;
    let waiting = stage.ready("camera-12", "False", "DeviceBusy").await;
    assert!(message(&waiting, "Ready").contains("a session of another namespace"), "{}", message(&waiting, "Ready"));
    stage.stop().await;
    stage.create("camera-13", device(11)).await;
    stage.start().await;
    stage.ready("camera-13", "False", "DeviceBusy").await;
    assert_eq!(stage.calls(Operation::Create), 1);
    stage.delete("camera-13").await;
    stage.gone("camera-13").await;
    Elsewhere::new(&stage, &second).clear().await;
    stage.available("camera-12").await;
    stage.finish().await;
}

#[tokio::test]
async fn the_guard_looks_in_the_namespaces_that_are_named_and_leaves_the_others_alone() {
    let (mut stage, second, third) = of_two("guarded").await;
    // One that does not exist holds nothing.
    stage.also_watched.push("guarded-nowhere".to_owned());
    stage.start().await;
    stage.create("camera-1", device(1)).await;
    let (there, elsewhere) = (Elsewhere::new(&stage, &second), Elsewhere::new(&stage, &third));
    there.create("camera-2", device(2)).await;
    elsewhere.create("camera-3", device(3)).await;
    stage.available("camera-1").await;
    there.ready("camera-2", "True", "Available").await;
    let settings = Settings {
        mode: Mode::Delete,
        timeout: SignedDuration::from_secs(60),
        namespaces: stage.also_watched.iter().chain([&stage.namespace]).cloned().collect(),
        selector: Some(format!("{LABEL}={}", stage.namespace)),
        workloads: false,
        lease: None,
        delete_provider: None,
        release: "qos".to_owned(),
    };
    let mut out = Vec::new();
    let client = operator::client(stage.cluster.config()).unwrap();
    guard(&client, &settings, &Clock::system(), &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("camera-1: deleted") && out.contains("camera-2: deleted") && !out.contains("camera-3"), "{out}");
    assert!(elsewhere.sessions.get_opt("camera-3").await.unwrap().is_some());
    assert_eq!(stage.admin.ledger_at_end().released, 2);
    stage.finish().await;
}
