//! What an operator does that may not list everywhere it is to act.

use std::path::Path;
use std::process::Command;

use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::{device, is_untouched, of_two};
use crate::admin_server::Serving;
use crate::support::elsewhere::Elsewhere;
use crate::support::process::OperatorProcess;
use crate::support::rights::roles;
use crate::support::stage::{LABEL, Stage, TOKEN};
use crate::support::stdout_of;

/// A process under an account that has rights nowhere yet.
fn process(stage: &Stage, folder: &Path, watched: &str) -> OperatorProcess {
    let namespace = &stage.namespace;
    stdout_of(stage.cluster.kubectl().args(["-n", namespace, "create", "serviceaccount", "operator"]));
    let token = stdout_of(stage.cluster.kubectl().args(["-n", namespace, "create", "token", "operator"]));
    let arguments = [
        format!("--namespace={namespace}"),
        format!("--watch-namespaces={watched}"),
        format!("--session-selector={LABEL}={namespace}"),
        "--workloads=false".to_owned(),
        "--admin-listen=127.0.0.1:0".to_owned(),
    ];
    OperatorProcess::new(folder, &stage.cluster.kubeconfig_of(token.trim()), arguments.to_vec())
}

/// The table's rights in the stage's own namespace, in the cluster, and in these.
fn grant(stage: &Stage, folder: &Path, watched: &[&str]) {
    let manifest = folder.join("roles.json");
    std::fs::write(&manifest, roles(&stage.namespace, watched).to_string()).unwrap();
    stdout_of(stage.cluster.kubectl().arg("apply").arg("-f").arg(&manifest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_namespace_cannot_be_listed_nothing_is_served_and_readiness_and_log_name_it() {
    let (mut stage, second, _) = of_two("list").await;
    stage.start().await;
    Elsewhere::new(&stage, &second).create("holder", device(11)).await;
    Elsewhere::new(&stage, &second).ready("holder", "True", "Available").await;
    stage.stop().await;
    // This one would be created, and would double the flow, if the holder were not known.
    stage.create("rival", device(11)).await;
    stage.create("other", device(12)).await;

    let folder = tempfile::tempdir().unwrap();
    let process = process(&stage, folder.path(), &format!("{},{second}", stage.namespace));
    grant(&stage, folder.path(), &[&stage.namespace]);
    process.start();
    let serving = Serving::of_process(&process).await;
    let line = format!(
        "[-]first-list-sessions failed: the first list is not complete: it waits for namespace {second} (403 Forbidden)\n"
    );
    // All else is well.
    serving.until("/readyz", 503, |text| text.contains(&line) && text.contains("[+]first-list-providers ok\n")).await;
    let log = process.log();
    assert!(log.contains("no QosSession is served yet") && log.contains("--watch-namespaces"), "{log}");
    assert!(log.contains(&format!("namespace {second} (403 Forbidden)")), "{log}");
    stage.quiet().await;
    for name in ["rival", "other"] {
        let object = stage.get(name).await.unwrap();
        assert!(is_untouched(&object), "{object:?}");
    }
    let up = serving.get("/metrics").await.1;
    assert!(up.contains("qos_operator_watch_up{resource=\"qossessions\"} 0"), "{up}");

    grant(&stage, folder.path(), &[&stage.namespace, &second]);
    stage.available("other").await;
    stage.ready("rival", "False", "DeviceBusy").await;
    serving.until("/readyz", 200, |text| text == "ok").await;
    assert_eq!(stage.calls(Operation::Create), 2);
    Elsewhere::new(&stage, &second).clear().await;
    stage.available("rival").await;
    assert_eq!(stage.admin.ledger().doubled, 0);
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_does_not_exist_is_empty_and_is_served_once_it_is_made() {
    let stage = Stage::bare("absent").await;
    let missing = format!("{}-missing", stage.namespace);
    stage.secret(TOKEN).await;
    stage.provider(json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    let process = process(&stage, folder.path(), &format!("{},{missing}", stage.namespace));
    grant(&stage, folder.path(), &[&stage.namespace]);
    process.start();
    let serving = Serving::of_process(&process).await;
    stage.create("camera-1", device(1)).await;
    stage.available("camera-1").await;
    serving.until("/readyz", 200, |text| text == "ok").await;
    let line = format!("the namespace does not exist, so nothing is there kind=\"QosSession\" watched=namespace {missing}");
    assert_eq!(process.log().matches(&line).count(), 1, "{}", process.log());
    assert!(!process.log().contains("a watch failed"), "{}", process.log());

    stage.cluster.ensure_namespace(&missing).await;
    grant(&stage, folder.path(), &[&stage.namespace, &missing]);
    Elsewhere::new(&stage, &missing).create("camera-2", device(2)).await;
    Elsewhere::new(&stage, &missing).ready("camera-2", "True", "Available").await;
    Elsewhere::new(&stage, &missing).clear().await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_asks_for_the_rights_in_each_namespace_and_for_none_in_one_that_does_not_exist() {
    let (stage, second, _) = of_two("asked").await;
    let first = &stage.namespace;
    let folder = tempfile::tempdir().unwrap();
    let watched = format!("{first},{second},{first}-missing");
    // Never started: its kubeconfig is what is wanted.
    let _process = process(&stage, folder.path(), &watched);
    grant(&stage, folder.path(), &[first]);
    let mut check = Command::new(env!("CARGO_BIN_EXE_qos-operator"));
    check.args(["check", "--namespace", first, "--watch-namespaces", &watched, "--workloads=false"]);
    check.env("KUBECONFIG", folder.path().join("kubeconfig"));
    let allowed = format!("ok: may list qossessions in namespace {first}: ");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    // The authorizer learns of new roles a moment later.
    let text = loop {
        let text = String::from_utf8(check.output().unwrap().stdout).unwrap();
        if text.contains(&allowed) && text.contains("warning: watched namespace") {
            break text;
        }
        assert!(std::time::Instant::now() < deadline, "{allowed} is not in {text}");
    };
    let refused = format!(
        "FAILED: may list qossessions in namespace {second}: not allowed, and needed to see what is declared, and to put finalizer and \
         attempt record on it: let a Role grant it to this ServiceAccount\n"
    );
    assert!(text.contains(&refused), "{text}");
    assert!(text.contains(&format!("warning: watched namespace {first}-missing: it does not exist")), "{text}");
    assert!(!text.contains(&format!("in namespace {first}-missing")), "{text}");
    assert!(!check.status().unwrap().success());
    stage.finish().await;
}
