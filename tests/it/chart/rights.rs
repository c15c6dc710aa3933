//! The operator under the chart's own ServiceAccount: what it is granted is what it needs.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::jiff::SignedDuration;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Config, ResourceExt as _};
use qos_operator::check::rights::{Need, RIGHTS};
use qos_operator::clock::Clock;
use qos_operator::operator;
use qos_operator::scope::Namespaces;
use qos_operator::simulator::settings::Operation;
use qos_operator::uninstall::drain::LeaseName;
use qos_operator::uninstall::plan::Settings;
use qos_operator::uninstall::{Mode, guard};
use serde_json::{Value, json};

use super::{documents, list, render};
use crate::support::process::OperatorProcess;
use crate::support::stage::{Stage, TOKEN};
use crate::support::{Cluster, account};

/// Granted, needed, and not always to be seen in this test's audit log, with the reason.
const SELDOM: [(&str, &str); 3] = [
    ("events.k8s.io/events patch", "only an Event that repeats within minutes is patched"),
    (
        "qos-operator.io/qossessions get",
        "an object is read by itself where the watch could not decode it, or a write met a change",
    ),
    ("qos-operator.io/qossessions create", "an apply that makes an object needs it, and is a patch in the log"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_needs_every_right_that_the_chart_grants_and_no_other() {
    // Of its own, since the chart's operator acts in all namespaces.
    let stage = Stage::on(Cluster::of_its_own().await, "rights").await;
    let namespace = stage.namespace.clone();
    let folder = tempfile::tempdir().unwrap();
    let rendered = super::rights_of_a_release();
    let config = stage.account().await;
    let kubeconfig = stage.cluster.kubeconfig_of(stage.account_token().await);
    let account = account::user(&namespace);
    let seen_before = stage.cluster.audit_events().len();
    let fixed =
        ["--key-secret=demo-qos-operator-key", "--leader-election", "--lease-name=demo-qos-operator", "--lease-retry-period=1s"];
    let arguments = fixed.map(str::to_owned).into_iter().chain([format!("--namespace={namespace}")]).collect();
    let operator_process = OperatorProcess::new(folder.path(), &kubeconfig, arguments);
    operator_process.start();
    let lived = AssertUnwindSafe(async {
        live(&stage).await;
        run_guard(&stage, config).await;
    });
    let lived = lived.catch_unwind().await.is_ok();
    assert!(lived, "the operator under the chart's account did not do it:\n{}", operator_process.log());
    let log = operator_process.log();
    operator_process.kill();

    // A watch is in the log when it has ended, a moment after the process.
    let seldom: BTreeSet<_> = SELDOM.iter().map(|(right, _)| (*right).to_owned()).collect();
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    loop {
        let events = stage.cluster.audit_events().into_iter().skip(seen_before);
        let events: Vec<_> = events.filter(|event| event.user == account).collect();
        let forbidden = events.iter().filter(|event| event.code == 403);
        let forbidden: Vec<_> = forbidden.map(|event| format!("{} {}", event.verb, event.request_uri)).collect();
        assert!(forbidden.is_empty(), "{forbidden:?}\n{log}");
        let used: BTreeSet<String> = events
            .iter()
            .filter(|event| event.code < 400 || event.code == 404 || event.code == 409)
            .map(|event| right(&event.api_group, &resource(&event.resource, &event.subresource), &event.verb))
            .collect();
        let granted = granted(&rendered);
        let unused: Vec<_> = granted.difference(&used).filter(|right| !seldom.contains(*right)).collect();
        if unused.is_empty() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "granted and not used: {unused:?}\n{log}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stage.stop_without_ledger().await;
}

/// All that sessions and providers go through.
async fn live(stage: &Stage) {
    stage.secret(TOKEN).await;
    stage.provider(json!({ "polling": { "availablePeriodSeconds": 10 } })).await;
    stage.create("camera-1", json!({})).await;
    stage.available("camera-1").await;
    stage.patch("camera-1", json!({ "spec": { "qosProfile": "QOS_S" } })).await;
    stage.available("camera-1").await;
    stage.patch("camera-1", json!({ "spec": { "suspend": true } })).await;
    stage.ready("camera-1", "True", "Suspended").await;
    stage.any_secret("phone", "number", "+447700900177").await;
    let from_secret =
        json!({ "device": { "phoneNumber": null, "phoneNumberFrom": { "secretKeyRef": { "name": "phone", "key": "number" } } } });
    stage.create("camera-2", from_secret).await;
    stage.available("camera-2").await;
    stage.create("camera-3", json!({ "qosProfile": "QOS_NONE", "device": { "phoneNumber": "+447700900178" } })).await;
    stage.ready("camera-3", "False", "ProfileUnavailable").await;
    stage.delete("camera-1").await;
    stage.gone("camera-1").await;
    ask_by_service(stage).await;
    assert!(stage.calls(Operation::Create) >= 3);
}

/// A Service asks for a session, until its namespace may not any more.
async fn ask_by_service(stage: &Stage) {
    let namespaces: Api<Namespace> = Api::all(stage.client.clone());
    let label = |value: Value| Patch::Merge(json!({ "metadata": { "labels": { "qos-operator.io/workloads": value } } }));
    namespaces.patch(&stage.namespace, &PatchParams::default(), &label(json!("enabled"))).await.unwrap();
    let services: Api<Service> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "media", "annotations": {
            "qos-operator.io/profile": "QOS_E", "qos-operator.io/device": "tel:+447700900179",
            "qos-operator.io/application-server": "198.51.100.20", "qos-operator.io/provider": stage.provider_name(),
        } },
        "spec": { "ports": [{ "port": 8554 }] },
    });
    services.create(&PostParams::default(), &serde_json::from_value(service).unwrap()).await.unwrap();
    let children = ListParams::default().labels("qos-operator.io/source=workload");
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    let child = loop {
        if let Some(child) = stage.sessions().list(&children).await.unwrap().items.pop() {
            break child.name_any();
        }
        assert!(tokio::time::Instant::now() < deadline, "the Service gets no session");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    stage.available(&child).await;
    namespaces.patch(&stage.namespace, &PatchParams::default(), &label(Value::Null)).await.unwrap();
    stage.gone(&child).await;
}

/// The guard has the same account.
async fn run_guard(stage: &Stage, config: Config) {
    let client: Client = operator::client(config).unwrap();
    let settings = Settings {
        mode: Mode::Delete,
        timeout: SignedDuration::from_secs(60),
        namespaces: Namespaces::default(),
        selector: None,
        workloads: true,
        lease: Some(LeaseName { namespace: stage.namespace.clone(), name: account::NAME.to_owned() }),
        delete_provider: Some(stage.provider_name().to_owned()),
        release: "demo".to_owned(),
    };
    let mut out = Vec::new();
    guard(&client, &settings, &Clock::system(), &mut out).await.unwrap();
}

fn resource(resource: &str, subresource: &str) -> String {
    if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") }
}

fn right(group: &str, resource: &str, verb: &str) -> String {
    format!("{}/{resource} {verb}", if group.is_empty() { "core" } else { group })
}

/// What the roles grant that are bound to the account.
fn granted(objects: &[Value]) -> BTreeSet<String> {
    let bound: Vec<_> = objects
        .iter()
        .filter(|object| object["kind"].as_str().unwrap().ends_with("Binding"))
        .map(|binding| (&binding["roleRef"]["kind"], &binding["roleRef"]["name"]))
        .collect();
    let roles = objects.iter().filter(|object| bound.contains(&(&object["kind"], &object["metadata"]["name"])));
    let mut rights = BTreeSet::new();
    for rule in roles.flat_map(|role| list(&role["rules"])) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                rights.extend(list(&rule["verbs"]).map(|verb| right(&text(group), &text(resource), &text(verb))));
            }
        }
    }
    assert!(rights.len() > 15, "{rights:?}");
    rights
}

/// `qos-operator check`, which `helm test` runs, asks for these.
#[test]
fn the_chart_grants_what_the_command_check_asks_for() {
    for values in [&[][..], &["--set", "workloads.enabled=false"], &["--set", "watchNamespaces={arena,stadium}"]] {
        let granted = granted(&documents(&render(values)));
        let workloads = !values.contains(&"workloads.enabled=false");
        let needed = RIGHTS.iter().filter(|right| match right.need {
            Need::Optional => false,
            Need::Workloads | Need::NodeDevices => workloads,
            Need::Always | Need::Election => true,
        });
        let missing: Vec<_> = needed
            .flat_map(|needed| needed.verbs.iter().map(|verb| right(needed.group, needed.resource, verb)))
            .filter(|right| !granted.contains(right))
            .collect();
        assert!(missing.is_empty(), "{values:?}: {missing:?}");
    }
}
