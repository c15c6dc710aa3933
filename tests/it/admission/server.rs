//! Sending an object to the API server as kubectl does, in YAML and strictly, and reading why it was refused.

use kube::Client;
use kube::api::PostParams;
use kube::core::Request;
use kube::core::response::StatusCause;
use serde::Deserialize;
use serde_json::Value;

use crate::support::cluster;

/// The API server of the shared cluster.
pub(super) struct Server {
    client: Client,
}

/// Why an object was refused.
pub(super) struct Refusal {
    /// The whole message.
    pub(super) text: String,
    causes: Vec<StatusCause>,
}

impl Refusal {
    /// Whether this is the only reason: `message` (a part of it is enough) at `field`.
    pub(super) fn is_just(&self, field: &str, message: &str) -> bool {
        // A wrong type or length ends the check before the rules; the API server then adds a cause without a field that says so.
        let mut causes = self.causes.iter().filter(|cause| cause.field != "<nil>").peekable();
        causes.peek().is_some() && causes.all(|cause| cause.field == field && cause.message.contains(message))
    }
}

#[derive(Deserialize)]
struct Head {
    kind: String,
    metadata: HeadMetadata,
}

#[derive(Deserialize)]
struct HeadMetadata {
    namespace: Option<String>,
}

impl Server {
    /// That of the cluster that all tests share.
    pub(super) async fn shared() -> Self {
        Self { client: cluster().await.client() }
    }

    /// Creates the object that `yaml` (or JSON) describes, in its namespace or `default`, without keeping it. Returns it as it would
    /// have been kept.
    pub(super) async fn dry_run(&self, yaml: &str) -> Result<Value, Refusal> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let mut request = Request::new(path_of(yaml)).create(&params, yaml.as_bytes().to_vec()).unwrap();
        // The API server reads YAML itself, so no parser of ours decides what an unquoted number is.
        request.headers_mut().insert("content-type", "application/yaml".parse().unwrap());
        *request.uri_mut() = format!("{}&fieldValidation=Strict", request.uri()).parse().unwrap();
        match self.client.request(request).await {
            Ok(object) => Ok(object),
            Err(kube::Error::Api(status)) => {
                let causes = status.details.clone().map(|details| details.causes).unwrap_or_default();
                Err(Refusal { text: status.message.clone(), causes })
            }
            Err(other) => panic!("the API server does not answer: {other}"),
        }
    }
}

/// Where objects of this kind are created.
fn path_of(yaml: &str) -> String {
    let head: Head = serde_saphyr::from_str(yaml).unwrap();
    let namespace = head.metadata.namespace.as_deref().unwrap_or("default");
    let (group, namespaced, plural) = match head.kind.as_str() {
        "QosSession" => ("apis/qos-operator.io/v1alpha1", true, "qossessions"),
        "QosProvider" => ("apis/qos-operator.io/v1alpha1", false, "qosproviders"),
        "Namespace" => ("api/v1", false, "namespaces"),
        "Node" => ("api/v1", false, "nodes"),
        "Pod" => ("api/v1", true, "pods"),
        "Service" => ("api/v1", true, "services"),
        "Secret" => ("api/v1", true, "secrets"),
        "ResourceQuota" => ("api/v1", true, "resourcequotas"),
        "Deployment" => ("apis/apps/v1", true, "deployments"),
        "Job" => ("apis/batch/v1", true, "jobs"),
        "ValidatingAdmissionPolicy" => ("apis/admissionregistration.k8s.io/v1", false, "validatingadmissionpolicies"),
        "ValidatingAdmissionPolicyBinding" => {
            ("apis/admissionregistration.k8s.io/v1", false, "validatingadmissionpolicybindings")
        }
        other => panic!("no path is known for {other}"),
    };
    if namespaced { format!("/{group}/namespaces/{namespace}/{plural}") } else { format!("/{group}/{plural}") }
}
