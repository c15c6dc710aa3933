//! The HTTP server of notifications. What an event is, [`admit`](super::admit) says; what is here is what keeps a server on the open
//! Internet alive: bounds of bytes, of times, of connections and of requests per source.
//!
//! It speaks HTTP/1.1. No version of the API asks for more, each notification is one small request, and HTTP/2's streams would be one
//! more thing to bound. No answer has a body. Addresses, nonces and bearers are never printed.

mod accept;
mod answer;
mod connection;
mod counters;
mod rate;
mod seats;
mod settings;
mod source;
mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::rate::Limits;
use self::seats::{Seat, Seats};
use self::source::Proxies;
use self::tls::Certificates;
use super::Directory;

pub use self::counters::{Connection, Counters, Outcome, Reload};
pub use self::settings::{Rate, Settings, TlsFiles};
pub use self::tls::TlsError;

/// What all connections share.
pub struct Server {
    settings: Settings,
    directory: Arc<dyn Directory>,
    proxies: Proxies,
    limits: Limits,
    seats: Arc<Seats>,
    /// One permit for each body that may be read at a time.
    bodies: Semaphore,
    counters: Arc<Counters>,
}

impl Server {
    /// A server that listens nowhere yet. [`start`] makes one that does.
    pub fn new(settings: Settings, directory: Arc<dyn Directory>) -> Self {
        Self {
            directory,
            proxies: Proxies::new(settings.trusted_proxies.clone()),
            limits: Limits::new(settings.strangers, settings.senders),
            seats: Arc::new(Seats::new(settings.connections, settings.connections_per_source)),
            bodies: Semaphore::new(settings.bodies.clamp(1, Semaphore::MAX_PERMITS)),
            counters: Arc::default(),
            settings,
        }
    }

    /// Serves one connection, as those from the socket are served, and returns when it has ended. It counts in no share.
    pub async fn converse<Io>(&self, io: Io, peer: IpAddr, shutdown: &CancellationToken)
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        self.serve(io, &Seat::apart(peer), shutdown).await;
    }

    /// What it counts.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}

/// A receiver that runs.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    counters: Arc<Counters>,
    running: JoinHandle<()>,
}

impl Receiver {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it counts.
    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Returns when it has ended, which it does after the shutdown, within [`Settings::shutdown_grace`] and a moment. An error says
    /// that it panicked.
    pub async fn ended(self) -> io::Result<()> {
        self.running.await.map_err(io::Error::other)
    }
}

/// Listens, and serves until `shutdown`. An error tells that the address cannot be had, or that the certificate cannot be used.
pub async fn start(settings: Settings, directory: Arc<dyn Directory>, shutdown: CancellationToken) -> io::Result<Receiver> {
    let certificates = match settings.tls.clone() {
        Some(files) => Some(Certificates::load(files).await.map_err(io::Error::other)?),
        None => None,
    };
    let listen = settings.listen;
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr()?;
    let every = settings.tls_poll;
    let server = Arc::new(Server::new(settings, directory));
    let counters = Arc::clone(&server.counters);
    let mut acceptor = None;
    if let Some((certificates, first)) = certificates {
        let certificates = Arc::new(certificates);
        acceptor = Some(certificates.acceptor().map_err(io::Error::other)?);
        let watch = certificates.watch(every, first, Arc::clone(&counters));
        let shutdown = shutdown.clone();
        tokio::spawn(async move { shutdown.run_until_cancelled(watch).await });
    }
    tracing::info!(%address, tls = acceptor.is_some(), "notifications are received");
    let running = tokio::spawn(accept::accept(listener, server, acceptor, shutdown));
    Ok(Receiver { address, counters, running })
}
