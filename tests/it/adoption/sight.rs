//! An object that has lost what it knew of its session: the list is asked before anything is sent.

use kube::ResourceExt as _;
use qos_operator::api::FINALIZER;
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::{NAME, called, id, living, lose_answer, strip_metadata, strip_status, told};
use crate::support::stage::{Stage, condition};

in_generations! {
    an_object_that_lost_status_record_and_finalizer_finds_its_session_by_its_key,
    a_session_of_another_spec_that_nothing_records_is_released_before_the_new_one_is_made,
    a_deleted_object_that_lost_its_record_releases_what_carries_its_key,
    a_status_that_is_lost_is_made_anew_from_the_record_and_the_list,
    after_a_conflict_an_own_session_is_found_by_the_objects_key,
}

/// An object whose session is AVAILABLE, with the operator stopped; and the session's id.
async fn served(prefix: &str, generation: Generation, version: &'static str) -> (Stage, String) {
    let mut stage = Stage::of_generation(prefix, generation, version).await;
    stage.start().await;
    stage.create(NAME, json!({})).await;
    let object = stage.available(NAME).await;
    stage.stop().await;
    (stage, id(&object).unwrap())
}

async fn an_object_that_lost_status_record_and_finalizer_finds_its_session_by_its_key(
    generation: Generation,
    version: &'static str,
) {
    let (mut stage, first) = served("bykey", generation, version).await;
    strip_metadata(&stage, &[]).await;
    strip_status(&stage).await;
    stage.start().await;
    let object = stage.available(NAME).await;
    assert_eq!(id(&object), Some(first));
    assert!(object.finalizers().iter().any(|finalizer| finalizer == FINALIZER));
    assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [1, 0], "one session in all");
    assert_eq!(told(&stage, ["Adopted", "DuplicateReleased"]).await, [1, 0]);
    stage.finish().await;
}

async fn a_session_of_another_spec_that_nothing_records_is_released_before_the_new_one_is_made(
    generation: Generation,
    version: &'static str,
) {
    let (mut stage, first) = served("differs", generation, version).await;
    strip_metadata(&stage, &[]).await;
    strip_status(&stage).await;
    stage.patch(NAME, json!({ "spec": { "applicationServer": { "ipv4Address": "198.51.100.11" } } })).await;
    stage.start().await;
    let object = stage.available(NAME).await;
    assert_ne!(id(&object), Some(first));
    assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [2, 1]);
    assert_eq!(living(&stage).len(), 1);
    assert_eq!(told(&stage, ["Adopted", "DuplicateReleased"]).await, [0, 1]);
    stage.finish().await;
}

async fn a_deleted_object_that_lost_its_record_releases_what_carries_its_key(generation: Generation, version: &'static str) {
    // With the finalizer, and without it: then it is another's finalizer that still keeps the object.
    for finalizer in [FINALIZER, "example.com/keeps"] {
        let (mut stage, _) = served("deleted", generation, version).await;
        strip_metadata(&stage, &[finalizer]).await;
        strip_status(&stage).await;
        stage.delete(NAME).await;
        stage.start().await;
        called(&stage, Operation::Delete, 1).await;
        if finalizer != FINALIZER {
            stage.quiet().await;
            stage.patch(NAME, json!({ "metadata": { "finalizers": [] } })).await;
        }
        stage.gone(NAME).await;
        assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [1, 1], "{finalizer}");
        assert_eq!(told(&stage, ["DuplicateReleased"]).await, [1], "{finalizer}");
        stage.finish().await;
    }
}

async fn a_status_that_is_lost_is_made_anew_from_the_record_and_the_list(generation: Generation, version: &'static str) {
    let mut stage = Stage::of_generation("nostatus", generation, version).await;
    stage.start().await;
    stage.create(NAME, json!({})).await;
    let first = id(&stage.available(NAME).await);
    strip_status(&stage).await;
    let object = stage.available(NAME).await;
    assert_eq!(id(&object), first);
    assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [1, 0]);
    stage.finish().await;
}

async fn after_a_conflict_an_own_session_is_found_by_the_objects_key(generation: Generation, version: &'static str) {
    let mut stage = Stage::of_generation("conflict", generation, version).await;
    // Longer than the list may lag: so the look at first sight, after the record is gone, does not show the session.
    stage.admin.change(|settings| settings.list_lag_seconds = 60).await.unwrap();
    lose_answer(&stage);
    stage.start().await;
    stage.create(NAME, json!({})).await;
    stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
    strip_metadata(&stage, &[]).await;
    stage.pass_until(40, 2, NAME, |object| condition(object, "Ready") == ("False", "DeviceBusy")).await;
    assert_eq!(stage.calls(Operation::Create), 2, "the lost one, and one that met it");
    stage.admin.change(|settings| settings.list_lag_seconds = 0).await.unwrap();
    stage.let_pass(30, 5).await;
    let object = stage.available(NAME).await;
    assert_eq!(id(&object), Some(stage.admin.sessions()[0].id.to_string()));
    assert_eq!([stage.calls(Operation::Delete), stage.admin.ledger().created], [0, 1]);
    assert_eq!(told(&stage, ["Adopted"]).await, [1]);
    stage.finish().await;
}
