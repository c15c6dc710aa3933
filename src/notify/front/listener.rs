//! Takes batches from the other replicas, on a port of its own that is never published.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Front;
use super::batch::{LARGEST, MAC_HEADER};

/// Where batches are posted.
pub const PATH: &str = "/hand-over";
/// A few for each replica; more than that wait.
pub(super) const CONNECTIONS: usize = 32;
/// From the beginning of a connection to the end of its head.
const HEAD: Duration = Duration::from_secs(5);
/// From the end of the head to the answer.
const ANSWER: Duration = Duration::from_secs(5);
/// A connection, which carries one request, is closed after this long, whatever it does.
const LIFE: Duration = Duration::from_secs(15);

/// Listens until `shutdown`; returns the address.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn start(listen: SocketAddr, front: Front, shutdown: CancellationToken) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let _ = shutdown.run_until_cancelled(accept(listener, front, shutdown.clone())).await;
    });
    Ok(address)
}

async fn accept(listener: TcpListener, front: Front, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files: some will be closed.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (front, ending) = (front.clone(), shutdown.clone());
        tokio::spawn(async move {
            let _ = ending.run_until_cancelled(timeout(LIFE, serve(stream, front))).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, front: Front) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let front = front.clone();
        async move {
            let status = timeout(ANSWER, answer(request, &front)).await.unwrap_or(StatusCode::REQUEST_TIMEOUT);
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = status;
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false);
    // What goes wrong with one connection is its client's affair.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, front: &Front) -> StatusCode {
    if request.uri().path() != PATH {
        return StatusCode::NOT_FOUND;
    }
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    let (head, body) = request.into_parts();
    let mac = head.headers.get(MAC_HEADER).and_then(|mac| mac.to_str().ok()).unwrap_or_default();
    let Ok(body) = to_bytes(Body::new(body), LARGEST).await else { return StatusCode::PAYLOAD_TOO_LARGE };
    // The keyed hash is over text.
    let Ok(body) = std::str::from_utf8(&body) else { return StatusCode::UNAUTHORIZED };
    match front.take(body, mac) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(refusal) => StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST),
    }
}
