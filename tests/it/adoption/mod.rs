//! What the operator finds out about sessions whose making it does not know, or no longer knows: the look-up by list, and sessions
//! of another client. The bodies are the same in each generation that lists.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

/// A test for each of two generations that list a device's sessions, the first one and the one that is deployed; the body is the
/// function of the same name.
macro_rules! in_generations {
    ($($name:ident),* $(,)?) => {
        mod v0_11 {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(qos_operator::simulator::generation::Generation::V0_11, "v0.11").await;
                }
            )*
        }

        mod v1_1 {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(qos_operator::simulator::generation::Generation::V1_1, "v1.1").await;
                }
            )*
        }
    };
}

mod calls;
mod client;
mod copies;
mod list;
mod lost;
mod sight;

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use qos_operator::api::{ATTEMPT_ANNOTATION, QosSession, QosSessionStatus};
use qos_operator::simulator::faults::{Fault, Target, What};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::session::Session;
use qos_operator::simulator::settings::Operation;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::stage::{Stage, TOKEN, shown};

/// The object of most of these tests.
const NAME: &str = "camera-12";

fn status(object: &QosSession) -> QosSessionStatus {
    object.status.clone().unwrap_or_default()
}

/// The id that the object records.
fn id(object: &QosSession) -> Option<String> {
    status(object).session_id
}

/// The next create takes effect, and its answer is lost.
fn lose_answer(stage: &Stage) {
    stage.admin.add_fault(Fault::once(Target::Create, What::DropAfter)).unwrap();
}

/// The next create is lost on its way.
fn lose_create(stage: &Stage) {
    stage.admin.add_fault(Fault::once(Target::Create, What::DropBefore)).unwrap();
}

/// How often each of these Events is on the object. They are written after the status that a test waited for.
async fn told<const N: usize>(stage: &Stage, reasons: [&str; N]) -> [usize; N] {
    stage.quiet().await;
    let events = stage.events(NAME).await;
    reasons.map(|reason| events.iter().filter(|event| event.1 == reason).count())
}

/// Waits for that many calls of an operation.
async fn called(stage: &Stage, operation: Operation, times: u64) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while stage.calls(operation) < times {
        assert!(tokio::time::Instant::now() < deadline, "{operation:?} is not called {times} times");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The sessions that hold their flow now.
fn living(stage: &Stage) -> Vec<Session> {
    stage.admin.sessions().into_iter().filter(|session| session.freed.is_none()).collect()
}

/// Takes off the object, without the operator's knowledge, its attempt record and its finalizers but for `kept`.
async fn strip_metadata(stage: &Stage, kept: &[&str]) {
    stage.patch(NAME, json!({ "metadata": { "annotations": { ATTEMPT_ANNOTATION: null }, "finalizers": kept } })).await;
}

/// Takes off the object, without the operator's knowledge, its whole status.
async fn strip_status(stage: &Stage) {
    let patch = Patch::Merge(json!({ "status": null }));
    let stripped = stage.sessions().patch_status(NAME, &PatchParams::default(), &patch).await.unwrap();
    // What is left is what the definition puts there by default.
    assert_eq!(stripped.status, Some(QosSessionStatus::default()), "{}", shown(Some(&stripped)));
}

/// Somebody else who talks to the provider, with a token of their own.
struct Elsewhere {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Elsewhere {
    fn new(stage: &Stage, generation: Generation, token: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, base: stage.simulator().url_of(generation), token: token.to_owned() }
    }

    /// Another system that uses the operator's client.
    fn same_client(stage: &Stage, generation: Generation) -> Self {
        Self::new(stage, generation, TOKEN)
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> u16 {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.unwrap().status().as_u16()
    }

    /// Makes a session on the flow of [`Stage::manifest`]; further fields are those of `more`.
    async fn create(&self, seconds: i64, more: &Value) -> u16 {
        let mut body = json!({
            "device": { "phoneNumber": "+447700900112" },
            "applicationServer": { "ipv4Address": "198.51.100.10" },
            "qosProfile": "QOS_E",
            "duration": seconds,
        });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.ask(Method::POST, "/sessions", Some(&body)).await
    }

    async fn delete(&self, session: &str) -> u16 {
        self.ask(Method::DELETE, &format!("/sessions/{session}"), None).await
    }

    async fn get(&self, session: &str) -> u16 {
        self.ask(Method::GET, &format!("/sessions/{session}"), None).await
    }
}
