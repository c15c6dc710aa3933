//! Writes to a `QosSession`: each carries the resourceVersion that was read, and its answer is the next input.

use futures::FutureExt as _;
use kube::api::{Api, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::context::{ApiError, Context, limited};
use super::outcome::Note;
use super::record::AttemptRecord;
use crate::api::{ATTEMPT_ANNOTATION, FINALIZER, QosSession, QosSessionStatus};
use crate::trace;

/// The field manager of all writes.
pub const MANAGER: &str = "qos-operator";

/// A write did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object has changed since it was read: start over.
    #[error("the object has changed")]
    Conflict,
    /// The object is gone.
    #[error("the object is gone")]
    Gone,
    /// The API server refused it, with its message.
    #[error("the API server refused the write")]
    Denied(String),
    /// The record does not fit.
    #[error(transparent)]
    TooLong(#[from] super::record::TooLong),
    /// No answer: it may have taken effect.
    #[error("the write was not answered")]
    Lost,
}

impl From<ApiError> for WriteError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Timeout => Self::Lost,
            ApiError::Kube(error) => match *error {
                kube::Error::Api(status) => match status.code {
                    409 => Self::Conflict,
                    404 => Self::Gone,
                    400 | 403 | 422 => Self::Denied(status.message.clone()),
                    _ => Self::Lost,
                },
                _ => Self::Lost,
            },
        }
    }
}

fn api(context: &Context, object: &QosSession) -> Api<QosSession> {
    Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default())
}

/// For writes: the answer is the whole object, and a write that succeeded has not failed because that cannot be decoded.
fn guarded(context: &Context, object: &QosSession) -> Api<DeserializeGuard<QosSession>> {
    Api::namespaced(context.client.clone(), &object.namespace().unwrap_or_default())
}

/// The answer of a write of `object`; of one that cannot be decoded, its metadata on what is known of it.
fn answer(object: &QosSession, written: DeserializeGuard<QosSession>) -> QosSession {
    written.0.unwrap_or_else(|invalid| QosSession { metadata: invalid.metadata, ..object.clone() })
}

/// A bounded write, in a span of its own. No `async fn`: that would hold the future of the call twice, and passes are many.
fn traced<T>(
    verb: &'static str,
    resource: &'static str,
    call: impl Future<Output = kube::Result<T>>,
) -> impl Future<Output = Result<T, ApiError>> {
    let request = trace::Request::write(verb, resource);
    request.run(limited(call)).inspect(move |written| match written {
        Ok(_) => request.ended("Success", true),
        Err(ApiError::Timeout) => request.ended("Timeout", false),
        Err(ApiError::Kube(error)) => match &**error {
            kube::Error::Api(status) => {
                request.answered(status.code);
                request.ended("Refused", false);
            }
            _ => request.ended("Unanswered", false),
        },
    })
}

async fn merge(context: &Context, object: &QosSession, mut metadata: Value) -> Result<QosSession, WriteError> {
    metadata["resourceVersion"] = json!(object.metadata.resource_version);
    metadata["uid"] = json!(object.metadata.uid);
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    let written = traced("patch", "qossessions", guarded(context, object).patch(&object.name_any(), &parameters, &patch)).await?;
    Ok(remember(context, answer(object, written)))
}

/// The answer of a write is newer than what the watch has brought so far.
fn remember(context: &Context, mut written: QosSession) -> QosSession {
    written.metadata.managed_fields = None;
    let uid = written.metadata.uid.clone().unwrap_or_default();
    context.memories.with(&uid, |remembered| remembered.latest = Some(Box::new(written.clone())));
    written
}

/// Finalizer and attempt record in one patch.
pub async fn intent(context: &Context, object: &QosSession, record: &AttemptRecord) -> Result<QosSession, WriteError> {
    let mut finalizers = object.finalizers().to_vec();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
    }
    merge(context, object, json!({ "finalizers": finalizers, "annotations": { ATTEMPT_ANNOTATION: record.text()? } })).await
}

/// Puts the finalizer back.
pub async fn restore_finalizer(context: &Context, object: &QosSession) -> Result<QosSession, WriteError> {
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    merge(context, object, json!({ "finalizers": finalizers })).await
}

/// Takes the finalizer off: the object goes.
pub async fn remove_finalizer(context: &Context, object: &QosSession) -> Result<(), WriteError> {
    let finalizers: Vec<_> = object.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).collect();
    match merge(context, object, json!({ "finalizers": finalizers })).await {
        Ok(_) | Err(WriteError::Gone) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes the status, by server-side apply: what is no longer set goes.
pub async fn status(context: &Context, object: &QosSession, status: &QosSessionStatus) -> Result<QosSession, WriteError> {
    let patch = json!({
        "apiVersion": QosSession::api_version(&()),
        "kind": QosSession::kind(&()),
        "metadata": { "name": object.name_any(), "uid": object.metadata.uid, "resourceVersion": object.metadata.resource_version },
        "status": status,
    });
    let parameters = PatchParams::apply(MANAGER).force();
    let written = traced(
        "patch",
        "qossessions/status",
        guarded(context, object).patch_status(&object.name_any(), &parameters, &Patch::Apply(&patch)),
    )
    .await?;
    let known = QosSession { status: Some(status.clone()), ..object.clone() };
    Ok(remember(context, answer(&known, written)))
}

/// The object as the API server has it now; `None` when it is gone, or another has its name.
pub async fn read(context: &Context, object: &QosSession) -> Result<Option<QosSession>, ApiError> {
    let now = limited(api(context, object).get_opt(&object.name_any())).await?;
    Ok(now.filter(|now| now.metadata.uid == object.metadata.uid))
}

/// Writes Events. One that is refused (in a namespace that is being deleted, for instance) is let go: the status tells the same.
pub async fn events(context: &Context, object: &QosSession, notes: Vec<Note>) {
    use kube_runtime::events::{Event, EventType};
    for note in notes {
        let event = Event {
            type_: if note.warning { EventType::Warning } else { EventType::Normal },
            reason: note.reason.to_owned(),
            note: Some(note.note),
            action: note.action.to_owned(),
            secondary: None,
        };
        let reference = object.object_ref(&());
        // It is large: in a box, what waits for it is not.
        let published = traced("create", "events", Box::pin(context.recorder.publish(&event, &reference))).await;
        if let Err(ApiError::Timeout) = published {
            tracing::debug!(namespace = object.namespace(), name = object.name_any(), "an Event was not written in time");
        }
    }
}
