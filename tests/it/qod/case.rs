//! Between the vectors' words and the client's types.

use k8s_openapi::jiff::Timestamp;
use qos_operator::private::Private;
use qos_operator::qod::{
    ApplicationServer, Callback, CallbackField, CreateSession, Device, DeviceInRequest, DeviceIpv4, Fault, FaultClass, Field,
    Flip, Flow, Generation, Legs, Operation, PortRange, PortsSpec, ProfileFilter, ProfileStatus, QosProfile, QosStatus, Reason,
    SessionInfo, StatusInfo, device_in_request,
};
use serde_json::{Map, Value, json};

/// The operation that a vector names.
pub(super) fn operation(name: &str) -> Operation {
    match name {
        "create" => Operation::CreateSession,
        "get" => Operation::GetSession,
        "delete" => Operation::DeleteSession,
        "extend" => Operation::ExtendQosSessionDuration,
        "retrieveSessions" => Operation::RetrieveSessions,
        "listProfiles" => Operation::GetQosProfiles,
        "getProfile" => Operation::GetQosProfile,
        "retrieveProfiles" => Operation::RetrieveQosProfiles,
        other => panic!("no operation {other}"),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The device that a vector names. What the model's types cannot hold is refused where a text becomes a value of the model, so
/// before any request: that counts as not expressible.
pub(crate) fn device(value: &Value) -> Result<Device, Fault> {
    let address = |value: &Value, why| match value.as_str() {
        None => Ok(None),
        Some(text) => {
            text.parse().map(|address| Some(Private::new(address))).map_err(|_| Fault::not_expressible(Field::Device, why))
        }
    };
    let ipv4 = &value["ipv4Address"];
    Ok(Device {
        phone_number: text(&value["phoneNumber"]).map(Private::new),
        network_access_identifier: text(&value["networkAccessIdentifier"]).map(Private::new),
        ipv4_address: match address(&ipv4["publicAddress"], "an IPv4 address")? {
            None => None,
            Some(public_address) => Some(DeviceIpv4 {
                public_address,
                private_address: address(&ipv4["privateAddress"], "an IPv4 address")?,
                public_port: ipv4["publicPort"].as_u64().map(|port| port.try_into().unwrap()),
            }),
        },
        ipv6_address: match value["ipv6Address"].as_str() {
            None => None,
            Some(text) => Some(Private::new(text.parse().map_err(|_| Fault::not_expressible(Field::Device, "an IPv6 address"))?)),
        },
    })
}

fn server(value: &Value) -> ApplicationServer {
    ApplicationServer {
        ipv4_address: text(&value["ipv4Address"]),
        ipv6_address: text(&value["ipv6Address"]),
        ip_addresses: value["ipAddresses"].as_array().into_iter().flatten().filter_map(text).collect(),
    }
}

fn port(value: &Value) -> u16 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn ports(value: &Value) -> Option<PortsSpec> {
    value.as_object()?;
    let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
    Some(PortsSpec {
        ports: list("ports").iter().map(port).collect(),
        ranges: list("ranges").iter().map(|range| PortRange { from: port(&range["from"]), to: port(&range["to"]) }).collect(),
    })
}

pub(super) fn flow(value: &Value) -> Flow {
    Flow {
        device: device(&value["device"]).unwrap(),
        application_server: server(&value["applicationServer"]),
        device_ports: ports(&value["devicePorts"]),
        application_server_ports: ports(&value["applicationServerPorts"]),
        qos_profile: text(&value["qosProfile"]).unwrap(),
    }
}

/// The device that the request is to name, by the vector's setting and legs.
pub(super) fn device_sent(input: &Value, generation: Generation) -> Result<Option<Device>, Fault> {
    let setting = match input["settings"]["deviceInRequest"].as_str() {
        None | Some("Auto") => DeviceInRequest::Auto,
        Some("Always") => DeviceInRequest::Always,
        Some("Never") => DeviceInRequest::Never,
        Some(other) => panic!("there is no deviceInRequest {other}"),
    };
    let legs = if input["legs"] == 3 { Legs::Three } else { Legs::Two };
    let wanted = &input["desired"]["device"];
    // A look-up of profiles by a two-legged token may be for no device in particular.
    if wanted.is_null() && input["operation"] != "create" || !device_in_request(setting, generation, legs) {
        return Ok(None);
    }
    device(wanted).map(Some)
}

pub(super) fn callback_field(settings: &Value) -> CallbackField {
    match settings["callbackField"].as_str() {
        None | Some("Auto") => CallbackField::Auto,
        Some("Webhook") => CallbackField::Webhook,
        Some("Sink") => CallbackField::Sink,
        Some(other) => panic!("there is no callbackField {other}"),
    }
}

pub(super) fn create(input: &Value, generation: Generation) -> Result<CreateSession, Fault> {
    let (desired, callback) = (&input["desired"], &input["callback"]);
    Ok(CreateSession {
        device: device_sent(input, generation)?,
        application_server: server(&desired["applicationServer"]),
        device_ports: ports(&desired["devicePorts"]),
        application_server_ports: ports(&desired["applicationServerPorts"]),
        qos_profile: text(&desired["qosProfile"]).unwrap_or_default(),
        duration_seconds: desired["durationSeconds"].as_i64().ok_or(Fault::not_expressible(Field::Duration, "always sent"))?,
        callback: callback.as_object().map(|_| Callback {
            url: Private::new(text(&callback["url"]).unwrap()),
            token: Private::new(text(&callback["token"]).unwrap_or_default()),
            token_expires: callback["tokenExpires"].as_str().map(|time| time.parse().unwrap()),
        }),
    })
}

pub(super) fn filter(value: &Value) -> ProfileFilter {
    ProfileFilter { name: text(&value["name"]), status: text(&value["status"]).map(ProfileStatus::from) }
}

/// A fault in the vectors' words.
pub(super) fn fault(fault: &Fault) -> Value {
    let mut out = json!({ "code": fault.code, "retryAfterSeconds": fault.retry_after.map(|wait| wait.as_secs()) });
    out["class"] = match fault.class {
        FaultClass::NotExpressible { field, .. } => {
            return json!({ "notExpressible": field.as_str() });
        }
        FaultClass::Refused(reason) => {
            let (reason, flip) = match reason {
                Reason::Invalid => ("invalid", None),
                Reason::Duration => ("duration", None),
                Reason::Profile => ("profile", None),
                Reason::Device => ("device", None),
                Reason::Identifier { flip } => ("identifier", Some(flip)),
                Reason::Callback => ("callback", None),
                Reason::State => ("state", None),
                Reason::Credentials => ("credentials", None),
                Reason::Permission => ("permission", None),
                Reason::Quota => ("quota", None),
                Reason::Consent => ("consent", None),
            };
            out["reason"] = reason.into();
            if let Some(flip) = flip {
                out["flip"] = json!(flip.map(|flip| match flip {
                    Flip::SendDevice => "sendDevice",
                    Flip::OmitDevice => "omitDevice",
                }));
            }
            "Refused"
        }
        class => class.name(),
    }
    .into();
    out
}

pub(super) fn session(info: &SessionInfo) -> Value {
    let second = |time: Option<Timestamp>| time.map(|time| Timestamp::from_second(time.as_second()).unwrap().to_string());
    json!({
        "id": info.session_id.as_str(),
        "qosStatus": info.qos_status.as_ref().map(|status| match status {
            QosStatus::Unknown(word) => json!({ "unknown": word }),
            known => json!(known.as_str()),
        }),
        "statusInfo": info.status_info.as_ref().map(|info| match info {
            StatusInfo::Unknown(word) => json!({ "unknown": word }),
            known => json!(known.as_str()),
        }),
        "startedAt": second(info.started_at),
        "expiresAt": second(info.expires_at),
        "grantedDuration": info.granted_duration,
        "callback": info.callback.as_ref().map(Private::expose),
    })
}

pub(super) fn profile(profile: &QosProfile) -> Value {
    json!({
        "name": profile.name,
        "status": match &profile.status {
            ProfileStatus::Unknown(word) => json!({ "unknown": word }),
            known => json!(known.as_str()),
        },
        "usableForNewSession": profile.usable_for_new_session(),
        "minDurationSeconds": profile.min_duration_seconds,
        "maxDurationSeconds": profile.max_duration_seconds,
        "targetMinUpstreamRateBps": profile.target_min_upstream_rate,
        "maxUpstreamRateBps": profile.max_upstream_rate,
        "maxUpstreamBurstRateBps": profile.max_upstream_burst_rate,
        "targetMinDownstreamRateBps": profile.target_min_downstream_rate,
        "maxDownstreamRateBps": profile.max_downstream_rate,
        "maxDownstreamBurstRateBps": profile.max_downstream_burst_rate,
        "packetDelayBudgetSeconds": profile.packet_delay_budget.map(|delay| delay.as_secs_f64()),
        "jitterSeconds": profile.jitter.map(|jitter| jitter.as_secs_f64()),
        "priority": profile.priority,
        "packetErrorLossRate": profile.packet_error_loss_rate,
    })
}

/// Whether `actual` holds what `expected` says, key by key; a key that `actual` does not have is a difference, so that no
/// expectation is passed over.
pub(crate) fn holds(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected_holds(actual, expected),
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len() && actual.iter().zip(expected).all(|(actual, expected)| holds(actual, expected))
        }
        (actual, expected) => actual == expected,
    }
}

fn expected_holds(actual: &Map<String, Value>, expected: &Map<String, Value>) -> bool {
    expected
        .iter()
        .filter(|(key, _)| *key != "why")
        .all(|(key, value)| actual.get(key).is_some_and(|actual| holds(actual, value)))
}
