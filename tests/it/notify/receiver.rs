//! The operator's receiver for tests: what it knows of attempts is set here, and what it was told is kept.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use futures::FutureExt as _;
use parking_lot::Mutex;
use qos_operator::notify::receiver::{self, Settings, TlsFiles};
use qos_operator::notify::{Attempt, Class, Directory, Effect, Event, Seen, Standing, Target};
use qos_operator::private::Private;
use qos_operator::qod::Generation;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::proxy::{Hook, Proxy, Reply, Upstream};

/// A directory that a test writes.
#[derive(Default)]
pub(super) struct Board(Mutex<Known>);

#[derive(Default)]
struct Known {
    attempts: BTreeMap<String, Attempt>,
    /// For every other target; none: nobody knows it.
    others: Option<Attempt>,
    /// The answer to all that is known.
    refuse: Option<u16>,
    delivered: Vec<(Target, Class)>,
}

impl Board {
    pub(super) fn of(attempts: BTreeMap<String, Attempt>) -> Arc<Self> {
        Arc::new(Self(Known { attempts, ..Known::default() }.into()))
    }

    /// One attempt, of version 1.1.
    pub(super) fn with(nonce: &str, token: &str) -> Arc<Self> {
        Self::of([(nonce.to_owned(), attempt(Some(token)))].into())
    }

    /// Every target is known that is not known by name, as by the operator, which makes the bearer from the path.
    pub(super) fn others(&self, others: Attempt) {
        self.0.lock().others = Some(others);
    }

    pub(super) fn delivered(&self) -> Vec<(Target, Class)> {
        self.0.lock().delivered.clone()
    }
}

/// An attempt of which no session is known yet.
pub(super) fn attempt(token: Option<&str>) -> Attempt {
    let standing = Standing::Current { session_id: None };
    Attempt { generation: Generation::V1_1, token: token.map(Private::from), standing }
}

impl Directory for Board {
    fn attempt(&self, target: &Target) -> Option<Attempt> {
        let known = self.0.lock();
        let mut attempt = known.attempts.get(target.nonce.expose()).or(known.others.as_ref()).cloned()?;
        match known.refuse {
            None => {}
            Some(401) => attempt.token = Some("another than the provider has".into()),
            Some(410) => attempt.standing = Standing::Gone,
            Some(other) => panic!("nothing is answered with {other}"),
        }
        Some(attempt)
    }

    fn deliver(&self, target: &Target, class: &Class) {
        self.0.lock().delivered.push((target.clone(), class.clone()));
    }
}

/// A receiver on a free port of loopback; it ends with the guard.
pub(super) async fn start(settings: Settings, board: &Arc<Board>) -> (receiver::Receiver, DropGuard) {
    let shutdown = CancellationToken::new();
    let settings = Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..settings };
    let directory: Arc<dyn Directory> = Arc::clone(board) as _;
    let receiver = receiver::start(settings, directory, shutdown.clone()).await.unwrap();
    (receiver, shutdown.drop_guard())
}

/// A certificate for 127.0.0.1 with its key, in files as a mounted Secret has them.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Pair {
    pub(super) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    pub(super) fn write(&self, folder: &std::path::Path) -> TlsFiles {
        let files = TlsFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
        std::fs::write(&files.certificate, &self.certificate).unwrap();
        std::fs::write(&files.key, &self.key).unwrap();
        files
    }
}

/// A notification that came, and what was answered.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) nonce: String,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    pub(super) status: u16,
    /// What the receiver made of it, where it was an event.
    pub(super) class: Option<Class>,
    /// What it adds, where it was accepted.
    pub(super) effect: Option<Effect>,
}

impl Got {
    /// The event; it must have been accepted.
    pub(super) fn event(&self) -> &Event {
        match &self.class {
            Some(Class::Accepted { event, .. }) => event,
            other => panic!("not accepted but {other:?}: {}", self.body),
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

/// What the proxy in front of the receiver has seen.
struct Log {
    seen: Seen,
    got: Vec<Got>,
}

/// A receiver, and what comes to it.
#[derive(Clone)]
pub(super) struct Receiver {
    address: SocketAddr,
    board: Arc<Board>,
    log: Arc<Mutex<Log>>,
    /// What ends with it.
    _ends: Arc<(DropGuard, Option<Proxy>, Option<tempfile::TempDir>)>,
}

impl Receiver {
    /// One without TLS. A proxy in front of it sees what is sent.
    pub(super) async fn start() -> Self {
        let board = Arc::new(Board::default());
        let (receiver, guard) = start(Settings::default(), &board).await;
        let log = Arc::new(Mutex::new(Log { seen: Seen::new(1000), got: Vec::new() }));
        let upstream = Upstream::new(&format!("http://{}", receiver.address()), &[]);
        let proxy = Proxy::start(upstream, hook(Arc::clone(&board), Arc::clone(&log))).await;
        let address = proxy.url().strip_prefix("http://").unwrap().parse().unwrap();
        Self { address, board, log, _ends: Arc::new((guard, Some(proxy), None)) }
    }

    /// One with TLS on 127.0.0.1, and the certificate (PEM) to trust. Nothing sees what is sent but itself.
    pub(super) async fn start_with_tls() -> (Self, String) {
        let board = Arc::new(Board::default());
        let (folder, pair) = (tempfile::tempdir().unwrap(), Pair::new());
        let tls = Some(pair.write(folder.path()));
        let (receiver, guard) = start(Settings { tls, ..Settings::default() }, &board).await;
        let log = Arc::new(Mutex::new(Log { seen: Seen::new(1000), got: Vec::new() }));
        let ends = Arc::new((guard, None, Some(folder)));
        (Self { address: receiver.address(), board, log, _ends: ends }, pair.certificate)
    }

    /// Expects the notifications of an attempt, of which nothing is known yet; the callback URL, to be used with http or https.
    pub(super) fn expect(&self, nonce: &str, generation: Generation, token: Option<&str>) -> String {
        self.board.0.lock().attempts.insert(nonce.to_owned(), Attempt { generation, ..attempt(token) });
        format!("http://{}/base/some-object/{nonce}", self.address)
    }

    /// From now on every event gets this answer: 401, since another bearer is expected, or 410, since its object is gone.
    pub(super) fn refuse(&self, status: u16) {
        self.board.0.lock().refuse = Some(status);
    }

    /// The notifications of `nonce` so far.
    pub(super) fn got(&self, nonce: &str) -> Vec<Got> {
        self.log.lock().got.iter().filter(|got| got.nonce == nonce).cloned().collect()
    }

    /// How many events of `nonce` the receiver has passed on.
    pub(super) fn delivered(&self, nonce: &str) -> usize {
        self.board.delivered().iter().filter(|(target, _)| target.nonce.expose() == nonce).count()
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
}

/// Passes each notification on, one after the other, so that what the receiver passes on meanwhile belongs to it.
fn hook(board: Arc<Board>, log: Arc<Mutex<Log>>) -> Hook {
    let turn = Arc::new(tokio::sync::Mutex::new(()));
    Arc::new(move |call, upstream| {
        let (board, log, turn) = (Arc::clone(&board), Arc::clone(&log), Arc::clone(&turn));
        async move {
            let _turn = turn.lock().await;
            let before = board.delivered().len();
            let answer = upstream.forward(&call).await.unwrap();
            let class = board.delivered().into_iter().nth(before).map(|(_, class)| class);
            let nonce = Target::of(call.path()).map(|target| target.nonce.into_inner()).unwrap_or_default();
            let mut log = log.lock();
            let effect = match &class {
                Some(Class::Accepted { event, .. }) => Some(log.seen.note(&nonce, event)),
                _ => None,
            };
            let (path, body) = (call.path().to_owned(), serde_json::from_slice(&call.body).unwrap_or_default());
            let status = answer.status().as_u16();
            log.got.push(Got { nonce, path, headers: call.headers, body, status, class, effect });
            Reply::Answer(answer)
        }
        .boxed()
    })
}
