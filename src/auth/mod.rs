//! How a provider's access tokens are had.

use std::fmt;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::private::Private;
use crate::qod::{AccessToken, Legs, Operation};

/// Who a three-legged token is for: the login hint, built from the device.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject(Private<String>);

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[subject]")
    }
}

impl Subject {
    /// By phone number.
    pub fn tel(number: &str) -> Self {
        Self(format!("tel:{number}").into())
    }

    /// By public IPv4 address and port.
    pub fn ipport_v4(address: std::net::Ipv4Addr, port: Option<u16>) -> Self {
        Self(port.map_or_else(|| format!("ipport:{address}"), |port| format!("ipport:{address}:{port}")).into())
    }

    /// By IPv6 address.
    pub fn ipport_v6(address: std::net::Ipv6Addr) -> Self {
        Self(format!("ipport:[{address}]").into())
    }

    /// The login hint.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// By phone number.
    pub fn is_tel(&self) -> bool {
        self.0.expose().starts_with("tel:")
    }
}

/// Why a token endpoint refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "stub")]
pub enum Refusal {
    Credentials,
    Permission,
    Device,
    Scope,
    Invalid,
}

/// Why there is no token now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "stub")]
pub enum NoToken {
    Pending { again_at: Timestamp },
    Denied { code: Option<String> },
    Refused { reason: Refusal, code: Option<String> },
    Unavailable { retry_after: Option<Duration> },
    Unparseable,
    NoSubject { remedy: &'static str },
}

/// Where tokens come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens(AccessToken);

impl Tokens {
    /// A static token.
    pub fn fixed(token: AccessToken) -> Self {
        Self(token)
    }

    /// See [`Legs`].
    pub fn legs(&self) -> Legs {
        Legs::Two
    }

    /// The client id; none for a static token.
    pub fn client_id(&self) -> Option<&str> {
        None
    }

    /// A token is for one device.
    pub fn needs_subject(&self) -> bool {
        self.legs() == Legs::Three
    }

    /// The token.
    pub async fn get(&self, _subject: Option<&Subject>, _operation: Operation) -> Result<AccessToken, NoToken> {
        Ok(self.0.clone())
    }

    /// The API refused it.
    pub fn refused(&self, _subject: Option<&Subject>, _operation: Operation, _token: &AccessToken) {}
}
