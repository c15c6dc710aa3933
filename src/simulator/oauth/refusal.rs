//! Why a request is refused, and how that is said.

use serde_json::{Value, json};

use super::Endpoint;
use super::settings::{Errors, Quirks};

/// The error codes of RFC 6749 section 5.2 and CIBA Core sections 11 and 13.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// A parameter is missing, malformed, or there twice; or there are two ways to authenticate.
    InvalidRequest,
    /// The client is unknown, or has not proved who it is.
    InvalidClient,
    /// The authorization, assertion or refresh token is not valid, or is another client's.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// The grant is not offered.
    UnsupportedGrantType,
    /// The scope is malformed, or not for this client.
    InvalidScope,
    /// No device goes by this login hint.
    UnknownUserId,
    /// The user said no.
    AccessDenied,
    /// The user has not said anything yet.
    AuthorizationPending,
    /// The same, and the client asks too often.
    SlowDown,
    /// The user has not said anything in time.
    ExpiredToken,
}

impl Code {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::UnknownUserId => "unknown_user_id",
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
        }
    }

    const fn status(self, endpoint: Endpoint) -> u16 {
        match (self, endpoint) {
            (Self::InvalidClient, _) => 401,
            // CIBA Core section 13; at the token endpoint it is 400 as everything else (section 11).
            (Self::AccessDenied, Endpoint::Authorize) => 403,
            _ => 400,
        }
    }
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// For a human; says nothing of what was sent.
    pub(super) why: &'static str,
}

impl Refusal {
    pub(super) const fn new(code: Code, why: &'static str) -> Self {
        Self { code, why }
    }

    /// The one thing that is said when a client has not proved who it is, whatever was wrong.
    pub(super) const fn client() -> Self {
        Self::new(Code::InvalidClient, "client authentication failed")
    }

    /// Status and body.
    pub(super) fn told(self, endpoint: Endpoint, quirks: &Quirks) -> (u16, Value) {
        let status = self.code.status(endpoint);
        if status == 401 && quirks.html401 {
            return (status, page(status));
        }
        (status, body(status, self.code.name(), self.why, quirks.errors))
    }
}

/// An error body in the form that is set.
pub(super) fn body(status: u16, code: &str, why: &str, errors: Errors) -> Value {
    match errors {
        Errors::Oauth => json!({"error": code, "error_description": why}),
        Errors::Telefonica => json!({"code": status, "message": why}),
    }
}

/// What a gateway says in the endpoint's place.
pub(super) fn page(status: u16) -> Value {
    Value::String(format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"))
}
