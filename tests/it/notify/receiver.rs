//! A receiver of notifications for tests: a socket around the operator's own core.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request as Incoming, State};
use axum::http::{HeaderMap, StatusCode};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use qos_operator::notify::{Attempt, Class, Effect, Event, Request, Seen, Standing, Target, Verdict, judge};
use qos_operator::private::Private;
use qos_operator::qod::Generation;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const LIMIT: usize = 65_536;

/// A notification that came.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) nonce: String,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    pub(super) verdict: Verdict,
    /// What it adds, where it was accepted.
    pub(super) effect: Option<Effect>,
}

impl Got {
    /// The event; it must have been accepted.
    pub(super) fn event(&self) -> &Event {
        match &self.verdict.class {
            Class::Accepted { event, .. } => event,
            other => panic!("not accepted but {}: {}", other.name(), self.body),
        }
    }

    /// What it says: `AVAILABLE`, `UNAVAILABLE NETWORK_TERMINATED`.
    pub(super) fn says(&self) -> String {
        let event = self.event();
        let info = event.status_info.as_ref().map_or_else(String::new, |info| format!(" {info}"));
        format!("{}{info}", event.qos_status)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Debug)]
struct Inner {
    attempts: BTreeMap<String, Attempt>,
    seen: Seen,
    got: Vec<Got>,
    /// Answered in the place of the verdict's status.
    instead: Option<u16>,
}

#[derive(Clone, Debug)]
pub(super) struct Receiver {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self::at(listener.local_addr().unwrap());
        let router = receiver.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    /// One with TLS on 127.0.0.1, and the certificate (PEM) to trust.
    pub(super) async fn start_with_tls() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self::at(listener.local_addr().unwrap());
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let router = receiver.router();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
                tokio::spawn(async move {
                    // A client that does not trust the certificate ends here.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        (receiver, made.cert.pem())
    }

    fn at(address: SocketAddr) -> Self {
        let inner = Inner { attempts: BTreeMap::new(), seen: Seen::new(1000), got: Vec::new(), instead: None };
        Self { address, inner: Arc::new(Mutex::new(inner)) }
    }

    fn router(&self) -> Router {
        Router::new().fallback(receive).with_state(self.clone())
    }

    /// Expects the notifications of an attempt, of which nothing is known yet; the callback URL, to be used with http or https.
    pub(super) fn expect(&self, nonce: &str, generation: Generation, token: Option<&str>) -> String {
        let standing = Standing::Current { session_id: None };
        let attempt = Attempt { generation, token: token.map(Private::from), standing };
        self.inner.lock().attempts.insert(nonce.to_owned(), attempt);
        format!("http://{}/base/some-object/{nonce}", self.address)
    }

    /// Answers this to everything from now on.
    pub(super) fn answer(&self, status: Option<u16>) {
        self.inner.lock().instead = status;
    }

    /// The notifications of `nonce` so far.
    pub(super) fn got(&self, nonce: &str) -> Vec<Got> {
        self.inner.lock().got.iter().filter(|got| got.nonce == nonce).cloned().collect()
    }

    /// Those of `nonce` once there are `count`; the wait is long, since the machine may be slow, and ends as soon as they are there.
    pub(super) async fn wait(&self, nonce: &str, count: usize) -> Vec<Got> {
        for _ in 0..1500 {
            let got = self.got(nonce);
            if got.len() >= count {
                assert_eq!(got.len(), count, "more than were expected: {got:?}");
                return got;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only {} of {count} notifications came", self.got(nonce).len());
    }

    fn receive(&self, path: &str, query: Option<&str>, method: &axum::http::Method, headers: HeaderMap, body: &[u8]) -> Verdict {
        let mut inner = self.inner.lock();
        let nonce = Target::of(path).map(|target| target.nonce.into_inner()).unwrap_or_default();
        let request = Request { method, query, headers: &headers, body };
        let verdict = judge(&request, inner.attempts.get(&nonce), LIMIT);
        let effect = match &verdict.class {
            Class::Accepted { event, .. } => Some(inner.seen.note(&nonce, event)),
            _ => None,
        };
        let body = serde_json::from_slice(body).unwrap_or_default();
        inner.got.push(Got { nonce, path: path.to_owned(), headers, body, verdict: verdict.clone(), effect });
        verdict
    }
}

async fn receive(State(receiver): State<Receiver>, request: Incoming) -> StatusCode {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, LIMIT + 1).await.unwrap();
    let verdict = receiver.receive(head.uri.path(), head.uri.query(), &head.method, head.headers, &body);
    let status = receiver.inner.lock().instead.unwrap_or(verdict.status);
    StatusCode::from_u16(status).unwrap()
}
