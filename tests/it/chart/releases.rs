//! A release's life on a real API server, without nodes: what helm makes, keeps and leaves. (With Pods: `make e2e`.)

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use qos_operator::api::{QosProvider, QosSession};
use serde_json::json;

use super::{NAMESPACE, chart, tools};
use crate::support::Cluster;

struct Helm<'a> {
    cluster: &'a Cluster,
    home: &'a Path,
}

impl Helm<'_> {
    fn run(&self, arguments: &[&str], chart: Option<&Path>) -> Output {
        let mut helm = Command::new(tools().join("helm4"));
        helm.args(&arguments[..2]).args(chart).args(&arguments[2..]).args(["--namespace", NAMESPACE]);
        helm.env("KUBECONFIG", self.cluster.kubeconfig());
        for home in ["HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_CACHE_HOME"] {
            helm.env(home, self.home);
        }
        helm.output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str], chart: Option<&Path>) {
        let output = self.run(arguments, chart);
        assert!(output.status.success(), "helm {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A copy of the chart whose QosSessions know one field more.
fn newer_chart(folder: &Path) -> std::path::PathBuf {
    let copy = folder.join("newer");
    assert!(Command::new("cp").arg("-r").arg(chart()).arg(&copy).status().unwrap().success());
    let file = copy.join("files/crds/qos-operator.io_qossessions.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let (field, newer) =
        ("              suspend:\n", "              newer:\n                type: string\n              suspend:\n");
    assert_eq!(text.matches(field).count(), 1, "where the new field goes");
    fs::write(&file, text.replace(field, newer)).unwrap();
    let file = copy.join("Chart.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\nversion: 0.", "\nversion: 99.")).unwrap();
    copy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_brings_new_fields_and_touches_no_object_and_an_uninstall_keeps_both() {
    let cluster = Cluster::of_its_own().await;
    let folder = tempfile::tempdir().unwrap();
    let helm = Helm { cluster, home: folder.path() };
    let definitions: Api<CustomResourceDefinition> = Api::all(cluster.client());
    let providers: Api<QosProvider> = Api::all(cluster.client());
    let sessions: Api<QosSession> = Api::namespaced(cluster.client(), "default");
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client(), NAMESPACE);
    let chart = chart();
    let with_simulator = ["--create-namespace", "--set", "simulator.enabled=true"];

    // This cluster has the definitions from elsewhere: helm does not take them unasked, as docs/upgrade.md says.
    let refused = helm.run(&[&["install", "demo"], &with_simulator[..]].concat(), Some(&chart));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("invalid ownership metadata"), "{text}");
    helm.succeeds(&[&["upgrade", "demo", "--install", "--take-ownership"], &with_simulator[..]].concat(), Some(&chart));
    let provider = providers.get("simulator").await.unwrap();
    let manifest = json!({
        "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession", "metadata": { "name": "camera-12" },
        "spec": {
            "device": { "phoneNumber": "+447700900112" }, "applicationServer": { "ipv4Address": "198.51.100.10" }, "qosProfile": "QOS_E",
        },
    });
    let session = sessions.create(&PostParams::default(), &serde_json::from_value(manifest).unwrap()).await.unwrap();

    // kubectl's apply still owns what it has written there, in the words of a server-side apply, so helm must insist (docs/upgrade.md).
    helm.succeeds(&["upgrade", "demo", "--reuse-values", "--force-conflicts"], Some(&newer_chart(folder.path())));
    let served = serde_json::to_value(definitions.get("qossessions.qos-operator.io").await.unwrap()).unwrap();
    let schema = &served["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    assert_eq!(schema["newer"]["type"], "string", "the new field is served");
    assert_eq!(providers.get("simulator").await.unwrap().uid(), provider.uid(), "a provider in use is not made anew");
    assert_eq!(sessions.get("camera-12").await.unwrap().resource_version(), session.resource_version());

    // No Pod runs here, so the guard's cannot.
    helm.succeeds(&["uninstall", "demo", "--no-hooks"], None);
    assert_eq!(sessions.get("camera-12").await.unwrap().resource_version(), session.resource_version());
    assert!(accounts.get_opt("demo-qos-operator").await.unwrap().is_none());
    helm.succeeds(&[&["install", "demo"], &with_simulator[..]].concat(), Some(&chart));
    assert!(accounts.get_opt("demo-qos-operator").await.unwrap().is_some());
    assert_eq!(sessions.get("camera-12").await.unwrap().uid(), session.uid());
}
