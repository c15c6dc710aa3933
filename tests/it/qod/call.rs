//! Calls the client as a vector says, and tells what was sent and what came of it in the vectors' words.

use std::collections::BTreeMap;

use qos_operator::qod::{AccessToken, Client, Fault, Generation, Operation, QosProfile, SessionId, SessionInfo, SessionList};
use serde_json::{Value, json};

use super::case;
use super::raw_server::Seen;

/// The base path of a generation's sessions.
pub(super) fn base(generation: Generation) -> &'static str {
    if generation < Generation::V0_11 { "/api/qod/v0" } else { "/api/quality-on-demand/v1" }
}

/// The base path of its profiles, which the client has to derive.
pub(super) fn profiles_base(generation: Generation) -> &'static str {
    if generation < Generation::V0_11 { "/api/qod/v0" } else { "/api/qos-profiles/v1" }
}

pub(super) const TOKEN: &str = "at-7Qe2Xk9LmP4s";

/// What the client may return, whatever the operation.
#[derive(Debug)]
pub(super) enum Returned {
    Session(SessionInfo),
    Sessions(SessionList),
    Nothing,
    Profiles(Vec<QosProfile>),
    Profile(QosProfile),
}

/// Calls the client's function for the operation.
pub(super) async fn call(client: &Client, input: &Value) -> Result<Returned, Fault> {
    let token = input["accessToken"].as_str().map_or_else(AccessToken::none, AccessToken::new);
    let generation = client.generation();
    let id = SessionId::new(input["sessionId"].as_str().unwrap_or_default());
    match case::operation(input["operation"].as_str().unwrap()) {
        Operation::CreateSession => client.create_session(&token, &case::create(input, generation)?).await.map(Returned::Session),
        Operation::GetSession => client.get_session(&token, &id).await.map(Returned::Session),
        Operation::DeleteSession => client.delete_session(&token, &id).await.map(|()| Returned::Nothing),
        Operation::ExtendQosSessionDuration => {
            let seconds = input["additionalSeconds"].as_i64().unwrap();
            client.extend_qos_session_duration(&token, &id, seconds).await.map(Returned::Session)
        }
        Operation::GetQosProfiles => {
            client.get_qos_profiles_matching(&token, &case::filter(&input["filter"])).await.map(Returned::Profiles)
        }
        Operation::GetQosProfile => {
            client.get_qos_profile(&token, input["profile"].as_str().unwrap()).await.map(Returned::Profile)
        }
        Operation::RetrieveSessions => {
            let device = case::device_sent(input, generation)?;
            client.retrieve_sessions(&token, device.as_ref()).await.map(Returned::Sessions)
        }
        Operation::RetrieveQosProfiles => {
            let device = case::device_sent(input, generation)?;
            let filter = case::filter(&input["filter"]);
            client.retrieve_qos_profiles(&token, device.as_ref(), &filter).await.map(Returned::Profiles)
        }
    }
}

/// A call for a response vector, which names the operation only, and whether the device was sent.
pub(super) fn input_of(case: &Value, device_sent: Option<bool>) -> Value {
    let device_sent = device_sent.unwrap_or(case["operation"] == "create");
    json!({
        "operation": case["operation"],
        "accessToken": TOKEN,
        "settings": { "deviceInRequest": if device_sent { "Always" } else { "Never" } },
        "sessionId": "0b7e6a52-94c1-4e0d-8a3f-5d2c7be91f04",
        "additionalSeconds": 60,
        "profile": "QOS_E",
        "desired": {
            "device": { "phoneNumber": "+447700900123" },
            "applicationServer": { "ipv4Address": "198.51.100.10" },
            "qosProfile": "QOS_E",
            "durationSeconds": 3600,
        },
    })
}

/// What came of a call, in the vectors' words.
pub(super) fn outcome(result: &Result<Returned, Fault>, operation: &str, flow: &Value) -> Value {
    match result {
        Err(fault) => case::fault(fault),
        Ok(Returned::Nothing) => json!({ "class": "Released" }),
        Ok(Returned::Profiles(list)) => {
            json!({ "class": "Profiles", "profiles": list.iter().map(case::profile).collect::<Value>() })
        }
        Ok(Returned::Sessions(list)) => {
            json!({ "class": "Sessions", "sessions": list.sessions.iter().map(case::session).collect::<Value>() })
        }
        Ok(Returned::Profile(one)) => json!({ "class": "Profile", "profile": case::profile(one) }),
        Ok(Returned::Session(info)) => {
            let class = if operation == "create" { "Created" } else { "Session" };
            let mut outcome = json!({ "class": class, "session": case::session(info) });
            if flow.is_object() {
                outcome["flowMatches"] = info.flow_matches(&case::flow(flow)).into();
            }
            outcome
        }
    }
}

/// A request as the vectors describe it, its path without the base of the API that it belongs to.
pub(super) fn describe(seen: &Seen, generation: Generation, operation: &str) -> Value {
    let base =
        if operation.ends_with("rofiles") || operation == "getProfile" { profiles_base(generation) } else { base(generation) };
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let headers: BTreeMap<String, String> =
        seen.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    json!({
        "method": seen.method,
        "path": path.strip_prefix(base).unwrap_or(path),
        "query": query,
        "headers": headers,
        "body": if seen.body.is_empty() { Value::Null } else { serde_json::from_slice(&seen.body).unwrap() },
    })
}

/// Method, path, query and body must be equal; of the headers at least those that are named.
pub(super) fn request_holds(outcome: &Value, expected: &Value) -> bool {
    let (sent, wanted) = (&outcome["request"], &expected["request"]);
    if !wanted.is_object() {
        return case::holds(outcome, expected);
    }
    let header = |name: &str| sent["headers"].get(name.to_ascii_lowercase());
    let named = wanted["headers"].as_object().into_iter().flatten().all(|(name, value)| match value.as_str() {
        Some(text) => header(name).is_some_and(|sent| sent == text),
        // A `{pattern}`.
        None => header(name).is_some_and(|sent| jsonschema::is_valid(value, sent)),
    });
    let absent = wanted["absentHeaders"].as_array().into_iter().flatten().all(|name| header(name.as_str().unwrap()).is_none());
    let no_query = json!({});
    let query = if wanted["query"].is_object() { &wanted["query"] } else { &no_query };
    sent["method"] == wanted["method"]
        && sent["path"] == wanted["path"]
        && sent["query"] == *query
        && sent["body"] == wanted["body"]
        && named
        && absent
}

#[test]
fn a_header_of_a_vector_may_be_a_pattern() {
    let sent = json!({"request": {"method": "GET", "path": "/sessions/1", "query": {}, "body": null, "headers": {"x-correlator": "a-1"}}});
    let expected = |pattern: &str| json!({"request": {"method": "GET", "path": "/sessions/1", "headers": {"X-Correlator": {"pattern": pattern}}}});
    assert!(request_holds(&sent, &expected("^[a-zA-Z0-9-]{0,55}$")));
    assert!(!request_holds(&sent, &expected("^[0-9]+$")));
}
