//! Sends batches to the leader.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{redirect, retry};

use super::batch::MAC_HEADER;
use super::listener::PATH;
use crate::private::Private;

const CONNECT: Duration = Duration::from_secs(1);
const WHOLE: Duration = Duration::from_secs(3);

/// Why a batch did not arrive, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The Lease names no address.
    #[error("the leader has told no address: it needs --advertise-address (POD_IP)")]
    NoAddress,
    /// Nobody answered.
    #[error("the leader does not answer")]
    Unreachable,
    /// It was answered otherwise than 204.
    #[error("the leader answers {0}")]
    Refused(u16),
    /// There is no HTTP client.
    #[error("no HTTP client can be made")]
    NoClient,
}

pub(super) struct Sender(Option<reqwest::Client>);

impl Sender {
    pub(super) fn new() -> Self {
        // From Pod to Pod: no proxy, and no TLS, so no certificate either.
        let client = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .tls_certs_only(std::iter::empty())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            // The other end takes one request a connection.
            .pool_max_idle_per_host(0);
        Self(client.build().ok())
    }

    pub(super) async fn send(&self, address: Option<&str>, body: String, mac: &Private<String>) -> Result<(), Failure> {
        let client = self.0.as_ref().ok_or(Failure::NoClient)?;
        // An address and a port, nothing else: who writes the Lease cannot choose a path.
        let address: SocketAddr = address.and_then(|text| text.parse().ok()).ok_or(Failure::NoAddress)?;
        let request = client.post(format!("http://{address}{PATH}")).header(CONTENT_TYPE, "application/json");
        let answer = request.header(MAC_HEADER, mac.expose()).body(body).send().await.map_err(|_| Failure::Unreachable)?;
        match answer.status().as_u16() {
            204 => Ok(()),
            other => Err(Failure::Refused(other)),
        }
    }
}
