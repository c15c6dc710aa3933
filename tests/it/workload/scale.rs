//! Many Pods of which few ask: what the operator writes, what it asks the API server for, and what it keeps in memory. The small
//! form runs with the other tests; `WORKLOADS=large` runs 2,000 Pods in 200 namespaces, and prints its figures.

use std::collections::BTreeMap;
use std::io::{Write as _, stderr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use control_plane::ControlPlane;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use qos_operator::api::QosSession;
use serde_json::json;
use tokio::time::Instant;

use super::{USUAL, annotations};
use crate::support::process::memory;
use crate::support::{in_repository, stdout_of};

/// The user that the operator is.
const USER: &str = "qos-operator";

struct Size {
    namespaces: usize,
    pods: usize,
    asking: usize,
}

#[expect(clippy::disallowed_methods, reason = "a setting of this test, not of the program")]
fn size() -> Size {
    match std::env::var("WORKLOADS").as_deref() {
        Ok("large") => Size { namespaces: 200, pods: 2_000, asking: 50 },
        _ => Size { namespaces: 20, pods: 200, asking: 10 },
    }
}

/// The operator as a process, which goes with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn start(plane: &ControlPlane, workloads: bool) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qos-operator"));
        command.env("KUBECONFIG", plane.kubeconfig_for(USER).unwrap()).arg(format!("--workloads={workloads}"));
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn memory(&self, line: &str) -> Option<u32> {
        memory(self.0.id(), line)
    }
}

/// How often the operator has asked for what: verb and resource.
fn asked(plane: &ControlPlane, from: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in plane.audit_events().unwrap().into_iter().skip(from).filter(|event| event.user == USER) {
        *counts.entry(format!("{} {}", event.verb, event.resource)).or_default() += 1;
    }
    counts
}

/// Waits until the operator has begun to watch `resource`, or has asked for nothing new for a while.
async fn at_rest(plane: &ControlPlane) {
    let deadline = Instant::now() + Duration::from_mins(2);
    let mut before = usize::MAX;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = asked(plane, 0).values().sum();
        if now == before {
            return;
        }
        assert!(Instant::now() < deadline, "the operator does not come to rest");
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_pods_only_those_that_ask_cost_a_write_or_memory() {
    let size = size();
    let builder = ControlPlane::builder().user(USER, &["system:masters"]);
    let plane = tokio::task::spawn_blocking(|| builder.start().unwrap()).await.unwrap();
    stdout_of(plane.kubectl().args(["apply", "-f"]).arg(in_repository("crds")));
    stdout_of(plane.kubectl().args(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]));
    stdout_of(plane.kubectl().args(["create", "namespace", "qos-operator"]));
    let kubeconfig = Kubeconfig::read_from(plane.kubeconfig_path()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();

    // Without any Pod, and with workloads off.
    let mut rows = Vec::new();
    let idle = Process::start(&plane, false);
    at_rest(&plane).await;
    rows.push(("off, no Pods", idle.memory("VmRSS"), idle.memory("VmHWM")));
    drop(idle);

    populate(&client, &size).await;
    for workloads in [false, true] {
        let from = plane.audit_events().unwrap().len();
        let process = Process::start(&plane, workloads);
        if workloads {
            children(&client, size.asking).await;
        }
        at_rest(&plane).await;
        rows.push((if workloads { "on" } else { "off" }, process.memory("VmRSS"), process.memory("VmHWM")));
        let asked = asked(&plane, from);
        writeln!(
            stderr(),
            "{} Pods in {} namespaces, {} ask, workloads {workloads}: {asked:?}",
            size.pods,
            size.namespaces,
            size.asking
        )
        .unwrap();
        let of = |what: &str| asked.get(what).copied().unwrap_or_default();
        if !workloads {
            assert_eq!((of("list pods"), of("list services"), of("list nodes")), (0, 0, 0));
            continue;
        }
        // Each child's first write is the apply; what the session controller writes to it is its status.
        let applies = plane.audit_events().unwrap().into_iter().skip(from).filter(|event| {
            event.user == USER && event.is_write() && event.request_uri.contains("fieldManager=qos-operator-workload")
        });
        assert_eq!(applies.count(), size.asking, "a write for each that asks");
        assert_eq!(of("list pods"), size.pods.div_ceil(100), "pages of 100");
        let lists = ["services", "nodes"].map(|what| of(&format!("list {what}")));
        assert_eq!(lists, [1, 1]);
        assert_eq!((of("get pods"), of("get namespaces"), of("get services")), (0, 0, 0));
        assert_eq!(of("get qossessions"), size.asking, "whether the name is free");
        drop(process);
        // What is there already costs nothing at the next start.
        let from = plane.audit_events().unwrap().len();
        let again = Process::start(&plane, true);
        at_rest(&plane).await;
        let writes = plane.audit_events().unwrap().into_iter().skip(from);
        let writes =
            writes.filter(|event| event.user == USER && event.is_write() && event.request_uri.contains("qos-operator-workload"));
        assert_eq!(writes.count(), 0);
        drop(again);
    }
    for (what, rss, peak) in rows {
        writeln!(stderr(), "workloads {what}: {rss:?} kB resident, {peak:?} kB at most").unwrap();
    }
}

/// Namespaces, half of them opted in, and Pods; those that ask are in namespaces that may.
async fn populate(client: &Client, size: &Size) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    stream::iter(0..size.namespaces)
        .map(|n| {
            let enabled = if n % 2 == 0 { "enabled" } else { "disabled" };
            let namespace =
                json!({ "metadata": { "name": format!("n{n}"), "labels": { "qos-operator.io/workloads": enabled } } });
            let namespaces = namespaces.clone();
            async move { namespaces.create(&PostParams::default(), &serde_json::from_value(namespace).unwrap()).await }
        })
        .buffer_unordered(8)
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    stream::iter(0..size.pods)
        .map(|n| {
            let pods: Api<Pod> = Api::namespaced(client.clone(), &format!("n{}", n % size.namespaces));
            let mut pod = pod(n);
            // Every second namespace may ask.
            if n % 2 == 0 && n / 2 < size.asking {
                let mut all = annotations(USUAL);
                all["qos-operator.io/device"] = format!("tel:+4477009{n:05}").into();
                pod["metadata"]["annotations"] = all;
            }
            async move {
                let pod = serde_json::from_value(pod).unwrap();
                // The ServiceAccount of a new namespace comes by its controller.
                for _ in 0..600 {
                    if pods.create(&PostParams::default(), &pod).await.is_ok() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                panic!("Pod {n} cannot be made");
            }
        })
        .buffer_unordered(8)
        .collect::<Vec<_>>()
        .await;
}

/// A Pod of the size that they have in real clusters.
fn pod(n: usize) -> serde_json::Value {
    let env: Vec<_> = (0..30).map(|k| json!({ "name": format!("SETTING_{k}"), "value": "x".repeat(60) })).collect();
    let container =
        |name: &str| json!({ "name": name, "image": "example.com/app:1", "env": env, "command": ["run", "x".repeat(200)] });
    json!({
        "metadata": { "name": format!("p{n}"), "labels": { "app": "app" }, "annotations": { "example.com/config": "x".repeat(500) } },
        "spec": { "nodeName": "edge", "containers": [container("a"), container("b")] },
    })
}

async fn children(client: &Client, count: usize) {
    let sessions: Api<QosSession> = Api::all(client.clone());
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let there = sessions.list(&ListParams::default()).await.unwrap().items.len();
        if there == count {
            return;
        }
        assert!(there < count && Instant::now() < deadline, "{there} children, not {count}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
