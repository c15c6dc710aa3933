//! The data flow of a session, and the rule by which two flows overlap.

use std::fmt;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::device::Device;

/// A set of ports. A request without ports means all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSet(Option<Vec<RangeInclusive<u16>>>);

impl PortSet {
    /// Every port.
    pub const ALL: Self = Self(None);

    /// The union of these ranges; both ends belong to a range.
    pub fn of(ranges: impl IntoIterator<Item = RangeInclusive<u16>>) -> Self {
        Self(Some(ranges.into_iter().collect()))
    }

    /// Whether a port is in both.
    pub fn meets(&self, other: &Self) -> bool {
        let (Some(ours), Some(theirs)) = (&self.0, &other.0) else {
            return true;
        };
        ours.iter().any(|a| theirs.iter().any(|b| a.start() <= b.end() && b.start() <= a.end()))
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ranges) = &self.0 else {
            return f.write_str("all");
        };
        for (index, range) in ranges.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if range.start() == range.end() {
                write!(f, "{comma}{}", range.start())?;
            } else {
                write!(f, "{comma}{}-{}", range.start(), range.end())?;
            }
        }
        Ok(())
    }
}

/// What a session prioritises: everything between one device and a set of servers, narrowed by ports on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The device.
    pub device: Device,
    /// The server's subnets: a single address is a /32 or /128; host bits are masked. Their union counts.
    pub servers: Vec<IpNet>,
    /// Ports on the device.
    pub device_ports: PortSet,
    /// Ports on the server.
    pub server_ports: PortSet,
}

impl Flow {
    /// Whether some packet belongs to both flows: same device, and servers, device ports and server ports each intersect. Servers are
    /// compared family by family, so an IPv4 server never meets an IPv6 one (`QoD` issue 446; the profile plays no part).
    pub fn overlaps(&self, other: &Self) -> bool {
        self.device.is(&other.device)
            && self.device_ports.meets(&other.device_ports)
            && self.server_ports.meets(&other.server_ports)
            && self.servers.iter().any(|ours| other.servers.iter().any(|theirs| ours.contains(theirs) || theirs.contains(ours)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::{Identifier, Subscriber, resolve};
    use super::*;
    use crate::private::Private;

    fn flow(phone: &str, servers: &[&str], device_ports: PortSet, server_ports: PortSet) -> Flow {
        let servers = servers.iter().map(|net| net.parse::<IpNet>().unwrap().trunc()).collect();
        Flow { device: Device::new([Identifier::phone(phone)]), servers, device_ports, server_ports }
    }

    fn to(servers: &[&str]) -> Flow {
        flow("+447700900112", servers, PortSet::ALL, PortSet::ALL)
    }

    fn ports(range: RangeInclusive<u16>) -> Flow {
        flow("+447700900112", &["198.51.100.10/32"], PortSet::ALL, PortSet::of([range]))
    }

    #[test]
    fn flows_overlap_exactly_when_device_servers_and_both_port_sets_intersect() {
        let v6 = "2001:db8::10/128";
        let device_5060 = flow("+447700900112", &["198.51.100.10/32"], PortSet::of([5060..=5060]), PortSet::ALL);
        let rows = [
            (".10 and .10", to(&["198.51.100.10/32"]), to(&["198.51.100.10/32"]), true),
            (".10 and .11", to(&["198.51.100.10/32"]), to(&["198.51.100.11/32"]), false),
            (".10 and .0/24", to(&["198.51.100.10/32"]), to(&["198.51.100.0/24"]), true),
            ("host bits are masked", to(&["198.51.100.77/24"]), to(&["198.51.100.10/32"]), true),
            (".0/25 and .128/25", to(&["198.51.100.0/25"]), to(&["198.51.100.128/25"]), false),
            ("0.0.0.0/0", to(&["0.0.0.0/0"]), to(&["198.51.100.10/32"]), true),
            ("5010-5020 and 5020", ports(5010..=5020), ports(5020..=5020), true),
            ("5010-5020 and 5021-5030", ports(5010..=5020), ports(5021..=5030), false),
            ("device port 5060 and all", device_5060, to(&["198.51.100.10/32"]), true),
            ("IPv4 and IPv6", to(&["198.51.100.10/32"]), to(&[v6]), false),
            ("0.0.0.0/0 and IPv6", to(&["0.0.0.0/0"]), to(&[v6]), false),
            ("both families and IPv6", to(&["198.51.100.10/32", v6]), to(&["2001:db8::/64"]), true),
            ("list {.10, .11} and .11", to(&["198.51.100.10/32", "198.51.100.11/32"]), to(&["198.51.100.11/32"]), true),
            (
                "other phone",
                to(&["198.51.100.10/32"]),
                flow("+447700900113", &["198.51.100.10/32"], PortSet::ALL, PortSet::ALL),
                false,
            ),
        ];
        for (name, a, b, expected) in rows {
            assert_eq!(a.overlaps(&b), expected, "{name}");
            assert_eq!(b.overlaps(&a), expected, "{name}, the other way round");
        }
    }

    #[test]
    fn the_same_subscriber_by_phone_and_by_address_overlaps() {
        let subscribers = [Subscriber {
            phone_number: Some(Private::from("+447700900112")),
            network_access_identifier: None,
            ipv4_address: None,
            ipv6_address: Some(Private::new("2001:db8:0:1::1".parse().unwrap())),
        }];
        let mut by_phone = to(&["198.51.100.10/32"]);
        let mut by_address = by_phone.clone();
        by_phone.device = resolve(&by_phone.device, &subscribers, false).unwrap();
        let address = Device::new([Identifier::ipv6("2001:db8:0:1::5".parse().unwrap())]);
        by_address.device = resolve(&address, &subscribers, false).unwrap();
        assert!(by_phone.overlaps(&by_address));
    }

    #[test]
    fn ports_are_shown_as_ranges() {
        assert_eq!(PortSet::of([5010..=5020, 5060..=5060]).to_string(), "5010-5020,5060");
        assert_eq!(PortSet::ALL.to_string(), "all");
    }
}
