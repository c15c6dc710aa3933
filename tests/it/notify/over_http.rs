//! The vectors of kind `notification` over real HTTP, against the receiver that the operator runs.

use std::fmt::Write as _;

use qos_operator::notify::receiver::{Outcome, Settings};
use qos_operator::notify::{Class, Effect, Seen};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::receiver::{Board, Pair, start};
use super::vectors::{attempts, body, event_in_words, holds, limit, own_vectors, query};
use super::wire::{Answer, Wire};

/// A vector's request as bytes.
fn bytes(request: &Value) -> Vec<u8> {
    let text = |key: &str| request[key].as_str().unwrap();
    let query = query(request).map_or_else(String::new, |query| format!("?{query}"));
    let mut head = format!("{} {}{query} HTTP/1.1\r\nHost: qos.example.com\r\n", text("method"), text("path"));
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        write!(head, "{name}: {}\r\n", value.as_str().unwrap()).unwrap();
    }
    let body = body(request).unwrap();
    if text("method") != "GET" && !head.to_lowercase().contains("\r\ncontent-length:") {
        write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    [head.as_bytes(), b"\r\n", &body].concat()
}

/// What became of the only request, by the receiver's own count.
fn class(counters: &qos_operator::notify::receiver::Counters) -> &'static str {
    let met: Vec<_> = counters.requests().filter(|(_, count)| *count > 0).collect();
    assert_eq!(met.len(), 1, "{met:?}");
    met[0].0.name()
}

async fn ask<Io: AsyncRead + AsyncWrite + Unpin>(mut wire: Wire<Io>, request: &Value) -> Result<Answer, String> {
    wire.send(bytes(request)).await.map_err(|error| error.to_string())?;
    let answer = wire.answer().await.ok_or("no answer")?;
    if answer.body.is_empty() { Ok(answer) } else { Err(format!("the answer has a body: {answer:?}")) }
}

/// Runs one vector; an error says how it failed.
async fn run(vector: &Value) -> Result<(), String> {
    let input = &vector["input"];
    let board = Board::of(attempts(&input["attempts"])?);
    let settings = Settings { body_bytes: limit(&input["limits"])?, ..Settings::default() };
    let (receiver, _guard) = start(settings, &board).await;
    let connect = || async { Wire::connect(1, receiver.address()).await.map_err(|error| error.to_string()) };
    let outcome = if let Some(deliveries) = input["deliveries"].as_array() {
        let mut statuses = Vec::new();
        for delivery in deliveries {
            statuses.push(ask(connect().await?, delivery).await?.status);
        }
        let mut seen = Seen::new(1000);
        let effects = board.delivered().into_iter().filter_map(|(target, class)| match class {
            Class::Accepted { event, .. } => Some(match seen.note(target.nonce.expose(), &event) {
                Effect::New => "new",
                Effect::Duplicate => "duplicate",
                Effect::Stale => "stale",
            }),
            _ => None,
        });
        json!({ "statuses": statuses, "effects": effects.collect::<Vec<_>>() })
    } else {
        let status = ask(connect().await?, &input["request"]).await?.status;
        let mut outcome = json!({ "status": status, "class": class(receiver.counters()) });
        match board.delivered().as_slice() {
            [] => {}
            [(_, Class::Accepted { event, binds })] => {
                outcome["event"] = event_in_words(event);
                outcome["binds"] = (*binds).into();
            }
            [(_, Class::Ignored { event })] => outcome["event"] = event_in_words(event),
            other => return Err(format!("delivered: {other:?}")),
        }
        outcome
    };
    let also = vector["mayAlso"].as_array().into_iter().flatten();
    if std::iter::once(&vector["expect"]).chain(also).any(|expected| holds(&outcome, expected)) {
        Ok(())
    } else {
        Err(format!("it was {outcome}, not {}", vector["expect"]))
    }
}

#[tokio::test]
async fn every_notification_vector_passes_over_http() {
    let vectors = own_vectors();
    assert!(vectors.len() >= 38, "only {} vectors were found", vectors.len());
    let mut failures = Vec::new();
    for vector in &vectors {
        if let Err(why) = run(vector).await {
            failures.push(format!("{}: {why}", vector["id"]));
        }
    }
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), vectors.len(), failures.join("\n"));
    super::wire::figure(&format!("{} notification vectors passed over HTTP", vectors.len()));
}

#[tokio::test]
async fn a_vector_whose_expectation_is_wrong_fails_over_http() {
    let mut vector = own_vectors().into_iter().find(|vector| vector["id"] == "v0.10.notification.official").unwrap();
    run(&vector).await.unwrap();
    for expect in [json!({"status": 410}), json!({"class": "Ignored"}), json!({"status": 204, "binds": true})] {
        vector["expect"] = expect;
        assert!(run(&vector).await.is_err(), "{}", vector["expect"]);
    }
}

#[tokio::test]
async fn a_vector_passes_with_tls() {
    let vector = own_vectors().into_iter().find(|vector| vector["id"] == "v1.2.notification.terminated").unwrap();
    let board = Board::of(attempts(&vector["input"]["attempts"]).unwrap());
    let (folder, pair) = (tempfile::tempdir().unwrap(), Pair::new());
    let settings = Settings { tls: Some(pair.write(folder.path())), ..Settings::default() };
    let (receiver, _guard) = start(settings, &board).await;
    let wire = Wire::connect_with_tls(receiver.address(), &pair.certificate).await.unwrap();
    assert_eq!(ask(wire, &vector["input"]["request"]).await.unwrap().status, 204);
    let delivered = board.delivered();
    assert!(matches!(&delivered[..], [(_, Class::Accepted { event, .. })] if event_in_words(event) == vector["expect"]["event"]));
    assert!(Wire::connect_with_tls(receiver.address(), &Pair::new().certificate).await.is_err(), "another certificate");
    assert_eq!(receiver.counters().of(Outcome::Accepted), 1);
}
