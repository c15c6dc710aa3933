//! Parse: what the annotations of a Pod or Service ask for. Pure, and all or nothing: one fault, and nothing is asked for.

mod device;
mod duration;
mod list;
mod ports;
mod server;

use std::collections::BTreeMap;

use self::list::Problem;
use super::keys::{
    APPLICATION_SERVER, APPLICATION_SERVER_PORTS, DEVICE, DEVICE_PORTS, DURATION, KNOWN, PREFIX, PROFILE, PROVIDER, SUSPEND,
    nearest,
};
use super::notice::Reason;
use crate::api::{ApplicationServer, Device, PortsSpec};

pub use list::Problem as AnnotationProblem;

/// At most so many keys that nobody knows are told of one object: each is an Event.
const UNKNOWN_TOLD: usize = 4;

/// The kind of object that carries the annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A Pod: it must name its server; its device may be the Node's.
    Pod,
    /// A Service: it must name its device; its server may be its load balancer's.
    Service,
}

impl Kind {
    /// As it stands in `kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Service => "Service",
        }
    }
}

/// What the annotations say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// None of ours.
    Nothing,
    /// A session for each device.
    Asks(Box<Ask>),
    /// What is wrong with them, at least one fault.
    Wrong(Vec<Fault>),
}

/// What is asked for; what is absent takes its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// `profile`.
    pub profile: String,
    /// `device`: at least one. Absent only on a Pod: the Node's.
    pub devices: Option<Vec<Device>>,
    /// `application-server`. Absent only on a Service: its load balancer's addresses.
    pub server: Option<ApplicationServer>,
    /// `application-server-ports`. Absent: those of a Service, all of a Pod's server.
    pub server_ports: Option<PortsSpec>,
    /// `device-ports`. Absent: all.
    pub device_ports: Option<PortsSpec>,
    /// `duration`: the lease asked for.
    pub duration_seconds: Option<i32>,
    /// `provider`. Absent: the default one.
    pub provider: Option<String>,
    /// `suspend`.
    pub suspend: bool,
}

/// An annotation that cannot be used: the key, the entry and the remedy, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// InvalidAnnotation or UnknownAnnotation.
    pub reason: Reason,
    /// The key, with its prefix.
    pub key: String,
    /// For the Event.
    pub text: String,
}

impl Fault {
    fn invalid(name: &str, problem: Problem) -> Self {
        let key = format!("{PREFIX}{name}");
        Self { reason: Reason::InvalidAnnotation, text: format!("{key}: {problem}"), key }
    }

    fn missing(name: &str, consequence: &str) -> Self {
        let key = format!("{PREFIX}{name}");
        Self { reason: Reason::InvalidAnnotation, text: format!("{key} is missing{consequence}"), key }
    }

    fn unknown(key: &str) -> Self {
        let name = key.strip_prefix(PREFIX).unwrap_or(key);
        let remedy = nearest(name)
            .map_or_else(|| format!("the keys are {}", KNOWN.join(", ")), |known| format!("did you mean {PREFIX}{known}?"));
        Self { reason: Reason::UnknownAnnotation, key: key.to_owned(), text: format!("{key} is not known; {remedy}") }
    }
}

/// Reads the annotations of an object of that kind.
pub fn parse(kind: Kind, annotations: &BTreeMap<String, String>) -> Parsed {
    let ours: BTreeMap<&str, &str> =
        annotations.iter().filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value.as_str()))).collect();
    if ours.is_empty() {
        return Parsed::Nothing;
    }
    let unknown = ours.keys().filter(|name| !KNOWN.contains(*name));
    let mut faults: Vec<_> = unknown.take(UNKNOWN_TOLD).map(|name| Fault::unknown(&format!("{PREFIX}{name}"))).collect();
    // A key that nobody knows is likely the one that is missing: the typo is told, not its consequence.
    let complete = faults.is_empty();

    let mut reader = Reader { ours: &ours, faults: &mut faults };
    let profile = reader.read(PROFILE, profile);
    let devices = reader.read(DEVICE, device::devices);
    let server = reader.read(APPLICATION_SERVER, server::server);
    let server_ports = reader.read(APPLICATION_SERVER_PORTS, ports::ports);
    let device_ports = reader.read(DEVICE_PORTS, ports::ports);
    let duration_seconds = reader.read(DURATION, duration::seconds);
    let provider = reader.read(PROVIDER, provider);
    let suspend = reader.read(SUSPEND, suspend).unwrap_or(false);

    if complete {
        let lacks = |name| !ours.contains_key(name);
        if lacks(PROFILE) {
            faults.push(Fault::missing(PROFILE, ": nothing is asked for"));
        } else if kind == Kind::Pod && lacks(APPLICATION_SERVER) {
            faults.push(Fault::missing(APPLICATION_SERVER, ": a Pod names the server at the other end of its traffic"));
        } else if kind == Kind::Service && lacks(DEVICE) {
            faults.push(Fault::missing(DEVICE, ": a Service names the device at the other end of its traffic"));
        }
    }
    match profile {
        Some(profile) if faults.is_empty() => Parsed::Asks(Box::new(Ask {
            profile,
            devices,
            server,
            server_ports,
            device_ports,
            duration_seconds,
            provider,
            suspend,
        })),
        _ => Parsed::Wrong(faults),
    }
}

/// Reads the `device` of a Node; other keys on a Node mean nothing. None: it names no device.
pub fn parse_node(annotations: &BTreeMap<String, String>) -> Option<Result<Vec<Device>, Problem>> {
    annotations.get(&format!("{PREFIX}{DEVICE}")).map(|value| device::devices(value))
}

struct Reader<'a> {
    ours: &'a BTreeMap<&'a str, &'a str>,
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    fn read<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Problem>) -> Option<T> {
        match parse(self.ours.get(name)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.faults.push(Fault::invalid(name, problem));
                None
            }
        }
    }
}

fn profile(text: &str) -> Result<String, Problem> {
    let fits = (3..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if fits { Ok(text.to_owned()) } else { Err(Problem::Whole("3 to 256 of letters, digits, '_', '.', '-'")) }
}

fn provider(text: &str) -> Result<String, Problem> {
    if is_name(text) { Ok(text.to_owned()) } else { Err(Problem::Whole("the name of a QosProvider")) }
}

fn suspend(text: &str) -> Result<bool, Problem> {
    text.parse().map_err(|_| Problem::Whole("true or false"))
}

/// A name of a Secret or QosProvider, as the schema has it.
fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = |b: Option<&u8>| b.is_some_and(|b| inner(*b));
    let bytes = text.as_bytes();
    bytes.len() <= 253 && ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(|b| inner(*b) || b"-.".contains(b))
}

pub use ports::of_service as ports_of_service;
pub use server::of_load_balancer as server_of_load_balancer;

#[cfg(test)]
mod tests;
