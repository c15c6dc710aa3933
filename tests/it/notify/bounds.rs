//! The receiver's bounds of bytes and of times.

use std::time::Duration;

use qos_operator::notify::Class;
use qos_operator::notify::receiver::{Connection, Outcome, Rate, Settings};

use super::receiver::{Board, start};
use super::running::until;
use super::wire::{NONCE, TOKEN, Wire, event, figure, head, post, post_with, right_event};

const MEBIBYTE: usize = 1024 * 1024;

fn board() -> std::sync::Arc<Board> {
    Board::with(NONCE, TOKEN)
}

/// The process's memory that is in use, in KiB.
pub(super) fn resident_kib() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
}

/// One chunk of a chunked body.
fn chunk(bytes: usize) -> Vec<u8> {
    [format!("{bytes:x}\r\n").as_bytes(), &vec![b' '; bytes], b"\r\n"].concat()
}

#[tokio::test]
async fn a_body_of_a_hundred_megabytes_is_cut_off_whether_its_length_is_said_or_not() {
    let (receiver, _guard) = start(Settings::default(), &board()).await;
    let said = format!("Content-Length: {}\r\n", 100 * MEBIBYTE);
    let unsaid = "Transfer-Encoding: chunked\r\n".to_owned();
    for (more, piece) in [(&said, vec![b' '; MEBIBYTE]), (&unsaid, chunk(MEBIBYTE))] {
        for (token, status) in [(TOKEN, 413), ("wrong", 401)] {
            let before = resident_kib();
            let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
            wire.send(head(NONCE, token, more)).await.unwrap();
            if status == 413 && more == &unsaid {
                // So much must be read before it is too large.
                wire.send(chunk(65_537)).await.unwrap();
            }
            let answer = wire.answer().await.unwrap();
            assert_eq!((answer.status, answer.body.len()), (status, 0));
            let sent = wire.pour(&piece, 100).await;
            assert!(sent < 50 * MEBIBYTE, "{sent} bytes were taken");
            let growth = resident_kib().saturating_sub(before);
            figure(&format!("100 MiB, {}: {status}, cut after {sent} bytes, resident +{growth} KiB", more.trim_end()));
        }
    }
    right_event(1, receiver.address()).await;
    let counters = receiver.counters();
    assert_eq!((counters.of(Outcome::TooLarge), counters.of(Outcome::Unauthorized)), (2, 2));
}

#[tokio::test]
async fn a_sender_that_writes_its_whole_body_before_it_reads_gets_its_413_and_not_a_reset() {
    let (receiver, _guard) = start(Settings::default(), &board()).await;
    for (length, status) in [(65_536, 400), (65_537, 413), (250_000, 413)] {
        let mut wire = Wire::connect_narrowly(1, receiver.address()).await.unwrap();
        let head = head(NONCE, TOKEN, &format!("Content-Length: {length}\r\n"));
        wire.send([head.as_bytes(), &vec![b'x'; length]].concat()).await.unwrap();
        assert_eq!(wire.answer().await.map(|answer| answer.status), Some(status), "{length}");
    }
}

#[tokio::test]
async fn floods_of_headers_are_refused_and_cut_off() {
    let (receiver, _guard) = start(Settings::default(), &board()).await;
    let line = format!("X-Flood: {}\r\n", "a".repeat(1000));
    let start_of_head = format!("POST /notify/k/{NONCE} HTTP/1.1\r\nHost: qos.example.com\r\n");
    for (what, start, flood, expected) in [
        ("many headers", start_of_head.clone(), "X-Flood: a\r\n".repeat(100), 431),
        ("long headers", start_of_head.clone(), line, 431),
        ("one header without end", start_of_head + "X-Flood: ", "a".repeat(1000), 431),
        ("a path without end", "POST /".to_owned(), "a".repeat(1000), 431),
    ] {
        let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
        wire.send(start).await.unwrap();
        let sent = wire.pour(flood.as_bytes(), 100_000_000 / flood.len()).await;
        assert!(sent < 50 * MEBIBYTE, "{what}: {sent} bytes were taken");
        // The answer may be lost to the reset that a sender of so much gets.
        let came = String::from_utf8(wire.closed().await).unwrap();
        assert!(came.is_empty() || came.starts_with(&format!("HTTP/1.1 {expected} ")), "{what}: {came}");
        figure(&format!("{what}: cut after {sent} bytes; answer {:?}", came.split("\r\n").next().unwrap_or_default()));
    }
    let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
    wire.send(post_with(NONCE, TOKEN, &"X-Flood: a\r\n".repeat(60))).await.unwrap();
    assert_eq!(wire.answer().await.unwrap().status, 204, "as many headers as there may be");
    wire.send(post_with(NONCE, TOKEN, &"X-Flood: a\r\n".repeat(61))).await.unwrap();
    let refused = wire.answer().await.unwrap();
    assert_eq!((refused.status, refused.body.len()), (431, 0), "one more");
    until("the floods' count", || receiver.counters().connection(Connection::NotHttp) == 5).await;
}

#[tokio::test]
async fn what_is_no_http_gets_400_or_nothing_and_no_body() {
    let (receiver, _guard) = start(Settings::default(), &board()).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
    ] {
        let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
        wire.send([bytes, b"\r\n\r\n"].concat()).await.unwrap();
        if let Some(answer) = wire.answer().await {
            assert_eq!((answer.status, answer.body.len()), (400, 0), "{bytes:?}");
        }
        assert!(wire.closed().await.is_empty());
    }
    right_event(1, receiver.address()).await;
}

#[tokio::test]
async fn a_length_that_is_said_twice_or_wrongly_reaches_nobody() {
    let board = board();
    let (receiver, _guard) = start(Settings::default(), &board).await;
    let body = event().to_string();
    let length = body.len();
    for more in [
        format!("Content-Length: {length}\r\nContent-Length: {}\r\n", length - 1),
        format!("Content-Length: +{length}\r\n"),
        format!("Content-Length: {length}, {length}0\r\n"),
        "Content-Length: -1\r\n".to_owned(),
        "Transfer-Encoding: gzip\r\n".to_owned(),
        "Transfer-Encoding: chunked, gzip\r\n".to_owned(),
    ] {
        let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
        wire.send(head(NONCE, TOKEN, &more) + &body).await.unwrap();
        if let Some(answer) = wire.answer().await {
            assert_eq!((answer.status, answer.body.len()), (400, 0), "{more}");
        }
    }
    assert!(board.delivered().is_empty());
}

#[tokio::test]
async fn each_time_ends_the_connection_that_takes_longer() {
    let short = Duration::from_millis(100);
    // Each in turn is short, while the others would outlast the test.
    let long = Duration::from_hours(1);
    let base =
        Settings { head_timeout: long, body_timeout: long, request_timeout: long, idle_timeout: long, ..Settings::default() };
    let unfinished = head(NONCE, TOKEN, "Content-Length: 1000\r\n");
    let half = post(NONCE, TOKEN).split_at(60).0.to_owned();
    for (settings, sent, event, answers) in [
        (Settings { head_timeout: short, ..base.clone() }, String::new(), Connection::HeadTimeout, vec![]),
        (Settings { head_timeout: short, ..base.clone() }, half.clone(), Connection::HeadTimeout, vec![]),
        (Settings { head_timeout: short, ..base.clone() }, post(NONCE, TOKEN) + &half, Connection::HeadTimeout, vec![204]),
        (Settings { request_timeout: short, ..base.clone() }, unfinished.clone(), Connection::RequestTimeout, vec![]),
        (Settings { idle_timeout: short, ..base.clone() }, post(NONCE, TOKEN), Connection::IdleTimeout, vec![204]),
    ] {
        let (receiver, _guard) = start(settings, &board()).await;
        let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
        let (first, rest) = sent.split_at(sent.len().min(post(NONCE, TOKEN).len()));
        wire.send(first).await.unwrap();
        for status in answers {
            assert_eq!(wire.answer().await.unwrap().status, status);
        }
        wire.send(rest).await.unwrap();
        assert!(wire.closed().await.is_empty(), "{event:?}");
        assert_eq!(receiver.counters().connection(event), 1, "{event:?}");
    }
    let (receiver, _guard) = start(Settings { body_timeout: short, ..base }, &board()).await;
    let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
    wire.send(unfinished).await.unwrap();
    let answer = wire.answer().await.unwrap();
    assert_eq!((answer.status, answer.header("connection"), answer.body.len()), (408, Some("close"), 0));
    assert_eq!(receiver.counters().of(Outcome::BodyTimeout), 1);
}

#[tokio::test]
async fn more_bodies_than_are_read_at_a_time_wait_and_those_that_wait_too_long_get_503() {
    let settings = Settings { bodies: 1, body_timeout: Duration::from_secs(2), ..Settings::default() };
    let board = board();
    let (receiver, _guard) = start(settings, &board).await;
    let body = event().to_string();
    let more = format!("Expect: 100-continue\r\nContent-Length: {}\r\n", body.len());
    let mut first = Wire::connect(1, receiver.address()).await.unwrap();
    first.send(head(NONCE, TOKEN, &more)).await.unwrap();
    assert_eq!(first.answer().await.unwrap().status, 100, "it is being read");
    let mut second = Wire::connect(1, receiver.address()).await.unwrap();
    second.send(post(NONCE, TOKEN)).await.unwrap();
    first.send(&body).await.unwrap();
    assert_eq!(first.answer().await.unwrap().status, 204);
    assert_eq!(second.answer().await.unwrap().status, 204, "its turn came");
    first.send(head(NONCE, TOKEN, &more)).await.unwrap();
    assert_eq!(first.answer().await.unwrap().status, 100);
    second.send(post(NONCE, TOKEN)).await.unwrap();
    // Whichever time is over first: the one being read is 408, and the other is 503 or has its turn.
    let (read, waited) = (first.answer().await.unwrap().status, second.answer().await.unwrap().status);
    assert_eq!(read, 408);
    assert!([204, 503].contains(&waited), "{waited}");
    assert!(board.delivered().iter().all(|(_, class)| matches!(class, Class::Accepted { .. })));
}

#[tokio::test]
async fn a_sender_with_the_right_bearer_is_limited_too_but_generously() {
    let settings = Settings { senders: Rate::new(1, 20), ..Settings::default() };
    let board = board();
    let (receiver, _guard) = start(settings, &board).await;
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let mut wire = Wire::connect(1, receiver.address()).await.unwrap();
        wire.send(post(NONCE, TOKEN)).await.unwrap();
        statuses.push(wire.answer().await.unwrap().status);
    }
    assert!(statuses[..20].iter().all(|status| *status == 204), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    right_event(2, receiver.address()).await;
    assert_eq!(receiver.counters().of(Outcome::Accepted), board.delivered().len() as u64);
}
