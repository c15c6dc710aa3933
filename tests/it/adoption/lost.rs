//! A create without an answer: what the list tells of it.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::requests::Request;
use qos_operator::simulator::settings::{Operation, Settings};
use serde_json::json;

use super::{Elsewhere, NAME, id, living, lose_answer, lose_create, told};
use crate::support::stage::{Stage, condition};

in_generations! {
    a_session_whose_create_was_not_answered_is_found_in_the_list_and_adopted_at_once,
    a_session_that_the_list_shows_only_after_a_lag_is_adopted_too,
    a_session_that_is_found_and_no_longer_wanted_is_released_and_the_object_goes,
    a_create_that_never_landed_is_sent_again_after_the_settling_time_and_an_empty_list,
    without_a_callback_url_a_foreign_session_on_the_flow_blocks_until_death_and_is_left_alone,
    without_a_callback_url_an_empty_list_after_the_settling_time_lets_the_create_be_sent_again,
}

/// The latest moment at which a create may take effect, after its record: the send window, the way, the list's lag and the skew.
fn settling(stage: &Stage) -> i64 {
    let margins = stage.margins;
    let request_timeout = SignedDuration::from_secs(5);
    (margins.send_window + margins.late_effect + request_timeout + margins.list_lag + margins.clock_skew).as_secs()
}

fn at(request: &Request) -> Timestamp {
    request.time.parse().unwrap()
}

async fn a_session_whose_create_was_not_answered_is_found_in_the_list_and_adopted_at_once(
    generation: Generation,
    version: &'static str,
) {
    let mut stage = Stage::of_generation("adopted", generation, version).await;
    lose_answer(&stage);
    stage.start().await;
    stage.create(NAME, json!({})).await;
    let object = stage.available(NAME).await;
    let made = stage.admin.sessions();
    assert_eq!((made.len(), id(&object)), (1, Some(made[0].id.to_string())));
    assert_eq!(stage.calls(Operation::Create), 1);
    let lists = stage.calls(Operation::RetrieveSessions);
    assert_eq!(lists, 2, "the first sight, and one after the loss");
    assert_eq!(told(&stage, ["OutcomeUnknown", "Adopted", "DuplicateReleased"]).await, [1, 1, 0]);
    stage.finish().await;
}

async fn a_session_that_the_list_shows_only_after_a_lag_is_adopted_too(generation: Generation, version: &'static str) {
    let mut stage = Stage::of_generation("lag", generation, version).await;
    stage.admin.change(|settings| settings.list_lag_seconds = 5).await.unwrap();
    lose_answer(&stage);
    stage.start().await;
    stage.create(NAME, json!({})).await;
    stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
    super::called(&stage, Operation::RetrieveSessions, 2).await;
    assert_eq!(id(&stage.get(NAME).await.unwrap()), None, "the list does not show it yet");
    stage.let_pass(18, 6).await;
    let object = stage.available(NAME).await;
    assert_eq!(id(&object), Some(stage.admin.sessions()[0].id.to_string()));
    assert_eq!(stage.calls(Operation::Create), 1);
    assert_eq!(told(&stage, ["Adopted"]).await, [1]);
    stage.finish().await;
}

async fn a_session_that_is_found_and_no_longer_wanted_is_released_and_the_object_goes(
    generation: Generation,
    version: &'static str,
) {
    let mut stage = Stage::of_generation("unwanted", generation, version).await;
    stage.admin.change(|settings| settings.list_lag_seconds = 5).await.unwrap();
    lose_answer(&stage);
    stage.start().await;
    stage.create(NAME, json!({})).await;
    stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
    stage.delete(NAME).await;
    stage.ready(NAME, "False", "ReleaseBlocked").await;
    stage.let_pass(24, 6).await;
    super::called(&stage, Operation::Delete, 1).await;
    assert_eq!(living(&stage).len(), 0);
    assert!(stage.get(NAME).await.is_some(), "the create may still be answered by a second landing");
    stage.let_pass(settling(&stage), 10).await;
    stage.gone(NAME).await;
    assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [1, 1]);
    stage.finish().await;
}

async fn a_create_that_never_landed_is_sent_again_after_the_settling_time_and_an_empty_list(
    generation: Generation,
    version: &'static str,
) {
    let mut stage = Stage::of_generation("absent", generation, version).await;
    is_lost_and_sent_again(&mut stage).await;
    assert_eq!(told(&stage, ["Adopted", "DuplicateReleased"]).await, [0, 0]);
    stage.finish().await;
}

/// A create that never landed: nothing is sent while it could still land.
async fn is_lost_and_sent_again(stage: &mut Stage) {
    lose_create(stage);
    stage.start().await;
    stage.create(NAME, json!({})).await;
    stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
    stage.let_pass(settling(stage) - 20, 10).await;
    assert_eq!(stage.calls(Operation::Create), 1, "it could still land");
    stage.let_pass(80, 10).await;
    stage.available(NAME).await;
    sent_again_after_an_empty_list(stage);
}

/// There were two creates, the second one after the settling time of the first, and right after a list that began after it too.
fn sent_again_after_an_empty_list(stage: &Stage) {
    let requests = stage.admin.requests();
    let creates: Vec<_> = requests
        .iter()
        .enumerate()
        .filter(|(_, request)| request.operation == Operation::Create)
        .map(|(place, _)| place)
        .collect();
    let [first, second] = creates[..] else { panic!("{} creates", creates.len()) };
    let before = requests[..second].iter().rev().find(|r| matches!(r.operation, Operation::RetrieveSessions | Operation::Get));
    let before = before.expect("a look before the second create");
    assert_eq!((before.operation, before.status), (Operation::RetrieveSessions, Some(200)));
    // The record was written a little before the create arrived.
    let waited = at(before).duration_since(at(&requests[first])).as_secs();
    assert!(waited + 1 >= settling(stage), "looked {waited} s after the first create");
}

async fn without_a_callback_url_a_foreign_session_on_the_flow_blocks_until_death_and_is_left_alone(
    generation: Generation,
    version: &'static str,
) {
    let mut stage = Stage::of_generation("foreign", generation, version).await;
    stage.callback = None;
    let elsewhere = Elsewhere::same_client(&stage, generation);
    assert_eq!(elsewhere.create(86_400, &json!({})).await, 201);
    let foreign = stage.admin.sessions()[0].id.to_string();
    // The provider may grant up to the profile's maximum: death counts that.
    let shorten = |settings: &mut Settings| settings.profiles.iter_mut().for_each(|p| p.max_duration_seconds = Some(600));
    stage.admin.change(shorten).await.unwrap();
    lose_create(&stage);
    stage.start().await;
    stage.create(NAME, json!({ "durationSeconds": 600 })).await;
    stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
    let death = settling(&stage) + stage.margins.requested_max.as_secs() + 600 - stage.margins.list_lag.as_secs();
    stage.let_pass(death - 60, 30).await;
    let object = stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
    assert_eq!(id(&object), None, "not adopted");
    assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [2, 0], "theirs and ours");
    assert!(stage.calls(Operation::RetrieveSessions) > 1);
    // Now nothing of it can be alive: the next create tells that the device is busy.
    // The pauses between the looks have grown by then.
    stage.pass_until(1200, 30, NAME, |object| condition(object, "Ready") == ("False", "DeviceBusy")).await;
    let object = stage.get(NAME).await.unwrap();
    assert_eq!((id(&object), condition(&object, "Reconciling").0), (None, "True"));
    assert_eq!(living(&stage).iter().map(|session| session.id.to_string()).collect::<Vec<_>>(), std::slice::from_ref(&foreign));
    assert_eq!(elsewhere.delete(&foreign).await, 204);
    stage.pass_until(1200, 30, NAME, |object| condition(object, "Ready") == ("True", "Available")).await;
    assert_ne!(id(&stage.available(NAME).await), Some(foreign));
    assert_eq!(told(&stage, ["Adopted", "DuplicateReleased"]).await, [0, 0]);
    stage.finish().await;
}

async fn without_a_callback_url_an_empty_list_after_the_settling_time_lets_the_create_be_sent_again(
    generation: Generation,
    version: &'static str,
) {
    let mut stage = Stage::of_generation("nosink", generation, version).await;
    stage.callback = None;
    is_lost_and_sent_again(&mut stage).await;
    stage.finish().await;
}
