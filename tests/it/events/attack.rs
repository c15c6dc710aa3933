//! Whoever has the receiver's address may send it anything: the operator's own work goes on meanwhile.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qos_operator::simulator::Selection;
use qos_operator::simulator::generation::Generation;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::scene::Scene;
use crate::support::stage::condition;

const SESSIONS: usize = 10;

/// A connection from 127.0.0.`from`, which counts as a source of its own.
async fn connect(from: u8, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::from(Ipv4Addr::new(127, 0, 0, from)), 0).into())?;
    socket.connect(to).await
}

/// Sends `start` and then `piece` again and again, until the other side has enough.
async fn pour(from: u8, to: SocketAddr, start: &str, piece: &[u8]) -> std::io::Result<()> {
    let mut stream = connect(from, to).await?;
    stream.write_all(start.as_bytes()).await?;
    for _ in 0..1600 {
        stream.write_all(piece).await?;
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_made_told_and_released_while_the_receiver_is_under_attack() {
    let scene = Scene::new("attack", Generation::V0_10, "v0.10").await;
    let (stage, to) = (&scene.stage, scene.address());
    let path = "/notify/00000000000000000000000000000001/00000000000000000000000000000002";
    let attempts = Arc::new(AtomicU64::new(0));
    let mut attackers = Vec::new();
    // Guesses of bearers and nonces, bodies of 100 MB with and without a length, heads without an end; each from sources of its own.
    for attacker in 0..8_u8 {
        let attempts = Arc::clone(&attempts);
        attackers.push(AbortOnDropHandle::new(tokio::spawn(async move {
            let piece = vec![b'x'; 65_536];
            for round in 0_u32.. {
                attempts.fetch_add(1, Ordering::Relaxed);
                let guess = format!("POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {round:064x}\r\n");
                let from = 10 + attacker;
                // What the receiver cuts off is what is asked for.
                let _ = match attacker % 4 {
                    0 => pour(from, to, &format!("{guess}Content-Length: 104857600\r\n\r\n"), &piece).await,
                    1 => pour(from, to, &format!("{guess}Transfer-Encoding: chunked\r\n\r\n10000\r\n"), &piece).await,
                    2 => pour(from, to, &format!("{guess}X: "), &piece).await,
                    _ => pour(from, to, &format!("{guess}Content-Length: 2\r\n\r\n{{}}"), b"").await,
                };
                // The other tests of this machine are to go on too.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        })));
    }
    // Connections that say nothing, from many sources.
    let mut idle = Vec::new();
    for number in 0..1500_usize {
        if let Ok(stream) = connect(u8::try_from(20 + number % 200).unwrap(), to).await {
            idle.push(stream);
        }
    }

    for number in 0..SESSIONS {
        let device = json!({ "phoneNumber": format!("+44770090{number:04}") });
        stage
            .create(&format!("camera-{number}"), json!({ "device": device, "durationSeconds": 3600, "recoveryPolicy": "Never" }))
            .await;
    }
    for number in 0..SESSIONS {
        stage.available(&format!("camera-{number}")).await;
    }
    let (events, tried) = (stage.admin.notifications(), attempts.load(Ordering::Relaxed));
    assert_eq!(stage.admin.terminate(&Selection::default()), SESSIONS);
    for number in 0..SESSIONS {
        let told = |object: &qos_operator::api::QosSession| condition(object, "Available").0 == "False";
        stage.until(&format!("camera-{number}"), "told that it is over", told).await;
    }
    scene.delivered().await;
    let counts = stage.admin.notifications();
    println!(
        "{} idle connections, {} attacks; {} of {} events accepted",
        idle.len(),
        attempts.load(Ordering::Relaxed),
        counts.accepted,
        counts.sent
    );
    assert_eq!((counts.refused, counts.unanswered), (0, 0), "every event of the provider came through: {counts:?}");
    assert!(counts.accepted >= events.accepted + u64::try_from(SESSIONS).unwrap());
    assert!(idle.len() > 1000 && tried > 0 && attempts.load(Ordering::Relaxed) > tried, "the attack went on all the time");
    drop((attackers, idle));
    scene.finish().await;
}
