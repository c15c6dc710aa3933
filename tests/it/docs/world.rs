//! Where the pages' commands are run: a cluster of their own, with the chart installed as the pages say and every example applied.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::chart::tools;
use crate::support::{Cluster, in_repository, stdout_of};

/// The namespace of the release `qos` in every page.
const OPERATOR: &str = "qos-operator";
/// Examples that are not applied here: of kinds that this cluster has not, and the demo's, which its script completes.
const OTHERS: [&str; 2] = ["examples/gitops", "examples/demo"];

/// The cluster, and a folder in which the paths of this repository are valid.
pub(super) struct World {
    pub(super) cluster: &'static Cluster,
    home: TempDir,
}

/// The world that all tests of the pages share.
pub(super) async fn world() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD.get_or_init(World::made).await
}

impl World {
    async fn made() -> Self {
        let world = Self { cluster: Cluster::of_its_own().await, home: tempfile::tempdir().unwrap() };
        // The definitions are there without Helm: this is what docs/upgrade.md says of that.
        let chart = in_repository("charts/qos-operator");
        let install =
            ["upgrade", "qos", "--install", "--take-ownership", "--create-namespace", "--set", "simulator.enabled=true"];
        stdout_of(world.helm().args(install).args(["--namespace", OPERATOR]).arg(&chart));
        // A second revision, so that there is one to go back to.
        stdout_of(world.helm().args(["upgrade", "qos", "--namespace", OPERATOR, "--reset-then-reuse-values"]).arg(&chart));
        world.key_of_the_operator();
        let mut files = Vec::new();
        yaml_files(&in_repository("examples"), &mut files);
        files.retain(|file| !OTHERS.iter().any(|folder| file.starts_with(in_repository(folder))));
        assert!(files.len() > 15, "{files:?}");
        for file in files {
            for object in documents(&std::fs::read_to_string(&file).unwrap()) {
                world.namespace_of(&object).await;
            }
            stdout_of(world.kubectl().args(["apply", "-f"]).arg(file));
        }
        world
    }

    /// The Secret that the operator would make for itself, under the name that the chart gives it.
    fn key_of_the_operator(&self) {
        let get = ["get", "deployment", "qos-qos-operator", "-o", "jsonpath={.spec.template.spec.containers[0].args}"];
        let arguments = stdout_of(self.kubectl().args(["--namespace", OPERATOR]).args(get));
        let name = arguments.split("--key-secret=").nth(1).unwrap().split('"').next().unwrap().to_owned();
        stdout_of(self.kubectl().args([
            "--namespace",
            OPERATOR,
            "create",
            "secret",
            "generic",
            &name,
            "--from-literal=key=of-no-use",
        ]));
    }

    pub(super) fn kubectl(&self) -> Command {
        self.cluster.kubectl()
    }

    pub(super) fn helm(&self) -> Command {
        let mut helm = Command::new(tools().join("helm4"));
        helm.env("KUBECONFIG", self.cluster.kubeconfig());
        for home in ["HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_CACHE_HOME"] {
            helm.env(home, self.home.path());
        }
        helm
    }

    /// Makes the namespace of an object where it is not there yet.
    pub(super) async fn namespace_of(&self, object: &Value) {
        if let Some(namespace) = object["metadata"]["namespace"].as_str() {
            self.cluster.ensure_namespace(namespace).await;
        }
    }

    /// A folder in which the repository's own paths are valid and others may be written.
    pub(super) fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["charts", "crds", "docs", "examples", "Containerfile"] {
            std::os::unix::fs::symlink(in_repository(name), folder.path().join(name)).unwrap();
        }
        folder
    }
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            yaml_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

/// The documents of a stream that are not empty.
pub(super) fn documents(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().filter(|document| !document.is_null()).collect()
}
