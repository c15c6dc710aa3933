//! The rules of Telefónica's sandbox mock ("mocks" page of their documentation): no state. What the ledger shows in this mode is only
//! the book of what was asked; no answer depends on it.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::settings::Settings;
use super::wire::{Fault, Problem, v0_10};

/// Refuses what the mock refuses of a well-formed creation: an identifier that ends in 9.
pub(super) fn create(order: &v0_10::Create) -> Result<(), Problem> {
    if order.ends_in_9 {
        return Err(Problem::new(Fault::Conflict, "Another session is created for the same UE"));
    }
    Ok(())
}

/// What the mock adds to a created session: `messages`.
pub(super) fn created(mut info: Value) -> Value {
    if let Some(fields) = info.as_object_mut() {
        fields.insert("messages".to_owned(), json!([{"severity": "INFO", "description": "Mock session"}]));
    }
    info
}

/// Some session's fields under the id asked for, as the mock's GET and extend answer for any id.
pub(super) fn some_session(id: Uuid, duration: i64, now: Timestamp, settings: &Settings) -> Value {
    let fields = [
        ("device", json!({"phoneNumber": "+346666666666"})),
        ("applicationServer", json!({"ipv4Address": "192.0.2.1"})),
        ("qosProfile", json!("QOS_L")),
    ];
    let echo: Map<String, Value> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    created(v0_10::info(echo, id, duration, now, "AVAILABLE", settings))
}
