//! Workloads in some namespaces only.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::jiff::SignedDuration;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use qos_operator::api::QosSession;
use qos_operator::workload;
use serde_json::json;

use super::of_two;
use crate::support::elsewhere::Elsewhere;
use crate::support::stage::{LABEL, Stage};

const PATIENCE: Duration = Duration::from_mins(1);

/// Opts a namespace in, or out.
async fn opt(stage: &Stage, namespace: &str, value: Option<&str>) {
    let namespaces: Api<Namespace> = Api::all(stage.client.clone());
    let labels = json!({ "metadata": { "labels": { "qos-operator.io/workloads": value, LABEL: stage.namespace } } });
    namespaces.patch(namespace, &PatchParams::default(), &Patch::Merge(labels)).await.unwrap();
}

/// Opts a namespace in, and has a Service there ask for the session of a device.
async fn ask(stage: &Stage, namespace: &str, number: u32) {
    opt(stage, namespace, Some("enabled")).await;
    let services: Api<Service> = Api::namespaced(stage.client.clone(), namespace);
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "media", "annotations": {
            "qos-operator.io/profile": "QOS_E", "qos-operator.io/device": format!("tel:+4477009001{number:02}"),
            "qos-operator.io/application-server": "198.51.100.20", "qos-operator.io/provider": stage.provider_name(),
        } },
        "spec": { "ports": [{ "port": 8554 }] },
    });
    services.create(&PostParams::default(), &serde_json::from_value(service).unwrap()).await.unwrap();
}

/// Waits until no session is there.
async fn empty(sessions: &Api<QosSession>) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !sessions.list(&ListParams::default()).await.unwrap().items.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the child stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for the one child there.
async fn child(stage: &Stage, namespace: &str) {
    let there = Elsewhere::new(stage, namespace);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let name = loop {
        if let Some(child) = there.sessions.list(&ListParams::default()).await.unwrap().items.pop() {
            break child.name_any();
        }
        assert!(tokio::time::Instant::now() < deadline, "no child in {namespace}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    there.ready(&name, "True", "Available").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_in_a_namespace_that_is_named_is_served_and_who_asks_in_another_one_is_not() {
    let (mut stage, second, third) = of_two("asking").await;
    stage.workloads = Some(workload::Settings { linger: SignedDuration::from_secs(60), node_devices: false });
    let first = stage.namespace.clone();
    ask(&stage, &third, 3).await;
    ask(&stage, &first, 1).await;
    stage.start().await;
    child(&stage, &first).await;
    ask(&stage, &second, 2).await;
    child(&stage, &second).await;
    stage.quiet().await;
    let third = Elsewhere::new(&stage, &third).sessions;
    assert!(third.list(&ListParams::default()).await.unwrap().items.is_empty());

    for namespace in [&first, &second] {
        opt(&stage, namespace, None).await;
        empty(&Elsewhere::new(&stage, namespace).sessions).await;
    }
    assert_eq!(stage.admin.ledger_at_end().released, 2);
    stage.finish().await;
}
