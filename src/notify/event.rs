//! The events, each generation's form.

use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::private::Private;
use crate::qod::wire::lenient::{Time, Word};
use crate::qod::{QosStatus, SessionId, StatusInfo};

/// The longest session id that is taken, as in the provider's answers.
const LONGEST_ID: usize = 512;

/// What a notification says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The session that it speaks of.
    pub session_id: SessionId,
    /// The session's status when it was sent.
    pub qos_status: QosStatus,
    /// Why it is UNAVAILABLE, where that was said.
    pub status_info: Option<StatusInfo>,
    /// The event's own name; none in version 0.8, optional in 0.9. A text of the provider's, so not to be printed.
    pub event_id: Option<Private<String>>,
    /// Within which `event_id` is unique: a CloudEvent's `source`. A text of the provider's, so not to be printed.
    pub source: Option<Private<String>>,
    /// When it came to be, by the provider's clock; none in version 0.8.
    pub time: Option<Timestamp>,
}

/// Why a body holds no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEvent {
    /// No JSON, none of the forms, or without a required field.
    Malformed,
    /// One of the forms, with an event that is none of a QoD session's.
    OtherType,
}

/// `data` of a CloudEvent, `eventDetail` of version 0.9 (`EventQosStatusChanged`, `QosStatusChangedEventDetail`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    session_id: String,
    qos_status: Word,
    #[serde(default)]
    status_info: Option<Value>,
}

/// Version 0.9's `Event`, less `eventType`. That and `eventTime` are required there, but the reference implementation of it sends
/// neither.
#[derive(Deserialize)]
struct V0_9 {
    #[serde(rename = "eventId")]
    id: Option<String>,
    #[serde(rename = "eventTime")]
    time: Option<Value>,
    #[serde(rename = "eventDetail")]
    detail: Detail,
}

/// Version 0.8's `Notification`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V0_8 {
    session_id: String,
    event: Word,
}

/// A CloudEvent in structured mode (CloudEvents 1.0 section 3.1 for what is required; `time` is so in CAMARA only).
#[derive(Deserialize)]
struct CloudEvent {
    id: String,
    source: String,
    specversion: String,
    r#type: String,
    time: Option<Value>,
    data: Value,
}

impl Event {
    /// The event in `body`, in whichever form it is. How deep the JSON may nest is bounded by the parser, how long it may be by the
    /// caller.
    pub fn parse(body: &[u8]) -> Result<Self, NoEvent> {
        let value: Value = serde_json::from_slice(body).map_err(|_| NoEvent::Malformed)?;
        let object = value.as_object().ok_or(NoEvent::Malformed)?;
        // Version 0.9's schema has the wrapper `event`, its official example does not.
        if object.contains_key("eventDetail") {
            return v0_9(&value);
        }
        match object.get("event") {
            Some(Value::String(_)) => v0_8(&value),
            Some(wrapped) => v0_9(wrapped),
            None => cloud_event(&value),
        }
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, NoEvent> {
    T::deserialize(value).map_err(|_| NoEvent::Malformed)
}

fn session_id(id: String) -> Result<SessionId, NoEvent> {
    let usable = !id.is_empty() && id.len() <= LONGEST_ID && !id.chars().any(char::is_control);
    if usable { Ok(SessionId::new(id)) } else { Err(NoEvent::Malformed) }
}

/// A time in any of the spellings of the provider's answers; anything else is none, since nothing hangs on it.
fn time(value: Option<Value>) -> Option<Timestamp> {
    value.and_then(|value| Time::deserialize(value).ok()).map(|time| time.0)
}

fn of_detail(detail: Detail) -> Result<Event, NoEvent> {
    let info = detail.status_info.and_then(|info| Word::deserialize(info).ok());
    Ok(Event {
        session_id: session_id(detail.session_id)?,
        qos_status: QosStatus::from(detail.qos_status.0),
        status_info: info.map(|word| StatusInfo::from(word.0)),
        event_id: None,
        source: None,
        time: None,
    })
}

fn v0_8(value: &Value) -> Result<Event, NoEvent> {
    let V0_8 { session_id: id, event } = read(value)?;
    if event.0 != "SESSION_TERMINATED" {
        return Err(NoEvent::OtherType);
    }
    let session_id = session_id(id)?;
    Ok(Event { session_id, qos_status: QosStatus::Unavailable, status_info: None, event_id: None, source: None, time: None })
}

fn v0_9(value: &Value) -> Result<Event, NoEvent> {
    let other = |word: &str| word != "QOS_STATUS_CHANGED";
    if value["eventType"].as_str().is_some_and(other) {
        return Err(NoEvent::OtherType);
    }
    let V0_9 { id, time: at, detail } = read(value)?;
    let event_id = id.filter(|id| !id.is_empty()).map(Private::new);
    Ok(Event { event_id, time: time(at), ..of_detail(detail)? })
}

fn cloud_event(value: &Value) -> Result<Event, NoEvent> {
    let CloudEvent { id, source, specversion, r#type, time: at, data } = read(value)?;
    if id.is_empty() || source.is_empty() || specversion != "1.0" {
        return Err(NoEvent::Malformed);
    }
    if !is_status_change(&r#type) {
        return Err(NoEvent::OtherType);
    }
    let (event_id, source) = (Some(Private::new(id)), Some(Private::new(source)));
    Ok(Event { event_id, source, time: time(at), ..of_detail(read(&data)?)? })
}

/// `org.camaraproject.qod.v0.qos-status-changed` (0.10), `org.camaraproject.quality-on-demand.v0...` (0.11) and `v1` (since 1.0), or
/// any mixture of them: CAMARA's own test definitions name other types than its API documents.
fn is_status_change(kind: &str) -> bool {
    let api = kind.strip_prefix("org.camaraproject.").and_then(|rest| rest.strip_suffix(".qos-status-changed"));
    let version = api.and_then(|api| api.strip_prefix("qod.v").or_else(|| api.strip_prefix("quality-on-demand.v")));
    version.is_some_and(|version| {
        !version.is_empty() && version.len() <= 16 && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: &Value) -> Result<Event, NoEvent> {
        Event::parse(value.to_string().as_bytes())
    }

    fn cloud(change: &Value) -> Value {
        let mut event = json!({
            "id": "e-1", "source": "https://api.example.com/sessions/s-1", "specversion": "1.0",
            "type": "org.camaraproject.quality-on-demand.v1.qos-status-changed", "time": "2026-01-02T03:10:00Z",
            "data": {"sessionId": "s-1", "qosStatus": "UNAVAILABLE", "statusInfo": "NETWORK_TERMINATED"},
        });
        for (key, value) in change.as_object().unwrap() {
            event[key] = value.clone();
        }
        event
    }

    #[test]
    fn a_cloud_event_without_what_cloud_events_require_is_malformed() {
        assert!(parse(&cloud(&json!({}))).is_ok());
        for missing in ["id", "source", "specversion", "type", "data"] {
            let mut event = cloud(&json!({}));
            event.as_object_mut().unwrap().remove(missing);
            assert_eq!(parse(&event), Err(NoEvent::Malformed), "{missing}");
        }
        for wrong in [json!({"id": ""}), json!({"id": 7}), json!({"specversion": "0.3"}), json!({"data": null})] {
            assert_eq!(parse(&cloud(&wrong)), Err(NoEvent::Malformed), "{wrong}");
        }
        for data in
            [json!({"qosStatus": "AVAILABLE"}), json!({"sessionId": "", "qosStatus": "AVAILABLE"}), json!({"sessionId": "s"})]
        {
            assert_eq!(parse(&cloud(&json!({"data": data}))), Err(NoEvent::Malformed), "{data}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_read_does_not_lose_the_event() {
        for time in [json!(null), json!("soon"), json!({})] {
            assert_eq!(parse(&cloud(&json!({"time": time}))).unwrap().time, None);
        }
    }

    #[test]
    fn words_that_no_generation_has_are_kept_and_prose_is_not() {
        let data =
            |status: &str, info: &str| cloud(&json!({"data": {"sessionId": "s-1", "qosStatus": status, "statusInfo": info}}));
        let event = parse(&data("DEGRADED", "CELL_CHANGED")).unwrap();
        assert_eq!(event.qos_status, QosStatus::Unknown("DEGRADED".into()));
        assert_eq!(event.status_info, Some(StatusInfo::Unknown("CELL_CHANGED".into())));
        assert_eq!(parse(&data("AVAILABLE", "call +447700900123")).unwrap().status_info, None);
        assert_eq!(parse(&data("call +447700900123", "x")), Err(NoEvent::Malformed));
    }

    #[test]
    fn only_status_changes_of_the_qod_api_are_taken_and_each_version_of_them() {
        for version in ["qod.v0", "qod.v1", "quality-on-demand.v0", "quality-on-demand.v1", "quality-on-demand.v1rc3"] {
            assert!(is_status_change(&format!("org.camaraproject.{version}.qos-status-changed")), "{version}");
        }
        for other in ["qod", "qod.v", "qod-provisioning.v0", "qos-booking.v0", "qod.v0.x y"] {
            assert!(!is_status_change(&format!("org.camaraproject.{other}.qos-status-changed")), "{other}");
        }
    }

    #[test]
    fn version_0_9_is_read_wrapped_and_flat_and_without_what_its_reference_implementation_leaves_out() {
        let detail = json!({"eventDetail": {"sessionId": "s-1", "qosStatus": "AVAILABLE"}});
        let flat = parse(&detail).unwrap();
        assert_eq!(parse(&json!({ "event": detail })).unwrap(), flat);
        assert_eq!((flat.qos_status, flat.event_id, flat.time), (QosStatus::Available, None, None));
    }

    #[test]
    fn version_0_8_says_only_that_a_session_has_ended() {
        let event = parse(&json!({"sessionId": "s-1", "event": "SESSION_TERMINATED"})).unwrap();
        assert_eq!((event.qos_status, event.time), (QosStatus::Unavailable, None));
        assert_eq!(parse(&json!({"sessionId": "s-1", "event": "SESSION_STARTED"})), Err(NoEvent::OtherType));
        assert_eq!(parse(&json!({"event": "SESSION_TERMINATED"})), Err(NoEvent::Malformed));
    }

    #[test]
    fn json_that_nests_without_end_is_malformed() {
        let deep = format!("{{\"data\":{}", "[".repeat(100_000));
        assert_eq!(Event::parse(deep.as_bytes()), Err(NoEvent::Malformed));
    }

    #[test]
    fn the_providers_free_texts_are_not_printed() {
        let event = parse(&cloud(&json!({"id": "+447700900123", "source": "/+447700900124"}))).unwrap();
        assert!(!format!("{event:?}").contains("4477009001"));
    }
}
