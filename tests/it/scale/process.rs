//! The operator as a process whose memory and processor time are its own.

use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::admin_server::Serving;
use crate::support::process::{OperatorProcess, memory};
use crate::support::stage::{LABEL, Stage};

/// How long the count of sessions may stay as it is.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Watched {
    process: OperatorProcess,
    serving: Serving,
    _folder: TempDir,
}

impl Watched {
    /// Starts it under the chart's ServiceAccount, and returns when it serves its metrics.
    pub(super) async fn start(stage: &Stage) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (namespace, selector) = (&stage.namespace, format!("{LABEL}={}", stage.namespace));
        let flags = [
            ("--namespace", namespace.as_str()),
            ("--session-selector", &selector),
            ("--workloads", "false"),
            ("--admin-listen", "127.0.0.1:0"),
        ];
        let flags = flags.iter().map(|(flag, value)| format!("{flag}={value}")).collect();
        let process = OperatorProcess::new(folder.path(), &stage.cluster.kubeconfig_of(stage.account_token().await), flags);
        process.start();
        let serving = Serving::of_process(&process).await;
        Self { process, serving, _folder: folder }
    }

    /// Ends it as a kubelet would.
    pub(super) fn stop(&self) {
        self.process.signal("TERM");
        assert!(self.process.wait(PATIENCE).is_some_and(|status| status.success()), "{}", self.process.log());
    }

    /// Returns when its own count of sessions that are AVAILABLE is that.
    pub(super) async fn available(&self, wanted: usize) {
        let wanted = f64::from(u32::try_from(wanted).unwrap());
        let (mut before, mut deadline) = (0.0, Instant::now() + PATIENCE);
        loop {
            let scrape = self.serving.scrape().await;
            let found = scrape.sum("qos_operator_sessions", &[("qos_status", "AVAILABLE")]).unwrap_or_default();
            if found >= wanted {
                assert!(found <= wanted, "{found} are AVAILABLE, and {wanted} were made");
                return;
            }
            if found > before {
                (before, deadline) = (found, Instant::now() + PATIENCE);
            }
            assert!(Instant::now() < deadline, "{found} of {wanted} are AVAILABLE: {}", self.process.log());
            // A scrape reads every object, and is not to be what is measured.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// A line of /proc/PID/status, in kB; none where there is no such file.
    pub(super) fn memory(&self, line: &str) -> Option<u32> {
        memory(self.process.id(), line)
    }

    /// Seconds of processor time since `before`, which this returned too; 0 where there is no /proc.
    pub(super) fn processor(&self, before: f64) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap_or_default();
        // The name, in brackets, may hold blanks. Of what follows, the times of user and kernel are the 12th and 13th, in hundredths.
        let fields: Vec<_> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        fields.iter().skip(11).take(2).map(|field| field.parse::<f64>().unwrap()).sum::<f64>() / 100.0 - before
    }
}
