//! Clocks, limits, columns and Secrets.

use qos_operator::simulator::settings::{Operation, Profile, ProfileBodies, ProfileStatus};
use serde_json::json;

use super::status;
use crate::support::stage::{Stage, TOKEN, condition, message};

/// 22.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_was_missed_is_made_at_once_also_after_the_expiry() {
    for (away, created) in [(3600 - 100, 1), (3600 + 100, 2)] {
        let mut stage = Stage::new("missed").await;
        stage.create("camera-12", json!({})).await;
        let first = status(&stage.available("camera-12").await).expires_at.unwrap();
        stage.stop().await;
        stage.pass(away).await;
        stage.start().await;
        stage
            .until("camera-12", "renewed", |object| {
                condition(object, "Ready") == ("True", "Available") && status(object).expires_at.is_some_and(|at| at.0 > first.0)
            })
            .await;
        assert_eq!(stage.calls(Operation::Create), created);
        stage.finish().await;
    }
}

/// 22: the provider's clock is ahead, and the host's goes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skewed_clock_costs_at_most_one_renewal_for_each_half_of_the_grant() {
    let stage = Stage::new("skew").await;
    stage.admin.change(|settings| settings.clock_skew_seconds = -90).await.unwrap();
    stage.create("camera-12", json!({ "durationSeconds": 120, "renewalPolicy": "Always" })).await;
    stage.available("camera-12").await;
    stage.let_pass(600, 5).await;
    let renewals = stage.calls(Operation::Extend) + stage.calls(Operation::Create);
    assert!(renewals <= 12, "{renewals} in 600 s of grants of 120 s");
    let object = stage.get("camera-12").await.unwrap();
    assert!(stage.operator().context.timer_of(&object).is_some(), "an object that is not at its end has a timer");
    stage.stop_without_ledger().await;
}

/// 26.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duration_outside_the_profile_is_refused_before_the_call_and_tried_when_the_limits_change() {
    let mut stage = Stage::bare("limits").await;
    let profile = |least| Profile {
        name: "QOS_E".to_owned(),
        status: ProfileStatus::Active,
        min_duration_seconds: Some(least),
        max_duration_seconds: Some(86_400),
    };
    stage
        .admin
        .change(|settings| {
            settings.profiles = vec![profile(60)];
            settings.profile_bodies = ProfileBodies::Objects;
        })
        .await
        .unwrap();
    stage.secret(TOKEN).await;
    stage.provider(json!({})).await;
    stage.start().await;
    stage.create("camera-12", json!({ "durationSeconds": 30 })).await;
    let object = stage.ready("camera-12", "False", "DurationOutOfRange").await;
    assert!(
        message(&object, "Ready").contains("60") && message(&object, "Ready").contains("86400"),
        "{}",
        message(&object, "Ready")
    );
    assert_eq!(condition(&object, "Stalled").0, "True");
    assert_eq!(stage.calls(Operation::Create), 0);
    stage.admin.change(|settings| settings.profiles = vec![profile(10)]).await.unwrap();
    // It runs for 30 s only: by the time that anybody looks it may be over.
    stage.let_pass(700, 100).await;
    stage.until("camera-12", "tried again", |object| status(object).run_started_at.is_some()).await;
    assert_eq!(stage.calls(Operation::Create), 1);
    stage.finish().await;
}

/// 30.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_expires_column_shows_the_time_itself() {
    let stage = Stage::new("column").await;
    stage.create("camera-12", json!({})).await;
    let expires = status(&stage.available("camera-12").await).expires_at.unwrap();
    let table = crate::support::stdout_of(stage.cluster.kubectl().args(["get", "qos", "-n", &stage.namespace]));
    assert!(table.contains(&expires.0.to_string()) && !table.contains("<invalid>"), "{table}");
    stage.finish().await;
}

/// 33.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn white_space_at_the_end_of_a_token_is_trimmed_and_within_it_is_named_but_not_shown() {
    let mut stage = Stage::bare("newline").await;
    stage.secret("mock sandbox").await;
    stage.provider(json!({})).await;
    stage.start().await;
    stage.create("camera-12", json!({})).await;
    let object = stage.ready("camera-12", "False", "ProviderNotReady").await;
    let told = message(&object, "Ready");
    assert!(told.contains("CredentialsRejected") && told.contains("provider-token") && !told.contains("mock sandbox"), "{told}");
    stage.secret(&format!("{TOKEN}\n")).await;
    stage.available("camera-12").await;
    stage.finish().await;
}

/// The number stands in a Secret only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_number_from_a_secret_is_used_and_never_told() {
    let stage = Stage::new("number").await;
    stage
        .create(
            "camera-12",
            json!({ "device": { "phoneNumber": null, "phoneNumberFrom": { "secretKeyRef": { "name": "device", "key": "number" } } } }),
        )
        .await;
    let object = stage.ready("camera-12", "False", "SecretNotFound").await;
    assert_eq!(message(&object, "Ready"), "Secret device does not exist");
    stage.any_secret("device", "number", "+447700900177\n").await;
    stage.let_pass(660, 60).await;
    let object = stage.available("camera-12").await;
    let text = serde_json::to_string(&object).unwrap();
    assert!(!text.contains("7700900177"), "{text}");
    // The same number in a spec is the same device.
    stage.create("camera-13", json!({ "device": { "phoneNumber": "+447700900177" } })).await;
    stage.ready("camera-13", "False", "DeviceBusy").await;
    assert_eq!(stage.calls(Operation::Create), 1);
    stage.finish().await;
}
