//! How the receiver runs: connections that are kept, the certificate that is replaced, the shutdown, and what it logs.

use std::path::Path;
use std::time::Duration;

use qos_operator::notify::receiver::{self, Connection, Outcome, Reload, Settings, TlsFiles};
use tokio_util::sync::CancellationToken;

use super::receiver::{Board, Pair, attempt, start};
use super::wire::{NONCE, PATIENCE, TOKEN, Wire, event, head, post, right_event};
use crate::qod::log::CapturedLog;

fn board() -> std::sync::Arc<Board> {
    Board::with(NONCE, TOKEN)
}

/// Waits until `done`, as long as a slow machine may need.
pub(super) async fn until(what: &str, done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

#[tokio::test]
async fn a_connection_is_kept_for_so_many_requests_and_pipelined_ones_are_answered_in_order() {
    let board = board();
    let settings = Settings { requests_per_connection: 12, ..Settings::default() };
    let (receiver, _guard) = start(settings, &board).await;
    let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
    // Ten in one write: every third with a wrong bearer.
    let ten: String = (0..10).map(|number| post(NONCE, if number % 3 == 2 { "wrong" } else { TOKEN })).collect();
    wire.send(ten).await.unwrap();
    for number in 0..10 {
        let answer = wire.answer().await.unwrap();
        assert_eq!(answer.status, if number % 3 == 2 { 401 } else { 204 }, "the answer number {number}");
        assert_eq!(answer.header("connection"), None);
    }
    for close in [None, Some("close")] {
        wire.send(post(NONCE, TOKEN)).await.unwrap();
        let answer = wire.answer().await.unwrap();
        assert_eq!((answer.status, answer.header("connection")), (204, close));
    }
    assert!(wire.closed().await.is_empty());
    assert_eq!((board.delivered().len(), receiver.counters().connection(Connection::Accepted)), (9, 1));
}

#[tokio::test]
async fn a_sender_that_closes_its_direction_and_one_that_waits_to_be_asked_get_their_answer() {
    use tokio::io::AsyncWriteExt as _;
    let board = board();
    let (receiver, _guard) = start(Settings::default(), &board).await;
    let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
    wire.send(post(NONCE, TOKEN)).await.unwrap();
    wire.io.shutdown().await.unwrap();
    assert_eq!(wire.answer().await.unwrap().status, 204);
    let body = event().to_string();
    let more = format!("Expect: 100-continue\r\nContent-Length: {}\r\n", body.len());
    let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
    wire.send(head(NONCE, TOKEN, &more)).await.unwrap();
    assert_eq!(wire.answer().await.unwrap().status, 100);
    wire.send(&body).await.unwrap();
    assert_eq!(wire.answer().await.unwrap().status, 204);
    // A stranger is not asked for a body.
    let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
    wire.send(head(NONCE, "wrong", &more)).await.unwrap();
    assert_eq!(wire.answer().await.unwrap().status, 401);
}

/// The files as the kubelet lays them: links through `..data`, which is turned to another folder at once.
fn mount(volume: &Path, version: &str, pair: &Pair) -> TlsFiles {
    let folder = volume.join(version);
    std::fs::create_dir(&folder).unwrap();
    pair.write(&folder);
    let turned = volume.join("..data_tmp");
    std::os::unix::fs::symlink(version, &turned).unwrap();
    std::fs::rename(&turned, volume.join("..data")).unwrap();
    let files = TlsFiles { certificate: volume.join("tls.crt"), key: volume.join("tls.key") };
    for (link, name) in [(&files.certificate, "tls.crt"), (&files.key, "tls.key")] {
        if !link.is_symlink() {
            std::os::unix::fs::symlink(Path::new("..data").join(name), link).unwrap();
        }
    }
    files
}

#[tokio::test]
async fn a_replaced_certificate_is_taken_without_a_restart_and_a_broken_one_is_not_and_is_told_once() {
    let (log, _capture) = CapturedLog::start();
    let volume = tempfile::tempdir().unwrap();
    let (first, second) = (Pair::new(), Pair::new());
    let files = mount(volume.path(), "..1", &first);
    let settings = Settings { tls: Some(files), tls_poll: Duration::from_millis(20), ..Settings::default() };
    let (receiver, _guard) = start(settings, &board()).await;
    let (address, counters) = (receiver.address(), receiver.counters());
    let mut standing = Wire::connect_with_tls(address, &first.certificate).await.unwrap();
    mount(volume.path(), "..2", &second);
    until("the second certificate", || counters.reload(Reload::Done) == 1).await;
    assert!(Wire::connect_with_tls(address, &first.certificate).await.is_err(), "the first one is no longer shown");
    let mut fresh = Wire::connect_with_tls(address, &second.certificate).await.unwrap();
    for wire in [&mut standing, &mut fresh] {
        wire.send(post(NONCE, TOKEN)).await.unwrap();
        assert_eq!(wire.answer().await.unwrap().status, 204, "no connection was lost");
    }
    // The key of another pair; then no file at all; then the second one again.
    let mixed = Pair { certificate: first.certificate.clone(), key: second.key.clone() };
    mount(volume.path(), "..3", &mixed);
    until("the broken pair", || counters.reload(Reload::Failed) == 1).await;
    assert!(Wire::connect_with_tls(address, &second.certificate).await.is_ok(), "the last good one is still shown");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(counters.reload(Reload::Failed), 1, "told once");
    std::fs::remove_file(volume.path().join("tls.key")).unwrap();
    until("the missing file", || counters.reload(Reload::Failed) == 2).await;
    mount(volume.path(), "..4", &second);
    until("the good pair again", || counters.reload(Reload::Done) == 2).await;
    let log = log.take();
    assert_eq!(log.matches("do not belong together").count(), 1, "{log}");
    assert_eq!(log.matches("is the Secret mounted there?").count(), 1, "{log}");
    assert!(!log.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_at_the_start_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (good, other) = (Pair::new(), Pair::new());
    let cases = [
        (Pair { certificate: String::new(), key: good.key.clone() }, "tls.crt holds no PEM certificate"),
        (Pair { certificate: good.certificate.clone(), key: "no key".to_owned() }, "tls.key holds no PEM private key"),
        (Pair { certificate: good.certificate.clone(), key: other.key }, "do not belong together"),
    ];
    for (pair, told) in cases {
        let settings =
            Settings { listen: ([127, 0, 0, 1], 0).into(), tls: Some(pair.write(folder.path())), ..Settings::default() };
        let error = receiver::start(settings, board(), CancellationToken::new()).await.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let tls = Some(TlsFiles { certificate: folder.path().join("absent.crt"), key: folder.path().join("tls.key") });
    let error = receiver::start(Settings { tls, ..Settings::default() }, board(), CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("absent.crt") && error.to_string().contains("is the Secret mounted there?"), "{error}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_names_it() {
    let (running, _guard) = start(Settings::default(), &board()).await;
    let settings = Settings { listen: running.address(), ..Settings::default() };
    let error = receiver::start(settings, board(), CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen on {}", running.address())), "{error}");
}

#[tokio::test]
async fn a_shutdown_lets_a_request_under_way_end_and_closes_what_is_idle() {
    let board = board();
    let shutdown = CancellationToken::new();
    let settings = Settings { listen: ([127, 0, 0, 1], 0).into(), shutdown_grace: PATIENCE, ..Settings::default() };
    let receiver = receiver::start(settings, board.clone(), shutdown.clone()).await.unwrap();
    let (address, body) = (receiver.address(), event().to_string());
    let mut idle = Wire::connect(1, address).await.unwrap();
    idle.send(post(NONCE, TOKEN)).await.unwrap();
    assert_eq!(idle.answer().await.unwrap().status, 204);
    let mut silent = Wire::connect(1, address).await.unwrap();
    let mut slow = Wire::connect(1, address).await.unwrap();
    let more = format!("Expect: 100-continue\r\nContent-Length: {}\r\n", body.len());
    slow.send(head(NONCE, TOKEN, &more)).await.unwrap();
    assert_eq!(slow.answer().await.unwrap().status, 100, "its body is being waited for");
    shutdown.cancel();
    assert!(idle.closed().await.is_empty() && silent.closed().await.is_empty());
    assert!(Wire::connect(1, address).await.is_err(), "nobody listens any more");
    slow.send(&body).await.unwrap();
    assert_eq!(slow.answer().await.unwrap().status, 204);
    drop(slow);
    tokio::time::timeout(PATIENCE, receiver.ended()).await.expect("it does not end").unwrap();
    assert_eq!(board.delivered().len(), 2);
}

#[tokio::test]
async fn a_request_that_does_not_end_does_not_hold_up_the_shutdown() {
    let shutdown = CancellationToken::new();
    let grace = Duration::from_millis(100);
    // Times that would outlast the test.
    let long = Duration::from_hours(1);
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        shutdown_grace: grace,
        head_timeout: long,
        body_timeout: long,
        request_timeout: long,
        ..Settings::default()
    };
    let receiver = receiver::start(settings, board(), shutdown.clone()).await.unwrap();
    let counters = receiver.counters().clone();
    let mut stuck = Wire::connect(1, receiver.address()).await.unwrap();
    stuck.send(head(NONCE, TOKEN, "Content-Length: 10\r\n")).await.unwrap();
    until("the connection", || counters.open() == 1).await;
    shutdown.cancel();
    tokio::time::timeout(PATIENCE, receiver.ended()).await.expect("it does not end").unwrap();
    assert!(stuck.closed().await.is_empty());
    assert_eq!(counters.open(), 0);
}

#[tokio::test]
async fn no_log_line_tells_a_nonce_a_bearer_or_an_address_even_at_trace() {
    let (log, _capture) = CapturedLog::start();
    let board = board();
    board.others(attempt(Some("the-bearer-of-all-others")));
    let (folder, pair) = (tempfile::tempdir().unwrap(), Pair::new());
    let settings = Settings { trusted_proxies: vec!["127.0.0.9/32".parse().unwrap()], ..Settings::default() };
    let (plain, _guard) = start(settings.clone(), &board).await;
    let (secure, _guard) = start(Settings { tls: Some(pair.write(folder.path())), ..settings }, &board).await;
    right_event(77, plain.address()).await;
    let mut tls = Wire::connect_with_tls(secure.address(), &pair.certificate).await.unwrap();
    tls.send(post(NONCE, TOKEN)).await.unwrap();
    assert_eq!(tls.answer().await.unwrap().status, 204);
    let forwarded = "X-Forwarded-For: 203.0.113.5\r\nContent-Length: 0\r\n";
    let apikey = format!("POST /notify/k/{NONCE}/notifications?apikey={TOKEN} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    for bytes in [
        post(NONCE, "a-wrong-bearer"),
        post("an-unknown-nonce", TOKEN),
        head(NONCE, TOKEN, forwarded),
        head(NONCE, TOKEN, "Content-Length: 100000000\r\n"),
        head(NONCE, TOKEN, "Transfer-Encoding: chunked\r\n") + "zz\r\n",
        apikey,
        format!("GET /{NONCE} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nbroken header\r\n\r\n"),
        format!("{TOKEN} {NONCE}\r\n\r\n"),
    ] {
        let mut wire = Wire::connect(9, plain.address()).await.unwrap();
        wire.send(&bytes).await.unwrap();
        assert!(wire.answer().await.is_some(), "{bytes}");
    }
    let counters = plain.counters();
    assert_eq!((counters.of(Outcome::Accepted), counters.of(Outcome::Unauthorized)), (1, 3));
    let log = log.take();
    assert!(log.contains("Unauthorized") && log.contains("Accepted"), "the log was captured: {log}");
    for secret in [NONCE, TOKEN, "a-wrong-bearer", "an-unknown-nonce", "203.0.113.5", "127.0.0.9", "127.0.0.77", "0b7e6a52"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
