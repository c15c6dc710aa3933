//! Why there is no token, in a closed list and in our own words.

use std::fmt;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// Why there is no token now. It holds nothing that the provider wrote but its error code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// CIBA: the subscriber's consent is awaited.
    Pending {
        /// When to look again; before that the answer is the same.
        again_at: Timestamp,
    },
    /// The subscriber, or whoever speaks for them, said no (`access_denied`).
    Denied {
        /// The provider's error code.
        code: Option<String>,
    },
    /// The provider refused.
    Refused {
        /// What it disliked.
        reason: Refusal,
        /// The provider's error code.
        code: Option<String>,
    },
    /// The token endpoint cannot be reached, answers with 5xx, or limits the rate.
    Unavailable {
        /// How long it is left alone, or wants to be.
        retry_after: Option<Duration>,
    },
    /// What answered is no token endpoint.
    Unparseable,
    /// The device cannot be named as this grant needs it; nothing was sent.
    NoSubject {
        /// What the user can do.
        remedy: &'static str,
    },
}

/// What a token endpoint disliked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The client's credentials (`invalid_client`, 401), or every token that it gave out.
    Credentials,
    /// The client may not use this grant (`unauthorized_client`).
    Permission,
    /// It does not know the device (`unknown_user_id`).
    Device,
    /// The scope (`invalid_scope`).
    Scope,
    /// The request as such.
    Invalid,
}

impl Refusal {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Credentials => "the provider refused the client's credentials",
            Self::Permission => "the provider does not permit this grant to the client",
            Self::Device => "the provider gives no token for the device",
            Self::Scope => "the provider refused the scope",
            Self::Invalid => "the provider refused the token request as invalid",
        }
    }
}

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self {
            Self::Pending { .. } => return f.write_str("the subscriber's consent is awaited"),
            Self::Unavailable { .. } => {
                return f.write_str("the token endpoint cannot be reached or cannot answer now");
            }
            Self::Unparseable => {
                return f.write_str("the answer is none of a token endpoint: check the URL");
            }
            Self::NoSubject { remedy } => {
                return write!(f, "the device cannot be named for its token: {remedy}");
            }
            Self::Denied { code } => {
                f.write_str("consent for the device was denied")?;
                code
            }
            Self::Refused { reason, code } => {
                f.write_str(reason.sentence())?;
                code
            }
        };
        code.as_ref().map_or(Ok(()), |code| write!(f, " ({code})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_reads_as_a_sentence_with_the_providers_code() {
        let refused = NoToken::Refused { reason: Refusal::Credentials, code: Some("invalid_client".to_owned()) };
        assert_eq!(refused.to_string(), "the provider refused the client's credentials (invalid_client)");
        assert_eq!(NoToken::Denied { code: None }.to_string(), "consent for the device was denied");
        let unnamed = NoToken::NoSubject { remedy: "set device.phoneNumber" };
        assert_eq!(unnamed.to_string(), "the device cannot be named for its token: set device.phoneNumber");
    }
}
