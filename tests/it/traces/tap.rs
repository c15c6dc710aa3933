//! Stands between the operator and a server, and keeps what the operator sends.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct Tap {
    address: String,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Before the server at `address`.
    pub(super) async fn before(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tap = Self { address: listener.local_addr().unwrap().to_string(), sent: Arc::default() };
        let sent = Arc::clone(&tap.sent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, address.clone(), Arc::clone(&sent)));
            }
        });
        tap
    }

    /// The URL with the tap in the server's place.
    pub(super) fn of(&self, url: &str) -> String {
        let mut url: url::Url = url.parse().unwrap();
        url.set_port(Some(self.address.rsplit_once(':').unwrap().1.parse().unwrap())).unwrap();
        url.into()
    }

    pub(super) fn sent(&self) -> String {
        String::from_utf8_lossy(&self.sent.lock()).into_owned()
    }
}

async fn pass(client: TcpStream, address: String, sent: Arc<Mutex<Vec<u8>>>) {
    let Ok(server) = TcpStream::connect(address).await else { return };
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut bytes = [0; 4096];
    while let Ok(read) = from_client.read(&mut bytes).await {
        if read == 0 || to_server.write_all(&bytes[..read]).await.is_err() {
            return;
        }
        sent.lock().extend_from_slice(&bytes[..read]);
    }
}
