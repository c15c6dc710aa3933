//! API version 0.9 (release v0.9.0, `qod-api.yaml`): new names, `qosStatus`, profiles, `webhook`, scopes, errors with `status`.

use super::answer::AnswerForm;
use super::callback::CallbackForm;
use super::request::{DeviceIpv4, Names, ProfileForm, RequestForm};
use super::{Fault, Scope, Wire, v0_8};
use crate::simulator::generation::{Dialect, Generation};
use crate::simulator::settings::Operation;

/// The wire.
pub(super) const WIRE: Wire = Wire {
    dialect: Dialect::camara(Generation::V0_9),
    operations: &[Operation::Create, Operation::Get, Operation::Delete, Operation::Profiles],
    request: RequestForm {
        names: Names {
            device: "device",
            phone: "phoneNumber",
            network_access: "networkAccessIdentifier",
            device_ipv4: "ipv4Address",
            device_ipv6: "ipv6Address",
            server: "applicationServer",
            server_ipv4: "ipv4Address",
            server_ipv6: "ipv6Address",
            device_ports: "devicePorts",
            server_ports: "applicationServerPorts",
            profile: "qosProfile",
        },
        device_ipv4: DeviceIpv4::Object,
        profile: ProfileForm::Name,
        callback: CallbackForm::Webhook,
        ..v0_8::WIRE.request
    },
    answer: AnswerForm { id: "sessionId", status: true, ..v0_8::WIRE.answer },
    scope,
    code,
    error_status: |_, _| true,
    ..v0_8::WIRE
};

/// The scopes are those of the three-legged scheme; client credentials alone do too.
pub(super) fn scope(operation: Operation) -> Scope {
    match operation {
        Operation::Create | Operation::Extend => Scope::ThreeLegged("qod-sessions-write"),
        Operation::Get => Scope::ThreeLegged("qod-sessions-read"),
        Operation::Delete => Scope::ThreeLegged("qod-sessions-delete"),
        // `qod-profiles-read` is declared, but no operation asks for it.
        _ => Scope::Free,
    }
}

pub(super) fn code(fault: Fault, operation: Operation) -> (u16, &'static str) {
    match fault {
        Fault::Unauthenticated | Fault::Expired => (401, "UNAUTHENTICATED"),
        Fault::Scope | Fault::Foreign | Fault::TokenContext => (403, "PERMISSION_DENIED"),
        Fault::OutOfRange => (400, "OUT_OF_RANGE"),
        Fault::DeviceUnsupported => (501, "NOT_IMPLEMENTED"),
        Fault::RateLimit | Fault::Quota | Fault::Unavailable => (503, "UNAVAILABLE"),
        Fault::NotFound | Fault::MalformedId | Fault::Conflict => v0_8::code(fault, operation),
        _ => (400, "INVALID_ARGUMENT"),
    }
}
