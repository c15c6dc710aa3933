//! A collector: takes OTLP over HTTP, and keeps what came.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::net::TcpListener;

/// One that listens at a port of its own. It goes with the runtime of the test.
#[derive(Clone)]
pub(super) struct Collector {
    pub(super) url: String,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    requests: Mutex<Vec<(HeaderMap, Bytes)>>,
    refuses: AtomicBool,
}

/// A span as it was sent.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) name: String,
    pub(super) trace: Vec<u8>,
    pub(super) id: Vec<u8>,
    /// Empty: it is a root.
    pub(super) parent: Vec<u8>,
    pub(super) client: bool,
    pub(super) failed: bool,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) begin: u64,
    pub(super) end: u64,
    /// How many events and links it has.
    pub(super) extras: usize,
    /// Who sent it.
    pub(super) resource: BTreeMap<String, String>,
}

impl Span {
    /// The attribute; empty where it has none.
    pub(super) fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kept = Arc::new(Kept::default());
        let router = axum::Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&kept));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, kept }
    }

    /// From now on it answers 503.
    pub(super) fn refuse(&self) {
        self.kept.refuses.store(true, Ordering::Relaxed);
    }

    /// Headers and bodies of all requests.
    pub(super) fn requests(&self) -> Vec<(HeaderMap, Bytes)> {
        self.kept.requests.lock().clone()
    }

    /// All spans that came.
    pub(super) fn spans(&self) -> Vec<Span> {
        self.requests().iter().flat_map(|(_, body)| spans(body)).collect()
    }
}

async fn take(State(kept): State<Arc<Kept>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    kept.requests.lock().push((headers, body));
    if kept.refuses.load(Ordering::Relaxed) { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

fn spans(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut all = Vec::new();
    for resource_spans in request.resource_spans {
        let resource = attributes(resource_spans.resource.unwrap().attributes);
        for span in resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            all.push(Span {
                name: span.name,
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
                client: span.kind == 3,
                failed: span.status.is_some_and(|status| status.code == 2),
                attributes: attributes(span.attributes),
                begin: span.start_time_unix_nano,
                end: span.end_time_unix_nano,
                extras: span.events.len() + span.links.len(),
                resource: resource.clone(),
            });
        }
    }
    all
}

/// No key may be there twice.
fn attributes(all: Vec<KeyValue>) -> BTreeMap<String, String> {
    let mut read = BTreeMap::new();
    for KeyValue { key, value, .. } in all {
        let text = text(value.unwrap());
        assert!(read.insert(key.clone(), text).is_none(), "{key} is there twice");
    }
    read
}

fn text(value: AnyValue) -> String {
    match value.value.unwrap() {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        other => panic!("{other:?}"),
    }
}
