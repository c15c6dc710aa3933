//! A device's IPv6 address, which up to 0.9 may be a network.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use ipnet::Ipv6Net;

/// A device's IPv6 address, or its network (0.8 and 0.9). Two are equal where they mean the same, however they were written, and
/// `Display` writes the one form that all generations take: RFC 5952, without an IPv4 address in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceIpv6(Ipv6Net);

/// The text is no IPv6 address, with or without a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IPv6 address")]
pub struct NotIpv6;

impl DeviceIpv6 {
    /// The address; of a network, one in it.
    pub const fn address(&self) -> Ipv6Addr {
        self.0.addr()
    }

    /// The length of the prefix; none for a single address.
    pub fn prefix_length(&self) -> Option<u8> {
        (self.0.prefix_len() < 128).then(|| self.0.prefix_len())
    }

    /// Whether one of the two is in the other: any address of a network names the device that has it (schema
    /// `DeviceIpv6Address`).
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }
}

impl From<Ipv6Addr> for DeviceIpv6 {
    fn from(address: Ipv6Addr) -> Self {
        Self(address.into())
    }
}

impl FromStr for DeviceIpv6 {
    type Err = NotIpv6;

    fn from_str(text: &str) -> Result<Self, NotIpv6> {
        match text.parse::<Ipv6Addr>() {
            Ok(address) => Ok(address.into()),
            Err(_) => text.parse::<Ipv6Net>().map(|network| Self(network.trunc())).map_err(|_| NotIpv6),
        }
    }
}

impl fmt::Display for DeviceIpv6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ipv6_text(self.address()))?;
        self.prefix_length().map_or(Ok(()), |length| write!(f, "/{length}"))
    }
}

/// RFC 5952, but never with an IPv4 address in it: the patterns of 0.8 and 0.9 know none.
pub(super) fn ipv6_text(address: Ipv6Addr) -> String {
    match (address.to_ipv4_mapped(), address.segments()) {
        (Some(_), [.., high, low]) => format!("::ffff:{high:x}:{low:x}"),
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_or_network_has_one_form_however_it_was_written() {
        for (text, form) in [
            ("2001:0DB8:0:0:0:0:0:0001", "2001:db8::1"),
            ("2001:db8::1/128", "2001:db8::1"),
            ("2001:DB8:0:1::/64", "2001:db8:0:1::/64"),
            ("2001:db8:0:1::7/64", "2001:db8:0:1::/64"),
            ("::ffff:203.0.113.25", "::ffff:cb00:7119"),
        ] {
            assert_eq!(text.parse::<DeviceIpv6>().unwrap().to_string(), form);
        }
        for bad in ["", "203.0.113.25", "2001:db8::/129", "2001:db8::1%eth0"] {
            assert_eq!(bad.parse::<DeviceIpv6>(), Err(NotIpv6), "{bad}");
        }
    }

    #[test]
    fn an_address_names_the_device_that_has_its_network() {
        let parse = |text: &str| text.parse::<DeviceIpv6>().unwrap();
        assert!(parse("2001:db8:0:1::/64").overlaps(&parse("2001:db8:0:1::7")));
        assert!(parse("2001:db8:0:1::7").overlaps(&parse("2001:db8:0:1::/64")));
        assert!(!parse("2001:db8:0:2::7").overlaps(&parse("2001:db8:0:1::/64")));
    }
}
