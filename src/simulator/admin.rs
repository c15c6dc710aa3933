//! The admin API over HTTP, on a port of its own.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use k8s_openapi::jiff::SignedDuration;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::faults::Fault;
use super::handle::{Admin, Selection};
use super::settings::Settings;
use crate::private::Private;

/// The routes under `/admin`.
pub fn router(admin: Admin) -> Router {
    let routes = Router::new()
        .route("/ledger", get(ledger))
        .route("/sessions", get(async |State(admin): State<Admin>| Json(admin.entries())))
        .route("/sessions/{id}/terminate", post(terminate_one))
        .route("/sessions/{id}/vanish", post(vanish_one))
        .route("/terminate", post(terminate))
        .route("/forget", post(async |State(admin): State<Admin>| Json(json!({"lost": admin.forget()}))))
        .route("/requests", get(async |State(admin): State<Admin>| Json(admin.requests())))
        .route("/clock", get(clock).post(advance))
        .route("/settings", get(async |State(admin): State<Admin>| shown(&admin.settings())).post(change))
        .route("/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/tokens", post(tokens))
        .route("/reset", post(reset))
        .merge(super::oauth::admin_routes());
    let unknown = async || refused(StatusCode::NOT_FOUND, "no such path; see GET /admin");
    let index = get(async || Json(json!({"paths": PATHS})));
    Router::new().route("/admin", index).nest("/admin", routes).fallback(unknown).with_state(admin)
}

const PATHS: [&str; 20] = [
    "GET /admin/ledger[?format=line][&atEnd=true|false]",
    "GET /admin/sessions",
    "POST /admin/sessions/{id}/terminate",
    "POST /admin/sessions/{id}/vanish",
    "POST /admin/terminate {client?, device?, share?}",
    "POST /admin/forget",
    "GET /admin/requests",
    "GET /admin/clock",
    "POST /admin/clock {advanceSeconds}",
    "GET /admin/settings",
    "POST /admin/settings {any settings}",
    "GET /admin/faults",
    "POST /admin/faults [{operation?, what, times?, skip?, rate?, forSeconds?}]",
    "DELETE /admin/faults",
    "POST /admin/tokens {accept?: {token: client}, revoke?: [token], revokeAll?: bool}",
    "GET /admin/authorizations",
    "POST /admin/authorizations/approve {device?}",
    "POST /admin/authorizations/deny {device?}",
    "POST /admin/reset",
    "GET /admin",
];

fn refused(status: StatusCode, error: &(impl ToString + ?Sized)) -> Response {
    (status, Json(json!({"error": error.to_string()}))).into_response()
}

/// The body as a `T`, whatever its content type, so that a plain `curl -d` works.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response>> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Box::new(refused(StatusCode::BAD_REQUEST, &error)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LedgerQuery {
    format: Option<String>,
    at_end: Option<bool>,
}

async fn ledger(State(admin): State<Admin>, Query(query): Query<LedgerQuery>) -> Response {
    let line = match query.format.as_deref() {
        None | Some("json") => false,
        Some("line") => true,
        Some(_) => return refused(StatusCode::BAD_REQUEST, "format must be json or line"),
    };
    // The line is asked for when all is over.
    let ledger = if query.at_end.unwrap_or(line) { admin.ledger_at_end() } else { admin.ledger() };
    if line {
        return ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{ledger}\n")).into_response();
    }
    let mut body = json!(ledger);
    body["clean"] = json!(ledger.clean());
    body["requests"] = json!(admin.request_counts());
    body["notifications"] = json!(admin.notifications());
    Json(body).into_response()
}

fn one(count: usize, what: &str) -> Response {
    if count == 0 {
        refused(StatusCode::NOT_FOUND, "no such session, or it has ended")
    } else {
        Json(json!({ what: count })).into_response()
    }
}

async fn terminate_one(State(admin): State<Admin>, Path(id): Path<Uuid>) -> Response {
    one(admin.terminate(&Selection::id(id)), "terminated")
}

async fn vanish_one(State(admin): State<Admin>, Path(id): Path<Uuid>) -> Response {
    one(admin.vanish(&Selection::id(id)), "lost")
}

async fn terminate(State(admin): State<Admin>, body: axum::body::Bytes) -> Response {
    match read::<Selection>(&body) {
        Ok(selection) => Json(json!({"terminated": admin.terminate(&selection)})).into_response(),
        Err(response) => *response,
    }
}

async fn clock(State(admin): State<Admin>) -> Json<Value> {
    Json(json!({"now": admin.now().to_string()}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advance {
    advance_seconds: i64,
}

async fn advance(State(admin): State<Admin>, body: axum::body::Bytes) -> Response {
    match read::<Advance>(&body) {
        Ok(Advance { advance_seconds }) => {
            admin.advance(SignedDuration::from_secs(advance_seconds));
            clock(State(admin)).await.into_response()
        }
        Err(response) => *response,
    }
}

/// Settings without what is personal or secret: subscribers and other identifiers, the clients' secrets, the operator's tokens.
fn shown(settings: &Settings) -> Response {
    let mut body = json!(settings);
    if let Some(fields) = body.as_object_mut() {
        for personal in ["subscribers", "devicesWithoutService", "restrictedProfiles"] {
            fields.remove(personal);
        }
    }
    if let Some(oauth) = body["oauth"].as_object_mut() {
        oauth.remove("operatorTokens");
        let clients = oauth.get_mut("clients").and_then(Value::as_array_mut).into_iter().flatten();
        clients.filter_map(Value::as_object_mut).for_each(|client| drop(client.remove("secret")));
    }
    Json(body).into_response()
}

async fn change(State(admin): State<Admin>, body: axum::body::Bytes) -> Response {
    let change = match read::<Value>(&body) {
        Ok(change) => change,
        Err(response) => return *response,
    };
    let merged = match admin.settings().merged(change) {
        Ok(merged) => merged,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error),
    };
    match admin.change(|settings| *settings = merged).await {
        Ok(settings) => shown(&settings),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

async fn faults(State(admin): State<Admin>) -> Json<Vec<Fault>> {
    Json(admin.faults())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    More(Vec<Value>),
    One(Value),
}

async fn add_faults(State(admin): State<Admin>, body: axum::body::Bytes) -> Response {
    let read_all = || {
        let list = match read::<OneOrMore>(&body)? {
            OneOrMore::More(list) => list,
            OneOrMore::One(one) => vec![one],
        };
        let bad = |error: &dyn std::fmt::Display| Box::new(refused(StatusCode::BAD_REQUEST, &error));
        let parse = |value| {
            let fault: Fault = serde_json::from_value(value).map_err(|error| bad(&format!("fault: {error}")))?;
            fault.check().map_err(|error| bad(&error))?;
            Ok(fault)
        };
        list.into_iter().map(parse).collect::<Result<Vec<_>, Box<Response>>>()
    };
    // All or none.
    match read_all() {
        Ok(list) => {
            let added = list.into_iter().try_for_each(|fault| admin.add_fault(fault));
            added.map_or_else(|error| refused(StatusCode::BAD_REQUEST, &error), |()| Json(admin.faults()).into_response())
        }
        Err(response) => *response,
    }
}

async fn clear_faults(State(admin): State<Admin>) -> StatusCode {
    admin.clear_faults();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Default)]
struct Tokens {
    accept: std::collections::BTreeMap<Private<String>, String>,
    revoke: Vec<Private<String>>,
    revoke_all: bool,
}

async fn tokens(State(admin): State<Admin>, body: axum::body::Bytes) -> Response {
    let tokens = match read::<Tokens>(&body) {
        Ok(tokens) => tokens,
        Err(response) => return *response,
    };
    if tokens.revoke_all {
        admin.revoke_all_tokens();
    }
    for token in tokens.revoke {
        admin.revoke_token(token);
    }
    for (token, client) in tokens.accept {
        admin.accept_token(token, &client);
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn reset(State(admin): State<Admin>) -> StatusCode {
    admin.reset().await;
    StatusCode::NO_CONTENT
}
