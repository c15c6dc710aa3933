//! Which device a login hint means.

use std::net::IpAddr;

use super::super::device::{self, Device, Identifier};
use super::super::settings::Settings;
use super::refusal::{Code, Refusal};

/// The device of a `login_hint` (CAMARA's profile; Telefónica's document, AuthorizeRequest): `tel:+34…`, `ipport:203.0.113.7:5060`,
/// `ipport:[2001:db8::1]:5060` with the port optional, `operatortoken:…`.
pub(super) fn device(hint: &str, settings: &Settings) -> Result<Device, Refusal> {
    let malformed = Refusal::new(Code::InvalidRequest, "login_hint is malformed");
    let sent = if let Some(number) = hint.strip_prefix("tel:") {
        Some(phone(number).ok_or(malformed)?)
    } else if let Some(text) = hint.strip_prefix("ipport:") {
        let (address, port) = address(text).ok_or(malformed)?;
        by_address(address, port, settings)
    } else if let Some(token) = hint.strip_prefix("operatortoken:") {
        by_operator_token(token, settings)
    } else {
        return Err(malformed);
    };
    let unknown = Refusal::new(Code::UnknownUserId, "login_hint names no known device");
    known(&sent.ok_or(unknown)?, settings).ok_or(unknown)
}

/// The device of a JWT bearer assertion's `sub`: `tel:` or `operatortoken:`, not `ipport:`.
pub(super) fn subject(sub: &str, settings: &Settings) -> Option<Device> {
    let sent = match sub.strip_prefix("tel:") {
        Some(number) => phone(number)?,
        None => by_operator_token(sub.strip_prefix("operatortoken:")?, settings)?,
    };
    known(&sent, settings)
}

/// With what else is known of the subscriber.
fn known(sent: &Device, settings: &Settings) -> Option<Device> {
    device::resolve(sent, &settings.subscribers, settings.known_devices_only).ok()
}

/// A phone number in E.164 form, with its `+`.
fn phone(number: &str) -> Option<Device> {
    let digits = number.strip_prefix('+')?;
    let good = (5..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    good.then(|| Device::new([Identifier::phone(number)]))
}

/// `203.0.113.7:5060` or `[2001:db8::1]:5060`, the port optional; none: malformed.
fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let (address, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
        (IpAddr::V6(address.parse().ok()?), port)
    } else {
        let (address, port) = text.split_once(':').map_or((text, None), |(address, port)| (address, Some(port)));
        (IpAddr::V4(address.parse().ok()?), port)
    };
    // Digits only: parsing to a number would take a sign too.
    let number =
        |port: &str| port.bytes().all(|digit| digit.is_ascii_digit()).then(|| port.parse().ok())?.filter(|port| *port > 0);
    match port {
        Some(port) => Some((address, Some(number(port)?))),
        None => Some((address, None)),
    }
}

/// The device there. An IPv4 address without its port may be shared: then it must be a single subscriber's.
fn by_address(address: IpAddr, port: Option<u16>, settings: &Settings) -> Option<Device> {
    match (address, port) {
        (IpAddr::V6(address), _) => Some(Device::new([Identifier::ipv6(address)])),
        (IpAddr::V4(address), Some(port)) => Some(Device::new([Identifier::Ipv4Port(address, port)])),
        (IpAddr::V4(address), None) => {
            let has = |v4: &device::SubscriberIpv4| *v4.public_address.expose() == address;
            let mut fitting = settings.subscribers.iter().filter(|subscriber| subscriber.ipv4_address.as_ref().is_some_and(has));
            fitting.next().filter(|_| fitting.next().is_none()).map(device::Subscriber::device)
        }
    }
}

/// The subscriber that the setting `operatorTokens` gives for `token`.
fn by_operator_token(token: &str, settings: &Settings) -> Option<Device> {
    phone(settings.oauth.operator_tokens.get(&crate::private::Private::from(token))?.expose())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings() -> Settings {
        let subscriber =
            |phone, address| json!({"phoneNumber": phone, "ipv4Address": {"publicAddress": address, "publicPort": 5060}});
        let subscribers = json!([subscriber("+447700900112", "203.0.113.7"), subscriber("+447700900113", "203.0.113.8"), {"phoneNumber": "+447700900114",
                "ipv4Address": {"publicAddress": "203.0.113.8", "publicPort": 5061}, "ipv6Address": "2001:db8:0:1::1"}]);
        let change = json!({"subscribers": subscribers, "oauth": {"operatorTokens": {"op-1": "+447700900112"}}});
        Settings::default().merged(change).unwrap()
    }

    fn phone_of(hint: &str, settings: &Settings) -> Result<String, &'static str> {
        device(hint, settings).map(|device| device.masked()).map_err(|refusal| refusal.code.name())
    }

    #[test]
    fn a_hint_leads_to_its_subscriber_by_whatever_identifier() {
        let settings = settings();
        for (hint, phone) in [
            ("tel:+447700900112", "phone …112"),
            ("ipport:203.0.113.7:5060", "phone …112"),
            ("ipport:203.0.113.7", "phone …112"),
            ("ipport:203.0.113.8:5061", "phone …114"),
            ("ipport:[2001:db8:0:1::9]:8080", "phone …114"),
            ("ipport:[2001:db8:0:1::9]", "phone …114"),
            ("operatortoken:op-1", "phone …112"),
        ] {
            assert_eq!(phone_of(hint, &settings).as_deref(), Ok(phone), "{hint}");
        }
        assert!(device("ipport:198.51.100.4:1", &settings).unwrap().masked().starts_with("ipv4 #"));
    }

    #[test]
    fn a_hint_that_is_malformed_or_names_nobody_is_refused_as_such() {
        let settings = settings();
        for (hint, code) in [
            ("tel: 447700900112", "invalid_request"),
            ("tel:447700900112", "invalid_request"),
            ("tel:+0447700900112", "invalid_request"),
            ("+447700900112", "invalid_request"),
            ("ipport:203.0.113.7:0", "invalid_request"),
            ("ipport:203.0.113.7:+80", "invalid_request"),
            ("ipport:203.0.113.7:65536", "invalid_request"),
            ("ipport:2001:db8::1", "invalid_request"),
            ("ipport:[2001:db8::1]8080", "invalid_request"),
            ("ipport:203.0.113.8", "unknown_user_id"),
            ("ipport:198.51.100.4", "unknown_user_id"),
            ("operatortoken:op-2", "unknown_user_id"),
        ] {
            assert_eq!(phone_of(hint, &settings), Err(code), "{hint}");
        }
        let known_only = Settings { known_devices_only: true, ..settings };
        assert_eq!(phone_of("tel:+447700900999", &known_only), Err("unknown_user_id"));
    }

    #[test]
    fn an_assertion_cannot_name_a_device_by_its_address() {
        let settings = settings();
        assert!(subject("tel:+447700900112", &settings).is_some() && subject("operatortoken:op-1", &settings).is_some());
        assert!(subject("ipport:203.0.113.7:5060", &settings).is_none());
    }
}
