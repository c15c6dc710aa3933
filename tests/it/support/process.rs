//! The real `qos-operator` as a process that a test can kill and start again. It never outlives the test process.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use kube::Config;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// An operator process. Clones are the same one; it is killed when the last is dropped.
#[derive(Clone)]
pub(crate) struct OperatorProcess(Arc<Inner>);

struct Inner {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    child: Mutex<Option<Child>>,
    starts: Mutex<u32>,
    /// How its last life ended, where that was seen by [`OperatorProcess::ended`].
    last: Mutex<Option<ExitStatus>>,
}

impl OperatorProcess {
    /// Not started yet. `folder`, which must exist, gets its kubeconfig and its log.
    pub(crate) fn new(folder: &Path, kubeconfig: &Value, arguments: Vec<String>) -> Self {
        Self::with_environment(folder, kubeconfig, arguments, Vec::new())
    }

    /// The same, with these variables beside those of this process.
    pub(crate) fn with_environment(
        folder: &Path,
        kubeconfig: &Value,
        arguments: Vec<String>,
        environment: Vec<(String, String)>,
    ) -> Self {
        fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).unwrap();
        let (child, starts, last) = Default::default();
        Self(Arc::new(Inner { arguments, environment, folder: folder.to_owned(), child, starts, last }))
    }

    /// Starts it (again).
    pub(crate) fn start(&self) {
        let mut child = self.0.child.lock();
        assert!(child.is_none(), "it runs already");
        *child = Some(self.0.spawn());
        *self.0.starts.lock() += 1;
    }

    /// SIGKILL; returns when it is dead.
    pub(crate) fn kill(&self) {
        kill(self.0.child.lock().take());
    }

    /// How it has ended, if it does so in that time. Blocks.
    pub(crate) fn wait(&self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        let mut child = self.0.child.lock();
        loop {
            if let Some(status) = child.as_mut().unwrap().try_wait().unwrap() {
                *child = None;
                return Some(status);
            }
            if Instant::now() > deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// The code with which it ended by itself; none while it runs, or where a signal ended it.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        if self.ended() { self.0.last.lock().and_then(|status| status.code()) } else { None }
    }

    /// Its id, while it runs.
    pub(crate) fn id(&self) -> u32 {
        self.0.child.lock().as_ref().unwrap().id()
    }

    /// Whether it has ended, by itself or by [`OperatorProcess::kill`].
    pub(crate) fn ended(&self) -> bool {
        let mut child = self.0.child.lock();
        let status: Option<ExitStatus> = child.as_mut().and_then(|child| child.try_wait().unwrap());
        if status.is_some() {
            *child = None;
            *self.0.last.lock() = status;
        }
        child.is_none()
    }

    /// How often it was started.
    pub(crate) fn starts(&self) -> u32 {
        *self.0.starts.lock()
    }

    /// What it has said, over all starts.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.0.folder.join("log")).unwrap_or_default()
    }
}

/// The user of `config`, at the API server that answers at `url`.
pub(crate) fn kubeconfig(config: &Config, url: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{ "name": "test", "cluster": { "server": url } }],
        "users": [{ "name": "test", "user": config.auth_info }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
    })
}

impl Inner {
    fn spawn(&self) -> Child {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap();
        let program = env!("CARGO_BIN_EXE_qos-operator");
        let mut command = if has_setpriv() {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--", program]);
            command
        } else {
            Command::new(program)
        };
        command.args(&self.arguments).env("KUBECONFIG", self.folder.join("kubeconfig")).current_dir(&self.folder);
        // Several run on one machine: who wants metrics names an address.
        command.env("QOS_ADMIN_LISTEN", "").envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        spawned_by_lasting_thread(command)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        kill(self.child.lock().take());
    }
}

/// A line of /proc/PID/status, in kB; none where there is no such file.
pub(crate) fn memory(id: u32, line: &str) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let value = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))?;
    value.trim().trim_end_matches(" kB").parse().ok()
}

fn kill(child: Option<Child>) {
    if let Some(mut child) = child {
        // An error means that it is dead already.
        let _ = child.kill();
        child.wait().unwrap();
    }
}

fn has_setpriv() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        Command::new("setpriv").args(["--pdeathsig", "KILL", "true"]).status().is_ok_and(|status| status.success())
    })
}

/// PR_SET_PDEATHSIG follows the thread that forked, and a runtime's threads come and go: one thread that lasts as long as this
/// process forks all.
fn spawned_by_lasting_thread(command: Command) -> Child {
    static ORDERS: OnceLock<Sender<(Command, Sender<Child>)>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (orders, taken) = channel::<(Command, Sender<Child>)>();
        thread::spawn(move || {
            for (mut command, answer) in taken {
                answer.send(command.spawn().unwrap()).unwrap();
            }
        });
        orders
    });
    let (answer, child) = channel();
    orders.send((command, answer)).unwrap();
    child.recv().unwrap()
}
