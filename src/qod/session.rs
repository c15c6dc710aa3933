//! The neutral model of a session: what every generation of the API can say in its own words.

use std::fmt;
use std::net::Ipv4Addr;

use k8s_openapi::jiff::Timestamp;

use super::device_ipv6::DeviceIpv6;
use super::flow::{EchoedFlow, Flow};
use crate::private::Private;

/// An OAuth access token, or whatever else the provider takes as a bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken(Option<Private<String>>);

impl AccessToken {
    /// Takes the token as it is sent, without `Bearer`.
    pub fn new(token: impl Into<String>) -> Self {
        Self(Some(Private::new(token.into())))
    }

    /// No token, and so no `Authorization`: for a provider that knows its client by a gateway's key
    /// ([`Settings::extra_headers`](super::Settings::extra_headers)).
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether there is none.
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The token itself, for sending or hashing; empty where there is none.
    pub fn expose(&self) -> &str {
        self.0.as_ref().map_or("", |token| token.expose())
    }
}

/// The device of a session, by one or more of its identifiers (CAMARA `Device`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// E.164; whether the `+` may be missing depends on the generation.
    pub phone_number: Option<Private<String>>,
    /// `name@realm`.
    pub network_access_identifier: Option<Private<String>>,
    /// By its IPv4 address as the network's outside sees it.
    pub ipv4_address: Option<DeviceIpv4>,
    /// By its IPv6 address, or up to 0.9 a prefix.
    pub ipv6_address: Option<Private<DeviceIpv6>>,
}

/// A device's IPv4 address (CAMARA `DeviceIpv4Addr`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceIpv4 {
    /// The address that servers see; that of a NAT, where there is one.
    pub public_address: Private<Ipv4Addr>,
    /// The device's own address behind the NAT.
    pub private_address: Option<Private<Ipv4Addr>>,
    /// The NAT's port for the device.
    pub public_port: Option<u16>,
}

/// The other end of the flow (CAMARA `ApplicationServer`), each text as the user wrote it: an address, or a subnet whose host bits
/// are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplicationServer {
    /// An IPv4 address or subnet.
    pub ipv4_address: Option<String>,
    /// An IPv6 address or subnet.
    pub ipv6_address: Option<String>,
    /// Single addresses, since 1.2.
    pub ip_addresses: Vec<String>,
}

/// Ports and ranges of ports (CAMARA `PortsSpec`). Nothing in it means that nothing was said: all ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortsSpec {
    /// Single ports.
    pub ports: Vec<u16>,
    /// Ranges, both ends included.
    pub ranges: Vec<PortRange>,
}

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The first port.
    pub from: u16,
    /// The last port, not below `from`.
    pub to: u16,
}

/// Where the provider shall send events, and with which bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The URL; its path holds the attempt's nonce.
    pub url: Private<String>,
    /// The bearer that the provider shall send along; empty for none.
    pub token: Private<String>,
    /// When the bearer ends; since 0.11 one cannot be sent without. Earlier generations cannot say it.
    pub token_expires: Option<Timestamp>,
}

/// What to ask for (CAMARA `CreateSession`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSession {
    /// The device; none where the token names it, which up to 0.10 no request can leave to it
    /// ([`device_in_request`](super::device_in_request)).
    pub device: Option<Device>,
    /// The server.
    pub application_server: ApplicationServer,
    /// The device's ports; none means all.
    pub device_ports: Option<PortsSpec>,
    /// The server's ports; none means all.
    pub application_server_ports: Option<PortsSpec>,
    /// The QoS profile's name.
    pub qos_profile: String,
    /// The duration, always sent: up to 0.10 a session without one lives for a day.
    pub duration_seconds: i64,
    /// Where events go; none where the operator polls.
    pub callback: Option<Callback>,
}

impl CreateSession {
    /// The flow that is asked for, to compare answers with. Where the token names the device, any device is the right one.
    pub fn flow(&self) -> Flow {
        Flow {
            device: self.device.clone().unwrap_or_default(),
            application_server: self.application_server.clone(),
            device_ports: self.device_ports.clone(),
            application_server_ports: self.application_server_ports.clone(),
            qos_profile: self.qos_profile.clone(),
        }
    }
}

/// The provider's name for a session; a UUID by the specification, any text by experience.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

impl SessionId {
    /// Takes the text as the provider gave it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the provider says about a session (CAMARA `SessionInfo`). Every field but the id may be missing: providers leave out even
/// what is required.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionInfo {
    /// The session's name at the provider.
    pub session_id: SessionId,
    /// The status, where it was said.
    pub qos_status: Option<QosStatus>,
    /// Why it is UNAVAILABLE, where that was said (since 0.11).
    pub status_info: Option<StatusInfo>,
    /// When it began; while it is REQUESTED, providers say different things here.
    pub started_at: Option<Timestamp>,
    /// When it ends, or has ended.
    pub expires_at: Option<Timestamp>,
    /// The granted duration in seconds, which need not be the one that was asked for.
    pub granted_duration: Option<i64>,
    /// The notification target that the provider echoes.
    pub callback: Option<Private<String>>,
    /// The flow that the provider echoes.
    pub(super) flow: EchoedFlow,
}

impl SessionInfo {
    /// Whether the fields that the answer does hold say the same as what was sent: device identifiers that both name, the server
    /// by network, the profile, the ports. What the answer leaves out counts as the same. It serves to disbelieve a provider that
    /// answers for a session that is not ours.
    pub fn flow_matches(&self, sent: &Flow) -> bool {
        self.flow.matches(sent)
    }

    /// Whether what the answer says of the device contradicts `device` in nothing.
    pub fn device_matches(&self, device: &Device) -> bool {
        super::flow::device_matches(&self.flow.device, device)
    }

    /// Whether the session may stand in the way of one on that flow: false only where the answer's own fields show that they have
    /// nothing in common, be it another device, server or port (the overlap rule: `createSession`, 409).
    pub fn may_overlap(&self, other: &Flow) -> bool {
        self.flow.may_overlap(other)
    }

    /// Whether the answer holds the whole flow and no other: it names server and profile, and no ports means all of them. Only the
    /// device may be missing, since the provider was asked by it.
    pub fn has_whole_flow(&self, sent: &Flow) -> bool {
        self.flow.is_whole(sent)
    }
}

/// What a look-up by device found.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionList {
    /// The sessions that could be read.
    pub sessions: Vec<SessionInfo>,
    /// Whether these are all: false where the list may have been cut off (100 items or more) or held something that could not be
    /// read. Then a session that is not in it may still be there.
    pub complete: bool,
}

/// The status of a session (CAMARA `QosStatus`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QosStatus {
    /// Asked for, not yet there.
    Requested,
    /// There.
    Available,
    /// Not there, or no longer.
    Unavailable,
    /// A word that no generation has; never counts as AVAILABLE.
    Unknown(String),
}

impl QosStatus {
    /// CAMARA's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Available => "AVAILABLE",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown(word) => word,
        }
    }
}

impl From<String> for QosStatus {
    fn from(word: String) -> Self {
        match word.as_str() {
            "REQUESTED" => Self::Requested,
            "AVAILABLE" => Self::Available,
            "UNAVAILABLE" => Self::Unavailable,
            _ => Self::Unknown(word),
        }
    }
}

impl fmt::Display for QosStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a session is UNAVAILABLE (CAMARA `StatusInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusInfo {
    /// Its time was over.
    DurationExpired,
    /// The network ended it, or could not begin it.
    NetworkTerminated,
    /// It was deleted.
    DeleteRequested,
    /// A word that no generation has.
    Unknown(String),
}

impl StatusInfo {
    /// CAMARA's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::DurationExpired => "DURATION_EXPIRED",
            Self::NetworkTerminated => "NETWORK_TERMINATED",
            Self::DeleteRequested => "DELETE_REQUESTED",
            Self::Unknown(word) => word,
        }
    }
}

impl From<String> for StatusInfo {
    fn from(word: String) -> Self {
        match word.as_str() {
            "DURATION_EXPIRED" => Self::DurationExpired,
            "NETWORK_TERMINATED" => Self::NetworkTerminated,
            "DELETE_REQUESTED" => Self::DeleteRequested,
            _ => Self::Unknown(word),
        }
    }
}

impl fmt::Display for StatusInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
