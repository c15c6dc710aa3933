//! The endpoints over HTTP, behind the same faults and the same log as the rest of the API.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use serde_json::Value;

use super::super::connection::Switch;
use super::super::provider::Call;
use super::super::server::{self, Api};
use super::super::settings::{Operation, Settings};
use super::super::wire::wire;
use super::{Endpoint, Request, refusal};
use crate::private::Private;

/// Both endpoints, at the root and where Telefónica has them.
pub(in super::super) fn routes() -> Router<Arc<Api>> {
    let on = |endpoint: Endpoint| {
        move |State(api): State<Arc<Api>>, Extension(switch): Extension<Switch>, uri: Uri, headers: HeaderMap, body: Bytes| {
            answer(api, switch, endpoint, uri.path().to_owned(), headers, body)
        }
    };
    let mut routes = Router::new();
    for base in ["", "/apigateway"] {
        routes = routes
            .route(&format!("{base}/bc-authorize"), post(on(Endpoint::Authorize)))
            .route(&format!("{base}/token"), post(on(Endpoint::Token)));
    }
    routes
}

/// The body of an injected fault with `code`: an error in the form that is set.
pub(in super::super) fn injected(status: u16, code: &str, settings: &Settings) -> Value {
    refusal::body(status, code, "Injected fault", settings.oauth.quirks.errors)
}

async fn answer(api: Arc<Api>, switch: Switch, endpoint: Endpoint, path: String, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let essence = text(header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let form = essence.split(';').next().unwrap_or_default().trim() == "application/x-www-form-urlencoded";
    let url = text(header::HOST).map(|host| format!("http://{host}{path}"));
    let request = Request { endpoint, url, path, form, authorization: text(header::AUTHORIZATION).map(Private::new) };
    let operation = match endpoint {
        Endpoint::Authorize => Operation::Authorize,
        Endpoint::Token => Operation::Token,
    };
    let wire = wire(api.provider.lock().dialect());
    let mut response = server::answer(api, switch, Call::oauth(wire, operation, request, body.to_vec())).await;
    let unauthorized = response.status() == StatusCode::UNAUTHORIZED;
    let set = response.headers_mut();
    // RFC 6749 sections 5.1 and 5.2.
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    if unauthorized {
        set.entry(header::WWW_AUTHENTICATE).or_insert(HeaderValue::from_static("Basic realm=\"qod-simulator\""));
    }
    response
}
