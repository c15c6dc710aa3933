//! The chart: what it renders, checked as a user of it would find out. Helm comes from `tests/chart/tools.sh`, which fetches it once.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod flags;
mod monitoring;
mod releases;
mod rendered;
mod rights;
mod server;
mod shape;
mod values;
mod waits;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{account, in_repository, stdout_of};

/// The namespace of the release in every rendering.
pub(crate) const NAMESPACE: &str = "qos-system";

fn chart() -> PathBuf {
    in_repository("charts/qos-operator")
}

/// Helm 4, and definitions of kinds of others; both fetched where they are not there yet. A test that cannot have them fails.
pub(crate) fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let printed = stdout_of(Command::new(in_repository("tests/chart/tools.sh")).arg("render"));
        PathBuf::from(printed.lines().last().unwrap())
    })
}

/// The sets of values in `ci/`, by name.
fn sets() -> Vec<(String, PathBuf)> {
    let mut sets: Vec<_> = fs::read_dir(chart().join("ci"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| Some((path.file_name()?.to_str()?.strip_suffix("-values.yaml")?.to_owned(), path)))
        .collect();
    sets.sort();
    assert!(sets.len() >= 12, "{} sets of values", sets.len());
    sets
}

/// Objects as one file: JSON is YAML.
fn stream(objects: &[Value]) -> String {
    objects.iter().flat_map(|object| ["---\n".to_owned(), object.to_string(), "\n".to_owned()]).collect()
}

/// What Helm makes of a set of values.
fn rendered(values: &Path) -> Vec<Value> {
    documents(&render(&["--values", values.to_str().unwrap()]))
}

fn render(arguments: &[&str]) -> String {
    let mut helm = Command::new(tools().join("helm4"));
    helm.args(["template", "demo"]).arg(chart()).args(["--namespace", NAMESPACE, "--kube-version", "1.37.2"]);
    stdout_of(helm.args(arguments))
}

/// Roles, bindings and account of a release whose guard may delete, the simulator's QosProvider too, which is named as the namespace.
pub(crate) fn rights_of_a_release() -> Vec<Value> {
    let settings = format!("uninstallGuard.mode=Delete,simulator.enabled=true,simulator.provider.name={NAMESPACE}");
    let all = documents(&render(&["--set", &settings]));
    all.into_iter().filter(|object| account::KINDS.contains(&object["kind"].as_str().unwrap())).collect()
}

fn documents(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().filter(|document| !document.is_null()).collect()
}

/// Kind, namespace and name, for messages.
fn name_of(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    format!("{} {}/{}", text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A Pod of the rendering: whose it is, its metadata and its spec.
struct Pod<'a> {
    of: String,
    kind: &'a str,
    namespace: &'a str,
    labels: &'a Value,
    spec: &'a Value,
}

fn pods(objects: &[Value]) -> Vec<Pod<'_>> {
    let with_pods = objects.iter().filter(|object| matches!(object["kind"].as_str(), Some("Deployment" | "Job" | "Pod")));
    with_pods
        .map(|object| {
            let template = if object["kind"] == "Pod" { object } else { &object["spec"]["template"] };
            Pod {
                of: name_of(object),
                kind: object["kind"].as_str().unwrap(),
                namespace: object["metadata"]["namespace"].as_str().unwrap(),
                labels: &template["metadata"]["labels"],
                spec: &template["spec"],
            }
        })
        .collect()
}
