//! The shape of 0.9 (CAMARA QoD 0.9.0): the words that all later ones kept, `webhook`, and a device that may be an IPv6 prefix.

use serde_json::Value;

use super::Flavour;
use super::body::{self, CallbackForm, Rules};
use crate::qod::fault::Fault;
use crate::qod::session::CreateSession;

/// Schema `CreateSession`.
pub(super) const RULES: Rules = Rules {
    device_required: true,
    plus: false,
    network_access_identifier: true,
    ipv6_prefix: true,
    max_duration: 86_400,
    min_port: 0,
    ip_addresses: false,
    callback: CallbackForm::Webhook,
};

/// The body of `POST /sessions`.
pub(super) fn create(request: &CreateSession, flavour: Flavour) -> Result<Value, Fault> {
    body::create(&RULES, request, flavour)
}
