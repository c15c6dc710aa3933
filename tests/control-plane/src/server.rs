//! Servers and the wait for them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, tail_of};
use crate::guarded::{Guarded, Keeper};
use crate::parts::Layout;

/// How long each step of the start may take. It takes a few seconds in all on an idle machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// One of the three, and where its log is.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    log: PathBuf,
    pub(crate) process: Guarded,
}

impl Server {
    pub(crate) fn start(name: &'static str, command: Command, layout: &Layout, keeper: &Keeper) -> Result<Self, Error> {
        Ok(Self { name, log: layout.log_of(name), process: Guarded::spawn(command, Some(keeper))? })
    }
}

/// Looks until there is an answer, one of the servers has ended, or [`PATIENCE`] is over. The first server is the one to blame
/// for lateness.
pub(crate) fn wait_for<T>(
    what: &'static str,
    servers: &mut [&mut Server],
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, Error> {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        for server in servers.iter_mut() {
            if let Some(status) = server.process.ended()? {
                return Err(Error::Ended { process: server.name, status, tail: tail_of(&server.log) });
            }
        }
        if started.elapsed() > PATIENCE {
            return Err(Error::NotReady {
                waited_for: what,
                within: PATIENCE,
                process: servers.first().map_or("", |server| server.name),
                tail: servers.first().map_or_else(String::new, |server| tail_of(&server.log)),
            });
        }
        std::thread::sleep(PAUSE);
    }
}

pub(crate) fn ready(kubectl: Command) -> Option<()> {
    answers(kubectl, "/readyz")
}

/// Whether the API server answers a read with success.
pub(crate) fn answers(mut kubectl: Command, path: &str) -> Option<()> {
    let asked = kubectl
        .args(["get", "--request-timeout=5s", "--raw", path])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success()).then_some(())
}

pub(crate) fn kubectl_with(layout: &Layout, kubeconfig: &Path) -> Command {
    let mut command = Command::new(&layout.binaries.kubectl);
    command
        .arg("--kubeconfig")
        .arg(kubeconfig)
        // Discovery is cached below HOME.
        .env("HOME", &layout.folder)
        .env_remove("KUBECONFIG")
        .env_remove("KUBECACHEDIR");
    command
}
