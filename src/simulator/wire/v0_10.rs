//! API version 0.10: CAMARA's form (release v0.10.1, `qod-api.yaml`) and Telefónica's (their `QoD` 0.10 document), which differ in
//! their errors and in how a profile looks.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::schema::{Object, integer, violation};
use super::{Fault, Problem};
use crate::private::Private;
use crate::simulator::device::{Device, Identifier};
use crate::simulator::flow::PortSet;
use crate::simulator::session::{Session, State, seconds_later};
use crate::simulator::settings::{Flavour, Operation, Profile, ProfileBodies, Settings};

/// The longest duration (`CreateSession.duration`), and the one that an absent duration means.
pub(crate) const MAX_DURATION: i64 = 86_400;

/// A body of `createSession` that agrees with the schema, but for the limits of `duration` and of the callback's token, which are
/// checked later (the order of the checks is a choice).
#[derive(Debug)]
pub(crate) struct Create {
    /// The identifiers sent.
    pub(crate) device: Device,
    /// Whether one of them ends in 9: Telefónica's mock takes that for a conflict.
    pub(crate) ends_in_9: bool,
    /// The server's subnets.
    pub(crate) servers: Vec<IpNet>,
    /// Ports on the device.
    pub(crate) device_ports: PortSet,
    /// Ports on the server.
    pub(crate) server_ports: PortSet,
    /// The profile's name.
    pub(crate) profile: String,
    /// The duration, if sent.
    pub(crate) duration: Option<i64>,
    /// The callback URL, if sent.
    pub(crate) callback: Option<Private<String>>,
    /// The token to send along with notifications.
    pub(crate) callback_token: Option<Private<String>>,
    /// Whether the callback's token has a length that is allowed (20 to 256).
    pub(crate) callback_token_fits: bool,
    /// What answers repeat: the request's own fields, without the callback's token.
    pub(crate) echo: Private<Map<String, Value>>,
}

/// Reads the body of `createSession`.
pub(crate) fn create(body: &[u8]) -> Result<Create, Problem> {
    let body: Value = serde_json::from_slice(body).map_err(|_| violation("the body"))?;
    let object = Object::body(&body)?;
    // Ports outside their range are reported only when all else agrees with the schema, since they have a code of their own.
    let mut ports = PortProblem(None);
    let (device, ends_in_9) = device(&object, &mut ports)?;
    let servers = servers(&object)?;
    let profile = object.text("qosProfile")?.ok_or_else(|| object.missing("qosProfile"))?;
    if !profile_name(profile) {
        return Err(violation("qosProfile"));
    }
    let device_ports = port_set(&object, "devicePorts", &mut ports)?;
    let server_ports = port_set(&object, "applicationServerPorts", &mut ports)?;
    let duration = object.integer("duration")?;
    let (mut callback, mut callback_token, mut callback_token_fits) = (None, None, true);
    if let Some(webhook) = object.object("webhook")? {
        let url: Url = webhook.parsed("notificationUrl")?.ok_or_else(|| webhook.missing("notificationUrl"))?;
        callback = Some(Private::new(url.to_string()));
        let token = webhook.text("notificationAuthToken")?;
        callback_token_fits = token.is_none_or(|token| (20..=256).contains(&token.chars().count()));
        callback_token = token.map(Private::from);
    }
    if let Some(problem) = ports.0 {
        return Err(problem);
    }
    let echo = Private::new(echo(&body));
    let profile = profile.to_owned();
    Ok(Create {
        device,
        ends_in_9,
        servers,
        device_ports,
        server_ports,
        profile,
        duration,
        callback,
        callback_token,
        callback_token_fits,
        echo,
    })
}

/// Reads the body of `extendQosSessionDuration`: the additional seconds.
pub(crate) fn extend(body: &[u8]) -> Result<i64, Problem> {
    let body: Value = serde_json::from_slice(body).map_err(|_| violation("the body"))?;
    let object = Object::body(&body)?;
    let field = "requestedAdditionalDuration";
    let seconds = object.integer(field)?.ok_or_else(|| object.missing(field))?;
    if (1..MAX_DURATION).contains(&seconds) { Ok(seconds) } else { Err(violation(field)) }
}

/// Reads a session id: a UUID in its usual form.
pub(crate) fn session_id(text: &str) -> Result<Uuid, Problem> {
    // The parser also takes the forms without hyphens, in braces, and as a URN; `format: uuid` does not.
    let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
    uuid.ok_or_else(|| violation("sessionId"))
}

/// Whether `name` is a name that a profile can have (`QosProfileName`).
pub(crate) fn profile_name(name: &str) -> bool {
    (3..=256).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn device(body: &Object<'_>, ports: &mut PortProblem) -> Result<(Device, bool), Problem> {
    let device = body.object("device")?.ok_or_else(|| body.missing("device"))?;
    if !device.any(&["phoneNumber", "networkAccessIdentifier", "ipv4Address", "ipv6Address"]) {
        return Err(Problem::new(Fault::Invalid, "Insufficient properties specified: device"));
    }
    let mut identifiers = Vec::new();
    let mut ends_in_9 = false;
    let mut note = |text: &str| ends_in_9 |= text.ends_with('9');
    if let Some(number) = device.text("phoneNumber")? {
        let digits = number.strip_prefix('+').unwrap_or(number);
        if !(5..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(violation("device.phoneNumber"));
        }
        note(digits);
        identifiers.push(Identifier::phone(number));
    }
    if let Some(identifier) = device.text("networkAccessIdentifier")? {
        note(identifier);
        identifiers.push(Identifier::network_access(identifier));
    }
    if let Some(ipv4) = device.object("ipv4Address")? {
        let public: Ipv4Addr = ipv4.parsed("publicAddress")?.ok_or_else(|| ipv4.missing("publicAddress"))?;
        let private: Option<Ipv4Addr> = ipv4.parsed("privateAddress")?;
        let port = ipv4.integer("publicPort")?;
        if private.is_none() && port.is_none() {
            return Err(violation("device.ipv4Address"));
        }
        note(&public.to_string());
        identifiers.extend(private.map(|private| Identifier::Ipv4Private(public, private)));
        if let Some(port) = port {
            match u16::try_from(port) {
                Ok(port) => identifiers.push(Identifier::Ipv4Port(public, port)),
                Err(_) => ports.note("Invalid port value specified: device.ipv4Address.publicPort"),
            }
        }
    }
    if let Some(text) = device.text("ipv6Address")? {
        let address: Ipv6Addr = text.parse().map_err(|_| violation("device.ipv6Address"))?;
        note(text);
        identifiers.push(Identifier::ipv6(address));
    }
    Ok((Device::new(identifiers), ends_in_9))
}

fn servers(body: &Object<'_>) -> Result<Vec<IpNet>, Problem> {
    let server = body.object("applicationServer")?.ok_or_else(|| body.missing("applicationServer"))?;
    // A subnet, or a single address.
    let v4 =
        server.text("ipv4Address")?.map(|text| text.parse::<Ipv4Net>().or_else(|_| text.parse::<Ipv4Addr>().map(Ipv4Net::from)));
    let v6 =
        server.text("ipv6Address")?.map(|text| text.parse::<Ipv6Net>().or_else(|_| text.parse::<Ipv6Addr>().map(Ipv6Net::from)));
    let v4 = v4.transpose().map_err(|_| violation("applicationServer.ipv4Address"))?;
    let v6 = v6.transpose().map_err(|_| violation("applicationServer.ipv6Address"))?;
    let servers: Vec<IpNet> = v4.map(|net| net.trunc().into()).into_iter().chain(v6.map(|net| net.trunc().into())).collect();
    if servers.is_empty() {
        return Err(Problem::new(Fault::Invalid, "Insufficient properties specified: applicationServer"));
    }
    Ok(servers)
}

/// The first port outside its range.
struct PortProblem(Option<Problem>);

impl PortProblem {
    fn note(&mut self, message: &str) {
        self.0.get_or_insert_with(|| Problem::new(Fault::OutOfRange, message));
    }
}

fn port_set(body: &Object<'_>, field: &str, problem: &mut PortProblem) -> Result<PortSet, Problem> {
    let Some(spec) = body.object(field)? else {
        return Ok(PortSet::ALL);
    };
    if spec.empty() {
        return Err(Problem::new(Fault::Invalid, format!("Insufficient properties specified: {field}")));
    }
    let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
    for (index, element) in spec.array("ranges")?.unwrap_or_default().iter().enumerate() {
        let range = spec.element("ranges", index, element)?;
        let from = range.integer("from")?.ok_or_else(|| range.missing("from"))?;
        let to = range.integer("to")?.ok_or_else(|| range.missing("to"))?;
        match (u16::try_from(from), u16::try_from(to)) {
            (Ok(from), Ok(to)) if from <= to => ranges.push(from..=to),
            _ => problem.note(&format!("Invalid port ranges specified: {field}")),
        }
    }
    for (index, element) in spec.array("ports")?.unwrap_or_default().iter().enumerate() {
        let port = integer(element).ok_or_else(|| violation(&format!("{field}.ports[{index}]")))?;
        match u16::try_from(port) {
            Ok(port) => ranges.push(port..=port),
            Err(_) => problem.note(&format!("Invalid port value specified: {field}")),
        }
    }
    // Only properties that the schema does not know: no restriction is expressed.
    Ok(if spec.any(&["ranges", "ports"]) { PortSet::of(ranges) } else { PortSet::ALL })
}

fn echo(body: &Value) -> Map<String, Value> {
    let repeated = ["device", "applicationServer", "devicePorts", "applicationServerPorts", "qosProfile", "webhook"];
    let fields = repeated.iter().filter_map(|name| body.get(*name).map(|value| ((*name).to_owned(), value.clone())));
    let mut echo: Map<String, Value> = fields.collect();
    if let Some(webhook) = echo.get_mut("webhook").and_then(Value::as_object_mut) {
        webhook.remove("notificationAuthToken");
    }
    echo
}

/// A session as `SessionInfo`.
pub(crate) fn session_info(session: &Session, settings: &Settings) -> Value {
    let status = match session.state {
        State::Requested(_) => "REQUESTED",
        State::Available => "AVAILABLE",
        State::Retained(_) | State::Over(_) => "UNAVAILABLE",
    };
    info(session.order.echo.expose().clone(), session.id, session.duration, session.created, status, settings)
}

/// `SessionInfo` of these values; `echo` are the fields that come from the request.
pub(crate) fn info(
    mut echo: Map<String, Value>,
    id: Uuid,
    duration: i64,
    started: Timestamp,
    status: &str,
    settings: &Settings,
) -> Value {
    let started = seconds_later(started, settings.clock_skew_seconds).as_second();
    echo.insert("sessionId".to_owned(), json!(id));
    echo.insert("duration".to_owned(), json!(duration));
    echo.insert("startedAt".to_owned(), json!(started));
    echo.insert("expiresAt".to_owned(), json!(started.saturating_add(duration)));
    echo.insert("qosStatus".to_owned(), json!(status));
    Value::Object(echo)
}

/// A profile as `QosProfile`: in Telefónica's document that is only its name.
pub(crate) fn profile(profile: &Profile, settings: &Settings) -> Value {
    let names = match settings.profile_bodies {
        ProfileBodies::Documented => settings.flavour == Flavour::Telefonica,
        ProfileBodies::Names => true,
        ProfileBodies::Objects => false,
    };
    if names {
        return json!(profile.name);
    }
    let mut body = json!({"name": profile.name, "status": profile.status});
    if let Some(min) = profile.min_duration_seconds {
        body["minDuration"] = duration(min);
    }
    if let Some(max) = profile.max_duration_seconds {
        body["maxDuration"] = duration(max);
    }
    body
}

/// A duration in the largest unit that expresses it.
fn duration(seconds: i64) -> Value {
    let units = [(86_400, "Days"), (3600, "Hours"), (60, "Minutes")];
    let whole = units.into_iter().find(|(size, _)| seconds >= *size && seconds % size == 0);
    let (size, unit) = whole.unwrap_or((1, "Seconds"));
    json!({"value": seconds / size, "unit": unit})
}

/// Status and body of a refusal.
pub(crate) fn problem(problem: &Problem, operation: Operation, flavour: Flavour) -> (u16, Value) {
    let telefonica = flavour == Flavour::Telefonica;
    let (status, code) = match problem.fault {
        Fault::Invalid if telefonica && !matches!(operation, Operation::Create | Operation::Extend) => (400, "INVALID_INPUT"),
        Fault::Invalid => (400, "INVALID_ARGUMENT"),
        Fault::OutOfRange => (400, "OUT_OF_RANGE"),
        Fault::Unauthenticated if telefonica => (401, "UNAUTHORIZED"),
        Fault::Unauthenticated => (401, "UNAUTHENTICATED"),
        Fault::PermissionDenied if telefonica => (403, "FORBIDDEN"),
        Fault::PermissionDenied => (403, "PERMISSION_DENIED"),
        Fault::NotFound => (404, "NOT_FOUND"),
        Fault::Conflict => (409, "CONFLICT"),
        Fault::Unavailable if telefonica => (503, "SERVICE_UNAVAILABLE"),
        Fault::Unavailable => (503, "UNAVAILABLE"),
    };
    (status, error_info(status, code, &problem.message, flavour))
}

/// `ErrorInfo`: Telefónica's has no `status`.
pub(crate) fn error_info(status: u16, code: &str, message: &str, flavour: Flavour) -> Value {
    match flavour {
        Flavour::Telefonica => json!({"code": code, "message": message}),
        Flavour::Camara => json!({"status": status, "code": code, "message": message}),
    }
}
