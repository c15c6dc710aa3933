//! Sets the sending up, and ends it.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, layer};
use url::Url;

use super::TARGET;
use super::args::TraceArguments;
use super::collector::{Bounded, Counted, Sender, TIMEOUT};
use super::counts::{Counts, MOST_WAITING};

/// How long the end of the process waits for the last spans to be sent.
const FLUSH: Duration = Duration::from_secs(5);

/// Traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The TLS library could not be set up, for want of root certificates for instance.
    #[error("the client for --otlp-endpoint cannot be made")]
    Client(#[source] reqwest::Error),
    /// The exporter takes the endpoint, or a variable of OpenTelemetry, for unusable.
    #[error("traces cannot be sent to --otlp-endpoint")]
    Exporter(#[source] ExporterBuildError),
}

/// The sending of traces. It ends with [`Traces::end`].
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    counts: Arc<Counts>,
}

impl Traces {
    /// Ready to send; nothing is sent before there are spans. `namespace` and `identity` are the operator's own. None where no
    /// traces are asked for.
    pub fn start(arguments: &TraceArguments, namespace: &str, identity: String) -> Result<Option<Self>, Error> {
        let Some(endpoint) = &arguments.otlp_endpoint.0 else { return Ok(None) };
        let counts = Arc::new(Counts::default());
        let exporter = Counted { exporter: exporter(endpoint)?, counts: Arc::clone(&counts) };
        // Our own bound comes first, so that this queue is never full; the delay is OTEL_BSP_SCHEDULE_DELAY.
        let batches = BatchConfigBuilder::default().with_max_queue_size(MOST_WAITING).build();
        let next = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(arguments.trace_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Bounded { next, counts: Arc::clone(&counts) })
            .with_sampler(sampler)
            .with_resource(resource(arguments, namespace, identity))
            .build();
        Ok(Some(Self { provider, counts }))
    }

    /// What takes the spans of [`TARGET`], and nothing else.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET);
        // What the library would add by itself: places in our source, threads, levels.
        let spans = tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("qos-operator"))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false);
        layer::Layer::with_filter(spans, ours.with_max_level_hint(LevelFilter::INFO))
    }

    /// What became of spans up to now.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Sends what is left, for 5 s at most.
    pub async fn end(self) {
        let Self { provider, counts } = self;
        // It blocks until the sending thread has answered.
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH)).await;
        let spans = counts.waiting();
        if spans > 0 || !matches!(ended, Ok(Ok(()))) {
            tracing::warn!(spans, "the last spans were not sent in time");
        }
    }
}

fn exporter(endpoint: &Url) -> Result<SpanExporter, Error> {
    let client = Sender::new().map_err(Error::Client)?;
    // One try: the next batch comes in seconds, and while one is tried again the others wait.
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint.as_str())
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .with_retry_policy(RetryPolicy::disabled());
    exporter.build().map_err(Error::Exporter)
}

/// Who sends. What `OTEL_RESOURCE_ATTRIBUTES` says wins over what we know, and `OTEL_SERVICE_NAME` over both.
fn resource(arguments: &TraceArguments, namespace: &str, identity: String) -> Resource {
    let known = Resource::builder_empty().with_attributes([
        KeyValue::new("service.name", "qos-operator"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", identity),
        KeyValue::new("k8s.namespace.name", namespace.to_owned()),
    ]);
    let told = known.with_detector(Box::new(EnvResourceDetector::new()));
    let name = arguments.trace_service_name.clone().filter(|name| !name.is_empty());
    told.with_attributes(name.map(|name| KeyValue::new("service.name", name))).build()
}
