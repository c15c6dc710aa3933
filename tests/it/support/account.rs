//! The chart's own ServiceAccount: what an operator under test may do is what the chart grants, and nothing more.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Config, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::Cluster;
use crate::chart;

/// How long the API server may take to know the rights.
const PATIENCE: Duration = Duration::from_secs(30);
/// Kinds of the objects that say what an account may do, and the account itself.
pub(crate) const KINDS: [&str; 5] = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
/// Its name: that of a release named `demo`.
pub(crate) const NAME: &str = "demo-qos-operator";

/// The account of a release in `namespace`, with all that the chart grants it; its token is returned when the API server knows them.
pub(crate) async fn token(cluster: &Cluster, namespace: &str) -> String {
    let client = cluster.client();
    for object in granted_in(namespace).await {
        match object["kind"].as_str().unwrap() {
            "ServiceAccount" => apply(Api::<ServiceAccount>::namespaced(client.clone(), namespace), object).await,
            "Role" => apply(Api::<Role>::namespaced(client.clone(), namespace), object).await,
            "RoleBinding" => apply(Api::<RoleBinding>::namespaced(client.clone(), namespace), object).await,
            "ClusterRole" => apply(Api::<ClusterRole>::all(client.clone()), object).await,
            _ => apply(Api::<ClusterRoleBinding>::all(client.clone()), object).await,
        }
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(client, namespace);
    let request = TokenRequest::default();
    let token = accounts.create_token_request(NAME, &PostParams::default(), &request).await.unwrap();
    let token = token.status.unwrap().token.unwrap_or_default();
    wait_for_rights(&config(cluster, &token), namespace).await;
    token
}

/// The account of a release in `namespace`, as the audit log names it.
pub(crate) fn user(namespace: &str) -> String {
    format!("system:serviceaccount:{namespace}:{NAME}")
}

/// How the API server is reached by that token.
pub(crate) fn config(cluster: &Cluster, token: &str) -> Config {
    let mut config = cluster.config();
    config.auth_info = serde_json::from_value(json!({ "token": token })).unwrap();
    config
}

/// What the chart has for a release in that namespace. It is rendered once for the whole run.
async fn granted_in(namespace: &str) -> Vec<Value> {
    static RENDERED: OnceCell<Vec<Value>> = OnceCell::const_new();
    let rendered = RENDERED.get_or_init(async || tokio::task::spawn_blocking(chart::rights_of_a_release).await.unwrap()).await;
    let text = serde_json::to_string(rendered).unwrap();
    assert!(text.contains(chart::NAMESPACE));
    serde_json::from_str(&text.replace(chart::NAMESPACE, namespace)).unwrap()
}

async fn apply<K>(api: Api<K>, object: Value)
where
    K: kube::Resource + Clone + DeserializeOwned + Serialize + Debug,
{
    let object: K = serde_json::from_value(object).unwrap();
    api.patch(&object.name_any(), &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
}

/// The API server learns of roles and bindings by watches of its own: one of each binding is waited for.
async fn wait_for_rights(config: &Config, namespace: &str) {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(Client::try_from(config.clone()).unwrap());
    let may = |group: &str, resource: &str, namespace: Option<&str>| ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        verb: Some("list".to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for attributes in [may("qos-operator.io", "qosproviders", None), may("", "secrets", Some(namespace))] {
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        while !reviews.create(&PostParams::default(), &review).await.unwrap().status.is_some_and(|status| status.allowed) {
            assert!(tokio::time::Instant::now() < deadline, "the account of {namespace} has no right: {review:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
