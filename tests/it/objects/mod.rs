//! What becomes of objects that the API server admits and the operator cannot serve, and of several objects at once.

mod privacy;
mod undecodable;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Write as _, stderr};
use std::path::PathBuf;

use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use qos_operator::api::{QosProvider, QosSession};
use qos_operator::simulator::settings::Operation;
use serde_json::{Value, json};

use crate::support::in_repository;
use crate::support::stage::{LABEL, Stage, condition, message};

/// What the first line of an example says of it, and the object.
struct Case {
    name: String,
    /// The QosProvider that it names, and the version that this speaks.
    provider: Option<(String, String)>,
    spec: Value,
    kind: String,
    status: String,
    reason: String,
    /// Empty where the line gives none.
    message: String,
}

/// `# admitted; expect-condition: TYPE=STATUS reason=REASON: message`
fn expected(line: &str) -> Option<(String, String, String, String)> {
    let rest = line.strip_prefix("# admitted; expect-condition: ")?;
    let (kind, rest) = rest.split_once('=')?;
    let (status, rest) = rest.split_once(" reason=")?;
    let (reason, message) = rest
        .split_once(": ")
        .filter(|(reason, _)| !reason.contains(' '))
        .unwrap_or_else(|| (rest.split(' ').next().unwrap_or_default(), ""));
    Some((kind.to_owned(), status.to_owned(), reason.to_owned(), message.to_owned()))
}

/// Our own copies, so that the promise is tested where the folder is not.
fn own_cases() -> Vec<Case> {
    let case = |name: &str, provider: Option<(&str, &str)>, spec: Value, line: &str| {
        let (kind, status, reason, message) = expected(line).unwrap();
        let provider = provider.map(|(name, version)| (name.to_owned(), version.to_owned()));
        Case { name: name.to_owned(), provider, spec, kind, status, reason, message }
    };
    let server = json!({ "ipv4Address": "198.51.100.7" });
    vec![
        case(
            "address-list",
            Some(("old-v11", "v1.1")),
            json!({ "device": { "phoneNumber": "+34666666621" }, "qosProfile": "QOS_E",
                    "applicationServer": { "ipAddresses": ["198.51.100.7", "198.51.100.8"] } }),
            "# admitted; expect-condition: Stalled=True reason=InvalidSpec: applicationServer.ipAddresses needs API version v1.2; \
             QosProvider old-v11 speaks v1.1",
        ),
        case(
            "no-default",
            None,
            json!({ "device": { "phoneNumber": "+34666666624" }, "qosProfile": "QOS_E", "applicationServer": server }),
            "# admitted; expect-condition: Reconciling=True reason=ProviderNotFound: no QosProvider is marked as default: name one \
             in providerRef, or annotate one with qos-operator.io/is-default-provider: \"true\"",
        ),
        case(
            "over-a-day",
            Some(("sandbox", "v0.10")),
            json!({ "device": { "phoneNumber": "+34666666622" }, "qosProfile": "QOS_E", "applicationServer": server,
                    "durationSeconds": 86401, "renewalPolicy": "Never" }),
            "# admitted; expect-condition: Stalled=True reason=DurationOutOfRange: durationSeconds must be at most 86400 with API \
             version v0.10",
        ),
        case(
            "free-name",
            Some(("old-v08", "v0.8")),
            json!({ "device": { "phoneNumber": "+34666666623" }, "qosProfile": "voice", "applicationServer": server }),
            "# admitted; expect-condition: Stalled=True reason=ProfileUnavailable: API version v0.8 knows QOS_E, QOS_S, QOS_M, QOS_L",
        ),
    ]
}

/// Those of the folder, with the versions that its own QosProviders of these names speak.
fn shared_cases(folder: &std::path::Path) -> Vec<Case> {
    let read = |folder: PathBuf| {
        let mut all = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            for document in text.split("\n---\n") {
                all.push((document.lines().next().unwrap_or_default().to_owned(), document.to_owned()));
            }
        }
        all
    };
    let mut versions = BTreeMap::new();
    for (_, document) in read(folder.join("valid")) {
        let value: Value = serde_saphyr::from_str(&document).unwrap();
        if value["kind"] == "QosProvider" {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            versions.insert(text(&value["metadata"]["name"]), text(&value["spec"]["api"]["version"]));
        }
    }
    let mut cases = Vec::new();
    for (line, document) in read(folder.join("invalid")) {
        let Some((kind, status, reason, message)) = expected(&line) else { continue };
        let value: Value = serde_saphyr::from_str(&document).unwrap();
        if value["kind"] != "QosSession" {
            continue;
        }
        let name = value["metadata"]["name"].as_str().unwrap().to_owned();
        let provider = value["spec"]["providerRef"]["name"].as_str().map(|name| {
            let version = versions.get(name).unwrap_or_else(|| panic!("{name} is in no file of {}", folder.display()));
            (name.to_owned(), version.clone())
        });
        cases.push(Case { name, provider, spec: value["spec"].clone(), kind, status, reason, message });
    }
    cases
}

/// Applies the cases on a stage of their own, and waits until each is reported as it says.
async fn are_reported(prefix: &str, cases: Vec<Case>) {
    let mut stage = Stage::bare(prefix).await;
    stage.secret(crate::support::stage::TOKEN).await;
    stage.start().await;
    for case in &cases {
        let mut spec = case.spec.clone();
        let mut text = case.message.clone();
        if let Some((name, version)) = &case.provider {
            // Providers are cluster-scoped: each stage has its own.
            let ours = format!("{}-{name}", stage.namespace);
            stage.provider_named(&ours, json!({ "api": { "version": version } })).await;
            spec["providerRef"] = json!({ "name": ours });
            text = text.replace(name.as_str(), &ours);
        }
        let object = json!({
            "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession",
            "metadata": { "name": case.name, "namespace": stage.namespace, "labels": { LABEL: stage.namespace } },
            "spec": spec,
        });
        let sessions: Api<QosSession> = stage.sessions();
        sessions.patch(&case.name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await.unwrap();
        let what = format!("{}={} {}: {text}", case.kind, case.status, case.reason);
        let object = stage
            .until(&case.name, &what, |object| {
                condition(object, &case.kind) == (case.status.as_str(), case.reason.as_str())
                    && (text.is_empty() || message(object, &case.kind) == text)
            })
            .await;
        assert_ne!(condition(&object, "Ready").0, "True", "{}", case.name);
    }
    assert_eq!(stage.calls(Operation::Create), 0, "nothing was asked of the provider");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_schema_can_refuse_is_reported_on_the_object_before_any_call() {
    are_reported("reported", own_cases()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shared_example_that_is_admitted_with_a_fault_is_reported_as_its_first_line_says() {
    let folder = folder();
    if !folder.is_dir() {
        say(&format!("shared examples: none, {} is not there (QOS_API_EXAMPLES names another folder)", folder.display()));
        return;
    }
    let cases = shared_cases(&folder);
    say(&format!("shared examples: {} are reported by the operator", cases.len()));
    assert!(!cases.is_empty(), "{} holds such examples", folder.display());
    are_reported("shared", cases).await;
}

#[test]
fn the_first_line_of_an_example_is_read_as_it_is_written() {
    let (kind, status, reason, message) = expected("# admitted; expect-condition: Stalled=True reason=A: b: c").unwrap();
    assert_eq!((kind.as_str(), status.as_str(), reason.as_str(), message.as_str()), ("Stalled", "True", "A", "b: c"));
    let (_, _, reason, message) = expected("# admitted; expect-condition: Ready=False reason=A (while: b)").unwrap();
    assert_eq!((reason.as_str(), message.as_str()), ("A", ""));
    assert!(expected("# expect: something").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_objects_that_swap_their_devices_at_once_both_come_back_without_a_conflict() {
    let stage = Stage::new("swap").await;
    let device = |last: u8| json!({ "device": { "phoneNumber": format!("+44770090013{last}") } });
    stage.create("a", device(1)).await;
    stage.create("b", device(2)).await;
    let first = [stage.available("a").await, stage.available("b").await].map(|o| o.status.unwrap().session_id);
    tokio::join!(stage.patch("a", json!({ "spec": device(2) })), stage.patch("b", json!({ "spec": device(1) })));
    let second = [stage.available("a").await, stage.available("b").await].map(|o| o.status.unwrap().session_id);
    assert!(first.iter().all(|id| !second.contains(id)), "both were made again: {first:?}, {second:?}");
    assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [4, 2]);
    assert!(!stage.admin.request_counts()[&Operation::Create].contains_key("409"), "{:?}", stage.admin.request_counts());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_touches_nothing_that_its_selector_does_not_choose() {
    let stage = Stage::new("selector").await;
    let elsewhere = json!({ LABEL: "elsewhere" });
    // A session of another operator, although at our provider; and another operator's provider.
    let mut object = stage.manifest("theirs", json!({}));
    object["metadata"]["labels"] = elsewhere.clone();
    let object: QosSession = serde_json::from_value(object).unwrap();
    stage.sessions().create(&PostParams::default(), &object).await.unwrap();
    let other = format!("{}-other", stage.namespace);
    let provider = json!({
        "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosProvider",
        "metadata": { "name": other, "labels": elsewhere },
        "spec": {
            "api": { "version": "v0.10", "baseURL": stage.url() },
            "auth": { "staticToken": { "tokenSecretRef": { "name": "provider-token" } } },
        },
    });
    let providers: Api<QosProvider> = Api::all(stage.client.clone());
    providers.patch(&other, &PatchParams::apply("test").force(), &Patch::Apply(provider)).await.unwrap();
    let before = (stage.get("theirs").await.unwrap(), providers.get(&other).await.unwrap());
    // Ours, for the same device, is served as if there were no other; so is one that names their provider not at all.
    stage.create("ours", json!({ "providerRef": { "name": other } })).await;
    stage.ready("ours", "False", "ProviderNotFound").await;
    stage.patch("ours", json!({ "spec": { "providerRef": { "name": stage.provider_name() } } })).await;
    stage.available("ours").await;
    stage.let_pass(700, 100).await;
    stage.quiet().await;
    assert_eq!((stage.get("theirs").await.unwrap(), providers.get(&other).await.unwrap()), before);
    assert_eq!(stage.calls(Operation::Create), 1);
    assert!(stage.events("theirs").await.is_empty());
    stage.finish().await;
}

/// The operator's writes in one session's life, by the API server's own audit log, as a table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_costs_three_writes_to_itself_and_few_others_that_are_counted_apart() {
    let mut stage = Stage::bare("audit").await;
    stage.secret(crate::support::stage::TOKEN).await;
    stage.provider(json!({})).await;
    stage.start().await;
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    stage.available("camera-12").await;
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    stage.quiet().await;
    let namespace = stage.namespace.clone();
    let mut table: BTreeMap<(String, String), usize> = BTreeMap::new();
    for event in stage.cluster.audit_events() {
        let here = event.namespace == namespace || (event.resource == "qosproviders" && event.name == namespace);
        let tests = event.request_uri.contains("fieldManager=test") || event.request_uri.contains("/namespaces/?");
        if here && event.is_write() && event.code < 300 && !tests {
            // The operator names itself as the field manager where it patches; what else it creates are Events and its key.
            let who = if event.request_uri.contains("fieldManager=qos-operator") || event.resource == "events" {
                "operator"
            } else {
                "other"
            };
            let resource = if event.subresource.is_empty() {
                format!("{} {}", event.verb, event.resource)
            } else {
                format!("{} {}/{}", event.verb, event.resource, event.subresource)
            };
            *table.entry((who.to_owned(), format!("{resource} ({})", event.user))).or_default() += 1;
        }
    }
    let rows: Vec<_> = table.iter().map(|((who, what), count)| format!("  {who:8} {count:3}  {what}")).collect();
    say(&format!("writes in one session's life, in {namespace}:\n{}", rows.join("\n")));
    let count = |who: &str, resource: &str| -> usize {
        let ours = table.iter().filter(|((by, what), _)| by == who && what.contains(resource));
        ours.map(|(_, count)| count).sum()
    };
    assert_eq!(count("operator", " qossessions"), 3, "{table:?}");
    // Its creation and its deletion are ours, the test's.
    assert_eq!(count("other", " qossessions"), 2, "{table:?}");
    assert!(count("operator", "events") <= 4, "{table:?}");
    assert!((1..=8).contains(&count("operator", " qosproviders")), "{table:?}");
    stage.finish().await;
}

#[expect(clippy::disallowed_methods, reason = "a setting of this test, not of the program")]
fn folder() -> PathBuf {
    std::env::var_os("QOS_API_EXAMPLES").map_or_else(|| in_repository("../shared/api-examples"), PathBuf::from)
}

/// Past the capture of a passing test's output.
fn say(line: &str) {
    writeln!(stderr(), "{line}").unwrap();
}
