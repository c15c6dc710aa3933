//! What looking costs, and a provider that does not list.

use std::collections::BTreeMap;

use qos_operator::api::Capability;
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::{NAME, lose_create, told};
use crate::support::stage::{Stage, condition};

in_generations! {
    a_list_that_is_answered_405_is_no_capability_and_the_session_is_made_all_the_same,
    a_list_that_is_answered_405_after_a_lost_create_leaves_the_way_without_a_list,
}

/// The calls of one life of ten minutes, by operation, without those that ask what the provider offers.
async fn calls_of_a_life(generation: Generation, version: &'static str, sink: bool) -> BTreeMap<Operation, u64> {
    let mut stage = Stage::of_generation("calls", generation, version).await;
    if !sink {
        stage.callback = None;
    }
    stage.start().await;
    stage.create(NAME, json!({ "durationSeconds": 3600 })).await;
    stage.available(NAME).await;
    stage.let_pass(660, 30).await;
    stage.delete(NAME).await;
    stage.gone(NAME).await;
    let operations = [Operation::Create, Operation::Get, Operation::Delete, Operation::Extend, Operation::RetrieveSessions];
    let calls = operations.into_iter().map(|operation| (operation, stage.calls(operation))).filter(|(_, calls)| *calls > 0);
    let calls = calls.collect();
    stage.finish().await;
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_costs_a_list_a_create_and_a_release_besides_its_polls_and_no_list_where_none_can_tell() {
    for (generation, version, sink) in [
        (Generation::V1_1, "v1.1", true),
        (Generation::V0_11, "v0.11", true),
        (Generation::V1_1, "v1.1", false),
        (Generation::V0_11, "v0.11", false),
        (Generation::V0_10, "v0.10", true),
        (Generation::V0_10, "v0.10", false),
    ] {
        let mut calls = calls_of_a_life(generation, version, sink).await;
        let lists = sink && generation >= Generation::V0_11;
        let polls = calls.remove(&Operation::Get).unwrap_or(0);
        println!(
            "{version}, sink {sink}: {calls:?}, and {polls} GETs in 660 s: polls every 300 s, and probes of the provider every 600 s"
        );
        assert!((1..=6).contains(&polls), "{polls} polls");
        let mut expected = BTreeMap::from([(Operation::Create, 1), (Operation::Delete, 1)]);
        if lists {
            expected.insert(Operation::RetrieveSessions, 1);
        }
        assert_eq!(calls, expected, "{version}, sink {sink}");
    }
}

async fn a_list_that_is_answered_405_is_no_capability_and_the_session_is_made_all_the_same(
    generation: Generation,
    version: &'static str,
) {
    let mut stage = Stage::of_generation("no405", generation, version).await;
    stage.admin.change(|settings| settings.operations_off.extend([(Operation::RetrieveSessions, 405)])).await.unwrap();
    stage.start().await;
    stage.create(NAME, json!({})).await;
    let begun = tokio::time::Instant::now();
    stage.available(NAME).await;
    assert!(begun.elapsed().as_secs() < 5, "it waits for nothing");
    assert_eq!([stage.calls(Operation::RetrieveSessions), stage.calls(Operation::Create)], [1, 1]);
    stage.create("camera-13", json!({ "device": { "phoneNumber": "+447700900113" } })).await;
    stage.available("camera-13").await;
    assert_eq!(stage.calls(Operation::RetrieveSessions), 1, "not asked again");
    let capabilities = stage.provider_status().await.capabilities;
    assert!(!capabilities.contains(&Capability::List) && capabilities.contains(&Capability::Extend), "{capabilities:?}");
    stage.finish().await;
}

async fn a_list_that_is_answered_405_after_a_lost_create_leaves_the_way_without_a_list(
    generation: Generation,
    version: &'static str,
) {
    let mut stage = Stage::of_generation("later405", generation, version).await;
    lose_create(&stage);
    stage.start().await;
    stage.create(NAME, json!({})).await;
    stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
    stage.admin.change(|settings| settings.operations_off.extend([(Operation::RetrieveSessions, 405)])).await.unwrap();
    stage.let_pass(90, 10).await;
    assert_eq!(stage.calls(Operation::Create), 1, "it could still land");
    // The provider refuses overlaps, so that one more create after the settling time is safe without a list.
    stage.pass_until(120, 10, NAME, |object| condition(object, "Ready") == ("True", "Available")).await;
    assert_eq!(stage.calls(Operation::Create), 2);
    assert_eq!(told(&stage, ["Adopted"]).await, [0]);
    stage.finish().await;
}
