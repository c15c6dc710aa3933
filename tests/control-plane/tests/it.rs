//! What the control plane promises to those who use it.
#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]
#![cfg(target_os = "linux")] // The tests look for processes in /proc; the library runs on other systems too.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use control_plane::{Binaries, ControlPlane};
use rustix::process::{Pid, Signal, kill_process};

/// Time for the kernel and two shells to notice that a parent has gone.
const SOON: Duration = Duration::from_secs(10);

fn succeeds(mut command: Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// Every process that names `folder` in its command line: the servers and the shells that guard them.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.contains(folder))
        .collect()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < SOON, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn assert_gone_soon(folder: &Path) {
    eventually("the folder is removed", || !folder.exists());
    assert_eq!(processes_of(folder), Vec::<String>::new());
}

#[test]
fn each_write_is_counted_for_the_user_that_made_it_also_one_refused_by_rbac() {
    // In a thread that ends: the control plane belongs to the process.
    let start = || ControlPlane::builder().user("alice", &["system:masters"]).user("bob", &[]).start();
    let plane = std::thread::spawn(start).join().unwrap().unwrap();
    let before = plane.audit_events().unwrap().len();

    let create = |mut kubectl: Command, name| {
        kubectl.args(["create", "namespace", name]);
        succeeds(kubectl)
    };
    assert!(create(plane.kubectl_as("alice").unwrap(), "of-alice"));
    assert!(create(plane.kubectl(), "of-admin"));
    assert!(!create(plane.kubectl_as("bob").unwrap(), "of-bob"));

    let events = plane.audit_events().unwrap();
    let writes_of = |user: &str| -> Vec<(String, String, String, u16)> {
        let writes = events[before..].iter().filter(|event| event.user == user && event.is_write());
        writes.map(|e| (e.verb.clone(), e.resource.clone(), e.name.clone(), e.code)).collect()
    };
    let namespace = |name: &str, code| vec![("create".into(), "namespaces".into(), name.into(), code)];
    assert_eq!(writes_of("alice"), namespace("of-alice", 201));
    assert_eq!(writes_of("admin"), namespace("of-admin", 201));
    // Refused before its body is read, so the name is not known.
    assert_eq!(writes_of("bob"), namespace("", 403));
    let by_kubectl = events.iter().find(|event| event.user == "bob").unwrap();
    assert!(by_kubectl.user_agent.starts_with("kubectl"), "{by_kubectl:?}");
    assert!(by_kubectl.request_uri.starts_with("/api/v1/namespaces"), "{by_kubectl:?}");
}

#[test]
fn a_control_plane_that_is_dropped_is_gone_at_once_even_if_its_api_server_is_paused() {
    let plane = ControlPlane::start().unwrap();
    let folder = plane.folder().to_owned();
    let address = plane.url().replace("https://", "");
    assert!(processes_of(&folder).len() >= 3);
    plane.pause_api_server().unwrap();
    drop(plane);
    assert_eq!(processes_of(&folder), Vec::<String>::new());
    assert!(!folder.exists());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_api_server_can_be_paused_and_restarted_with_its_port_and_data() {
    let plane = ControlPlane::start().unwrap();
    let get = |timeout: &str| {
        let mut kubectl = plane.kubectl();
        kubectl.args(["get", "namespace", "kept", "--request-timeout", timeout]);
        succeeds(kubectl)
    };
    let mut kubectl = plane.kubectl();
    kubectl.args(["create", "namespace", "kept"]);
    assert!(succeeds(kubectl));

    plane.pause_api_server().unwrap();
    assert!(!get("1s"), "a paused API server answered");
    plane.resume_api_server().unwrap();
    assert!(get("10s"));

    let (url, before) = (plane.url(), plane.audit_events().unwrap().len());
    plane.stop_api_server();
    assert!(TcpStream::connect(url.replace("https://", "")).is_err());
    assert!(plane.pause_api_server().is_err());
    plane.start_api_server().unwrap();
    assert!(get("10s"));
    assert_eq!(plane.url(), url);
    assert!(plane.audit_events().unwrap().len() > before, "the audit log goes on");
    plane.restart_api_server().unwrap();
    assert!(get("10s"));
}

/// `control-plane run` with a home of its own, in which there is a kubeconfig that no parser would take.
struct Script {
    home: PathBuf,
    child: Child,
    kubeconfig: PathBuf,
    pid: Pid,
}

const USERS_OWN: &str = "{{{ not a kubeconfig";

fn home(name: &str) -> PathBuf {
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(home.join(".kube")).unwrap();
    fs::write(home.join(".kube/config"), USERS_OWN).unwrap();
    fs::write(home.join("other"), USERS_OWN).unwrap();
    let assets = home.join("assets");
    fs::create_dir(&assets).unwrap();
    for (name, path) in Binaries::provide().unwrap().iter() {
        symlink(path, assets.join(name)).unwrap();
    }
    home
}

fn at_home(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("HOME", home)
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("KUBECONFIG", home.join("other"))
        .env("KUBEBUILDER_ASSETS", home.join("assets"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

impl Script {
    fn start(name: &str, program: &str, arguments: &[&str], stdin: Stdio) -> Self {
        let home = home(name);
        let mut command = at_home(program, &home);
        let mut child = command.args(arguments).stdin(stdin).spawn().unwrap();
        let (mut kubeconfig, mut pid) = (None, None);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(path) = line.strip_prefix("export KUBECONFIG=") {
                kubeconfig = Some(PathBuf::from(path));
            }
            if let Some(number) = line.strip_prefix("# ends with: kill ") {
                pid = Pid::from_raw(number.parse().unwrap());
                break;
            }
        }
        let (kubeconfig, pid) = (kubeconfig.unwrap(), pid.unwrap());
        Self { home, child, kubeconfig, pid }
    }

    fn folder(&self) -> &Path {
        self.kubeconfig.parent().unwrap()
    }

    fn answers(&self) -> bool {
        let mut kubectl = at_home(self.home.join("assets/kubectl").to_str().unwrap(), &self.home);
        kubectl.env("KUBECONFIG", &self.kubeconfig).args(["get", "namespaces"]);
        succeeds(kubectl)
    }

    /// `signal` to the process that was started, which is the shell if there is one.
    fn strike(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Whatever a failed assertion left.
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.home).ok();
    }
}

const RUN: &str = env!("CARGO_BIN_EXE_control-plane");

#[test]
fn nothing_outlives_a_parent_that_is_killed_and_the_users_kubeconfig_is_untouched() {
    let mut script = Script::start("killed", RUN, &["run"], Stdio::null());
    assert!(processes_of(script.folder()).len() >= 3);
    assert!(script.answers());
    for file in [".kube/config", "other"] {
        assert_eq!(fs::read_to_string(script.home.join(file)).unwrap(), USERS_OWN);
    }
    script.strike(Signal::KILL);
    assert_gone_soon(script.folder());
    let left = fs::read_dir(script.home.join(".kube")).unwrap().count();
    assert_eq!(left, 2, "only config, and the cache of this test's own kubectl");
}

#[test]
fn run_ends_when_the_script_that_started_it_is_killed() {
    let line = format!("'{RUN}' run & wait");
    let mut script = Script::start("orphan", "/bin/sh", &["-c", &line], Stdio::null());
    script.strike(Signal::KILL);
    assert_gone_soon(script.folder());
}

#[test]
fn a_detached_run_stays_when_the_script_is_killed_and_ends_with_sigterm() {
    let line = format!("'{RUN}' run --detach-parent & wait");
    let mut script = Script::start("detached", "/bin/sh", &["-c", &line], Stdio::null());
    script.strike(Signal::KILL);
    // Longer than it takes a run that is not detached to notice.
    std::thread::sleep(Duration::from_secs(1));
    assert!(script.answers());
    kill_process(script.pid, Signal::TERM).unwrap();
    assert_gone_soon(script.folder());
}

#[test]
fn run_ends_in_order_when_its_standard_input_is_closed_and_takes_its_copy_of_the_kubeconfig_with_it() {
    let copy = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("copy-{}", std::process::id()));
    let arguments = ["run", "--kubeconfig", copy.to_str().unwrap()];
    let mut script = Script::start("closed", RUN, &arguments, Stdio::piped());
    assert_eq!(script.kubeconfig, copy.canonicalize().unwrap());
    assert!(script.answers());
    drop(script.child.stdin.take());
    assert!(script.child.wait().unwrap().success());
    assert!(!copy.exists());
}

#[test]
fn run_refuses_to_write_over_a_kubeconfig_that_is_not_its_own() {
    let home = home("refused");
    let strange = home.join("strange");
    fs::write(&strange, "apiVersion: v1\n").unwrap();
    let link = home.join("link");
    symlink(home.join(".kube/config"), &link).unwrap();
    for path in [home.join(".kube/config"), home.join("other"), link, strange] {
        let before = fs::read_to_string(&path).unwrap();
        let mut run = at_home(RUN, &home);
        let output = run.arg("run").arg("--kubeconfig").arg(&path).output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("is not replaced"), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }
    fs::remove_dir_all(home).unwrap();
}

#[test]
fn without_go_and_without_binaries_the_remedy_is_named() {
    let home = home("no-go");
    for (go, named) in [(None, "Install Go 1.26 or newer"), (Some("#!/bin/sh\necho go1.20.1\n"), "`go` says: go1.20.1")] {
        let path = home.join("bin");
        fs::create_dir_all(&path).unwrap();
        if let Some(go) = go {
            use std::os::unix::fs::PermissionsExt;
            fs::write(path.join("go"), go).unwrap();
            fs::set_permissions(path.join("go"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut build = at_home(RUN, &home);
        build.env("PATH", &path).env_remove("KUBEBUILDER_ASSETS");
        let output = build.arg("build").output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(named) && said.contains("KUBEBUILDER_ASSETS"), "{said}");
    }
    fs::remove_dir_all(home).unwrap();
}
