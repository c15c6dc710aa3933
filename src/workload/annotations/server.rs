//! `application-server`: one address or subnet of each family, or a list of addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::list::{Problem, entries};
use crate::api::ApplicationServer;

/// What `applicationServer.ipAddresses` may hold.
const MOST: usize = 16;

#[derive(Clone, Copy, PartialEq)]
enum Entry {
    Address(IpAddr),
    Subnet(IpNet),
}

impl Entry {
    const fn is_v4(self) -> bool {
        match self {
            Self::Address(address) => address.is_ipv4(),
            Self::Subnet(IpNet::V4(_)) => true,
            Self::Subnet(IpNet::V6(_)) => false,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            // Host bits stay as they were written.
            Self::Subnet(subnet) => subnet.to_string(),
        }
    }
}

/// The server that the annotation names.
pub(super) fn server(text: &str) -> Result<ApplicationServer, Problem> {
    let entries = entries(text, MOST, entry)?;
    let of_family = |v4| entries.iter().copied().filter(|entry| entry.is_v4() == v4).collect::<Vec<_>>();
    match (of_family(true).as_slice(), of_family(false).as_slice()) {
        (v4 @ ([] | [_]), v6 @ ([] | [_])) => Ok(ApplicationServer {
            ipv4_address: v4.first().map(|entry| entry.text()),
            ipv6_address: v6.first().map(|entry| entry.text()),
            ip_addresses: None,
        }),
        _ => match entries.iter().position(|entry| matches!(entry, Entry::Subnet(_))) {
            Some(subnet) => {
                let rule = "a list of more than one address per family holds single addresses only";
                Err(Problem::Together(rule, subnet + 1))
            }
            None => Ok(list(entries.into_iter().map(Entry::text).collect())),
        },
    }
}

/// The server whose addresses these are, in any order; none where there are more than can be asked for.
pub fn of_load_balancer(addresses: &BTreeSet<IpAddr>) -> Option<ApplicationServer> {
    let of_family =
        |v4| addresses.iter().copied().filter(|address| address.is_ipv4() == v4).map(|a| a.to_string()).collect::<Vec<_>>();
    let (v4, v6) = (of_family(true), of_family(false));
    if v4.len() <= 1 && v6.len() <= 1 {
        return Some(ApplicationServer {
            ipv4_address: v4.into_iter().next(),
            ipv6_address: v6.into_iter().next(),
            ip_addresses: None,
        });
    }
    (addresses.len() <= MOST).then(|| list(v4.into_iter().chain(v6).collect()))
}

fn list(addresses: Vec<String>) -> ApplicationServer {
    ApplicationServer { ip_addresses: Some(addresses), ..ApplicationServer::default() }
}

fn entry(text: &str) -> Result<Entry, &'static str> {
    const REMEDY: &str = "an IP address or CIDR, such as 198.51.100.7 or 198.51.100.0/24";
    let entry = match text.split_once('/') {
        None => Entry::Address(text.parse().map_err(|_| REMEDY)?),
        // A length with a leading zero is refused by the API server.
        Some((_, length)) if length.len() > 1 && length.starts_with('0') => return Err(REMEDY),
        Some(_) => Entry::Subnet(text.parse().map_err(|_| REMEDY)?),
    };
    let address = match entry {
        Entry::Address(address) => address,
        Entry::Subnet(subnet) => subnet.addr(),
    };
    match address {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Err("write the IPv4 address itself"),
        _ => Ok(entry),
    }
}
