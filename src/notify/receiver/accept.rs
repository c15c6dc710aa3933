//! Takes connections until the shutdown, and then lets those that are being served end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Server;
use super::counters::Connection;
use super::seats::{Asked, Taken};

/// After an error of accept: out of file descriptors, or a connection that is gone again. Neither is cured by trying at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `shutdown`, and returns when every connection has ended.
pub(super) async fn accept(listener: TcpListener, server: Arc<Server>, tls: Option<TlsAcceptor>, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(place) = server.place(peer) {
                    let (server, tls, shutdown) = (Arc::clone(&server), tls.clone(), shutdown.clone());
                    connections.spawn(async move { server.run(stream, tls, place, shutdown).await });
                }
            }
            Err(error) => {
                tracing::warn!(kind = %error.kind(), "the notification receiver could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if timeout(server.settings.shutdown_grace, connections.wait()).await.is_err() {
        server.seats.cut_all();
        connections.wait().await;
    }
}

impl Server {
    /// A place for a connection of `peer`; none where all are being served.
    fn place(&self, peer: SocketAddr) -> Option<Taken> {
        let ip: IpAddr = peer.ip();
        let share = (!self.proxies.has(ip)).then(|| ip.into());
        let (event, place) = match self.seats.ask(ip, share) {
            Asked::Free(place) => (None, Some(place)),
            Asked::Evicted(place) => (Some(Connection::Evicted), Some(place)),
            Asked::Full => (Some(Connection::Refused), None),
        };
        event.into_iter().chain(place.is_some().then_some(Connection::Accepted)).for_each(|event| self.counters.met(event));
        place
    }

    async fn run(&self, stream: TcpStream, tls: Option<TlsAcceptor>, place: Taken, shutdown: CancellationToken) {
        let _open = self.counters.opened();
        // Small answers, each waited for: no reason to hold them back.
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.serve(stream, &place.seat, &shutdown).await,
            Some(tls) => {
                let handshake = tokio::select! {
                    biased;
                    () = place.seat.cut.cancelled() => None,
                    // There is no request yet that could be lost.
                    () = shutdown.cancelled() => None,
                    handshake = timeout(self.settings.head_timeout, tls.accept(stream)) => Some(handshake),
                };
                match handshake {
                    Some(Ok(Ok(stream))) => self.serve(stream, &place.seat, &shutdown).await,
                    Some(Ok(Err(_))) => self.counters.met(Connection::HandshakeFailed),
                    Some(Err(_)) => self.counters.met(Connection::HandshakeTimeout),
                    None => {}
                }
            }
        }
    }
}
