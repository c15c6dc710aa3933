//! Replicas of one operator, each behind a proxy of its own that can hold up what it writes to the Lease.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::{Quirk, Settings};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::support::account;
use crate::support::process::{self, OperatorProcess};
use crate::support::proxy::{Call, Hook, Proxy, Upstream};
use crate::support::stage::{Stage, TOKEN};

/// How long, in real time, a test waits for what must come.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// The one that the chart lets its account write.
const LEASE: &str = account::NAME;
/// How long the provider keeps what the network has ended, in seconds.
const RETENTION: i64 = 3;

/// The times of a lease, and the send window that must fit into it, as flags have them.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) duration: &'static str,
    pub(super) deadline: &'static str,
    pub(super) retry: &'static str,
    pub(super) window: &'static str,
}

impl Times {
    /// Those of the flags.
    pub(super) const DEFAULT: Self = Self { duration: "20s", deadline: "15s", retry: "4s", window: "10s" };
    /// For tests that wait for a lease to end.
    pub(super) const SHORT: Self = Self { duration: "5s", deadline: "4s", retry: "1s", window: "2s" };
}

/// A stage with replicas.
pub(super) struct Replicas {
    pub(super) stage: Stage,
    times: Times,
    more: Vec<String>,
    folder: TempDir,
}

impl Replicas {
    /// A provider that is asked so seldom that no poll explains what a test sees; no replica runs.
    pub(super) async fn new(prefix: &str, times: Times) -> Self {
        let stage = Stage::bare(prefix).await;
        stage.secret(TOKEN).await;
        let change = |settings: &mut Settings| {
            settings.retention_seconds = RETENTION;
            settings.quirks.insert(Quirk::HttpSinks);
        };
        stage.admin.change(change).await.unwrap();
        // A version that lists: what a killed leader has left unknown is found within seconds.
        let spec = json!({
            "api": stage.api_of(Generation::V1_0),
            "limits": { "requestTimeoutSeconds": 2 },
            "polling": { "requestedPeriodSeconds": 3600, "availablePeriodSeconds": 86400 },
        });
        stage.provider(spec).await;
        let more = ["--callback-url", "http://127.0.0.1:9/notify"].map(str::to_owned).into();
        Self { stage, times, more, folder: tempfile::tempdir().unwrap() }
    }

    /// These flags for each replica, in the place of a callback URL that leads nowhere.
    pub(super) fn flags(&mut self, flags: &[(&str, &str)]) {
        self.more = flags.iter().flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()]).collect();
    }

    /// Starts a replica of that name.
    pub(super) async fn start(&self, name: &str) -> Replica {
        let folder = self.folder.path().join(format!("{name}-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).unwrap();
        Replica::start(name, &folder, self).await
    }

    fn arguments(&self, name: &str) -> Vec<String> {
        let (namespace, times) = (self.stage.namespace.as_str(), self.times);
        let (selector, retention) = (format!("stage={namespace}"), format!("{RETENTION}s"));
        let flags = [
            ("--namespace", namespace),
            ("--watch-namespaces", namespace),
            ("--session-selector", &selector),
            ("--pod-name", name),
            ("--lease-name", LEASE),
            ("--lease-duration", times.duration),
            ("--lease-renew-deadline", times.deadline),
            ("--lease-retry-period", times.retry),
            ("--send-window", times.window),
            ("--late-effect", "1s"),
            ("--list-lag", "0s"),
            ("--requested-max", "5s"),
            ("--clock-skew", "1s"),
            ("--retention", &retention),
            ("--hand-over-listen", "127.0.0.1:0"),
            ("--log-level", "info,qos_operator=debug"),
        ];
        let flags = flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]);
        std::iter::once("--leader-election".to_owned()).chain(flags).chain(self.more.iter().cloned()).collect()
    }

    pub(super) async fn lease(&self) -> Option<Lease> {
        let leases: Api<Lease> = Api::namespaced(self.stage.client.clone(), &self.stage.namespace);
        leases.get_opt(LEASE).await.unwrap()
    }

    /// Who holds the lease.
    pub(super) async fn holder(&self) -> Option<String> {
        let spec = self.lease().await?.spec?;
        spec.holder_identity.filter(|holder| !holder.is_empty())
    }

    /// Waits until one of that name holds it; seconds that it took.
    pub(super) async fn led_by(&self, name: &str) -> f64 {
        let began = Instant::now();
        while self.holder().await.as_deref() != Some(name) {
            assert!(began.elapsed() < PATIENCE, "{name} does not lead, but {:?}", self.holder().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        began.elapsed().as_secs_f64()
    }
}

/// A process of the operator. It is killed when it is dropped.
pub(super) struct Replica {
    pub(super) name: String,
    pub(super) process: OperatorProcess,
    folder: PathBuf,
    stall: watch::Sender<bool>,
    _proxy: Proxy,
}

impl Replica {
    async fn start(name: &str, folder: &Path, replicas: &Replicas) -> Self {
        let config = replicas.stage.account().await;
        let authorities = config.root_cert.clone().unwrap_or_default();
        let (stall, stalled) = watch::channel(false);
        let api_server = Upstream::new(&config.cluster_url.to_string(), &authorities);
        let proxy = Proxy::start(api_server, hold_lease_writes(stalled)).await;
        let kubeconfig = process::kubeconfig(&config, &proxy.url());
        let process = OperatorProcess::new(folder, &kubeconfig, replicas.arguments(name));
        process.start();
        Self { name: name.to_owned(), process, folder: folder.to_owned(), stall, _proxy: proxy }
    }

    /// Whether its writes to the Lease wait from now on. They are on the wire: when they may go on, they arrive.
    pub(super) fn stall(&self, on: bool) {
        self.stall.send_replace(on);
    }

    /// Waits until it has ended by itself; the code.
    pub(super) async fn exit(&self) -> i32 {
        let began = Instant::now();
        loop {
            if let Some(code) = self.process.exit_code() {
                return code;
            }
            assert!(began.elapsed() < PATIENCE, "{} does not end:\n{}", self.name, self.process.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it has printed `text`.
    pub(super) async fn says(&self, text: &str) {
        let began = Instant::now();
        while !self.process.log().contains(text) {
            assert!(began.elapsed() < PATIENCE, "{} does not say {text:?}:\n{}", self.name, self.process.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The address in the line of its log that says `text`.
    pub(super) async fn address_of(&self, text: &str) -> String {
        self.says(text).await;
        let log = self.process.log();
        let line = log.lines().find(|line| line.contains(text)).unwrap();
        let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        address.unwrap_or_else(|| panic!("no address in {line}")).to_owned()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of {}:\n{}", self.name, self.process.log());
        }
        // One that was stopped could not be ended otherwise than by this; a folder that stays would hold its log.
        self.process.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn hold_lease_writes(stalled: watch::Receiver<bool>) -> Hook {
    let of_lease = |call: &Call| call.mutates() && call.path().split('/').any(|part| part == "leases");
    Arc::new(move |call, upstream| {
        let mut stalled = stalled.clone();
        async move {
            if of_lease(&call) {
                // The sender goes with the replica.
                let _ = stalled.wait_for(|stalled| !stalled).await;
            }
            upstream.pass(&call).await
        }
        .boxed()
    })
}
