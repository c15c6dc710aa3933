//! What a real API server says of every set of values: schema, admission, Pod security.

use std::fs;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{NAMESPACE, pods, rendered, sets, tools};
use crate::support::{Cluster, cluster, stdout_of};

/// How long, in real time, a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// A namespace that admits only Pods of the profile `restricted`, and warns of templates of others.
async fn restricted_namespace(cluster: &Cluster, name: &str) {
    let labels = json!({ "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted" });
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } });
    let api: Api<Namespace> = Api::all(cluster.client());
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(namespace)).await.unwrap();
}

async fn with_everything() -> &'static Cluster {
    let cluster = cluster().await;
    restricted_namespace(cluster, NAMESPACE).await;
    for watched in ["arena", "stadium"] {
        restricted_namespace(cluster, watched).await;
    }
    let foreign = tools().parent().unwrap().join("crds");
    let mut apply = cluster.kubectl();
    // Server-side: the definitions are larger than the annotation of a client-side apply may be.
    stdout_of(apply.args(["apply", "--server-side", "--force-conflicts", "-f"]).arg(foreign));
    let mut wait = cluster.kubectl();
    stdout_of(wait.args(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]));
    // Established is not yet served to everybody.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut get = cluster.kubectl();
        let output = get.args(["get", "--all-namespaces", "httproutes,servicemonitors,prometheusrules"]).output().unwrap();
        if output.status.success() {
            return cluster;
        }
        assert!(tokio::time::Instant::now() < deadline, "{}", String::from_utf8_lossy(&output.stderr));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The accounts of the Pods, without which none is admitted.
async fn accounts(cluster: &Cluster, objects: &[Value]) {
    let api: Api<ServiceAccount> = Api::namespaced(cluster.client(), NAMESPACE);
    for pod in pods(objects) {
        let account = pod.spec["serviceAccountName"].as_str().unwrap_or("default");
        let object = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": account } });
        api.patch(account, &PatchParams::apply("test").force(), &Patch::Apply(object)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_takes_every_set_of_values_strictly_and_without_a_warning() {
    let cluster = with_everything().await;
    let folder = tempfile::tempdir().unwrap();
    for (name, values) in sets() {
        let file = folder.path().join(format!("{name}.yaml"));
        // As YAML of one object after another; `-o name` would hide warnings.
        let objects = rendered(&values);
        accounts(cluster, &objects).await;
        let objects = super::stream(&objects);
        fs::write(&file, objects).unwrap();
        let mut apply = cluster.kubectl();
        apply.args([
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "--warnings-as-errors",
            "--server-side",
            "--force-conflicts",
            "-f",
        ]);
        let output = apply.arg(&file).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn every_pod_is_admitted_where_only_restricted_ones_are() {
    let cluster = with_everything().await;
    let client = cluster.client();
    let api: Api<Pod> = Api::namespaced(client, NAMESPACE);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let mut admitted = 0;
    for (name, values) in sets() {
        let objects = rendered(&values);
        accounts(cluster, &objects).await;
        for pod in pods(&objects) {
            let object = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": { "generateName": "pod-", "labels": pod.labels }, "spec": pod.spec,
            });
            // A Deployment's Pod restarts always; the template need not say so.
            let object: Pod = serde_json::from_value(object).unwrap();
            api.create(&dry, &object).await.unwrap_or_else(|error| panic!("{name}, {}: {error}", pod.of));
            admitted += 1;
        }
    }
    assert!(admitted > 30, "{admitted} Pods");
    // The namespace does refuse others.
    let (_, defaults) = sets().into_iter().find(|(name, _)| name == "default").unwrap();
    let objects = rendered(&defaults);
    let mut spec = pods(&objects)[0].spec.clone();
    spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
    let object = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "generateName": "pod-" }, "spec": spec });
    let refused = api.create(&dry, &serde_json::from_value(object).unwrap()).await.unwrap_err().to_string();
    assert!(refused.contains("violates PodSecurity \"restricted"), "{refused}");
}
