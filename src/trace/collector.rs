//! The way to the collector: bounded in number and time, counted, and never in the way of a pass.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use opentelemetry::Context;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use reqwest::redirect;
use tokio::runtime::Handle;

use super::counts::Counts;

/// From the first byte of the connection to the last one of the answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(4);
/// No answer of a collector is longer.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Gives spans to the thread that sends them, as long as there is room.
#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) next: BatchSpanProcessor,
    pub(super) counts: Arc<Counts>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.counts.take_place() {
            self.next.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// Counts what becomes of spans, and tells, now and then, that some are lost.
#[derive(Debug)]
pub(super) struct Counted<E> {
    pub(super) exporter: E,
    pub(super) counts: Arc<Counts>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        self.counts.settled(spans, sent.is_ok());
        if let Some(spans) = self.counts.to_tell(Instant::now()) {
            // The library's text names a status at most, never a URL or a header.
            let cause = sent.as_ref().err().map_or_else(|| "more spans than can be sent".to_owned(), ToString::to_string);
            tracing::warn!(spans, cause, "spans are lost: the OTLP endpoint does not take them");
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Sends what the exporter gives it. The exporter's thread has no runtime, so requests run on that of the process; that thread waits.
#[derive(Debug)]
pub(super) struct Sender {
    client: reqwest::Client,
    runtime: Handle,
}

impl Sender {
    /// Must be called in the runtime of the process.
    pub(super) fn new() -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(TIMEOUT / 2)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(1)
            .build()?;
        Ok(Self { client, runtime: Handle::current() })
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        self.runtime.spawn(send(self.client.clone(), request)).await?
    }
}

async fn send(client: reqwest::Client, request: reqwest::Request) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request).await?;
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err("the answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(Bytes::from(body));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    Ok(response)
}
