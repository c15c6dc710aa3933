//! An object that cannot be decoded: it must not stop the watch of the others, and its session must still be releasable from its
//! record alone.

use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject};
use serde_json::Value;

use super::context::{Context, limited};
use crate::api::{DeletionPolicy, QosSession, QosSessionSpec, QosSessionStatus};

/// A profile name that no spec may have: what a salvaged object asks for is nothing.
const NO_PROFILE: &str = "";

/// The object as far as it can be read: metadata as it is, of the status what can be decoded, of the spec what a release needs. Its
/// empty flow makes the spec invalid, so that it asks for nothing. `None` when it cannot be fetched, or is gone.
pub async fn read(context: &Context, object: &QosSession) -> Option<QosSession> {
    let resource = ApiResource::erase::<QosSession>(&());
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &namespace, &resource);
    let raw = limited(api.get_opt(&object.name_any())).await.ok()??;
    if raw.metadata.uid != object.metadata.uid {
        return None;
    }
    Some(QosSession { spec: spec(&raw.data), status: status(raw.data.get("status")), metadata: raw.metadata })
}

/// What stands in for a spec that cannot be read.
pub fn placeholder() -> QosSessionSpec {
    QosSessionSpec { qos_profile: NO_PROFILE.to_owned(), ..QosSessionSpec::default() }
}

fn spec(data: &Value) -> QosSessionSpec {
    let mut spec = placeholder();
    let field = |name: &str| data.get("spec").and_then(|spec| spec.get(name));
    if field("deletionPolicy").and_then(Value::as_str) == Some("Orphan") {
        spec.deletion_policy = DeletionPolicy::Orphan;
    }
    spec.suspend = field("suspend").and_then(Value::as_bool).unwrap_or(false);
    spec
}

/// Field by field: one that cannot be decoded does not lose the others.
fn status(value: Option<&Value>) -> Option<QosSessionStatus> {
    let value = value?;
    if let Ok(status) = serde_json::from_value(value.clone()) {
        return Some(status);
    }
    let fields = value.as_object()?;
    let mut kept = serde_json::Map::new();
    for (name, field) in fields {
        kept.insert(name.clone(), field.clone());
        if serde_json::from_value::<QosSessionStatus>(Value::Object(kept.clone())).is_err() {
            kept.remove(name);
        }
    }
    serde_json::from_value(Value::Object(kept)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_an_unreadable_status_the_readable_fields_are_kept() {
        let status =
            status(Some(&json!({ "observedGeneration": 1, "sessionId": "s1", "expiresAt": 7, "conditions": "none" }))).unwrap();
        assert_eq!((status.session_id.as_deref(), status.expires_at), (Some("s1"), None));
    }

    #[test]
    fn a_salvaged_spec_asks_for_nothing_but_keeps_the_wish_to_be_orphaned() {
        let spec = spec(&json!({ "spec": { "device": 7, "deletionPolicy": "Orphan" } }));
        assert_eq!(spec.deletion_policy, DeletionPolicy::Orphan);
        assert!(crate::session::flow::servers(&spec.application_server).is_err());
    }
}
