//! One connection: HTTP/1.1 on it, the times that it may take, and its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use futures::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Server;
use super::counters::Connection;
use super::seats::Seat;
use super::settings::Settings;

/// hyper takes no smaller buffer.
const SMALLEST_BUFFER: usize = 8192;
/// After the last answer, so much more of what the sender still had under way is thrown away, for so long. Closing a socket with unread
/// bytes resets it, and a reset may overtake the answer.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(2);

/// What a connection waits for, and since when.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The first byte of a further request.
    Idle(Instant),
    /// The rest of a request's head.
    Head(Instant),
    /// The answer; the time is that of the request's first byte.
    Answer(Instant),
}

impl Phase {
    /// When this takes too long, and how that is counted.
    fn deadline(self, settings: &Settings) -> (Instant, Connection) {
        match self {
            Self::Idle(since) => (since + settings.idle_timeout, Connection::IdleTimeout),
            Self::Head(since) => (since + settings.head_timeout, Connection::HeadTimeout),
            Self::Answer(since) => (since + settings.request_timeout, Connection::RequestTimeout),
        }
    }
}

/// The phase of a connection, which its input and its service move on.
type Pulse = watch::Sender<Phase>;

/// Returns when the connection has waited too long for the same thing.
async fn overdue(pulse: &Pulse, settings: &Settings) -> Connection {
    let mut phases = pulse.subscribe();
    loop {
        let (deadline, event) = phases.borrow_and_update().deadline(settings);
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => return event,
            // `pulse` is borrowed, so it cannot be gone.
            _ = phases.changed() => {}
        }
    }
}

/// An input that notes when a request begins.
struct Noted<'a, Io> {
    io: Io,
    pulse: &'a Pulse,
}

impl<Io: AsyncRead + Unpin> AsyncRead for Noted<'_, Io> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pulse.send_if_modified(|phase| {
                let idle = matches!(phase, Phase::Idle(_));
                if idle {
                    *phase = Phase::Head(Instant::now());
                }
                idle
            });
        }
        read
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Noted<'_, Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

impl Server {
    /// Serves one connection to its end, or until its seat is cut.
    pub(super) async fn serve<Io>(&self, io: Io, seat: &Seat, shutdown: &CancellationToken)
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        tokio::select! {
            biased;
            // Dropping the connection closes the socket.
            () = seat.cut.cancelled() => {}
            () = self.speak(io, seat, shutdown) => {}
        }
    }

    async fn speak<Io>(&self, io: Io, seat: &Seat, shutdown: &CancellationToken)
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let pulse = Pulse::new(Phase::Head(Instant::now()));
        let requests = AtomicU32::new(0);
        let service = service_fn(|request: Request<Incoming>| self.respond(seat, &pulse, &requests, request).boxed());
        let settings = &self.settings;
        let mut http = http1::Builder::new();
        // The times are watched here: hyper's own does not tell a connection that is idle from a head that does not end.
        http.timer(TokioTimer::new()).header_read_timeout(None);
        http.max_buf_size(settings.head_bytes.max(SMALLEST_BUFFER)).max_header_size(settings.head_bytes);
        // A sender may close its direction after the request and still read the answer.
        http.max_headers(settings.headers).half_close(true);
        let mut connection = http.serve_connection(TokioIo::new(Noted { io, pulse: &pulse }), service);
        let mut ending = false;
        let served = loop {
            tokio::select! {
                served = poll_fn(|context| connection.poll_without_shutdown(context)) => break served,
                event = overdue(&pulse, settings) => return self.counters.met(event),
                () = shutdown.cancelled(), if !ending => {
                    ending = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        if served.is_err_and(|error| error.is_parse()) {
            self.counters.met(Connection::NotHttp);
        }
        linger(connection.into_parts().io.into_inner().io).await;
    }

    /// One request of the connection.
    async fn respond(
        &self,
        seat: &Seat,
        pulse: &Pulse,
        requests: &AtomicU32,
        request: Request<Incoming>,
    ) -> Result<axum::response::Response, Infallible> {
        let since = match *pulse.borrow() {
            Phase::Head(since) => since,
            // It had come together with the one before.
            Phase::Idle(_) | Phase::Answer(_) => Instant::now(),
        };
        pulse.send_replace(Phase::Answer(since));
        let mut response = self.answer(seat, request).await.response();
        if requests.fetch_add(1, Ordering::Relaxed) + 1 >= self.settings.requests_per_connection {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        pulse.send_replace(Phase::Idle(Instant::now()));
        Ok(response)
    }
}

/// Ends our direction, and lets the other one run out.
async fn linger<Io: AsyncRead + AsyncWrite + Unpin>(mut io: Io) {
    let rest = async {
        io.shutdown().await?;
        let mut scrap = [0; 4096];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match io.read(&mut scrap).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    };
    // A sender that is gone, or that does not stop, gets no more than that.
    let _ = tokio::time::timeout(LINGER_TIME, rest).await;
}
