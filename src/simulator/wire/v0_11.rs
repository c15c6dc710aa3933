//! API version 0.11 (release r1.3, 0.11.1): two APIs, RFC 3339 times, `sink`, look-ups by POST, device optional, 422 and 429,
//! `x-correlator`.

use super::answer::AnswerForm;
use super::callback::CallbackForm;
use super::request::{DurationForm, RequestForm};
use super::{Correlator, DeviceRule, Fault, Scope, Wire, v0_10};
use crate::simulator::generation::{Dialect, Generation};
use crate::simulator::settings::Operation;

/// The wire.
pub(super) const WIRE: Wire = Wire {
    dialect: Dialect::camara(Generation::V0_11),
    sessions: "/quality-on-demand/v0.11",
    profiles: "/qos-profiles/v0.11",
    operations: &[
        Operation::Create,
        Operation::Get,
        Operation::Delete,
        Operation::Extend,
        Operation::RetrieveSessions,
        Operation::Profiles,
        Operation::RetrieveProfiles,
    ],
    request: RequestForm {
        device_required: false,
        phone_needs_plus: true,
        duration: DurationForm::Int32,
        callback: CallbackForm::Sink,
        ..v0_10::WIRE.request
    },
    device: DeviceRule::Agreeing,
    answer: AnswerForm { rfc3339: true, one_identifier: true, ..v0_10::WIRE.answer },
    correlator: Correlator::Any,
    limits_rate: true,
    scope,
    code,
    ..v0_10::WIRE
};

pub(super) fn scope(operation: Operation) -> Scope {
    match operation {
        Operation::Create => Scope::Needed("quality-on-demand:sessions:create"),
        Operation::Get => Scope::Needed("quality-on-demand:sessions:read"),
        Operation::Delete => Scope::Needed("quality-on-demand:sessions:delete"),
        Operation::Extend => Scope::Needed("quality-on-demand:sessions:update"),
        Operation::RetrieveSessions => Scope::Needed("quality-on-demand:sessions:retrieve-by-device"),
        Operation::Profiles | Operation::RetrieveProfiles => Scope::Needed("qos-profiles:read"),
        Operation::Authorize | Operation::Token | Operation::Unknown => Scope::Free,
    }
}

pub(super) fn code(fault: Fault, operation: Operation) -> (u16, &'static str) {
    match fault {
        Fault::DurationLimits => (400, "QUALITY_ON_DEMAND.DURATION_OUT_OF_RANGE"),
        Fault::Credential => (400, "INVALID_CREDENTIAL"),
        Fault::TokenType => (400, "INVALID_TOKEN"),
        Fault::TokenContext | Fault::DeviceUnnecessary => (403, "INVALID_TOKEN_CONTEXT"),
        Fault::DeviceUnknown => (404, "DEVICE_NOT_FOUND"),
        Fault::Inactive => (409, "QUALITY_ON_DEMAND.SESSION_EXTENSION_NOT_ALLOWED"),
        Fault::DeviceMissing => (422, "UNIDENTIFIABLE_DEVICE"),
        Fault::Mismatch => (422, "DEVICE_IDENTIFIERS_MISMATCH"),
        Fault::DeviceUnsupported => (422, "UNSUPPORTED_DEVICE_IDENTIFIERS"),
        Fault::NoService => (422, "DEVICE_NOT_APPLICABLE"),
        Fault::RateLimit => (429, "TOO_MANY_REQUESTS"),
        Fault::Quota => (429, "QUOTA_EXCEEDED"),
        _ => v0_10::code(fault, operation),
    }
}
