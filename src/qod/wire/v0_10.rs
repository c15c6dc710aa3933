//! The shape of 0.10 (CAMARA QoD 0.10.1, and Telefónica's flavour of it, whose requests and sessions are the same).

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::lenient::{Integer, Time, Word, or_absent};
use super::profile_name;
use crate::private::Private;
use crate::qod::fault::{Fault, Field};
use crate::qod::flow::{EchoedFlow, ipv6_of};
use crate::qod::session::{
    ApplicationServer, Callback, CreateSession, Device, DeviceIpv4, PortRange, PortsSpec,
    QosStatus, SessionId, SessionInfo, StatusInfo,
};

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
        return Err(Fault::not_expressible(
            Field::Duration,
            "1 to 86399 s for an extension",
        ));
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
            return Err(Fault::not_expressible(
                Field::Device,
                "a phone number has 5 to 15 digits",
            ));
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
            private_address: address
                .private_address
                .as_ref()
                .map(|address| *address.expose()),
            public_port: address.public_port,
        };
        body.insert("ipv4Address".into(), json!(address));
    }
    if let Some(address) = &device.ipv6_address {
        body.insert("ipv6Address".into(), json!(address.expose()));
    }
    if body.is_empty() {
        return Err(Fault::not_expressible(
            Field::Device,
            "at least one identifier is required",
        ));
    }
    Ok(Value::Object(body))
}

fn server(server: &ApplicationServer) -> Result<Value, Fault> {
    if !server.ip_addresses.is_empty() {
        return Err(Fault::not_expressible(
            Field::ApplicationServer,
            "a list of addresses appears in 1.2",
        ));
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
        return Err(Fault::not_expressible(
            Field::Ports,
            "a range must not end before it begins",
        ));
    }
    if !spec.ranges.is_empty() {
        body.insert(
            "ranges".into(),
            spec.ranges
                .iter()
                .map(|range| json!({"from": range.from, "to": range.to}))
                .collect(),
        );
    }
    Ok((!body.is_empty()).then_some(Value::Object(body)))
}

fn webhook(callback: &Callback) -> Result<Value, Fault> {
    if !(20..=256).contains(&callback.token.expose().chars().count()) {
        return Err(Fault::not_expressible(
            Field::Callback,
            "the token must have 20 to 256 characters",
        ));
    }
    Ok(
        json!({ "notificationUrl": callback.url.expose(), "notificationAuthToken": callback.token.expose() }),
    )
}

/// `SessionInfo`, and what real providers of this shape send in its place: `id`, times as text, a status that is missing, and
/// `sink` and `statusInfo` of the next shape.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSession {
    #[serde(default, deserialize_with = "or_absent")]
    session_id: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    id: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    qos_status: Option<Word>,
    #[serde(default, deserialize_with = "or_absent")]
    status_info: Option<Word>,
    #[serde(default, deserialize_with = "or_absent")]
    started_at: Option<Time>,
    #[serde(default, deserialize_with = "or_absent")]
    expires_at: Option<Time>,
    #[serde(default, deserialize_with = "or_absent")]
    duration: Option<Integer>,
    #[serde(default, deserialize_with = "or_absent")]
    webhook: Option<WireWebhook>,
    #[serde(default, deserialize_with = "or_absent")]
    sink: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    device: Option<WireDevice>,
    #[serde(default, deserialize_with = "or_absent")]
    application_server: Option<WireServer>,
    #[serde(default, deserialize_with = "or_absent")]
    device_ports: Option<WirePorts>,
    #[serde(default, deserialize_with = "or_absent")]
    application_server_ports: Option<WirePorts>,
    #[serde(default, deserialize_with = "or_absent")]
    qos_profile: Option<String>,
}

/// The token in it is not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireWebhook {
    notification_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDevice {
    #[serde(default, deserialize_with = "or_absent")]
    phone_number: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    network_access_identifier: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    ipv4_address: Option<WireIpv4>,
    #[serde(default, deserialize_with = "or_absent")]
    ipv6_address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireIpv4 {
    public_address: Ipv4Addr,
    #[serde(default, deserialize_with = "or_absent")]
    private_address: Option<Ipv4Addr>,
    #[serde(default, deserialize_with = "or_absent")]
    public_port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireServer {
    #[serde(default, deserialize_with = "or_absent")]
    ipv4_address: Option<String>,
    #[serde(default, deserialize_with = "or_absent")]
    ipv6_address: Option<String>,
}

#[derive(Deserialize)]
struct WirePorts {
    #[serde(default)]
    ports: Option<Vec<u16>>,
    #[serde(default)]
    ranges: Option<Vec<WireRange>>,
}

#[derive(Deserialize)]
struct WireRange {
    from: u16,
    to: u16,
}

/// The session in an answer; none where the body holds no session with an id.
pub(super) fn session(body: &[u8]) -> Option<SessionInfo> {
    // By way of a `Value`, so that a key that is there twice is no error.
    let wire = WireSession::deserialize(serde_json::from_slice::<Value>(body).ok()?).ok()?;
    let session_id = [wire.session_id, wire.id]
        .into_iter()
        .flatten()
        .find(|id| !id.is_empty() && id.len() <= 512)?;
    Some(SessionInfo {
        session_id: SessionId::new(session_id),
        qos_status: wire.qos_status.map(|word| QosStatus::from(word.0)),
        status_info: wire.status_info.map(|word| StatusInfo::from(word.0)),
        started_at: wire.started_at.map(|time| time.0),
        expires_at: wire.expires_at.map(|time| time.0),
        granted_duration: wire.duration.map(|number| number.0),
        callback: wire
            .webhook
            .map(|webhook| webhook.notification_url)
            .or(wire.sink)
            .map(Private::new),
        flow: EchoedFlow {
            device: wire.device.map_or_else(Device::default, Device::from),
            application_server: wire.application_server.map_or_else(
                ApplicationServer::default,
                |server| ApplicationServer {
                    ipv4_address: server.ipv4_address,
                    ipv6_address: server.ipv6_address,
                    ip_addresses: Vec::new(),
                },
            ),
            device_ports: wire.device_ports.map(PortsSpec::from),
            application_server_ports: wire.application_server_ports.map(PortsSpec::from),
            qos_profile: wire.qos_profile,
        },
    })
}

impl From<WireDevice> for Device {
    fn from(wire: WireDevice) -> Self {
        Self {
            phone_number: wire.phone_number.map(Private::new),
            network_access_identifier: wire.network_access_identifier.map(Private::new),
            ipv4_address: wire.ipv4_address.map(|address| DeviceIpv4 {
                public_address: Private::new(address.public_address),
                private_address: address.private_address.map(Private::new),
                public_port: address.public_port,
            }),
            ipv6_address: wire
                .ipv6_address
                .as_deref()
                .and_then(ipv6_of)
                .map(Private::new),
        }
    }
}

impl From<WirePorts> for PortsSpec {
    fn from(wire: WirePorts) -> Self {
        let range = |range: WireRange| PortRange {
            from: range.from,
            to: range.to,
        };
        Self {
            ports: wire.ports.unwrap_or_default(),
            ranges: wire
                .ranges
                .unwrap_or_default()
                .into_iter()
                .map(range)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_field_does_not_lose_the_session() {
        let info = session(
            br#"{"sessionId":"s-1","device":7,"duration":"60","startedAt":{},"qosStatus":["AVAILABLE"],
                "webhook":"x","devicePorts":{"ports":"all"},"sessionId":"s-2"}"#,
        )
        .unwrap();
        assert_eq!(info.session_id.as_str(), "s-2");
        assert_eq!(
            (info.qos_status, info.started_at, info.granted_duration),
            (None, None, Some(60))
        );
    }

    #[test]
    fn a_body_without_an_id_is_no_session() {
        for body in [
            &b""[..],
            b"[]",
            b"null",
            b"{}",
            br#"{"sessionId":""}"#,
            br#"{"sessionId":12}"#,
            b"<html>",
        ] {
            assert_eq!(session(body), None, "{}", String::from_utf8_lossy(body));
        }
    }

    fn request() -> CreateSession {
        CreateSession {
            device: Device {
                phone_number: Some("+447700900123".into()),
                ..Device::default()
            },
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
        assert_eq!(
            refused(|request| request.duration_seconds = 0),
            Field::Duration
        );
        assert_eq!(
            refused(|request| request.duration_seconds = 86_401),
            Field::Duration
        );
        assert_eq!(
            refused(|request| request.qos_profile = "a b".into()),
            Field::Profile
        );
        assert_eq!(
            refused(|request| request.device = Device::default()),
            Field::Device
        );
        assert_eq!(
            refused(|request| request.device.phone_number = Some("+44 7700".into())),
            Field::Device
        );
        let address = DeviceIpv4 {
            public_address: Ipv4Addr::new(203, 0, 113, 25).into(),
            private_address: None,
            public_port: None,
        };
        let mut bare = request();
        bare.device.ipv4_address = Some(address);
        assert!(create(&bare).is_err());
        assert_eq!(
            refused(|request| request.callback = Some(Callback {
                url: "https://qos.example.org/".into(),
                token: "short".into(),
                token_expires: None
            })),
            Field::Callback
        );
    }

    #[test]
    fn the_server_is_sent_as_it_was_written() {
        assert_eq!(
            create(&request()).unwrap()["applicationServer"],
            json!({"ipv4Address": "198.51.100.10/24"})
        );
    }
}
