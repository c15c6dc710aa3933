//! A list that fails, or does not show everything, proves no absence.

use std::collections::BTreeMap;

use futures::future::join_all;
use qos_operator::simulator::faults::{Effect, Fault, Target, What};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::Operation;
use serde_json::{Value, json};

use super::{NAME, id, lose_answer, told};
use crate::support::stage::{Stage, condition};

in_generations! {
    a_list_that_fails_or_may_not_be_whole_is_no_empty_list,
    at_first_sight_nothing_is_sent_before_the_list_has_been_read,
}

/// A list with this body.
fn answer(body: Value) -> What {
    What::Status { status: 200, code: None, body: Some(body), headers: BTreeMap::new(), effect: Effect::None }
}

/// A hundred sessions of the device with other servers: as long as a list may be.
fn a_hundred() -> Value {
    let session = |number: u32| {
        json!({
            "sessionId": format!("00000000-0000-4000-8000-{number:012}"),
            "device": { "phoneNumber": "+447700900112" },
            "applicationServer": { "ipv4Address": "203.0.113.7" },
            "qosProfile": "QOS_E",
            "sink": "https://elsewhere.example.com/events",
            "duration": 3600,
            "startedAt": "2026-11-24T12:00:00Z",
            "expiresAt": "2030-11-24T13:00:00Z",
            "qosStatus": "AVAILABLE",
        })
    };
    (0..100).map(session).collect()
}

fn bad_lists() -> [(&'static str, What); 6] {
    [
        ("500", Fault::status(500, "INTERNAL")),
        ("429", Fault::status(429, "TOO_MANY_REQUESTS")),
        ("401", Fault::status(401, "UNAUTHENTICATED")),
        ("a body that breaks off", What::CutBody),
        ("a hundred items", answer(a_hundred())),
        ("an unreadable item", answer(json!([{ "unheardOf": true }]))),
    ]
}

async fn a_list_that_fails_or_may_not_be_whole_is_no_empty_list(generation: Generation, version: &'static str) {
    let all = bad_lists().map(|(name, what)| async move {
        let mut stage = Stage::of_generation("nolist", generation, version).await;
        // The look at first sight passes.
        stage.admin.add_fault(Fault { skip: 1, ..Fault::new(Target::RetrieveSessions, what) }).unwrap();
        lose_answer(&stage);
        stage.start().await;
        stage.create(NAME, json!({})).await;
        stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
        stage.let_pass(600, 20).await;
        let object = stage.ready(NAME, "Unknown", "OutcomeUnknown").await;
        assert_eq!((id(&object), condition(&object, "Reconciling").0), (None, "True"), "{name}");
        assert_eq!(stage.calls(Operation::Create), 1, "{name}: no second create");
        let lists = stage.calls(Operation::RetrieveSessions);
        assert!((3..=12).contains(&lists), "{name}: {lists} lists in ten minutes");
        stage.admin.clear_faults();
        stage.pass_until(1500, 30, NAME, |object| condition(object, "Ready") == ("True", "Available")).await;
        let object = stage.available(NAME).await;
        assert_eq!(id(&object), Some(stage.admin.sessions()[0].id.to_string()), "{name}");
        assert_eq!(stage.calls(Operation::Create), 1, "{name}");
        assert_eq!(told(&stage, ["OutcomeUnknown", "Adopted"]).await, [1, 1], "{name}");
        stage.finish().await;
    });
    join_all(all).await;
}

/// Row 31 of the states: a look that fails is told, and the create waits for it.
async fn at_first_sight_nothing_is_sent_before_the_list_has_been_read(generation: Generation, version: &'static str) {
    let mut stage = Stage::of_generation("nosight", generation, version).await;
    stage.admin.add_fault(Fault::new(Target::RetrieveSessions, Fault::status(503, "UNAVAILABLE"))).unwrap();
    stage.start().await;
    stage.create(NAME, json!({})).await;
    let object = stage.until(NAME, "told of it", |object| condition(object, "Ready").0 == "False").await;
    assert!(["ProviderError", "ProviderUnreachable"].contains(&condition(&object, "Ready").1), "{object:?}");
    assert_eq!(condition(&object, "Reconciling").0, "True");
    stage.let_pass(300, 20).await;
    assert_eq!(stage.calls(Operation::Create), 0);
    stage.admin.clear_faults();
    stage.pass_until(900, 30, NAME, |object| condition(object, "Ready") == ("True", "Available")).await;
    assert_eq!(stage.calls(Operation::Create), 1);
    stage.finish().await;
}
