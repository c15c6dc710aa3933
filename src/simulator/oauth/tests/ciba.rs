//! CIBA in poll mode and refresh tokens, over HTTP.

use serde_json::{Value, json};

use super::super::super::device::{Device, Identifier};
use super::super::super::faults::{Fault, Target, What};
use super::super::super::settings::Operation;
use super::super::Decision;
use super::super::settings::{DEFAULT_CLIENT_ID, GrantType};
use super::{HINT, Office, SCOPE, error, told};

#[tokio::test]
async fn a_user_who_agrees_gives_a_token_of_their_device_that_works_once_asked_for() {
    let office = Office::new(json!({"cibaPendingPolls": 2, "cibaInterval": 2})).await;
    let (status, asked) = office.post("/apigateway/bc-authorize", &[("login_hint", HINT), ("scope", SCOPE)]).await;
    assert_eq!((status, &asked["expires_in"], &asked["interval"]), (200, &json!(120), &json!(2)));
    let id = asked["auth_req_id"].as_str().unwrap();
    for _ in 0..2 {
        let poll = [("grant_type", GrantType::Ciba.uri()), ("auth_req_id", id)];
        assert_eq!(error(&office.post("/apigateway/token", &poll).await), (400, "authorization_pending"));
        office.pass(2);
    }
    let answer = office.poll(id).await;
    assert_eq!((&answer.1["token_type"], &answer.1["scope"]), (&json!("Bearer"), &json!(SCOPE)));
    assert_eq!((&answer.1["expires_in"], &answer.1["refresh_token"]), (&json!(3600), &Value::Null));
    let grant = office.grant(&answer).unwrap();
    assert_eq!(grant.client, DEFAULT_CLIENT_ID);
    assert!(grant.subject.unwrap().is(&Device::new([Identifier::phone("+447700900112")])));
    assert_eq!(office.create(&answer).await, 201);
    assert_eq!(error(&office.poll(id).await), (400, "invalid_grant"), "used before");
    let counts = office.admin.grant_counts();
    assert_eq!((counts["bcAuthorize"]["auth_req_id"], counts["ciba"]["authorization_pending"]), (1, 2));
    assert_eq!((office.admin.calls(Operation::Authorize), office.admin.calls(Operation::Token)), (1, 4));
}

#[tokio::test]
async fn the_token_is_of_the_whole_subscriber_whatever_the_hint() {
    let subscriber = json!({"phoneNumber": "+447700900112", "ipv4Address": {"publicAddress": "203.0.113.7", "publicPort": 5060}});
    let office = Office::with(json!({"subscribers": [subscriber]})).await;
    let form = [("login_hint", "ipport:203.0.113.7:5060"), ("scope", SCOPE)];
    let asked = office.post("/bc-authorize", &form).await.1;
    let answer = office.poll(asked["auth_req_id"].as_str().unwrap()).await;
    assert!(office.grant(&answer).unwrap().subject.unwrap().is(&Device::new([Identifier::phone("+447700900112")])));
}

#[tokio::test]
async fn a_bad_authorization_request_is_refused_by_what_is_wrong_with_it() {
    let office = Office::with(json!({"knownDevicesOnly": true, "subscribers": [{"phoneNumber": "+447700900112"}]})).await;
    for (form, expected) in [
        (vec![("scope", SCOPE)], "invalid_request"),
        (vec![("login_hint", HINT)], "invalid_request"),
        (vec![("login_hint", "447700900112"), ("scope", SCOPE)], "invalid_request"),
        (vec![("login_hint", HINT), ("id_token_hint", "x"), ("scope", SCOPE)], "invalid_request"),
        (vec![("login_hint", HINT), ("scope", SCOPE), ("request", "x")], "invalid_request"),
        (vec![("login_hint", HINT), ("login_hint", HINT), ("scope", SCOPE)], "invalid_request"),
        (vec![("login_hint", HINT), ("scope", "dpv:A dpv:B")], "invalid_scope"),
        (vec![("login_hint", "tel:+447700900999"), ("scope", SCOPE)], "unknown_user_id"),
    ] {
        assert_eq!(error(&office.post("/bc-authorize", &form).await), (400, expected), "{form:?}");
    }
    // As Telefónica's own example has it: the + is a space.
    let raw = office.bare("/bc-authorize", &[]).body("login_hint=tel:+447700900112&scope=qod");
    assert_eq!(error(&told(raw.basic_auth(DEFAULT_CLIENT_ID, Some("mock_sandbox_app_secret"))).await), (400, "invalid_request"));
    office.admin.change(|settings| settings.oauth.consent = super::super::settings::Consent::Refuse).await.unwrap();
    let form = [("login_hint", HINT), ("scope", SCOPE)];
    assert_eq!(error(&office.post("/bc-authorize", &form).await), (403, "access_denied"));
}

#[tokio::test]
async fn the_admin_speaks_for_the_users_of_one_device() {
    let office = Office::new(json!({"consent": "wait", "cibaInterval": 0})).await;
    let first = office.ask(SCOPE).await;
    let form = [("login_hint", "tel:+447700900113"), ("scope", SCOPE)];
    let second = office.post("/bc-authorize", &form).await.1["auth_req_id"].as_str().unwrap().to_owned();
    assert_eq!(error(&office.poll(&first).await), (400, "authorization_pending"));
    let admin = office.simulator.admin_url().unwrap();
    let shown = told(office.http.get(format!("{admin}/authorizations"))).await.1;
    assert_eq!((&shown["open"][0]["device"], &shown["open"][0]["polls"]), (&json!("phone …112"), &json!(1)));
    assert_eq!((&shown["open"][1]["device"], &shown["open"][1]["decision"]), (&json!("phone …113"), &Value::Null));
    for secret in [first.as_str(), second.as_str(), "7700900112"] {
        assert!(!shown.to_string().contains(secret));
    }
    let say = async |what: &str, body: Value| {
        told(office.http.post(format!("{admin}/authorizations/{what}")).body(body.to_string())).await
    };
    assert_eq!(say("deny", json!({"device": "phone …113"})).await, (200, json!({"denied": 1})));
    assert_eq!(say("approve", json!({})).await, (200, json!({"approved": 1})), "the other one has been decided");
    assert_eq!(say("approve", json!({"phone": "x"})).await.0, 400);
    assert_eq!(office.poll(&first).await.0, 200);
    assert_eq!(error(&office.poll(&second).await), (400, "access_denied"));
    assert_eq!(office.admin.authorizations()[0].decision, Some(Decision::Denied));
}

#[tokio::test]
async fn a_token_ends_by_time_and_by_the_admin() {
    let office = Office::new(json!({"tokenLifetimeSeconds": 120})).await;
    let answer = office.poll(&office.ask(SCOPE).await).await;
    assert_eq!(office.create(&answer).await, 201);
    office.pass(120);
    assert_eq!(office.create(&answer).await, 401);
    let answer = office.poll(&office.ask(SCOPE).await).await;
    assert!(office.admin.revoke_token(answer.1["access_token"].as_str().unwrap()));
    assert_eq!(office.create(&answer).await, 401);
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_reuse_ends_them_all() {
    let office = Office::new(json!({})).await;
    let scope = format!("openid offline_access {SCOPE}");
    let first = office.poll(&office.ask(&scope).await).await;
    let refresh = async |token: &Value, more: &[(&str, &str)]| {
        let form = [&[("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())], more].concat();
        office.post("/token", &form).await
    };
    let wider = refresh(&first.1["refresh_token"], &[("scope", "qod sim-swap")]).await;
    assert_eq!(error(&wider), (400, "invalid_scope"));
    let second = refresh(&first.1["refresh_token"], &[("scope", SCOPE)]).await;
    let grant = office.grant(&second).unwrap();
    assert!(grant.subject.is_some() && grant.has("qod") && !grant.has("openid"));
    let third = refresh(&second.1["refresh_token"], &[]).await;
    assert_eq!(third.1["scope"], json!(scope), "a narrower token does not narrow the consent");
    assert_eq!(error(&refresh(&first.1["refresh_token"], &[]).await), (400, "invalid_grant"));
    assert_eq!(error(&refresh(&third.1["refresh_token"], &[]).await), (400, "invalid_grant"), "the whole family is gone");
    assert_eq!(error(&refresh(&json!("x"), &[]).await), (400, "invalid_grant"));
    let other = office.poll(&office.ask(&scope).await).await;
    office.admin.revoke_all_tokens();
    assert_eq!(error(&refresh(&other.1["refresh_token"], &[]).await), (400, "invalid_grant"));
}

#[tokio::test]
async fn without_offline_access_or_with_refresh_tokens_off_there_is_none() {
    let office = Office::new(json!({"refreshTokens": false})).await;
    let answer = office.poll(&office.ask(&format!("offline_access {SCOPE}")).await).await;
    assert_eq!((answer.0, &answer.1["refresh_token"]), (200, &Value::Null));
}

#[tokio::test]
async fn a_token_whose_answer_is_lost_is_lost_with_its_authorization() {
    let office = Office::new(json!({"cibaInterval": 0})).await;
    let id = office.ask(SCOPE).await;
    office.admin.add_fault(Fault::once(Target::Token, What::DropAfter)).unwrap();
    let poll = [("grant_type", GrantType::Ciba.uri()), ("auth_req_id", id.as_str())];
    office.bare("/token", &poll).basic_auth(DEFAULT_CLIENT_ID, Some("mock_sandbox_app_secret")).send().await.unwrap_err();
    assert_eq!(error(&office.poll(&id).await), (400, "invalid_grant"));
    assert_eq!(office.admin.request_counts()[&Operation::Token]["cut"], 1);
    assert_eq!(office.admin.grant_counts()["ciba"]["token"], 1);
}

#[tokio::test]
async fn from_1_0_on_the_token_names_the_device_and_needs_the_scope_of_the_operation() {
    let office = Office::with(json!({"generation": "v1.0", "flavour": "camara"})).await;
    let order = json!({"applicationServer": {"ipv4Address": "198.51.100.10"}, "qosProfile": "QOS_E", "duration": 600});
    let device = json!({"phoneNumber": "+447700900112"});
    let create = async |scope: &str, device: Option<&Value>| {
        let answer = office.poll(&office.ask(scope).await).await;
        let mut order = order.clone();
        if let Some(device) = device {
            order["device"] = device.clone();
        }
        let url = format!("{}/sessions", office.simulator.url());
        let (status, body) =
            told(office.http.post(url).bearer_auth(answer.1["access_token"].as_str().unwrap()).json(&order)).await;
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    };
    let scope = "dpv:RequestedServiceProvision quality-on-demand:sessions:create";
    assert_eq!(create(scope, Some(&device)).await, (422, "UNNECESSARY_IDENTIFIER".to_owned()));
    assert_eq!(create("qod", None).await, (403, "PERMISSION_DENIED".to_owned()));
    assert_eq!(create(scope, None).await.0, 201);
}
