//! HTTP/1.1 by hand: what is sent is what a test writes, and what comes back is read byte by byte.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Longer than anything takes; a test that waits so long has failed.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

pub(super) const NONCE: &str = "4f0c2a9e6b7d4c1fa3e58d20b9c7e611";
pub(super) const TOKEN: &str = "n3mZ0q2Jr8vK5tYx1LwB7dPfHs4GcUaE";

/// A client's end of a connection.
pub(super) struct Wire<Io = TcpStream> {
    pub(super) io: Io,
    unread: Vec<u8>,
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The status line and the headers, but for the date.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The head without its status line.
    pub(super) fn headers(&self) -> &str {
        self.head.split_once("\r\n").map_or("", |(_, headers)| headers)
    }
}

impl Wire {
    /// From 127.0.0.`from`: on loopback each of its addresses can be a source.
    pub(super) async fn connect(from: u8, to: SocketAddr) -> io::Result<Self> {
        Self::connect_by(TcpSocket::new_v4()?, from, to).await
    }

    /// The same, by a socket that keeps little of what it cannot send yet, so that who writes much sees how far the other side reads.
    pub(super) async fn connect_narrowly(from: u8, to: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_send_buffer_size(4096)?;
        Self::connect_by(socket, from, to).await
    }

    async fn connect_by(socket: TcpSocket, from: u8, to: SocketAddr) -> io::Result<Self> {
        socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into())?;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }
}

impl Wire<TlsStream<TcpStream>> {
    /// With TLS, trusting this certificate (PEM) alone.
    pub(super) async fn connect_with_tls(to: SocketAddr, certificate: &str) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::from(to.ip());
        let stream = TcpStream::connect(to).await?;
        Ok(Self::over(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Wire<Io> {
    pub(super) const fn over(io: Io) -> Self {
        Self { io, unread: Vec::new() }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.io.write_all(bytes.as_ref()).await?;
        self.io.flush().await
    }

    /// Writes `chunk` again and again until that fails or it was all written `times` times; how many bytes went out.
    pub(super) async fn pour(&mut self, chunk: &[u8], times: usize) -> usize {
        for number in 0..times {
            if self.io.write_all(chunk).await.is_err() {
                return number * chunk.len();
            }
        }
        chunk.len() * times
    }

    /// The next answer; none: the connection ended before it.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        tokio::time::timeout(PATIENCE, self.read_answer()).await.expect("no answer came")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let head = String::from_utf8(self.unread.drain(..end + 4).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let lines = head.trim_end().split("\r\n").filter(|line| !line.to_lowercase().starts_with("date:"));
        let mut answer = Answer { status, head: lines.collect::<Vec<_>>().join("\r\n"), body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        assert_eq!(answer.header("transfer-encoding"), None);
        while self.unread.len() < length {
            self.fill().await?;
        }
        answer.body = self.unread.drain(..length).collect();
        Some(answer)
    }

    /// Waits until the other side has closed; what came before that, beyond the answers that were read.
    pub(super) async fn closed(&mut self) -> Vec<u8> {
        let end = async { while self.fill().await.is_some() {} };
        tokio::time::timeout(PATIENCE, end).await.expect("the connection stays open");
        std::mem::take(&mut self.unread)
    }

    async fn fill(&mut self) -> Option<()> {
        let mut chunk = [0; 4096];
        match self.io.read(&mut chunk).await {
            Ok(0) | Err(_) => None,
            Ok(read) => {
                self.unread.extend_from_slice(chunk.get(..read).unwrap());
                Some(())
            }
        }
    }
}

/// The head of a POST for `nonce`.
pub(super) fn head(nonce: &str, token: &str, more: &str) -> String {
    format!(
        "POST /notify/9b1d7e305c2f4a6d8e0c1b2a3f4d5e6c/{nonce} HTTP/1.1\r\nHost: qos.example.com\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/cloudevents+json\r\n{more}\r\n"
    )
}

/// A whole notification for `nonce`.
pub(super) fn post(nonce: &str, token: &str) -> String {
    post_with(nonce, token, "")
}

/// The same, with more headers.
pub(super) fn post_with(nonce: &str, token: &str, more: &str) -> String {
    let body = event().to_string();
    head(nonce, token, &format!("{more}Content-Length: {}\r\n", body.len())) + &body
}

pub(super) fn event() -> serde_json::Value {
    json!({
        "id": "83684644", "source": "https://api.example.com/sessions/s-1", "specversion": "1.0",
        "type": "org.camaraproject.quality-on-demand.v1.qos-status-changed", "time": "2026-01-02T03:10:00Z",
        "data": {"sessionId": "0b7e6a52-94c1-4e0d-8a3f-5d2c7be91f04", "qosStatus": "UNAVAILABLE", "statusInfo": "NETWORK_TERMINATED"},
    })
}

/// Sends one right event on a connection of its own, and demands that it is accepted.
pub(super) async fn right_event(from: u8, to: SocketAddr) {
    let mut wire = Wire::connect(from, to).await.unwrap();
    wire.send(post(NONCE, TOKEN)).await.unwrap();
    assert_eq!(wire.answer().await.map(|answer| answer.status), Some(204), "a right event of 127.0.0.{from}");
}

/// Past the capture of a passing test's output: figures belong into the log of a run.
pub(super) fn figure(text: &str) {
    writeln!(io::stderr(), "{text}").unwrap();
}
