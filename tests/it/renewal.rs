//! Renewals that meet an error.

use qos_operator::simulator::faults::{Fault, Target, What};
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use crate::support::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extend_without_an_answer_is_looked_after_when_its_pause_is_over_and_not_at_the_next_poll() {
    let stage = Stage::new("renewal").await;
    stage.create("camera-12", json!({})).await;
    let first = stage.available("camera-12").await.status.unwrap().expires_at.unwrap();
    stage.admin.add_fault(Fault::once(Target::Extend, What::DropBefore)).unwrap();
    stage.pass(3600 - 200);
    stage.eventually("the extend is tried", || stage.calls(Operation::Extend) == 1).await;
    stage.quiet().await;
    // The pause is 5 s, the next poll minutes away.
    stage.pass(6);
    let later = |object: &qos_operator::api::QosSession| {
        object.status.as_ref().and_then(|status| status.expires_at.as_ref()).is_some_and(|at| at.0 > first.0)
    };
    stage.until("camera-12", "extended", later).await;
    assert_eq!([stage.calls(Operation::Extend), stage.calls(Operation::Create)], [2, 1]);
    stage.finish().await;
}
