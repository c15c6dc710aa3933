//! `device`: `tel:`, `nai:`, `secret:` and `ip:` entries.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::is_name;
use super::list::{Problem, entries};
use super::ports::port;
use crate::api::{Device, Ipv4Device, PhoneNumberSource, SecretKeyRef};
use crate::private::Private;

/// Each is a session of its own.
const MOST: usize = 16;

/// The devices that the annotation names.
pub(super) fn devices(text: &str) -> Result<Vec<Device>, Problem> {
    entries(text, MOST, device)
}

fn device(entry: &str) -> Result<Device, &'static str> {
    let (scheme, rest) = entry.split_once(':').unwrap_or_default();
    match scheme {
        "tel" => number(rest).map(|number| Device { phone_number: Some(number), ..Device::default() }),
        "nai" => identifier(rest).map(|nai| Device { network_access_identifier: Some(nai), ..Device::default() }),
        "secret" => secret(rest).map(|source| Device { phone_number_from: Some(source), ..Device::default() }),
        "ip" => address(rest),
        _ => Err("begin with tel:, ip:, nai: or secret:"),
    }
}

fn number(text: &str) -> Result<Private<String>, &'static str> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let fits = (5..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    if fits { Ok(text.into()) } else { Err("a number is written tel:+ and 5 to 15 digits, the first of them not 0") }
}

fn identifier(text: &str) -> Result<Private<String>, &'static str> {
    let part = |part: &str| !part.is_empty() && !part.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control());
    let fits = match text.split_once('@') {
        Some((user, realm)) => part(user) && part(realm),
        None => part(text),
    };
    if fits && text.chars().count() <= 253 {
        Ok(text.into())
    } else {
        Err("a network access identifier is written nai:USER@REALM")
    }
}

fn secret(text: &str) -> Result<PhoneNumberSource, &'static str> {
    let (name, key) = text.split_once('/').unwrap_or_default();
    let is_key = (1..=253).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if is_name(name) && is_key {
        Ok(PhoneNumberSource { secret_key_ref: SecretKeyRef { name: name.to_owned(), key: key.to_owned() } })
    } else {
        Err("a Secret is written secret:NAME/KEY")
    }
}

fn address(text: &str) -> Result<Device, &'static str> {
    let bracketed = text.starts_with('[');
    let v6 = bracketed || text.split(';').next().unwrap_or_default().matches(':').count() > 1;
    if !v6 {
        return v4(text).map(|address| Device { ipv4_address: Some(address), ..Device::default() });
    }
    let address = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        None => text,
        Some(Some((address, ""))) => address,
        Some(Some((_, after))) if after.starts_with(':') => return Err("an IPv6 device has no port"),
        Some(_) => return Err("an IPv6 device is written ip:[ADDRESS]"),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| "one IPv6 address, without a prefix length")?;
    if address.to_ipv4_mapped().is_some() {
        return Err("write the IPv4 address itself");
    }
    Ok(Device { ipv6_address: Some(Private::new(address.to_string())), ..Device::default() })
}

fn v4(text: &str) -> Result<Ipv4Device, &'static str> {
    const ONE: &str = "one IPv4 address, without a mask";
    let one = |text: &str| text.parse::<Ipv4Addr>().map(|address| Private::new(address.to_string())).map_err(|_| ONE);
    let (public, private) = match text.split_once(';') {
        None => (text, None),
        Some((public, option)) => {
            (public, Some(option.strip_prefix("private=").ok_or("the private address is written ;private=ADDRESS")?))
        }
    };
    let (public, public_port) = match public.split_once(':') {
        None => (public, None),
        Some((public, text)) => (public, Some(port(text).ok_or("a device's port is 1 to 65535")?)),
    };
    let public_address = one(public)?;
    let private_address = match private {
        Some(private) => Some(one(private)?),
        // Without a port there is no NAT: the device's own address is the one that the server sees.
        None => public_port.is_none().then(|| public_address.clone()),
    };
    Ok(Ipv4Device { public_address, private_address, public_port })
}
