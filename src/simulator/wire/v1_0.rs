//! API version 1.0 (release r2.2, 1.0.0): the token alone decides who names the device; new names for what is wrong with it.

use super::{Correlator, DeviceRule, Fault, Wire, v0_11};
use crate::simulator::generation::{Dialect, Generation};
use crate::simulator::settings::Operation;

/// The wire.
pub(super) const WIRE: Wire = Wire {
    dialect: Dialect::camara(Generation::V1_0),
    sessions: "/quality-on-demand/v1",
    profiles: "/qos-profiles/v1",
    device: DeviceRule::ByToken,
    refuses_network_access: true,
    correlator: Correlator::Narrow,
    code,
    ..v0_11::WIRE
};

pub(super) fn code(fault: Fault, operation: Operation) -> (u16, &'static str) {
    match fault {
        Fault::TokenContext => (403, "PERMISSION_DENIED"),
        Fault::DeviceUnknown => (404, "IDENTIFIER_NOT_FOUND"),
        Fault::DeviceMissing => (422, "MISSING_IDENTIFIER"),
        Fault::DeviceUnnecessary => (422, "UNNECESSARY_IDENTIFIER"),
        Fault::Mismatch => (422, "IDENTIFIER_MISMATCH"),
        Fault::DeviceUnsupported => (422, "UNSUPPORTED_IDENTIFIER"),
        Fault::NoService => (422, "SERVICE_NOT_APPLICABLE"),
        _ => v0_11::code(fault, operation),
    }
}
