//! What went wrong with a call, in a closed list and in our own words.

use std::fmt;
use std::time::Duration;

use super::generation::Generation;

/// A call that did not bring what was asked for. It holds nothing that the provider wrote but CAMARA's own code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// What it means.
    pub class: FaultClass,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The answer's `code`, where it is one as CAMARA writes them; anything else is dropped.
    pub code: Option<String>,
    /// How long to wait, where the answer says so (`Retry-After`); at most a day.
    pub retry_after: Option<Duration>,
    /// With [`FaultClass::NotExpressible`]: the generation that cannot say it.
    pub generation: Option<Generation>,
}

/// The closed list of what a failed call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultClass {
    /// The API's generation cannot say this; nothing was sent.
    NotExpressible {
        /// What cannot be said.
        field: Field,
        /// Why not and what to do about it, for the user.
        why: &'static str,
    },
    /// Get, extend and delete: 404 with the code `NOT_FOUND`. The API knows no such session; whether the asking client made it,
    /// the caller checks.
    Gone,
    /// Any other 404, or a redirect: something in front of the API answered. It says nothing about the session.
    GatewayNotFound,
    /// A 409 to a create: another session holds the device and flow. Nothing was created.
    Conflict,
    /// The provider refused; nothing was done.
    Refused(Reason),
    /// 429: too many requests. Nothing was done.
    RateLimited,
    /// The subscriber's consent is awaited (CIBA), so that there is no token yet; nothing was sent.
    ConsentPending,
    /// 405 or 501: this provider lacks the operation.
    NotSupported,
    /// Certainly no effect: a failure before a byte was sent, 408, any 5xx or lost answer of a read.
    Unavailable,
    /// It may have taken effect: a create, extend or delete with a 5xx, a lost answer, or a 2xx that cannot be read.
    Ambiguous,
    /// A 2xx of a read that is no answer of this API.
    Unparseable,
}

impl FaultClass {
    /// One word for metrics and traces: the class, and of a refusal also what was refused.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotExpressible { .. } => "NotExpressible",
            Self::Gone => "Gone",
            Self::GatewayNotFound => "GatewayNotFound",
            Self::Conflict => "Conflict",
            Self::RateLimited => "RateLimited",
            Self::ConsentPending => "ConsentPending",
            Self::NotSupported => "NotSupported",
            Self::Unavailable => "Unavailable",
            Self::Ambiguous => "Ambiguous",
            Self::Unparseable => "Unparseable",
            Self::Refused(reason) => match reason {
                Reason::Invalid => "RefusedInvalid",
                Reason::Duration => "RefusedDuration",
                Reason::Profile => "RefusedProfile",
                Reason::Device => "RefusedDevice",
                Reason::Identifier { .. } => "RefusedIdentifier",
                Reason::Callback => "RefusedCallback",
                Reason::State => "RefusedState",
                Reason::Credentials => "RefusedCredentials",
                Reason::Permission => "RefusedPermission",
                Reason::Quota => "RefusedQuota",
                Reason::Consent => "RefusedConsent",
            },
        }
    }
}

/// Why a provider refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The request as such; what exactly, the code does not tell.
    Invalid,
    /// The duration.
    Duration,
    /// The QoS profile: unknown, or not applicable here.
    Profile,
    /// The device: unknown, or not one that the service is offered for.
    Device,
    /// A device was sent that must not be, or was not sent and must be.
    Identifier {
        /// What would make the request right; none where it was that way already.
        flip: Option<Flip>,
    },
    /// The notification target or its credential.
    Callback,
    /// The session's state does not allow it.
    State,
    /// 401: the credentials or the token.
    Credentials,
    /// 403: the client may not do this.
    Permission,
    /// A business quota: waiting does not help.
    Quota,
    /// The subscriber refused consent (CIBA `access_denied`); nothing was sent.
    Consent,
}

/// What to change about the device in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flip {
    /// Send it.
    SendDevice,
    /// Leave it out: the token says which one.
    OmitDevice,
}

/// What a generation of the API cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the field that its name says")]
pub enum Field {
    Device,
    ApplicationServer,
    Ports,
    Profile,
    Duration,
    Callback,
    Session,
    Operation,
}

impl Fault {
    /// A fault of that class, with no answer behind it.
    pub const fn new(class: FaultClass) -> Self {
        Self { class, status: None, code: None, retry_after: None, generation: None }
    }

    /// The API cannot say this; nothing was sent.
    pub const fn not_expressible(field: Field, why: &'static str) -> Self {
        Self::new(FaultClass::NotExpressible { field, why })
    }

    /// The same, naming the generation that cannot say it.
    #[must_use]
    pub fn in_generation(self, generation: Generation) -> Self {
        Self { generation: Some(generation), ..self }
    }
}

impl Field {
    /// The field's name in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::ApplicationServer => "applicationServer",
            Self::Ports => "ports",
            Self::Profile => "profile",
            Self::Duration => "duration",
            Self::Callback => "callback",
            Self::Session => "session",
            Self::Operation => "operation",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Reason {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Invalid => "the provider refused the request as invalid",
            Self::Duration => "the provider refused the duration",
            Self::Profile => "the provider refused the QoS profile",
            Self::Device => "the provider refused the device",
            Self::Identifier { flip: Some(Flip::SendDevice) } => "the provider wants the device in the request",
            Self::Identifier { flip: Some(Flip::OmitDevice) } => {
                "the provider wants no device in the request, the token names it"
            }
            Self::Identifier { flip: None } => "the provider refused the device in the request",
            Self::Callback => "the provider refused the notification target or its credential",
            Self::State => "the state of the session does not allow it",
            Self::Credentials => "the provider refused the credentials",
            Self::Permission => "the provider does not permit this to the client",
            Self::Quota => "the quota at the provider is used up",
            Self::Consent => "the subscriber's consent was refused",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class {
            FaultClass::NotExpressible { field, why } => {
                return match self.generation {
                    Some(generation) => write!(f, "API version {generation} cannot express this {field}: {why}"),
                    None => write!(f, "the API cannot express this {field}: {why}"),
                };
            }
            FaultClass::Gone => f.write_str("the provider knows no such session"),
            FaultClass::GatewayNotFound => f.write_str("something in front of the API answered, not the API: check the URL"),
            FaultClass::Conflict => f.write_str("another session holds the device and flow"),
            FaultClass::Refused(reason) => f.write_str(reason.sentence()),
            FaultClass::RateLimited => f.write_str("the provider limits the rate of requests"),
            FaultClass::ConsentPending => f.write_str("the subscriber's consent is awaited"),
            FaultClass::NotSupported => f.write_str("the provider does not offer this operation"),
            FaultClass::Unavailable => f.write_str("the provider cannot be reached or cannot answer now, nothing was changed"),
            FaultClass::Ambiguous => f.write_str("the outcome is unknown, the request may have taken effect"),
            FaultClass::Unparseable => f.write_str("the answer is none of the QoD API"),
        }?;
        match (self.status, &self.code) {
            (Some(status), Some(code)) => write!(f, " ({status} {code})"),
            (Some(status), None) => write!(f, " ({status})"),
            // A token endpoint's code, where there is no token to make the call with.
            (None, Some(code)) => write!(f, " ({code})"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_a_sentence_with_status_and_code() {
        let mut fault = Fault::new(FaultClass::Refused(Reason::Credentials));
        assert_eq!(fault.to_string(), "the provider refused the credentials");
        fault.status = Some(401);
        assert_eq!(fault.to_string(), "the provider refused the credentials (401)");
        fault.code = Some("UNAUTHENTICATED".to_owned());
        assert_eq!(fault.to_string(), "the provider refused the credentials (401 UNAUTHENTICATED)");
        fault.status = None;
        assert_eq!(fault.to_string(), "the provider refused the credentials (UNAUTHENTICATED)");
        let fault = Fault::not_expressible(Field::Duration, "at most 86400 s");
        assert_eq!(fault.to_string(), "the API cannot express this duration: at most 86400 s");
        let fault = fault.in_generation(Generation::V0_8);
        assert_eq!(fault.to_string(), "API version v0.8 cannot express this duration: at most 86400 s");
    }
}
