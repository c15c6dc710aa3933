//! What the definitions promise beyond the rules: columns, docs, selectable fields, ownership, nulls.

use std::time::{Duration, Instant};

use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use qos_operator::api::{QosProvider, QosSession, QosSessionStatus};
use serde_json::{Value, json};

use super::server::Server;
use super::{provider, session};
use crate::support::{cluster, in_repository, stdout_of};

/// A session by this name, created.
async fn create(sessions: &Api<QosSession>, name: &str, changes: Value) -> QosSession {
    let mut object: QosSession = serde_json::from_value(session(changes)).unwrap();
    object.metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    sessions.create(&PostParams::default(), &object).await.unwrap()
}

async fn write_status(sessions: &Api<QosSession>, name: &str, status: Value) -> QosSession {
    let patch = json!({"apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession", "status": status});
    sessions.patch_status(name, &PatchParams::apply("qos-operator").force(), &Patch::Apply(patch)).await.unwrap()
}

fn ready(status: &str, reason: &str) -> Value {
    json!([{
        "type": "Ready", "status": status, "reason": reason, "message": "in words", "observedGeneration": 1,
        "lastTransitionTime": "2026-11-24T12:00:00Z",
    }])
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[tokio::test]
async fn kubectl_get_shows_a_session_in_one_line_of_120_characters() {
    let cluster = cluster().await;
    let namespace = cluster.namespace("columns").await;
    let sessions: Api<QosSession> = Api::namespaced(cluster.client(), &namespace);
    let name = "camera-12-of-the-north-stand-b";
    assert_eq!(name.len(), 30);
    create(&sessions, name, json!({})).await;
    let status = json!({
        "observedGeneration": 1, "qosStatus": "UNAVAILABLE", "sessionId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "expiresAt": "2026-11-24T13:06:00Z", "device": "tel:*112", "provider": {"name": "telefonica", "uid": "u"},
        "conditions": ready("False", "ProviderUnreachable"),
    });
    write_status(&sessions, name, status).await;

    let listed = stdout_of(cluster.kubectl().args(["get", "qos", "-n", &namespace]));
    let [header, row] = listed.lines().collect::<Vec<_>>()[..] else { panic!("{listed}") };
    assert_eq!(words(header), ["NAME", "QOS", "READY", "REASON", "PROFILE", "EXPIRES", "AGE"]);
    assert_eq!(words(row)[..6], [name, "UNAVAILABLE", "False", "ProviderUnreachable", "QOS_E", "2026-11-24T13:06:00Z"]);
    assert!(listed.lines().all(|line| line.trim_end().len() <= 120), "{listed}");

    let wide = stdout_of(cluster.kubectl().args(["get", "qos", "-n", &namespace, "-o", "wide"]));
    let [header, row] = wide.lines().collect::<Vec<_>>()[..] else { panic!("{wide}") };
    assert_eq!(words(header)[7..], ["PROVIDER", "DEVICE", "SESSION", "MESSAGE"]);
    assert_eq!(words(row)[7..], ["telefonica", "tel:*112", "3fa85f64-5717-4562-b3fc-2c963f66afa6", "in", "words"]);
}

#[tokio::test]
async fn kubectl_get_shows_a_provider_its_sessions_and_whether_it_is_the_default() {
    let cluster = cluster().await;
    let providers: Api<QosProvider> = Api::all(cluster.client());
    let mut object: QosProvider = serde_json::from_value(provider(json!({}))).unwrap();
    object.metadata.name = Some("columns".to_owned());
    // Not "true": other tests look for a default.
    object.metadata.annotations = Some([("qos-operator.io/is-default-provider".to_owned(), "false".to_owned())].into());
    providers.create(&PostParams::default(), &object).await.unwrap();
    let status = json!({"status": {"observedGeneration": 1, "sessions": 3, "conditions": ready("True", "Verified")}});
    providers.patch_status("columns", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();

    let wide = stdout_of(cluster.kubectl().args(["get", "qosp", "columns", "-o", "wide"]));
    let [header, row] = wide.lines().collect::<Vec<_>>()[..] else { panic!("{wide}") };
    assert_eq!(words(header), ["NAME", "READY", "REASON", "API", "SESSIONS", "DEFAULT", "AGE", "URL", "MESSAGE"]);
    assert_eq!(words(row)[..6], ["columns", "True", "Verified", "v0.10", "3", "false"]);
    assert_eq!(words(row)[7..], ["https://qod.example.com/qod/v0", "in", "words"]);
    let narrow = stdout_of(cluster.kubectl().args(["get", "qosp", "columns"]));
    assert_eq!(words(narrow.lines().next().unwrap()), ["NAME", "READY", "REASON", "API", "SESSIONS", "DEFAULT", "AGE"]);
}

#[tokio::test]
async fn kubectl_explain_tells_what_a_field_means() {
    let cluster = cluster().await;
    // The API server publishes a new kind's documentation a moment after it accepts objects.
    let deadline = Instant::now() + Duration::from_secs(30);
    while !cluster.kubectl().args(["explain", "qosp"]).output().unwrap().status.success() {
        assert!(Instant::now() < deadline, "kubectl explain knows nothing after 30 s");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let explain = |field: &str| {
        // kubectl folds long lines.
        words(&stdout_of(cluster.kubectl().args(["explain", field]))).join(" ")
    };
    for (field, text) in [
        ("qos", "QosSession is one CAMARA Quality-on-Demand session"),
        ("qosp", "QosProvider is a CAMARA Quality-on-Demand API of a mobile network operator"),
        ("qos.spec.renewalPolicy", "Absent: Never where `durationSeconds` is set, Always where it is not"),
        ("qos.spec.device.phoneNumber", "Quote it"),
        ("qos.status.observedGeneration", "nobody has looked at the object yet"),
        ("qosp.spec.api.version", "ENUM: v0.8 v0.9 v0.10 v0.11 v1.0 v1.1 v1.2"),
    ] {
        let explained = explain(field);
        assert!(explained.contains(text), "{field}: {explained}");
    }
}

#[tokio::test]
async fn sessions_are_selected_by_profile_provider_and_qos_status() {
    let cluster = cluster().await;
    let namespace = cluster.namespace("selectable").await;
    let sessions: Api<QosSession> = Api::namespaced(cluster.client(), &namespace);
    create(&sessions, "here", json!({"qosProfile": "QOS_S"})).await;
    create(&sessions, "there", json!({"qosProfile": "QOS_L"})).await;
    let status = json!({"observedGeneration": 1, "qosStatus": "AVAILABLE", "provider": {"name": "telefonica", "uid": "u"}});
    write_status(&sessions, "here", status).await;
    for selector in ["spec.qosProfile=QOS_S", "status.provider.name=telefonica", "status.qosStatus=AVAILABLE"] {
        let mut get = cluster.kubectl();
        get.args(["get", "qos", "-n", &namespace, "-o", "name", "--field-selector", selector]);
        assert_eq!(stdout_of(&mut get).trim(), "qossession.qos-operator.io/here", "{selector}");
    }
}

#[tokio::test]
async fn our_kinds_are_a_category_of_their_own_and_not_part_of_all() {
    let cluster = cluster().await;
    let namespace = cluster.namespace("category").await;
    let sessions: Api<QosSession> = Api::namespaced(cluster.client(), &namespace);
    create(&sessions, "paid", json!({})).await;
    let listed = stdout_of(cluster.kubectl().args(["get", "qos-operator", "-n", &namespace, "-o", "name"]));
    assert!(listed.lines().any(|line| line == "qossession.qos-operator.io/paid"), "{listed}");
    stdout_of(cluster.kubectl().args(["delete", "all", "--all", "-n", &namespace]));
    sessions.get("paid").await.unwrap();
}

#[tokio::test]
async fn an_object_that_nobody_looked_at_says_so_and_has_its_defaults() {
    let server = Server::shared().await;
    let session = server.dry_run(&session(json!({})).to_string()).await.ok().unwrap();
    assert_eq!(session["status"], json!({"observedGeneration": -1}));
    assert_eq!(
        session["spec"],
        json!({
            "device": {"phoneNumber": "+447700900112"},
            "applicationServer": {"ipv4Address": "198.51.100.7"},
            "qosProfile": "QOS_E",
            "recoveryPolicy": "Recreate",
            "deletionPolicy": "Delete",
            "suspend": false,
        })
    );
    let provider = server.dry_run(&provider(json!({})).to_string()).await.ok().unwrap();
    assert_eq!(provider["status"], json!({"observedGeneration": -1}));
    assert_eq!(
        provider["spec"],
        json!({
            "api": {
                "version": "v0.10",
                "baseURL": "https://qod.example.com/qod/v0",
                "deviceInRequest": "Auto",
                "callbackField": "Auto",
                "ports": "Any",
                "overlappingSessions": "Rejected",
            },
            "auth": {"staticToken": {"tokenSecretRef": {"name": "token", "key": "token"}}},
            "notifications": {"mode": "Auto"},
            "limits": {"requestsPerMinute": 600, "maxInFlight": 16, "requestTimeoutSeconds": 30},
            "polling": {"requestedPeriodSeconds": 5, "availablePeriodSeconds": 300},
            "allowedNamespaces": {"from": "All"},
        })
    );
    let read: QosSession = serde_json::from_value(session).unwrap();
    assert_eq!(read.status, Some(QosSessionStatus::default()));
}

#[tokio::test]
async fn the_same_manifest_twice_is_no_new_generation_and_no_diff() {
    let cluster = cluster().await;
    let namespace = cluster.namespace("twice").await;
    let file = in_repository("examples/session.yaml");
    let run = |verb: &[&str]| stdout_of(cluster.kubectl().args(verb).args(["-n", &namespace, "-f"]).arg(&file));
    run(&["apply", "--server-side"]);
    run(&["apply", "--server-side"]);
    let generation = run(&["get", "-o", "jsonpath={.metadata.generation}"]);
    assert_eq!(generation, "1");
    assert_eq!(run(&["diff", "--server-side"]), "");
}

#[tokio::test]
async fn a_second_tool_cannot_add_its_own_device_to_a_session() {
    let cluster = cluster().await;
    let namespace = cluster.namespace("atomic").await;
    let sessions: Api<QosSession> = Api::namespaced(cluster.client(), &namespace);
    let with = |changes: Value| {
        let mut object = session(changes);
        object["metadata"] = json!({"name": "camera", "namespace": namespace});
        object
    };
    let apply = async |manager: &str, force: bool, object: &Value| {
        let params = PatchParams { force, ..PatchParams::apply(manager) };
        sessions.patch("camera", &params, &Patch::Apply(object)).await
    };
    let first = with(json!({"devicePorts": {"ports": [5060]}, "applicationServerPorts": {"ports": [5060]}}));
    apply("first", false, &first).await.unwrap();
    for (changes, field) in [
        (json!({"device": {"networkAccessIdentifier": "user@example.com"}}), ".spec.device"),
        (json!({"applicationServer": {"ipv6Address": "2001:db8::7"}}), ".spec.applicationServer"),
        (json!({"devicePorts": {"ranges": [{"from": 1, "to": 2}]}}), ".spec.devicePorts"),
        (json!({"applicationServerPorts": {"ports": [5061]}}), ".spec.applicationServerPorts"),
    ] {
        let Err(kube::Error::Api(conflict)) = apply("second", false, &with(changes)).await else {
            panic!("{field} was taken over without a word")
        };
        assert_eq!(conflict.code, 409);
        assert!(conflict.message.contains("\"first\"") && conflict.message.contains(field), "{}", conflict.message);
    }
    let other = with(json!({"device": {"networkAccessIdentifier": "user@example.com"}}));
    let taken = apply("second", true, &other).await.unwrap();
    assert_eq!(taken.spec.device.phone_number, None, "the device is replaced as a whole");
    assert!(taken.spec.device.network_access_identifier.is_some());
}

#[tokio::test]
async fn a_value_left_empty_means_absent() {
    let cluster = cluster().await;
    let namespace = cluster.namespace("nulls").await;
    let sessions: Api<QosSession> = Api::namespaced(cluster.client(), &namespace);
    let mut object = session(json!({
        "providerRef": null, "durationSeconds": null, "renewalPolicy": null, "devicePorts": null, "applicationServerPorts": null,
        "recoveryPolicy": null, "deletionPolicy": null, "suspend": null,
        "device": {"phoneNumber": "+447700900112", "phoneNumberFrom": null, "networkAccessIdentifier": null,
                   "ipv4Address": null, "ipv6Address": null},
        "applicationServer": {"ipv4Address": "198.51.100.7", "ipv6Address": null, "ipAddresses": null},
    }));
    object["metadata"] = json!({"name": "helm", "namespace": namespace});
    // As Helm 4 applies it.
    let applied = sessions.patch("helm", &PatchParams::apply("helm"), &Patch::Apply(&object)).await.unwrap();
    let plain: QosSession = serde_json::from_value(session(json!({}))).unwrap();
    assert_eq!(applied.spec, plain.spec);
}

#[tokio::test]
async fn conditions_of_other_writers_stay_when_the_operator_writes_its_own() {
    let cluster = cluster().await;
    let namespace = cluster.namespace("conditions").await;
    let sessions: Api<QosSession> = Api::namespaced(cluster.client(), &namespace);
    create(&sessions, "camera", json!({})).await;
    let mut other = ready("True", "Audited");
    other[0]["type"] = json!("Audited");
    let patch = json!({"apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession", "status": {"conditions": other}});
    sessions.patch_status("camera", &PatchParams::apply("auditor"), &Patch::Apply(patch)).await.unwrap();
    let written = write_status(&sessions, "camera", json!({"observedGeneration": 1, "conditions": ready("True", "Available")}));
    let types: Vec<_> = written.await.status.unwrap().conditions.into_iter().map(|condition| condition.type_).collect();
    assert_eq!(types, ["Audited", "Ready"]);
}
