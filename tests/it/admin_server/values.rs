//! The values move as docs/metrics.md says.

use std::collections::BTreeMap;

use kube::Api;
use kube::api::DeleteParams;
use qos_operator::api::QosProvider;
use qos_operator::simulator::faults::{Fault, Target, What};
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::Serving;
use crate::support::stage::Stage;

/// Counts are whole numbers.
#[expect(
    clippy::cast_precision_loss,
    clippy::unnecessary_wraps,
    reason = "small counts, compared with values that may be absent"
)]
fn count(calls: u64) -> Option<f64> {
    Some(calls as f64)
}

const SESSIONS: &str = "qos_operator_sessions";
const CALLS: &str = "qos_operator_provider_calls_total";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_sessions_that_are_available_are_counted_as_three_and_after_their_deletion_there_is_no_such_series() {
    let stage = Stage::new("counted").await;
    stage.provider(json!({ "budget": { "maxSessions": 10, "maxSessionSecondsPerDay": 100_000 } })).await;
    let serving = Serving::of(&stage).await;
    let provider = ("provider", stage.provider_name());
    for number in 0..3 {
        let device = json!({ "device": { "phoneNumber": format!("+44770090011{number}") }, "durationSeconds": 600 });
        stage.create(&format!("camera-{number}"), device).await;
    }
    for number in 0..3 {
        stage.available(&format!("camera-{number}")).await;
    }
    let available = [provider, ("qos_status", "AVAILABLE"), ("ready", "True"), ("reason", "Available")];
    let scrape = serving.scrape_until("the gauge of three", |scrape| scrape.sum(SESSIONS, &available) == Some(3.0)).await;
    assert_eq!(scrape.sum(SESSIONS, &[provider]), Some(3.0), "and none of another kind");
    assert_eq!(scrape.sum("qos_operator_claims", &[("stance", "Holds")]), Some(3.0));
    assert_eq!(scrape.sum("qos_operator_provider_budget_sessions", &[provider]), Some(3.0));
    assert_eq!(scrape.sum("qos_operator_provider_budget_sessions_limit", &[provider]), Some(10.0));
    assert_eq!(scrape.sum("qos_operator_provider_budget_session_seconds", &[provider]), Some(1800.0));
    assert_eq!(scrape.sum("qos_operator_provider_budget_session_seconds_limit", &[provider]), Some(100_000.0));
    assert_eq!(scrape.sum("qos_operator_timers", &[]), Some(3.0));
    assert_eq!(scrape.sum("qos_operator_leader", &[]), Some(1.0));
    let ready = BTreeMap::from([("provider".to_owned(), stage.provider_name().to_owned())]);
    let shown: Vec<_> = scrape.series().iter().filter(|series| series.name == "qos_operator_provider_ready").collect();
    assert_eq!(shown.iter().map(|series| (&series.labels, series.value)).collect::<Vec<_>>(), [(&ready, 1.0)]);

    // What was counted is what the provider has seen.
    let made = |operation| [provider, ("operation", operation)];
    assert_eq!(scrape.sum(CALLS, &made("createSession")), count(stage.calls(Operation::Create)));
    let duration = "qos_operator_provider_call_duration_seconds_count";
    assert_eq!(scrape.sum(duration, &[provider, ("operation", "createSession")]), Some(3.0));
    assert_eq!(scrape.sum("qos_operator_decisions_total", &[("row", "R27")]), Some(3.0));
    let patches = [("verb", "patch"), ("resource", "qossessions/status"), ("code", "200")];
    assert_eq!(scrape.sum("qos_operator_api_server_requests_total", &patches), Some(3.0), "one status each");
    let expiry = scrape.sum("qos_operator_session_next_expiry_timestamp_seconds", &[provider, ("renewal_policy", "Never")]);
    let left = expiry.unwrap() - count(stage.clock.now().as_second().unsigned_abs()).unwrap();
    assert!((500.0..=600.0).contains(&left), "{left} s are left");

    for number in 0..3 {
        stage.delete(&format!("camera-{number}")).await;
    }
    for number in 0..3 {
        stage.gone(&format!("camera-{number}")).await;
    }
    let scrape = serving.scrape_until("the end of the series", |scrape| scrape.sum(SESSIONS, &[]).is_none()).await;
    assert_eq!(scrape.sum("qos_operator_session_next_expiry_timestamp_seconds", &[]), None);
    assert_eq!(scrape.sum("qos_operator_claims", &[]), Some(0.0));
    assert_eq!(scrape.sum("qos_operator_timers", &[]), Some(0.0));
    assert_eq!(scrape.sum("qos_operator_provider_budget_sessions", &[provider]), Some(0.0));
    assert_eq!(scrape.sum(CALLS, &made("deleteSession")), count(stage.calls(Operation::Delete)));
    assert_eq!(scrape.sum("qos_operator_provider_calls_in_flight", &[provider]), Some(0.0));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_series_of_a_provider_that_is_deleted_go_with_it_and_sessions_that_name_it_lose_the_label() {
    let stage = Stage::new("departed").await;
    let serving = Serving::of(&stage).await;
    stage.create("camera-12", json!({})).await;
    stage.available("camera-12").await;
    let provider = ("provider", stage.provider_name());
    serving.scrape_until("a series of the provider", |scrape| scrape.sum(SESSIONS, &[provider]) == Some(1.0)).await;
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    let providers: Api<QosProvider> = Api::all(stage.client.clone());
    providers.delete(stage.provider_name(), &DeleteParams::default()).await.unwrap();
    let deadline = tokio::time::Instant::now() + super::PATIENCE;
    while providers.get_opt(stage.provider_name()).await.unwrap().is_some() {
        assert!(tokio::time::Instant::now() < deadline, "the provider does not go");
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
    stage.create("camera-13", json!({})).await;
    let nobody = [("provider", ""), ("qos_status", "NONE"), ("reason", "ProviderNotFound")];
    let scrape = serving.scrape_until("a session without provider", |scrape| scrape.sum(SESSIONS, &nobody) == Some(1.0)).await;
    let left: Vec<_> = scrape.text().lines().filter(|line| line.contains(stage.provider_name())).collect();
    assert_eq!(left, Vec::<&str>::new());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_a_429_has_closed_shows_its_reason_and_opens_with_its_time() {
    let stage = Stage::new("gated").await;
    let serving = Serving::of(&stage).await;
    let provider = ("provider", stage.provider_name());
    let wait = What::Status {
        status: 429,
        code: Some("TOO_MANY_REQUESTS".to_owned()),
        body: None,
        headers: BTreeMap::from([("Retry-After".to_owned(), "600".to_owned())]),
        effect: qos_operator::simulator::faults::Effect::None,
    };
    stage.admin.add_fault(Fault::once(Target::Create, wait)).unwrap();
    stage.create("camera-12", json!({})).await;
    stage.ready("camera-12", "False", "QuotaExceeded").await;
    let gate = |reason| [provider, ("reason", reason)];
    let closed = "qos_operator_provider_gate_closed";
    let scrape = serving.scrape().await;
    assert_eq!(scrape.sum(closed, &gate("QuotaExceeded")), Some(1.0));
    assert_eq!(scrape.sum(closed, &gate("CredentialsRejected")), Some(0.0));
    let limited = [provider, ("operation", "createSession"), ("outcome", "RateLimited")];
    assert_eq!(scrape.sum(CALLS, &limited), Some(1.0));
    let waits = [provider, ("qos_status", "NONE"), ("ready", "False"), ("reason", "QuotaExceeded")];
    serving.scrape_until("the session that waits", |scrape| scrape.sum(SESSIONS, &waits) == Some(1.0)).await;
    stage.pass(601).await;
    stage.available("camera-12").await;
    assert_eq!(serving.scrape().await.sum(closed, &gate("QuotaExceeded")), Some(0.0));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_refuses_the_credentials_is_not_ready_for_that_reason() {
    let mut stage = Stage::bare("refused").await;
    stage.secret("not-the-token").await;
    stage.provider(json!({})).await;
    stage.start().await;
    let serving = Serving::of(&stage).await;
    let provider = ("provider", stage.provider_name());
    let refused = [provider, ("reason", "CredentialsRejected")];
    let ready = "qos_operator_provider_ready";
    let scrape = serving.scrape_until("the refusal", |scrape| scrape.sum(ready, &refused) == Some(0.0)).await;
    assert!(scrape.sum(CALLS, &[provider, ("outcome", "RefusedCredentials")]) >= Some(1.0), "{}", scrape.text());
    assert_eq!(scrape.sum(ready, &[provider]), Some(0.0), "one series a provider");
    stage.secret(crate::support::stage::TOKEN).await;
    let scrape = serving.scrape_until("the good credentials", |scrape| scrape.sum(ready, &[provider]) == Some(1.0)).await;
    assert_eq!(scrape.sum(ready, &refused), None);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_flow_wants_it_and_no_label_names_an_object_or_a_device() {
    let stage = Stage::new("wanting").await;
    let serving = Serving::of(&stage).await;
    stage.create("camera-first", json!({ "device": { "phoneNumber": "+447700900188" } })).await;
    stage.available("camera-first").await;
    stage.create("camera-second", json!({ "device": { "phoneNumber": "+447700900188" } })).await;
    stage.ready("camera-second", "False", "DeviceBusy").await;
    let scrape = serving
        .scrape_until("one that wants", |scrape| scrape.sum("qos_operator_claims", &[("stance", "Wants")]) == Some(1.0))
        .await;
    assert_eq!(scrape.sum("qos_operator_claims", &[("stance", "Holds")]), Some(1.0));
    let id = stage.get("camera-first").await.unwrap().status.unwrap().session_id.unwrap();
    for hidden in ["camera-", "447700900188", &id, crate::support::stage::TOKEN, "198.51.100"] {
        assert!(!scrape.text().contains(hidden), "{hidden} is in {}", scrape.text());
    }
    stage.finish().await;
}
