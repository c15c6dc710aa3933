//! The kustomizations of examples/gitops, built by kubectl and shown to a real API server; and the values that pages show, to Helm.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{cluster, in_repository, stdout_of};

const PAGES: [&str; 3] = ["docs/install.md", "docs/upgrade.md", "docs/gitops.md"];
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

/// The YAML blocks of a page.
fn blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(in_repository(page)).unwrap();
    text.split("```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn values_that_the_pages_show_are_taken_by_the_chart() {
    let helm = stdout_of(Command::new(in_repository("tests/chart/tools.sh")).arg("render"));
    let helm = PathBuf::from(helm.lines().last().unwrap()).join("helm4");
    let folder = tempfile::tempdir().unwrap();
    let mut taken = 0;
    for (page, block) in PAGES.iter().flat_map(|page| blocks(page).into_iter().map(move |block| (page, block))) {
        assert!(!documents(&block).is_empty(), "{page}: {block}");
        if block.starts_with("# values") {
            let file = folder.path().join(format!("{taken}.yaml"));
            fs::write(&file, &block).unwrap();
            let mut template = Command::new(&helm);
            template.args(["template", "demo"]).arg(in_repository("charts/qos-operator")).arg("--values").arg(&file);
            let output = template.args(["--kube-version", "1.37.2"]).output().unwrap();
            assert!(output.status.success(), "{page}: {block}\n{}", String::from_utf8_lossy(&output.stderr));
            taken += 1;
        }
    }
    assert!(taken >= 5, "{taken} blocks of values");
}

/// What the pages set by `--set` is a value, and what they link to is there.
#[test]
fn what_the_pages_name_is_there() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(in_repository("charts/qos-operator/values.schema.json")).unwrap()).unwrap();
    let mut named = 0;
    let more = [
        "charts/qos-operator/README.md",
        "docs/runbooks.md",
        "docs/README.md",
        "docs/getting-started.md",
        "docs/concepts.md",
        "docs/security.md",
        "docs/network.md",
        "docs/sizing.md",
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ];
    for page in PAGES.into_iter().chain(more) {
        let text = fs::read_to_string(in_repository(page)).unwrap();
        for rest in text.split("--set ").skip(1) {
            for setting in rest.split([' ', '`', '\n']).next().unwrap_or_default().split(',') {
                let path = setting.split('=').next().unwrap_or_default();
                let found = path.split('.').try_fold(&schema, |schema, key| schema["properties"].get(key));
                assert!(found.is_some(), "{page}: --set {setting} is no value of the chart");
                named += 1;
            }
        }
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| !link.contains("://")) {
            let target = link.split('#').next().unwrap_or_default();
            let path = in_repository(page).parent().unwrap().join(target);
            assert!(target.is_empty() || path.exists(), "{page} links to {link}, which is not there");
        }
    }
    assert!(named >= 3, "{named} settings");
}
