//! When the provider is asked again.

use qos_operator::api::{QosSession, RECONCILE_REQUESTED_AT_ANNOTATION};
use qos_operator::simulator::Selection;
use qos_operator::simulator::faults::{Fault, Target, What};
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use crate::support::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extend_without_an_answer_is_looked_after_when_its_pause_is_over_and_not_at_the_next_poll() {
    let stage = Stage::new("looks").await;
    stage.create("camera-12", json!({})).await;
    let first = stage.available("camera-12").await.status.unwrap().expires_at.unwrap();
    stage.admin.add_fault(Fault::once(Target::Extend, What::DropBefore)).unwrap();
    stage.pass(3600 - 200).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while stage.calls(Operation::Extend) == 0 {
        assert!(std::time::Instant::now() < deadline, "the extend is not tried");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    stage.quiet().await;
    // The pause is 5 s, the next poll minutes away.
    stage.pass(6).await;
    let later = |object: &QosSession| {
        object.status.as_ref().and_then(|status| status.expires_at.as_ref()).is_some_and(|at| at.0 > first.0)
    };
    stage.until("camera-12", "extended", later).await;
    assert_eq!([stage.calls(Operation::Extend), stage.calls(Operation::Create)], [2, 1]);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_value_of_reconcile_requested_at_has_the_provider_asked_once_and_at_once() {
    let stage = Stage::new("looks").await;
    stage.create("camera-12", json!({})).await;
    let first = stage.available("camera-12").await.status.unwrap().session_id;
    let asked = stage.calls(Operation::Get);
    let ask = |value: &str| json!({ "metadata": { "annotations": { RECONCILE_REQUESTED_AT_ANNOTATION: value } } });
    stage.patch("camera-12", ask("1")).await;
    let handled = |object: &QosSession| object.status.as_ref().unwrap().last_handled_reconcile_at.as_deref() == Some("1");
    stage.until("camera-12", "handled", handled).await;
    stage.quiet().await;
    assert_eq!(stage.calls(Operation::Get), asked + 1);
    assert_eq!(stage.admin.terminate(&Selection::default()), 1);
    stage.patch("camera-12", ask("2")).await;
    let replaced = |object: &QosSession| object.status.as_ref().is_some_and(|s| s.session_id.is_some() && s.session_id != first);
    stage.until("camera-12", "served again", replaced).await;
    stage.finish().await;
}
