//! The answer that a vector describes, as bytes and as a value.

use qos_operator::qod::{Answer, Body};
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::Value;

use super::raw_server::answer;

fn headers(response: &Value) -> Vec<(String, String)> {
    match response["headers"].as_object() {
        None => vec![("Content-Type".to_owned(), "application/json".to_owned())],
        Some(map) => map.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
    }
}

fn body(response: &Value) -> String {
    match (&response["body"], response["bodyText"].as_str()) {
        (_, Some(text)) => text.to_owned(),
        (Value::Null, None) => String::new(),
        (body, None) => body.to_string(),
    }
}

pub(crate) fn status(response: &Value) -> u16 {
    response["status"].as_u64().unwrap().try_into().unwrap()
}

pub(crate) fn bytes(response: &Value) -> Vec<u8> {
    let headers = headers(response);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    answer(status(response), &headers, &body(response))
}

/// Reads it without a client.
pub(crate) fn with_answer<T>(response: &Value, read: impl FnOnce(&Answer<'_>) -> T) -> T {
    let mut map = HeaderMap::new();
    for (name, value) in headers(response) {
        map.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    let body = body(response);
    let received_at = "2026-01-02T03:00:00Z".parse().unwrap();
    read(&Answer { status: status(response), headers: &map, body: Body::Whole(body.as_bytes()), received_at })
}
