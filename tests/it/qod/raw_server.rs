//! An HTTP/1.1 server whose every byte a test decides.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with a request that it has read.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Sends these bytes and keeps the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes the connection.
    BytesThenClose(Vec<u8>),
    /// Sends these bytes, and nothing more.
    BytesThenNothing(Vec<u8>),
    /// Resets the connection.
    Reset,
    /// Does not even read: answers the first byte with no HTTP and no TLS.
    Rubbish,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug)]
struct State {
    /// What the next requests get, one each; then `reply`.
    script: VecDeque<Reply>,
    reply: Reply,
    seen: Vec<Seen>,
    connections: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct RawServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl RawServer {
    pub(crate) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { script: VecDeque::new(), reply, seen: Vec::new(), connections: 0 }));
        let server = Self { address, state: Arc::clone(&state) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                state.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, Arc::clone(&state)));
            }
        });
        server
    }

    pub(crate) fn url(&self, scheme: &str, path: &str) -> url::Url {
        format!("{scheme}://{}{path}", self.address).parse().unwrap()
    }

    pub(crate) fn reply_with(&self, reply: Reply) {
        self.state.lock().unwrap().reply = reply;
    }

    /// The next requests get these, one each, before the usual reply.
    pub(crate) fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().script.extend(replies);
    }

    /// How many requests there are since the last [`RawServer::take_seen`].
    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().seen.len()
    }

    /// The requests since the last call.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    if matches!(state.lock().unwrap().reply, Reply::Rubbish) {
        let _ = stream.read_u8().await;
        let _ = stream.write_all(b"\0\0 no protocol at all").await;
        return;
    }
    let mut buffer = Vec::new();
    while let Some(seen) = read(&mut stream, &mut buffer).await {
        let reply = {
            let mut state = state.lock().unwrap();
            state.seen.push(seen);
            state.script.pop_front().unwrap_or_else(|| state.reply.clone())
        };
        match reply {
            Reply::Bytes(bytes) => stream.write_all(&bytes).await.unwrap(),
            Reply::BytesThenClose(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                return;
            }
            Reply::BytesThenNothing(bytes) => {
                let _ = stream.write_all(&bytes).await;
                tokio::time::sleep(Duration::from_mins(1)).await;
                return;
            }
            Reply::Reset | Reply::Rubbish => {
                stream.set_zero_linger().unwrap();
                return;
            }
        }
    }
}

/// The next request of the connection; none when it ends.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        more(stream, buffer).await?;
    };
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
    let (method, target) = (first.next().unwrap(), first.next().unwrap());
    let headers: Vec<(String, String)> =
        lines.map(|line| line.split_once(": ").unwrap()).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let mut seen = Seen { method, target, headers, body: Vec::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    while buffer.len() < length {
        more(stream, buffer).await?;
    }
    seen.body = buffer.drain(..length).collect();
    Some(seen)
}

async fn more(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<()> {
    match stream.read_buf(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}

/// An answer's bytes, with the right `Content-Length` (204 has none).
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    use std::fmt::Write;
    let mut head = format!("HTTP/1.1 {status} Whatever\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    if status != 204 {
        write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    format!("{head}\r\n{body}").into_bytes()
}
