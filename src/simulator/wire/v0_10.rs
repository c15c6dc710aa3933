//! API version 0.10 (release v0.10.1, `qod-api.yaml`): extend, 400 for malformed ids and for a profile's limits, single device addresses.

use super::request::RequestForm;
use super::{Fault, Wire, v0_9};
use crate::simulator::generation::{Dialect, Generation};
use crate::simulator::settings::Operation;

/// The wire.
pub(super) const WIRE: Wire = Wire {
    dialect: Dialect::camara(Generation::V0_10),
    operations: &[Operation::Create, Operation::Get, Operation::Delete, Operation::Extend, Operation::Profiles],
    request: RequestForm { device_ipv6_subnet: false, canonical_ipv6: false, ..v0_9::WIRE.request },
    code,
    ..v0_9::WIRE
};

pub(super) fn code(fault: Fault, operation: Operation) -> (u16, &'static str) {
    match fault {
        Fault::MalformedId => (400, "INVALID_ARGUMENT"),
        Fault::DurationLimits => (400, "OUT_OF_RANGE"),
        _ => v0_9::code(fault, operation),
    }
}
