//! The shape of 0.11 and 1.0 (CAMARA QoD 0.11.1, 1.0.0): `sink` in place of `webhook`, the device may be left out, look-ups by POST.

use serde_json::Value;

use super::Flavour;
use super::body::{self, ANY_SINK, CallbackForm, INT32, Rules};
use crate::qod::fault::Fault;
use crate::qod::session::CreateSession;

/// Schema `CreateSession`.
pub(super) const RULES: Rules = Rules {
    device_required: false,
    plus: true,
    // By the text; the schema still has it.
    network_access_identifier: false,
    ipv6_prefix: false,
    max_duration: INT32,
    min_port: 0,
    ip_addresses: false,
    callback: CallbackForm::Sink(ANY_SINK),
};

/// The body of `POST /sessions`.
pub(super) fn create(request: &CreateSession, flavour: Flavour) -> Result<Value, Fault> {
    body::create(&RULES, request, flavour)
}

/// The body of `POST /sessions/{sessionId}/extend`, of this and all later shapes.
pub(super) fn extend(additional_seconds: i64) -> Result<Value, Fault> {
    body::extend(additional_seconds, INT32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qod::session::Callback;
    use crate::qod::settings::CallbackField;
    use crate::qod::wire::tests::request;

    #[test]
    fn a_token_without_an_end_cannot_be_a_sinks_credential_and_can_be_a_webhooks() {
        let callback =
            Callback { url: "https://qos.example.org/n".into(), token: "n3mZ0q2Jr8vK5tYx1LwB7dPf".into(), token_expires: None };
        let request = CreateSession { callback: Some(callback), ..request() };
        assert!(create(&request, Flavour::default()).is_err());
        let webhook = Flavour { callback_field: CallbackField::Webhook, ..Flavour::default() };
        let body = create(&request, webhook).unwrap();
        assert_eq!(body["webhook"]["notificationAuthToken"], "n3mZ0q2Jr8vK5tYx1LwB7dPf");
        assert!(body.get("sink").is_none());
    }
}
