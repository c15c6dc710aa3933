//! Each quirk shows, and shows only when it is set.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::generation::Generation;
use super::super::settings::{Flavour, Quirk, Settings};
use super::{PHONE, Stage, Told, code, order, order_with, told};

async fn with(generation: Generation, quirks: impl IntoIterator<Item = Quirk>) -> Stage {
    let quirks = quirks.into_iter().collect();
    Stage::new(Settings { generation, flavour: Flavour::Camara, quirks, ..Settings::default() }).await
}

#[tokio::test]
async fn answers_can_leave_the_form_of_their_document() {
    let shows = |info: &Value, quirk: Quirk| match quirk {
        Quirk::MissingStatus => info.get("qosStatus").is_none(),
        Quirk::EpochTimes => info["startedAt"].is_number(),
        Quirk::TextNumbers => info["duration"] == json!("600"),
        Quirk::UnknownFields => info.as_object().unwrap().keys().any(|name| name.starts_with('x')),
        Quirk::UnknownValues => info["qosStatus"] == json!("PENDING"),
        Quirk::Nulls => info.get("statusInfo") == Some(&Value::Null),
        Quirk::SecretsEchoed => info["sinkCredential"]["accessToken"] == json!("secret-token"),
        other => panic!("{other:?}"),
    };
    let all = [
        Quirk::MissingStatus,
        Quirk::EpochTimes,
        Quirk::TextNumbers,
        Quirk::UnknownFields,
        Quirk::UnknownValues,
        Quirk::Nulls,
        Quirk::SecretsEchoed,
    ];
    let credential = json!({"credentialType": "ACCESSTOKEN", "accessToken": "secret-token",
        "accessTokenExpiresUtc": "2099-01-01T00:00:00Z", "accessTokenType": "bearer"});
    let body = order_with(json!({"sink": "https://client.example.com/n", "sinkCredential": credential}));
    for set in all {
        let (_, info) = with(Generation::V1_1, [set]).await.create(body.clone()).await;
        let shown: Vec<Quirk> = all.into_iter().filter(|quirk| shows(&info, *quirk)).collect();
        assert_eq!(shown, [set], "{info}");
    }
    let (_, plain) = with(Generation::V1_1, []).await.create(body).await;
    assert!(all.into_iter().all(|quirk| !shows(&plain, quirk)), "{plain}");
}

#[tokio::test]
async fn times_can_come_too_early_or_in_the_other_form() {
    for (quirks, shown) in [(vec![], false), (vec![Quirk::RequestedTimes], true)] {
        let stage = with(Generation::V1_0, quirks).await;
        stage.admin.change(|settings| settings.requested_delay_seconds = 5).await.unwrap();
        let (_, info) = stage.create(order(PHONE)).await;
        assert_eq!((info["startedAt"].is_string(), info["expiresAt"].is_string()), (shown, shown), "{info}");
    }
    let (_, info) = with(Generation::V0_10, [Quirk::TextTimes]).await.create(order(PHONE)).await;
    assert!(info["startedAt"].is_string(), "{info}");
}

#[tokio::test]
async fn errors_can_have_another_code_or_none() {
    let missing = format!("/sessions/{}", Uuid::nil());
    for (quirk, expected) in [(Quirk::NumericCode, json!("404")), (Quirk::MissingCode, Value::Null)] {
        let stage = with(Generation::V1_1, [quirk]).await;
        let (status, error) = told(stage.call(Method::GET, &missing)).await.unwrap();
        assert_eq!((status, &error["code"]), (404, &expected));
    }
    for (quirk, expected) in [(Quirk::AlreadyExists, "ALREADY_EXISTS"), (Quirk::IncompatibleState, "INCOMPATIBLE_STATE")] {
        let stage = with(Generation::V1_1, [quirk]).await;
        stage.session(order(PHONE)).await;
        assert_eq!(code(&stage.create(order(PHONE)).await), (409, expected));
    }
    let stage = with(Generation::V0_11, [Quirk::ConflictTime, Quirk::MalformedIdNotFound, Quirk::ForeignTokenContext]).await;
    let id = stage.session(order(PHONE)).await;
    let (_, conflict) = stage.create(order(PHONE)).await;
    assert!(conflict["message"].as_str().unwrap().contains("active until 2"), "{conflict}");
    assert!(!conflict.to_string().contains(&id.to_string()), "it names no session");
    let malformed: Told = told(stage.call(Method::GET, "/sessions/x")).await.unwrap();
    assert_eq!(code(&malformed), (404, "NOT_FOUND"));
    stage.admin.accept_token("other", "other");
    let foreign = Stage { token: "other", ..stage }.get(id).await;
    assert_eq!(code(&foreign), (403, "INVALID_TOKEN_CONTEXT"));
}

#[tokio::test]
async fn an_expired_token_can_ask_for_a_new_login() {
    for (quirks, expected) in [(vec![], "UNAUTHENTICATED"), (vec![Quirk::AuthenticationRequired], "AUTHENTICATION_REQUIRED")] {
        let mut stage = with(Generation::V1_0, quirks).await;
        let expires_at = Some(stage.admin.now());
        stage.admin.accept_grant("old", super::super::tokens::Grant { expires_at, ..super::super::tokens::Grant::of("sandbox") });
        stage.token = "old";
        assert_eq!(code(&stage.create(order(PHONE)).await), (401, expected));
        stage.token = "unknown";
        assert_eq!(code(&stage.create(order(PHONE)).await), (401, "UNAUTHENTICATED"));
    }
}

#[tokio::test]
async fn success_can_come_with_another_status_or_without_a_body() {
    let stage = with(Generation::V0_11, [Quirk::EmptyCreated]).await;
    let response = stage.call(Method::POST, "/sessions").json(&order(PHONE)).send().await.unwrap();
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (201, ""));
    let found = stage.http.get(format!("http://{}{location}", stage.simulator.address())).bearer_auth(stage.token);
    assert_eq!(told(found).await.unwrap().0, 200, "the session is there");
    let stage = with(Generation::V1_1, [Quirk::CreatedAsOk, Quirk::DeletedAsOk]).await;
    let (status, info) = stage.create(order(PHONE)).await;
    assert_eq!(status, 200);
    assert_eq!(stage.delete(super::id_of(&info)).await, (200, json!({})));
    assert_eq!(stage.admin.ledger_at_end().released, 1);
}

#[tokio::test]
async fn get_can_tell_of_another_session_and_extend_can_refuse() {
    let stage = with(Generation::V1_1, [Quirk::ForeignFields]).await;
    let id = stage.session(order(PHONE)).await;
    let (status, info) = stage.get(id).await;
    assert_eq!((status, info["applicationServer"] == json!({"ipv4Address": "198.51.100.10"})), (200, false));
    let stage = with(Generation::V1_1, [Quirk::ExtendAtMaximumRefused, Quirk::NearEndNotExtended]).await;
    let id = stage.session(order_with(json!({"duration": 86_400}))).await;
    assert_eq!(code(&stage.extend(id, 60).await), (400, "OUT_OF_RANGE"));
    stage.pass(86_385);
    assert_eq!(code(&stage.extend(id, 60).await), (404, "NOT_FOUND"));
}
