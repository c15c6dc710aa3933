//! The shape of 0.10 (CAMARA QoD 0.10.1, and Telefónica's flavour of it, whose requests and sessions are the same).

use serde_json::Value;

use super::body::{self, Rules};
use super::{Flavour, v0_9};
use crate::qod::fault::Fault;
use crate::qod::session::CreateSession;

/// Schema `CreateSession`: as in 0.9, but the device's IPv6 address is a single one.
pub(super) const RULES: Rules = Rules { ipv6_prefix: false, ..v0_9::RULES };
/// The longest extension (schema `ExtendSessionDuration`), in seconds.
const MAX_EXTENSION: i64 = 86_399;

/// The body of `POST /sessions`.
pub(super) fn create(request: &CreateSession, flavour: Flavour) -> Result<Value, Fault> {
    body::create(&RULES, request, flavour)
}

/// The body of `POST /sessions/{sessionId}/extend`.
pub(super) fn extend(additional_seconds: i64) -> Result<Value, Fault> {
    body::extend(additional_seconds, MAX_EXTENSION)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::json;

    use super::*;
    use crate::qod::fault::{FaultClass, Field};
    use crate::qod::session::{Callback, Device, DeviceIpv4};
    use crate::qod::wire::tests::request;

    #[test]
    fn what_the_schema_forbids_is_refused_before_it_is_sent() {
        let refused = |change: fn(&mut CreateSession)| {
            let mut request = request();
            change(&mut request);
            match create(&request, Flavour::default()).unwrap_err().class {
                FaultClass::NotExpressible { field, .. } => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|request| request.duration_seconds = 0), Field::Duration);
        assert_eq!(refused(|request| request.duration_seconds = 86_401), Field::Duration);
        assert_eq!(refused(|request| request.qos_profile = "a b".into()), Field::Profile);
        assert_eq!(refused(|request| request.qos_profile = "ab".into()), Field::Profile);
        assert_eq!(refused(|request| request.device = None), Field::Device);
        assert_eq!(refused(|request| request.device = Some(Device::default())), Field::Device);
        assert_eq!(
            refused(|request| {
                request.device = Some(Device { phone_number: Some("+44 7700".into()), ..Device::default() });
            }),
            Field::Device
        );
        assert_eq!(
            refused(|request| {
                let public_address = Ipv4Addr::new(203, 0, 113, 25).into();
                let bare = DeviceIpv4 { public_address, private_address: None, public_port: None };
                request.device = Some(Device { ipv4_address: Some(bare), ..Device::default() });
            }),
            Field::Device
        );
        assert_eq!(refused(|request| request.application_server.ipv4_address = Some("example".into())), Field::ApplicationServer);
        assert_eq!(
            refused(|request| request.callback =
                Some(Callback { url: "https://qos.example.org/".into(), token: "short".into(), token_expires: None })),
            Field::Callback
        );
    }

    #[test]
    fn the_server_keeps_its_host_bits_and_is_written_as_the_patterns_of_all_generations_want() {
        for (v4, v6, sent4, sent6) in [
            ("198.51.100.10/24", "2001:DB8:0:0::0010/48", "198.51.100.10/24", "2001:db8::10/48"),
            ("198.51.100.10", "::ffff:198.51.100.10", "198.51.100.10", "::ffff:c633:640a"),
            ("0.0.0.0/0", "::/0", "0.0.0.0/0", "::/0"),
        ] {
            let mut request = request();
            request.application_server.ipv4_address = Some(v4.into());
            request.application_server.ipv6_address = Some(v6.into());
            let body = create(&request, Flavour::default()).unwrap();
            assert_eq!(body["applicationServer"], json!({"ipv4Address": sent4, "ipv6Address": sent6}));
        }
    }
}
