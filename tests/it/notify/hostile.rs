//! Strangers: what they learn, how much they get, and that right events are answered meanwhile.

use std::time::{Duration, Instant};

use qos_operator::notify::Standing;
use qos_operator::notify::receiver::{Connection, Outcome, Rate, Settings};

use super::bounds::resident_kib;
use super::receiver::{Board, attempt, start};
use super::running::until;
use super::wire::{Answer, NONCE, TOKEN, Wire, figure, head, post, post_with, right_event};

fn board() -> std::sync::Arc<Board> {
    Board::with(NONCE, TOKEN)
}

async fn ask(from: u8, to: std::net::SocketAddr, bytes: &str) -> Answer {
    let mut wire = Wire::connect(from, to).await.unwrap();
    wire.send(bytes).await.unwrap();
    wire.answer().await.unwrap()
}

#[tokio::test]
async fn a_wrong_bearer_and_an_unknown_nonce_get_the_same_bytes() {
    let board = board();
    let (receiver, _guard) = start(Settings::default(), &board).await;
    let to = receiver.address();
    let unknown = "00000000000000000000000000000000";
    let large = head(unknown, TOKEN, "Content-Length: 100000000\r\n");
    let requests = [
        post(NONCE, "wrong"),
        post(unknown, "wrong"),
        post(unknown, TOKEN),
        large.clone(),
        large.replace(unknown, NONCE).replace(TOKEN, "x"),
    ];
    // Where nobody knows a nonce, as in the vectors, the statuses differ (401, 410) and nothing else does.
    let mut answers = Vec::new();
    for request in &requests {
        answers.push(ask(1, to, request).await);
    }
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [401, 410, 410, 410, 401]);
    for answer in &answers {
        assert_eq!((answer.headers(), answer.body.len()), ("content-length: 0", 0), "{answer:?}");
    }
    // The operator makes each bearer from the path, so it knows every nonce: there not even the statuses do.
    board.others(attempt(Some("the bearer of that path")));
    for request in &requests {
        assert_eq!(ask(1, to, request).await, answers[0], "{request}");
    }
    assert!(board.delivered().is_empty());
}

#[tokio::test]
async fn an_object_that_is_gone_is_told_to_who_has_its_bearer_only() {
    let board = board();
    board.others(qos_operator::notify::Attempt { standing: Standing::Gone, ..attempt(Some(TOKEN)) });
    let (receiver, _guard) = start(Settings::default(), &board).await;
    assert_eq!(ask(1, receiver.address(), &post("deleted", TOKEN)).await.status, 410);
    assert_eq!(ask(1, receiver.address(), &post("deleted", "wrong")).await.status, 401);
}

#[tokio::test]
async fn guesses_at_rate_are_limited_per_source_and_right_events_are_not_from_wherever_they_come() {
    let board = board();
    let (receiver, _guard) = start(Settings { strangers: Rate::new(1, 50), ..Settings::default() }, &board).await;
    let (to, begun) = (receiver.address(), Instant::now());
    let mut statuses = std::collections::BTreeMap::<u16, u32>::new();
    let mut limited = None;
    for number in 0..500 {
        let answer = ask(2, to, &post(&format!("{number:032x}"), "guess")).await;
        *statuses.entry(answer.status).or_default() += 1;
        if answer.status == 429 {
            limited = Some(answer);
        }
        if number % 100 == 99 {
            right_event(3, to).await;
            right_event(2, to).await;
        }
    }
    let limited = limited.unwrap();
    assert_eq!((limited.header("connection"), limited.body.len()), (Some("close"), 0));
    let (let_in, refused) = (statuses[&410], statuses[&429]);
    assert!(let_in >= 50 && refused >= 300, "{statuses:?}");
    assert_eq!(ask(4, to, &post("unknown", "guess")).await.status, 410, "another source");
    assert_eq!(board.delivered().len(), 10);
    let rate = f64::from(let_in + refused) / begun.elapsed().as_secs_f64();
    figure(&format!(
        "500 guesses from one source at {rate:.0}/s, each on a connection of its own: {statuses:?}; 10 of 10 right events 204"
    ));
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_forwarded_address_is_the_source_and_nobody_else_may_say_it() {
    let settings =
        Settings { strangers: Rate::new(1, 5), trusted_proxies: vec!["127.0.0.9/32".parse().unwrap()], ..Settings::default() };
    let (receiver, _guard) = start(settings, &board()).await;
    let to = receiver.address();
    let guess = |forwarded: &str| post_with(NONCE, "guess", &format!("X-Forwarded-For: {forwarded}\r\n"));
    // The sender's own word stands left of what the proxy adds.
    let mut statuses = Vec::new();
    for number in 0..20 {
        statuses.push(ask(9, to, &guess(&format!("198.51.100.{number}, 203.0.113.5"))).await.status);
    }
    assert_eq!(statuses[..5], [401; 5]);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(ask(9, to, &guess("203.0.113.6")).await.status, 401, "another sender through the same proxy");
    let mut statuses = Vec::new();
    for number in 0..20 {
        statuses.push(ask(8, to, &guess(&format!("203.0.113.{}", 100 + number))).await.status);
    }
    assert!(statuses.contains(&429), "a peer that is no proxy is one source, whatever it writes: {statuses:?}");
}

#[tokio::test]
async fn two_thousand_idle_connections_and_slow_senders_do_not_keep_a_right_event_out() {
    rlimit::increase_nofile_limit(16_384).unwrap();
    let (receiver, _guard) = start(Settings::default(), &board()).await;
    let (to, counters, before) = (receiver.address(), receiver.counters(), resident_kib());
    let mut idle = Vec::new();
    for number in 0..2000_u32 {
        // Of 20 sources, 100 each.
        idle.push(Wire::connect(u8::try_from(100 + number % 20).unwrap(), to).await.unwrap());
        if number % 200 == 199 {
            right_event(2, to).await;
        }
    }
    // More from one source than its share: it is its own that go.
    for _ in 0..300 {
        idle.push(Wire::connect(200, to).await.unwrap());
    }
    let mut slow = Vec::new();
    for number in 0..100 {
        let mut wire = Wire::connect(u8::try_from(201 + number % 2).unwrap(), to).await.unwrap();
        wire.send("POST /notify/k/n HTTP/1.1\r\nHost: a\r\n").await.unwrap();
        slow.push(wire);
    }
    let mut latencies = Vec::new();
    for round in 0..50 {
        for wire in &mut slow {
            // Those that made room may fail.
            let _ = wire.send("X: y\r\n").await;
        }
        let begun = Instant::now();
        right_event(2, to).await;
        latencies.push(begun.elapsed());
        if round % 10 == 0 {
            idle.push(Wire::connect(210, to).await.unwrap());
        }
    }
    latencies.sort();
    let evicted = counters.connection(Connection::Evicted);
    assert!(evicted >= 2000 + 300 - 1024, "{evicted}");
    until("the places to be within the limit", || counters.open() <= 1024).await;
    assert_eq!((counters.of(Outcome::Accepted), counters.connection(Connection::Refused)), (60, 0));
    figure(&format!(
        "2,300 idle and 100 slow connections: {} open, {evicted} made room, {} taken; right events {:?} p50, {:?} longest; resident +{} KiB \
         (both ends)",
        counters.open(),
        counters.connection(Connection::Accepted),
        latencies[25],
        latencies[49],
        resident_kib().saturating_sub(before),
    ));
}

#[tokio::test]
async fn slow_senders_of_heads_and_of_bodies_are_closed_when_their_time_is_over() {
    let second = Duration::from_secs(1);
    let settings = Settings { head_timeout: second, body_timeout: second, request_timeout: 3 * second, ..Settings::default() };
    let (receiver, _guard) = start(settings, &board()).await;
    let (to, counters) = (receiver.address(), receiver.counters());
    let mut drips = tokio::task::JoinSet::new();
    for number in 0..40_u8 {
        drips.spawn(async move {
            let mut wire = Wire::connect(100 + number, to).await.unwrap();
            let start = if number % 2 == 0 { "POST /".to_owned() } else { head(NONCE, TOKEN, "Content-Length: 50000\r\n") };
            wire.send(start).await.unwrap();
            while wire.send("a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
    let wait = async {
        while counters.connection(Connection::HeadTimeout) < 20 || counters.of(Outcome::BodyTimeout) < 20 {
            right_event(2, to).await;
            // Below what one source may send.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while drips.join_next().await.is_some() {}
    };
    tokio::time::timeout(super::wire::PATIENCE, wait).await.expect("they are still open");
    figure(&format!(
        "40 slow senders: {} heads, {} bodies timed out",
        counters.connection(Connection::HeadTimeout),
        counters.of(Outcome::BodyTimeout)
    ));
    assert_eq!(counters.connection(Connection::HeadTimeout), 20);
}

#[tokio::test]
async fn a_thousand_right_events_are_answered_while_strangers_flood() {
    let board = board();
    let (receiver, _guard) = start(Settings::default(), &board).await;
    let to = receiver.address();
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..8 {
        flood.spawn(async move {
            loop {
                // Pipelined guesses, more than the limit lets through, so that it closes the connection.
                let Ok(mut wire) = Wire::connect(7, to).await else { continue };
                let _ = wire.send(post(NONCE, "guess").repeat(100)).await;
                wire.closed().await;
            }
        });
    }
    let mut wire = Wire::connect(2, to).await.unwrap();
    let mut latencies = Vec::new();
    let begun = Instant::now();
    for number in 0..1000 {
        if number == 999 {
            wire = Wire::connect(2, to).await.unwrap();
        }
        let sent = Instant::now();
        wire.send(post(NONCE, TOKEN)).await.unwrap();
        assert_eq!(wire.answer().await.unwrap().status, 204);
        latencies.push(sent.elapsed());
    }
    let rate = 1000.0 / begun.elapsed().as_secs_f64();
    flood.shutdown().await;
    latencies.sort();
    let strangers = receiver.counters().of(Outcome::Unauthorized) + receiver.counters().of(Outcome::StrangerLimited);
    assert_eq!(board.delivered().len(), 1000);
    assert!(strangers > 100, "{strangers}");
    figure(&format!(
        "1,000 right events at {rate:.0}/s beside {strangers} guesses: p50 {:?}, p99 {:?}, longest {:?}",
        latencies[500], latencies[990], latencies[999]
    ));
}
