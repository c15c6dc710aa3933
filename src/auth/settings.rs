//! What is needed to get tokens from a provider.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::clock::Clock;
use crate::http::{ClientCertificate, ClientError};
use crate::metrics::OfProvider;
use crate::private::Private;
use crate::qod::Operation;

/// Where tokens are had, for what, and as whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The way to a token.
    pub grant: Grant,
    /// Scopes, separated by one space, of the operations that have none of their own.
    pub scope: String,
    /// The scopes of single operations. Operations with the same scopes share their tokens.
    pub operation_scopes: BTreeMap<Operation, String>,
    /// The client's id at the provider.
    pub client_id: String,
    /// How the client proves that it is the one. With [`Grant::JwtBearer`] it must be a private key.
    pub client_authentication: ClientAuthentication,
    /// PEM certificates to trust beside the system's.
    pub ca_bundle: Option<Vec<u8>>,
    /// What the client shows of itself where the token endpoint asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// The time, for lifetimes, pauses and assertions.
    pub clock: Clock,
    /// Where the requests are counted.
    pub counts: Arc<OfProvider>,
}

/// The ways to a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Client credentials (RFC 6749, section 4.4): a token of the client alone.
    ClientCredentials {
        /// The token endpoint.
        token_url: Url,
    },
    /// Client-initiated backchannel authentication (OpenID CIBA Core, poll mode): a token for a device, after its subscriber's
    /// consent.
    Ciba {
        /// The backchannel authentication endpoint.
        authorize_url: Url,
        /// The token endpoint.
        token_url: Url,
    },
    /// A signed assertion as grant (RFC 7523, section 2.1): a token for a device. The assertion authenticates the client too.
    JwtBearer {
        /// The token endpoint.
        token_url: Url,
    },
}

/// How a client authenticates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// A secret in the `Authorization` header (RFC 6749, section 2.3.1).
    Basic(Private<String>),
    /// A secret in the body.
    Post(Private<String>),
    /// A signed assertion (RFC 7523, section 2.2).
    PrivateKeyJwt(PrivateKey),
}

/// A key that signs assertions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateKey {
    /// PEM: PKCS #8 for EC keys (P-256), PKCS #8 or PKCS #1 for RSA keys.
    pub pem: Private<Vec<u8>>,
    /// The key's id, by which the provider finds its public half.
    pub key_id: Option<String>,
    /// The algorithm; none: ES256 for an EC key, RS256 for an RSA key.
    pub algorithm: Option<SigningAlgorithm>,
}

/// The algorithms that assertions are signed with (RFC 7518).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// RSA, PKCS #1 v1.5.
    Rs256,
    /// RSA, PSS.
    Ps256,
    /// ECDSA on P-256.
    Es256,
}

impl SigningAlgorithm {
    /// By its name in JWS.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// The settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A URL has another scheme than http or https, or credentials or a fragment in it.
    #[error("a URL of the token endpoint must be http or https, without credentials and fragment")]
    Url,
    /// The CA bundle, the client certificate, or TLS as such.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The private key cannot be read, or is not for the algorithm.
    #[error("the private key is no PEM of an RSA key, or of a P-256 key in PKCS #8, or not one for the algorithm")]
    PrivateKey,
    /// A signed assertion is wanted, and there is only a secret.
    #[error("an assertion needs a private key, and there is only a secret")]
    NoPrivateKey,
}

impl Settings {
    /// The usual settings: one scope for all, 30 s for a request, the system's certificates and clock.
    pub fn new(grant: Grant, scope: &str, client_id: &str, client_authentication: ClientAuthentication) -> Self {
        Self {
            grant,
            scope: scope.to_owned(),
            operation_scopes: BTreeMap::new(),
            client_id: client_id.to_owned(),
            client_authentication,
            ca_bundle: None,
            client_certificate: None,
            request_timeout: Duration::from_secs(30),
            clock: Clock::system(),
            counts: Arc::default(),
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let urls = match &self.grant {
            Grant::ClientCredentials { token_url } | Grant::JwtBearer { token_url } => [Some(token_url), None],
            Grant::Ciba { authorize_url, token_url } => [Some(token_url), Some(authorize_url)],
        };
        for url in urls.into_iter().flatten() {
            let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
            if !matches!(url.scheme(), "http" | "https") || !plain {
                return Err(SettingsError::Url);
            }
        }
        match (&self.grant, &self.client_authentication) {
            (Grant::JwtBearer { .. }, ClientAuthentication::Basic(_) | ClientAuthentication::Post(_)) => {
                Err(SettingsError::NoPrivateKey)
            }
            _ => Ok(()),
        }
    }
}
