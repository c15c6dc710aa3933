//! A stage as seen from another namespace than its own: the same provider, operator and clock.

use std::time::Duration;

use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use qos_operator::api::QosSession;
use serde_json::Value;

use super::stage::{PATIENCE, Stage, condition, shown};

pub(crate) struct Elsewhere<'a> {
    stage: &'a Stage,
    pub(crate) sessions: Api<QosSession>,
}

impl<'a> Elsewhere<'a> {
    pub(crate) fn new(stage: &'a Stage, namespace: &str) -> Self {
        Self { stage, sessions: Api::namespaced(stage.client.clone(), namespace) }
    }

    /// As [`Stage::create`].
    pub(crate) async fn create(&self, name: &str, spec: Value) -> QosSession {
        let mut manifest = self.stage.manifest(name, spec);
        manifest["metadata"]["namespace"] = Value::Null;
        self.sessions.create(&PostParams::default(), &serde_json::from_value(manifest).unwrap()).await.unwrap()
    }

    /// Waits until Ready has this status and reason.
    pub(crate) async fn ready(&self, name: &str, status: &str, reason: &str) -> QosSession {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let object = self.sessions.get_opt(name).await.unwrap();
            if let Some(object) = object.as_ref().filter(|object| condition(object, "Ready") == (status, reason)) {
                return object.clone();
            }
            let shown = shown(object.as_ref());
            assert!(tokio::time::Instant::now() < deadline, "{name} does not become Ready={status} {reason}; it is {shown}");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Deletes all sessions there, and waits until they are gone.
    pub(crate) async fn clear(&self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        self.sessions.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
        loop {
            let left = self.sessions.list(&ListParams::default()).await.unwrap().items;
            if left.is_empty() {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "still there: {}", shown(left.first()));
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }
}
