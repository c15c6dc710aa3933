//! The tree of spans of a life.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use futures::FutureExt as _;
use kube::ResourceExt as _;
use parking_lot::Mutex;
use qos_operator::api::QosSession;
use qos_operator::simulator::faults::{Effect, Fault, Target, What};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::oauth::settings::Client;
use qos_operator::simulator::settings::Operation;
use serde_json::{Value, json};

use super::collector::Span;
use super::privacy::contains;
use super::{Collector, NEVER, end, process_at};
use crate::logins::SCOPE;
use crate::support::process;
use crate::support::proxy::{Hook, Proxy, Reply, Upstream};
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
    match span.name.as_str() {
        "reconcile" => "reconcile",
        "token" => "token",
        _ if span.attributes.contains_key("qos.operation") => "operationId",
        _ if span.attributes.contains_key("k8s.verb") => "VERB RESOURCE",
        _ => panic!("{span:?}"),
    }
}

/// What is below `parent`, in the order of time. Whether an Event is written besides is not of interest here.
fn children<'a>(spans: &'a [Span], parent: &Span) -> Vec<&'a Span> {
    let below = spans.iter().filter(|span| span.parent == parent.id && span.name != "create events");
    let mut below: Vec<_> = below.collect();
    below.sort_by_key(|span| span.begin);
    below
}

/// What the operator sends to the provider, by its headers.
type Sent = Arc<Mutex<Vec<HeaderMap>>>;

async fn before_provider(stage: &Stage, sent: &Sent) -> Proxy {
    let sent = Arc::clone(sent);
    let hook: Hook = Arc::new(move |call, upstream| {
        sent.lock().push(call.headers.clone());
        async move { upstream.pass(&call).await }.boxed()
    });
    Proxy::start(Upstream::new(&stage.url(), &[]), hook).await
}

/// The API server, which refuses the first write of a status: the object has changed, it says.
async fn before_api_server(stage: &Stage) -> Proxy {
    let (config, refused) = (stage.cluster.config(), Arc::new(AtomicBool::new(false)));
    let hook: Hook = Arc::new(move |call, upstream| {
        let status = call.mutates() && call.path().contains("/qossessions/") && call.path().ends_with("/status");
        let refuse = status && !refused.swap(true, Ordering::Relaxed);
        async move {
            if !refuse {
                return upstream.pass(&call).await;
            }
            let body = json!({
                "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409, "message": "changed",
            });
            let answer = Response::builder().status(409).header("content-type", "application/json");
            Reply::Answer(answer.body(Body::from(body.to_string())).unwrap())
        }
        .boxed()
    });
    Proxy::start(Upstream::new(&config.cluster_url.to_string(), &config.root_cert.unwrap_or_default()), hook).await
}

/// A provider that is reached through `proxy`, with a client that logs in.
async fn apply_provider(stage: &Stage, proxy: &Proxy) {
    let mut client = Client::new("app-7");
    client.secret = Some("s3cret-of-app-7".into());
    stage.admin.change(|settings| settings.oauth.clients.push(client)).await.unwrap();
    stage.secret_of("credentials", &[("client-id", "app-7"), ("client-secret", "s3cret-of-app-7")]).await;
    let through = |url: &Value| {
        let path = url.as_str().unwrap().splitn(4, '/').nth(3).unwrap();
        format!("{}/{path}", proxy.url())
    };
    let mut api = stage.api_of(Generation::V1_0);
    (api["baseURL"], api["profilesURL"]) = (through(&api["baseURL"]).into(), through(&api["profilesURL"]).into());
    let login = json!({
        "tokenURL": format!("{}/token", stage.oauth_url()), "scope": SCOPE, "clientSecretRef": { "name": "credentials" },
    });
    stage.provider(json!({ "api": api, "auth": { "staticToken": null, "clientCredentials": login } })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_pass_over_a_session_is_a_tree_of_its_calls_tokens_and_writes_and_the_end_of_the_process_sends_them() {
    let (stage, sent, collector) = (Stage::bare("traced").await, Sent::default(), Collector::start().await);
    let (provider, api_server) = (before_provider(&stage, &sent).await, before_api_server(&stage).await);
    apply_provider(&stage, &provider).await;
    // The first create meets a token that is not good any more.
    let code = Some("UNAUTHENTICATED".to_owned());
    let refused = What::Status { status: 401, code, body: None, headers: BTreeMap::new(), effect: Effect::None };
    stage.admin.add_fault(Fault::once(Target::Create, refused)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = process::kubeconfig(&stage.account().await, &api_server.url());
    let more = ["--log-level", "info,qos_operator=debug"];
    let process = process_at(&kubeconfig, &stage, folder.path(), &collector.url, NEVER, &more);
    process.start();
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
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["authorization"], "Bearer of-the-collector");
    everything_is_documented_and_in_a_whole_tree(&spans);
    the_passes_are_those_of_the_object(&spans, &object, &stage);
    the_create_shows_its_steps(&spans);
    the_calls_are_those_that_the_provider_saw(&spans, &sent.lock(), &stage);
    let tokens =
        sent.lock().iter().map(|headers| headers["authorization"].to_str().unwrap()[7..].to_owned()).collect::<BTreeSet<_>>();
    assert!(tokens.len() >= 2 && tokens.iter().all(|token| token.len() >= 8), "the first was refused");
    let secrets = ["s3cret-of-app-7", "7700900112", "198.51.100.10"].map(str::to_owned);
    for secret in tokens.into_iter().chain(secrets) {
        assert!(!collector.requests().iter().any(|(_, body)| contains(body, &secret)), "{secret} was exported");
    }
    // Spans are no lines, and change none.
    let log = process.log();
    assert!(log.contains("qos_operator::session: decided namespace="), "{log}");
    assert!(!log.contains("reconcile{") && !log.contains("call{") && !log.contains("of-the-collector"), "{log}");
    stage.finish().await;
}

fn the_passes_are_those_of_the_object(spans: &[Span], object: &QosSession, stage: &Stage) {
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
}

/// Record, call, new token, call, and the record of the answer at the second try; after the edit the same without trouble.
fn the_create_shows_its_steps(spans: &[Span]) {
    let creating = spans.iter().filter(|span| span.name == "reconcile").map(|pass| children(spans, pass));
    let creating: Vec<_> = creating.filter(|below| below.iter().any(|span| span.name == "createSession")).collect();
    let [first, second] = creating.as_slice() else { panic!("{creating:?}") };
    let step = |span: &&Span| format!("{} {}", span.name, span.get("http.response.status_code"));
    let intent = "patch qossessions ";
    let (refused, created) = ("createSession 401", "createSession 201");
    let (conflict, recorded) = ("patch qossessions/status 409", "patch qossessions/status ");
    let steps = first.iter().map(step).collect::<Vec<_>>();
    assert_eq!(steps, [intent, refused, "token 200", created, conflict, recorded]);
    assert_eq!(second.iter().map(step).collect::<Vec<_>>(), [intent, created, recorded]);
    let outcomes = |key: &str| first.iter().map(|span| span.get(key).to_owned()).collect::<Vec<_>>();
    assert_eq!(outcomes("qos.outcome"), ["Success", "RefusedCredentials", "Success", "Success", "Refused", "Success"]);
    assert_eq!(outcomes("qos.attempt"), ["", "1", "", "2", "", ""]);
    assert_eq!(outcomes("qos.grant")[2], "ClientCredentials");
    assert_eq!(first.iter().map(|span| span.failed).collect::<Vec<_>>(), [false, true, false, false, true, false]);
    assert!(first.iter().all(|span| span.client));
}

fn the_calls_are_those_that_the_provider_saw(spans: &[Span], sent: &[HeaderMap], stage: &Stage) {
    let calls: Vec<_> = spans.iter().filter(|span| kind(span) == "operationId").collect();
    let operations = [
        (Operation::Create, "createSession"),
        (Operation::Delete, "deleteSession"),
        (Operation::Get, "getSession"),
        (Operation::RetrieveProfiles, "retrieveQosProfiles"),
    ];
    for (operation, name) in operations {
        let spans = calls.iter().filter(|call| call.name == name).count();
        assert_eq!(u64::try_from(spans).unwrap(), stage.calls(operation), "{name}");
        assert!(spans > 0, "{name}");
    }
    assert!(calls.iter().all(|call| call.get("qos.provider") == stage.provider_name() && call.client), "{calls:?}");
    let in_spans: BTreeSet<_> = calls.iter().map(|call| call.get("qos.correlator")).collect();
    assert_eq!(in_spans, sent.iter().map(|headers| headers["x-correlator"].to_str().unwrap()).collect());
    // The provider is a stranger: it is told of no trace.
    for header in ["traceparent", "tracestate", "baggage"] {
        assert!(sent.iter().all(|headers| !headers.contains_key(header)), "{header}");
    }
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
