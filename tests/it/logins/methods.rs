//! The same life with each way in: a session becomes AVAILABLE, outlives several tokens, is renewed and released.

use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::{Grant, PHONE, Proof, Way, api_calls, asked, status};
use crate::auth::keys::Key;
use crate::support::stage::{Stage, condition};

/// How long a token is taken; `auth` renews it a fifth before its end.
const LIFE: i64 = 600;
/// What passes between AVAILABLE and the release, without one moment of another state.
const PASSES: i64 = 4200;

/// How many requests for tokens and for consent a life costs.
struct Costs {
    tokens: std::ops::RangeInclusive<u64>,
    consents: std::ops::RangeInclusive<u64>,
}

/// `way`: none is a static token.
async fn life(way: Option<Way>, costs: Costs) {
    let stage = if let Some(way) = &way {
        let mut stage = way.stage("way").await;
        stage.admin.change(|settings| settings.oauth.token_lifetime_seconds = LIFE).await.unwrap();
        stage.start().await;
        stage
    } else {
        let stage = Stage::new("way").await;
        stage.provider(json!({ "polling": { "availablePeriodSeconds": 60 } })).await;
        stage
    };
    stage
        .create("camera-12", json!({ "device": { "phoneNumber": PHONE }, "durationSeconds": 3600, "renewalPolicy": "Always" }))
        .await;
    stage.pass_until(60, 1, "camera-12", |object| condition(object, "Ready") == ("True", "Available")).await;
    let first = status(&stage.available("camera-12").await);
    let calls = api_calls(&stage);

    for _ in 0..PASSES / 60 {
        stage.let_pass(60, 10).await;
        let object = stage.get("camera-12").await.unwrap();
        assert_eq!(condition(&object, "Available"), ("True", "Available"), "{:?}", object.status);
    }
    let renewed = status(&stage.available("camera-12").await);
    assert_eq!(renewed.session_id, first.session_id, "extended, not made again");
    assert!(renewed.expires_at.map(|at| at.0) > first.expires_at.map(|at| at.0));
    assert_eq!(stage.calls(Operation::Create), 1);
    assert!(stage.calls(Operation::Extend) >= 1);
    assert!(api_calls(&stage) > calls + 30, "it was polled all the time: {} calls", api_calls(&stage));
    let refused: Vec<_> = stage.admin.requests().into_iter().filter(|request| request.status == Some(401)).collect();
    assert_eq!(refused.len(), 0, "no token is used after its end: {refused:?}");
    let (tokens, consents) = (stage.calls(Operation::Token), asked(&stage));
    assert!(costs.tokens.contains(&tokens), "{tokens} requests for tokens, {consents} for consent");
    assert!(costs.consents.contains(&consents), "{consents} requests for consent, {tokens} for tokens");

    stage.delete("camera-12").await;
    for _ in 0..30 {
        if stage.get("camera-12").await.is_none() {
            break;
        }
        stage.let_pass(2, 1).await;
    }
    stage.gone("camera-12").await;
    assert_eq!(stage.admin.ledger().released, 1);
    stage.finish().await;
}

/// One for each life of a token that is renewed at four fifths of it.
const RENEWED: Costs = Costs { tokens: 8..=10, consents: 0..=0 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_a_static_token() {
    life(None, Costs { tokens: 0..=0, consents: 0..=0 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_client_credentials_by_basic() {
    life(Some(Way::of_telefonica(Grant::ClientCredentials, Proof::Basic)), RENEWED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_client_credentials_by_post() {
    life(Some(Way::new(Grant::ClientCredentials, Proof::Post)), RENEWED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_client_credentials_by_an_assertion_in_rs256() {
    life(Some(Way::new(Grant::ClientCredentials, Proof::Key(Key::rsa(), "RS256"))), RENEWED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_client_credentials_by_an_assertion_in_es256() {
    life(Some(Way::of_telefonica(Grant::ClientCredentials, Proof::Key(Key::p256(), "ES256"))), RENEWED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_client_credentials_by_an_assertion_in_ps256() {
    life(Some(Way::new(Grant::ClientCredentials, Proof::Key(Key::rsa(), "PS256"))), RENEWED).await;
}

/// Without a refresh token the subscriber is asked once for each life of a token, at its end.
const ASKED_EACH_TIME: Costs = Costs { tokens: 7..=9, consents: 7..=9 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_ciba() {
    life(Some(Way::new(Grant::Ciba, Proof::Basic)), ASKED_EACH_TIME).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_ciba_by_an_assertion() {
    life(Some(Way::of_telefonica(Grant::Ciba, Proof::Key(Key::p256(), "ES256"))), ASKED_EACH_TIME).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_ciba_and_refresh_tokens_for_one_question() {
    let mut way = Way::new(Grant::Ciba, Proof::Post);
    way.scope.push_str(" offline_access");
    life(Some(way), Costs { tokens: 8..=10, consents: 1..=1 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_jwt_bearer() {
    life(Some(Way::new(Grant::JwtBearer, Proof::Key(Key::p256(), "ES256"))), RENEWED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_with_jwt_bearer_in_rs256() {
    life(Some(Way::of_telefonica(Grant::JwtBearer, Proof::Key(Key::rsa(), "RS256"))), RENEWED).await;
}
