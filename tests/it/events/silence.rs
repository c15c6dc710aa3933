//! Notifications that do not arrive: the provider object says so from evidence, and polls are short until one does.

use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::scene::Scene;

/// 32.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_no_notification_arrives_is_told_from_evidence_and_polls_are_short_until_one_does() {
    let mut scene = Scene::new("silent", Generation::V0_10, "v0.10").await;
    scene
        .provider(json!({
            "polling": { "requestedPeriodSeconds": 10, "availablePeriodSeconds": 300 },
            "notifications": { "callbackURL": "http://127.0.0.1:1/notify" },
        }))
        .await;
    let stage = &scene.stage;
    stage.admin.change(|settings| settings.requested_delay_seconds = 15).await.unwrap();
    for (index, name) in ["camera-1", "camera-2"].iter().enumerate() {
        let phone = format!("+44770090012{index}");
        stage.create(name, json!({ "device": { "phoneNumber": phone }, "durationSeconds": 36000 })).await;
        stage.ready(name, "False", "Requested").await;
    }
    assert_eq!(scene.notified().await, ("Unknown", "Awaited"));
    for name in ["camera-1", "camera-2"] {
        stage
            .pass_until(60, 5, name, |object| {
                object.status.as_ref().is_some_and(|s| s.qos_status.as_deref() == Some("AVAILABLE"))
            })
            .await;
    }
    stage.let_pass(20, 5).await;
    scene.until_notified(("False", "NoneReceived")).await;
    let message = scene.message().await;
    assert!(message.contains("http://127.0.0.1:1/notify:"), "{message}");
    let nonce = stage.get("camera-1").await.unwrap().status.unwrap().attempt.unwrap().nonce;
    assert!(!message.contains(nonce.expose().as_str()));

    let polls = |from: u64| stage.calls(Operation::Get) - from;
    stage.let_pass(30, 5).await;
    let from = stage.calls(Operation::Get);
    stage.let_pass(200, 5).await;
    let short = polls(from);
    assert!((30..=46).contains(&short), "{short} polls of two sessions in 200 s, one in 10 s each");

    // One arrives (as if by another way in): it is believed, and polls are long again.
    let object = stage.get("camera-1").await.unwrap();
    let id = object.status.clone().unwrap().session_id.unwrap();
    assert_eq!(scene.send(&object, &id, "AVAILABLE").await, 204);
    scene.until_notified(("True", "Received")).await;
    stage.let_pass(20, 5).await;
    let from = stage.calls(Operation::Get);
    stage.let_pass(200, 5).await;
    let long = polls(from);
    assert!(long <= 4, "{long} polls of two sessions in 200 s, one in 300 s each");
    scene.stage.callback = None;
    scene.finish().await;
}

/// 6. From v0.11 on a bearer has an end that no extension moves. It covers what the profile allows; where that has no end, the session
/// is polled more often once it has passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_the_end_of_its_bearer_a_session_is_polled_more_often() {
    const DAY: i64 = 86_400;
    let scene = Scene::new("bearer", Generation::V1_1, "v1.1").await;
    let stage = &scene.stage;
    stage
        .admin
        .change(|settings| settings.profiles.iter_mut().for_each(|profile| profile.max_duration_seconds = None))
        .await
        .unwrap();
    scene.provider(json!({ "polling": { "requestedPeriodSeconds": 20, "availablePeriodSeconds": 600 } })).await;
    stage.create("camera-12", json!({ "durationSeconds": DAY, "renewalPolicy": "Always" })).await;
    stage.available("camera-12").await;
    let in_ten_minutes = async || {
        stage.let_pass(60, 10).await;
        let from = stage.calls(Operation::Get);
        stage.let_pass(600, 10).await;
        stage.calls(Operation::Get) - from
    };
    let before = in_ten_minutes().await;
    assert!(before <= 3, "{before} polls");
    for _ in 0..9 {
        let expires = stage.get("camera-12").await.unwrap().status.unwrap().expires_at.unwrap().0;
        let wait = expires.duration_since(stage.clock.now()).as_secs() - 250;
        stage.pass(wait).await;
        stage
            .until("camera-12", "extended", |object| {
                object.status.as_ref().and_then(|status| status.expires_at.as_ref()).is_some_and(|at| at.0 > expires)
            })
            .await;
    }
    let after = in_ten_minutes().await;
    assert!((20..=36).contains(&after), "{after} polls in 600 s, one in 20 s");
    assert_eq!(stage.calls(Operation::Create), 1);
    scene.finish().await;
}
