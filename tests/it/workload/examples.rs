//! `examples/workloads/`, and the shared examples of annotations where they are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Write as _, stderr};
use std::path::PathBuf;

use k8s_openapi::jiff::SignedDuration;
use qos_operator::workload;
use qos_operator::workload::annotations::{Kind, Parsed, parse, parse_node};
use qos_operator::workload::keys::KNOWN;
use serde_json::{Value, json};

use super::Workloads;
use crate::support::in_repository;

fn documents() -> Vec<(String, Value)> {
    let mut files: Vec<_> =
        fs::read_dir(in_repository("examples/workloads")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let (name, text) = (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap());
        let parsed = |document: &str| (name.clone(), serde_saphyr::from_str::<Value>(document).unwrap());
        text.split("\n---\n").map(parsed).collect::<Vec<_>>()
    };
    files.into_iter().flat_map(read).collect()
}

fn annotations_of(metadata: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(metadata["annotations"].clone()).unwrap_or_default()
}

#[test]
fn every_example_asks_for_what_it_says() {
    let (mut asking, mut nodes, mut keys) = (0, 0, BTreeSet::new());
    for (file, document) in documents() {
        let (kind, metadata) = match document["kind"].as_str().unwrap() {
            "Service" => (Kind::Service, &document["metadata"]),
            "Node" => {
                assert!(parse_node(&annotations_of(&document["metadata"])).unwrap().is_ok(), "{file}");
                nodes += 1;
                continue;
            }
            _ => (Kind::Pod, &document["spec"]["template"]["metadata"]),
        };
        match parse(kind, &annotations_of(metadata)) {
            Parsed::Asks(_) => asking += 1,
            Parsed::Nothing => continue,
            Parsed::Wrong(faults) => panic!("{file}: {faults:?}"),
        }
        keys.extend(annotations_of(metadata).into_keys());
    }
    assert_eq!((asking, nodes), (4, 1));
    assert!(keys.len() >= 5 && keys.len() <= KNOWN.len(), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_is_taken_by_the_api_server_and_becomes_its_sessions() {
    let workloads = Workloads::new("examples").await;
    let namespace = workloads.stage.namespace.clone();
    for (file, mut document) in documents() {
        // The rest of the test is in a namespace of its own.
        if document["metadata"]["namespace"].is_string() {
            document["metadata"]["namespace"] = namespace.clone().into();
        }
        let mut kubectl = workloads.stage.cluster.kubectl();
        kubectl.args(["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"]);
        let mut child = kubectl.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));

        let (kind, name) = (document["kind"].as_str().unwrap(), document["metadata"]["name"].as_str().unwrap());
        match kind {
            "Service" => {
                let _: k8s_openapi::api::core::v1::Service = workloads.create(document.clone()).await;
                workloads.ingress(name, json!([{ "ip": "198.51.100.7" }])).await;
            }
            "Secret" => workloads.stage.any_secret(name, "phone-number", "+346666666639").await,
            "Node" => {
                workloads.node("edge-7", document["metadata"]["annotations"]["qos-operator.io/device"].as_str()).await;
            }
            "Deployment" | "DaemonSet" | "StatefulSet" => {
                let metadata = json!({ "name": format!("{name}-0"), "annotations": document["spec"]["template"]["metadata"]["annotations"] });
                let mut spec = document["spec"]["template"]["spec"].clone();
                spec["nodeName"] = format!("{namespace}-edge-7").into();
                let _: k8s_openapi::api::core::v1::Pod = workloads.create(json!({ "metadata": metadata, "spec": spec })).await;
            }
            _ => {}
        }
    }
    let children = workloads.until("five", |all| all.len() == 5).await;
    for child in children {
        workloads.stage.available(child.metadata.name.as_deref().unwrap()).await;
    }
    workloads.finish().await;
}

/// What the first line of a shared example expects of the operator.
fn expected(text: &str) -> Option<(String, String)> {
    let rest = text.lines().next()?.strip_prefix("# admitted; expect-event on it: Warning ")?;
    let (reason, note) = rest.split_once(": ")?;
    let reason = reason.split(' ').next()?;
    Some((reason.to_owned(), note.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shared_example_of_a_wrong_annotation_is_told_as_its_first_line_says() {
    let folder = shared();
    if !folder.is_dir() {
        writeln!(stderr(), "shared examples: none, {} is not there (QOS_API_EXAMPLES names another folder)", folder.display())
            .unwrap();
        return;
    }
    let mut workloads = Workloads::bare("shared").await;
    workloads.stage.workloads = Some(workload::Settings { linger: SignedDuration::from_secs(60), node_devices: true });
    workloads.opt_in("enabled").await;
    workloads.stage.start().await;
    let node = workloads.node("edge-8", None).await;
    let mut told = 0;
    let mut files: Vec<_> = fs::read_dir(folder.join("invalid")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        // Without the label nothing else is told; that is a test of its own.
        let Some((reason, note)) = expected(&text).filter(|(reason, _)| reason != "NamespaceNotEnabled") else { continue };
        let mut document: Value = serde_saphyr::from_str(&text).unwrap();
        let name = document["metadata"]["name"].as_str().unwrap().to_owned();
        if document["kind"] == "Service" {
            let _: k8s_openapi::api::core::v1::Service = workloads.create(document).await;
            workloads.ingress(&name, json!([{ "hostname": "lb.example.com" }])).await;
        } else {
            if reason == "NoDevice" {
                document["spec"]["nodeName"] = node.clone().into();
            }
            let _: k8s_openapi::api::core::v1::Pod = workloads.create(document).await;
        }
        let said = workloads.warned(&name, &reason).await;
        let note = note.replace("edge-8", &node);
        assert!(said.contains(&note), "{}: {said:?} does not say {note:?}", file.display());
        told += 1;
    }
    assert_eq!((workloads.children().await.len(), workloads.calls()), (0, [0, 0]));
    writeln!(stderr(), "shared examples of wrong annotations: {told} told as stated").unwrap();
    assert!(told >= 19, "only {told}");
    workloads.finish().await;
}

#[test]
fn every_shared_example_of_an_annotation_asks() {
    let folder = shared();
    if !folder.is_dir() {
        writeln!(stderr(), "shared examples: none, {} is not there", folder.display()).unwrap();
        return;
    }
    let mut asking = 0;
    for file in fs::read_dir(folder.join("valid")).unwrap().map(|entry| entry.unwrap().path()) {
        let document: Value = match serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()) {
            Ok(document) => document,
            Err(error) => panic!("{}: {error}", file.display()),
        };
        let (kind, metadata) = match document["kind"].as_str() {
            Some("Pod") => (Kind::Pod, &document["metadata"]),
            Some("Service") => (Kind::Service, &document["metadata"]),
            Some("Deployment" | "Job") => (Kind::Pod, &document["spec"]["template"]["metadata"]),
            _ => continue,
        };
        let parsed = parse(kind, &annotations_of(metadata));
        assert!(matches!(parsed, Parsed::Asks(_)), "{}: {parsed:?}", file.display());
        asking += 1;
    }
    assert!(asking >= 9, "only {asking}");
}

#[expect(clippy::disallowed_methods, reason = "a setting of this test, not of the program")]
fn shared() -> PathBuf {
    std::env::var_os("QOS_API_EXAMPLES").map_or_else(|| in_repository("../shared/api-examples"), PathBuf::from)
}
