//! A flow as sets: which device, which servers, which ports; when two of them overlap, and when two requests are the same.

use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::facts::AppliedHash;
use super::key::OperatorKey;
use crate::api::{ApplicationServer, Device, PortsSpec};

/// One identifier of a device, as a keyed hash: devices are the same when any identifier is equal, and no number or address needs to
/// be kept to see that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKey(u64);

/// The identifiers of a device.
pub type DeviceKeys = Vec<DeviceKey>;

/// What a session occupies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The device.
    pub device: DeviceKeys,
    /// The server's networks; `None`: not known, so any.
    pub servers: Option<Vec<IpNet>>,
    /// The device's ports.
    pub device_ports: PortSet,
    /// The server's ports.
    pub server_ports: PortSet,
}

impl Flow {
    /// Everything that `device` may send: what is assumed of a session whose flow is not known any more.
    pub const fn anything(device: DeviceKeys) -> Self {
        Self { device, servers: None, device_ports: PortSet::all(), server_ports: PortSet::all() }
    }

    /// Whether a provider may refuse one of the two while the other lives: device, server networks and both port sets intersect.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.device.iter().any(|key| other.device.contains(key))
            && match (&self.servers, &other.servers) {
                (Some(ours), Some(theirs)) => ours.iter().any(|a| theirs.iter().any(|b| networks_meet(a, b))),
                _ => true,
            }
            && self.device_ports.meets(&other.device_ports)
            && self.server_ports.meets(&other.server_ports)
    }
}

/// Networks of one family meet when, and only when, one contains the other.
fn networks_meet(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// A set of ports, as sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSet(Ranges);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Ranges {
    All,
    Some(Vec<(i32, i32)>),
}

impl PortSet {
    /// All ports: what an absent list means.
    pub const fn all() -> Self {
        Self(Ranges::All)
    }

    /// Of a field of the spec.
    pub fn of(spec: Option<&PortsSpec>) -> Self {
        let Some(spec) = spec else { return Self::all() };
        let single = spec.ports.iter().flatten().map(|port| (*port, *port));
        let mut ranges: Vec<_> = single.chain(spec.ranges.iter().flatten().map(|range| (range.from, range.to))).collect();
        ranges.sort_unstable();
        let mut merged: Vec<(i32, i32)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(Ranges::Some(merged))
    }

    fn meets(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Ranges::Some(ours), Ranges::Some(theirs)) => ours.iter().any(|a| theirs.iter().any(|b| a.0 <= b.1 && b.0 <= a.1)),
            _ => true,
        }
    }
}

/// A field of the spec that cannot be used, and what to do about it. Never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {remedy}")]
pub struct Invalid {
    /// The field, below `spec`.
    pub field: &'static str,
    /// What to write.
    pub remedy: &'static str,
}

const fn invalid(field: &'static str, remedy: &'static str) -> Invalid {
    Invalid { field, remedy }
}

/// The networks of a server: a bare address is a network of one; host bits do not count.
pub fn servers(server: &ApplicationServer) -> Result<Vec<IpNet>, Invalid> {
    let mut nets = Vec::new();
    let one = |text: &str, field| network(text).ok_or(invalid(field, "must be an IP address or CIDR"));
    if let Some(text) = &server.ipv4_address {
        nets.push(one(text, "applicationServer.ipv4Address")?);
    }
    if let Some(text) = &server.ipv6_address {
        nets.push(one(text, "applicationServer.ipv6Address")?);
    }
    for text in server.ip_addresses.iter().flatten() {
        nets.push(one(text, "applicationServer.ipAddresses")?);
    }
    nets.sort_unstable();
    nets.dedup();
    if nets.is_empty() {
        return Err(invalid("applicationServer", "name the application server by ipv4Address, ipv6Address or ipAddresses"));
    }
    Ok(nets)
}

fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(|net| net.trunc())
}

/// The identifiers of `device`. A number that stands in a Secret counts by its reference, and by its value where that is known
/// (`number` is the keyed hash of it, see [`number_key`]).
pub fn device_keys(key: &OperatorKey, namespace: &str, device: &Device, number: Option<DeviceKey>) -> DeviceKeys {
    let mut keys: Vec<_> = number.into_iter().collect();
    let mut add = |kind: &str, value: &str| keys.push(DeviceKey(key.short(&[kind, value])));
    if let Some(number) = &device.phone_number {
        add("tel", number.expose());
    }
    if let Some(source) = &device.phone_number_from {
        add("secret", &format!("{namespace}/{}/{}", source.secret_key_ref.name, source.secret_key_ref.key));
    }
    if let Some(identifier) = &device.network_access_identifier {
        add("nai", identifier.expose());
    }
    if let Some(address) = &device.ipv4_address {
        let public = address.public_address.expose();
        if let Some(port) = address.public_port {
            add("ipport", &format!("{public}:{port}"));
        }
        if let Some(private) = &address.private_address {
            add("ippair", &format!("{public};{}", private.expose()));
        }
    }
    if let Some(address) = &device.ipv6_address {
        add("ipv6", &canonical(address.expose()));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The identifier of a number that was read from a Secret; the same as of one that stands in a spec.
pub fn number_key(key: &OperatorKey, number: &str) -> DeviceKey {
    DeviceKey(key.short(&["tel", number]))
}

impl DeviceKey {
    /// As it stands in the attempt record.
    pub fn text(self) -> String {
        format!("{:016x}", self.0)
    }

    /// Reads what [`DeviceKey::text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

fn canonical(address: &str) -> String {
    address.parse::<IpAddr>().map_or_else(|_| address.to_ascii_lowercase(), |address| address.to_string())
}

/// `status.appliedHash`: SHA-256 over the canonical flow, profile and provider. Duration and policies are not in it. A number in a
/// Secret counts by its reference.
pub fn applied_hash(device: &Device, servers: &[IpNet], ports: [&PortSet; 2], profile: &str, provider_uid: &str) -> AppliedHash {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}={value}");
    };
    if let Some(number) = &device.phone_number {
        line("tel", number.expose());
    }
    if let Some(source) = &device.phone_number_from {
        line("telFrom", &format!("{}/{}", source.secret_key_ref.name, source.secret_key_ref.key));
    }
    if let Some(identifier) = &device.network_access_identifier {
        line("nai", identifier.expose());
    }
    if let Some(address) = &device.ipv4_address {
        line("ipv4", address.public_address.expose());
        if let Some(private) = &address.private_address {
            line("ipv4private", private.expose());
        }
        if let Some(port) = address.public_port {
            line("ipv4port", &port.to_string());
        }
    }
    if let Some(address) = &device.ipv6_address {
        line("ipv6", &canonical(address.expose()));
    }
    for server in servers {
        line("server", &server.to_string());
    }
    for (name, set) in ["devicePorts", "serverPorts"].into_iter().zip(ports) {
        if let Ranges::Some(ranges) = &set.0 {
            for (from, to) in ranges {
                line(name, &format!("{from}-{to}"));
            }
        }
    }
    line("profile", profile);
    line("provider", provider_uid);
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0_u8; 8];
    first.copy_from_slice(&digest[..8]);
    AppliedHash(u64::from_be_bytes(first))
}

/// `status.device`: for people, never the number.
pub fn mask(device: &Device) -> String {
    let mut masks = Vec::new();
    if let Some(number) = &device.phone_number {
        let number = number.expose();
        let tail: String = number.chars().skip(number.chars().count().saturating_sub(3)).collect();
        masks.push(format!("tel:*{tail}"));
    }
    if device.phone_number_from.is_some() {
        masks.push("tel:*".to_owned());
    }
    if let Some(identifier) = &device.network_access_identifier {
        masks.push(identifier.expose().split_once('@').map_or_else(|| "nai:*".to_owned(), |(_, realm)| format!("nai:*@{realm}")));
    }
    if let Some(address) = &device.ipv4_address {
        let port = address.public_port.map(|port| format!(":{port}")).unwrap_or_default();
        masks.push(format!("ip:{}{port}", address.public_address.expose()));
    }
    if let Some(address) = &device.ipv6_address {
        masks.push(format!("ip:[{}]", canonical(address.expose())));
    }
    masks.join(" ").chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PortRange;

    fn flow(phone: &str, server: &str, device: Option<&PortsSpec>, ports: Option<&PortsSpec>) -> Flow {
        let key = OperatorKey::fixed();
        let device_spec = Device { phone_number: Some(phone.into()), ..Device::default() };
        let field = if server.contains(':') {
            ApplicationServer { ipv6_address: Some(server.to_owned()), ..ApplicationServer::default() }
        } else {
            ApplicationServer { ipv4_address: Some(server.to_owned()), ..ApplicationServer::default() }
        };
        Flow {
            device: device_keys(&key, "stadium", &device_spec, None),
            servers: Some(servers(&field).unwrap()),
            device_ports: PortSet::of(device),
            server_ports: PortSet::of(ports),
        }
    }

    fn ports(list: &[i32], ranges: &[(i32, i32)]) -> PortsSpec {
        let ranges = ranges.iter().map(|(from, to)| PortRange { from: *from, to: *to }).collect();
        PortsSpec { ports: Some(list.to_vec()), ranges: Some(ranges) }
    }

    #[test]
    fn flows_overlap_when_device_servers_and_both_port_sets_meet() {
        const A: &str = "+447700900112";
        let server = |net: &str| flow(A, net, None, None);
        let with = |list: PortsSpec| flow(A, "198.51.100.10", None, Some(&list));
        let cases = [
            (server("198.51.100.10"), server("198.51.100.10"), true),
            (server("198.51.100.10"), server("198.51.100.11"), false),
            (server("198.51.100.10"), server("198.51.100.0/24"), true),
            (server("198.51.100.77/24"), server("198.51.100.10"), true),
            (server("198.51.100.0/25"), server("198.51.100.128/25"), false),
            (server("0.0.0.0/0"), server("198.51.100.10"), true),
            (server("0.0.0.0/0"), server("2001:db8::7"), false),
            (server("2001:DB8::/64"), server("2001:db8::7"), true),
            (with(ports(&[], &[(5010, 5020)])), with(ports(&[5020], &[])), true),
            (with(ports(&[], &[(5010, 5020)])), with(ports(&[], &[(5021, 5030)])), false),
            (with(ports(&[5000], &[])), with(ports(&[6000], &[])), false),
            (server("198.51.100.10"), with(ports(&[6000], &[])), true),
            (flow(A, "198.51.100.10", Some(&ports(&[5060], &[])), None), server("198.51.100.10"), true),
            (server("198.51.100.10"), flow("+447700900113", "198.51.100.10", None, None), false),
        ];
        for (index, (a, b, expected)) in cases.iter().enumerate() {
            assert_eq!((a.overlaps(b), b.overlaps(a)), (*expected, *expected), "case {index}");
        }
    }

    #[test]
    fn a_reordered_list_is_the_same_request_and_another_profile_is_not() {
        let device = Device { phone_number: Some("+447700900112".into()), ..Device::default() };
        let nets = vec!["198.51.100.0/24".parse().unwrap()];
        let hash = |set: &PortSet, profile: &str| applied_hash(&device, &nets, [set, &PortSet::all()], profile, "uid");
        let (a, b) = (PortSet::of(Some(&ports(&[1, 2, 9], &[]))), PortSet::of(Some(&ports(&[9], &[(1, 2)]))));
        assert_eq!(hash(&a, "QOS_E"), hash(&b, "QOS_E"));
        assert_ne!(hash(&a, "QOS_E"), hash(&a, "QOS_S"));
        assert_ne!(hash(&a, "QOS_E"), hash(&PortSet::all(), "QOS_E"));
    }

    #[test]
    fn the_mask_of_a_device_shows_at_most_the_end_of_its_number() {
        let device = Device { phone_number: Some("+346666666601".into()), ..Device::default() };
        assert_eq!(mask(&device), "tel:*601");
    }
}
