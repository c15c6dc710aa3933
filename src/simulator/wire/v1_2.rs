//! API version 1.2 as its third release candidate has it (r4.1, 1.2.0-rc.3): lists of server addresses, PRIVATE_KEY_JWT, unknown
//! properties refused, limits on every value.

use super::answer::AnswerForm;
use super::callback::CallbackForm;
use super::request::{DurationForm, RequestForm};
use super::{Fault, Wire, v1_1};
use crate::simulator::generation::{Dialect, Generation};
use crate::simulator::settings::Operation;

/// The wire.
pub(super) const WIRE: Wire = Wire {
    dialect: Dialect::camara(Generation::V1_2),
    sessions: "/quality-on-demand/v1rc3",
    profiles: "/qos-profiles/v1rc3",
    request: RequestForm {
        server_list: true,
        first_port: 1,
        duration: DurationForm::Int32,
        callback: CallbackForm::KeySink,
        closed: true,
        ..v1_1::WIRE.request
    },
    answer: AnswerForm { list_limit: Some(100), ..v1_1::WIRE.answer },
    code,
    ..v1_1::WIRE
};

pub(super) fn code(fault: Fault, operation: Operation) -> (u16, &'static str) {
    match fault {
        Fault::Credential => (400, "INVALID_ARGUMENT"),
        Fault::PrivateKey => (422, "PRIVATE_KEY_JWT_NOT_CONFIGURED"),
        _ => v1_1::code(fault, operation),
    }
}
