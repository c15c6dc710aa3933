//! Client authentication, client credentials, errors and quirks, over HTTP.

use reqwest::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::super::super::DEFAULT_TOKEN;
use super::super::super::faults::{Fault, Target};
use super::super::super::settings::{Operation, Outage};
use super::super::settings::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, ExpiresIn};
use super::{HINT, Office, SCOPE, error, told};

const CREDENTIALS: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("scope", "qod")];

#[tokio::test]
async fn client_credentials_give_a_token_without_a_subject_that_the_api_takes() {
    let office = Office::new(json!({})).await;
    let answer = office.post("/token", &CREDENTIALS).await;
    let grant = office.grant(&answer).unwrap();
    assert_eq!((grant.client.as_str(), &grant.subject), (DEFAULT_CLIENT_ID, &None));
    assert!(grant.has("qod") && !grant.has("sim-swap"));
    assert_eq!(office.create(&answer).await, 201);
    assert_eq!(office.admin.sessions()[0].order.client, DEFAULT_CLIENT_ID);
    assert_eq!(error(&office.post("/token", &CREDENTIALS[..1]).await), (400, "invalid_scope"), "a scope is required");
}

#[tokio::test]
async fn id_and_secret_are_form_encoded_in_basic_and_in_the_form() {
    let client = json!({"clientId": "app 7", "secret": "s3cr&t=+:%"});
    let office = Office::new(json!({"clients": [client]})).await;
    let form = [CREDENTIALS.as_slice(), &[("client_id", "app 7"), ("client_secret", "s3cr&t=+:%")]].concat();
    assert_eq!(told(office.bare("/token", &form)).await.0, 200);
    let basic = |id: &str, secret: &str| told(office.bare("/token", &CREDENTIALS).basic_auth(id, Some(secret)));
    assert_eq!(basic("app+7", "s3cr%26t%3D%2B%3A%25").await.0, 200);
    assert_eq!(error(&basic("app 7", "s3cr&t=+:%").await), (401, "invalid_client"), "not encoded");
}

#[tokio::test]
async fn a_client_proves_who_it_is_in_exactly_one_way() {
    let office = Office::new(json!({})).await;
    let (id, secret) = (("client_id", DEFAULT_CLIENT_ID), ("client_secret", DEFAULT_CLIENT_SECRET));
    let with = |more: &[(&'static str, &'static str)]| [CREDENTIALS.as_slice(), more].concat();
    let post = |form: Vec<(&'static str, &'static str)>| office.bare("/token", &form);
    let basic = |form| post(form).basic_auth(DEFAULT_CLIENT_ID, Some(DEFAULT_CLIENT_SECRET));
    assert_eq!(told(post(with(&[id, secret]))).await.0, 200);
    assert_eq!(told(basic(with(&[id]))).await.0, 200, "the same id may be in the form too");
    for (request, expected) in [
        (post(with(&[])), (401, "invalid_client")),
        (post(with(&[id])), (401, "invalid_client")),
        (post(with(&[secret])), (401, "invalid_client")),
        (post(with(&[id, ("client_secret", "wrong")])), (401, "invalid_client")),
        (post(with(&[("client_id", "nobody"), secret])), (401, "invalid_client")),
        (post(with(&[])).basic_auth(DEFAULT_CLIENT_ID, Some("wrong")), (401, "invalid_client")),
        (post(with(&[])).bearer_auth("abc"), (401, "invalid_client")),
        (post(with(&[])).header(AUTHORIZATION, "Basic !"), (401, "invalid_client")),
        (basic(with(&[("client_id", "nobody")])), (401, "invalid_client")),
        (basic(with(&[secret])), (400, "invalid_request")),
        (post(with(&[id, secret, ("client_assertion", "x")])), (400, "invalid_request")),
        (basic(with(&[("client_assertion_type", "x")])), (400, "invalid_request")),
    ] {
        assert_eq!(error(&told(request).await), expected);
    }
}

#[tokio::test]
async fn a_client_is_held_to_the_methods_grants_and_scopes_it_is_registered_with() {
    let narrow =
        json!({"clientId": "narrow", "secret": "s", "methods": ["post"], "grants": ["clientCredentials"], "scopes": ["qod"]});
    let office = Office::new(json!({"clients": [narrow], "grants": ["clientCredentials", "ciba"]})).await;
    let own = [("client_id", "narrow"), ("client_secret", "s")];
    let send = async |path: &str, form: &[(&str, &str)]| told(office.bare(path, &[form, &own].concat())).await;
    assert_eq!(send("/token", &CREDENTIALS).await.0, 200);
    let basic = office.bare("/token", &CREDENTIALS).basic_auth("narrow", Some("s"));
    assert_eq!(error(&told(basic).await), (401, "invalid_client"));
    let ask = send("/bc-authorize", &[("login_hint", HINT), ("scope", SCOPE)]).await;
    assert_eq!(error(&ask), (400, "unauthorized_client"));
    let poll = send("/token", &[("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", "x")]).await;
    assert_eq!(error(&poll), (400, "unauthorized_client"));
    let wide = send("/token", &[("grant_type", "client_credentials"), ("scope", "qod sim-swap")]).await;
    assert_eq!(error(&wide), (400, "invalid_scope"));
    for grant in ["refresh_token", "authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"] {
        assert_eq!(error(&send("/token", &[("grant_type", grant)]).await), (400, "unsupported_grant_type"), "{grant}");
    }
    assert_eq!(error(&send("/token", &[]).await), (400, "invalid_request"));
}

#[tokio::test]
async fn only_a_well_encoded_form_is_read() {
    let office = Office::new(json!({})).await;
    let send = async |kind: &str, body: &str| {
        let request = office.http.post(office.url("/token")).header(CONTENT_TYPE, kind).body(body.to_owned());
        told(request.basic_auth(DEFAULT_CLIENT_ID, Some(DEFAULT_CLIENT_SECRET))).await
    };
    let (kind, good) = ("application/x-www-form-urlencoded", "grant_type=client_credentials&scope=qod");
    assert_eq!(send("Application/X-WWW-Form-Urlencoded; charset=utf-8", good).await.0, 200);
    assert_eq!(
        error(&send("application/json", r#"{"grant_type":"client_credentials","scope":"qod"}"#).await),
        (400, "invalid_request")
    );
    assert_eq!(error(&send("text/plain", good).await), (400, "invalid_request"));
    assert_eq!(error(&send(kind, &format!("{good}&scope=qod")).await), (400, "invalid_request"));
    assert_eq!(error(&send(kind, &format!("{good}%")).await), (400, "invalid_request"));
    let get = told(office.http.get(office.url("/token"))).await;
    assert_eq!(get, (405, Value::Null));
}

#[tokio::test]
async fn answers_are_not_to_be_stored_and_a_401_names_the_way_to_authenticate() {
    let office = Office::new(json!({})).await;
    let response = office.bare("/token", &CREDENTIALS).send().await.unwrap();
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Basic realm=\"qod-simulator\"");
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    office.admin.change(|settings| settings.oauth.quirks.html401 = true).await.unwrap();
    let response = office.bare("/token", &CREDENTIALS).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()[CONTENT_TYPE]),
        (401, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert!(response.text().await.unwrap().starts_with("<html>"));
}

#[tokio::test]
async fn quirks_of_real_providers_can_be_put_on() {
    let office = Office::new(json!({"cibaInterval": null, "quirks": {"errors": "telefonica", "requestId": true}})).await;
    let asked = office.post("/bc-authorize", &[("login_hint", HINT), ("scope", SCOPE)]).await.1;
    assert!(asked["request_id"].is_string() && asked["auth_req_id"].is_null() && asked["interval"].is_null(), "{asked}");
    let refused = office.post("/bc-authorize", &[("scope", SCOPE)]).await;
    assert_eq!((refused.0, &refused.1["code"]), (400, &json!(400)));
    assert!(refused.1["message"].is_string() && refused.1["error"].is_null());
    for (how, told) in [
        (ExpiresIn::Number, json!(3600)),
        (ExpiresIn::Text, json!("3600")),
        (ExpiresIn::Absent, Value::Null),
        (ExpiresIn::Zero, json!(0)),
    ] {
        office.admin.change(|settings| settings.oauth.quirks.expires_in = how).await.unwrap();
        let answer = office.post("/token", &CREDENTIALS).await;
        assert_eq!(answer.1["expires_in"], told);
        assert!(office.grant(&answer).is_some(), "it works all the same");
    }
    office.admin.change(|settings| settings.oauth.quirks.unavailable = true).await.unwrap();
    assert_eq!(office.post("/token", &CREDENTIALS).await, (503, Value::Null));
}

#[tokio::test]
async fn faults_outages_and_counts_cover_the_endpoints() {
    let office = Office::new(json!({})).await;
    let fault: Fault = serde_json::from_value(json!({"operation": "authorize", "what": "refuse", "times": 1})).unwrap();
    office.admin.add_fault(fault).unwrap();
    office.admin.add_fault(Fault::once(Target::Token, Fault::status(400, "slow_down"))).unwrap();
    assert_eq!(error(&office.post("/token", &CREDENTIALS).await), (400, "slow_down"), "in OAuth's form");
    assert_eq!(office.post("/token", &CREDENTIALS).await.0, 200);
    let form = [("login_hint", HINT), ("scope", SCOPE)];
    let refused = office.bare("/bc-authorize", &form).basic_auth(DEFAULT_CLIENT_ID, Some(DEFAULT_CLIENT_SECRET));
    refused.send().await.unwrap_err();
    office.admin.change(|settings| settings.outage = Outage::Unavailable).await.unwrap();
    assert_eq!(office.post("/token", &CREDENTIALS).await, (503, Value::Null));
    office.admin.change(|settings| settings.outage = Outage::None).await.unwrap();
    office.admin.change(|settings| settings.operations_off = [(Operation::Token, 404)].into()).await.unwrap();
    assert_eq!(office.post("/token", &CREDENTIALS).await, (404, Value::Null));
    let counts = office.admin.request_counts();
    assert_eq!(json!(counts[&Operation::Token]), json!({"200": 1, "400": 1, "404": 1, "503": 1}));
    assert_eq!(json!(counts[&Operation::Authorize]), json!({"cut": 1}));
    assert_eq!(json!(office.admin.grant_counts()), json!({"clientCredentials": {"token": 1}}), "what took effect");
}

#[tokio::test]
async fn the_admin_shows_no_secret_and_changes_one_setting_at_a_time() {
    let office = Office::new(json!({"operatorTokens": {"op-1": "+447700900113"}})).await;
    let admin = office.simulator.admin_url().unwrap();
    let change = json!({"oauth": {"quirks": {"expiresIn": "text"}, "cibaPendingPolls": 3}}).to_string();
    let (status, shown) = told(office.http.post(format!("{admin}/settings")).body(change)).await;
    assert_eq!((status, &shown["oauth"]["cibaPendingPolls"]), (200, &json!(3)));
    assert_eq!(shown["oauth"]["clients"], json!([{"clientId": DEFAULT_CLIENT_ID}]));
    for secret in [DEFAULT_CLIENT_SECRET, "op-1", "7700900113"] {
        assert!(!shown.to_string().contains(secret), "{secret}");
    }
    let settings = office.admin.settings();
    assert!(!format!("{settings:?}").contains(DEFAULT_CLIENT_SECRET) && !format!("{settings:?}").contains("op-1"));
    assert_eq!(office.post("/token", &CREDENTIALS).await.1["expires_in"], json!("3600"), "the client is still there");
    let wrong = json!({"oauth": {"tokenLifetimeSeconds": 0}}).to_string();
    let (status, error) = told(office.http.post(format!("{admin}/settings")).body(wrong)).await;
    assert_eq!((status, error), (400, json!({"error": "settings: oauth.tokenLifetimeSeconds must be 1 or more"})));
}

#[tokio::test]
async fn in_mock_mode_the_sandbox_token_works_beside_those_that_are_given_out() {
    let office = Office::with(json!({"mode": "mock"})).await;
    assert_eq!(office.create(&(200, json!({"access_token": DEFAULT_TOKEN}))).await, 201);
    assert_eq!(office.create(&office.poll(&office.ask(SCOPE).await).await).await, 201);
    assert_eq!(office.simulator.oauth_url(), office.url("/apigateway"));
    assert_eq!(office.post("/apigateway/token", &CREDENTIALS).await.0, 200);
}

#[tokio::test]
async fn a_reset_forgets_what_was_asked_and_counted() {
    let office = Office::new(json!({"cibaInterval": 0})).await;
    let id = office.ask(SCOPE).await;
    office.admin.reset().await;
    assert!(office.admin.authorizations().is_empty() && office.admin.grant_counts().is_empty());
    assert_eq!(error(&office.poll(&id).await), (400, "invalid_grant"));
}
