//! A proxy that holds what passes to the documents. Any test can put it between a client and a provider.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Response;
use futures::FutureExt as _;
use parking_lot::Mutex;

use super::check::{self, Sent, Told, Violation};
use super::document::{Document, Operation};
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
            tally.add(held_answer(document, operation, &sent, told));
        }
    }
}

fn held_answer(document: &Document, operation: &Operation, sent: &Sent<'_>, told: &Told<'_>) -> Vec<Violation> {
    let correlator = sent.headers.get("x-correlator").and_then(|value| value.to_str().ok());
    check::answer(document, operation, correlator, told)
}
