//! One request: from its head, and where that is right its body, to the answer.

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use futures::StreamExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::Server;
use super::counters::Outcome;
use super::seats::Seat;
use super::source::Source;
use crate::notify::{Class, Refusal, Target, admit};

/// Where the body stood when the answer was found.
pub(super) struct Answered {
    pub(super) outcome: Outcome,
    /// The rest of the request is of no interest: the connection is closed.
    pub(super) close: bool,
}

impl Answered {
    /// The answer. Whatever it is, it has no body, and no header that depends on the target.
    pub(super) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(self.outcome.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if self.outcome == Outcome::MethodNotAllowed {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        if self.close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl Server {
    /// The answer to a request on `seat`.
    ///
    /// The body of a request without the right bearer is never read, not even asked for (`Expect: 100-continue`), so that strangers
    /// cost no memory and nothing depends on whether anybody knows the target.
    pub(super) async fn answer(&self, seat: &Seat, request: Request<Incoming>) -> Answered {
        let outcome = self.find(seat, request).await;
        self.counters.answered(outcome);
        tracing::debug!(outcome = outcome.name(), status = outcome.status(), "notification");
        // A body that was begun and is not read any further, or a sender that is to slow down.
        let close = matches!(
            outcome,
            Outcome::TooLarge
                | Outcome::StrangerLimited
                | Outcome::SenderLimited
                | Outcome::Overloaded
                | Outcome::BodyTimeout
                | Outcome::BodyCut
        );
        Answered { outcome, close }
    }

    async fn find(&self, seat: &Seat, request: Request<Incoming>) -> Outcome {
        let (head, body) = request.into_parts();
        let source = self.proxies.source(seat.peer, &head.headers);
        let target = Target::of(head.uri.path());
        let attempt = target.as_ref().and_then(|target| self.directory.attempt(target));
        let limit = self.settings.body_bytes;
        let admitted = match admit(&head.method, head.uri.query(), &head.headers, attempt.as_ref(), limit) {
            Ok(admitted) => admitted,
            Err(refusal) => return self.refuse(source, refusal),
        };
        if !self.limits.sender(source) {
            return Outcome::SenderLimited;
        }
        let _serving = self.seats.serve(seat);
        let deadline = Instant::now() + self.settings.body_timeout;
        let Ok(Ok(_permit)) = timeout_at(deadline, self.bodies.acquire()).await else { return Outcome::Overloaded };
        let body = match timeout_at(deadline, read(body, limit)).await {
            Ok(Some(body)) => body,
            Ok(None) => return Outcome::BodyCut,
            Err(_) => return Outcome::BodyTimeout,
        };
        let class = admitted.read(&body);
        if let (Class::Accepted { .. } | Class::Ignored { .. }, Some(target)) = (&class, &target) {
            self.directory.deliver(target, &class);
        }
        Outcome::from(&class)
    }

    /// The answer to a guess is found before the limit is asked, so that the limit never stands in the way of a right bearer that comes
    /// from the same address: behind a proxy that is not trusted, all do. A bearer cannot be guessed at any rate.
    fn refuse(&self, source: Source, refusal: Refusal) -> Outcome {
        let (within, beyond) = match refusal {
            Refusal::MethodNotAllowed | Refusal::Unauthorized | Refusal::Gone => {
                (self.limits.stranger(source), Outcome::StrangerLimited)
            }
            Refusal::TooLarge | Refusal::UnsupportedMediaType => (self.limits.sender(source), Outcome::SenderLimited),
        };
        if within { Outcome::from(&Class::from(refusal)) } else { beyond }
    }
}

/// The body, of which no more is kept than one byte beyond the limit; none: it broke off.
async fn read(body: Incoming, limit: usize) -> Option<Vec<u8>> {
    let enough = limit.saturating_add(1);
    let mut read = Vec::new();
    let mut chunks = Body::new(body).into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        let room = enough.saturating_sub(read.len());
        read.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if read.len() >= enough {
            break;
        }
    }
    Some(read)
}
