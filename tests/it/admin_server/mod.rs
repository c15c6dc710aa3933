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

use std::net::SocketAddr;
use std::time::Duration;

use qos_operator::admin::Admin;
use qos_operator::vitals::Vitals;

use self::scrape::Scrape;
use crate::support::process::OperatorProcess;
use crate::support::stage::{LABEL, Stage};

/// The flags with which a process sees nothing but the stage.
fn flags(stage: &Stage) -> Vec<String> {
    let selector = format!("{LABEL}={}", stage.namespace);
    let flags = [("--namespace", &stage.namespace), ("--watch-namespaces", &stage.namespace), ("--session-selector", &selector)];
    flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.clone()]).collect()
}

/// How long, in real time, a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server of an operator.
pub(crate) struct Serving {
    address: SocketAddr,
    /// Where the operator runs in this process.
    _admin: Option<Admin>,
}

impl Serving {
    async fn of(stage: &Stage) -> Self {
        let vitals: Vitals = stage.operator().context.vitals.clone();
        let admin = Admin::start("127.0.0.1:0".parse().unwrap(), vitals).await.unwrap();
        Self { address: admin.address(), _admin: Some(admin.asking(stage.client.clone())) }
    }

    /// That of a process which was told to listen at a port of its own choice.
    pub(crate) async fn of_process(process: &OperatorProcess) -> Self {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let log = process.log();
            let line = log.lines().find(|line| line.contains("metrics and health are served"));
            if let Some((_, address)) = line.and_then(|line| line.split_once("address=")) {
                return Self { address: address.trim().parse().unwrap(), _admin: None };
            }
            assert!(tokio::time::Instant::now() < deadline, "it does not listen: {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Status and text.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let response = reqwest::get(self.url(path)).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn scrape(&self) -> Scrape {
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
    pub(crate) async fn until(&self, path: &str, status: u16, holds: impl Fn(&str) -> bool) -> String {
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
