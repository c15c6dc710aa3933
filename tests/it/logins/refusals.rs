//! The provider gives no token: what is told, and what mends it.

use std::sync::Arc;

use futures::FutureExt as _;
use qos_operator::simulator::oauth::settings::GrantType;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::{
    CLIENT, Grant, PHONE, Proof, SECRET, Way, api_calls, apply_secret, asked, basic, ciba, ended, has_event, provider_ready,
    shows_nothing_of,
};
use crate::auth::keys::Key;
use crate::support::proxy::{Hook, Proxy, Upstream};
use crate::support::stage::{Stage, condition, message};

/// The provider is refused with that code, and the session says so and what to do; nothing but tokens was asked for.
async fn is_refused(stage: &Stage, sentence: &str) {
    let told = provider_ready(stage, "False", "CredentialsRejected").await;
    assert!(told.starts_with(sentence), "{told}");
    assert!(told.contains("correct the Secret"), "the remedy: {told}");
    stage.create("camera-12", json!({ "device": { "phoneNumber": PHONE } })).await;
    let object = stage.ready("camera-12", "False", "ProviderNotReady").await;
    assert!(message(&object, "Ready").contains("CredentialsRejected") && message(&object, "Ready").contains(sentence));
    stage.let_pass(300, 10).await;
    assert_eq!(api_calls(stage), 0, "the API is left alone");
    let tries = stage.calls(Operation::Token);
    assert!((1..=9).contains(&tries), "{tries} tries in five minutes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_closes_the_provider_and_the_right_one_opens_it_without_an_edit() {
    for proof in [Proof::Basic, Proof::Post] {
        let way = Way::new(Grant::ClientCredentials, proof);
        let mut stage = way.stage("secret").await;
        apply_secret(&stage, CLIENT, "wr0ng-s3cret").await;
        stage.start().await;
        is_refused(&stage, "the provider refused the credentials (invalid_client)").await;
        shows_nothing_of(&stage, "camera-12", &["wr0ng-s3cret", SECRET, PHONE, "447700900112"]).await;
        let before = stage.calls(Operation::Token);
        way.apply_secret(&stage).await;
        stage.available("camera-12").await;
        provider_ready(&stage, "True", "Verified").await;
        assert_eq!(stage.calls(Operation::Token), before + 1);
        assert_eq!(stage.provider_status().await.observed_generation, 1, "nobody edited it");
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_the_provider_does_not_know_is_refused_and_the_right_one_is_taken() {
    let way = Way::new(Grant::ClientCredentials, Proof::Key(Key::rsa(), "PS256"));
    let other = Way::new(Grant::ClientCredentials, Proof::Key(Key::rsa(), "PS256"));
    let mut stage = way.stage("key").await;
    other.apply_secret(&stage).await;
    stage.start().await;
    is_refused(&stage, "the provider refused the credentials (invalid_client)").await;
    way.apply_secret(&stage).await;
    stage.available("camera-12").await;
    stage.finish().await;
}

/// Behind a proxy the provider knows itself by another URL than the one that is called.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assertion_for_another_audience_is_refused_and_the_right_url_mends_it() {
    let mut way = Way::new(Grant::ClientCredentials, Proof::Key(Key::p256(), "ES256"));
    let mut stage = way.stage("audience").await;
    let hook: Hook = Arc::new(|call, upstream| async move { upstream.pass(&call).await }.boxed());
    let proxy = Proxy::start(Upstream::new(&stage.oauth_url(), &[]), hook).await;
    way.oauth_url = Some(format!("{}/apigateway", proxy.url()));
    stage.admin.change(|settings| settings.oauth.public_url = Some("https://auth.example.com".to_owned())).await.unwrap();
    way.apply_provider(&stage).await;
    stage.start().await;
    is_refused(&stage, "the provider refused the credentials (invalid_client)").await;
    stage.admin.change(|settings| settings.oauth.public_url = Some(proxy.url())).await.unwrap();
    stage.let_pass(330, 30).await;
    stage.available("camera-12").await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_that_the_client_may_not_have_closes_the_provider() {
    let mut way = basic();
    let mut stage = way.stage("scope").await;
    way.scope.push_str(" sim-swap");
    way.apply_provider(&stage).await;
    let allowed = super::SCOPE.split(' ').map(str::to_owned).collect();
    let limited = |settings: &mut qos_operator::simulator::settings::Settings| {
        settings.oauth.clients.last_mut().unwrap().scopes = Some(allowed);
    };
    stage.admin.change(limited).await.unwrap();
    stage.start().await;
    is_refused(&stage, "the provider does not permit this to the client (invalid_scope)").await;
    basic().apply_provider(&stage).await;
    stage.available("camera-12").await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_the_grant_is_refused() {
    let way = basic();
    let mut stage = way.stage("grant").await;
    let limited = |settings: &mut qos_operator::simulator::settings::Settings| {
        settings.oauth.clients.last_mut().unwrap().grants = Some([GrantType::Ciba].into());
    };
    stage.admin.change(limited).await.unwrap();
    stage.start().await;
    is_refused(&stage, "the provider does not permit this to the client (unauthorized_client)").await;
    stage.admin.change(|settings| settings.oauth.clients.last_mut().unwrap().grants = None).await.unwrap();
    stage.let_pass(330, 30).await;
    stage.available("camera-12").await;
    stage.finish().await;
}

/// Where each token is for a device, the first session finds it out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_under_ciba_is_told_by_the_session_asks_nobody_and_is_mended_by_the_right_one() {
    let way = ciba();
    let mut stage = way.stage("ciba").await;
    apply_secret(&stage, CLIENT, "wr0ng-s3cret").await;
    stage.start().await;
    provider_ready(&stage, "True", "Unverified").await;
    stage.create("camera-12", json!({ "device": { "phoneNumber": PHONE } })).await;
    let object = stage.ready("camera-12", "False", "CredentialsRejected").await;
    assert_eq!(condition(&object, "Stalled"), ("True", "CredentialsRejected"));
    assert!(message(&object, "Ready").contains("(invalid_client)"), "{}", message(&object, "Ready"));
    has_event(&stage, "camera-12", ("Warning", "CredentialsRejected", "Create")).await;
    stage.let_pass(300, 5).await;
    let object = stage.ready("camera-12", "False", "CredentialsRejected").await;
    assert_eq!(condition(&object, "Stalled").0, "True");
    assert_eq!((api_calls(&stage), ended(&stage, GrantType::Ciba, "token")), (0, 0));
    let tries = asked(&stage);
    assert!((1..=9).contains(&tries), "{tries} tries in five minutes");
    shows_nothing_of(&stage, "camera-12", &["wr0ng-s3cret", "447700900112"]).await;
    way.apply_secret(&stage).await;
    stage.pass_until(60, 1, "camera-12", |object| condition(object, "Ready") == ("True", "Available")).await;
    assert_eq!(stage.admin.authorizations().len() + usize::try_from(ended(&stage, GrantType::Ciba, "token")).unwrap(), 1);
    stage.finish().await;
}

/// With JWT bearer one code, `invalid_grant`, says that the assertion is bad or that the subscriber did not consent: it is told with
/// the code, and the right key mends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_under_jwt_bearer_stalls_the_session_until_the_right_one_is_there() {
    let way = Way::new(Grant::JwtBearer, Proof::Key(Key::p256(), "ES256"));
    let other = Way::new(Grant::JwtBearer, Proof::Key(Key::p256(), "ES256"));
    let mut stage = way.stage("bearer").await;
    other.apply_secret(&stage).await;
    stage.start().await;
    stage.create("camera-12", json!({ "device": { "phoneNumber": PHONE } })).await;
    let object = stage.ready("camera-12", "False", "ConsentDenied").await;
    assert_eq!(condition(&object, "Stalled"), ("True", "ConsentDenied"));
    assert!(message(&object, "Ready").contains("(invalid_grant)"), "{}", message(&object, "Ready"));
    assert_eq!(api_calls(&stage), 0);
    way.apply_secret(&stage).await;
    stage.available("camera-12").await;
    stage.finish().await;
}
