//! What a client needs to know about its provider.

use std::time::Duration;

use reqwest::header::{self, HeaderMap};
use url::Url;

use super::generation::Generation;
use super::wire::Flavour;
use crate::clock::Clock;
use crate::http::{ClientCertificate, ClientError};
use crate::private::Private;

/// Where the API is and how to talk to it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The API's generation.
    pub generation: Generation,
    /// The base URL of the sessions, as the provider names it; it ends with the base path (`.../qod/v0`).
    pub base_url: Url,
    /// The base URL of the profiles; where there is none, it is derived ([`Settings::profiles_base`]).
    pub profiles_url: Option<Url>,
    /// How the notification target is said.
    pub callback_field: CallbackField,
    /// Exactly one port on each side and no ranges, and with 0.8 a port of each device that is named by its IPv4 address
    /// (Telefónica's 0.8).
    pub single_port: bool,
    /// How long a call may take from the first byte of the connection to the last one of the answer. A connection must stand
    /// after half of it, and after 10 s.
    pub request_timeout: Duration,
    /// PEM certificates to trust beside the system's.
    pub ca_bundle: Option<Vec<u8>>,
    /// What the client shows of itself where the provider asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// Headers that every request carries: keys of an API gateway.
    pub extra_headers: Private<HeaderMap>,
    /// The time, for a `Retry-After` that is a date.
    pub clock: Clock,
}

/// How the notification target is said in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CallbackField {
    /// As the generation has it.
    #[default]
    Auto,
    /// As `webhook` (0.9 and 0.10, and Telefónica's 1.1).
    Webhook,
    /// As `sink` (since 0.11).
    Sink,
}

/// The settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The URL has another scheme than http or https, or credentials, a query or a fragment in it.
    #[error("the URL must be http or https, without credentials, query and fragment")]
    Url,
    /// The CA bundle is not made of PEM certificates.
    #[error("the CA bundle holds no PEM certificates, or one that cannot be read")]
    CaBundle,
    /// The client certificate or its key cannot be read, or they do not belong together.
    #[error("the client certificate and its key are no PEM, or do not belong together")]
    ClientCertificate,
    /// A header that the client sets itself.
    #[error("Authorization, Host, Accept and Content-* cannot be set as extra headers")]
    ExtraHeader,
    /// The TLS library could not be set up, for want of root certificates for instance.
    #[error("TLS could not be set up")]
    Tls,
}

impl From<ClientError> for SettingsError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::CaBundle => Self::CaBundle,
            ClientError::ClientCertificate => Self::ClientCertificate,
            ClientError::Tls => Self::Tls,
        }
    }
}

impl Settings {
    /// The usual settings: 30 s for a call, the system's certificates and clock.
    pub fn new(generation: Generation, base_url: Url) -> Self {
        Self {
            generation,
            base_url,
            profiles_url: None,
            callback_field: CallbackField::Auto,
            single_port: false,
            request_timeout: Duration::from_secs(30),
            ca_bundle: None,
            client_certificate: None,
            extra_headers: Private::default(),
            clock: Clock::system(),
        }
    }

    /// The base URL of the profiles: the one that is set, else derived from that of the sessions. Up to 0.10 they are the same. From
    /// 0.11 the profiles are an API of their own, whose path ends with `qos-profiles/{version}` where that of the sessions ends with
    /// `quality-on-demand/{version}`; a base that ends otherwise serves both.
    pub fn profiles_base(&self) -> Url {
        if let Some(url) = &self.profiles_url {
            return url.clone();
        }
        let mut url = self.base_url.clone();
        let parts: Vec<String> =
            url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if let [.., api, version] = parts.as_slice()
            && self.generation >= Generation::V0_11
            && api == "quality-on-demand"
            && let Ok(mut segments) = url.path_segments_mut()
        {
            segments.pop_if_empty().pop().pop().extend(["qos-profiles", version]);
        }
        url
    }

    pub(super) fn flavour(&self) -> Flavour {
        Flavour { callback_field: self.callback_field, single_port: self.single_port }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        for url in [Some(&self.base_url), self.profiles_url.as_ref()].into_iter().flatten() {
            let plain =
                url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
            if !matches!(url.scheme(), "http" | "https") || !plain {
                return Err(SettingsError::Url);
            }
        }
        let ours = [header::AUTHORIZATION, header::HOST, header::ACCEPT, header::TRANSFER_ENCODING, header::CONNECTION];
        if self.extra_headers.expose().keys().any(|name| ours.contains(name) || name.as_str().starts_with("content-")) {
            return Err(SettingsError::ExtraHeader);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_would_send_credentials_or_lose_its_query_is_refused() {
        for (url, good) in [
            ("https://api.example.com/qod/v0", true),
            ("http://127.0.0.1:8080/qod/v0/", true),
            ("https://user:pass@api.example.com/qod/v0", false),
            ("https://api.example.com/qod/v0?key=1", false),
            ("ftp://api.example.com/", false),
        ] {
            let settings = Settings::new(Generation::V0_10, url.parse().unwrap());
            assert_eq!(settings.check().is_ok(), good, "{url}");
        }
    }

    #[test]
    fn the_profiles_are_an_api_of_their_own_since_v0_11_and_only_where_the_path_says_so() {
        for (generation, base, expected) in [
            (Generation::V1_1, "https://api.example.com/x/quality-on-demand/v1", "https://api.example.com/x/qos-profiles/v1"),
            (Generation::V1_2, "https://api.example.com/quality-on-demand/v1rc3/", "https://api.example.com/qos-profiles/v1rc3"),
            (Generation::V1_0, "https://api.example.com/qod/v0", "https://api.example.com/qod/v0"),
            (Generation::V1_0, "https://api.example.com/quality-on-demand", "https://api.example.com/quality-on-demand"),
            (Generation::V1_0, "https://api.example.com", "https://api.example.com/"),
            (Generation::V0_10, "https://api.example.com/quality-on-demand/v0", "https://api.example.com/quality-on-demand/v0"),
        ] {
            let mut settings = Settings::new(generation, base.parse().unwrap());
            assert_eq!(settings.profiles_base().as_str(), expected, "{base}");
            let set: Url = "https://profiles.example.com/v1".parse().unwrap();
            settings.profiles_url = Some(set.clone());
            assert_eq!(settings.profiles_base(), set);
        }
    }

    #[test]
    fn an_extra_header_cannot_replace_the_clients_own() {
        for (name, good) in [("x-api-key", true), ("authorization", false), ("content-type", false)] {
            let mut settings = Settings::new(Generation::V0_10, "https://api.example.com".parse().unwrap());
            let mut headers = HeaderMap::new();
            headers.insert(name, "secret-value".parse().unwrap());
            settings.extra_headers = Private::new(headers);
            assert_eq!(settings.check().is_ok(), good, "{name}");
            assert!(!format!("{settings:?}").contains("secret-value"));
        }
    }
}
