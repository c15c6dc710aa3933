//! The kustomizations of examples/gitops, built by kubectl and shown to a real API server.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

use std::fs;

use serde_json::Value;

use crate::support::{cluster, in_repository, stdout_of};

const FOLDERS: [&str; 5] = ["provider", "sessions/base", "sessions/stadium", "flux", "argocd"];

fn documents(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().filter(|document| !document.is_null()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kustomization_is_built_and_what_is_ours_in_it_is_admitted() {
    let cluster = cluster().await;
    cluster.ensure_namespace("stadium").await;
    let folder = tempfile::tempdir().unwrap();
    let mut ours = 0;
    for name in FOLDERS {
        let built = stdout_of(cluster.kubectl().arg("kustomize").arg(in_repository("examples/gitops").join(name)));
        let objects = documents(&built);
        assert!(!objects.is_empty(), "{name} makes nothing");
        for (number, object) in objects.iter().enumerate() {
            if !object["apiVersion"].as_str().unwrap().starts_with("qos-operator.io/") {
                continue;
            }
            ours += 1;
            let file = folder.path().join(format!("{}-{number}.json", name.replace('/', "-")));
            fs::write(&file, object.to_string()).unwrap();
            stdout_of(
                cluster
                    .kubectl()
                    .args(["apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f"])
                    .arg(file),
            );
        }
    }
    assert_eq!(ours, 3);
}

#[test]
fn argo_cds_health_script_is_in_its_config_map_for_both_kinds() {
    let built = fs::read_to_string(in_repository("examples/gitops/argocd/kustomization.yaml")).unwrap();
    for kind in ["QosSession", "QosProvider"] {
        assert!(built.contains(&format!("resource.customizations.health.qos-operator.io_{kind}=health.lua")), "{kind}");
    }
    let script = fs::read_to_string(in_repository("examples/gitops/argocd/health.lua")).unwrap();
    // Argo CD loads no such library.
    assert!(!script.contains("string.") && !script.contains(":match") && !script.contains(":find"));
}
