//! CIBA: the server's pace, one question to a person, and what ends the wait.

use k8s_openapi::jiff::SignedDuration;
use qos_operator::auth::{NoToken, Refusal, Subject};
use serde_json::{Value, json};

use super::scene::{Scene, create, granted, number, refusal, refused};

fn authorised(id: &str) -> (u16, Value) {
    (200, json!({ "auth_req_id": id, "expires_in": 120, "interval": 2 }))
}

fn with_refresh(token: &str, refresh: &str) -> (u16, Value) {
    (200, json!({ "access_token": token, "expires_in": 1000, "refresh_token": refresh }))
}

fn is_pending<T>(result: &Result<T, NoToken>) -> bool {
    matches!(result, Err(NoToken::Pending { .. }))
}

/// The paths of the requests so far.
fn paths(scene: &Scene) -> Vec<String> {
    scene.forms().into_iter().map(|(path, _)| path).collect()
}

/// Moves the clock to the poll and waits until it is answered: then the time of the next is known.
async fn to_poll(scene: &Scene, count: usize, wait: f64) {
    scene.advance(wait - 0.5);
    scene.settled_at(count - 1).await;
    scene.advance(0.51);
    scene.settled_at(count).await;
}

#[tokio::test]
async fn ciba_keeps_the_servers_pace_and_asks_the_subscriber_once_for_ten_objects() {
    let scene = Scene::new().await;
    scene.then([authorised("r1")]);
    scene.then(["authorization_pending", "authorization_pending", "authorization_pending"].map(|code| refusal(400, code)));
    scene.then([refusal(400, "slow_down"), refusal(400, "authorization_pending"), granted("t1", 3600)]);
    let tokens = scene.tokens(scene.ciba());
    let subject = number(23);
    let all = futures::future::join_all((0..10).map(|_| create(&tokens, Some(&subject)))).await;
    assert!(all.iter().all(is_pending), "{all:?}");
    for (poll, wait) in [2.0, 2.0, 2.0, 2.0, 7.0].into_iter().enumerate() {
        to_poll(&scene, poll + 2, wait).await;
        let waiting = create(&tokens, Some(&subject)).await;
        assert!(is_pending(&waiting), "{waiting:?}");
    }
    to_poll(&scene, 7, 7.0).await;
    assert_eq!(create(&tokens, Some(&subject)).await, Ok("t1".to_owned()));
    assert_eq!(create(&tokens, Some(&subject)).await, Ok("t1".to_owned()));
    let forms = scene.forms();
    assert_eq!(forms[0].0, "/bc-authorize");
    assert_eq!(forms[0].1["login_hint"], "tel:+447700900123");
    assert!(forms[1..].iter().all(|(path, form)| path == "/token" && form["auth_req_id"] == "r1"), "{forms:?}");
}

#[tokio::test]
async fn a_token_of_one_device_is_never_given_to_another() {
    let scene = Scene::new().await;
    let tokens = scene.tokens(scene.ciba());
    let devices = [number(23), Subject::ipport_v4("198.51.100.1".parse().unwrap(), Some(8080))];
    scene.then([authorised("r1"), authorised("r2"), granted("t1", 3600), granted("t2", 3600)]);
    for device in &devices {
        assert!(is_pending(&create(&tokens, Some(device)).await));
        scene.advance(1.0);
    }
    scene.settled_at(3).await;
    scene.advance(1.0);
    scene.settled_at(4).await;
    for (device, token) in devices.iter().zip(["t1", "t2"]) {
        assert_eq!(create(&tokens, Some(device)).await, Ok(token.to_owned()));
    }
    let forms = scene.forms();
    let told: Vec<_> = forms.iter().map(|(_, form)| form.get("login_hint").or(form.get("auth_req_id")).unwrap()).collect();
    assert_eq!(told, ["tel:+447700900123", "ipport:198.51.100.1:8080", "r1", "r2"]);
}

#[tokio::test]
async fn without_a_device_nothing_is_asked() {
    let scene = Scene::new().await;
    let tokens = scene.tokens(scene.ciba());
    assert!(matches!(create(&tokens, None).await, Err(NoToken::NoSubject { .. })));
    scene.settled_at(0).await;
}

#[tokio::test]
async fn the_answer_says_when_to_look_again_and_then_there_is_news() {
    let scene = Scene::new().await;
    scene.then([authorised("r1"), granted("t1", 3600)]);
    let tokens = scene.tokens(scene.ciba());
    let Err(NoToken::Pending { again_at }) = create(&tokens, Some(&number(23))).await else { panic!("consent is awaited") };
    let wait = again_at.duration_since(scene.clock.now());
    assert!(wait > SignedDuration::from_secs(2) && wait <= SignedDuration::from_secs(3), "{wait:?}");
    scene.clock.advance(wait);
    scene.settled_at(2).await;
    assert_eq!(create(&tokens, Some(&number(23))).await, Ok("t1".to_owned()));
}

#[tokio::test]
async fn an_expired_consent_is_asked_for_again_by_the_next_who_wants_it_after_a_pause() {
    for expiry in ["the server says so", "its time is over"] {
        let scene = Scene::new().await;
        scene.then([authorised("r1")]);
        let tokens = scene.tokens(scene.ciba());
        assert!(is_pending(&create(&tokens, Some(&number(23))).await));
        let before = if expiry == "its time is over" {
            scene.advance(121.0);
            1
        } else {
            scene.then([refusal(400, "expired_token")]);
            scene.advance(2.1);
            2
        };
        scene.settled_at(before).await;
        assert!(is_pending(&create(&tokens, Some(&number(23))).await), "{expiry}");
        scene.settled_at(before).await;
        scene.then([authorised("r2")]);
        scene.advance(5.1);
        assert!(is_pending(&create(&tokens, Some(&number(23))).await), "{expiry}");
        scene.settled_at(before + 1).await;
        assert_eq!(scene.forms().last().unwrap().0, "/bc-authorize");
    }
}

#[tokio::test]
async fn a_gateways_error_while_polling_ends_nothing() {
    let scene = Scene::new().await;
    scene.then([authorised("r1"), (502, json!("<html>")), granted("t1", 3600)]);
    let tokens = scene.tokens(scene.ciba());
    assert!(is_pending(&create(&tokens, Some(&number(23))).await));
    to_poll(&scene, 2, 2.0).await;
    assert!(is_pending(&create(&tokens, Some(&number(23))).await));
    to_poll(&scene, 3, 2.0).await;
    assert_eq!(create(&tokens, Some(&number(23))).await, Ok("t1".to_owned()));
}

#[tokio::test]
async fn a_device_that_the_endpoint_does_not_know_is_refused() {
    let scene = Scene::new().await;
    scene.then([refusal(400, "unknown_user_id")]);
    let tokens = scene.tokens(scene.ciba());
    let unknown = Err(NoToken::Refused { reason: Refusal::Device, code: Some("unknown_user_id".to_owned()) });
    assert_eq!(create(&tokens, Some(&number(23))).await, unknown);
    assert_eq!(create(&tokens, Some(&number(23))).await, unknown);
    scene.settled_at(1).await;
}

#[tokio::test]
async fn polls_end_with_the_tokens() {
    let scene = Scene::new().await;
    scene.then([authorised("r1")]);
    let tokens = scene.tokens(scene.ciba());
    let clone = tokens.clone();
    assert!(is_pending(&create(&tokens, Some(&number(23))).await));
    drop(tokens);
    scene.then([refusal(400, "authorization_pending")]);
    to_poll(&scene, 2, 2.0).await;
    drop(clone);
    scene.advance(60.0);
    scene.settled_at(2).await;
}

#[tokio::test]
async fn a_renewal_asks_no_person_while_there_is_a_refresh_token() {
    let scene = Scene::new().await;
    let (tokens, subject) = (scene.tokens(scene.ciba()), number(23));
    scene.then([authorised("r1"), with_refresh("t1", "ref-1"), with_refresh("t2", "ref-2"), granted("t3", 1000)]);
    assert!(is_pending(&create(&tokens, Some(&subject)).await));
    to_poll(&scene, 2, 2.0).await;
    scene.advance(850.0);
    assert_eq!(create(&tokens, Some(&subject)).await, Ok("t1".to_owned()), "ahead of the end nobody waits");
    scene.settled_at(3).await;
    assert_eq!(create(&tokens, Some(&subject)).await, Ok("t2".to_owned()));
    scene.advance(1001.0);
    assert_eq!(create(&tokens, Some(&subject)).await, Ok("t3".to_owned()), "nor after the end");
    let forms = scene.forms();
    let sent: Vec<_> = forms[2..].iter().map(|(path, form)| (path.as_str(), form["refresh_token"].as_str())).collect();
    assert_eq!(sent, [("/token", "ref-1"), ("/token", "ref-2")]);

    // One that is no good ahead of the end is let go; the subscriber is asked at the end, and not before.
    scene.then([refusal(400, "invalid_grant")]);
    scene.advance(850.0);
    assert_eq!(create(&tokens, Some(&subject)).await, Ok("t3".to_owned()));
    scene.settled_at(1).await;
    assert_eq!(create(&tokens, Some(&subject)).await, Ok("t3".to_owned()));
    assert_eq!(paths(&scene), ["/token"]);
    scene.then([authorised("r2")]);
    scene.advance(151.0);
    assert!(is_pending(&create(&tokens, Some(&subject)).await));
    assert_eq!(paths(&scene), ["/bc-authorize"]);
}

#[tokio::test]
async fn without_a_refresh_token_nobody_is_asked_before_the_end() {
    let scene = Scene::new().await;
    let (tokens, subject) = (scene.tokens(scene.ciba()), number(23));
    scene.then([authorised("r1"), granted("t1", 1000), authorised("r2")]);
    assert!(is_pending(&create(&tokens, Some(&subject)).await));
    to_poll(&scene, 2, 2.0).await;
    scene.advance(990.0);
    assert_eq!(create(&tokens, Some(&subject)).await, Ok("t1".to_owned()));
    scene.settled_at(2).await;
    scene.advance(9.0);
    assert!(is_pending(&create(&tokens, Some(&subject)).await));
    scene.settled_at(3).await;
}

#[tokio::test]
async fn a_refused_token_is_replaced_by_the_refresh_token_and_by_a_question_only_if_that_is_no_good() {
    let scene = Scene::new().await;
    let (tokens, subject) = (scene.tokens(scene.ciba()), number(23));
    scene.then([authorised("r1"), with_refresh("t1", "ref-1"), refusal(400, "invalid_grant"), authorised("r2")]);
    assert!(is_pending(&create(&tokens, Some(&subject)).await));
    to_poll(&scene, 2, 2.0).await;
    assert_eq!(create(&tokens, Some(&subject)).await, Ok("t1".to_owned()));
    refused(&tokens, Some(&subject), "t1");
    assert!(is_pending(&create(&tokens, Some(&subject)).await));
    assert_eq!(paths(&scene), ["/bc-authorize", "/token", "/token", "/bc-authorize"]);
}
