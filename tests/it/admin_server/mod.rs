//! The operator as a citizen: what it shows of itself, how it looks whether it can run, and how it ends.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod check;
mod logs;
mod page;
mod ready;
mod scrape;
mod shutdown;
mod values;

use std::time::Duration;

use qos_operator::admin::{self, Admin};
use qos_operator::vitals::Vitals;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::scrape::Scrape;
use crate::support::Cluster;
use crate::support::stage::{LABEL, Stage};

/// The kubeconfig of the cluster's admin, or of whom that `token` is.
fn kubeconfig(cluster: &Cluster, token: Option<&str>) -> Value {
    let mut config: Value = serde_saphyr::from_str(&std::fs::read_to_string(cluster.kubeconfig()).unwrap()).unwrap();
    if let Some(token) = token {
        config["users"][0]["user"] = json!({ "token": token });
    }
    config
}

/// The flags with which a process sees nothing but the stage.
fn flags(stage: &Stage) -> Vec<String> {
    let selector = format!("{LABEL}={}", stage.namespace);
    let flags = [("--namespace", &stage.namespace), ("--watch-namespace", &stage.namespace), ("--session-selector", &selector)];
    flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.clone()]).collect()
}

/// How long, in real time, a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server of a stage's operator.
struct Serving {
    admin: Admin,
    _asking: DropGuard,
}

impl Serving {
    async fn of(stage: &Stage) -> Self {
        let vitals: Vitals = stage.operator().context.vitals.clone();
        let admin = Admin::start("127.0.0.1:0".parse().unwrap(), vitals.clone()).await.unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(admin::ask_api_server(stage.client.clone(), vitals, stop.clone()));
        Self { admin, _asking: stop.drop_guard() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin.address())
    }

    /// Status and text.
    async fn get(&self, path: &str) -> (u16, String) {
        let response = reqwest::get(self.url(path)).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn scrape(&self) -> Scrape {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200, "{text}");
        Scrape::read(&text)
    }

    /// Scrapes until `holds`.
    async fn scrape_until(&self, what: &str, holds: impl Fn(&Scrape) -> bool) -> Scrape {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let scrape = self.scrape().await;
            if holds(&scrape) {
                return scrape;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what} does not come:\n{}", scrape.text());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks until the answer has that status, and returns its text.
    async fn until(&self, path: &str, status: u16, holds: impl Fn(&str) -> bool) -> String {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (is, text) = self.get(path).await;
            if is == status && holds(&text) {
                return text;
            }
            assert!(tokio::time::Instant::now() < deadline, "{path} is {is}, not {status}: {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
