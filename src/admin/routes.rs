//! What is answered at which path.

use std::fmt::Write as _;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use k8s_openapi::jiff::SignedDuration;

use super::health::{Check, live};
use crate::metrics::Form;
use crate::vitals::Vitals;

/// How long the operator's tables may take to answer.
const TABLES: Duration = Duration::from_secs(5);

pub(super) fn router(vitals: Vitals) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(|| async { (StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n") })
        .with_state(vitals)
}

async fn metrics(State(vitals): State<Vitals>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let form = Form::of(accept);
    // With tens of thousands of sessions it is work, and a lock that is held for good must not hold this thread.
    match off_the_runtime(move || vitals.metrics.text(form)).await {
        Some(Ok(text)) => ([(header::CONTENT_TYPE, form.content_type())], text).into_response(),
        Some(Err(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n").into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the operator's tables do not answer\n").into_response(),
    }
}

async fn healthz(State(vitals): State<Vitals>, RawQuery(query): RawQuery) -> Response {
    let work = off_the_runtime(move || vitals.metrics.touch()).await;
    answer("healthz", &live(work.map(|work| SignedDuration::from_secs(work.overdue_seconds))), query.as_deref())
}

async fn readyz(State(vitals): State<Vitals>, RawQuery(query): RawQuery) -> Response {
    answer("readyz", &vitals.health.ready(), query.as_deref())
}

async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::time::timeout(TABLES, tokio::task::spawn_blocking(work)).await.ok()?.ok()
}

/// As the API server answers: `ok`, or with `?verbose` or a failure a line for each check.
fn answer(name: &str, checks: &[Check], query: Option<&str>) -> Response {
    let well = checks.iter().all(|check| check.wrong.is_none());
    let verbose = query.unwrap_or_default().split('&').any(|pair| pair.split('=').next() == Some("verbose"));
    let mut text = String::new();
    if well && !verbose {
        text.push_str("ok");
    } else {
        for Check { name, wrong } in checks {
            let _ = match wrong {
                None => writeln!(text, "[+]{name} ok"),
                Some(wrong) => writeln!(text, "[-]{name} failed: {wrong}"),
            };
        }
        let _ = writeln!(text, "{name} check {}", if well { "passed" } else { "failed" });
    }
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text).into_response()
}
