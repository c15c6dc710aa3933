//! For whom a three-legged token is asked: the device, as a login hint. Pure.

use crate::api::Device;
use crate::auth::Subject;
use crate::private::Private;

/// The login hint of a device: its phone number, else the address by which the network knows it (CAMARA Security and
/// Interoperability Profile, `login_hint`). `number` is the one that its Secret reference led to. None where it has neither.
pub fn subject(device: &Device, number: Option<&Private<String>>) -> Option<Subject> {
    if let Some(number) = number.or(device.phone_number.as_ref()) {
        return Some(Subject::tel(number.expose()));
    }
    if let Some(address) = &device.ipv4_address {
        let port = address.public_port.and_then(|port| u16::try_from(port).ok());
        return address.public_address.expose().parse().ok().map(|public| Subject::ipport_v4(public, port));
    }
    device.ipv6_address.as_ref().and_then(|address| address.expose().parse().ok()).map(Subject::ipport_v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_by_its_number_first_then_by_its_address() {
        let hint = |device: &Device, number: Option<&str>| {
            subject(device, number.map(Private::from).as_ref()).map(|subject| subject.expose().to_owned())
        };
        let mut device = Device { network_access_identifier: Some("camera@example.com".into()), ..Device::default() };
        assert_eq!(hint(&device, None), None, "no hint has this form");
        device.ipv6_address = Some("2001:db8::1".into());
        assert_eq!(hint(&device, None).as_deref(), Some("ipport:[2001:db8::1]"));
        device.ipv4_address = Some(crate::api::Ipv4Device {
            public_address: "198.51.100.1".into(),
            private_address: None,
            public_port: Some(8080),
        });
        assert_eq!(hint(&device, None).as_deref(), Some("ipport:198.51.100.1:8080"));
        device.phone_number = Some("+447700900112".into());
        assert_eq!(hint(&device, None).as_deref(), Some("tel:+447700900112"));
        assert_eq!(hint(&device, Some("+447700900113")).as_deref(), Some("tel:+447700900113"));
    }
}
