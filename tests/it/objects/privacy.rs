//! Nothing personal or secret is told anywhere: the real binary, at its most talkative, through a life of all kinds of trouble.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use qos_operator::api::{ATTEMPT_ANNOTATION, QosProvider};
use qos_operator::simulator::faults::{Effect, Fault, Target, What};
use qos_operator::simulator::settings::{Operation, Outage};
use serde_json::{Value, json};

use crate::support::stage::{LABEL, Stage, TOKEN, condition};

/// What is looked for, by a name that may be shown.
#[derive(Default)]
struct Secrets(BTreeMap<String, String>);

impl Secrets {
    fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let value = value.into();
        assert!(value.len() >= 8, "too short to be told from others");
        self.0.insert(name.into(), value);
    }

    /// The lines of `text` that tell one, with its name.
    fn told_in(&self, place: &str, text: &str) -> Vec<String> {
        let mut found = BTreeMap::<&str, (usize, &str)>::new();
        for line in text.lines() {
            for (name, value) in &self.0 {
                if line.contains(value.as_str()) {
                    found.entry(name).or_insert((0, line)).0 += 1;
                }
            }
        }
        let start = |line: &str| line.chars().take(300).collect::<String>();
        found.into_iter().map(|(name, (count, line))| format!("{place}: {name}, {count} times: {}", start(line))).collect()
    }
}

/// The operator as a process of its own, which goes with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    async fn start(stage: &Stage, log: &std::path::Path, format: &str) -> Self {
        let kubeconfig = log.with_extension("kubeconfig");
        std::fs::write(&kubeconfig, stage.cluster.kubeconfig_of(stage.account_token().await).to_string()).unwrap();
        let output = File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_qos-operator"));
        command.args(["--namespace", &stage.namespace, "--watch-namespaces", &stage.namespace]);
        command.arg(format!("--session-selector={LABEL}={}", stage.namespace));
        command.args(["--log-level", "trace", "--log-format", format]);
        command.env("KUBECONFIG", kubeconfig).env("RUST_BACKTRACE", "full").stdin(Stdio::null());
        Self(command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap())
    }

    /// Ends it as a kubelet would.
    async fn stop(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        for _ in 0..400 {
            if let Some(status) = self.0.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it does not end");
    }
}

/// A refusal whose prose tells what it was asked.
fn talkative(status: u16, code: &str, prose: &str) -> What {
    let body = json!({ "status": status, "code": code, "message": prose });
    What::Status { status, code: None, body: Some(body), headers: BTreeMap::new(), effect: Effect::None }
}

/// The nonces that stand in the objects now.
async fn note_nonces(stage: &Stage, nonces: &mut BTreeSet<String>) {
    for object in stage.sessions().list(&ListParams::default()).await.unwrap() {
        if let Some(record) = object.annotations().get(ATTEMPT_ANNOTATION) {
            let record: Value = serde_json::from_str(record).unwrap();
            nonces.insert(record["nonce"].as_str().unwrap().to_owned());
        }
    }
}

/// What Events, conditions and the rest of the statuses tell.
async fn told_by_objects(stage: &Stage, secrets: &Secrets) -> Vec<String> {
    let mut told = Vec::new();
    let events: Api<Event> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let events = events.list(&ListParams::default()).await.unwrap().items;
    assert!(events.len() >= 5, "{events:?}");
    for mut event in events {
        event.metadata.managed_fields = None;
        told.extend(secrets.told_in("Event", &serde_json::to_string(&event).unwrap()));
    }
    let sessions = stage.sessions().list(&ListParams::default()).await.unwrap().items;
    assert!(sessions.iter().any(|object| object.name_any() == "lost"));
    for object in sessions {
        let name = object.name_any();
        let mut status = object.status.unwrap();
        // By the API's design the status holds the settled attempt's nonce, and tells an address, other than a number, in full.
        status.attempt = None;
        status.device = status.device.filter(|device| !device.starts_with("ip:"));
        assert!(!status.conditions.is_empty(), "{name}");
        told.extend(secrets.told_in(&format!("status of {name}"), &serde_json::to_string(&status).unwrap()));
    }
    let provider = Api::<QosProvider>::all(stage.client.clone()).get(stage.provider_name()).await.unwrap();
    told.extend(secrets.told_in("status of the QosProvider", &serde_json::to_string(&provider.status).unwrap()));
    told
}

#[test]
fn a_planted_leak_is_found() {
    let mut secrets = Secrets::default();
    secrets.add("the number", "447700900161");
    assert!(secrets.told_in("log", "a line\nanother line of +44 770").is_empty());
    let found = secrets.told_in("log", "a line\ndevice=\"+447700900161\"\nonce more 447700900161");
    assert_eq!(found, ["log: the number, 2 times: device=\"+447700900161\""]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_trace_level_no_log_line_event_or_condition_tells_a_number_address_token_or_nonce() {
    let stage = Stage::bare("privacy").await;
    stage.secret(TOKEN).await;
    stage.any_secret("device", "number", "+447700900165").await;
    stage.provider(json!({ "polling": { "availablePeriodSeconds": 10 } })).await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let process = Process::start(&stage, &log, "text").await;

    let mut secrets = Secrets::default();
    let mut nonces = BTreeSet::new();
    for (name, digits) in [("phone 1", "447700900161"), ("phone 2", "447700900162"), ("phone from a Secret", "447700900165")] {
        secrets.add(name, digits);
    }
    secrets.add("NAI", "camera-77@example.com");
    secrets.add("IPv4 address", "203.0.113.177");
    secrets.add("IPv6 address", "2001:db8::177");
    secrets.add("provider's token", TOKEN);
    secrets.add("API server's token", stage.cluster.token());

    // A life with an extension, of a session from a number in the spec, and of one from a number in a Secret.
    let short = json!({ "device": { "phoneNumber": "+447700900161" }, "durationSeconds": 20, "renewalPolicy": "Always" });
    stage.create("extended", short).await;
    stage.available("extended").await;
    let source = json!({ "secretKeyRef": { "name": "device", "key": "number" } });
    stage.create("from-secret", json!({ "device": { "phoneNumber": null, "phoneNumberFrom": source } })).await;
    stage.available("from-secret").await;
    note_nonces(&stage, &mut nonces).await;
    // A second object for the device of the first.
    stage.create("busy", json!({ "device": { "phoneNumber": "+447700900161" } })).await;
    stage.ready("busy", "False", "DeviceBusy").await;

    // Refusals and lost answers, each with the device in the provider's own prose.
    let trouble = [
        (
            "conflict",
            json!({ "networkAccessIdentifier": "camera-77@example.com" }),
            talkative(409, "CONFLICT", "camera-77@example.com"),
        ),
        (
            "failing",
            json!({ "ipv4Address": { "publicAddress": "203.0.113.177", "publicPort": 59765 } }),
            talkative(500, "INTERNAL", &format!("203.0.113.177 {TOKEN}")),
        ),
        ("lost", json!({ "ipv6Address": "2001:db8::177" }), What::DropAfter),
        ("invalid", json!({ "phoneNumber": "+447700900162" }), talkative(400, "INVALID_ARGUMENT", "+447700900162 2001:db8::177")),
    ];
    for (name, mut device, what) in trouble {
        stage.admin.add_fault(Fault::once(Target::Create, what)).unwrap();
        device["phoneNumber"] = device["phoneNumber"].take();
        stage.create(name, json!({ "device": device })).await;
        let object = stage.until(name, "in trouble", |object| !matches!(condition(object, "Ready").1, "" | "Available")).await;
        println!("{name}: {:?}", condition(&object, "Ready"));
        note_nonces(&stage, &mut nonces).await;
        stage.admin.clear_faults();
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(40);
    while stage.calls(Operation::Extend) == 0 {
        assert!(tokio::time::Instant::now() < deadline, "no extension");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The provider is away: a create and a delete are refused, and come through later.
    stage.admin.change(|settings| settings.outage = Outage::Refused).await.unwrap();
    stage
        .create("away", json!({ "device": { "phoneNumber": "+447700900162" }, "applicationServerPorts": { "ports": [5000] } }))
        .await;
    stage.until("away", "held up", |object| !matches!(condition(object, "Ready").1, "" | "Available")).await;
    stage.delete("from-secret").await;
    stage.ready("from-secret", "False", "ReleaseBlocked").await;
    note_nonces(&stage, &mut nonces).await;
    stage.admin.change(|settings| settings.outage = Outage::None).await.unwrap();
    stage.gone("from-secret").await;
    // Ended, and begun again with the other form of the lines.
    process.stop().await;
    let process = Process::start(&stage, &log, "json").await;
    for name in ["extended", "busy", "conflict", "invalid"] {
        if stage.get(name).await.is_some() {
            stage.delete(name).await;
        }
    }
    stage.gone("extended").await;
    stage.gone("invalid").await;
    note_nonces(&stage, &mut nonces).await;
    process.stop().await;

    assert!(nonces.len() >= 4, "{}", nonces.len());
    for (index, nonce) in nonces.into_iter().enumerate() {
        secrets.add(format!("nonce {index}"), nonce);
    }
    let keys: Api<Secret> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let key = serde_json::to_value(keys.get("qos-operator-key").await.unwrap().data).unwrap();
    for (name, value) in key.as_object().unwrap() {
        secrets.add(format!("operator key {name}"), value.as_str().unwrap().trim_end_matches('='));
    }

    let log = fs::read_to_string(&log).unwrap();
    assert!(
        log.contains(" DEBUG ") && log.contains("qos_operator::session: decided") && log.contains("\"level\":\"DEBUG\""),
        "the log is not as talkative as asked for"
    );
    let mut told = secrets.told_in("log", &log);
    told.extend(told_by_objects(&stage, &secrets).await);
    println!("{} bytes of log, {} secrets", log.len(), secrets.0.len());
    assert!(told.is_empty(), "{}", told.join("\n"));
    stage.stop_without_ledger().await;
}
