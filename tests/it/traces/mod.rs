//! Traces: what the real operator process sends to a collector, decoded from the bytes that come.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod collector;
mod life;
mod privacy;
mod trouble;

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

use self::collector::Collector;
use crate::support::process::OperatorProcess;
use crate::support::stage::{LABEL, Stage};

/// How long, in real time, a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longer than any test: spans come when the process ends, and not before.
const NEVER: &str = "3600000";

/// An operator that sees nothing but the stage and sends traces to `endpoint` every `delay` milliseconds.
async fn process(stage: &Stage, folder: &Path, endpoint: &str, delay: &str, more: &[&str]) -> OperatorProcess {
    let kubeconfig = stage.cluster.kubeconfig_of(stage.account_token().await);
    process_at(&kubeconfig, stage, folder, endpoint, delay, more)
}

/// The same, with a kubeconfig.
fn process_at(kubeconfig: &Value, stage: &Stage, folder: &Path, endpoint: &str, delay: &str, more: &[&str]) -> OperatorProcess {
    let selector = format!("{LABEL}={}", stage.namespace);
    let flags = [
        ["--namespace", &stage.namespace],
        ["--watch-namespaces", &stage.namespace],
        ["--session-selector", &selector],
        ["--otlp-endpoint", endpoint],
    ];
    let flags = flags.as_flattened().iter().chain(more).map(|&flag| flag.to_owned()).collect();
    let environment = [
        ("OTEL_BSP_SCHEDULE_DELAY", delay),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20of-the-collector"),
        ("POD_NAME", "qos-operator-0"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    OperatorProcess::with_environment(folder, kubeconfig, flags, environment)
}

/// Ends it as a kubelet would.
async fn end(process: &OperatorProcess) -> ExitStatus {
    process.signal("TERM");
    let waiting = process.clone();
    let status = tokio::task::spawn_blocking(move || waiting.wait(PATIENCE)).await.unwrap();
    status.unwrap_or_else(|| panic!("it does not end: {}", process.log()))
}
