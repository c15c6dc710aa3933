//! The server, through the very function that serves the connections of its socket.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use qos_operator::notify::receiver::{Server, Settings};
use qos_operator::notify::{Attempt, Class, Directory, Standing, Target};
use qos_operator::qod::Generation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::corpus;
use super::{NONCE, STATUSES, TOKEN, holds_token};

/// Knows one attempt, and counts what comes for it.
#[derive(Default)]
pub(super) struct One(AtomicUsize);

impl Directory for One {
    fn attempt(&self, target: &Target) -> Option<Attempt> {
        let standing = Standing::Current { session_id: None };
        let known = target.nonce.expose() == NONCE;
        // Version 0.8's, which may carry the bearer in the query too.
        known.then(|| Attempt { generation: Generation::V0_8, token: Some(TOKEN.into()), standing })
    }

    fn deliver(&self, target: &Target, class: &Class) {
        assert_eq!(target.nonce.expose(), NONCE);
        assert!(matches!(class, Class::Accepted { binds: true, .. }), "{}", class.name());
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// What a server answers to a connection's bytes, after which the client closes its direction; and how many events it took.
pub(super) async fn converse(input: &[u8]) -> (Vec<u8>, usize) {
    let one = Arc::new(One::default());
    let second = Duration::from_secs(1);
    let settings = Settings { head_timeout: second, body_timeout: second, request_timeout: second, ..Settings::default() };
    let server = Server::new(Settings { idle_timeout: second, ..settings }, one.clone());
    let (client, inner) = duplex(64 << 10);
    let (mut answers, mut requests) = tokio::io::split(client);
    let peer = IpAddr::from([192, 0, 2, 1]);
    let shutdown = CancellationToken::new();
    let mut answered = Vec::new();
    let send = async {
        // The server may close before it has read everything.
        let _ = requests.write_all(input).await;
        let _ = requests.shutdown().await;
    };
    let ((), read, ()) = tokio::join!(server.converse(inner, peer, &shutdown), answers.read_to_end(&mut answered), send);
    read.unwrap();
    (answered, one.0.load(Ordering::Relaxed))
}

/// Every answer has a status that is documented, and no body.
pub(super) fn check(input: &[u8], answered: &[u8], taken: usize) {
    assert!(taken == 0 || holds_token(input), "an event was taken without the bearer");
    let answered = std::str::from_utf8(answered).unwrap();
    let mut accepted = 0;
    for head in answered.split_terminator("\r\n\r\n") {
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")?.get(2..5)).unwrap_or_else(|| panic!("{head:?}"));
        let status: u16 = status.parse().unwrap();
        assert!(STATUSES.contains(&status), "{status}");
        accepted += usize::from(status == 204);
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{head:?}"));
            match name {
                "content-length" => assert_eq!(value, "0"),
                "connection" | "date" | "allow" => {}
                other => panic!("a header {other}"),
            }
        }
    }
    assert_eq!(accepted, taken, "each event that was taken is answered so, and no other");
}

#[test]
fn router() {
    let runtime = AssertUnwindSafe(runtime());
    bolero::check!().with_max_len(16 << 10).for_each(move |input: &[u8]| {
        let (answered, taken) = runtime.block_on(converse(input));
        check(input, &answered, taken);
    });
}

/// What an edit may put in: pieces that mean something to a parser.
const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b" ",
    b"%2F",
    b"%00",
    b"%",
    b"/",
    b"//",
    b"/notifications",
    b"?apikey=",
    b"&apikey=",
    b"Bearer ",
    b"Content-Length: 0\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"POST /",
    b" HTTP/1.0\r\n",
    b"\xff\xfe",
];

/// The requests of the vectors with edits that the input tells, so that an engine that knows no coverage comes far too.
fn edited(seeds: &[Vec<u8>], input: &[u8]) -> Vec<u8> {
    let (Some(first), mut edits) = (input.first(), input.get(1..).unwrap_or_default().chunks_exact(4)) else { return Vec::new() };
    let mut request = seeds[usize::from(*first) % seeds.len()].clone();
    for edit in edits.by_ref().take(64) {
        let [kind, high, low, with] = edit else { break };
        let at = (usize::from(*high) << 8 | usize::from(*low)) % (request.len() + 1);
        let end = (at + usize::from(*with)).min(request.len());
        match kind % 6 {
            0 => request.insert(at, *with),
            1 if at < request.len() => request[at] = *with,
            2 => drop(request.drain(at..end)),
            3 => {
                let again = request[at..end].to_vec();
                request.splice(at..at, again);
            }
            4 => drop(request.splice(at..at, PIECES[usize::from(*with) % PIECES.len()].iter().copied())),
            _ => request.extend_from_slice(&seeds[usize::from(*with) % seeds.len()].clone()),
        }
        request.truncate(32 << 10);
    }
    request
}

#[test]
fn edited_requests() {
    let (runtime, seeds) = (AssertUnwindSafe(runtime()), corpus::requests().into_values().collect::<Vec<_>>());
    bolero::check!().with_max_len(257).for_each(move |input: &[u8]| {
        let request = edited(&seeds, input);
        let (answered, taken) = runtime.block_on(converse(&request));
        check(&request, &answered, taken);
    });
}

#[test]
fn the_seeds_are_answered_as_their_vectors_say() {
    let runtime = runtime();
    let mut statuses = std::collections::BTreeMap::<String, u32>::new();
    for (name, request) in corpus::requests() {
        let (answered, taken) = runtime.block_on(converse(&request));
        check(&request, &answered, taken);
        let status = String::from_utf8_lossy(answered.get(9..12).unwrap_or_else(|| panic!("{name}: no answer"))).into_owned();
        *statuses.entry(status).or_default() += 1;
    }
    // The targets would prove little if nothing got past the bearer.
    assert!(statuses["204"] >= 15 && statuses["400"] >= 5 && statuses["401"] >= 5 && statuses["410"] >= 2, "{statuses:?}");
}

#[test]
fn what_is_no_answer_of_ours_fails_the_check() {
    for wrong in [
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 400 Bad\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 204 No\r\n\r\n",
    ] {
        assert!(std::panic::catch_unwind(|| check(b"x", wrong.as_bytes(), 0)).is_err(), "{wrong}");
    }
    assert!(std::panic::catch_unwind(|| check(b"no bearer", b"HTTP/1.1 204 No Content\r\n\r\n", 1)).is_err());
    check(TOKEN.as_bytes(), b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\ndate: x\r\n\r\n", 1);
    let encoded = TOKEN.bytes().fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02X}"));
    assert!(holds_token(encoded.as_bytes()) && !holds_token(&encoded.as_bytes()[3..]));
}
