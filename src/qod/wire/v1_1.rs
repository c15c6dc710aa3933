//! The shape of 1.1 (CAMARA QoD 1.1.0): that of 0.11, with a `sink` that must be https. Telefónica's 1.1 has `webhook` in place of
//! `sink`, and requires the device: both are settings.

use serde_json::Value;

use super::body::{self, CallbackForm, Rules, SinkRules};
use super::{Flavour, v0_11};
use crate::qod::fault::Fault;
use crate::qod::session::CreateSession;

/// Schema `CreateSession`.
pub(super) const RULES: Rules = Rules { callback: CallbackForm::Sink(SinkRules { https: true, longest: None }), ..v0_11::RULES };

/// The body of `POST /sessions`.
pub(super) fn create(request: &CreateSession, flavour: Flavour) -> Result<Value, Fault> {
    body::create(&RULES, request, flavour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qod::session::Callback;
    use crate::qod::settings::CallbackField;
    use crate::qod::wire::tests::request;

    #[test]
    fn a_sink_must_be_https_since_v1_1_also_where_a_setting_asks_for_it() {
        let with = |url: &str| {
            let callback = Callback { url: url.into(), token: "".into(), token_expires: None };
            CreateSession { callback: Some(callback), ..request() }
        };
        for callback_field in [CallbackField::Auto, CallbackField::Sink] {
            let flavour = Flavour { callback_field, ..Flavour::default() };
            assert!(create(&with("http://qos.example.org/n"), flavour).is_err());
            assert!(create(&with("https://"), flavour).is_err());
            assert!(create(&with("https://qos.example.org/n"), flavour).is_ok());
        }
        assert!(v0_11::create(&with("http://qos.example.org/n"), Flavour::default()).is_ok());
    }
}
