//! Reads the device of a request.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde_json::{Map, Value};

use super::request::{DeviceIpv4, Later, RequestForm};
use super::schema::{Object, violation};
use super::{Fault, Problem};
use crate::private::Private;
use crate::simulator::device::{Device, Identifier, Kind};

/// The device as a request names it.
#[derive(Clone, Debug)]
pub(in crate::simulator) struct Sent {
    /// Each kind of identifier sent with what it means (one or two identifiers: an IPv4 address may come with port and private address).
    identifiers: Vec<(Kind, Vec<Identifier>)>,
    /// Each as it was sent, under its name.
    fields: Private<Map<String, Value>>,
    /// Whether one of them ends in 9: Telefónica's mock takes that for a conflict.
    pub(in crate::simulator) ends_in_9: bool,
}

impl Sent {
    /// The kinds sent, in the order in which one is picked.
    pub(in crate::simulator) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.identifiers.iter().map(|(kind, _)| *kind)
    }

    /// The device with the identifiers of these kinds.
    pub(in crate::simulator) fn device(&self, of: impl Fn(Kind) -> bool) -> Device {
        Device::new(
            self.identifiers.iter().filter(|(kind, _)| of(*kind)).flat_map(|(_, identifiers)| identifiers.iter().cloned()),
        )
    }

    /// What an answer repeats of it if it names one identifier only.
    pub(in crate::simulator) fn only(&self, kind: Kind, form: &RequestForm) -> Value {
        let name = match kind {
            Kind::PhoneNumber => form.names.phone,
            Kind::NetworkAccessIdentifier => form.names.network_access,
            Kind::Ipv4Address => form.names.device_ipv4,
            Kind::Ipv6Address => form.names.device_ipv6,
        };
        let fields = self.fields.expose();
        Value::Object(fields.get(name).map(|value| (name.to_owned(), value.clone())).into_iter().collect())
    }
}

/// The device that `body` names, if it names one.
pub(super) fn device(body: &Object<'_>, form: &RequestForm, ports: &mut Later) -> Result<Option<Sent>, Problem> {
    let names = &form.names;
    let Some(device) = body.object(names.device)? else {
        return Ok(None);
    };
    let known = [names.phone, names.network_access, names.device_ipv4, names.device_ipv6];
    device.only(&known)?;
    if !device.any(&known) {
        return Err(Problem::new(Fault::Invalid, format!("Insufficient properties specified: {}", names.device)));
    }
    let mut identifiers = Vec::new();
    let mut ends_in_9 = false;
    let mut note = |text: &str| ends_in_9 |= text.ends_with('9');
    if let Some(number) = device.text(names.phone)? {
        if !phone(number, form.phone_needs_plus) {
            return Err(violation(&device.path(names.phone)));
        }
        note(number);
        identifiers.push((Kind::PhoneNumber, vec![Identifier::phone(number)]));
    }
    match form.device_ipv4 {
        DeviceIpv4::Text => {
            if let Some(text) = device.text(names.device_ipv4)? {
                let net = ipv4_net(text).ok_or_else(|| violation(&device.path(names.device_ipv4)))?;
                note(text);
                identifiers.push((Kind::Ipv4Address, vec![Identifier::Ipv4(net.addr())]));
            }
        }
        DeviceIpv4::Object => {
            if let Some(ipv4) = device.object(names.device_ipv4)? {
                let (public, found) = device_ipv4(&ipv4, form, ports)?;
                note(&public.to_string());
                identifiers.push((Kind::Ipv4Address, found));
            }
        }
    }
    if let Some(text) = device.text(names.device_ipv6)? {
        let address = if form.device_ipv6_subnet { ipv6_net(text).map(|net| net.addr()) } else { text.parse::<Ipv6Addr>().ok() };
        let address = address.filter(|_| !form.canonical_ipv6 || canonical(text));
        note(text);
        identifiers.push((
            Kind::Ipv6Address,
            vec![Identifier::ipv6(address.ok_or_else(|| violation(&device.path(names.device_ipv6)))?)],
        ));
    }
    let most = if form.closed { 2048 } else { usize::MAX };
    if let Some(identifier) = device.short(names.network_access, most)? {
        note(identifier);
        identifiers.push((Kind::NetworkAccessIdentifier, vec![Identifier::network_access(identifier)]));
    }
    let sent = |name: &&str| device.get(name).map(|value| ((*name).to_owned(), value.clone()));
    let fields = Private::new(known.iter().filter_map(sent).collect());
    Ok(Some(Sent { identifiers, fields, ends_in_9 }))
}

/// `DeviceIpv4Addr`: a public address with a private one, a port, or both.
fn device_ipv4(ipv4: &Object<'_>, form: &RequestForm, ports: &mut Later) -> Result<(Ipv4Addr, Vec<Identifier>), Problem> {
    ipv4.only(&["publicAddress", "privateAddress", "publicPort"])?;
    let public: Ipv4Addr = ipv4.parsed("publicAddress")?.ok_or_else(|| ipv4.missing("publicAddress"))?;
    let private: Option<Ipv4Addr> = ipv4.parsed("privateAddress")?;
    let port = ipv4.integer("publicPort")?;
    if private.is_none() && port.is_none() {
        return Err(Problem::new(Fault::Invalid, format!("Insufficient properties specified: {}", ipv4.path("publicPort"))));
    }
    let mut found: Vec<Identifier> = private.map(|private| Identifier::Ipv4Private(public, private)).into_iter().collect();
    if let Some(port) = port {
        match form.port(port) {
            Some(port) => found.push(Identifier::Ipv4Port(public, port)),
            None => ports.port(&format!("Invalid port value specified: {}", ipv4.path("publicPort"))),
        }
    }
    if private == Some(public) {
        // No NAT: the address alone names the device.
        found.push(Identifier::Ipv4(public));
    }
    Ok((public, found))
}

/// `^\+?[0-9]{5,15}$`, or from 0.11 on `^\+[1-9][0-9]{4,14}$`.
fn phone(number: &str, needs_plus: bool) -> bool {
    let (plus, digits) = number.strip_prefix('+').map_or((false, number), |digits| (true, digits));
    let right = (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    right && (!needs_plus || (plus && !digits.starts_with('0')))
}

/// An IPv4 subnet, or a single address.
pub(super) fn ipv4_net(text: &str) -> Option<Ipv4Net> {
    text.parse().or_else(|_| text.parse::<Ipv4Addr>().map(Ipv4Net::from)).ok()
}

/// An IPv6 subnet, or a single address.
pub(super) fn ipv6_net(text: &str) -> Option<Ipv6Net> {
    text.parse().or_else(|_| text.parse::<Ipv6Addr>().map(Ipv6Net::from)).ok()
}

/// What the patterns of 0.8 and 0.9 take: lower case, no leading zeros, no embedded IPv4 address.
pub(super) fn canonical(text: &str) -> bool {
    let address = text.split('/').next().unwrap_or_default();
    address.split(':').all(|group| {
        let zeros = group.len() > 1 && group.starts_with('0');
        group.len() <= 4 && !zeros && group.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_is_held_to_its_generations_pattern() {
        for (number, early, later) in [
            ("+447700900112", true, true),
            ("447700900112", true, false),
            ("+0447700900112", true, false),
            ("+1234", false, false),
            ("+12345", true, true),
            ("+1234567890123456", false, false),
            ("+44 7700", false, false),
        ] {
            assert_eq!((phone(number, false), phone(number, true)), (early, later), "{number}");
        }
    }

    #[test]
    fn the_early_ipv6_pattern_takes_the_canonical_form_only() {
        for (text, taken) in [
            ("2001:db8::1", true),
            ("2001:db8::/64", true),
            ("2001:DB8::1", false),
            ("2001:0db8::1", false),
            ("::ffff:192.0.2.1", false),
            ("2001:db8:0:1::", true),
        ] {
            assert_eq!(canonical(text), taken, "{text}");
        }
    }
}
