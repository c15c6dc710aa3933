//! Connections below HTTP: what a client really sees when one is cut.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::faults::{Fault, Target, What};
use super::super::settings::{Outage, Settings};
use super::{PHONE, Stage, order};

/// Sends a creation and reads to the end of the connection.
async fn bytes_of_an_answer(stage: &Stage) -> Vec<u8> {
    let mut stream = TcpStream::connect(stage.simulator.address()).await.unwrap();
    let body = order(PHONE).to_string();
    let head = format!(
        "POST /apigateway/qod/v0/sessions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        stage.token,
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset ends the connection too; what was read before it counts.
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection is still open");
    answer
}

#[tokio::test]
async fn a_cut_connection_carries_no_byte_of_an_answer_with_or_without_the_effect() {
    for (what, created) in [(What::Refuse, 0), (What::DropBefore, 0), (What::DropAfter, 1), (What::Late { seconds: 60 }, 0)] {
        let stage = Stage::new(Settings::default()).await;
        stage.admin.add_fault(Fault::once(Target::Create, what.clone())).unwrap();
        assert_eq!(bytes_of_an_answer(&stage).await, b"", "{what:?}");
        assert_eq!(stage.admin.ledger().created, created, "{what:?}");
    }
}

#[tokio::test]
async fn a_cut_body_begins_and_does_not_end() {
    let stage = Stage::new(Settings::default()).await;
    stage.admin.add_fault(Fault::once(Target::Create, What::CutBody)).unwrap();
    let answer = String::from_utf8(bytes_of_an_answer(&stage).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length: usize = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!(!body.is_empty() && body.len() < length, "{} of {length}", body.len());
    assert_eq!(stage.admin.ledger().created, 1);
}

#[tokio::test]
async fn an_outage_refuses_connections_cuts_those_that_are_open_and_ends_on_the_same_port() {
    let stage = Stage::new(Settings::default()).await;
    let id = stage.session(order(PHONE)).await;
    let mut open = TcpStream::connect(stage.simulator.address()).await.unwrap();
    // Only a connection that is served is surely cut, not one that still waits to be accepted.
    open.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(open.read(&mut [0; 1024]).await.unwrap() > 0);
    stage.admin.change(|settings| settings.outage = Outage::Refused).await.unwrap();
    let refused = TcpStream::connect(stage.simulator.address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let ended = tokio::time::timeout(Duration::from_secs(5), open.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "an open connection outlives the outage");
    stage.admin.change(|settings| settings.outage = Outage::None).await.unwrap();
    assert_eq!(stage.get(id).await.1["qosStatus"], json!("AVAILABLE"));
}

#[tokio::test]
async fn a_simulator_that_starts_in_an_outage_refuses_and_a_taken_port_is_named() {
    let stage = Stage::new(Settings { outage: Outage::Refused, ..Settings::default() }).await;
    assert!(TcpStream::connect(stage.simulator.address()).await.is_err());
    stage.admin.change(|settings| settings.outage = Outage::None).await.unwrap();
    let taken = stage.simulator.address();
    let second = super::Simulator::builder(super::Clock::system()).listen(taken).start().await.unwrap_err();
    assert!(second.to_string().starts_with(&format!("cannot listen on {taken}: ")), "{second}");
}

#[tokio::test]
async fn a_shutdown_answers_what_is_under_way_and_closes_the_port() {
    let stage = Stage::new(Settings::default()).await;
    stage.admin.add_fault(Fault::once(Target::Create, What::Delay { before_seconds: 0.0, after_seconds: 0.3 })).unwrap();
    let address = stage.simulator.address();
    let Stage { simulator, admin, http, token } = stage;
    let request = http.post(format!("{}/sessions", simulator.url())).bearer_auth(token).json(&order(PHONE)).send();
    let request = tokio::spawn(request);
    while admin.ledger().created == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    simulator.shutdown().await;
    assert_eq!(request.await.unwrap().unwrap().status().as_u16(), 201);
    assert!(TcpStream::connect(address).await.is_err());
}
