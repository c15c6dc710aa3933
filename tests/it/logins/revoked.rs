//! Field case 14: a token is refused before its time.

use qos_operator::simulator::faults::{Fault, Target};
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::{Grant, PHONE, Proof, Way, asked, basic, ciba, provider_ready, shows_nothing_of, status};
use crate::auth::keys::Key;
use crate::support::stage::{Stage, condition, message};

const TARGETS: [Target; 7] = [
    Target::Create,
    Target::Get,
    Target::Delete,
    Target::Extend,
    Target::RetrieveSessions,
    Target::Profiles,
    Target::RetrieveProfiles,
];

fn refused(stage: &Stage, operation: Operation) -> u64 {
    stage.admin.request_counts().get(&operation).and_then(|statuses| statuses.get("401")).copied().unwrap_or(0)
}

async fn revoke_after_a_while(stage: &Stage) {
    // Between two polls, which come every 54 to 66 s.
    stage.let_pass(70, 5).await;
    stage.admin.revoke_all_tokens();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_replaced_by_one_new_one_and_the_call_repeated_once_be_it_a_post() {
    for way in [
        Way::of_telefonica(Grant::ClientCredentials, Proof::Post),
        Way::of_telefonica(Grant::JwtBearer, Proof::Key(Key::p256(), "ES256")),
    ] {
        let stage = way.started("revoked").await;
        stage.create("camera-12", json!({ "device": { "phoneNumber": PHONE } })).await;
        let first = status(&stage.available("camera-12").await).session_id;
        assert_eq!(stage.calls(Operation::Token), 1);

        // A poll meets it.
        revoke_after_a_while(&stage).await;
        stage.let_pass(80, 5).await;
        assert_eq!((refused(&stage, Operation::Get), stage.calls(Operation::Token)), (1, 2));
        assert_eq!(status(&stage.available("camera-12").await).session_id, first);

        // A create meets it: a 401 created nothing.
        revoke_after_a_while(&stage).await;
        let ports =
            json!({ "applicationServerPorts": { "ports": [5060] }, "applicationServer": { "ipv4Address": "203.0.113.7" } });
        stage.create("camera-13", ports).await;
        stage.available("camera-13").await;
        assert_eq!((refused(&stage, Operation::Create), stage.calls(Operation::Create)), (1, 3));
        assert_eq!((stage.calls(Operation::Token), stage.admin.ledger().created), (3, 2));

        // A DELETE meets it.
        revoke_after_a_while(&stage).await;
        stage.delete("camera-13").await;
        stage.gone("camera-13").await;
        assert_eq!((refused(&stage, Operation::Delete), stage.calls(Operation::Delete)), (1, 2));
        assert_eq!(stage.calls(Operation::Token), 4);
        assert_eq!(condition(&stage.available("camera-12").await, "Ready"), ("True", "Available"));
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_401_to_every_token_is_told_on_the_provider_and_never_means_gone() {
    let stage = basic().started("every").await;
    stage.create("camera-12", json!({ "device": { "phoneNumber": PHONE } })).await;
    stage.create("camera-13", json!({ "device": { "phoneNumber": "+447700900113" } })).await;
    let first = status(&stage.available("camera-12").await).session_id;
    stage.available("camera-13").await;
    let before = stage.calls(Operation::Token);
    for target in TARGETS {
        stage.admin.add_fault(Fault::new(target, Fault::status(401, "UNAUTHENTICATED"))).unwrap();
    }
    stage.let_pass(90, 5).await;
    let told = provider_ready(&stage, "False", "CredentialsRejected").await;
    assert!(told.starts_with("the provider refused the credentials"), "{told}");
    stage.create("camera-14", json!({ "device": { "phoneNumber": "+447700900114" } })).await;
    let object = stage.ready("camera-14", "False", "ProviderNotReady").await;
    assert!(message(&object, "Ready").contains("CredentialsRejected"), "{}", message(&object, "Ready"));
    stage.delete("camera-13").await;
    stage.ready("camera-13", "False", "ReleaseBlocked").await;
    let creates = stage.calls(Operation::Create);
    stage.let_pass(600, 10).await;
    let object = stage.get("camera-12").await.unwrap();
    assert_eq!((status(&object).session_id, condition(&object, "Available").0), (first.clone(), "True"));
    assert_eq!(stage.calls(Operation::Create), creates);
    let spent = stage.calls(Operation::Token) - before;
    assert!((1..=12).contains(&spent), "{spent} tokens in eleven minutes");
    shows_nothing_of(&stage, "camera-12", &[super::SECRET, "447700900112"]).await;

    stage.admin.clear_faults();
    stage.let_pass(720, 10).await;
    stage.gone("camera-13").await;
    stage.available("camera-14").await;
    assert_eq!(status(&stage.available("camera-12").await).session_id, first);
    assert_eq!(stage.admin.ledger().created, 3);
    stage.finish().await;
}

/// Each new token is a question to a person, so that refusals must not turn into questions without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_401_to_every_token_under_ciba_asks_the_subscriber_ever_more_rarely() {
    let stage = ciba().started("never").await;
    stage.create("camera-12", json!({ "device": { "phoneNumber": PHONE } })).await;
    stage.pass_until(60, 1, "camera-12", |object| condition(object, "Ready") == ("True", "Available")).await;
    for target in TARGETS {
        stage.admin.add_fault(Fault::new(target, Fault::status(401, "UNAUTHENTICATED"))).unwrap();
    }
    stage.let_pass(1800, 5).await;
    let questions = asked(&stage);
    assert!((2..=14).contains(&questions), "{questions} questions in half an hour");
    let object = stage.get("camera-12").await.unwrap();
    assert_eq!(condition(&object, "Available").0, "True", "{:?}", object.status);
    assert_eq!(stage.calls(Operation::Create), 1);
    stage.admin.clear_faults();
    stage.let_pass(700, 5).await;
    stage.available("camera-12").await;
    stage.finish().await;
}
