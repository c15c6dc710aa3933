//! The rules of HTTP that hold for every call to a provider, at its API and at its token endpoint.
//!
//! No request is sent twice, in no layer: reqwest's repetition is off (`retry::never`), redirects are not followed, and whoever
//! changes something takes a client that keeps no connection, because hyper repeats a request when the kept connection that it
//! chose was closed meanwhile. A call has a time, an answer has a size. Proxies are those of the process's environment
//! (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), as reqwest reads them.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::redirect;

use crate::clock::Clock;
use crate::private::Private;
use crate::qod::{Answer, Body};

/// No answer of these APIs is longer; one that is says nothing.
const LARGEST_BODY: usize = 1024 * 1024;
/// Below the 5 s after which common servers close a connection that is idle.
const POOL_IDLE: Duration = Duration::from_secs(4);
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// The certificate that the operator shows to a provider (mutual TLS), with its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate(Private<Vec<u8>>);

impl ClientCertificate {
    /// Takes both as PEM: the certificate with the intermediate ones that belong to it, and its key (PKCS #8, PKCS #1 or SEC 1).
    pub fn new(certificates: &[u8], key: &[u8]) -> Self {
        Self(Private::new([certificates, b"\n", key].concat()))
    }
}

/// A client cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The CA bundle is not made of PEM certificates.
    #[error("the CA bundle holds no PEM certificates, or one that cannot be read")]
    CaBundle,
    /// The client certificate or its key cannot be read, or they do not belong together.
    #[error("the client certificate and its key are no PEM, or do not belong together")]
    ClientCertificate,
    /// The TLS library could not be set up, for want of root certificates for instance.
    #[error("TLS could not be set up")]
    Tls,
}

/// How connections to a provider are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connections<'a> {
    /// From the first byte of the connection to the last one of the answer. A connection must stand after half of it, and after
    /// 10 s.
    pub(crate) timeout: Duration,
    /// PEM certificates to trust beside the system's.
    pub(crate) ca_bundle: Option<&'a [u8]>,
    /// What the operator shows of itself.
    pub(crate) client_certificate: Option<&'a ClientCertificate>,
}

impl Connections<'_> {
    /// A client that sends `headers` with every request and keeps that many idle connections to a host. One that keeps some speaks
    /// HTTP/1.1 only: there a connection whose request timed out is dropped with it, while one of HTTP/2 would be kept for others,
    /// dead as it may be.
    pub(crate) fn client(&self, mut headers: HeaderMap, keep: usize) -> Result<reqwest::Client, ClientError> {
        headers.values_mut().for_each(|value| value.set_sensitive(true));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let identity = match self.client_certificate {
            None => None,
            Some(ClientCertificate(pem)) => {
                Some(reqwest::Identity::from_pem(pem.expose()).map_err(|_| ClientError::ClientCertificate)?)
            }
        };
        if let Some(identity) = identity {
            // A build that fails does not say what about; whether it goes without the certificate does.
            self.builder(headers.clone(), keep)?.identity(identity).build().or_else(|_| {
                self.build(headers, keep)?;
                Err(ClientError::ClientCertificate)
            })
        } else {
            self.build(headers, keep)
        }
    }

    fn build(&self, headers: HeaderMap, keep: usize) -> Result<reqwest::Client, ClientError> {
        let otherwise = if self.ca_bundle.is_some() { ClientError::CaBundle } else { ClientError::Tls };
        self.builder(headers, keep)?.build().map_err(|_| otherwise)
    }

    fn builder(&self, headers: HeaderMap, keep: usize) -> Result<reqwest::ClientBuilder, ClientError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("qos-operator/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(LONGEST_CONNECT.min(self.timeout / 2))
            .timeout(self.timeout)
            .pool_max_idle_per_host(keep)
            .pool_idle_timeout(POOL_IDLE);
        if keep > 0 {
            builder = builder.http1_only();
        }
        if let Some(bundle) = self.ca_bundle {
            let certificates = reqwest::Certificate::from_pem_bundle(bundle).map_err(|_| ClientError::CaBundle)?;
            if certificates.is_empty() {
                return Err(ClientError::CaBundle);
            }
            builder = builder.tls_certs_merge(certificates);
        }
        Ok(builder)
    }
}

/// An answer, all of it that is read.
pub(crate) struct Received {
    status: u16,
    headers: HeaderMap,
    body: Read,
    at: Timestamp,
}

enum Read {
    Whole(Vec<u8>),
    TooLong,
    Lost,
}

impl Received {
    /// Reads the rest of an answer.
    pub(crate) async fn from(mut response: reqwest::Response, clock: &Clock) -> Self {
        let at = clock.now();
        let body = read(&mut response).await;
        let headers = std::mem::take(response.headers_mut());
        Self { status: response.status().as_u16(), headers, body, at }
    }

    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            headers: &self.headers,
            body: match &self.body {
                Read::Whole(body) => Body::Whole(body),
                Read::Lost => Body::Lost,
                Read::TooLong => Body::TooLong,
            },
            received_at: self.at,
        }
    }
}

async fn read(response: &mut reqwest::Response) -> Read {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_BODY => return Read::TooLong,
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Read::Whole(body),
            Err(_) => return Read::Lost,
        }
    }
}
