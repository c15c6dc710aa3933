//! Whether the flow that an answer echoes is the one that was asked for.

use std::net::IpAddr;

use ipnet::IpNet;

use super::session::{ApplicationServer, Device, PortsSpec};

/// What a session applies to: device, server, ports and profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The device.
    pub device: Device,
    /// The server.
    pub application_server: ApplicationServer,
    /// The device's ports; none means all.
    pub device_ports: Option<PortsSpec>,
    /// The server's ports; none means all.
    pub application_server_ports: Option<PortsSpec>,
    /// The QoS profile's name.
    pub qos_profile: String,
}

/// As much of the flow as an answer holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct EchoedFlow {
    pub(super) device: Device,
    pub(super) application_server: ApplicationServer,
    pub(super) device_ports: Option<PortsSpec>,
    pub(super) application_server_ports: Option<PortsSpec>,
    pub(super) qos_profile: Option<String>,
}

impl EchoedFlow {
    pub(super) fn matches(&self, sent: &Flow) -> bool {
        device_matches(&self.device, &sent.device)
            && server_matches(&self.application_server, &sent.application_server)
            && ports_match(self.device_ports.as_ref(), sent.device_ports.as_ref())
            && ports_match(self.application_server_ports.as_ref(), sent.application_server_ports.as_ref())
            && self.qos_profile.as_ref().is_none_or(|profile| *profile == sent.qos_profile)
    }

    pub(super) fn may_overlap(&self, other: &Flow) -> bool {
        device_matches(&self.device, &other.device)
            && servers_meet(&self.application_server, &other.application_server)
            && ports_meet(self.device_ports.as_ref(), other.device_ports.as_ref())
            && ports_meet(self.application_server_ports.as_ref(), other.application_server_ports.as_ref())
    }

    /// That nothing is missing but the device, and all is the same.
    pub(super) fn is_whole(&self, sent: &Flow) -> bool {
        self.matches(sent)
            && server_matches(&sent.application_server, &self.application_server)
            && ranges(self.device_ports.as_ref()) == ranges(sent.device_ports.as_ref())
            && ranges(self.application_server_ports.as_ref()) == ranges(sent.application_server_ports.as_ref())
            && self.qos_profile.is_some()
    }
}

/// Each identifier that both name must be the same. One that only the provider names says nothing: it may know the device by
/// others than were sent.
pub(super) fn device_matches(echoed: &Device, sent: &Device) -> bool {
    same(echoed.phone_number.as_ref(), sent.phone_number.as_ref(), |one, other| {
        one.expose().trim_start_matches('+') == other.expose().trim_start_matches('+')
    }) && same(echoed.network_access_identifier.as_ref(), sent.network_access_identifier.as_ref(), |one, other| {
        one.expose().eq_ignore_ascii_case(other.expose())
    }) && same(echoed.ipv4_address.as_ref(), sent.ipv4_address.as_ref(), |one, other| {
        one.public_address == other.public_address
            && same(one.private_address.as_ref(), other.private_address.as_ref(), PartialEq::eq)
            && same(one.public_port.as_ref(), other.public_port.as_ref(), PartialEq::eq)
    }) && same(echoed.ipv6_address.as_ref(), sent.ipv6_address.as_ref(), |one, other| one.expose().overlaps(other.expose()))
}

fn same<T>(one: Option<&T>, other: Option<&T>, equal: impl Fn(&T, &T) -> bool) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => equal(one, other),
        _ => true,
    }
}

/// Each network that the answer names must be one of those that were sent: `198.51.100.10` and `198.51.100.10/32` are one, and so
/// are `10.1.2.3/8` and `10.0.0.0/8`.
fn server_matches(echoed: &ApplicationServer, sent: &ApplicationServer) -> bool {
    let sent: Vec<_> = texts(sent).map(|text| (text, network(text))).collect();
    texts(echoed).all(|text| {
        let echoed = network(text);
        sent.iter().any(|(as_sent, network)| *as_sent == text || (echoed.is_some() && *network == echoed))
    })
}

fn texts(server: &ApplicationServer) -> impl Iterator<Item = &str> {
    server.ipv4_address.iter().chain(&server.ipv6_address).chain(&server.ip_addresses).map(String::as_str)
}

fn network(text: &str) -> Option<IpNet> {
    match text.parse::<IpNet>() {
        Ok(network) => Some(network.trunc()),
        Err(_) => text.parse::<IpAddr>().ok().map(IpNet::from),
    }
}

/// Whether any address of the one may be one of the other; a text that is no network may be anything, and so may nothing at all.
fn servers_meet(echoed: &ApplicationServer, other: &ApplicationServer) -> bool {
    let networks = |server| texts(server).map(network).collect::<Vec<_>>();
    let (echoed, other) = (networks(echoed), networks(other));
    let unknown = |networks: &[Option<IpNet>]| networks.is_empty() || networks.contains(&None);
    let meet = |one: &IpNet, other: &IpNet| one.contains(other) || other.contains(one);
    unknown(&echoed) || unknown(&other) || echoed.iter().flatten().any(|one| other.iter().flatten().any(|other| meet(one, other)))
}

/// Whether a port is in both; no ports are all of them.
fn ports_meet(echoed: Option<&PortsSpec>, other: Option<&PortsSpec>) -> bool {
    let (echoed, other) = (ranges(echoed), ranges(other));
    echoed.iter().any(|(from, to)| other.iter().any(|(first, last)| from <= last && first <= to))
}

/// An answer without ports says nothing; one with ports must mean those that were sent, none sent being all of them.
fn ports_match(echoed: Option<&PortsSpec>, sent: Option<&PortsSpec>) -> bool {
    echoed.is_none_or(|echoed| ranges(Some(echoed)) == ranges(sent))
}

/// The ports as ranges in order, none of which touches the next.
fn ranges(spec: Option<&PortsSpec>) -> Vec<(u16, u16)> {
    let mut all: Vec<(u16, u16)> = spec.map_or_else(Vec::new, |spec| {
        spec.ports.iter().map(|port| (*port, *port)).chain(spec.ranges.iter().map(|range| (range.from, range.to))).collect()
    });
    if all.is_empty() {
        all.push((0, u16::MAX));
    }
    all.sort_unstable();
    let mut merged: Vec<(u16, u16)> = Vec::with_capacity(all.len());
    for (from, to) in all {
        match merged.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qod::session::PortRange;

    fn sent() -> Flow {
        Flow {
            device: Device { phone_number: Some("+447700900123".into()), ..Device::default() },
            application_server: ApplicationServer { ipv4_address: Some("198.51.100.10".into()), ..ApplicationServer::default() },
            device_ports: None,
            application_server_ports: Some(PortsSpec { ports: vec![443, 444], ranges: vec![] }),
            qos_profile: "QOS_E".into(),
        }
    }

    #[test]
    fn an_answer_that_echoes_nothing_contradicts_nothing() {
        assert!(EchoedFlow::default().matches(&sent()));
    }

    #[test]
    fn each_field_that_says_something_else_is_a_contradiction() {
        let other_phone = Device { phone_number: Some("+447700900124".into()), ..Device::default() };
        assert!(!EchoedFlow { device: other_phone, ..EchoedFlow::default() }.matches(&sent()));
        let other_server = ApplicationServer { ipv4_address: Some("198.51.100.0/24".into()), ..ApplicationServer::default() };
        assert!(!EchoedFlow { application_server: other_server, ..EchoedFlow::default() }.matches(&sent()));
        let ports = PortsSpec { ports: vec![443], ranges: vec![] };
        assert!(!EchoedFlow { application_server_ports: Some(ports.clone()), ..EchoedFlow::default() }.matches(&sent()));
        assert!(!EchoedFlow { device_ports: Some(ports), ..EchoedFlow::default() }.matches(&sent()));
        assert!(!EchoedFlow { qos_profile: Some("QOS_L".into()), ..EchoedFlow::default() }.matches(&sent()));
    }

    #[test]
    fn only_fields_that_have_nothing_in_common_rule_an_overlap_out() {
        assert!(EchoedFlow::default().may_overlap(&sent()), "nothing is said");
        let profile = EchoedFlow { qos_profile: Some("QOS_L".into()), ..EchoedFlow::default() };
        assert!(profile.may_overlap(&sent()), "the profile does not matter");
        let server = |text: &str| EchoedFlow {
            application_server: ApplicationServer { ipv4_address: Some(text.into()), ..ApplicationServer::default() },
            ..EchoedFlow::default()
        };
        assert!(server("198.51.100.0/24").may_overlap(&sent()));
        assert!(server("rubbish").may_overlap(&sent()));
        assert!(!server("198.51.100.11").may_overlap(&sent()));
        let ports = |ports: &[u16]| EchoedFlow {
            application_server_ports: Some(PortsSpec { ports: ports.to_vec(), ranges: vec![] }),
            ..EchoedFlow::default()
        };
        assert!(ports(&[80, 444]).may_overlap(&sent()));
        assert!(!ports(&[80]).may_overlap(&sent()));
        let other = Device { phone_number: Some("+447700900124".into()), ..Device::default() };
        assert!(!EchoedFlow { device: other, ..EchoedFlow::default() }.may_overlap(&sent()));
    }

    #[test]
    fn the_same_flow_in_other_words_is_the_same() {
        let echoed = EchoedFlow {
            device: Device { phone_number: Some("447700900123".into()), ..Device::default() },
            application_server: ApplicationServer {
                ipv4_address: Some("198.51.100.10/32".into()),
                ..ApplicationServer::default()
            },
            device_ports: Some(PortsSpec { ports: vec![], ranges: vec![PortRange { from: 0, to: 65535 }] }),
            application_server_ports: Some(PortsSpec { ports: vec![], ranges: vec![PortRange { from: 443, to: 444 }] }),
            qos_profile: Some("QOS_E".into()),
        };
        assert!(echoed.matches(&sent()));
    }

    #[test]
    fn host_bits_and_ipv6_spelling_make_no_other_server() {
        let mut sent = sent();
        sent.application_server = ApplicationServer {
            ipv4_address: Some("10.1.2.3/8".into()),
            ipv6_address: Some("2001:DB8:0::1".into()),
            ip_addresses: vec![],
        };
        let server = ApplicationServer {
            ipv4_address: Some("10.0.0.0/8".into()),
            ipv6_address: Some("2001:db8::1/128".into()),
            ip_addresses: vec![],
        };
        assert!(EchoedFlow { application_server: server, ..EchoedFlow::default() }.matches(&sent));
    }

    #[test]
    fn an_identifier_that_only_the_provider_names_says_nothing() {
        let device = Device { network_access_identifier: Some("camera-12@iot.example.org".into()), ..Device::default() };
        assert!(EchoedFlow { device, ..EchoedFlow::default() }.matches(&sent()));
    }
}
