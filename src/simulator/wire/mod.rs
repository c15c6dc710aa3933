//! The forms in which the API's generations speak. Each turns requests into an [`Order`](super::session::Order) and sessions into
//! answers; the state machine and the ledger behind them are the same for all.
//!
//! A generation is a [`Wire`] in a file of its own, written as what differs from the one before it. What they share is in [`schema`],
//! [`device`], [`request`], [`callback`], [`answer`].

pub(super) mod answer;
mod callback;
pub(super) mod device;
pub(super) mod request;
mod schema;
mod telefonica;
mod v0_10;
mod v0_11;
mod v0_8;
mod v0_9;
mod v1_0;
mod v1_1;
mod v1_2;

use serde_json::{Value, json};

use self::answer::AnswerForm;
use self::request::RequestForm;
use super::generation::{Dialect, Generation};
use super::settings::{Flavour, Operation, Quirk, Settings};

/// Why a request is refused, before a generation gives it its status and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A body or value that the schema or a rule refuses.
    Invalid,
    /// A session id that is no UUID.
    MalformedId,
    /// A port outside the schema.
    OutOfRange,
    /// A duration outside the profile's limits.
    DurationLimits,
    /// A kind of `sinkCredential` that is not supported.
    Credential,
    /// An `accessTokenType` other than bearer.
    TokenType,
    /// A `sink` of another protocol than https.
    Sink,
    /// PRIVATE_KEY_JWT, which is not set up for this client.
    PrivateKey,
    /// No token, or one that was never given out.
    Unauthenticated,
    /// A token whose time is over.
    Expired,
    /// A token without the scope of the operation.
    Scope,
    /// Another client's, or subject's, session.
    Foreign,
    /// A device that is not the token's.
    TokenContext,
    /// Too many requests.
    RateLimit,
    /// Too many sessions.
    Quota,
    /// Neither the request nor the token names a device.
    DeviceMissing,
    /// Both do, although only one may.
    DeviceUnnecessary,
    /// Identifiers of different devices.
    Mismatch,
    /// No such device.
    DeviceUnknown,
    /// No identifier that the provider can use.
    DeviceUnsupported,
    /// The service is not for this device.
    NoService,
    /// A profile that is not ACTIVE.
    ProfileNotApplicable,
    /// No such session or profile.
    NotFound,
    /// Another session is in the way.
    Conflict,
    /// An extend of a session that is not AVAILABLE.
    Inactive,
    /// Out of service.
    Unavailable,
}

/// A refused request. The message names fields, never their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Why.
    pub(super) fault: Fault,
    /// The error body's `message`.
    pub(super) message: String,
}

impl Problem {
    /// A problem of this kind.
    pub(super) fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into() }
    }
}

/// Which scope an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// None.
    Free,
    /// This one, of a three-legged token; a two-legged one needs none (0.9, 0.10).
    ThreeLegged(&'static str),
    /// This one.
    Needed(&'static str),
}

/// How request and token together name the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeviceRule {
    /// The request names it, whatever the token says; look-ups may leave it to the token.
    InRequest,
    /// Either may; if both do they must agree (0.11).
    Agreeing,
    /// The request with a two-legged token, the token if it is three-legged (1.0 and later).
    ByToken,
}

/// Whether `x-correlator` is echoed, and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Correlator {
    /// The generation does not know it.
    Unknown,
    /// Anything.
    Any,
    /// `^[a-zA-Z0-9-]{0,55}$`
    Narrow,
    /// `^[a-zA-Z0-9-_:;.\/<>{}]{0,256}$`
    Wide,
}

impl Correlator {
    /// Whether `value` may be one.
    pub(super) fn takes(self, value: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        match self {
            Self::Unknown | Self::Any => true,
            Self::Narrow => value.len() <= 55 && value.bytes().all(plain),
            Self::Wide => value.len() <= 256 && value.bytes().all(|byte| plain(byte) || b"_:;./<>{}".contains(&byte)),
        }
    }
}

/// A generation of the API in somebody's form.
#[derive(Debug)]
pub(super) struct Wire {
    /// Which.
    pub(super) dialect: Dialect,
    /// The base path of sessions.
    pub(super) sessions: &'static str,
    /// The base path of profiles; up to 0.10 it is the same.
    pub(super) profiles: &'static str,
    /// What it offers.
    pub(super) operations: &'static [Operation],
    /// The form of requests.
    pub(super) request: RequestForm,
    /// How the device is named.
    pub(super) device: DeviceRule,
    /// Whether identifiers of different devices are refused, rather than one of them picked.
    pub(super) matches_identifiers: bool,
    /// Whether a network access identifier is never of use.
    pub(super) refuses_network_access: bool,
    /// The form of answers.
    pub(super) answer: AnswerForm,
    /// The header that is echoed.
    pub(super) correlator: Correlator,
    /// Whether there are 429s.
    pub(super) limits_rate: bool,
    /// The scope that an operation needs.
    pub(super) scope: fn(Operation) -> Scope,
    /// The status and code of a refusal.
    pub(super) code: fn(Fault, Operation) -> (u16, &'static str),
    /// Whether the body of an error with this status has a `status`.
    pub(super) error_status: fn(u16, Operation) -> bool,
}

/// The wire of `dialect`.
pub(super) const fn wire(dialect: Dialect) -> &'static Wire {
    match (dialect.generation, dialect.flavour) {
        (Generation::V0_8, Flavour::Camara) => &v0_8::WIRE,
        (Generation::V0_8, Flavour::Telefonica) => &telefonica::V0_8,
        (Generation::V0_9, _) => &v0_9::WIRE,
        (Generation::V0_10, Flavour::Camara) => &v0_10::WIRE,
        (Generation::V0_10, Flavour::Telefonica) => &telefonica::V0_10,
        (Generation::V0_11, _) => &v0_11::WIRE,
        (Generation::V1_0, _) => &v1_0::WIRE,
        (Generation::V1_1, Flavour::Camara) => &v1_1::WIRE,
        (Generation::V1_1, Flavour::Telefonica) => &telefonica::V1_1,
        (Generation::V1_2, _) => &v1_2::WIRE,
    }
}

impl Wire {
    /// The generation.
    pub(super) const fn generation(&self) -> Generation {
        self.dialect.generation
    }

    /// Whether it offers `operation`.
    pub(super) fn offers(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }

    /// Status and body of a refusal.
    pub(super) fn problem(&self, problem: &Problem, operation: Operation, settings: &Settings) -> (u16, Value) {
        let (generation, has) = (self.generation(), |quirk| settings.has(quirk));
        let (status, code) = match problem.fault {
            Fault::MalformedId if has(Quirk::MalformedIdNotFound) => (self.code)(Fault::NotFound, operation),
            Fault::DeviceUnsupported if has(Quirk::UnsupportedAsInvalid) => (400, (self.code)(problem.fault, operation).1),
            Fault::Expired
                if has(Quirk::AuthenticationRequired) && [Generation::V0_11, Generation::V1_0].contains(&generation) =>
            {
                (401, "AUTHENTICATION_REQUIRED")
            }
            Fault::Foreign if has(Quirk::ForeignTokenContext) && generation == Generation::V0_11 => {
                (403, "INVALID_TOKEN_CONTEXT")
            }
            Fault::Conflict if has(Quirk::AlreadyExists) => (409, "ALREADY_EXISTS"),
            Fault::Conflict if has(Quirk::IncompatibleState) => (409, "INCOMPATIBLE_STATE"),
            fault => (self.code)(fault, operation),
        };
        (status, self.error_info(status, code, &problem.message, operation, settings))
    }

    /// `ErrorInfo`.
    pub(super) fn error_info(&self, status: u16, code: &str, message: &str, operation: Operation, settings: &Settings) -> Value {
        let mut body = json!({"message": message});
        if (self.error_status)(status, operation) {
            body["status"] = json!(status);
        }
        if settings.has(Quirk::NumericCode) {
            body["code"] = json!(status.to_string());
        } else if !settings.has(Quirk::MissingCode) {
            body["code"] = json!(code);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_correlator_is_held_to_each_generations_pattern() {
        let narrow = "b4333c46-49c0-4f62-80d7-f0ef930f1c46";
        for (correlator, value, taken) in [
            (Correlator::Any, "a b", true),
            (Correlator::Narrow, narrow, true),
            (Correlator::Narrow, "a_b", false),
            (Correlator::Narrow, &"a".repeat(56), false),
            (Correlator::Wide, "a_b:;./<>{}-9", true),
            (Correlator::Wide, "a b", false),
            (Correlator::Wide, &"a".repeat(257), false),
        ] {
            assert_eq!(correlator.takes(value), taken, "{correlator:?} {value}");
        }
    }

    #[test]
    fn each_dialect_has_its_own_wire_and_base_path() {
        let paths: Vec<_> = Dialect::all().map(|dialect| (dialect, wire(dialect).dialect, wire(dialect).sessions)).collect();
        assert_eq!(paths.len(), 10);
        assert!(paths.iter().all(|(asked, got, _)| asked == got), "{paths:?}");
        assert_eq!(wire(Dialect::camara(Generation::V1_2)).sessions, "/quality-on-demand/v1rc3");
        assert_eq!(wire(Dialect::telefonica(Generation::V1_1)).profiles, "/apigateway/qos-profiles/v1");
    }
}
