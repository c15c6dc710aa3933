//! Telefónica Open Gateway's forms (their documents of QoD 0.8, 0.10 and 1.1): errors without `status`, codes of their own, one scope.

use super::callback::CallbackForm;
use super::request::RequestForm;
use super::{DeviceRule, Fault, Scope, Wire, v0_8, v0_10, v1_1};
use crate::simulator::generation::{Dialect, Generation};
use crate::simulator::settings::Operation;

/// Where their gateway really answers for 0.x (their document says `/apigateway/ogw/qod/v0`).
const BASE: &str = crate::simulator::DEFAULT_BASE_PATH;

/// 0.8, with one port instead of port sets, which an IPv4 device must have.
pub(super) const V0_8: Wire = Wire {
    dialect: Dialect::telefonica(Generation::V0_8),
    sessions: BASE,
    profiles: BASE,
    request: RequestForm { one_port_only: true, ..v0_8::WIRE.request },
    scope: |_| Scope::Needed("qod"),
    ..v0_8::WIRE
};

/// 0.10.
pub(super) const V0_10: Wire = Wire {
    dialect: Dialect::telefonica(Generation::V0_10),
    sessions: BASE,
    profiles: BASE,
    scope: |_| Scope::Needed("qod"),
    code: code_0_10,
    error_status: |_, _| false,
    ..v0_10::WIRE
};

/// 1.1: v1 paths and times, 0.x callback and device.
pub(super) const V1_1: Wire = Wire {
    dialect: Dialect::telefonica(Generation::V1_1),
    sessions: "/apigateway/quality-on-demand/v1",
    profiles: "/apigateway/qos-profiles/v1",
    request: RequestForm {
        device_required: true,
        phone_needs_plus: false,
        callback: CallbackForm::Webhook,
        ..v1_1::WIRE.request
    },
    device: DeviceRule::InRequest,
    scope: |operation| match operation {
        Operation::RetrieveSessions => Scope::Needed("quality-on-demand:sessions:retrieve-by-device"),
        _ => Scope::Needed("qod"),
    },
    code: code_1_1,
    error_status: |status, operation| match status {
        422 | 429 => true,
        404 => matches!(operation, Operation::RetrieveSessions | Operation::RetrieveProfiles),
        409 => operation == Operation::Extend,
        _ => false,
    },
    ..v1_1::WIRE
};

fn code_0_10(fault: Fault, operation: Operation) -> (u16, &'static str) {
    match (v0_10::code(fault, operation), operation) {
        ((400, "INVALID_ARGUMENT"), Operation::Create | Operation::Extend) => (400, "INVALID_ARGUMENT"),
        ((400, "INVALID_ARGUMENT"), _) => (400, "INVALID_INPUT"),
        ((401, _), _) => (401, "UNAUTHORIZED"),
        ((403, _), _) => (403, "FORBIDDEN"),
        ((503, _), _) => (503, "SERVICE_UNAVAILABLE"),
        (other, _) => other,
    }
}

/// A creation has neither 404 nor 422 in their document, so a wrong device is as in 0.10; and no operation has a code for one that is
/// missing.
fn code_1_1(fault: Fault, operation: Operation) -> (u16, &'static str) {
    let as_in_v1 = match fault {
        Fault::RateLimit | Fault::Quota | Fault::Inactive => true,
        Fault::DeviceUnknown | Fault::DeviceUnsupported | Fault::NoService => operation != Operation::Create,
        _ => false,
    };
    if as_in_v1 { v1_1::code(fault, operation) } else { code_0_10(fault, operation) }
}
