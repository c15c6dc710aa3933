//! A token's life: fetched once for all, renewed ahead, replaced when it is refused; and the pauses after failures.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use qos_operator::auth::{ClientAuthentication, Grant, NoToken, Refusal, SigningAlgorithm, Tokens};
use qos_operator::clock::Clock;
use qos_operator::qod::Operation;
use serde_json::json;

use super::keys::Key;
use super::scene::{SECRET, Scene, create, form, granted, number, refusal, refused};
use crate::qod::log::CapturedLog;
use crate::qod::raw_server::{Reply, answer};

#[tokio::test]
async fn a_hundred_who_want_a_token_at_once_cause_one_request() {
    let scene = Scene::new().await;
    scene.then([granted("t1", 3600)]);
    let tokens = scene.tokens(scene.client_credentials());
    let all = futures::future::join_all((0..100).map(|_| create(&tokens, None))).await;
    assert!(all.iter().all(|token| *token == Ok("t1".to_owned())), "{all:?}");
    assert_eq!(create(&tokens.clone(), None).await, Ok("t1".to_owned()));
    scene.settled_at(1).await;
}

#[tokio::test]
async fn who_goes_away_takes_no_request_along() {
    let scene = Scene::new().await;
    scene.then([granted("t1", 3600)]);
    let tokens = scene.tokens(scene.client_credentials());
    assert!(futures::FutureExt::now_or_never(create(&tokens, None)).is_none());
    scene.settled_at(1).await;
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()));
    assert_eq!(scene.server.count(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end_and_kept_while_that_fails() {
    let scene = Scene::new().await;
    scene.then([granted("t1", 1000), (503, json!({})), granted("t2", 1000)]);
    let tokens = scene.tokens(scene.client_credentials());
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()));
    scene.advance(795.0);
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()));
    scene.settled_at(1).await;
    scene.advance(10.0);
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()), "nobody waits for a renewal");
    scene.settled_at(2).await;
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()), "it failed, and the old one is still good");
    scene.advance(6.0);
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()));
    scene.settled_at(3).await;
    assert_eq!(create(&tokens, None).await, Ok("t2".to_owned()));
}

#[tokio::test]
async fn a_token_of_unknown_life_is_not_kept_for_ever_and_one_without_life_is_used_once_and_not_in_a_rush() {
    let scene = Scene::new().await;
    scene.then([(200, json!({"access_token": "t1"})), granted("t2", 3600)]);
    let tokens = scene.tokens(scene.client_credentials());
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()));
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()));
    scene.advance(301.0);
    assert_eq!(create(&tokens, None).await, Ok("t2".to_owned()));

    let scene = Scene { clock: Clock::scaled(20.0), ..Scene::new().await };
    scene.then(["t1", "t2", "t3", "t4"].map(|token| granted(token, 0)));
    let tokens = scene.tokens(scene.client_credentials());
    let mut last = None;
    for expected in ["t1", "t2", "t3", "t4"] {
        assert_eq!(create(&tokens, None).await, Ok(expected.to_owned()));
        let now = scene.clock.now();
        assert!(last.is_none_or(|last| now.duration_since(last).as_secs() >= 1), "{last:?} {now}");
        last = Some(now);
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_a_new_one_that_is_refused_too_brings_a_pause() {
    let scene = Scene::new().await;
    scene.then(["t1", "t2", "t3"].map(|token| granted(token, 3600)));
    let tokens = scene.tokens(scene.client_credentials());
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()));
    refused(&tokens, None, "t1");
    refused(&tokens, None, "t1");
    assert_eq!(create(&tokens, None).await, Ok("t2".to_owned()));
    refused(&tokens, None, "t1");
    assert_eq!(create(&tokens, None).await, Ok("t2".to_owned()), "the refused one was another");
    refused(&tokens, None, "t2");
    let all_refused = Err(NoToken::Refused { reason: Refusal::Credentials, code: None });
    assert_eq!(create(&tokens, None).await, all_refused);
    scene.settled_at(2).await;
    scene.advance(5.0);
    assert_eq!(create(&tokens, None).await, Ok("t3".to_owned()));
}

#[tokio::test]
async fn a_fixed_token_is_what_it_is() {
    let tokens = Tokens::fixed(qos_operator::qod::AccessToken::new("fixed"));
    refused(&tokens, None, "fixed");
    assert_eq!(create(&tokens, Some(&number(23))).await, Ok("fixed".to_owned()));
    assert!(!format!("{tokens:?}").contains("fixed\""), "{tokens:?}");
    assert_eq!((tokens.needs_subject(), tokens.client_id()), (false, None));
}

#[tokio::test]
async fn operations_with_scopes_of_their_own_have_tokens_of_their_own() {
    let scene = Scene::new().await;
    scene.then(["create", "usual"].map(|token| granted(token, 3600)));
    let mut settings = scene.settings(scene.client_credentials());
    settings.operation_scopes =
        BTreeMap::from([(Operation::CreateSession, "qod:create".to_owned()), (Operation::GetQosProfile, "qod".to_owned())]);
    let tokens = Tokens::new(settings).unwrap();
    for (operation, token) in [
        (Operation::CreateSession, "create"),
        (Operation::GetSession, "usual"),
        (Operation::GetQosProfile, "usual"),
        (Operation::CreateSession, "create"),
    ] {
        assert_eq!(tokens.get(None, operation).await.unwrap().expose(), token, "{operation}");
    }
    let scopes: Vec<String> = scene.forms().into_iter().map(|(_, form)| form["scope"].clone()).collect();
    assert_eq!(scopes, ["qod:create", "qod"]);
}

#[tokio::test]
async fn refused_credentials_are_not_tried_again_before_a_growing_pause_but_new_ones_at_once() {
    let scene = Scene::new().await;
    let (status, body) = refusal(401, "invalid_client");
    scene.always(status, &body);
    let tokens = scene.tokens(scene.client_credentials());
    let invalid = Err(NoToken::Refused { reason: Refusal::Credentials, code: Some("invalid_client".to_owned()) });
    for (requests, pause) in [(1, 5.0), (2, 10.0), (3, 20.0)] {
        for _ in 0..100 {
            assert_eq!(create(&tokens, None).await, invalid);
        }
        scene.advance(pause - 1.0);
        assert_eq!(create(&tokens, None).await, invalid);
        scene.settled_at(requests).await;
        scene.advance(1.1);
    }
    scene.always(200, &granted("t1", 3600).1);
    assert_eq!(create(&scene.tokens(scene.client_credentials()), None).await, Ok("t1".to_owned()));
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()));
}

#[tokio::test]
async fn a_wait_that_the_endpoint_asks_for_is_kept() {
    let scene = Scene::new().await;
    scene.server.then([Reply::Bytes(answer(429, &[("Retry-After", "30")], ""))]);
    scene.always(200, &granted("t1", 3600).1);
    let tokens = scene.tokens(scene.client_credentials());
    let Err(NoToken::Unavailable { retry_after: Some(wait) }) = create(&tokens, None).await else { panic!("429") };
    assert_eq!(wait, Duration::from_secs(30));
    scene.advance(29.0);
    let Err(NoToken::Unavailable { retry_after: Some(wait) }) = create(&tokens, None).await else { panic!("in the pause") };
    assert_eq!(wait, Duration::from_secs(1), "what is left of the pause");
    scene.settled_at(1).await;
    scene.advance(1.0);
    assert_eq!(create(&tokens, None).await, Ok("t1".to_owned()));
}

#[tokio::test]
async fn a_token_request_is_sent_once_whatever_becomes_of_it() {
    let elsewhere = Scene::new().await;
    let location = elsewhere.server.url("http", "/token").to_string();
    for (reply, expected) in [
        (Reply::Reset, "unavailable"),
        (Reply::BytesThenClose(Vec::new()), "unavailable"),
        (Reply::Bytes(answer(307, &[("Location", &location)], "")), "no token endpoint"),
        (Reply::Bytes(answer(404, &[("Content-Type", "text/html")], "<html>")), "no token endpoint"),
    ] {
        let scene = Scene::new().await;
        scene.server.reply_with(reply.clone());
        let (tokens, printed) = (scene.tokens(scene.client_credentials()), format!("{reply:?}"));
        let result = create(&tokens, None).await;
        let meaning = match &result {
            Err(NoToken::Unavailable { retry_after: Some(_) }) => "unavailable",
            Err(NoToken::Unparseable) => "no token endpoint",
            other => panic!("{printed}: {other:?}"),
        };
        assert_eq!(meaning, expected, "{printed}");
        scene.settled_at(1).await;
        assert_eq!(scene.server.connections(), 1, "{printed}");
    }
    assert_eq!(elsewhere.server.count(), 0, "a redirect was followed");
}

#[tokio::test]
async fn an_assertion_is_signed_as_asked_and_stands_for_one_device() {
    for (key, algorithm, expected) in [
        (Key::rsa(), None, Algorithm::RS256),
        (Key::rsa(), Some(SigningAlgorithm::Ps256), Algorithm::PS256),
        (Key::p256(), None, Algorithm::ES256),
    ] {
        let scene = Scene::new().await;
        scene.then([granted("t23", 3600), granted("t24", 3600)]);
        let url = scene.server.url("http", "/token");
        let mut settings = scene.settings(Grant::JwtBearer { token_url: url.clone() });
        settings.client_authentication = ClientAuthentication::PrivateKeyJwt(key.setting(algorithm));
        let tokens = Tokens::new(settings).unwrap();
        assert!(tokens.needs_subject());
        for last in [23, 24, 23] {
            assert_eq!(create(&tokens, Some(&number(last))).await, Ok(format!("t{last}")));
        }
        let seen = scene.server.take_seen();
        assert_eq!(seen.len(), 2, "each device has its own token, and one is enough");
        for (seen, device) in seen.iter().zip(["tel:+447700900123", "tel:+447700900124"]) {
            let form = form(seen);
            let jwt = key.verified(&form["assertion"], expected).unwrap();
            assert_eq!(jwt.header.kid.as_deref(), Some("key-1"));
            let claims = jwt.claims;
            let told = [&claims["iss"], &claims["sub"], &claims["aud"], &claims["scope"]].map(|claim| claim.as_str().unwrap());
            assert_eq!(told, ["app-7", device, url.as_str(), "qod"]);
            assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
            assert_eq!(form.len(), 2, "the assertion is the client's authentication, and holds the scope");
            assert_eq!(seen.header("authorization"), None);
        }
    }
}

#[tokio::test]
async fn nothing_personal_or_secret_is_logged_or_printed() {
    let (log, _guard) = CapturedLog::start();
    let key = Key::p256();
    let scene = Scene::new().await;
    scene.then([granted("tok-hidden", 100), refusal(400, "invalid_grant"), (500, json!({"access_token": "tok-hidden"}))]);
    let mut settings = scene.settings(Grant::JwtBearer { token_url: scene.server.url("http", "/token") });
    settings.client_authentication = ClientAuthentication::PrivateKeyJwt(key.setting(None));
    let mut printed = format!("{settings:?}");
    let tokens = Tokens::new(settings).unwrap();
    for _ in 0..3 {
        write!(printed, "{:?}", tokens.get(Some(&number(23)), Operation::CreateSession).await).unwrap();
        scene.advance(500.0);
    }
    scene.then([(200, json!({"access_token": "tok-hidden", "refresh_token": "ref-hidden"}))]);
    let basic = scene.tokens(scene.client_credentials());
    write!(printed, "{:?} {tokens:?} {basic:?}", create(&basic, None).await.map(|_| ())).unwrap();
    scene.server.reply_with(Reply::Reset);
    write!(printed, "{:?}", create(&scene.tokens(scene.client_credentials()), None).await).unwrap();
    let log = log.take();
    assert!(log.len() > 1000, "hardly anything was logged, so that nothing leaked says little");
    let mut secrets = vec!["447700900123", "tok-hidden", "ref-hidden", SECRET, "s3cr", "prose that nobody", key.secret()];
    let jwts: Vec<String> = scene.forms().into_iter().filter_map(|(_, form)| form.get("assertion").cloned()).collect();
    assert_eq!(jwts.len(), 3);
    secrets.extend(jwts.iter().map(String::as_str));
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(!printed.contains(secret), "{secret} is in {printed}");
    }
}
