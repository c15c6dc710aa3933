//! Moves the bytes: each request once, within a time, and no more of an answer than anyone needs.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect;
use url::Url;
use uuid::Uuid;

use super::answer::{Answer, Body};
use super::classify;
use super::fault::{Fault, FaultClass, Reason};
use super::generation::Operation;
use super::session::AccessToken;
use super::settings::{Settings, SettingsError};
use super::wire::{Api, Request};
use crate::clock::Clock;

/// No answer of this API is longer; one that is says nothing.
const LARGEST_BODY: usize = 1024 * 1024;
/// Below the 5 s after which common servers close a connection that is idle.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// Since 0.11; the provider echoes it and logs it, so that a request can be found there.
const X_CORRELATOR: &str = "x-correlator";
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// The connections to one provider.
///
/// No request is sent twice, in no layer:
/// - reqwest would repeat a request that HTTP/2 says was not processed: `retry::never()`;
/// - hyper would repeat one on a new connection when the kept one that it chose was closed meanwhile (`retry_canceled_requests`,
///   which reqwest leaves on), and a server that closes while the request is on its way may have taken it. It does so only on a
///   connection that was used before. So everything that changes something goes over `fresh`, which keeps no connection; only
///   reads, which may be repeated, share those of `kept`;
/// - a redirect would repeat it elsewhere: `redirect::Policy::none()`.
///
/// A connection whose request timed out is dropped with the request. That is so with HTTP/1.1 only: one of HTTP/2 would be kept for
/// others, dead as it may be, so `kept` does not speak it.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    fresh: reqwest::Client,
    kept: reqwest::Client,
    sessions: Url,
    profiles: Url,
    clock: Clock,
}

/// An answer, all of it that is read.
pub(super) struct Received {
    status: u16,
    headers: HeaderMap,
    body: Read,
    at: Timestamp,
}

impl Received {
    pub(super) fn answer(&self) -> Answer<'_> {
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

impl Transport {
    pub(super) fn new(settings: Settings) -> Result<Self, SettingsError> {
        let builder = |keep: usize| {
            let mut headers = settings.extra_headers.expose().clone();
            headers.values_mut().for_each(|value| value.set_sensitive(true));
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            let mut builder = reqwest::Client::builder()
                .user_agent(concat!("qos-operator/", env!("CARGO_PKG_VERSION")))
                .default_headers(headers)
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .connect_timeout(LONGEST_CONNECT.min(settings.request_timeout / 2))
                .timeout(settings.request_timeout)
                .pool_max_idle_per_host(keep)
                .pool_idle_timeout(POOL_IDLE);
            if keep > 0 {
                builder = builder.http1_only();
            }
            if let Some(bundle) = &settings.ca_bundle {
                let certificates = reqwest::Certificate::from_pem_bundle(bundle).map_err(|_| SettingsError::CaBundle)?;
                if certificates.is_empty() {
                    return Err(SettingsError::CaBundle);
                }
                builder = builder.tls_certs_merge(certificates);
            }
            builder.build().map_err(|_| if settings.ca_bundle.is_some() { SettingsError::CaBundle } else { SettingsError::Tls })
        };
        let (fresh, kept) = (builder(0)?, builder(8)?);
        Ok(Self { fresh, kept, profiles: settings.profiles_base(), sessions: settings.base_url, clock: settings.clock })
    }

    /// Sends the request once and reads the answer, whatever its status.
    pub(super) async fn send(
        &self,
        operation: Operation,
        token: &AccessToken,
        request: Request,
        correlator: Option<Uuid>,
    ) -> Result<Received, Fault> {
        let client = if operation.has_effect() { &self.fresh } else { &self.kept };
        let mut builder = client.request(request.method.clone(), self.url(&request));
        if !token.is_none() {
            // A token that no header can hold is refused here; the provider could only do the same.
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))
                .map_err(|_| Fault::new(FaultClass::Refused(Reason::Credentials)))?;
            bearer.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, bearer);
        }
        if let Some(correlator) = correlator {
            tracing::debug!(operation = operation.as_str(), %correlator, "request to the provider");
            builder = builder.header(X_CORRELATOR, correlator.to_string());
        }
        if let Some(body) = &request.body {
            builder = builder.json(body.expose());
        }
        let mut response = builder.send().await.map_err(|error| unanswered(operation, &error))?;
        let at = self.clock.now();
        let body = read(&mut response).await;
        let headers = std::mem::take(response.headers_mut());
        Ok(Received { status: response.status().as_u16(), headers, body, at })
    }

    fn url(&self, request: &Request) -> Url {
        let mut url = match request.api {
            Api::Sessions => self.sessions.clone(),
            Api::Profiles => self.profiles.clone(),
        };
        // A URL with a host, which `Settings::check` has seen to, always has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&request.path);
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        url
    }
}

enum Read {
    Whole(Vec<u8>),
    TooLong,
    Lost,
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

/// What it means that no answer came. Only two failures are certain to lie before the first byte of the request: the connection
/// (name, TCP, proxy, TLS) did not come about, or the request could not even be built. All others may have been sent. The error's
/// own text is dropped: it holds the URL, and with it the session's id.
fn unanswered(operation: Operation, error: &reqwest::Error) -> Fault {
    tracing::debug!(
        operation = operation.as_str(),
        connect = error.is_connect(),
        timeout = error.is_timeout(),
        "no answer from the provider"
    );
    if error.is_connect() || error.is_builder() { Fault::new(FaultClass::Unavailable) } else { classify::lost(operation) }
}
