//! The shape of 0.10 (CAMARA QoD 0.10.1, and Telefónica's flavour of it, whose requests and sessions are the same).

mod answer;

use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::{Value, json};

pub(super) use self::answer::session;
use super::profile_name;
use crate::qod::fault::{Fault, Field};
use crate::qod::session::{ApplicationServer, Callback, CreateSession, Device, PortsSpec};

/// The longest session (schema `CreateSession`), in seconds.
const MAX_DURATION: i64 = 86_400;
/// The longest extension (schema `ExtendSessionDuration`), in seconds.
const MAX_EXTENSION: i64 = 86_399;

/// The body of `POST /sessions`.
pub(super) fn create(request: &CreateSession) -> Result<Value, Fault> {
    if !(1..=MAX_DURATION).contains(&request.duration_seconds) {
        return Err(Fault::not_expressible(Field::Duration, "1 to 86400 s"));
    }
    profile_name(&request.qos_profile)?;
    let mut body = json!({
        "device": device(&request.device)?,
        "applicationServer": server(&request.application_server)?,
        "qosProfile": request.qos_profile,
        "duration": request.duration_seconds,
    });
    if let Some(spec) = ports(request.device_ports.as_ref())? {
        body["devicePorts"] = spec;
    }
    if let Some(spec) = ports(request.application_server_ports.as_ref())? {
        body["applicationServerPorts"] = spec;
    }
    if let Some(callback) = &request.callback {
        body["webhook"] = webhook(callback)?;
    }
    Ok(body)
}

/// The body of `POST /sessions/{sessionId}/extend`.
pub(super) fn extend(additional_seconds: i64) -> Result<Value, Fault> {
    if !(1..=MAX_EXTENSION).contains(&additional_seconds) {
        return Err(Fault::not_expressible(Field::Duration, "1 to 86399 s for an extension"));
    }
    Ok(json!({ "requestedAdditionalDuration": additional_seconds }))
}

fn device(device: &Device) -> Result<Value, Fault> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Ipv4 {
        public_address: Ipv4Addr,
        #[serde(skip_serializing_if = "Option::is_none")]
        private_address: Option<Ipv4Addr>,
        #[serde(skip_serializing_if = "Option::is_none")]
        public_port: Option<u16>,
    }
    let mut body = serde_json::Map::new();
    if let Some(number) = &device.phone_number {
        let digits = number.expose().strip_prefix('+').unwrap_or(number.expose());
        if !(5..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fault::not_expressible(Field::Device, "a phone number has 5 to 15 digits"));
        }
        body.insert("phoneNumber".into(), json!(number.expose()));
    }
    if let Some(identifier) = &device.network_access_identifier {
        body.insert("networkAccessIdentifier".into(), json!(identifier.expose()));
    }
    if let Some(address) = &device.ipv4_address {
        if address.private_address.is_none() && address.public_port.is_none() {
            return Err(Fault::not_expressible(
                Field::Device,
                "an IPv4 address needs the private address or the public port beside it",
            ));
        }
        let address = Ipv4 {
            public_address: *address.public_address.expose(),
            private_address: address.private_address.as_ref().map(|address| *address.expose()),
            public_port: address.public_port,
        };
        body.insert("ipv4Address".into(), json!(address));
    }
    if let Some(address) = &device.ipv6_address {
        body.insert("ipv6Address".into(), json!(address.expose()));
    }
    if body.is_empty() {
        return Err(Fault::not_expressible(Field::Device, "at least one identifier is required"));
    }
    Ok(Value::Object(body))
}

fn server(server: &ApplicationServer) -> Result<Value, Fault> {
    if !server.ip_addresses.is_empty() {
        return Err(Fault::not_expressible(Field::ApplicationServer, "a list of addresses appears in 1.2"));
    }
    let mut body = serde_json::Map::new();
    if let Some(address) = &server.ipv4_address {
        body.insert("ipv4Address".into(), json!(address));
    }
    if let Some(address) = &server.ipv6_address {
        body.insert("ipv6Address".into(), json!(address));
    }
    if body.is_empty() {
        return Err(Fault::not_expressible(Field::ApplicationServer, "required"));
    }
    Ok(Value::Object(body))
}

/// None where nothing is said, since the schema allows neither an empty object nor an empty list in it.
fn ports(spec: Option<&PortsSpec>) -> Result<Option<Value>, Fault> {
    let Some(spec) = spec else { return Ok(None) };
    let mut body = serde_json::Map::new();
    if !spec.ports.is_empty() {
        body.insert("ports".into(), json!(spec.ports));
    }
    if spec.ranges.iter().any(|range| range.from > range.to) {
        return Err(Fault::not_expressible(Field::Ports, "a range must not end before it begins"));
    }
    if !spec.ranges.is_empty() {
        body.insert("ranges".into(), spec.ranges.iter().map(|range| json!({"from": range.from, "to": range.to})).collect());
    }
    Ok((!body.is_empty()).then_some(Value::Object(body)))
}

fn webhook(callback: &Callback) -> Result<Value, Fault> {
    if !(20..=256).contains(&callback.token.expose().chars().count()) {
        return Err(Fault::not_expressible(Field::Callback, "the token must have 20 to 256 characters"));
    }
    Ok(json!({ "notificationUrl": callback.url.expose(), "notificationAuthToken": callback.token.expose() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qod::session::DeviceIpv4;

    fn request() -> CreateSession {
        CreateSession {
            device: Device { phone_number: Some("+447700900123".into()), ..Device::default() },
            application_server: ApplicationServer {
                ipv4_address: Some("198.51.100.10/24".into()),
                ..ApplicationServer::default()
            },
            device_ports: None,
            application_server_ports: None,
            qos_profile: "QOS_E".into(),
            duration_seconds: 3600,
            callback: None,
        }
    }

    #[test]
    fn what_the_schema_forbids_is_refused_before_it_is_sent() {
        let refused = |change: fn(&mut CreateSession)| {
            let mut request = request();
            change(&mut request);
            match create(&request).unwrap_err().class {
                crate::qod::FaultClass::NotExpressible { field, .. } => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|request| request.duration_seconds = 0), Field::Duration);
        assert_eq!(refused(|request| request.duration_seconds = 86_401), Field::Duration);
        assert_eq!(refused(|request| request.qos_profile = "a b".into()), Field::Profile);
        assert_eq!(refused(|request| request.device = Device::default()), Field::Device);
        assert_eq!(refused(|request| request.device.phone_number = Some("+44 7700".into())), Field::Device);
        let address =
            DeviceIpv4 { public_address: Ipv4Addr::new(203, 0, 113, 25).into(), private_address: None, public_port: None };
        let mut bare = request();
        bare.device.ipv4_address = Some(address);
        assert!(create(&bare).is_err());
        assert_eq!(
            refused(|request| request.callback =
                Some(Callback { url: "https://qos.example.org/".into(), token: "short".into(), token_expires: None })),
            Field::Callback
        );
    }

    #[test]
    fn the_server_is_sent_as_it_was_written() {
        assert_eq!(create(&request()).unwrap()["applicationServer"], json!({"ipv4Address": "198.51.100.10/24"}));
    }
}
