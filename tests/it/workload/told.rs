//! What is told on Pods and Services, once each, with key, entry and remedy and never a value.

use k8s_openapi::api::core::v1::{Node, Pod, ResourceQuota, Service};
use k8s_openapi::jiff::SignedDuration;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use qos_operator::workload;
use qos_operator::workload::notice::Reason;
use serde_json::json;

use super::{Pairs, USUAL, Workloads, unclaimed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_told_once_on_its_object_and_asks_for_nothing() {
    let workloads = Workloads::new("told").await;
    let [profile, device, server] = [USUAL[0], USUAL[1], USUAL[2]];
    let rows: [(&str, Pairs<'_>, &str, &str); 5] = [
        (
            "typo",
            &[("profil", "QOS_E")],
            "UnknownAnnotation",
            "qos-operator.io/profil is not known; did you mean qos-operator.io/profile?",
        ),
        (
            "empty",
            &[("profile", ""), device, server],
            "InvalidAnnotation",
            "qos-operator.io/profile: 3 to 256 of letters, digits, '_', '.', '-'",
        ),
        (
            "bad-duration",
            &[profile, device, server, ("duration", "3600")],
            "InvalidAnnotation",
            "qos-operator.io/duration: write the unit, such as 3600s, 60m or 1h30m",
        ),
        ("no-profile", &[device, server], "InvalidAnnotation", "qos-operator.io/profile is missing: nothing is asked for"),
        (
            "no-address",
            &[profile, device],
            "NoAddress",
            "a Service that is not of type LoadBalancer has no address for this: set qos-operator.io/application-server",
        ),
    ];
    for (name, pairs, reason, note) in rows {
        workloads.service(name, pairs, "ClusterIP").await;
        assert_eq!(workloads.warned(name, reason).await, note);
    }
    workloads.service("two", &[profile, ("device", "tel:1"), ("duration", "x"), server], "ClusterIP").await;
    workloads.warned("two", "InvalidAnnotation").await;
    // Another change of the object is no reason to tell it again, nor is a restart of what made it.
    workloads.annotate::<Service>("typo", &[("profil", Some("QOS_S"))]).await;
    workloads.stage.quiet().await;
    assert_eq!(workloads.stage.events("typo").await.len(), 1);
    assert_eq!(workloads.stage.events("two").await.len(), 2, "a fault each");
    let counts = &workloads.stage.operator().workloads;
    assert_eq!([counts.asking(), counts.unserved(), counts.children()], [6, 5, 0]);
    assert_eq!(workloads.calls(), [0, 0]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_replicas_are_told_once() {
    let workloads = Workloads::new("replicas").await;
    let set = workloads.controller("ReplicaSet", "encoder").await;
    for n in 0..10 {
        workloads.pod(&format!("encoder-{n}"), &[("profil", "QOS_E")], Some(&set), Some("edge")).await;
    }
    // Which of those of one second is the first, their uids decide.
    let told = async || {
        let mut told = Vec::new();
        for n in 0..10 {
            told.extend(workloads.stage.events(&format!("encoder-{n}")).await);
        }
        told
    };
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while told().await.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "none is told");
    }
    workloads.stage.quiet().await;
    let told = told().await;
    assert_eq!(told.iter().map(|(_, reason, _)| reason.as_str()).collect::<Vec<_>>(), ["UnknownAnnotation"]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_balancer_with_a_host_name_only_is_told_and_one_without_an_address_for_a_moment_changes_nothing() {
    let workloads = Workloads::new("balancer").await;
    let asks = &USUAL[..2];
    workloads.service("named", asks, "LoadBalancer").await;
    workloads.stage.quiet().await;
    assert_eq!(workloads.stage.events("named").await, [], "an address may come");
    workloads.ingress("named", json!([{ "hostname": "lb.example.com" }])).await;
    let note = workloads.warned("named", "NoAddress").await;
    assert_eq!(note, "the load balancer has a host name and no IP address: set qos-operator.io/application-server");
    assert_eq!(workloads.children().await.len(), 0);
    workloads.api::<Service>().delete("named", &DeleteParams::default()).await.unwrap();

    workloads.service("media", asks, "LoadBalancer").await;
    workloads.ingress("media", json!([{ "ip": "198.51.100.7" }, { "ip": "2001:db8::7" }])).await;
    let child = workloads.one().await;
    let server = serde_json::to_value(&child.spec.application_server).unwrap();
    assert_eq!(server, json!({ "ipv4Address": "198.51.100.7", "ipv6Address": "2001:db8::7" }));
    assert_eq!(child.spec.application_server_ports.clone().unwrap().ports, Some(vec![5060, 8554]));
    workloads.ingress("media", json!([])).await;
    workloads.pass(120).await;
    let still = workloads.one().await;
    assert_eq!((still.metadata.uid, unclaimed(&child)), (child.metadata.uid, false));
    workloads.ingress("media", json!([{ "ip": "198.51.100.9" }])).await;
    workloads
        .until("the new address", |all| {
            all.len() == 1 && all[0].spec.application_server.ipv4_address.as_deref() == Some("198.51.100.9")
        })
        .await;
    workloads.one().await;
    assert_eq!(workloads.calls(), [2, 1]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_device_is_taken_when_the_pod_is_bound_and_its_lack_is_told() {
    let workloads = Workloads::new("node").await;
    let asks: Pairs<'_> = &[USUAL[0], USUAL[2]];
    let plain = workloads.node("plain", None).await;
    workloads.pod("unbound", asks, None, None).await;
    workloads.pod("bound", asks, None, Some(&plain)).await;
    let note = workloads.warned("bound", "NoDevice").await;
    assert_eq!(note, format!("neither the Pod nor its Node {plain} names a device: set qos-operator.io/device on one of them"));
    assert_eq!((workloads.stage.events("unbound").await.len(), workloads.children().await.len()), (0, 0));
    let nodes: Api<Node> = Api::all(workloads.stage.client.clone());
    let device =
        |value: Option<&str>| Patch::Merge(json!({ "metadata": { "annotations": { "qos-operator.io/device": value } } }));
    nodes.patch(&plain, &PatchParams::default(), &device(Some("tel:+447700900131"))).await.unwrap();
    let child = workloads.one().await;
    assert_eq!(child.spec.device.phone_number, Some("+447700900131".into()));
    // What the scheduler does.
    let binding = json!({ "apiVersion": "v1", "kind": "Binding", "metadata": { "name": "unbound" }, "target": { "kind": "Node", "name": plain } });
    let path = format!("/api/v1/namespaces/{}/pods/unbound/binding", workloads.stage.namespace);
    let request = kube::core::Request::new(path).create(&kube::api::PostParams::default(), binding.to_string().into_bytes());
    let mut request = request.unwrap();
    *request.uri_mut() = request.uri().to_string().replace("/binding/", "/binding").parse().unwrap();
    workloads.stage.client.request::<serde_json::Value>(request).await.unwrap();
    workloads.until("owned by both", |all| all.len() == 1 && super::owners(&all[0]) == ["Pod bound", "Pod unbound"]).await;
    nodes.patch(&plain, &PatchParams::default(), &device(None)).await.unwrap();
    workloads.none().await;

    // Switched off, a Node's device is nobody's.
    let mut workloads = workloads;
    workloads.stage.stop().await;
    nodes.patch(&plain, &PatchParams::default(), &device(Some("tel:+447700900131"))).await.unwrap();
    workloads.stage.workloads = Some(workload::Settings { linger: SignedDuration::from_secs(60), node_devices: false });
    workloads.stage.start().await;
    workloads.pod("third", asks, None, Some(&plain)).await;
    let note = workloads.warned("third", "NoDevice").await;
    assert_eq!(note, "the Pod names no device, and Nodes name none here: set qos-operator.io/device on the Pod");
    assert_eq!(workloads.calls(), [1, 1]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_of_two_claims_decides_and_the_younger_is_told() {
    let workloads = Workloads::new("shared-flow").await;
    let all_ports = ("application-server-ports", "1-65535");
    let old = workloads.pod("old", &[USUAL[0], USUAL[1], USUAL[2], all_ports], None, Some("edge")).await;
    workloads.one().await;
    // creationTimestamp has seconds; of two in the same second the lower uid is the older.
    let mut young = workloads.service("young", &[("profile", "QOS_S"), USUAL[1], USUAL[2], all_ports], "ClusterIP").await;
    while young.metadata.creation_timestamp <= old.metadata.creation_timestamp {
        workloads.api::<Service>().delete("young", &DeleteParams::default()).await.unwrap();
        young = workloads.service("young", &[("profile", "QOS_S"), USUAL[1], USUAL[2], all_ports], "ClusterIP").await;
    }
    let note = workloads.warned("young", "FlowShared").await;
    assert!(note.starts_with("qos-operator.io/profile: Pod old is older, asks for the same flow and decides"), "{note}");
    let child = workloads.until("owned by both", |all| all.len() == 1 && super::owners(&all[0]).len() == 2).await.remove(0);
    assert_eq!(child.spec.qos_profile, "QOS_E");
    workloads.pod_gone("old").await;
    workloads.until("the younger's", |all| all.len() == 1 && all[0].spec.qos_profile == "QOS_S").await;
    workloads.one().await;
    assert_eq!(workloads.children().await[0].metadata.uid, child.metadata.uid);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_a_quota_refuses_is_told_with_the_api_servers_message_and_tried_again_slowly() {
    let mut workloads = Workloads::new("quota").await;
    workloads.stage.refused_on_purpose = true;
    let quota = json!({ "metadata": { "name": "qos" }, "spec": { "hard": { "count/qossessions.qos-operator.io": "0" } } });
    let _: ResourceQuota = workloads.create(quota).await;
    // The quota controller does not run here: what it would find is written by hand.
    let zero = json!({ "status": { "hard": { "count/qossessions.qos-operator.io": "0" }, "used": { "count/qossessions.qos-operator.io": "0" } } });
    workloads.api::<ResourceQuota>().patch_status("qos", &PatchParams::default(), &Patch::Merge(zero)).await.unwrap();
    workloads.pod("camera", USUAL, None, Some("edge")).await;
    let note = workloads.warned("camera", "ChildRefused").await;
    assert!(note.starts_with("the API server refused QosSession qos-") && note.contains("exceeded quota: qos"), "{note}");
    assert!(!note.contains("447700900112"), "{note}");
    workloads.pass(120).await;
    workloads.api::<ResourceQuota>().delete("qos", &DeleteParams::default()).await.unwrap();
    workloads.pass(60).await;
    assert_eq!(workloads.children().await.len(), 0, "it is tried again after ten minutes");
    workloads.stage.let_pass(600, 60).await;
    workloads.one().await;
    assert_eq!(workloads.stage.events("camera").await.len(), 1);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_opt_in_nothing_is_asked_for_and_that_is_told() {
    let mut workloads = Workloads::bare("not-enabled").await;
    workloads.stage.start().await;
    workloads.pod("camera", USUAL, None, Some("edge")).await;
    workloads.service("plain", &[], "ClusterIP").await;
    let note = workloads.warned("camera", "NamespaceNotEnabled").await;
    assert!(!note.contains("447700900112"), "{note}");
    assert_eq!((workloads.stage.events("plain").await.len(), workloads.children().await.len()), (0, 0));
    assert_eq!(workloads.calls(), [0, 0]);
    workloads.api::<Pod>().delete("camera", &DeleteParams::default().grace_period(0)).await.unwrap();
    workloads.finish().await;
}

#[test]
fn the_page_on_workloads_has_a_row_for_every_reason() {
    let page = include_str!("../../../docs/workloads.md");
    for reason in Reason::ALL {
        assert!(page.contains(&format!("| `{}` |", reason.as_str())), "{}", reason.as_str());
    }
}
