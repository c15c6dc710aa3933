//! Moves the bytes: each request once, within a time, and no more of an answer than anyone needs.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use url::Url;
use uuid::Uuid;

use super::classify;
use super::fault::{Fault, FaultClass, Reason};
use super::generation::Operation;
use super::session::AccessToken;
use super::settings::{Settings, SettingsError};
use super::wire::{Api, Request};
use crate::clock::Clock;
use crate::http::{Connections, Received};
use crate::trace;

/// Since 0.11; the provider echoes it and logs it, so that a request can be found there.
const X_CORRELATOR: &str = "x-correlator";

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

impl Transport {
    pub(super) fn new(settings: Settings) -> Result<Self, SettingsError> {
        let connections = Connections {
            timeout: settings.request_timeout,
            ca_bundle: settings.ca_bundle.as_deref(),
            client_certificate: settings.client_certificate.as_ref(),
        };
        let client = |keep| connections.client(settings.extra_headers.expose().clone(), keep);
        let (fresh, kept) = (client(0)?, client(8)?);
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
            trace::correlated(&correlator);
            builder = builder.header(X_CORRELATOR, correlator.to_string());
        }
        if let Some(body) = &request.body {
            builder = builder.json(body.expose());
        }
        let response = builder.send().await.map_err(|error| unanswered(operation, &error))?;
        trace::answered(response.status().as_u16());
        Ok(Received::from(response, &self.clock).await)
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
