//! The parts of a request's body. From 0.9 on the generations share their words and differ in what these may say, which is data:
//! [`Rules`]. What the schema of a generation refuses is refused here, before anything is sent.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Flavour, profile_name};
use crate::qod::device_ipv6::ipv6_text;
use crate::qod::fault::{Fault, Field};
use crate::qod::session::{ApplicationServer, Callback, CreateSession, Device, PortsSpec};
use crate::qod::settings::CallbackField;

/// The longest duration and extension of a schema with `format: int32` (0.11 and later), in seconds.
pub(super) const INT32: i64 = 2_147_483_647;

/// What the words of one shape may say.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "one answer for each thing in which the schemas differ")]
pub(super) struct Rules {
    /// Whether the schema requires the device.
    pub(super) device_required: bool,
    /// Whether a phone number must begin with `+` and a digit other than 0.
    pub(super) plus: bool,
    /// Whether `networkAccessIdentifier` is more than a reserved word.
    pub(super) network_access_identifier: bool,
    /// Whether the device's IPv6 address may have a prefix length.
    pub(super) ipv6_prefix: bool,
    /// The longest duration in seconds.
    pub(super) max_duration: i64,
    /// The lowest port.
    pub(super) min_port: u16,
    /// Whether the server may be a list of addresses.
    pub(super) ip_addresses: bool,
    /// How the callback is said, where no setting says otherwise.
    pub(super) callback: CallbackForm,
}

/// How a callback is said.
#[derive(Clone, Copy, Debug)]
pub(super) enum CallbackForm {
    /// `webhook`, up to 0.10.
    Webhook,
    /// `sink` and `sinkCredential`, since 0.11.
    Sink(SinkRules),
}

/// What `sink` and `sinkCredential` may say.
#[derive(Clone, Copy, Debug)]
pub(super) struct SinkRules {
    /// Whether the URL must be https.
    pub(super) https: bool,
    /// The longest URL and the longest token, in characters.
    pub(super) longest: Option<(usize, usize)>,
}

/// 0.11 and 1.0: any URL, any length.
pub(super) const ANY_SINK: SinkRules = SinkRules { https: false, longest: None };

/// The body of `POST /sessions` in the words of 0.9 and later.
pub(super) fn create(rules: &Rules, request: &CreateSession, flavour: Flavour) -> Result<Value, Fault> {
    profile_name(&request.qos_profile)?;
    let mut body = Map::new();
    match &request.device {
        Some(device) => {
            body.insert("device".into(), self::device(rules, device)?);
        }
        None if rules.device_required => return Err(no_device()),
        None => {}
    }
    body.insert("applicationServer".into(), server(rules, &request.application_server)?);
    body.insert("qosProfile".into(), json!(request.qos_profile));
    body.insert("duration".into(), json!(duration(request.duration_seconds, rules.max_duration)?));
    let specs =
        [("devicePorts", request.device_ports.as_ref()), ("applicationServerPorts", request.application_server_ports.as_ref())];
    for (name, spec) in specs {
        if let Some(spec) = ports(rules.min_port, spec, flavour)? {
            body.insert(name.into(), spec);
        }
    }
    if let Some(callback) = &request.callback {
        let form = form(flavour.callback_field).unwrap_or(rules.callback);
        self::callback(&mut body, callback, form, rules)?;
    }
    Ok(Value::Object(body))
}

/// The body of `POST /retrieve-sessions`, and the first field of `POST /retrieve-qos-profiles`: `{}` without a device.
pub(super) fn lookup(rules: &Rules, device: Option<&Device>) -> Result<Map<String, Value>, Fault> {
    let mut body = Map::new();
    if let Some(device) = device {
        body.insert("device".into(), self::device(rules, device)?);
    }
    Ok(body)
}

/// The body of `POST /sessions/{sessionId}/extend`.
pub(super) fn extend(additional_seconds: i64, max: i64) -> Result<Value, Fault> {
    Ok(json!({ "requestedAdditionalDuration": duration(additional_seconds, max)? }))
}

/// The form that a setting asks for; none where it leaves that to the generation.
pub(super) const fn form(field: CallbackField) -> Option<CallbackForm> {
    match field {
        CallbackField::Auto => None,
        CallbackField::Webhook => Some(CallbackForm::Webhook),
        CallbackField::Sink => Some(CallbackForm::Sink(ANY_SINK)),
    }
}

/// Without the device, where the schema requires it.
pub(super) const fn no_device() -> Fault {
    Fault::not_expressible(Field::Device, "the device is required: set deviceInRequest to Auto or Always")
}

pub(super) fn duration(seconds: i64, max: i64) -> Result<i64, Fault> {
    let why = match max {
        86_400 => "ask for 1 to 86400 s",
        86_399 => "ask for an extension of 1 to 86399 s",
        _ => "ask for 1 to 2147483647 s",
    };
    if (1..=max).contains(&seconds) { Ok(seconds) } else { Err(Fault::not_expressible(Field::Duration, why)) }
}

/// `PhoneNumber`: up to 0.10 `^\+?[0-9]{5,15}$`, then `^\+[1-9][0-9]{4,14}$`.
pub(super) fn phone_number(number: &str, plus: bool) -> Result<Value, Fault> {
    let refuse = |why| Err(Fault::not_expressible(Field::Device, why));
    let digits = number.strip_prefix('+').unwrap_or(number);
    if !(5..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return refuse("a phone number has 5 to 15 digits and nothing else but a + before them");
    }
    if plus && (!number.starts_with('+') || digits.starts_with('0')) {
        return refuse("write the phone number as E.164: a +, the country code and the number");
    }
    Ok(json!(number))
}

fn device(rules: &Rules, device: &Device) -> Result<Value, Fault> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Ipv4 {
        public_address: Ipv4Addr,
        #[serde(skip_serializing_if = "Option::is_none")]
        private_address: Option<Ipv4Addr>,
        #[serde(skip_serializing_if = "Option::is_none")]
        public_port: Option<u16>,
    }
    let refuse = |why| Err(Fault::not_expressible(Field::Device, why));
    let mut body = Map::new();
    if let Some(number) = &device.phone_number {
        body.insert("phoneNumber".into(), phone_number(number.expose(), rules.plus)?);
    }
    if let Some(identifier) = &device.network_access_identifier {
        if !rules.network_access_identifier {
            return refuse("networkAccessIdentifier is reserved and not supported: use another identifier");
        }
        body.insert("networkAccessIdentifier".into(), json!(identifier.expose()));
    }
    if let Some(address) = &device.ipv4_address {
        if address.private_address.is_none() && address.public_port.is_none() {
            return refuse("an IPv4 address needs the private address or the public port beside it");
        }
        if address.public_port.is_some_and(|port| port < rules.min_port) {
            return refuse("the public port must be 1 to 65535");
        }
        let address = Ipv4 {
            public_address: *address.public_address.expose(),
            private_address: address.private_address.as_ref().map(|address| *address.expose()),
            public_port: address.public_port,
        };
        body.insert("ipv4Address".into(), json!(address));
    }
    if let Some(address) = &device.ipv6_address {
        if !rules.ipv6_prefix && address.expose().prefix_length().is_some() {
            return refuse("the IPv6 address must be a single one, without a prefix length");
        }
        body.insert("ipv6Address".into(), json!(address.expose().to_string()));
    }
    if body.is_empty() {
        return refuse("give at least one identifier");
    }
    Ok(Value::Object(body))
}

fn server(rules: &Rules, server: &ApplicationServer) -> Result<Value, Fault> {
    let refuse = |why| Err(Fault::not_expressible(Field::ApplicationServer, why));
    if !server.ip_addresses.is_empty() {
        if !rules.ip_addresses {
            return refuse("a list of addresses appears in v1.2: use ipv4Address or ipv6Address");
        }
        if server.ipv4_address.is_some() || server.ipv6_address.is_some() {
            return refuse("use either ipAddresses or ipv4Address and ipv6Address, not both");
        }
        return Ok(json!({ "ipAddresses": address_list(&server.ip_addresses)? }));
    }
    let mut body = Map::new();
    if let Some(address) = &server.ipv4_address {
        body.insert("ipv4Address".into(), json!(ipv4_network(address)?));
    }
    if let Some(address) = &server.ipv6_address {
        body.insert("ipv6Address".into(), json!(ipv6_network(address)?));
    }
    if body.is_empty() {
        return refuse("an application server is required: give it an address");
    }
    Ok(Value::Object(body))
}

/// `ApplicationServerIpAddressList` of 1.2: 1 to 16 single addresses, each once.
fn address_list(addresses: &[String]) -> Result<Vec<String>, Fault> {
    let refuse = |why| Err(Fault::not_expressible(Field::ApplicationServer, why));
    let mut list = Vec::with_capacity(addresses.len());
    for text in addresses {
        let address = match (text.parse::<Ipv4Addr>(), text.parse::<Ipv6Addr>()) {
            (Ok(address), _) => address.to_string(),
            (_, Ok(address)) => ipv6_text(address),
            _ => return refuse("ipAddresses takes single addresses only: use ipv4Address or ipv6Address for a subnet"),
        };
        if list.contains(&address) {
            return refuse("ipAddresses holds an address twice: name each once");
        }
        list.push(address);
    }
    if list.len() > 16 { refuse("ipAddresses takes at most 16 addresses: use a subnet") } else { Ok(list) }
}

/// An IPv4 address or subnet in the one form that all generations take; its host bits are kept.
pub(super) fn ipv4_network(text: &str) -> Result<String, Fault> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(address.to_string());
    }
    match text.parse::<Ipv4Net>() {
        Ok(network) => Ok(format!("{}/{}", network.addr(), network.prefix_len())),
        Err(_) => Err(Fault::not_expressible(Field::ApplicationServer, "ipv4Address must be an IPv4 address or subnet")),
    }
}

/// An IPv6 address or subnet in the one form that all generations take (RFC 5952, no IPv4 in it); its host bits are kept.
pub(super) fn ipv6_network(text: &str) -> Result<String, Fault> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(ipv6_text(address));
    }
    match text.parse::<Ipv6Net>() {
        Ok(network) => Ok(format!("{}/{}", ipv6_text(network.addr()), network.prefix_len())),
        Err(_) => Err(Fault::not_expressible(Field::ApplicationServer, "ipv6Address must be an IPv6 address or subnet")),
    }
}

/// None where nothing is said, since the schema allows neither an empty object nor an empty list in it.
pub(super) fn ports(min: u16, spec: Option<&PortsSpec>, flavour: Flavour) -> Result<Option<Value>, Fault> {
    let refuse = |why| Err(Fault::not_expressible(Field::Ports, why));
    let Some(spec) = spec else { return Ok(None) };
    let mut body = Map::new();
    if !spec.ports.is_empty() {
        body.insert("ports".into(), json!(spec.ports));
    }
    if spec.ranges.iter().any(|range| range.from > range.to) {
        return refuse("a range must not end before it begins");
    }
    if spec.ports.iter().chain(spec.ranges.iter().map(|range| &range.from)).any(|port| *port < min) {
        return refuse("a port is a number from 1 to 65535");
    }
    if !spec.ranges.is_empty() {
        body.insert("ranges".into(), spec.ranges.iter().map(|range| json!({"from": range.from, "to": range.to})).collect());
    }
    if flavour.single_port && !body.is_empty() && (spec.ports.len() != 1 || !spec.ranges.is_empty()) {
        return refuse("this provider takes exactly one port on each side and no ranges");
    }
    Ok((!body.is_empty()).then_some(Value::Object(body)))
}

/// Adds the callback in that form.
pub(super) fn callback(
    body: &mut Map<String, Value>,
    callback: &Callback,
    form: CallbackForm,
    rules: &Rules,
) -> Result<(), Fault> {
    match form {
        CallbackForm::Webhook => {
            body.insert("webhook".into(), webhook(callback)?);
        }
        CallbackForm::Sink(asked) => {
            // Where the generation has sinks of its own, its rules hold for one that a setting asks for too.
            let CallbackForm::Sink(rules) = rules.callback else { return sink(body, callback, asked) };
            sink(body, callback, rules)?;
        }
    }
    Ok(())
}

fn webhook(callback: &Callback) -> Result<Value, Fault> {
    let (url, token) = (callback.url.expose(), callback.token.expose());
    if token.is_empty() {
        return Ok(json!({ "notificationUrl": url }));
    }
    if !(20..=256).contains(&token.chars().count()) {
        return Err(Fault::not_expressible(Field::Callback, "the token must have 20 to 256 characters"));
    }
    Ok(json!({ "notificationUrl": url, "notificationAuthToken": token }))
}

fn sink(body: &mut Map<String, Value>, callback: &Callback, rules: SinkRules) -> Result<(), Fault> {
    let refuse = |why| Err(Fault::not_expressible(Field::Callback, why));
    let (url, token) = (callback.url.expose(), callback.token.expose());
    if rules.https && url.strip_prefix("https://").is_none_or(str::is_empty) {
        return refuse("the URL must begin with https://");
    }
    if let Some((longest_url, longest_token)) = rules.longest {
        if url.chars().count() > longest_url {
            return refuse("the URL must have at most 2048 characters");
        }
        if token.chars().count() > longest_token {
            return refuse("the token must have at most 4096 characters");
        }
    }
    body.insert("sink".into(), json!(url));
    if token.is_empty() {
        return Ok(());
    }
    let Some(expires) = callback.token_expires else {
        return refuse("the token needs the time at which it ends");
    };
    body.insert(
        "sinkCredential".into(),
        json!({
            "credentialType": "ACCESSTOKEN",
            "accessToken": token,
            "accessTokenExpiresUtc": expires.to_string(),
            "accessTokenType": "bearer",
        }),
    );
    Ok(())
}
