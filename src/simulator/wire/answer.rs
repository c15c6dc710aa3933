//! Sessions and profiles as answers tell them. What differs between generations is in [`AnswerForm`].

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Wire;
use super::callback::{CallbackForm, callback_fields};
use crate::simulator::generation::Generation;
use crate::simulator::session::{End, Session, State, seconds_later};
use crate::simulator::settings::{Flavour, Profile, ProfileBodies, Quirk, Settings};

/// The form of answers.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) struct AnswerForm {
    /// What a session's id is called.
    pub(super) id: &'static str,
    /// Whether a session has a status.
    pub(super) status: bool,
    /// Whether times are RFC 3339, absent while REQUESTED, and `statusInfo` is told; before, times are epoch seconds and always there.
    pub(super) rfc3339: bool,
    /// Whether `device` has one identifier only.
    pub(in crate::simulator) one_identifier: bool,
    /// The most sessions in a list.
    pub(in crate::simulator) list_limit: Option<usize>,
}

/// What an answer says of a session beside what it repeats of the request.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) struct Facts {
    /// The session.
    pub(in crate::simulator) id: Uuid,
    /// `duration`
    pub(in crate::simulator) duration: i64,
    /// `startedAt`
    pub(in crate::simulator) started: Option<Timestamp>,
    /// `expiresAt`
    pub(in crate::simulator) expires: Option<Timestamp>,
    /// `qosStatus`
    pub(in crate::simulator) status: &'static str,
    /// `statusInfo`
    pub(in crate::simulator) info: Option<&'static str>,
}

/// A session as `SessionInfo`.
pub(in crate::simulator) fn session_info(wire: &Wire, session: &Session, settings: &Settings) -> Value {
    let requested = matches!(session.state, State::Requested(_));
    let status = match session.state {
        State::Requested(_) => "REQUESTED",
        State::Available => "AVAILABLE",
        State::Retained(_) | State::Over(_) => "UNAVAILABLE",
    };
    let times = !wire.answer.rfc3339 || !requested || settings.has(Quirk::RequestedTimes);
    let mut facts = Facts {
        id: session.id,
        duration: session.duration,
        started: session.started().or(requested.then_some(session.created)).filter(|_| times),
        expires: times.then(|| session.expires()),
        status,
        info: None,
    };
    if let Some((at, how)) = session.ended.filter(|_| wire.answer.rfc3339) {
        // 0.11+: the effective duration, and the moment it ended.
        facts.duration = session.effective();
        facts.expires = Some(at);
        facts.info = match how {
            End::Deleted => Some("DELETE_REQUESTED"),
            End::DurationExpired => Some("DURATION_EXPIRED"),
            End::NetworkTerminated => Some("NETWORK_TERMINATED"),
            End::Lost => None,
        };
    }
    info(wire, session.order.echo.expose().clone(), facts, settings)
}

/// `SessionInfo` of these values; `echo` are the fields that come from the request.
pub(in crate::simulator) fn info(wire: &Wire, mut echo: Map<String, Value>, facts: Facts, settings: &Settings) -> Value {
    let form = &wire.answer;
    if !settings.has(Quirk::SecretsEchoed) {
        hide_secrets(wire, &mut echo, settings);
    }
    let text = form.rfc3339 != settings.has(if form.rfc3339 { Quirk::EpochTimes } else { Quirk::TextTimes });
    let number = |number: i64| if settings.has(Quirk::TextNumbers) { json!(number.to_string()) } else { json!(number) };
    let time = |at: Timestamp| {
        let at = seconds_later(at, settings.clock_skew_seconds);
        if text { json!(at.to_string()) } else { number(at.as_second()) }
    };
    echo.insert(form.id.to_owned(), json!(facts.id));
    echo.insert("duration".to_owned(), number(facts.duration));
    let odd = settings.has(Quirk::UnknownValues);
    let status = json!(if odd { "PENDING" } else { facts.status });
    let status_info = facts.info.filter(|_| form.rfc3339).map(|info| json!(if odd { "OUT_OF_COVERAGE" } else { info }));
    let optional = [
        ("startedAt", facts.started.map(time)),
        ("expiresAt", facts.expires.map(time)),
        ("qosStatus", (form.status && !settings.has(Quirk::MissingStatus)).then_some(status)),
        ("statusInfo", status_info),
    ];
    for (name, value) in optional {
        match value {
            Some(value) => drop(echo.insert(name.to_owned(), value)),
            None if settings.has(Quirk::Nulls) => drop(echo.insert(name.to_owned(), Value::Null)),
            None => {}
        }
    }
    if settings.has(Quirk::UnknownFields) {
        echo.insert("xProviderSlice".to_owned(), json!({"sst": 1, "labels": ["a", null]}));
    }
    Value::Object(echo)
}

/// Leaves out what an answer must not, or need not, repeat of the callback.
fn hide_secrets(wire: &Wire, echo: &mut Map<String, Value>, settings: &Settings) {
    let form = wire.request.callback;
    let (_, secret) = callback_fields(form);
    if form == CallbackForm::Webhook {
        if let Some(webhook) = echo.get_mut("webhook").and_then(Value::as_object_mut) {
            webhook.remove(secret);
        }
        return;
    }
    let credential = echo.remove(secret);
    if let (true, Some(mut credential)) = (settings.echo_sink_credential && secret == "sinkCredential", credential) {
        if let Some(fields) = credential.as_object_mut().filter(|_| form == CallbackForm::KeySink) {
            // writeOnly in 1.2-rc.
            fields.retain(|name, _| !["accessToken", "accessTokenType", "clientId", "tokenUri"].contains(&name.as_str()));
        }
        echo.insert(secret.to_owned(), credential);
    }
}

/// A profile as `QosProfile`: in Telefónica's document of 0.10 that is only its name.
pub(in crate::simulator) fn profile(wire: &Wire, profile: &Profile, settings: &Settings) -> Value {
    let names = match settings.profile_bodies {
        ProfileBodies::Documented => wire.dialect.flavour == Flavour::Telefonica && wire.generation() <= Generation::V0_10,
        ProfileBodies::Names => true,
        ProfileBodies::Objects => false,
    };
    if names {
        return json!(profile.name);
    }
    let mut body = settings.profile_details.get(&profile.name).cloned().unwrap_or_default();
    body.insert("name".to_owned(), json!(profile.name));
    let status = if settings.has(Quirk::UnknownValues) { json!("RETIRED") } else { json!(profile.status) };
    body.insert("status".to_owned(), status);
    for (name, seconds) in [("minDuration", profile.min_duration_seconds), ("maxDuration", profile.max_duration_seconds)] {
        if let Some(seconds) = seconds {
            body.insert(name.to_owned(), duration(seconds));
        }
    }
    Value::Object(body)
}

/// A duration in the largest unit that expresses it.
fn duration(seconds: i64) -> Value {
    let units = [(86_400, "Days"), (3600, "Hours"), (60, "Minutes")];
    let whole = units.into_iter().find(|(size, _)| seconds >= *size && seconds % size == 0);
    let (size, unit) = whole.unwrap_or((1, "Seconds"));
    json!({"value": seconds / size, "unit": unit})
}
