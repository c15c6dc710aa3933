//! Accepts connections and serves each by itself, so that one can be cut without a byte of an answer, and the port can be closed and
//! opened again.

use std::net::SocketAddr;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Cuts the connection that a request came on. Each connection's requests carry theirs as an extension.
#[derive(Clone, Debug)]
pub(super) struct Switch(CancellationToken);

impl Switch {
    /// Closes the connection; the request that asks for it is never answered.
    pub(super) async fn cut(&self) -> std::convert::Infallible {
        self.0.cancel();
        std::future::pending().await
    }
}

/// Whether a port is to be open, and whether it is.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    wanted: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// An open one.
    pub(super) fn new() -> Self {
        Self { wanted: watch::Sender::new(true), open: watch::Sender::new(true) }
    }

    /// Opens or closes the port and returns when that is so.
    pub(super) async fn set(&self, open: bool) {
        self.wanted.send_replace(open);
        // An error means that the gate is gone, which cannot be: `self` holds it.
        let _ = self.open.subscribe().wait_for(|is| *is == open).await;
    }
}

/// How long a request that is under way at the shutdown has to end.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// How long a connection may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);

/// Serves `router` on `listener` until `shutdown`, then lets the requests under way end.
pub(super) async fn serve(listener: TcpListener, router: Router, gate: Gate, shutdown: CancellationToken) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    let connections = TaskTracker::new();
    let mut listener = Some(listener);
    let mut wanted = gate.wanted.subscribe();
    // Those open while the port is; all are cut when it closes.
    let mut period = CancellationToken::new();
    while !shutdown.is_cancelled() {
        // First, since the port may be wanted closed from the start.
        let open = *wanted.borrow_and_update();
        if !open && listener.take().is_some() {
            period.cancel();
            period = CancellationToken::new();
        } else if open && listener.is_none() {
            listener = Some(tokio::select! {
                listener = reopen(address) => listener,
                () = shutdown.cancelled() => break,
            });
        }
        gate.open.send_if_modified(|is| std::mem::replace(is, open) != open);
        tokio::select! {
            () = shutdown.cancelled() => {}
            changed = wanted.changed() => if changed.is_err() { break },
            accepted = accept(listener.as_ref()) => {
                let connection = connection(accepted, router.clone(), period.child_token(), shutdown.clone());
                connections.spawn(connection);
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(SHUTDOWN_GRACE, connections.wait()).await.is_err() {
        period.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// The next connection; never, while the port is closed.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                // Out of file descriptors, or a connection that is gone again: neither is cured by trying at once.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Opens the port again; somebody else may have it for a while.
async fn reopen(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => {
                tracing::warn!(%address, %error, "cannot open the port again yet");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, cut: CancellationToken, shutdown: CancellationToken) {
    // Small answers, each waited for: no reason to hold them back.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router.layer(Extension(Switch(cut.clone()))));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        biased;
        // Dropping the connection closes the socket.
        () = cut.cancelled() => return,
        served = connection.as_mut() => served,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                () = cut.cancelled() => return,
                served = connection => served,
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}
