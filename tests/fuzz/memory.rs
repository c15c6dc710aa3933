//! What a connection may cost, counted by the allocator. Other targets run beside it, so the bounds are wide; the floods are wider.

use std::net::IpAddr;
use std::sync::Arc;

use qos_operator::notify::receiver::{Server, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio_util::sync::CancellationToken;

use super::router::{One, runtime};
use super::{ALLOCATOR, NONCE, TOKEN};

/// Pours `start`, and then `piece` until a hundred megabytes are through or the server closes; the most memory that was held
/// meanwhile beyond what was before, and how many bytes the server took.
async fn pour(start: &str, piece: &[u8]) -> (usize, usize) {
    let server = Server::new(Settings::default(), Arc::new(One::default()));
    let (client, inner) = duplex(16 << 10);
    let (mut answers, mut requests) = tokio::io::split(client);
    let shutdown = CancellationToken::new();
    let before = ALLOCATOR.allocated();
    let (mut most, mut taken) = (0, 0);
    let flood = async {
        requests.write_all(start.as_bytes()).await.unwrap();
        while taken < 100 << 20 && requests.write_all(piece).await.is_ok() {
            taken += piece.len();
            most = most.max(ALLOCATOR.allocated().saturating_sub(before));
        }
    };
    let mut answered = Vec::new();
    tokio::join!(server.converse(inner, IpAddr::from([192, 0, 2, 1]), &shutdown), flood, answers.read_to_end(&mut answered))
        .2
        .unwrap();
    assert!(answered.len() < 1000, "{}", answered.len());
    (most, taken)
}

static BLANKS: [u8; 65_536] = [b' '; 65_536];
static LETTERS: [u8; 65_536] = [b'x'; 65_536];

#[test]
fn a_flood_of_a_hundred_megabytes_costs_less_than_a_few_and_is_cut_off() {
    let head =
        format!("POST /k/{NONCE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n");
    let chunk = [b"10000\r\n", &BLANKS[..], b"\r\n"].concat();
    for (what, start, piece) in [
        ("a body of a known length", format!("{head}Content-Length: 104857600\r\n\r\n"), &BLANKS[..]),
        ("a chunked body", format!("{head}Transfer-Encoding: chunked\r\n\r\n"), &chunk),
        ("a header", format!("{head}X: "), &LETTERS),
        ("headers", head.clone(), &b"X: y\r\n".repeat(10_000)),
        ("a path", "POST /".to_owned(), &LETTERS),
    ] {
        let (most, taken) = runtime().block_on(pour(&start, piece));
        println!("{what}: {taken} bytes were taken, at most {most} more were held");
        assert!(taken < 4 << 20, "{what}: {taken} bytes were taken");
        assert!(most < 64 << 20, "{what}: {most} bytes were held");
    }
}
