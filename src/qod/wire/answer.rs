//! Answers, read as providers write them: one reader for the words of 0.9 and all later generations, since real providers mix them.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::Value;

use crate::private::Private;
use crate::qod::flow::EchoedFlow;
use crate::qod::session::{
    ApplicationServer, Device, DeviceIpv4, PortRange, PortsSpec, QosStatus, SessionId, SessionInfo, StatusInfo,
};
use crate::qod::wire::lenient::{Integer, Time, Word, or_absent};

/// `SessionInfo` of 0.9 to 1.2, and what real providers send in its place: `id`, times in the other spelling, a status that is
/// missing, `webhook` beside 1.x and `sink` beside 0.10. The credential that may be echoed is not read.
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
    #[serde(default, deserialize_with = "or_absent")]
    ip_addresses: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct WirePorts {
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

/// The session in an answer; none where there is none with an id. By way of a `Value`, so that a key that is there twice is no
/// error.
pub(super) fn session(value: Value) -> Option<SessionInfo> {
    let wire = WireSession::deserialize(value).ok()?;
    let session_id = [wire.session_id, wire.id].into_iter().flatten().find(|id| !id.is_empty() && id.len() <= 512)?;
    Some(SessionInfo {
        session_id: SessionId::new(session_id),
        qos_status: wire.qos_status.map(|word| QosStatus::from(word.0)),
        status_info: wire.status_info.map(|word| StatusInfo::from(word.0)),
        started_at: wire.started_at.map(|time| time.0),
        expires_at: wire.expires_at.map(|time| time.0),
        granted_duration: wire.duration.map(|number| number.0),
        callback: wire.webhook.map(|webhook| webhook.notification_url).or(wire.sink).map(Private::new),
        flow: EchoedFlow {
            device: wire.device.map_or_else(Device::default, Device::from),
            application_server: wire.application_server.map_or_else(ApplicationServer::default, |server| ApplicationServer {
                ipv4_address: server.ipv4_address,
                ipv6_address: server.ipv6_address,
                ip_addresses: server.ip_addresses.unwrap_or_default(),
            }),
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
            ipv6_address: wire.ipv6_address.and_then(|text| text.parse().ok()).map(Private::new),
        }
    }
}

impl From<WirePorts> for PortsSpec {
    fn from(wire: WirePorts) -> Self {
        let range = |range: WireRange| PortRange { from: range.from, to: range.to };
        Self { ports: wire.ports.unwrap_or_default(), ranges: wire.ranges.unwrap_or_default().into_iter().map(range).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Option<SessionInfo> {
        session(serde_json::from_slice(body).ok()?)
    }

    #[test]
    fn one_odd_field_does_not_lose_the_session() {
        let info = read(
            br#"{"sessionId":"s-1","device":7,"duration":"60","startedAt":{},"qosStatus":["AVAILABLE"],
                "webhook":"x","devicePorts":{"ports":"all"},"sessionId":"s-2"}"#,
        )
        .unwrap();
        assert_eq!(info.session_id.as_str(), "s-2");
        assert_eq!((info.qos_status, info.started_at, info.granted_duration), (None, None, Some(60)));
    }

    #[test]
    fn a_body_without_an_id_is_no_session() {
        for body in [&b""[..], b"[]", b"null", b"{}", br#"{"sessionId":""}"#, br#"{"sessionId":12}"#, b"<html>"] {
            assert_eq!(read(body), None, "{}", String::from_utf8_lossy(body));
        }
    }
}
