//! What the API server admits of our two kinds, and what it says when it refuses: a real one decides.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod behaviour;
mod examples;
mod provider;
mod provider_lock;
mod server;
mod session;
mod shared_examples;

use serde_json::{Value, json};

use server::{Refusal, Server};

/// One object and what becomes of it.
struct Case {
    object: Value,
    expected: Expected,
}

enum Expected {
    Admitted,
    /// Refused with this message at this field, and at no other.
    Refused {
        field: &'static str,
        message: &'static str,
    },
}

/// A session of which only `changes` differ from one that is admitted: each of its keys replaces a field of `spec`.
fn session(changes: Value) -> Value {
    with(
        json!({
            "apiVersion": "qos-operator.io/v1alpha1",
            "kind": "QosSession",
            "metadata": {"name": "case", "namespace": "default"},
            "spec": {
                "device": {"phoneNumber": "+447700900112"},
                "applicationServer": {"ipv4Address": "198.51.100.7"},
                "qosProfile": "QOS_E",
            },
        }),
        changes,
    )
}

/// A provider of which only `changes` differ from one that is admitted: each of its keys replaces a field of `spec`.
fn provider(changes: Value) -> Value {
    with(
        json!({
            "apiVersion": "qos-operator.io/v1alpha1",
            "kind": "QosProvider",
            "metadata": {"name": "case"},
            "spec": {
                "api": {"version": "v0.10", "baseURL": "https://qod.example.com/qod/v0"},
                "auth": {"staticToken": {"tokenSecretRef": {"name": "token"}}},
            },
        }),
        changes,
    )
}

fn with(mut object: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("{changes} is no object") };
    for (field, value) in changes {
        object["spec"][field] = value;
    }
    object
}

/// Asks the API server about every case, without keeping anything, and fails with all that came out otherwise.
async fn check(cases: Vec<Case>) {
    let server = Server::shared().await;
    let mut surprises = Vec::new();
    for Case { object, expected } in cases {
        let answer = server.dry_run(&object.to_string()).await;
        let spec = &object["spec"];
        match (expected, answer) {
            (Expected::Admitted, Ok(_)) => {}
            (Expected::Admitted, Err(refusal)) => surprises.push(format!("refused: {spec}\n  {}", refusal.text)),
            (Expected::Refused { field, .. }, Ok(_)) => surprises.push(format!("admitted: {spec}\n  wanted: {field}")),
            (Expected::Refused { field, message }, Err(refusal)) => {
                if !refusal.is_just(field, message) {
                    surprises.push(format!("{spec}\n  wanted: {field}: {message}\n  got: {}", refusal.text));
                }
                surprises.extend(leaks(&object, &refusal));
            }
        }
    }
    assert!(surprises.is_empty(), "{} surprises:\n{}", surprises.len(), surprises.join("\n"));
}

/// The values of personal fields of `object` that the refusal repeats: it ends up in the status of a GitOps tool.
fn leaks(object: &Value, refusal: &Refusal) -> Vec<String> {
    let device = &object["spec"]["device"];
    ["/phoneNumber", "/networkAccessIdentifier", "/ipv6Address", "/ipv4Address/publicAddress", "/ipv4Address/privateAddress"]
        .into_iter()
        .filter_map(|field| device.pointer(field)?.as_str())
        .filter(|value| value.len() > 3 && refusal.text.contains(value))
        .map(|value| format!("{value} is repeated in: {}", refusal.text))
        .collect()
}

fn admitted(objects: impl IntoIterator<Item = Value>) -> Vec<Case> {
    objects.into_iter().map(|object| Case { object, expected: Expected::Admitted }).collect()
}

fn refused(field: &'static str, message: &'static str, objects: impl IntoIterator<Item = Value>) -> Vec<Case> {
    objects.into_iter().map(|object| Case { object, expected: Expected::Refused { field, message } }).collect()
}
