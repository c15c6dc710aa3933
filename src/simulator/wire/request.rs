//! Reads the bodies of requests. What differs between generations is in [`RequestForm`].

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::callback::{CallbackForm, callback, callback_fields};
use super::device::{Sent, canonical, device, ipv4_net, ipv6_net};
use super::schema::{Object, integer, violation};
use super::{Fault, Problem, Wire};
use crate::private::Private;
use crate::simulator::flow::PortSet;
use crate::simulator::generation::Generation;
use crate::simulator::settings::Settings;
use crate::simulator::transition::NotifyTarget;

/// The longest duration up to 0.10 (`CreateSession.duration`), and the one that an absent duration means there.
pub(in crate::simulator) const DAY: i64 = 86_400;

/// What the fields of a request are called.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) struct Names {
    pub(super) device: &'static str,
    pub(super) phone: &'static str,
    pub(super) network_access: &'static str,
    pub(super) device_ipv4: &'static str,
    pub(super) device_ipv6: &'static str,
    pub(super) server: &'static str,
    pub(super) server_ipv4: &'static str,
    pub(super) server_ipv6: &'static str,
    pub(super) device_ports: &'static str,
    pub(super) server_ports: &'static str,
    pub(super) profile: &'static str,
}

impl Names {
    /// What answers repeat of a request, but for the callback.
    pub(super) const fn repeated(&self) -> [&'static str; 5] {
        [self.device, self.server, self.device_ports, self.server_ports, self.profile]
    }
}

/// What an IPv4 address of a device looks like.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) enum DeviceIpv4 {
    /// A text, also with a mask.
    Text,
    /// `{publicAddress, privateAddress, publicPort}`
    Object,
}

/// What a profile may be called.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) enum ProfileForm {
    /// QOS_E, QOS_S, QOS_M, QOS_L.
    Four,
    /// `^[a-zA-Z0-9_.-]+$`, of 3 to 256 characters.
    Name,
}

/// What a duration may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) enum DurationForm {
    /// Left out, or from 1 to 86400.
    UpToADay,
    /// From 1 to what an int32 holds.
    Int32,
}

/// The form of requests.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a trait of its own that some document has")]
pub(in crate::simulator) struct RequestForm {
    pub(super) names: Names,
    /// Whether a creation must name the device.
    pub(super) device_required: bool,
    /// Whether a phone number must begin with `+`.
    pub(super) phone_needs_plus: bool,
    pub(super) device_ipv4: DeviceIpv4,
    /// Whether a device's IPv6 address may have a prefix length.
    pub(super) device_ipv6_subnet: bool,
    /// Whether IPv6 addresses must be in RFC 5952's form.
    pub(super) canonical_ipv6: bool,
    /// Whether the server may be a list of addresses.
    pub(super) server_list: bool,
    /// The lowest port.
    pub(super) first_port: u16,
    /// Whether ports are one single port, which a device that is named by its IPv4 address must have (Telefónica's 0.8).
    pub(super) one_port_only: bool,
    pub(super) profile: ProfileForm,
    pub(super) duration: DurationForm,
    pub(super) callback: CallbackForm,
    /// Whether properties that the schema does not know are refused.
    pub(super) closed: bool,
}

impl RequestForm {
    /// What a profile is called.
    pub(in crate::simulator) const fn profile_name(&self) -> &'static str {
        self.names.profile
    }

    /// The fields of some request, in this form.
    pub(in crate::simulator) fn some_request(&self) -> Map<String, Value> {
        let names = &self.names;
        let fields = [
            (names.device, json!({names.phone: "+346666666666"})),
            (names.server, json!({names.server_ipv4: "192.0.2.1"})),
            (names.profile, json!("QOS_L")),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The port that a number is.
    pub(super) fn port(&self, number: i64) -> Option<u16> {
        u16::try_from(number).ok().filter(|port| *port >= self.first_port)
    }
}

/// A body of `createSession` that agrees with the schema, but for what has a place of its own further down the order of the checks:
/// the limits of `duration` up to 0.10, and what is wrong with the callback.
#[derive(Debug)]
pub(in crate::simulator) struct Create {
    /// The device, if sent.
    pub(in crate::simulator) device: Option<Sent>,
    /// The server's subnets.
    pub(in crate::simulator) servers: Vec<IpNet>,
    /// Ports on the device.
    pub(in crate::simulator) device_ports: PortSet,
    /// Ports on the server.
    pub(in crate::simulator) server_ports: PortSet,
    /// The profile's name.
    pub(in crate::simulator) profile: String,
    /// The duration, if sent.
    pub(in crate::simulator) duration: Option<i64>,
    /// Whether it may be a day at most, and may be left out for that.
    pub(in crate::simulator) up_to_a_day: bool,
    /// Where to tell the client of changes.
    pub(in crate::simulator) callback: Option<NotifyTarget>,
    /// What is wrong with that.
    pub(in crate::simulator) callback_problem: Later,
    /// What answers repeat, with its secrets.
    pub(in crate::simulator) echo: Private<Map<String, Value>>,
}

/// The first problem of those that have a place of their own further down the order of the checks.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Later(Option<Problem>);

impl Later {
    /// Notes a problem.
    pub(super) fn note(&mut self, problem: Problem) {
        self.0.get_or_insert(problem);
    }

    /// Notes a port outside its range.
    pub(super) fn port(&mut self, message: &str) {
        self.note(Problem::new(Fault::OutOfRange, message));
    }

    /// Now is its place.
    pub(in crate::simulator) fn report(self) -> Result<(), Problem> {
        self.0.map_or(Ok(()), Err)
    }
}

fn parse(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|_| violation("the body"))
}

/// Reads the body of `createSession`.
pub(in crate::simulator) fn create(wire: &Wire, body: &[u8], settings: &Settings) -> Result<Create, Problem> {
    let form = &wire.request;
    let names = &form.names;
    let body = parse(body)?;
    let object = Object::body(&body, form.closed)?;
    let (target, _) = callback_fields(form.callback);
    let known: Vec<&str> = names.repeated().into_iter().chain(target.iter().copied()).chain(["duration"]).collect();
    object.only(&known)?;
    let mut ports = Later::default();
    let device = device(&object, form, &mut ports)?;
    if form.device_required && device.is_none() {
        return Err(object.missing(names.device));
    }
    let servers = servers(&object, form)?;
    let profile = object.text(names.profile)?.ok_or_else(|| object.missing(names.profile))?;
    let named = match form.profile {
        ProfileForm::Four => ["QOS_E", "QOS_S", "QOS_M", "QOS_L"].contains(&profile),
        ProfileForm::Name => profile_name(profile),
    };
    if !named {
        return Err(violation(names.profile));
    }
    let device_ports = port_set(&object, names.device_ports, form, &mut ports)?;
    let server_ports = port_set(&object, names.server_ports, form, &mut ports)?;
    if form.one_port_only
        && device_ports == PortSet::ALL
        && object.object(names.device)?.is_some_and(|d| d.any(&[names.device_ipv4]))
    {
        return Err(object.missing(names.device_ports));
    }
    let duration = object.integer("duration")?;
    match (form.duration, duration) {
        (DurationForm::UpToADay, _) => {}
        (_, None) => return Err(object.missing("duration")),
        (_, Some(seconds)) if seconds > i64::from(i32::MAX) => return Err(violation("duration")),
        (_, Some(seconds)) if seconds < 1 => return Err(violation("duration")),
        _ => {}
    }
    let mut callback_problem = Later::default();
    let callback = callback(wire, &object, settings, &mut callback_problem)?;
    ports.report()?;
    let echo = names.repeated().into_iter().chain(target.iter().copied());
    let echo = echo.filter_map(|name| body.get(name).map(|value| (name.to_owned(), value.clone()))).collect();
    let (profile, echo) = (profile.to_owned(), Private::new(echo));
    let up_to_a_day = form.duration == DurationForm::UpToADay;
    Ok(Create { device, servers, device_ports, server_ports, profile, duration, up_to_a_day, callback, callback_problem, echo })
}

/// Reads the body of `extendQosSessionDuration`: the additional seconds.
pub(in crate::simulator) fn extend(wire: &Wire, body: &[u8]) -> Result<i64, Problem> {
    let body = parse(body)?;
    let object = Object::body(&body, wire.request.closed)?;
    let field = "requestedAdditionalDuration";
    object.only(&[field])?;
    let seconds = object.integer(field)?.ok_or_else(|| object.missing(field))?;
    let most = match wire.request.duration {
        DurationForm::UpToADay => DAY - 1,
        DurationForm::Int32 => i64::from(i32::MAX),
    };
    if (1..=most).contains(&seconds) { Ok(seconds) } else { Err(violation(field)) }
}

/// The body of a look-up.
#[derive(Debug)]
pub(in crate::simulator) struct Lookup {
    /// The device, if sent.
    pub(in crate::simulator) device: Option<Sent>,
    /// Whether the body is `{}`.
    pub(in crate::simulator) empty: bool,
    /// The profile's name to look for.
    pub(in crate::simulator) name: Option<String>,
    /// The profile's status to look for.
    pub(in crate::simulator) status: Option<String>,
}

/// Reads the body of `retrieveSessionsByDevice`.
pub(in crate::simulator) fn sessions_lookup(wire: &Wire, body: &[u8]) -> Result<Lookup, Problem> {
    let body = parse(body)?;
    let object = Object::body(&body, wire.request.closed)?;
    object.only(&[wire.request.names.device])?;
    let mut ports = Later::default();
    let device = device(&object, &wire.request, &mut ports)?;
    ports.report()?;
    Ok(Lookup { device, empty: object.empty(), name: None, status: None })
}

/// Reads the body of `retrieveQoSProfiles`.
pub(in crate::simulator) fn profiles_lookup(wire: &Wire, body: &[u8]) -> Result<Lookup, Problem> {
    let body = parse(body)?;
    let object = Object::body(&body, wire.request.closed)?;
    object.only(&[wire.request.names.device, "name", "status"])?;
    // `maxProperties: 4`, which counts those that are not declared as well.
    let limited = [Generation::V0_11, Generation::V1_0].contains(&wire.generation());
    if limited && body["device"].as_object().is_some_and(|device| device.len() > 4) {
        return Err(violation(wire.request.names.device));
    }
    let mut ports = Later::default();
    let device = device(&object, &wire.request, &mut ports)?;
    let name = object.text("name")?.map(ToOwned::to_owned);
    if name.as_deref().is_some_and(|name| !profile_name(name)) {
        return Err(violation("name"));
    }
    let status = object.text("status")?.map(ToOwned::to_owned);
    if status.as_deref().is_some_and(|status| !["ACTIVE", "INACTIVE", "DEPRECATED"].contains(&status)) {
        return Err(violation("status"));
    }
    ports.report()?;
    Ok(Lookup { device, empty: object.empty(), name, status })
}

/// Reads a session id: a UUID in its usual form.
pub(in crate::simulator) fn session_id(text: &str) -> Option<Uuid> {
    // The parser also takes the forms without hyphens, in braces, and as a URN; `format: uuid` does not.
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// Whether `name` is a name that a profile can have (`QosProfileName`).
pub(in crate::simulator) fn profile_name(name: &str) -> bool {
    (3..=256).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn servers(body: &Object<'_>, form: &RequestForm) -> Result<Vec<IpNet>, Problem> {
    let names = &form.names;
    let server = body.object(names.server)?.ok_or_else(|| body.missing(names.server))?;
    let insufficient = || Problem::new(Fault::Invalid, format!("Insufficient properties specified: {}", names.server));
    if form.server_list && server.any(&["ipAddresses"]) {
        server.only(&["ipAddresses"])?;
        let list = server.array("ipAddresses")?.ok_or_else(insufficient)?;
        let wrong = || violation(&server.path("ipAddresses"));
        let addresses = list.iter().map(|address| address.as_str()?.parse::<IpAddr>().ok().map(IpNet::from));
        let addresses: Vec<IpNet> = addresses.collect::<Option<_>>().ok_or_else(wrong)?;
        let unique: BTreeSet<String> = list.iter().map(ToString::to_string).collect();
        return if list.len() > 16 || unique.len() < list.len() { Err(wrong()) } else { Ok(addresses) };
    }
    server.only(&[names.server_ipv4, names.server_ipv6])?;
    let v4 = server.text(names.server_ipv4)?;
    let v4 = v4.map(|text| ipv4_net(text).ok_or_else(|| violation(&server.path(names.server_ipv4)))).transpose()?;
    let v6 = server.text(names.server_ipv6)?;
    let v6_net = |text: &str| ipv6_net(text).filter(|_| !form.canonical_ipv6 || canonical(text));
    let v6 = v6.map(|text| v6_net(text).ok_or_else(|| violation(&server.path(names.server_ipv6)))).transpose()?;
    let servers: Vec<IpNet> = v4.map(|net| net.trunc().into()).into_iter().chain(v6.map(|net| net.trunc().into())).collect();
    if servers.is_empty() { Err(insufficient()) } else { Ok(servers) }
}

fn port_set(body: &Object<'_>, field: &str, form: &RequestForm, problem: &mut Later) -> Result<PortSet, Problem> {
    let Some(spec) = body.object(field)? else {
        return Ok(PortSet::ALL);
    };
    spec.only(&["ranges", "ports"])?;
    if spec.empty() {
        return Err(Problem::new(Fault::Invalid, format!("Insufficient properties specified: {field}")));
    }
    let mut found: Vec<RangeInclusive<u16>> = Vec::new();
    let ranges = if form.one_port_only { None } else { spec.array("ranges")? };
    for (index, element) in ranges.unwrap_or_default().iter().enumerate() {
        let range = spec.element("ranges", index, element)?;
        range.only(&["from", "to"])?;
        let from = range.integer("from")?.ok_or_else(|| range.missing("from"))?;
        let to = range.integer("to")?.ok_or_else(|| range.missing("to"))?;
        match (form.port(from), form.port(to)) {
            (Some(from), Some(to)) if from <= to => found.push(from..=to),
            _ => problem.port(&format!("Invalid port ranges specified: {field}")),
        }
    }
    let ports = spec.array("ports")?;
    if form.one_port_only && ports.is_some_and(|ports| ports.len() > 1) {
        return Err(violation(&format!("{field}.ports")));
    }
    for (index, element) in ports.unwrap_or_default().iter().enumerate() {
        let port = integer(element).ok_or_else(|| violation(&format!("{field}.ports[{index}]")))?;
        match form.port(port) {
            Some(port) => found.push(port..=port),
            None => problem.port(&format!("Invalid port value specified: {field}")),
        }
    }
    // Only properties that the schema does not know: no restriction is expressed.
    Ok(if ranges.is_some() || ports.is_some() { PortSet::of(found) } else { PortSet::ALL })
}
