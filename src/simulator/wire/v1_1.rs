//! API version 1.1 (release r3.2, 1.1.0): `sink` must be https, a code for profiles that are not ACTIVE, one identifier is picked
//! without matching.

use super::callback::CallbackForm;
use super::request::RequestForm;
use super::{Correlator, Fault, Wire, v1_0};
use crate::simulator::generation::{Dialect, Generation};
use crate::simulator::settings::Operation;

/// The wire.
pub(super) const WIRE: Wire = Wire {
    dialect: Dialect::camara(Generation::V1_1),
    matches_identifiers: false,
    correlator: Correlator::Wide,
    request: RequestForm { callback: CallbackForm::HttpsSink, ..v1_0::WIRE.request },
    code,
    ..v1_0::WIRE
};

pub(super) fn code(fault: Fault, operation: Operation) -> (u16, &'static str) {
    match fault {
        Fault::Sink => (400, "INVALID_SINK"),
        Fault::ProfileNotApplicable => (422, "QUALITY_ON_DEMAND.QOS_PROFILE_NOT_APPLICABLE"),
        _ => v1_0::code(fault, operation),
    }
}
