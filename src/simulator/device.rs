//! Which device a request speaks of: identifiers, and the subscribers that they belong to.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::private::Private;

/// The kinds of identifiers that a request can name a device by (the fields of CAMARA's `Device`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// `phoneNumber`
    PhoneNumber,
    /// `networkAccessIdentifier`
    NetworkAccessIdentifier,
    /// `ipv4Address`
    Ipv4Address,
    /// `ipv6Address`
    Ipv6Address,
}

/// One identifier of a device in a form that compares equal whenever it means the same device.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// A phone number's digits, without the `+` that 0.x leaves optional.
    Phone(String),
    /// A network access identifier, in lower case.
    NetworkAccess(String),
    /// A public IPv4 address with the public port.
    Ipv4Port(Ipv4Addr, u16),
    /// A public IPv4 address with the private one behind it.
    Ipv4Private(Ipv4Addr, Ipv4Addr),
    /// An IPv4 address alone, as 0.8 has it: the device's own.
    Ipv4(Ipv4Addr),
    /// An IPv6 address stands for its /64: the subnet that is allocated to the device.
    Ipv6(u64),
}

impl Identifier {
    /// A phone number, with or without its `+`.
    pub fn phone(number: &str) -> Self {
        Self::Phone(number.trim_start_matches('+').to_owned())
    }

    /// A network access identifier.
    pub fn network_access(identifier: &str) -> Self {
        Self::NetworkAccess(identifier.to_ascii_lowercase())
    }

    /// An IPv6 address of the device.
    pub fn ipv6(address: Ipv6Addr) -> Self {
        let prefix = address.to_bits() >> 64;
        Self::Ipv6(u64::try_from(prefix).unwrap_or_default())
    }

    /// What the admin API shows: a phone's last three digits; of anything else a mark that differs from run to run.
    fn masked(&self) -> String {
        static KEY: LazyLock<std::hash::RandomState> = LazyLock::new(std::hash::RandomState::new);
        let kind = match self {
            Self::Phone(digits) => {
                let (_, end) = digits.split_at(digits.len().saturating_sub(3));
                return format!("phone …{end}");
            }
            Self::NetworkAccess(_) => "nai",
            Self::Ipv4Port(..) | Self::Ipv4Private(..) | Self::Ipv4(_) => "ipv4",
            Self::Ipv6(_) => "ipv6",
        };
        format!("{kind} #{:06x}", KEY.hash_one(self) & 0xff_ffff)
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[private]")
    }
}

/// A device: every identifier that is known to be its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    identifiers: BTreeSet<Identifier>,
}

impl Device {
    /// A device with these identifiers.
    pub fn new(identifiers: impl IntoIterator<Item = Identifier>) -> Self {
        Self { identifiers: identifiers.into_iter().collect() }
    }

    /// Whether both are one device: they have an identifier in common.
    pub fn is(&self, other: &Self) -> bool {
        !self.identifiers.is_disjoint(&other.identifiers)
    }

    /// The device as the admin API shows it, for example `phone …123`.
    pub fn masked(&self) -> String {
        self.identifiers.first().map_or_else(String::new, Identifier::masked)
    }
}

/// One subscriber of the simulated network (setting `subscribers`): all of its identifiers mean one device. The field names are
/// those of CAMARA's `Device`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscriber {
    /// Its phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<Private<String>>,
    /// Its network access identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_access_identifier: Option<Private<String>>,
    /// Its IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4_address: Option<SubscriberIpv4>,
    /// Any IPv6 address of its /64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<Private<Ipv6Addr>>,
}

/// The IPv4 address of a [`Subscriber`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubscriberIpv4 {
    /// The address that the application server sees.
    pub public_address: Private<Ipv4Addr>,
    /// The address that the device has itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_address: Option<Private<Ipv4Addr>>,
    /// The port that the application server sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_port: Option<u16>,
}

impl Subscriber {
    /// The device that it is.
    pub(super) fn device(&self) -> Device {
        let phone = self.phone_number.as_ref().map(|number| Identifier::phone(number.expose()));
        let nai = self.network_access_identifier.as_ref().map(|nai| Identifier::network_access(nai.expose()));
        let ipv6 = self.ipv6_address.as_ref().map(|address| Identifier::ipv6(*address.expose()));
        let ipv4 = self.ipv4_address.iter().flat_map(|v4| {
            let public = *v4.public_address.expose();
            let private = v4.private_address.as_ref().map(|private| Identifier::Ipv4Private(public, *private.expose()));
            // Behind a NAT the public address alone names no device.
            let own = v4.private_address.as_ref().filter(|private| *private.expose() == public).map(|_| Identifier::Ipv4(public));
            private.into_iter().chain(v4.public_port.map(|port| Identifier::Ipv4Port(public, port))).chain(own)
        });
        Device::new(phone.into_iter().chain(nai).chain(ipv6).chain(ipv4))
    }
}

/// Why identifiers do not lead to one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// They belong to different subscribers.
    Mismatch,
    /// No subscriber has any of them.
    Unknown,
}

/// The device that a request means by `sent`. A subscriber's other identifiers come with it; identifiers of nobody make a device of
/// their own, or, with `known_only`, are refused.
pub fn resolve(sent: &Device, subscribers: &[Subscriber], known_only: bool) -> Result<Device, Unresolved> {
    let mut found = subscribers.iter().map(Subscriber::device).filter(|subscriber| subscriber.is(sent));
    let Some(mut device) = found.next() else {
        return if known_only { Err(Unresolved::Unknown) } else { Ok(sent.clone()) };
    };
    if found.next().is_some() {
        return Err(Unresolved::Mismatch);
    }
    device.identifiers.extend(sent.identifiers.iter().cloned());
    Ok(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriber(phone: &str, ipv6: Option<&str>) -> Subscriber {
        Subscriber {
            phone_number: Some(Private::from(phone)),
            network_access_identifier: None,
            ipv4_address: None,
            ipv6_address: ipv6.map(|address| Private::new(address.parse().unwrap())),
        }
    }

    #[test]
    fn all_identifiers_of_one_subscriber_are_one_device_and_ipv6_stands_for_its_64() {
        let subscribers = [subscriber("+447700900112", Some("2001:db8:0:1::1")), subscriber("+447700900113", None)];
        let by_phone = resolve(&Device::new([Identifier::phone("447700900112")]), &subscribers, true).unwrap();
        let by_ip = resolve(&Device::new([Identifier::ipv6("2001:db8:0:1::77".parse().unwrap())]), &subscribers, true).unwrap();
        let other = resolve(&Device::new([Identifier::phone("+447700900113")]), &subscribers, true).unwrap();
        assert!(by_phone.is(&by_ip));
        assert!(!by_phone.is(&other));
        let both = Device::new([Identifier::phone("+447700900113"), Identifier::ipv6("2001:db8:0:1::1".parse().unwrap())]);
        assert_eq!(resolve(&both, &subscribers, true), Err(Unresolved::Mismatch));
        let stranger = Device::new([Identifier::phone("+447700900999")]);
        assert_eq!(resolve(&stranger, &subscribers, true), Err(Unresolved::Unknown));
        assert_eq!(resolve(&stranger, &subscribers, false), Ok(stranger.clone()));
    }

    #[test]
    fn a_device_is_shown_masked() {
        let phone = Device::new([Identifier::phone("+447700900112")]);
        assert_eq!(phone.masked(), "phone …112");
        assert_eq!(format!("{phone:?}").matches("7700").count(), 0);
        let address = Device::new([Identifier::Ipv4Port(Ipv4Addr::new(203, 0, 113, 7), 5060)]);
        assert!(address.masked().starts_with("ipv4 #") && !address.masked().contains("203"));
    }
}
