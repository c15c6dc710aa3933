//! `qos-operator check`, and the same look at the start, in every case.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use control_plane::ControlPlane;
use qos_operator::check::rights::RIGHTS;
use qos_operator::simulator::Selection;
use serde_json::{Value, json};

use super::{PATIENCE, flags};
use crate::support::process::OperatorProcess;
use crate::support::rights::{is_needed, roles};
use crate::support::stage::{LABEL, Stage, TOKEN};
use crate::support::{cluster, in_repository, stdout_of};

const PAGE: &str = include_str!("../../../docs/operations.md");

const NO_FLAGS: [&str; 0] = [];

/// What `check` says, and whether it is content.
struct Checked {
    well: bool,
    text: String,
}

impl Checked {
    fn with(kubeconfig: &Path, flags: &[impl AsRef<OsStr>]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qos-operator"));
        let output = command.arg("check").args(flags).env("KUBECONFIG", kubeconfig).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Self { well: output.status.success(), text }
    }

    fn lines(&self, word: &str) -> Vec<&str> {
        self.text.lines().filter(|line| line.starts_with(word)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_of_rights_is_all_that_the_operator_needs_and_uses_and_without_them_check_names_each() {
    let stage = Stage::bare("rights").await;
    let folder = tempfile::tempdir().unwrap();
    let namespace = stage.namespace.clone();
    stdout_of(stage.cluster.kubectl().args(["-n", &namespace, "create", "serviceaccount", "operator"]));
    let token = stdout_of(stage.cluster.kubectl().args(["-n", &namespace, "create", "token", "operator"]));
    let user = format!("system:serviceaccount:{namespace}:operator");
    let mut flags = flags(&stage);
    flags.extend(["--key-secret", "another-key", "--leader-election", "--workloads=false"].map(str::to_owned));
    let process = OperatorProcess::new(folder.path(), &stage.cluster.kubeconfig_of(token.trim()), flags.clone());
    let look = || Checked::with(&folder.path().join("kubeconfig"), &flags);

    let bare = look();
    assert!(!bare.well, "{}", bare.text);
    let failed = bare.lines("FAILED: may ");
    let needed: usize = RIGHTS.iter().filter(|right| is_needed(right)).map(|right| right.verbs.len()).sum();
    assert_eq!(failed.len(), needed, "{}", bare.text);
    let line = "FAILED: may patch qosproviders/status in all namespaces: not allowed, and needed to tell whether the provider can \
                be used: let a ClusterRole grant it to this ServiceAccount";
    assert!(failed.contains(&line), "{}", bare.text);
    assert_eq!(bare.lines("ok: definition ").len(), 2, "that needs no right: {}", bare.text);

    let manifest = folder.path().join("roles.json");
    std::fs::write(&manifest, roles(&namespace, &[&namespace]).to_string()).unwrap();
    stdout_of(stage.cluster.kubectl().arg("apply").arg("-f").arg(&manifest));
    // The authorizer learns of new roles a moment later, and the storage of new definitions takes a moment too.
    let no_default = "warning: default provider: no QosProvider is the default";
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let granted = loop {
        let granted = look();
        let settled = granted.lines("warning").iter().any(|line| line.starts_with(no_default));
        if (granted.well && settled) || tokio::time::Instant::now() > deadline {
            break granted;
        }
    };
    assert!(granted.well, "{}", granted.text);
    assert_eq!(granted.lines("FAILED"), Vec::<&str>::new(), "{}", granted.text);
    assert!(granted.lines("warning").iter().any(|line| line.starts_with(no_default)), "{}", granted.text);

    // The operator lives a whole life with them; what `check` asked before does not count.
    let before = stage.cluster.audit_events().iter().filter(|event| event.user == user).count();
    let asked = || stage.cluster.audit_events().into_iter().filter(|event| event.user == user).skip(before);
    stage.secret(TOKEN).await;
    process.start();
    stage.provider(json!({})).await;
    stage.create("camera-12", json!({})).await;
    stage.available("camera-12").await;
    // What the network ends is told by an Event.
    stage.admin.terminate(&Selection::default());
    stage.patch("camera-12", json!({ "metadata": { "annotations": { "qos-operator.io/reconcile-requested-at": "1" } } })).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while stage.events("camera-12").await.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "no Event: {}", process.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    stage.available("camera-12").await;
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    // A watch is in the audit log when it has ended, and a lease that was never renewed is written when it is given back.
    process.signal("TERM");
    assert!(process.wait(PATIENCE).is_some_and(|status| status.success()), "{}", process.log());
    let mut unused = Vec::new();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        unused.clear();
        let asked: Vec<_> = asked().collect();
        for right in RIGHTS.iter().filter(|right| is_needed(right)) {
            let (resource, subresource) = right.resource.split_once('/').unwrap_or((right.resource, ""));
            for verb in right.verbs {
                let used = asked.iter().any(|event| {
                    (event.api_group.as_str(), event.resource.as_str(), event.subresource.as_str(), event.verb.as_str())
                        == (right.group, resource, subresource, *verb)
                });
                if !used {
                    unused.push(format!("{verb} {}", right.resource));
                }
            }
        }
        // With reasons: an object is read again only where it cannot be decoded or a write met a newer version, and an Event is
        // patched only when it repeats.
        unused.retain(|right| !["get qossessions", "patch events"].contains(&right.as_str()));
        if unused.is_empty() || tokio::time::Instant::now() > deadline {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let refused: Vec<_> =
        asked().filter(|event| event.code == 403).map(|event| format!("{} {}", event.verb, event.request_uri)).collect();
    assert_eq!(refused, Vec::<String>::new(), "{}", process.log());
    assert_eq!(unused, Vec::<String>::new(), "no right is there that is not used");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_provider_that_is_ready_is_told_and_one_that_is_not_is_a_warning_with_its_reason() {
    let stage = Stage::new("default").await;
    let kubeconfig = cluster().await.kubeconfig();
    let selector = format!("{LABEL}={}", stage.namespace);
    let flags = ["--namespace", stage.namespace.as_str(), "--session-selector", &selector];
    let mark = json!({ "metadata": { "annotations": { "qos-operator.io/is-default-provider": "true" } } }).to_string();
    stdout_of(stage.cluster.kubectl().args(["patch", "qosprovider", stage.provider_name(), "--type=merge", "-p", &mark]));
    let says = |word: &str, text: &str| {
        let line = format!("{word}: default provider: QosProvider {} {text}", stage.provider_name());
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let checked = Checked::with(&kubeconfig, &flags);
            if checked.text.lines().any(|found| found.starts_with(&line)) {
                assert!(checked.well, "{}", checked.text);
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{line} is not in {}", checked.text);
        }
    };
    says("ok", "is Ready");
    stage.secret("not-the-token").await;
    says("warning", "is not Ready: CredentialsRejected: ");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_does_not_answer_is_the_only_line() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = folder.path().join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{ "name": "test", "cluster": { "server": format!("http://127.0.0.1:{port}") } }],
        "users": [{ "name": "test", "user": {} }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
    });
    std::fs::write(&file, config.to_string()).unwrap();
    let checked = Checked::with(&file, &NO_FLAGS);
    assert!(!checked.well);
    let lines: Vec<_> = checked.text.lines().collect();
    assert!(lines[0].starts_with("FAILED: api-server: ") && lines[0].contains("look at the kubeconfig"), "{}", checked.text);
    assert_eq!(lines[1..], ["1 of 1 checks failed"], "{}", checked.text);
}

/// The definitions as files, changed.
fn definitions(folder: &Path, change: impl Fn(&mut Value)) {
    for entry in std::fs::read_dir(in_repository("crds")).unwrap() {
        let path = entry.unwrap().path();
        let mut definition: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        if definition["spec"]["names"]["kind"] == "QosSession" {
            change(&mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]);
        }
        std::fs::write(folder.join(path.file_name().unwrap()).with_extension("json"), definition.to_string()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_that_are_missing_or_old_are_refused_with_the_remedy_and_later_ones_are_taken() {
    let plane = tokio::task::spawn_blocking(|| ControlPlane::start().unwrap()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig: Value = serde_saphyr::from_str(&std::fs::read_to_string(plane.kubeconfig_path()).unwrap()).unwrap();
    let look = || Checked::with(&plane.kubeconfig_path(), &NO_FLAGS);
    let apply = |change: &dyn Fn(&mut Value)| {
        let files = tempfile::tempdir().unwrap();
        definitions(files.path(), change);
        stdout_of(plane.kubectl().args(["apply", "--server-side", "--force-conflicts", "-f"]).arg(files.path()));
        stdout_of(plane.kubectl().args(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]));
    };
    // The API server publishes what it serves a moment later.
    let says = |line: &str, well: bool| {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let checked = look();
            if checked.text.lines().any(|found| found.starts_with(line)) {
                assert_eq!(checked.well, well, "{}", checked.text);
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{line} is not in {}", checked.text);
        }
    };

    // The operator waits for them, then ends and says why.
    let start = |name: &str| {
        let own = folder.path().join(name);
        std::fs::create_dir(&own).unwrap();
        let process = OperatorProcess::new(&own, &kubeconfig, vec!["--namespace".to_owned(), "default".to_owned()]);
        process.start();
        process
    };
    let missing = start("missing");
    says("FAILED: definition QosSession: the CustomResourceDefinition is missing: apply those of this release", false);
    ended(
        &missing,
        "the API server does not serve QosProvider in qos-operator.io/v1alpha1: the CustomResourceDefinitions are \
                     missing; apply those of this release: with the chart (crds.enabled), or qos-operator crds",
    )
    .await;

    apply(&|properties| drop(properties["status"]["properties"].as_object_mut().unwrap().remove("attempt")));
    says(
        "FAILED: definition QosSession: the CustomResourceDefinition is older than this release, it lacks status.attempt and ",
        false,
    );
    says("ok: definition QosProvider: the CustomResourceDefinition is that of this release", false);
    let old = start("old");
    ended(
        &old,
        "the CustomResourceDefinition of QosSession is older than this operator, which would lose what it writes: it lacks \
                 status.attempt and ",
    )
    .await;

    apply(&|properties| properties["spec"]["properties"]["qosProfile"]["maxLength"] = json!(200));
    says(
        "FAILED: definition QosSession: the CustomResourceDefinition has other rules than this release, it lacks spec.qosProfile (maxLength 256)",
        false,
    );
    apply(&|properties| properties["spec"]["properties"]["laterField"] = json!({ "type": "string" }));
    says("ok: definition QosSession: the CustomResourceDefinition is of a later release", true);
    // It comes while the operator waits: then it runs.
    let runs = start("runs");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !runs.log().contains("qos-operator runs") {
        assert!(!runs.ended() && tokio::time::Instant::now() < deadline, "{}", runs.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    runs.kill();
    apply(&|_| {});
    says("ok: definition QosSession: the CustomResourceDefinition is that of this release", true);
    tokio::task::spawn_blocking(move || plane.stop()).await.unwrap();
}

/// Waits until the process has ended by itself, having said `sentence`.
async fn ended(process: &OperatorProcess, sentence: &str) {
    let deadline = tokio::time::Instant::now() + 3 * PATIENCE;
    while !process.ended() {
        assert!(tokio::time::Instant::now() < deadline, "it still runs: {}", process.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let log = process.log();
    assert!(log.contains(&format!("qos-operator: {sentence}")), "{sentence:?} is not in {log}");
    assert!(!log.contains("qos-operator runs"), "{log}");
}

#[test]
fn the_page_has_the_table_of_rights() {
    let rows = PAGE
        .lines()
        .skip_while(|line| !line.starts_with("| group | resource |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let on_page: Vec<Vec<String>> =
        rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect();
    let in_code: Vec<Vec<String>> = RIGHTS
        .iter()
        .map(|right| {
            [right.group, right.resource, &right.verbs.join(" "), right.scope.as_str(), right.need.as_str(), right.why]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    assert_eq!(on_page, in_code);
}
