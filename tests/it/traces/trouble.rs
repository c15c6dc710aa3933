//! A collector that is away, silent or unwilling changes nothing else.

use serde_json::json;
use tokio::net::TcpListener;

use super::{Collector, NEVER, PATIENCE, end, process};
use crate::support::process::OperatorProcess;
use crate::support::stage::{Stage, TOKEN};

const LOST: &str = "spans are lost: the OTLP endpoint does not take them";

async fn stage(prefix: &str) -> Stage {
    let stage = Stage::bare(prefix).await;
    stage.secret(TOKEN).await;
    stage.provider(json!({})).await;
    stage
}

/// A whole life of a session.
async fn life(stage: &Stage, name: &str) {
    stage.create(name, json!({ "durationSeconds": 3600 })).await;
    stage.available(name).await;
    stage.delete(name).await;
    stage.gone(name).await;
}

async fn logged(process: &OperatorProcess, text: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !process.log().contains(text) {
        assert!(tokio::time::Instant::now() < deadline, "{text} is not logged: {}", process.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_live_as_ever_where_nobody_listens_and_one_line_tells_it() {
    let stage = stage("nobody").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let folder = tempfile::tempdir().unwrap();
    let process = process(&stage, folder.path(), &endpoint, "50", &[]).await;
    process.start();
    life(&stage, "camera-12").await;
    logged(&process, LOST).await;
    life(&stage, "camera-13").await;
    assert!(end(&process).await.success(), "{}", process.log());
    let log = process.log();
    assert_eq!(log.matches(LOST).count(), 1, "{log}");
    assert!(!log.contains(&endpoint) && !log.contains("of-the-collector"), "{log}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_never_answers_holds_up_neither_sessions_nor_the_end_of_the_process() {
    let stage = stage("silent").await;
    // It takes connections, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let process = process(&stage, folder.path(), &endpoint, "50", &[]).await;
    process.start();
    life(&stage, "camera-12").await;
    assert!(end(&process).await.success(), "{}", process.log());
    assert!(listener.accept().await.is_ok(), "it was called");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_refuses_is_told_with_its_status_and_its_spans_are_counted_as_failed() {
    let stage = stage("refusing").await;
    let collector = Collector::start().await;
    collector.refuse();
    let folder = tempfile::tempdir().unwrap();
    let process = process(&stage, folder.path(), &collector.url, "50", &["--admin-listen", "127.0.0.1:0"]).await;
    process.start();
    life(&stage, "camera-12").await;
    logged(&process, LOST).await;
    let log = process.log();
    assert!(log.lines().any(|line| line.contains(LOST) && line.contains("503")), "{log}");
    let address = log.lines().find_map(|line| line.split_once("metrics and health are served address=")).unwrap().1;
    let metrics = reqwest::get(format!("http://{}/metrics", address.trim())).await.unwrap().text().await.unwrap();
    let failed = metrics.lines().find_map(|line| line.strip_prefix("qos_operator_trace_spans_total{outcome=\"Failed\"} "));
    assert!(failed.unwrap().parse::<u64>().unwrap() > 0, "{metrics}");
    assert!(metrics.contains("qos_operator_trace_spans_total{outcome=\"Dropped\"} 0"), "{metrics}");
    assert!(end(&process).await.success(), "{}", process.log());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_ratio_of_nothing_nothing_is_sent() {
    let stage = stage("unsampled").await;
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let process = process(&stage, folder.path(), &collector.url, NEVER, &["--trace-ratio", "0"]).await;
    process.start();
    life(&stage, "camera-12").await;
    assert!(end(&process).await.success(), "{}", process.log());
    assert_eq!(collector.requests().len(), 0);
    stage.finish().await;
}
