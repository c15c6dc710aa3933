//! The audit log: an independent witness of who wrote what.

use serde::{Deserialize, Deserializer};

use crate::error::Error;

/// What is recorded: one line a request, without bodies. Left out are reads of no interest only: those of the control plane's
/// own parts, and health, version and discovery. Every write is recorded, whoever does it.
pub(crate) const POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "system:kube-controller-manager"]
  verbs: [get, list, watch]
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version*", "/openapi*", "/api", "/api/*", "/apis", "/apis/*"]
  verbs: [get]
- level: Metadata
"#;

/// One request that the API server has finished, from its audit log (`audit.k8s.io/v1` `Event`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// Who asked, e.g. `admin` or `system:serviceaccount:qos-system:qos-operator`.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`; for a path that is no resource the
    /// HTTP method in lower case.
    pub verb: String,
    /// The API group, empty for the core group.
    pub api_group: String,
    /// The resource in the plural, e.g. `configmaps`; empty for a path that is no resource.
    pub resource: String,
    /// E.g. `status`; empty for the resource itself.
    pub subresource: String,
    /// Empty for what has no namespace.
    pub namespace: String,
    /// Empty for lists and watches, and for a `create` that was refused before its body was read.
    pub name: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// `ResponseComplete`, or `Panic` when the API server gave up on the request.
    pub stage: String,
    /// The HTTP status; 0 when none was sent.
    pub code: u16,
    /// Path and query.
    pub request_uri: String,
    /// When the request came in, RFC 3339 with microseconds, UTC: such strings sort by time.
    pub received: String,
}

impl AuditEvent {
    /// Whether the request asked for a change (whatever became of it: see `code`).
    pub fn is_write(&self) -> bool {
        const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];
        WRITES.contains(&self.verb.as_str())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(default)]
    user: User,
    #[serde(default)]
    verb: String,
    #[serde(default, deserialize_with = "null_as_default")]
    object_ref: ObjectRef,
    #[serde(default)]
    user_agent: String,
    stage: String,
    #[serde(default, deserialize_with = "null_as_default")]
    response_status: ResponseStatus,
    #[serde(default, rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    request_received_timestamp: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The finished requests in `log`, in the order of their ends. A last line without its end is still being written, and left out.
pub(crate) fn finished(log: &str) -> Result<Vec<AuditEvent>, Error> {
    let mut events = Vec::new();
    for (index, text) in log.split_inclusive('\n').enumerate() {
        if !text.ends_with('\n') {
            break;
        }
        let line: Line = serde_json::from_str(text).map_err(|source| Error::Audit { line: index + 1, source })?;
        // A watch is recorded at its start too (`ResponseStarted`).
        if !matches!(line.stage.as_str(), "ResponseComplete" | "Panic") {
            continue;
        }
        events.push(AuditEvent {
            user: line.user.username,
            verb: line.verb,
            api_group: line.object_ref.api_group,
            resource: line.object_ref.resource,
            subresource: line.object_ref.subresource,
            namespace: line.object_ref.namespace,
            name: line.object_ref.name,
            user_agent: line.user_agent,
            stage: line.stage,
            code: line.response_status.code,
            request_uri: line.request_uri,
            received: line.request_received_timestamp,
        });
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","stage":"ResponseComplete","requestURI":"/apis/apps/v1/namespaces/a/deployments/b/status?fieldManager=m","verb":"patch","user":{"username":"alice","groups":["g"]},"userAgent":"kubectl","objectRef":{"resource":"deployments","namespace":"a","name":"b","apiGroup":"apps","apiVersion":"v1","subresource":"status"},"responseStatus":{"metadata":{},"code":409},"requestReceivedTimestamp":"2026-01-02T03:04:05.000006Z"}"#;
    const STARTED: &str =
        r#"{"stage":"ResponseStarted","verb":"watch","user":{"username":"alice"},"responseStatus":{"code":200}}"#;

    #[test]
    fn a_finished_request_is_read_with_everything_that_tells_writes_apart() {
        let events = finished(&format!("{PATCH}\n")).unwrap();
        let [event] = events.as_slice() else {
            panic!("one line is one event, not {events:?}");
        };
        assert!(event.is_write());
        assert_eq!(
            [&event.user, &event.api_group, &event.resource, &event.subresource, &event.namespace, &event.name],
            ["alice", "apps", "deployments", "status", "a", "b"]
        );
        assert_eq!((event.code, event.stage.as_str()), (409, "ResponseComplete"));
        assert_eq!(event.received, "2026-01-02T03:04:05.000006Z");
    }

    #[test]
    fn a_watch_that_still_runs_and_a_line_half_written_are_no_finished_requests() {
        let half = &PATCH[..40];
        assert_eq!(finished(&format!("{STARTED}\n{PATCH}\n{half}")).unwrap().len(), 1);
    }

    #[test]
    fn a_broken_line_is_reported_by_its_number() {
        let error = finished(&format!("{PATCH}\n{{\n")).unwrap_err();
        assert!(matches!(error, Error::Audit { line: 2, .. }), "{error}");
    }
}
