//! Sends a request to a token endpoint: once, within a time.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::settings::{Settings, SettingsError};
use super::wire::Request;
use crate::clock::Clock;
use crate::http::{Connections, Received};

#[derive(Clone, Debug)]
pub(super) struct Transport {
    client: reqwest::Client,
    clock: Clock,
}

impl Transport {
    /// No connection is kept: on a kept one hyper may repeat a request, and each request for consent may be a message on a person's
    /// phone.
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let connections = Connections {
            timeout: settings.request_timeout,
            ca_bundle: settings.ca_bundle.as_deref(),
            client_certificate: settings.client_certificate.as_ref(),
        };
        Ok(Self { client: connections.client(HeaderMap::new(), 0)?, clock: settings.clock.clone() })
    }

    /// The answer, whatever its status; none: there was no answer. The error's own text is dropped, since nobody knows what it holds.
    pub(super) async fn send(&self, request: Request) -> Option<Received> {
        let mut builder = self.client.post(request.url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(value) = request.authorization {
            // Base64 fits into any header.
            let mut value = HeaderValue::try_from(value.into_inner()).ok()?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        match builder.body(request.form.into_inner()).send().await {
            Ok(response) => Some(Received::from(response, &self.clock).await),
            Err(error) => {
                tracing::debug!(connect = error.is_connect(), timeout = error.is_timeout(), "no answer from the token endpoint");
                None
            }
        }
    }
}
