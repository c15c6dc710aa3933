//! The server for admins and their machines: `/metrics`, `/healthz`, `/readyz`. It changes nothing and tells no secret.
//!
//! It is bounded: one request a connection, a time for each, and a number of connections.

mod args;
mod health;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

pub use args::{AdminArguments, Listen};
pub use health::{BOUND, Check, Health, Part};

use crate::check;
use crate::vitals::Vitals;

/// Connections at once; a scraper and a kubelet need two.
const MOST_CONNECTIONS: usize = 128;
/// How long a request may take to arrive, and a whole connection to end.
const HEADER_TIME: Duration = Duration::from_secs(5);
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// How often the API server is asked what it serves, and how long that may take.
const ASK_PERIOD: Duration = Duration::from_secs(10);
const ASK_TIME: Duration = Duration::from_secs(5);

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    vitals: Vitals,
    _serving: AbortOnDropHandle<()>,
    _asking: Option<AbortOnDropHandle<()>>,
}

impl Admin {
    /// Begins to serve at `listen`. It answers whatever becomes of the rest, until it is dropped.
    ///
    /// # Errors
    /// When the address cannot be taken.
    pub async fn start(listen: SocketAddr, vitals: Vitals) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let serving = AbortOnDropHandle::new(tokio::spawn(serve(listener, vitals.clone())));
        Ok(Self { address, vitals, _serving: serving, _asking: None })
    }

    /// And the API server is asked every few seconds whether it serves our kinds, without which this process is never ready. Watches
    /// that fell silent show nowhere else before minutes have passed.
    #[must_use]
    pub fn asking(self, client: kube::Client) -> Self {
        let asking = AbortOnDropHandle::new(tokio::spawn(ask(client, self.vitals.health.clone())));
        Self { _asking: Some(asking), ..self }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: TcpListener, vitals: Vitals) {
    let router = routes::router(vitals);
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, router).await;
                    drop(place);
                });
            }
            // Too many open files, or a peer that has gone already.
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: axum::Router) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // A peer that hangs up or is slow is its own affair.
    let _ = tokio::time::timeout(CONNECTION_TIME, serving).await;
}

async fn ask(client: kube::Client, health: Health) {
    loop {
        let answer = tokio::time::timeout(ASK_TIME, check::missing_kinds(&client)).await;
        health.asked_api_server(answer.ok().flatten());
        // By real time: the API server knows no other.
        tokio::time::sleep(ASK_PERIOD).await;
    }
}
