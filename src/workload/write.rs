//! Writes to children, and Events on who asks for them. Each names the uid that was seen, and its answer is the next input.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::DeserializeGuard;
use kube_runtime::events::{Event, EventType, Recorder, Reporter};
use serde_json::{Value, json};

use super::facts::Child;
use super::keys::{SOURCE_LABEL, SOURCE_WORKLOAD, UNCLAIMED_SINCE};
use super::notice::Notice;
use super::plan::Step;
use super::seen;
use crate::api::QosSession;
use crate::session::context::{ApiError, limited};

/// The field manager of children.
pub const MANAGER: &str = "qos-operator-workload";
/// What an Event says is the reporting controller.
const REPORTER: &str = "qos-operator";
/// What an Event says was being done.
const ACTION: &str = "Plan";
/// The longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// What became of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It worked, and the child is as given.
    Written(Box<Child>),
    /// The child is another than was seen, as given: plan again.
    Other(Box<Child>),
    /// There is no such child (any more).
    Gone,
    /// An object of that name was not made for workloads.
    Taken,
    /// Admission or a quota refused it, with the API server's message.
    Refused(String),
    /// It did not work; why, for the log.
    Failed(String),
}

/// The API server, as far as children are concerned.
#[derive(Clone)]
pub struct Writer {
    client: kube::Client,
}

impl Writer {
    /// Writes with `client`, which repeats nothing by itself.
    pub const fn new(client: kube::Client) -> Self {
        Self { client }
    }

    fn api(&self, namespace: &str) -> Api<DeserializeGuard<QosSession>> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Carries out `step`.
    pub async fn perform(&self, namespace: &str, step: &Step) -> Outcome {
        let api = self.api(namespace);
        let (name, answer) = (
            step.name(),
            match step {
                Step::Apply { desired, uid: None, .. } => {
                    // An apply cannot say that there must be no such object.
                    match self.find(namespace, &desired.name).await {
                        Outcome::Gone => apply(&api, &desired.name, &desired.manifest(None, &[])).await,
                        found => return found,
                    }
                }
                Step::Apply { desired, uid: Some(uid), surplus, .. } => {
                    apply(&api, &desired.name, &desired.manifest(Some(uid), surplus)).await
                }
                Step::Mark { name, uid, since } => {
                    let since = since.map(|since| since.to_string());
                    let patch = json!({ "metadata": { "uid": uid, "annotations": { UNCLAIMED_SINCE: since } } });
                    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
                    limited(api.patch(name, &parameters, &Patch::Merge(patch))).await
                }
                Step::Delete { name, uid, version } => {
                    let seen = Preconditions { uid: Some(uid.clone()), resource_version: version.clone() };
                    let parameters = DeleteParams { preconditions: Some(seen), ..DeleteParams::default() };
                    match limited(api.delete(name, &parameters)).await {
                        Ok(deleted) => match deleted.left() {
                            Some(object) => Ok(object),
                            None => return Outcome::Gone,
                        },
                        Err(error) => Err(error),
                    }
                }
            },
        );
        match answer {
            Ok(object) => {
                let (_, child) = seen::child(object);
                Outcome::Written(Box::new(child))
            }
            Err(error) => match status_of(&error) {
                Some((404, _)) if !matches!(step, Step::Apply { .. }) => Outcome::Gone,
                Some((409, _)) => self.find(namespace, name).await,
                Some((400 | 403 | 422, message)) => Outcome::Refused(message),
                _ => Outcome::Failed(describe(&error)),
            },
        }
    }

    /// The object of that name, as it is now.
    async fn find(&self, namespace: &str, name: &str) -> Outcome {
        match limited(self.api(namespace).get_opt(name)).await {
            Ok(None) => Outcome::Gone,
            Ok(Some(object)) => {
                let (_, child) = seen::child(object);
                if child.labels.get(SOURCE_LABEL).is_some_and(|value| value == SOURCE_WORKLOAD) {
                    Outcome::Other(Box::new(child))
                } else {
                    Outcome::Taken
                }
            }
            Err(error) => Outcome::Failed(describe(&error)),
        }
    }

    /// Tells `notice` on its object. One that is refused (in a namespace that is being deleted, for instance) is let go.
    pub async fn tell(&self, namespace: &str, notice: &Notice) {
        let event = Event {
            type_: EventType::Warning,
            reason: notice.reason.as_str().to_owned(),
            note: Some(cut(&notice.text)),
            action: ACTION.to_owned(),
            secondary: None,
        };
        let object = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some(notice.asker.kind.as_str().to_owned()),
            namespace: Some(namespace.to_owned()),
            name: Some(notice.asker.name.clone()),
            uid: Some(notice.asker.uid.clone()),
            ..ObjectReference::default()
        };
        // A recorder of its own: a shared one takes a second fault of an object for a repetition of the first.
        let recorder = Recorder::new(self.client.clone(), Reporter { controller: REPORTER.to_owned(), instance: None });
        if let Err(error) = limited(recorder.publish(&event, &object)).await {
            tracing::debug!(namespace, reason = notice.reason.as_str(), cause = describe(&error), "an Event was not written");
        }
    }
}

async fn apply(
    api: &Api<DeserializeGuard<QosSession>>,
    name: &str,
    manifest: &Value,
) -> Result<DeserializeGuard<QosSession>, ApiError> {
    limited(api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(manifest))).await
}

fn status_of(error: &ApiError) -> Option<(u16, String)> {
    match error {
        ApiError::Kube(error) => match &**error {
            kube::Error::Api(status) => Some((status.code, status.message.clone())),
            _ => None,
        },
        ApiError::Timeout => None,
    }
}

/// For the log: never the message, which may hold parts of an object.
fn describe(error: &ApiError) -> String {
    match error {
        ApiError::Kube(error) => match &**error {
            kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
            _ => "no answer of the API server, or one that cannot be read".to_owned(),
        },
        ApiError::Timeout => error.to_string(),
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(LONGEST_NOTE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_two_letters() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"é".repeat(600));
        assert_eq!((long.len(), long.chars().all(|c| c == 'é')), (1024, true));
        assert_eq!(cut(&format!("x{}", "é".repeat(600))).len(), 1023);
    }
}
