//! `helm --wait` over QosSessions: it returns when all have come to what they declare, and fails where a person must act.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::tools;
use crate::support::stage::Stage;

/// A chart of these sessions, as a team would write one.
fn chart_of(folder: &Path, sessions: &[Value]) {
    fs::create_dir_all(folder.join("templates")).unwrap();
    fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: cameras\nversion: 0.1.0\n").unwrap();
    let objects = super::stream(sessions);
    fs::write(folder.join("templates/sessions.yaml"), objects).unwrap();
}

/// `helm upgrade --install --wait`, beside what else is to happen.
async fn upgrade(stage: &Stage, folder: &Path, timeout: &str) -> Output {
    let mut helm = Command::new(tools().join("helm4"));
    helm.args(["upgrade", "cameras", "--install", "--wait", "--timeout", timeout, "--namespace", &stage.namespace]).arg(folder);
    helm.env("KUBECONFIG", stage.cluster.kubeconfig());
    for home in ["HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_CACHE_HOME"] {
        helm.env(home, folder.join("helm"));
    }
    tokio::task::spawn_blocking(move || helm.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn helm_waits_for_what_is_declared_and_fails_at_once_where_a_person_must_act() {
    let stage = Stage::new("waits").await;
    let folder = tempfile::tempdir().unwrap();
    let available = stage.manifest("camera-1", json!({ "device": { "phoneNumber": "+447700900101" } }));
    let suspended = stage.manifest("camera-2", json!({ "device": { "phoneNumber": "+447700900102" }, "suspend": true }));
    let once = stage.manifest("camera-3", json!({ "device": { "phoneNumber": "+447700900103" }, "durationSeconds": 60 }));
    let good = [available, suspended, once];
    chart_of(folder.path(), &good);
    let output = upgrade(&stage, folder.path(), "60s").await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    stage.available("camera-1").await;
    stage.ready("camera-2", "True", "Suspended").await;
    // What has run out as declared is no failure of the next upgrade.
    stage
        .pass_until(600, 10, "camera-3", |object| crate::support::stage::condition(object, "Ready") == ("True", "Expired"))
        .await;
    let output = upgrade(&stage, folder.path(), "60s").await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let refused = stage.manifest("camera-4", json!({ "device": { "phoneNumber": "+447700900104" }, "qosProfile": "QOS_NONE" }));
    chart_of(folder.path(), &[&good[..], &[refused]].concat());
    let output = upgrade(&stage, folder.path(), "120s").await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("QOS_NONE is not offered"), "{text}");
    assert!(!text.contains("deadline exceeded"), "it waited for its time-out: {text}");
    stage.finish().await;
}
