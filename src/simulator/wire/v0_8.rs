//! API version 0.8 (release v0.8.1, `qod-api.yaml`).

use super::answer::AnswerForm;
use super::callback::CallbackForm;
use super::request::{DeviceIpv4, DurationForm, Names, ProfileForm, RequestForm};
use super::{Correlator, DeviceRule, Fault, Scope, Wire};
use crate::simulator::generation::{Dialect, Generation};
use crate::simulator::settings::Operation;

/// The wire.
pub(super) const WIRE: Wire = Wire {
    dialect: Dialect::camara(Generation::V0_8),
    sessions: "/qod/v0",
    profiles: "/qod/v0",
    operations: &[Operation::Create, Operation::Get, Operation::Delete],
    request: RequestForm {
        names: Names {
            device: "ueId",
            phone: "msisdn",
            network_access: "externalId",
            device_ipv4: "ipv4addr",
            device_ipv6: "ipv6addr",
            server: "asId",
            server_ipv4: "ipv4addr",
            server_ipv6: "ipv6addr",
            device_ports: "uePorts",
            server_ports: "asPorts",
            profile: "qos",
        },
        device_required: true,
        phone_needs_plus: false,
        device_ipv4: DeviceIpv4::Text,
        device_ipv6_subnet: true,
        canonical_ipv6: true,
        server_list: false,
        first_port: 0,
        one_port_only: false,
        profile: ProfileForm::Four,
        duration: DurationForm::UpToADay,
        callback: CallbackForm::Flat,
        closed: false,
    },
    device: DeviceRule::InRequest,
    matches_identifiers: true,
    refuses_network_access: false,
    answer: AnswerForm { id: "id", status: false, rfc3339: false, one_identifier: false, list_limit: None },
    correlator: Correlator::Unknown,
    limits_rate: false,
    scope: |_| Scope::Free,
    code,
    error_status: |_, _| false,
};

pub(super) fn code(fault: Fault, _: Operation) -> (u16, &'static str) {
    match fault {
        Fault::Unauthenticated | Fault::Expired => (401, "UNAUTHORIZED"),
        Fault::Scope | Fault::Foreign | Fault::TokenContext => (403, "FORBIDDEN"),
        Fault::NotFound | Fault::MalformedId => (404, "NOT_FOUND"),
        Fault::Conflict => (409, "CONFLICT"),
        Fault::RateLimit | Fault::Quota | Fault::Unavailable => (503, "SERVICE_UNAVAILABLE"),
        _ => (400, "INVALID_INPUT"),
    }
}
