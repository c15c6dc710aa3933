//! CIBA: a subscriber is asked, and what they say.

use k8s_openapi::jiff::Timestamp;
use qos_operator::simulator::faults::{Fault, Target};
use qos_operator::simulator::oauth::Decision;
use qos_operator::simulator::oauth::settings::{Consent, GrantType, OauthSettings};
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::{PHONE, api_calls, asked, ciba, ended, has_event, shows_nothing_of};
use crate::support::stage::{Stage, condition, message};

/// A stage of CIBA with one object, whose provider behaves as `set` says.
async fn stage_of(prefix: &str, set: impl FnOnce(&mut OauthSettings)) -> Stage {
    let mut stage = ciba().stage(prefix).await;
    stage.admin.change(|settings| set(&mut settings.oauth)).await.unwrap();
    stage.start().await;
    stage.create("camera-12", json!({ "device": { "phoneNumber": PHONE } })).await;
    stage
}

async fn becomes_available(stage: &Stage) {
    stage.pass_until(120, 1, "camera-12", |object| condition(object, "Ready") == ("True", "Available")).await;
}

/// Row 28.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_is_awaited_is_told_as_such_and_the_session_follows_it() {
    let stage = stage_of("pending", |oauth| oauth.consent = Consent::Wait).await;
    let object = stage.ready("camera-12", "False", "ConsentPending").await;
    assert_eq!(condition(&object, "Reconciling"), ("True", "ConsentPending"));
    assert_eq!(condition(&object, "Available"), ("False", "ConsentPending"));
    assert_eq!(message(&object, "Ready"), "the subscriber's consent is awaited");
    has_event(&stage, "camera-12", ("Normal", "ConsentPending", "Authorize")).await;
    shows_nothing_of(&stage, "camera-12", &["447700900112", super::SECRET]).await;
    let writes = stage.writes("camera-12").len();
    stage.let_pass(60, 2).await;
    assert_eq!(stage.writes("camera-12").len(), writes, "waiting writes nothing");
    assert_eq!((asked(&stage), api_calls(&stage)), (1, 0));
    assert!(stage.calls(Operation::Token) > 15, "polled every 2 s: {}", stage.calls(Operation::Token));
    assert_eq!(stage.admin.decide(None, Decision::Approved), 1);
    // The session learns of it within the pace of the consent itself, not after a pause that has grown meanwhile.
    stage.pass_until(10, 1, "camera-12", |object| condition(object, "Ready") == ("True", "Available")).await;
    assert_eq!((asked(&stage), ended(&stage, GrantType::Ciba, "token")), (1, 1));
    stage.finish().await;
}

/// Row 29.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_is_denied_stalls_the_session_and_the_subscriber_is_left_alone_for_a_while() {
    for (consent, polled) in [(Consent::Deny, true), (Consent::Refuse, false)] {
        let stage = stage_of("denied", |oauth| oauth.consent = consent).await;
        if polled {
            stage.ready("camera-12", "False", "ConsentPending").await;
        }
        stage.pass_until(20, 1, "camera-12", |object| condition(object, "Ready") == ("False", "ConsentDenied")).await;
        let object = stage.ready("camera-12", "False", "ConsentDenied").await;
        assert_eq!(condition(&object, "Stalled"), ("True", "ConsentDenied"));
        assert_eq!(message(&object, "Ready"), "the subscriber's consent was refused (access_denied)");
        has_event(&stage, "camera-12", ("Warning", "ConsentDenied", "Authorize")).await;
        shows_nothing_of(&stage, "camera-12", &["447700900112", "the user said no"]).await;
        stage.let_pass(280, 10).await;
        if polled {
            assert_eq!(asked(&stage), 1, "nobody is asked again within five minutes");
        }
        assert_eq!(api_calls(&stage), 0);
        stage.ready("camera-12", "False", "ConsentDenied").await;
        // They think better of it.
        stage.admin.change(|settings| settings.oauth.consent = Consent::Approve).await.unwrap();
        stage.pass_until(1200, 5, "camera-12", |object| condition(object, "Ready") == ("True", "Available")).await;
        stage.finish().await;
    }
}

/// Field case 8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ciba_keeps_the_servers_pace_and_slow_down_makes_it_slower_for_good() {
    let stage = stage_of("pace", |oauth| (oauth.ciba_interval, oauth.ciba_pending_polls) = (Some(2), 4)).await;
    let slow_down = Fault { skip: 3, ..Fault::once(Target::Token, Fault::status(400, "slow_down")) };
    stage.admin.add_fault(slow_down).unwrap();
    stage.ready("camera-12", "False", "ConsentPending").await;
    becomes_available(&stage).await;
    assert_eq!(asked(&stage), 1);
    let times: Vec<Timestamp> = stage
        .admin
        .requests()
        .into_iter()
        .filter(|request| matches!(request.operation, Operation::Authorize | Operation::Token))
        .map(|request| request.time.parse().unwrap())
        .collect();
    let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64()).collect();
    let least = [2.0, 2.0, 2.0, 2.0, 7.0, 7.0];
    assert_eq!(gaps.len(), least.len(), "{gaps:?}");
    for (gap, least) in gaps.iter().zip(least) {
        // The clock moves in steps of a second.
        assert!((least..least + 3.0).contains(gap), "{gaps:?}");
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consent_that_nobody_gave_in_time_is_asked_for_again() {
    let stage = stage_of("expired", |oauth| (oauth.consent, oauth.ciba_expires_in) = (Consent::Wait, 20)).await;
    stage.ready("camera-12", "False", "ConsentPending").await;
    stage.let_pass(18, 1).await;
    assert_eq!(asked(&stage), 1);
    stage.let_pass(20, 1).await;
    assert_eq!(asked(&stage), 2, "begun again, once");
    stage.ready("camera-12", "False", "ConsentPending").await;
    assert_eq!(stage.admin.decide(None, Decision::Approved), 1);
    becomes_available(&stage).await;
    assert_eq!(asked(&stage), 2);
    stage.finish().await;
}

/// Field case 8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_while_consent_is_awaited_asks_the_subscriber_at_most_once_more() {
    let mut stage = stage_of("restart", |oauth| oauth.consent = Consent::Wait).await;
    stage.ready("camera-12", "False", "ConsentPending").await;
    stage.stop().await;
    stage.start().await;
    stage.let_pass(20, 1).await;
    let questions = asked(&stage);
    assert!((1..=2).contains(&questions), "{questions}");
    stage.admin.decide(None, Decision::Approved);
    becomes_available(&stage).await;
    assert_eq!((asked(&stage), stage.calls(Operation::Create)), (questions, 1));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_waits_for_consent_goes_at_once_when_it_is_deleted() {
    let stage = stage_of("deleted", |oauth| oauth.consent = Consent::Wait).await;
    stage.ready("camera-12", "False", "ConsentPending").await;
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    assert_eq!((asked(&stage), api_calls(&stage)), (1, 0));
    stage.finish().await;
}

/// The release needs a token as well, and the one that made the session is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_waits_for_consent_is_done_when_it_comes() {
    let stage = stage_of("release", |oauth| oauth.token_lifetime_seconds = 600).await;
    becomes_available(&stage).await;
    stage.admin.change(|settings| settings.oauth.consent = Consent::Wait).await.unwrap();
    stage.let_pass(610, 10).await;
    stage.delete("camera-12").await;
    let object = stage.ready("camera-12", "False", "ReleaseBlocked").await;
    assert!(message(&object, "Ready").starts_with("the subscriber's consent is awaited; at "), "{}", message(&object, "Ready"));
    stage.let_pass(40, 2).await;
    assert_eq!(stage.calls(Operation::Delete), 0);
    assert_eq!(asked(&stage), 2);
    stage.admin.decide(None, Decision::Approved);
    for _ in 0..20 {
        stage.let_pass(1, 1).await;
    }
    stage.gone("camera-12").await;
    assert_eq!(stage.admin.ledger().released, 1);
    stage.finish().await;
}
