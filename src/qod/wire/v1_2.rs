//! The shape of 1.2 (CAMARA QoD 1.2.0-rc.3): the server may be a list of addresses, port 0 is none, and texts have a length.

use serde_json::Value;

use super::body::{self, CallbackForm, Rules, SinkRules};
use super::{Flavour, v1_1};
use crate::qod::fault::Fault;
use crate::qod::session::CreateSession;

/// Schema `CreateSession`.
pub(super) const RULES: Rules = Rules {
    min_port: 1,
    ip_addresses: true,
    callback: CallbackForm::Sink(SinkRules { https: true, longest: Some((2048, 4096)) }),
    ..v1_1::RULES
};

/// The body of `POST /sessions`.
pub(super) fn create(request: &CreateSession, flavour: Flavour) -> Result<Value, Fault> {
    body::create(&RULES, request, flavour)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::qod::session::ApplicationServer;
    use crate::qod::wire::tests::request;

    fn with(addresses: &[&str]) -> Result<Value, Fault> {
        let ip_addresses = addresses.iter().map(|text| (*text).to_owned()).collect();
        let application_server = ApplicationServer { ip_addresses, ..ApplicationServer::default() };
        create(&CreateSession { application_server, ..request() }, Flavour::default())
    }

    #[test]
    fn a_list_of_addresses_names_each_once_in_whatever_spelling() {
        let body = with(&["198.51.100.10", "2001:DB8:0::1"]).unwrap();
        assert_eq!(body["applicationServer"], json!({"ipAddresses": ["198.51.100.10", "2001:db8::1"]}));
        assert!(with(&["2001:db8::1", "2001:DB8:0::1"]).is_err());
        assert!(with(&["qos.example.org"]).is_err());
    }

    #[test]
    fn seventeen_addresses_are_too_many() {
        let addresses: Vec<String> = (1..=17).map(|number| format!("198.51.100.{number}")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        assert!(with(&addresses[..16]).is_ok());
        assert!(with(&addresses).is_err());
    }
}
