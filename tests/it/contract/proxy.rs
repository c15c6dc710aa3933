//! A proxy that holds what passes to the documents. Any test can put it between a client and a provider.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Response;
use futures::FutureExt as _;
use parking_lot::Mutex;

use super::check::{self, Sent, Told, Violation};
use super::specs::Contract;
use super::tally::Tally;
use crate::support::proxy::{self, Call, Hook, Reply, Upstream};

/// More than any answer has.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// What is asked of the requests that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requests {
    /// They agree with the documents: the client is held to them.
    Agree,
    /// They may be anything, but one that does not agree is not to succeed: only the server is held to the documents.
    MayDisagree,
}

/// A running proxy. It ends when it is dropped.
pub(crate) struct Proxy {
    inner: proxy::Proxy,
    held: Arc<Held>,
}

struct Held {
    contract: Contract,
    requests: Requests,
    tally: Mutex<Tally>,
}

impl Proxy {
    /// Passes on to `upstream` (a URL, whose path does not count) and holds both directions to the contract.
    pub(crate) async fn start(contract: Contract, upstream: &str, requests: Requests) -> Self {
        let hook = |held: Arc<Held>| -> Hook {
            Arc::new(move |call, upstream| {
                let held = Arc::clone(&held);
                async move { held.pass(&call, &upstream).await }.boxed()
            })
        };
        Self::with(contract, Upstream::new(upstream, &[]), requests, hook).await
    }

    /// Holds requests to the contract and answers each by itself, with 503.
    pub(crate) async fn dead_end(contract: Contract) -> Self {
        Self::answering(contract, 503, |held, sent| match held.contract.document(sent.path) {
            None => vec![nowhere(sent)],
            Some((document, rest)) => check::request(document, &Sent { path: rest, ..*sent }),
        })
        .await
    }

    /// Takes notifications in the API client's place, holds them to the contract, and answers each with 204.
    pub(crate) async fn receiver(contract: Contract) -> Self {
        Self::answering(contract, 204, |held, sent| check::notification(held.contract.sessions(), sent)).await
    }

    async fn answering(contract: Contract, status: u16, check: fn(&Held, &Sent<'_>) -> Vec<Violation>) -> Self {
        let hook = |held: Arc<Held>| -> Hook {
            Arc::new(move |call, _| {
                let violations = with_sent(&call, |sent| check(&held, sent));
                let mut tally = held.tally.lock();
                if status == 204 {
                    tally.notifications += 1;
                } else {
                    tally.requests += 1;
                }
                tally.add(violations);
                let answer = Response::builder().status(status).body(Body::empty()).unwrap();
                std::future::ready(Reply::Answer(answer)).boxed()
            })
        };
        // Nobody is asked behind it.
        Self::with(contract, Upstream::new("http://192.0.2.1", &[]), Requests::Agree, hook).await
    }

    async fn with(contract: Contract, upstream: Upstream, requests: Requests, hook: impl FnOnce(Arc<Held>) -> Hook) -> Self {
        let held = Arc::new(Held { contract, requests, tally: Mutex::default() });
        let inner = proxy::Proxy::start(upstream, hook(Arc::clone(&held))).await;
        Self { inner, held }
    }

    /// Its URL, without a path.
    pub(crate) fn url(&self) -> String {
        self.inner.url()
    }

    /// What has passed so far.
    pub(crate) fn tally(&self) -> Tally {
        self.held.tally.lock().clone()
    }
}

fn with_sent<T>(call: &Call, act: impl FnOnce(&Sent<'_>) -> T) -> T {
    let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
    act(&Sent { method: call.method.as_str(), path, query, headers: &call.headers, body: &call.body })
}

fn nowhere(sent: &Sent<'_>) -> Violation {
    Violation {
        document: String::new(),
        operation: format!("{} {}", sent.method, sent.path),
        message: "request".into(),
        place: "path".into(),
        rule: "it is below no document's base path".into(),
    }
}

impl Held {
    async fn pass(&self, call: &Call, upstream: &Upstream) -> Reply {
        let Ok(answer) = upstream.forward(call).await else { return Reply::Cut };
        let (head, body) = answer.into_parts();
        let Ok(body) = to_bytes(body, LARGEST_ANSWER).await else { return Reply::Cut };
        let told = Told { status: head.status.as_u16(), headers: &head.headers, body: &body };
        with_sent(call, |sent| self.hold(sent, &told));
        Reply::Answer(Response::from_parts(head, Body::from(body)))
    }

    fn hold(&self, sent: &Sent<'_>, told: &Told<'_>) {
        let mut tally = self.tally.lock();
        let Some((document, rest)) = self.contract.document(sent.path) else {
            // Outside of the API there are other documents, or none: a server may answer what it likes, but not success.
            if self.requests == Requests::Agree || told.status < 400 {
                tally.requests += 1;
                tally.add(vec![nowhere(sent)]);
            }
            return;
        };
        let sent = Sent { path: rest, ..*sent };
        let wrong = check::request(document, &sent);
        tally.requests += 1;
        match self.requests {
            Requests::Agree => tally.add(wrong),
            Requests::MayDisagree if told.status >= 400 => {}
            Requests::MayDisagree => tally.add(
                wrong.into_iter().map(|one| Violation { rule: format!("it is taken although: {}", one.rule), ..one }).collect(),
            ),
        }
        // A path or method that the document does not have has no documented answers either.
        if let Some((operation, _)) = document.find(sent.method, sent.path) {
            tally.answers += 1;
            tally.saw(&document.name, &operation.id, told.status);
            tally.add(check::answer(document, operation, &sent, told));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::super::specs::FORMS;
    use super::*;

    const DOCUMENT: &str = r##"
openapi: 3.0.3
security: [{bearer: []}]
paths:
  /things:
    post:
      operationId: makeThing
      parameters: [{name: x-correlator, in: header, schema: {type: string, pattern: "^[a-z]+$"}}]
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
      responses:
        "201":
          description: made
          headers: {x-correlator: {schema: {type: string}}}
          content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}
        "204": {description: nothing}
        "400": {description: wrong}
      callbacks:
        changed:
          "{$request.body#/url}/changed":
            post:
              requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
              responses: {"204": {description: taken}}
  /things/{id}:
    get:
      operationId: getThing
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
        - {name: full, in: query, schema: {type: boolean}}
      responses: {"204": {description: nothing}}
components:
  securitySchemes: {bearer: {type: http, scheme: bearer}}
  schemas: {Thing: {type: object, required: [name], properties: {name: {type: string, maxLength: 3}}}}
"##;

    fn contract() -> Contract {
        Contract::of(FORMS[0], "/api", Document::parse("things.yaml", DOCUMENT).unwrap())
    }

    /// A server that answers what the path of the request asks for.
    async fn server() -> String {
        use axum::routing::{get, post};
        let thing = |status: u16, kind: &'static str, body: &'static str| async move {
            Response::builder()
                .status(status)
                .header("content-type", kind)
                .header("x-correlator", "abc")
                .body(Body::from(body))
                .unwrap()
        };
        let router = axum::Router::new()
            .route(
                "/api/things",
                post(move |body: String| async move {
                    match body.as_str() {
                        r#"{"name":"a"}"# => thing(201, "application/json; charset=utf-8", r#"{"name":"a"}"#).await,
                        r#"{"name":"b"}"# => thing(201, "application/json", r#"{"name":"longer"}"#).await,
                        r#"{"name":"c"}"# => thing(201, "text/html", "<html>").await,
                        r#"{"name":"d"}"# => thing(200, "application/json", "{}").await,
                        r#"{"name":"e"}"# | r#"{"name":"wrong"}"# => thing(204, "text/plain", "").await,
                        _ => thing(400, "text/plain", "").await,
                    }
                }),
            )
            .route("/api/things/{id}", get(move || thing(204, "text/plain", "")));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn found(proxy: &Proxy) -> Vec<String> {
        proxy.tally().violations.keys().map(ToString::to_string).collect()
    }

    async fn post(proxy: &Proxy, path: &str, token: Option<&str>, body: &'static str) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(format!("{}{path}", proxy.url())).header("content-type", "application/json");
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        request.body(body).send().await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_the_document_does_not_allow_is_found_and_one_that_it_allows_is_not() {
        let upstream = server().await;
        for (body, expected) in [
            (r#"{"name":"a"}"#, ""),
            (r#"{"name":"b"}"#, "things.yaml: makeThing, 201, body/name: value is longer than 3 characters"),
            (r#"{"name":"c"}"#, "things.yaml: makeThing, 201, header/content-type: it is \"text/html\", not application/json"),
            (r#"{"name":"d"}"#, "things.yaml: makeThing, 200, status: it is not documented"),
            (r#"{"name":"e"}"#, ""),
        ] {
            let proxy = Proxy::start(contract(), &upstream, Requests::Agree).await;
            post(&proxy, "/api/things", Some("t"), body).await;
            assert_eq!(found(&proxy).join("; "), expected, "{body}");
            assert_eq!((proxy.tally().requests, proxy.tally().answers), (1, 1));
        }
    }

    #[tokio::test]
    async fn a_request_that_the_document_does_not_allow_is_found() {
        let upstream = server().await;
        let proxy = Proxy::start(contract(), &upstream, Requests::Agree).await;
        post(&proxy, "/api/things", None, r#"{"name":5}"#).await;
        post(&proxy, "/api/thing", Some("t"), "{}").await;
        post(&proxy, "/ap/things", Some("t"), "{}").await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        for path in ["/api/things/0?full=yes&more=1", "/api/things/1?full=true"] {
            http.get(format!("{}{path}", proxy.url())).bearer_auth("t").send().await.unwrap();
        }
        assert_eq!(
            found(&proxy),
            [
                ": POST /ap/things, request, path: it is below no document's base path",
                "things.yaml: POST /thing, request, path: there is no such operation",
                "things.yaml: getThing, request, path/id: value is less than the minimum of 1",
                "things.yaml: getThing, request, query/full: value is not of type \"boolean\"",
                "things.yaml: getThing, request, query/more: it is not documented",
                "things.yaml: makeThing, request, body/name: value is not of type \"string\"",
                "things.yaml: makeThing, request, security: no alternative of the document's is met",
            ]
        );
    }

    #[tokio::test]
    async fn a_server_that_takes_what_the_document_does_not_allow_is_found_and_one_that_refuses_it_is_not() {
        let upstream = server().await;
        let proxy = Proxy::start(contract(), &upstream, Requests::MayDisagree).await;
        post(&proxy, "/api/things", Some("t"), r#"{"name":5}"#).await;
        post(&proxy, "/api/things", Some("t"), r#"{"name":"wrong"}"#).await;
        assert_eq!(
            found(&proxy),
            ["things.yaml: makeThing, request, body/name: it is taken although: value is longer than 3 characters"]
        );
    }

    #[tokio::test]
    async fn a_correlator_that_does_not_come_back_is_found_unless_it_could_not() {
        let upstream = server().await;
        let proxy = Proxy::start(contract(), &upstream, Requests::MayDisagree).await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        for (correlator, wrong) in [("abc", 0), ("abcd", 1)] {
            let request = http.post(format!("{}/api/things", proxy.url())).bearer_auth("t").header("x-correlator", correlator);
            request.header("content-type", "application/json").body(r#"{"name":"a"}"#).send().await.unwrap();
            assert_eq!(found(&proxy).len(), wrong, "{correlator}");
        }
        assert!(found(&proxy)[0].ends_with("header/x-correlator: it is not the request's"));
    }

    #[tokio::test]
    async fn a_notification_that_the_document_does_not_allow_is_found() {
        let proxy = Proxy::receiver(contract()).await;
        post(&proxy, "/key/nonce/changed", Some("t"), r#"{"name":"a"}"#).await;
        assert_eq!(found(&proxy), [""; 0]);
        post(&proxy, "/key/nonce", Some("t"), r#"{"name":"a"}"#).await;
        post(&proxy, "/key/nonce/changed", Some("t"), "{}").await;
        assert_eq!(
            found(&proxy),
            [
                "things.yaml: notification, notification, body: \"name\" is a required property",
                "things.yaml: notification, notification, path: it does not end in /changed",
            ]
        );
        assert_eq!(proxy.tally().notifications, 3);
    }
}
