//! The API over HTTP: routes, faults, and what only a gateway would answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use futures::StreamExt;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::Value;
use uuid::Uuid;

use super::connection::Switch;
use super::events::Events;
use super::faults::{Effect, What};
use super::oauth;
use super::provider::{Answer, Call, Provider};
use super::requests::{Number, Request};
use super::routes::{Mounts, Route, route};
use super::session::seconds_later;
use super::settings::{Operation, Outage};
use super::wire::request::session_id;
use super::wire::{Correlator, Fault, Problem};
use crate::clock::Clock;
use crate::private::Private;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Api {
    /// The provider.
    pub(super) provider: Mutex<Provider>,
    /// Where it is.
    pub(super) mounts: Mounts,
    /// The time of everything.
    pub(super) clock: Clock,
    /// Where the API listens.
    pub(super) address: SocketAddr,
    /// The sender of notifications.
    pub(super) events: Arc<Events>,
}

type Shared = Arc<Api>;

/// The name of the header that from 0.11 on is echoed.
const CORRELATOR: HeaderName = HeaderName::from_static("x-correlator");

/// Every path: those of the generations lead to the API, everything else is a gateway's 404.
pub(super) fn router(api: Shared) -> Router {
    let routes = Router::new().route("/{*path}", any(ask)).merge(oauth::routes());
    routes.fallback(unknown).method_not_allowed_fallback(not_posted).with_state(api)
}

async fn ask(
    State(api): State<Shared>,
    Extension(switch): Extension<Switch>,
    Path(path): Path<String>,
    method: Method,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = format!("/{path}");
    let own = api.provider.lock().dialect();
    let found = api.mounts.find(&path, own).map(|place| (place.wire, route(&place, &method)));
    let (wire, operation, name) = match found {
        Some((wire, Route::Found(operation, name))) => (wire, operation, name),
        Some((_, Route::WrongMethod(offered))) => return wrong_method(&api, &offered),
        Some((_, Route::Unknown)) | None => return unknown(State(api)).await,
    };
    let json = headers.get(header::CONTENT_TYPE).is_some_and(is_json);
    let correlator = headers.get(CORRELATOR).map(|value| value.to_str().unwrap_or("\u{fffd}").to_owned());
    let correlator = correlator.filter(|_| wire.correlator != Correlator::Unknown);
    let echo =
        correlator.as_deref().filter(|value| wire.correlator.takes(value)).and_then(|value| HeaderValue::from_str(value).ok());
    let call = Call {
        wire,
        path,
        operation,
        name,
        query,
        token: bearer(&headers),
        correlator,
        json,
        body: Private::new(body.to_vec()),
        oauth: None,
    };
    let mut response = answer(api, switch, call).await;
    if let Some(echo) = echo {
        response.headers_mut().insert(CORRELATOR, echo);
    }
    response
}

/// The token of `Authorization: Bearer <token>`.
fn bearer(headers: &HeaderMap) -> Option<Private<String>> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Private::from(token.trim()))
}

fn is_json(value: &HeaderValue) -> bool {
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// What comes back to a client: an answer, or its connection is cut.
enum Reply {
    Answer(Response),
    Cut,
}

pub(super) async fn answer(api: Shared, switch: Switch, call: Call) -> Response {
    // A task of its own: a client that hangs up does not stop what the provider is doing.
    let reply = tokio::spawn(async move { api.reply(call).await }).await;
    match reply {
        Ok(Reply::Answer(response)) => response,
        // Also a task that died: better no answer than a wrong one.
        Ok(Reply::Cut) | Err(_) => match switch.cut().await {},
    }
}

/// The endpoints of OAuth take forms, by POST alone; of all other paths `ask` knows the methods.
async fn not_posted(State(api): State<Shared>) -> Response {
    wrong_method(&api, &[Method::POST])
}

async fn unknown(State(api): State<Shared>) -> Response {
    gateway_answer(&api, Operation::Unknown, StatusCode::NOT_FOUND)
}

/// RFC 9110, section 15.5.6: a 405 says which methods there are.
fn wrong_method(api: &Api, offered: &[Method]) -> Response {
    let mut response = gateway_answer(api, Operation::Unknown, StatusCode::METHOD_NOT_ALLOWED);
    let names: Vec<&str> = offered.iter().map(Method::as_str).collect();
    if let Ok(allow) = HeaderValue::try_from(names.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// What a gateway answers before the API is reached: HTML, no code.
fn gateway_answer(api: &Api, operation: Operation, status: StatusCode) -> Response {
    let now = api.clock.now();
    let mut provider = api.provider.lock();
    let number = provider.requests.arrived(request(operation, None, None, now));
    provider.requests.done(number, operation, Some(status.as_u16()));
    tracing::info!(?operation, status = status.as_u16(), "request");
    gateway_page(status)
}

fn gateway_page(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error");
    let html = format!("<html><head><title>{status}</title></head><body><h1>{reason}</h1></body></html>\n");
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

fn request(operation: Operation, session_id: Option<Uuid>, fault: Option<&'static str>, now: Timestamp) -> Request {
    Request { time: now.to_string(), operation, session_id, status: None, effect: None, fault }
}

impl Api {
    async fn reply(&self, call: Call) -> Reply {
        let (wire, operation) = (call.wire, call.operation);
        let (number, what) = match self.arrive(&call) {
            Ok(arrived) => arrived,
            Err(response) => return Reply::Answer(*response),
        };
        match what {
            None => self.told(number, operation, &self.perform(number, &call).await),
            Some(What::Refuse | What::DropBefore) => self.cut(number, operation),
            Some(What::DropAfter) => {
                self.perform(number, &call).await;
                self.cut(number, operation)
            }
            Some(What::CutBody) => {
                let answer = self.perform(number, &call).await;
                self.cut(number, operation);
                cut_body(&answer)
            }
            Some(What::Late { seconds }) => {
                self.later(number, call, seconds);
                self.cut(number, operation)
            }
            Some(What::Delay { before_seconds, after_seconds }) => {
                self.pause(before_seconds).await;
                let answer = self.perform(number, &call).await;
                self.pause(after_seconds).await;
                self.told(number, operation, &answer)
            }
            Some(What::Status { status, code, body, headers, effect }) => {
                match effect {
                    Effect::None => {}
                    Effect::Before => drop(self.perform(number, &call).await),
                    Effect::After => self.later(number, call, 0),
                }
                let body = body.or_else(|| {
                    let settings = &self.provider.lock().settings;
                    code.map(|code| {
                        if operation.is_oauth() {
                            oauth::injected(status, &code, settings)
                        } else {
                            wire.error_info(status, &code, "Injected fault", operation, settings)
                        }
                    })
                });
                self.done(number, operation, Some(status));
                let body = body.map(|body| match body {
                    Value::String(text) => ("text/html; charset=utf-8", text),
                    json => ("application/json", json.to_string()),
                });
                Reply::Answer(response(status, body, &headers))
            }
        }
    }

    /// Notes the call. What the gateway answers in the API's place is an error here, otherwise the fault that the call meets.
    fn arrive(&self, call: &Call) -> Result<(Number, Option<What>), Box<Response>> {
        let now = self.clock.now();
        let mut provider = self.provider.lock();
        provider.advance(now);
        let settings = &provider.settings;
        let off = settings.operations_off.get(&call.operation).and_then(|status| StatusCode::from_u16(*status).ok());
        let instead = if settings.outage != Outage::None && call.operation.is_oauth() {
            Some(gateway_page(StatusCode::SERVICE_UNAVAILABLE))
        } else if settings.outage != Outage::None {
            let problem = Problem::new(Fault::Unavailable, "Service unavailable");
            let (status, body) = call.wire.problem(&problem, call.operation, settings);
            Some(json(status, Some(&body)))
        } else if settings.gateway_not_found {
            Some(gateway_page(StatusCode::NOT_FOUND))
        } else {
            off.map(gateway_page)
        };
        let what = if instead.is_none() { provider.faults.meet(call.operation, now, rand::random) } else { None };
        let session = call.name.as_deref().and_then(session_id);
        let number = provider.requests.arrived(request(call.operation, session, what.as_ref().map(What::name), now));
        if let Some(response) = instead {
            provider.requests.done(number, call.operation, Some(response.status().as_u16()));
            tracing::info!(operation = ?call.operation, status = response.status().as_u16(), "request");
            return Err(Box::new(response));
        }
        Ok((number, what))
    }

    /// The call takes effect now, and its events are sent.
    async fn perform(&self, number: Number, call: &Call) -> Answer {
        let (answer, told) = {
            let mut provider = self.provider.lock();
            let now = self.clock.now();
            provider.advance(now);
            let answer = provider.perform(call, now);
            provider.requests.took_effect(number, answer.status, answer.session);
            let told = self.events.tell(&mut provider, self);
            (answer, told)
        };
        // The session's next change may be earlier than those before it.
        self.events.wake();
        told.await;
        answer
    }

    /// The call takes effect `seconds` from now.
    fn later(&self, number: Number, call: Call, seconds: i64) {
        let at = seconds_later(self.clock.now(), seconds);
        self.provider.lock().perform_later(call, number, at);
        self.events.wake();
    }

    /// The client is told the API's own answer.
    fn told(&self, number: Number, operation: Operation, answer: &Answer) -> Reply {
        if let (Operation::Create, 200 | 201, Some(id)) = (operation, answer.status, answer.session) {
            self.provider.lock().answered(id);
        }
        self.done(number, operation, Some(answer.status));
        let body = answer.body.as_ref().map(|body| match body {
            Value::String(page) if operation.is_oauth() => ("text/html; charset=utf-8", page.clone()),
            body => ("application/json", body.to_string()),
        });
        let location = answer.location.iter().map(|location| ("location".to_owned(), location.clone())).collect();
        Reply::Answer(response(answer.status, body, &location))
    }

    fn cut(&self, number: Number, operation: Operation) -> Reply {
        self.done(number, operation, None);
        Reply::Cut
    }

    fn done(&self, number: Number, operation: Operation, status: Option<u16>) {
        let mut provider = self.provider.lock();
        provider.requests.done(number, operation, status);
        if let Some(Request { session_id, effect, fault, .. }) = provider.requests.get(number) {
            let session = session_id.map(tracing::field::display);
            tracing::info!(?operation, session, status, effect, fault, "request");
        }
    }

    async fn pause(&self, seconds: f64) {
        if seconds > 0.0 {
            self.clock.sleep(SignedDuration::from_secs_f64(seconds)).await;
        }
    }
}

/// An answer in JSON, or without a body.
fn json(status: u16, body: Option<&Value>) -> Response {
    response(status, body.map(|body| ("application/json", body.to_string())), &BTreeMap::new())
}

fn response(status: u16, body: Option<(&'static str, String)>, headers: &BTreeMap<String, String>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (kind, text) = body.map_or((None, String::new()), |(kind, text)| (Some(HeaderValue::from_static(kind)), text));
    let mut response = (status, text).into_response();
    let set = response.headers_mut();
    set.remove(header::CONTENT_TYPE);
    let kind = kind.map(|kind| (header::CONTENT_TYPE, kind));
    let more =
        headers.iter().filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?)));
    for (name, value) in kind.into_iter().chain(more) {
        set.insert(name, value);
    }
    response
}

/// Half of the answer's body, after a head that promises all of it; then the connection breaks.
fn cut_body(answer: &Answer) -> Reply {
    let Some(body) = &answer.body else {
        return Reply::Cut;
    };
    let text = body.to_string();
    let half = text.get(..text.len() / 2).unwrap_or_default().to_owned();
    let broken = futures::stream::iter([Ok(half), Err(std::io::Error::other("cut"))]);
    // The first half is to be on the wire before the connection is dropped.
    let paced = broken.then(|piece| async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        piece
    });
    let mut response = json(answer.status, None);
    *response.body_mut() = Body::from_stream(paced);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    Reply::Answer(response)
}
