//! What the receiver is bounded by.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// How the receiver works. The defaults are those of `docs/notifications.md`, section "Bounds".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The certificate that it shows; none: plain HTTP, for a proxy in front of it.
    pub tls: Option<TlsFiles>,
    /// How often the files of [`Settings::tls`] are looked at.
    pub tls_poll: Duration,
    /// The networks of the proxies in front of it. From these peers only, X-Forwarded-For is read.
    pub trusted_proxies: Vec<IpNet>,

    /// Bytes that a body may have. The largest event of any generation is below 1 KiB.
    pub body_bytes: usize,
    /// Bytes that a request's line and headers may have together; at least 8192.
    pub head_bytes: usize,
    /// Headers that a request may have.
    pub headers: usize,

    /// Connections at a time. One more is always taken, in the place of the oldest that has shown no right bearer yet.
    pub connections: usize,
    /// Connections at a time of one source that is no trusted proxy; one more takes the place of one of its own.
    pub connections_per_source: usize,
    /// Bodies that are read at a time. More than that wait, at most [`Settings::body_timeout`].
    pub bodies: usize,
    /// Requests after which a connection is closed, so that a balancer gets to spread its connections anew.
    pub requests_per_connection: u32,

    /// From a connection's beginning (with TLS, from its handshake's beginning and again from its end), and later from a request's
    /// first byte, to the end of the head.
    pub head_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// From a request's first byte to its answer.
    pub request_timeout: Duration,
    /// From an answer to the next request's first byte. Longer than common proxies keep an idle connection (60 s), so that it is they
    /// who close it: a POST on a connection that is being closed is lost.
    pub idle_timeout: Duration,
    /// How long requests under way have to end after the shutdown.
    pub shutdown_grace: Duration,

    /// Answers that a source without the right bearer gets; beyond that they are 429 and close the connection.
    pub strangers: Rate,
    /// Events that a source with the right bearer may send.
    pub senders: Rate,
}

/// The files of a certificate: those of a mounted Secret of type `kubernetes.io/tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and the intermediate ones behind it (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM: PKCS #8, PKCS #1 or SEC 1).
    pub key: PathBuf,
}

/// So many at once, and then so many in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In a second.
    pub per_second: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

impl Rate {
    /// Zero of either counts as one.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second: at_least_one(per_second), burst: at_least_one(burst) }
    }
}

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443)),
            tls: None,
            tls_poll: Duration::from_secs(5),
            trusted_proxies: Vec::new(),
            body_bytes: 64 * 1024,
            head_bytes: 16 * 1024,
            headers: 64,
            connections: 1024,
            connections_per_source: 128,
            bodies: 256,
            requests_per_connection: 1000,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            shutdown_grace: Duration::from_secs(5),
            strangers: Rate::new(10, 50),
            senders: Rate::new(500, 2000),
        }
    }
}
