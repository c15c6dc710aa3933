//! The tree of spans of a life.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;
use qos_operator::simulator::faults::{Effect, Fault, Target, What};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::oauth::settings::Client;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::collector::Span;
use super::tap::Tap;
use super::{Collector, NEVER, end, process};
use crate::support::stage::Stage;

const PAGE: &str = include_str!("../../../docs/operations.md");

/// The attributes of the page's table, by the kind of span.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let rows = PAGE.lines().skip_while(|line| *line != "| span | attributes |").skip(2).take_while(|line| line.starts_with('|'));
    let mut table = BTreeMap::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        table.insert(names(cells[1]).remove(0), names(cells[2]).into_iter().collect());
    }
    table
}

/// As the page calls it.
fn kind(span: &Span) -> &'static str {
    match span {
        Span { name, .. } if name == "reconcile" || name == "token" => {
            if name == "token" {
                "token"
            } else {
                "reconcile"
            }
        }
        span if span.attributes.contains_key("qos.operation") => "operationId",
        span if span.attributes.contains_key("k8s.verb") => "VERB RESOURCE",
        span => panic!("{span:?}"),
    }
}

fn children<'a>(spans: &'a [Span], parent: &Span) -> Vec<&'a Span> {
    let mut below: Vec<_> = spans.iter().filter(|span| span.parent == parent.id).collect();
    below.sort_by_key(|span| span.begin);
    below
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_pass_over_a_session_is_a_tree_of_its_calls_tokens_and_writes_and_the_end_of_the_process_sends_them() {
    let stage = Stage::bare("traced").await;
    let mut client = Client::new("app-7");
    client.secret = Some("s3cret-of-app-7".into());
    stage.admin.change(|settings| settings.oauth.clients.push(client)).await.unwrap();
    stage.secret_of("credentials", &[("client-id", "app-7"), ("client-secret", "s3cret-of-app-7")]).await;
    let mut api = stage.api_of(Generation::V1_0);
    let address = api["baseURL"].as_str().unwrap().split('/').nth(2).unwrap().to_owned();
    let tap = Tap::before(address).await;
    for url in ["baseURL", "profilesURL"] {
        api[url] = tap.of(api[url].as_str().unwrap()).into();
    }
    let login = json!({
        "tokenURL": format!("{}/token", stage.oauth_url()), "scope": "qod", "clientSecretRef": { "name": "credentials" },
    });
    stage.provider(json!({ "api": api, "auth": { "staticToken": null, "clientCredentials": login } })).await;
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let process = process(&stage, folder.path(), &collector.url, NEVER, &["--log-level", "info,qos_operator=debug"]);
    process.start();

    // The first create meets a token that is not good any more.
    let refused = What::Status {
        status: 401,
        code: Some("UNAUTHENTICATED".to_owned()),
        body: None,
        headers: BTreeMap::new(),
        effect: Effect::None,
    };
    stage.admin.add_fault(Fault::once(Target::Create, refused)).unwrap();
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    let object = stage.available("camera-12").await;
    stage.patch("camera-12", json!({ "spec": { "applicationServerPorts": { "ports": [5000] } } })).await;
    stage.available("camera-12").await;
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    assert!(collector.requests().is_empty(), "before the process ends, nothing is due");
    assert!(end(&process).await.success(), "{}", process.log());

    let spans = collector.spans();
    println!("{} spans in {} requests", spans.len(), collector.requests().len());
    let (headers, _) = &collector.requests()[0];
    assert_eq!(
        (&headers["content-type"], &headers["authorization"]),
        (&"application/x-protobuf".parse().unwrap(), &"Bearer of-the-collector".parse().unwrap())
    );
    everything_is_documented_and_in_a_whole_tree(&spans);

    // The passes.
    let passes: Vec<_> = spans.iter().filter(|span| span.name == "reconcile").collect();
    for pass in &passes {
        assert_eq!([pass.get("k8s.namespace.name"), pass.get("k8s.object.name")], [stage.namespace.as_str(), "camera-12"]);
        assert_eq!(pass.get("k8s.object.uid"), object.uid().unwrap());
        assert_eq!(pass.get("qos.provider"), stage.provider_name());
        assert!(pass.get("qos.row").starts_with('R') && !pass.get("qos.result").is_empty() && !pass.client, "{pass:?}");
        assert!(pass.parent.is_empty() && !pass.failed, "{pass:?}");
    }
    let reasons: BTreeSet<_> = passes.iter().map(|pass| pass.get("qos.reason")).collect();
    assert!(reasons.contains("Available"), "{reasons:?}");

    // The pass that created: record, call, new token, call, record.
    let creating: Vec<_> = passes
        .iter()
        .map(|pass| children(&spans, pass))
        .filter(|below| below.iter().any(|span| span.name == "createSession"))
        .collect();
    let [first, second] = creating.as_slice() else { panic!("{creating:?}") };
    let names = |below: &[&Span]| {
        below.iter().map(|span| format!("{} {}", span.name, span.get("http.response.status_code"))).collect::<Vec<_>>()
    };
    let whole = ["patch qossessions ", "createSession 401", "token 200", "createSession 201", "patch qossessions/status "];
    assert_eq!(names(first), whole);
    assert_eq!(names(second), [whole[0], whole[3], whole[4]]);
    let attempts = [first[1], first[3]];
    assert_eq!(
        attempts.map(|call| (call.get("qos.attempt"), call.get("qos.outcome"), call.failed)),
        [("1", "RefusedCredentials", true), ("2", "Success", false)]
    );
    assert_eq!((first[2].get("qos.grant"), first[2].get("qos.outcome"), first[2].client), ("ClientCredentials", "Success", true));
    assert_eq!(
        (first[4].get("k8s.verb"), first[4].get("k8s.resource"), first[4].get("qos.outcome")),
        ("patch", "qossessions/status", "Success")
    );

    // Every call that the provider saw, and no other, is a span with the correlator that went with it.
    let calls: Vec<_> = spans.iter().filter(|span| kind(span) == "operationId").collect();
    for (operation, name) in [
        (Operation::Create, "createSession"),
        (Operation::Delete, "deleteSession"),
        (Operation::Get, "getSession"),
        (Operation::RetrieveProfiles, "retrieveQosProfiles"),
    ] {
        let spans = calls.iter().filter(|call| call.name == name).count();
        assert_eq!(u64::try_from(spans).unwrap(), stage.calls(operation), "{name}");
        assert!(operation == Operation::Get || spans > 0, "{name}");
    }
    let sent = tap.sent().to_ascii_lowercase();
    for call in &calls {
        assert!(call.get("qos.provider") == stage.provider_name() && call.client, "{call:?}");
        assert!(sent.contains(&format!("x-correlator: {}", call.get("qos.correlator"))), "{call:?}");
    }
    // The provider is a stranger: it is told of no trace.
    for header in ["traceparent", "tracestate", "baggage"] {
        assert!(!sent.contains(header), "{header}");
    }
    // Spans are no lines, and change none.
    let log = process.log();
    assert!(log.contains("qos_operator::session: decided namespace="), "{log}");
    assert!(!log.contains("reconcile{") && !log.contains("call{") && !log.contains("of-the-collector"), "{log}");
    stage.finish().await;
}

fn everything_is_documented_and_in_a_whole_tree(spans: &[Span]) {
    let table = documented();
    let mut seen = BTreeMap::<_, BTreeSet<_>>::new();
    for span in spans {
        seen.entry(kind(span).to_owned()).or_default().extend(span.attributes.keys().cloned());
        assert!(span.extras == 0 && span.begin <= span.end, "{span:?}");
        assert!(spans.iter().filter(|other| other.id == span.id).count() == 1, "{span:?}");
        if !span.parent.is_empty() {
            let parent = spans.iter().find(|other| other.id == span.parent).unwrap_or_else(|| panic!("no parent: {span:?}"));
            assert!(parent.trace == span.trace && parent.begin <= span.begin && span.end <= parent.end, "{parent:?} {span:?}");
        }
        let resource = |key: &str| span.resource.get(key).map_or("", String::as_str);
        let who = ["service.name", "service.version", "service.instance.id", "deployment.environment.name"].map(resource);
        assert_eq!(who, ["qos-operator", env!("CARGO_PKG_VERSION"), "qos-operator-0", "lab"]);
    }
    assert_eq!(seen, table, "docs/operations.md has another table of spans and attributes");
}
