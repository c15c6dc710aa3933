//! Parse: what an object asks for. Pure; an invalid spec is a value, not an error.

use std::net::Ipv6Addr;

use ipnet::IpNet;
use kube::ResourceExt as _;

use super::facts::{AppliedHash, Goal, Renewal};
use super::flow::{self, Invalid, PortSet};
use crate::api::{self, DeletionPolicy, PAUSED_ANNOTATION, QosSession, RecoveryPolicy, RenewalPolicy};
use crate::auth::Subject;
use crate::private::Private;
use crate::qod;

/// What a `QosSession` asks for.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The provider's name, where the spec gives one.
    pub provider: Option<String>,
    /// The flow's parts that need no key, or why the spec cannot be used.
    pub parts: Result<Parts, Invalid>,
    /// `spec.durationSeconds`.
    pub duration_seconds: Option<i64>,
    /// The goal, but for its hash, which needs the provider.
    pub goal: Goal,
}

/// Server and ports, parsed.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The server's networks.
    pub servers: Vec<IpNet>,
    /// The device's ports.
    pub device_ports: PortSet,
    /// The server's ports.
    pub server_ports: PortSet,
}

impl Desired {
    /// Reads the object.
    pub fn parse(object: &QosSession) -> Self {
        let spec = &object.spec;
        let duration_seconds = spec.duration_seconds.map(i64::from);
        let never = spec.effective_renewal_policy() == RenewalPolicy::Never;
        let parts = parts(object);
        let parts = match (never, duration_seconds) {
            (true, None) => Err(Invalid {
                field: "durationSeconds",
                remedy: "is required when renewalPolicy is Never: it says how long the session runs",
            }),
            _ => parts,
        };
        Self {
            provider: spec.provider_ref.as_ref().map(|provider| provider.name.clone()),
            parts,
            duration_seconds,
            goal: Goal {
                deleting: object.metadata.deletion_timestamp.is_some(),
                orphan: spec.deletion_policy == DeletionPolicy::Orphan,
                suspend: spec.suspend,
                paused: object.annotations().get(PAUSED_ANNOTATION).is_some_and(|value| value == "true"),
                hash: None,
                renewal: if never { Renewal::Never { run_seconds: duration_seconds.unwrap_or(0) } } else { Renewal::Always },
                lease_seconds: duration_seconds.filter(|_| !never),
                recreate: spec.recovery_policy == RecoveryPolicy::Recreate,
            },
        }
    }

    /// The hash of the request at the provider of `uid`; `None` where the spec cannot be used.
    pub fn hash(&self, object: &QosSession, uid: &str) -> Option<AppliedHash> {
        let parts = self.parts.as_ref().ok()?;
        let ports = [&parts.device_ports, &parts.server_ports];
        Some(flow::applied_hash(&object.spec.device, &parts.servers, ports, &object.spec.qos_profile, uid))
    }
}

fn parts(object: &QosSession) -> Result<Parts, Invalid> {
    let spec = &object.spec;
    Ok(Parts {
        servers: flow::servers(&spec.application_server)?,
        device_ports: PortSet::of(spec.device_ports.as_ref()),
        server_ports: PortSet::of(spec.application_server_ports.as_ref()),
    })
}

/// The create request for `object`; `number` is the phone number that its Secret reference led to.
pub fn request(object: &QosSession, number: Option<&Private<String>>, seconds: i64) -> Result<qod::CreateSession, Invalid> {
    let spec = &object.spec;
    Ok(qod::CreateSession {
        device: Some(device(&spec.device, number)?),
        application_server: qod::ApplicationServer {
            ipv4_address: spec.application_server.ipv4_address.clone(),
            ipv6_address: spec.application_server.ipv6_address.clone(),
            ip_addresses: spec.application_server.ip_addresses.clone().unwrap_or_default(),
        },
        device_ports: ports(spec.device_ports.as_ref(), "devicePorts")?,
        application_server_ports: ports(spec.application_server_ports.as_ref(), "applicationServerPorts")?,
        qos_profile: spec.qos_profile.clone(),
        duration_seconds: seconds,
        callback: None,
    })
}

/// The device of a spec in the client's words.
pub fn device(spec: &api::Device, number: Option<&Private<String>>) -> Result<qod::Device, Invalid> {
    let v4 = |text: &Private<String>, field| {
        text.expose().parse().map(Private::new).map_err(|_| Invalid { field, remedy: "must be one IPv4 address, without a mask" })
    };
    let ipv4_address = match &spec.ipv4_address {
        None => None,
        Some(address) => Some(qod::DeviceIpv4 {
            public_address: v4(&address.public_address, "device.ipv4Address.publicAddress")?,
            private_address: match &address.private_address {
                None => None,
                Some(private) => Some(v4(private, "device.ipv4Address.privateAddress")?),
            },
            public_port: match address.public_port {
                None => None,
                Some(port) => Some(self::port(port, "device.ipv4Address.publicPort")?),
            },
        }),
    };
    let ipv6_address = match &spec.ipv6_address {
        None => None,
        Some(address) => Some(Private::new(address.expose().parse::<Ipv6Addr>().map(Into::into).map_err(|_| Invalid {
            field: "device.ipv6Address",
            remedy: "must be one IPv6 address, without a prefix length",
        })?)),
    };
    Ok(qod::Device {
        phone_number: number.or(spec.phone_number.as_ref()).cloned(),
        network_access_identifier: spec.network_access_identifier.clone(),
        ipv4_address,
        ipv6_address,
    })
}

/// For whom a token for the device is asked; none where no login hint names it. `number` as in [`device`].
pub fn subject(spec: &api::Device, number: Option<&Private<String>>) -> Option<Subject> {
    device(spec, number).ok().and_then(|device| Subject::of(&device))
}

fn port(port: i32, field: &'static str) -> Result<u16, Invalid> {
    u16::try_from(port).ok().filter(|port| *port > 0).ok_or(Invalid { field, remedy: "a port is a number from 1 to 65535" })
}

fn ports(spec: Option<&api::PortsSpec>, field: &'static str) -> Result<Option<qod::PortsSpec>, Invalid> {
    let Some(spec) = spec else { return Ok(None) };
    let single: Result<Vec<_>, _> = spec.ports.iter().flatten().map(|value| port(*value, field)).collect();
    let ranges: Result<Vec<_>, Invalid> = spec
        .ranges
        .iter()
        .flatten()
        .map(|range| Ok(qod::PortRange { from: port(range.from, field)?, to: port(range.to, field)? }))
        .collect();
    Ok(Some(qod::PortsSpec { ports: single?, ranges: ranges? }))
}
