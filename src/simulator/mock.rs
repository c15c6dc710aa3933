//! The rules of Telefónica's sandbox mock ("mocks" page of their documentation): no state. What the ledger shows in this mode is only
//! the book of what was asked; no answer depends on it.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::generation::Generation;
use super::session::seconds_later;
use super::settings::Settings;
use super::wire::answer::{self, Facts};
use super::wire::device::Sent;
use super::wire::{Fault, Problem, Wire};

/// Refuses what the mock refuses of a well-formed creation: an identifier that ends in 9.
pub(super) fn create(device: Option<&Sent>) -> Result<(), Problem> {
    if device.is_some_and(|device| device.ends_in_9) {
        return Err(Problem::new(Fault::Conflict, "Another session is created for the same UE"));
    }
    Ok(())
}

/// What the mock adds to a created session: `messages`, which no generation after 0.10 has.
pub(super) fn created(wire: &Wire, mut info: Value) -> Value {
    if let Some(fields) = info.as_object_mut().filter(|_| wire.generation() <= Generation::V0_10) {
        fields.insert("messages".to_owned(), json!([{"severity": "INFO", "description": "Mock session"}]));
    }
    info
}

/// Some session's fields under the id asked for, as the mock's GET and extend answer for any id.
pub(super) fn some_session(wire: &Wire, id: Uuid, duration: i64, now: Timestamp, settings: &Settings) -> Value {
    let echo = wire.request.some_request();
    let expires = Some(seconds_later(now, duration));
    let info =
        answer::info(wire, echo, Facts { id, duration, started: Some(now), expires, status: "AVAILABLE", info: None }, settings);
    created(wire, info)
}
