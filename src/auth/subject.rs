//! Whom a three-legged token is for.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::private::Private;
use crate::qod::Device;

/// Who a three-legged token is for, as a login hint (CAMARA Security and Interoperability Profile): `tel:+447700900123`,
/// `ipport:198.51.100.1:8080`, `ipport:[2001:db8::1]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject(Private<String>);

impl Subject {
    /// The subscriber of a phone number (E.164; the `+`, which some generations of the API do not want, is put before it).
    pub fn tel(number: &str) -> Self {
        let digits = number.strip_prefix('+').unwrap_or(number);
        Self(Private::new(format!("tel:+{digits}")))
    }

    /// The device behind a public IPv4 address, and a public port where a NAT serves several.
    pub fn ipport_v4(address: Ipv4Addr, port: Option<u16>) -> Self {
        Self(Private::new(match port {
            None => format!("ipport:{address}"),
            Some(port) => format!("ipport:{address}:{port}"),
        }))
    }

    /// The device with an IPv6 address.
    pub fn ipport_v6(address: Ipv6Addr) -> Self {
        Self::ipport_v6_port(address, None)
    }

    /// The device with an IPv6 address, and a port where it shares the address with others. CAMARA's `Device` has no such port.
    pub fn ipport_v6_port(address: Ipv6Addr, port: Option<u16>) -> Self {
        Self(Private::new(match port {
            None => format!("ipport:[{address}]"),
            Some(port) => format!("ipport:[{address}]:{port}"),
        }))
    }

    /// The best name for a device: its number, else its public address. A network access identifier has no login hint.
    pub fn of(device: &Device) -> Option<Self> {
        let ipv4 = device.ipv4_address.as_ref();
        (device.phone_number.as_ref().map(|number| Self::tel(number.expose())))
            .or_else(|| ipv4.map(|ipv4| Self::ipport_v4(*ipv4.public_address.expose(), ipv4.public_port)))
            .or_else(|| device.ipv6_address.as_ref().map(|address| Self::ipport_v6(address.expose().address())))
    }

    /// The login hint itself, for sending or hashing.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether it is a phone number.
    pub fn is_tel(&self) -> bool {
        self.expose().starts_with("tel:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_by_its_number_else_by_its_public_address_and_never_printed() {
        let number = Subject::tel("+447700900123");
        assert_eq!((number.expose(), number.is_tel()), ("tel:+447700900123", true));
        assert_eq!(Subject::tel("447700900123"), number);
        assert_eq!(format!("{number:?}"), "Subject([private])");
        let v4 = Ipv4Addr::new(198, 51, 100, 1);
        assert_eq!(Subject::ipport_v4(v4, Some(8080)).expose(), "ipport:198.51.100.1:8080");
        assert_eq!(Subject::ipport_v4(v4, None).expose(), "ipport:198.51.100.1");
        let v6 = Subject::ipport_v6("2001:DB8:0::1".parse().unwrap());
        assert_eq!((v6.expose(), v6.is_tel()), ("ipport:[2001:db8::1]", false));
        let nai = Device { network_access_identifier: Some("camera-12@iot.example.org".into()), ..Device::default() };
        assert_eq!(Subject::of(&nai), None);
        let both = Device { phone_number: Some("+447700900123".into()), ipv6_address: Some(v6_address()), ..nai };
        assert_eq!(Subject::of(&both), Some(number));
    }

    fn v6_address() -> Private<crate::qod::DeviceIpv6> {
        Private::new("2001:db8::1".parse().unwrap())
    }
}
