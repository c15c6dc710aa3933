//! Field case 15: the Secret holds another client, which the API does not show the sessions of the first.

use qos_operator::simulator::oauth::settings::Client;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::{CLIENT, PHONE, SECRET, apply_secret, basic, register, status};
use crate::support::stage::{Stage, condition, message};

/// A session of the first client, AVAILABLE until `duration` has passed; the Secret holds the second one.
async fn handed_over(prefix: &str, foreign: u16, spec: serde_json::Value) -> (Stage, String) {
    let stage = basic().started(prefix).await;
    stage.admin.change(|settings| settings.foreign_session_status = foreign).await.unwrap();
    register(&stage, Client { secret: Some("an0ther-s3cret".into()), ..Client::new("app:8") }).await;
    stage.create("camera-12", spec).await;
    let id = status(&stage.available("camera-12").await).session_id.unwrap();
    apply_secret(&stage, "app:8", "an0ther-s3cret").await;
    stage.let_pass(150, 5).await;
    (stage, id)
}

fn lease() -> serde_json::Value {
    json!({ "device": { "phoneNumber": PHONE }, "durationSeconds": 900, "renewalPolicy": "Always" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_client_that_cannot_see_the_session_makes_no_second_one_and_the_old_credentials_go_on_with_it() {
    for foreign in [404, 403] {
        let (stage, id) = handed_over("client", foreign, lease()).await;
        let object = stage.ready("camera-12", "True", "CredentialsRejected").await;
        assert_eq!(condition(&object, "Stalled"), ("True", "CredentialsRejected"));
        assert_eq!((condition(&object, "Available"), status(&object).session_id), (("True", "Available"), Some(id.clone())));
        let told = message(&object, "Ready");
        assert!(told.starts_with("another client made this session: its credentials are needed to renew or release it before"));
        assert_eq!(stage.calls(Operation::Create), 1);
        apply_secret(&stage, CLIENT, SECRET).await;
        stage.let_pass(1200, 10).await;
        assert_eq!(status(&stage.available("camera-12").await).session_id, Some(id), "extended");
        assert_eq!(stage.calls(Operation::Create), 1);
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_waits_for_the_old_credentials_and_orphan_ends_it() {
    let (stage, _) = handed_over("orphan", 404, lease()).await;
    stage.delete("camera-12").await;
    stage.ready("camera-12", "False", "ReleaseBlocked").await;
    stage.let_pass(60, 5).await;
    assert!(stage.get("camera-12").await.is_some());
    stage.patch("camera-12", json!({ "spec": { "deletionPolicy": "Orphan" } })).await;
    stage.gone("camera-12").await;
    assert_eq!((stage.admin.ledger().live, stage.admin.ledger().released), (1, 0), "it was left behind, as asked");
    stage.stop_without_ledger().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_of_a_new_client_is_made_before_the_old_one_cannot_be_in_its_way() {
    let (stage, id) = handed_over("later", 404, lease()).await;
    stage.ready("camera-12", "True", "CredentialsRejected").await;
    // 150 s are over. The old one ends after 900 s, may be retained for 360 s, and the clocks may differ by 30 s.
    stage.let_pass(900 + 360 - 150, 10).await;
    assert_eq!(stage.calls(Operation::Create), 1);
    assert_eq!(stage.get("camera-12").await.and_then(|object| status(&object).session_id), Some(id.clone()));
    stage
        .pass_until(3600, 10, "camera-12", |object| {
            condition(object, "Ready") == ("True", "Available") && status(object).session_id.is_some_and(|now| now != id)
        })
        .await;
    let ledger = stage.admin.ledger();
    assert_eq!((ledger.created, ledger.doubled, ledger.overlapping), (2, 0, 0), "{ledger}");
    // The first client never asks for its session again, which the ledger would call a leak.
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    assert_eq!(stage.admin.ledger().live, 0);
    stage.stop_without_ledger().await;
}
