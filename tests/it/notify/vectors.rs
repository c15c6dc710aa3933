//! Runs the vectors of kind `notification` through the receiver's core.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use axum::http::{HeaderMap, Method};
use k8s_openapi::jiff::Timestamp;
use qos_operator::notify::{Attempt, Class, Effect, Event, Request, Seen, Standing, Target, Verdict, judge};
use qos_operator::private::Private;
use qos_operator::qod::{QosStatus, SessionId, StatusInfo};
use serde_json::{Value, json};

/// The limit where a vector names none.
const LIMIT: usize = 65_536;

/// Runs one vector of kind `notification`; an error says how it failed.
pub(crate) fn run_notification_vector(vector: &Value) -> Result<(), String> {
    let input = &vector["input"];
    let limit = limit(&input["limits"])?;
    let attempts = attempts(&input["attempts"])?;
    let mut printed = String::new();
    let outcome = if let Some(deliveries) = input["deliveries"].as_array() {
        let mut seen = Seen::new(1000);
        let (mut statuses, mut effects) = (Vec::new(), Vec::new());
        for delivery in deliveries {
            let (nonce, verdict) = deliver(delivery, &attempts, limit)?;
            statuses.push(verdict.status);
            if let Class::Accepted { event, .. } = &verdict.class {
                effects.push(match seen.note(&nonce, event) {
                    Effect::New => "new",
                    Effect::Duplicate => "duplicate",
                    Effect::Stale => "stale",
                });
            }
            write!(printed, "{verdict:?}").unwrap();
        }
        json!({ "statuses": statuses, "effects": effects })
    } else {
        let (_, verdict) = deliver(&input["request"], &attempts, limit)?;
        write!(printed, "{verdict:?}").unwrap();
        describe(&verdict)
    };
    write!(printed, "{attempts:?}").unwrap();
    for secret in vector["mustNotAppear"].as_array().into_iter().flatten() {
        let secret = secret.as_str().ok_or("mustNotAppear holds something that is no text")?;
        if printed.contains(secret) {
            return Err(format!("{secret} is in a result"));
        }
    }
    let also = vector["mayAlso"].as_array().into_iter().flatten();
    if std::iter::once(&vector["expect"]).chain(also).any(|expected| holds(&outcome, expected)) {
        Ok(())
    } else {
        Err(format!("it was {outcome}, not {}", vector["expect"]))
    }
}

/// Every key that is expected is there and equal.
pub(super) fn holds(outcome: &Value, expected: &Value) -> bool {
    expected.as_object().is_some_and(|keys| !keys.is_empty() && keys.iter().all(|(key, value)| outcome.get(key) == Some(value)))
}

/// The one limit: the bytes of a body.
pub(super) fn limit(limits: &Value) -> Result<usize, String> {
    let Some(limits) = limits.as_object() else { return Ok(LIMIT) };
    let bytes: Vec<_> = limits.iter().filter(|(name, _)| name.to_lowercase().contains("byte")).collect();
    match bytes[..] {
        [(_, bytes)] => bytes.as_u64().and_then(|bytes| bytes.try_into().ok()).ok_or(format!("no number of bytes in {limits:?}")),
        _ => Err(format!("these limits are not understood: {limits:?}")),
    }
}

pub(super) fn attempts(list: &Value) -> Result<BTreeMap<String, Attempt>, String> {
    let one = |attempt: &Value| {
        let nonce = attempt["nonce"].as_str().ok_or("an attempt without a nonce")?;
        let generation =
            attempt["generation"].as_str().and_then(|name| name.parse().ok()).ok_or("an attempt without a generation")?;
        let token = attempt["token"].as_str().map(Private::from);
        let session_id = attempt["sessionId"].as_str().map(SessionId::new);
        Ok((nonce.to_owned(), Attempt { generation, token, standing: Standing::Current { session_id } }))
    };
    list.as_array().ok_or("no attempts")?.iter().map(one).collect()
}

fn deliver(request: &Value, attempts: &BTreeMap<String, Attempt>, limit: usize) -> Result<(String, Verdict), String> {
    let text = |key: &str| request[key].as_str().ok_or(format!("the request has no {key}"));
    let method: Method = text("method")?.parse().map_err(|_| "no method")?;
    let mut headers = HeaderMap::new();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let name = axum::http::HeaderName::try_from(name.as_str()).map_err(|_| "no header name")?;
        headers.append(name, value.as_str().and_then(|value| value.parse().ok()).ok_or("no header value")?);
    }
    let query = query(request);
    let mut body = body(request)?;
    // A server reads no further than this.
    body.truncate(limit + 1);
    let target = Target::of(text("path")?);
    let attempt = target.as_ref().and_then(|target| attempts.get(target.nonce.expose()));
    let request = Request { method: &method, query: query.as_deref(), headers: &headers, body: &body };
    let verdict = judge(&request, attempt, limit);
    Ok((target.map(|target| target.nonce.into_inner()).unwrap_or_default(), verdict))
}

pub(super) fn query(request: &Value) -> Option<String> {
    request["query"].as_object().map(|pairs| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs.iter().map(|(name, value)| (name, value.as_str().unwrap_or_default()))).finish()
    })
}

pub(super) fn body(request: &Value) -> Result<Vec<u8>, String> {
    if let Some(generated) = request["bodyGenerated"].as_object() {
        let text = |key: &str| generated.get(key).and_then(Value::as_str).unwrap_or_default();
        let times = generated.get("times").and_then(Value::as_u64).ok_or("a generated body without times")?;
        let times = usize::try_from(times).map_err(|_| "too many times")?;
        return Ok(format!("{}{}{}", text("start"), text("repeat").repeat(times), text("end")).into_bytes());
    }
    match (&request["bodyText"], &request["body"]) {
        (Value::String(text), _) => Ok(text.clone().into_bytes()),
        (_, Value::Null) => Ok(Vec::new()),
        (_, body) => Ok(body.to_string().into_bytes()),
    }
}

/// A verdict in the vectors' words.
fn describe(verdict: &Verdict) -> Value {
    let mut out = json!({ "status": verdict.status, "class": verdict.class.name() });
    match &verdict.class {
        Class::Accepted { event, binds } => {
            out["event"] = event_in_words(event);
            out["binds"] = (*binds).into();
        }
        Class::Ignored { event } => out["event"] = event_in_words(event),
        _ => {}
    }
    out
}

pub(super) fn event_in_words(event: &Event) -> Value {
    let second = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap().to_string();
    json!({
        "sessionId": event.session_id.as_str(),
        "qosStatus": match &event.qos_status {
            QosStatus::Unknown(word) => json!({ "unknown": word }),
            known => json!(known.as_str()),
        },
        "statusInfo": event.status_info.as_ref().map(|info| match info {
            StatusInfo::Unknown(word) => json!({ "unknown": word }),
            known => json!(known.as_str()),
        }),
        "eventId": event.event_id.as_ref().map(Private::expose),
        "time": event.time.map(second),
    })
}

pub(super) fn own_vectors() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.map(|folder| folder.join("notification.json")).filter(|file| file.exists());
    let mut files: Vec<_> = files.collect();
    files.sort();
    let vectors = |file: std::path::PathBuf| {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        file["vectors"].as_array().unwrap().clone()
    };
    files.into_iter().flat_map(vectors).collect()
}

#[test]
fn every_notification_vector_passes() {
    let vectors = own_vectors();
    assert!(vectors.len() >= 38, "only {} vectors were found", vectors.len());
    let failed = |vector: &Value| super::run_notification_vector(vector).err().map(|why| format!("{}: {why}", vector["id"]));
    let failures: Vec<_> = vectors.iter().filter_map(failed).collect();
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), vectors.len(), failures.join("\n"));
}

/// A vector of the project's own with another request, for what no vector says.
fn with(id: &str, change: impl FnOnce(&mut Value)) -> Result<(), String> {
    let mut vector = own_vectors().into_iter().find(|vector| vector["id"] == id).unwrap();
    change(&mut vector);
    run_notification_vector(&vector)
}

#[test]
fn a_body_beyond_the_limit_is_too_large_and_one_that_nests_without_end_is_malformed() {
    let generated = |limits: Value, start: &str, repeat: &str, times: u32, expect: Value| {
        with("v0.10.notification.not-json", |vector| {
            vector["input"]["request"]["bodyText"] = Value::Null;
            vector["input"]["request"]["bodyGenerated"] = json!({"start": start, "repeat": repeat, "times": times, "end": "\"}"});
            vector["input"]["limits"] = limits;
            vector["expect"] = expect;
        })
    };
    let large = json!({"status": 413, "class": "TooLarge"});
    generated(json!({"bodyBytes": 1000}), "{\"id\":\"", "x", 1000, large.clone()).unwrap();
    generated(Value::Null, "{\"id\":\"", "x", 70_000, large).unwrap();
    generated(Value::Null, "{\"id\":", "[", 50_000, json!({"status": 400, "class": "Malformed"})).unwrap();
}

#[test]
fn deliveries_tell_new_events_from_duplicates_and_stale_ones() {
    with("v0.10.notification.same-id-other-source", |vector| {
        let unavailable = vector["input"]["deliveries"][0].clone();
        let mut available = unavailable.clone();
        available["body"]["id"] = "5a7d".into();
        available["body"]["data"] = json!({"sessionId": available["body"]["data"]["sessionId"], "qosStatus": "AVAILABLE"});
        available["body"]["time"] = "2026-01-02T03:09:00Z".into();
        vector["input"]["deliveries"] = json!([unavailable.clone(), unavailable, available]);
        vector["expect"] = json!({"statuses": [204, 204, 204], "effects": ["new", "duplicate", "stale"]});
    })
    .unwrap();
}

#[test]
fn a_vector_whose_expectation_is_wrong_fails() {
    let wrong = [json!({"status": 410, "class": "Gone"}), json!({"class": "Accepted", "nothing": 1}), json!({})];
    for expect in wrong {
        assert!(with("v0.10.notification.official", |vector| vector["expect"] = expect.clone()).is_err(), "{expect}");
    }
    let secret = with("v0.10.notification.official", |vector| vector["mustNotAppear"] = json!(["123e4567"]));
    assert!(secret.unwrap_err().contains("123e4567"), "the session id is printed, so this must be found");
}
