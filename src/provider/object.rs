//! Writes to `QosProvider` objects, each guarded by the `resourceVersion` that was read and bounded in time.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt as _};
use kube_runtime::events::{Event, EventType, Recorder, Reporter};
use serde_json::{Value, json};

use crate::api::{GROUP, IN_USE_FINALIZER, QosProvider, QosProviderStatus, VERSION};
use crate::scope::watch::Cause;

/// Field manager of the status.
const MANAGER: &str = "qos-operator";

/// kube's client waits for ever for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The API server, as far as QosProviders are concerned.
#[derive(Clone)]
pub(super) struct Objects {
    api: Api<QosProvider>,
    recorder: Recorder,
}

/// A write that did not happen, or whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotWritten {
    /// The object has changed since it was read, or is gone: the watch brings what it is now.
    Stale,
    /// Anything else: try again later.
    Failed,
}

/// An Event to tell.
pub(super) struct Notice {
    pub(super) type_: EventType,
    pub(super) reason: &'static str,
    pub(super) action: &'static str,
    pub(super) note: String,
}

impl Objects {
    pub(super) fn new(client: Client) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: None };
        Self { api: Api::all(client.clone()), recorder: Recorder::new(client, reporter) }
    }

    pub(super) async fn put_finalizer(&self, object: &QosProvider) -> Result<QosProvider, NotWritten> {
        let mut finalizers = object.finalizers().to_vec();
        finalizers.push(IN_USE_FINALIZER.to_owned());
        self.patch_finalizers(object, &finalizers).await
    }

    pub(super) async fn remove_finalizer(&self, object: &QosProvider) -> Result<QosProvider, NotWritten> {
        let mut finalizers = object.finalizers().to_vec();
        finalizers.retain(|finalizer| finalizer != IN_USE_FINALIZER);
        self.patch_finalizers(object, &finalizers).await
    }

    async fn patch_finalizers(&self, object: &QosProvider, finalizers: &[String]) -> Result<QosProvider, NotWritten> {
        let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": finalizers}});
        let (name, params) = (object.name_any(), PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() });
        let patch = Patch::Merge(patch);
        written(&name, tokio::time::timeout(TIMEOUT, self.api.patch(&name, &params, &patch)).await)
    }

    /// Server-side apply of the whole status: what it no longer holds goes.
    pub(super) async fn put_status(&self, object: &QosProvider, status: &QosProviderStatus) -> Result<QosProvider, NotWritten> {
        let name = object.name_any();
        let patch: Patch<Value> = Patch::Apply(json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "QosProvider",
            "metadata": {"name": name, "resourceVersion": object.resource_version()},
            "status": status,
        }));
        let params = PatchParams::apply(MANAGER).force();
        written(&name, tokio::time::timeout(TIMEOUT, self.api.patch_status(&name, &params, &patch)).await)
    }

    /// Tells an Event. Nothing waits for it, and nothing depends on it.
    pub(super) fn tell<K: Resource<DynamicType = ()>>(&self, object: &K, notice: Notice) {
        let (recorder, reference) = (self.recorder.clone(), object.object_ref(&()));
        let Notice { type_, reason, action, note } = notice;
        let event = Event { type_, reason: reason.to_owned(), note: Some(note), action: action.to_owned(), secondary: None };
        tokio::spawn(async move {
            if let Ok(Err(error)) = tokio::time::timeout(TIMEOUT, recorder.publish(&event, &reference)).await {
                tracing::debug!(reason, cause = %Cause::of_call(&error), "an Event was not written");
            }
        });
    }
}

fn written<T>(name: &str, answer: Result<Result<T, kube::Error>, tokio::time::error::Elapsed>) -> Result<T, NotWritten> {
    let (problem, cause) = match answer {
        Ok(Ok(object)) => return Ok(object),
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => return Err(NotWritten::Stale),
        Ok(Err(error)) => (NotWritten::Failed, Cause::of_call(&error).to_string()),
        Err(_) => (NotWritten::Failed, "the API server did not answer in time".to_owned()),
    };
    tracing::warn!(provider = name, cause, "the QosProvider was not written");
    Err(problem)
}
