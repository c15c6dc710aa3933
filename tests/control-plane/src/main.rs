//! `control-plane`: builds the binaries, or runs a control plane for a script.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use control_plane::{Binaries, ControlPlane, Error, KubeconfigCopy, NodeBinaries};
use rustix::fs::FileType;
use rustix::process::{getppid, setsid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A real Kubernetes control plane on loopback, without containers
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: What,
}

#[allow(clippy::doc_markdown, reason = "these comments are the text of --help, where backticks would show")]
#[derive(Subcommand)]
enum What {
    /// Build what is missing (once per user, several minutes) and print where each binary is
    ///
    /// A line each: name, tab, path. Binaries in the folder that KUBEBUILDER_ASSETS names are taken as they are.
    Build(Build),
    /// Run a control plane until this process is stopped
    ///
    /// When all is ready, three lines for `eval` go to standard output: `export KUBECONFIG=...`, `export KUBECACHEDIR=...` and
    /// `export KUBECTL=...` (the path of a kubectl), then comment lines. It ends, with everything that it started, on SIGTERM,
    /// SIGINT or SIGHUP, when its parent process has gone, and, if its standard input is a pipe, when that is closed.
    /// Your own kubeconfig is neither read nor written.
    Run(Run),
}

#[derive(Args)]
struct Build {
    /// Also kubelet, kube-scheduler and kube-proxy, which a real node needs (`make e2e`)
    #[arg(long)]
    node: bool,
}

#[allow(clippy::doc_markdown, reason = "as above")]
#[derive(Args)]
struct Run {
    /// Also write the admin's kubeconfig to this file, and name it in the export line
    ///
    /// Refused for your own kubeconfig and for any existing file that is not an earlier copy. Removed at the end.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// A further user, with the groups it is in; its kubeconfig is printed as `# user NAME: FILE`. May be repeated
    ///
    /// `system:masters` may do everything. The audit log tells users apart by name.
    #[arg(long = "user", value_name = "NAME[=GROUP,...]")]
    users: Vec<String>,
    /// Let etcd wait for the disk, as it does in a real cluster (for measurements)
    #[arg(long)]
    durable: bool,
    /// Go on when the parent process and standard input have gone, until SIGTERM
    #[arg(long)]
    detach_parent: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        What::Build(options) => build(&options),
        What::Run(options) => run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What cannot be said cannot be helped.
            writeln!(std::io::stderr(), "control-plane: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn build(options: &Build) -> Result<(), Error> {
    let line = |(name, path): (&str, &Path)| format!("{name}\t{}", path.display());
    let mut lines: Vec<String> = Binaries::provide()?.iter().map(line).collect();
    if options.node {
        lines.extend(NodeBinaries::provide()?.iter().map(line));
    }
    print(&lines)
}

enum Event {
    Started(Box<Result<ControlPlane, Error>>),
    End,
}

fn run(options: &Run) -> Result<(), Error> {
    let mut copy = options.kubeconfig.as_deref().map(KubeconfigCopy::at).transpose()?;
    let (events, news) = channel();
    if options.detach_parent {
        // Fails for the leader of a process group (started from an interactive shell), which then stays in its session.
        setsid().ok();
        watch_signals(events.clone(), true)?;
    } else {
        watch_signals(events.clone(), false)?;
        watch_parent(events.clone());
        watch_stdin(events.clone());
    }
    let mut builder = ControlPlane::builder();
    for user in &options.users {
        let (name, groups) = user.split_once('=').unwrap_or((user, ""));
        let groups: Vec<&str> = groups.split(',').filter(|group| !group.is_empty()).collect();
        builder = builder.user(name, &groups);
    }
    if options.durable {
        builder = builder.durable();
    }
    // In a thread of its own: what ends us may come while it starts or builds. Returning then ends the process, and with it
    // everything that was started.
    std::thread::spawn(move || events.send(Event::Started(Box::new(builder.start()))));

    let Ok(Event::Started(plane)) = news.recv() else {
        return Ok(());
    };
    let plane = (*plane)?;
    announce(&plane, copy.as_mut(), &options.users)?;
    // Nothing but an end can come now.
    news.recv().ok();
    plane.stop();
    Ok(())
}

fn announce(plane: &ControlPlane, copy: Option<&mut KubeconfigCopy>, users: &[String]) -> Result<(), Error> {
    let kubeconfig = match copy {
        Some(copy) => copy.write(plane)?.to_owned(),
        None => plane.kubeconfig_path(),
    };
    let mut lines = vec![
        format!("export KUBECONFIG={}", quoted(&kubeconfig)),
        format!("export KUBECACHEDIR={}", quoted(&plane.folder().join("cache"))),
        format!("export KUBECTL={}", quoted(&plane.binaries().kubectl)),
    ];
    for user in users {
        let name = user.split_once('=').map_or(user.as_str(), |(name, _)| name);
        let path = plane.kubeconfig_for(name)?;
        lines.push(format!("# user {name}: {}", path.display()));
    }
    lines.push(format!("# API server: {}", plane.url()));
    lines.push(format!("# audit log: {}", plane.audit_log().display()));
    lines.push(format!("# ends with: kill {}", std::process::id()));
    print(&lines)
}

fn print(lines: &[String]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", lines.join("\n"))
        .and_then(|()| out.flush())
        .map_err(|source| Error::System { doing: "writing to standard output".to_owned(), source })
}

/// For a POSIX shell; plain where that is safe, since people read it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

fn watch_signals(events: Sender<Event>, stay_on_hangup: bool) -> Result<(), Error> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])
        .map_err(|source| Error::System { doing: "asking for signals".to_owned(), source })?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if !(stay_on_hangup && signal == SIGHUP) {
                events.send(Event::End).ok();
            }
        }
    });
    Ok(())
}

/// Whoever adopts us has another process id than the parent.
fn watch_parent(events: Sender<Event>) {
    let parent = getppid();
    std::thread::spawn(move || {
        while getppid() == parent {
            std::thread::sleep(Duration::from_millis(200));
        }
        events.send(Event::End).ok();
    });
}

/// Only a pipe or socket: a script's background job has /dev/null there, whose end means nothing.
fn watch_stdin(events: Sender<Event>) {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() || !is_pipe(&stdin) {
        return;
    }
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        while stdin.read(&mut ignored).is_ok_and(|read| read > 0) {}
        events.send(Event::End).ok();
    });
}

fn is_pipe(stdin: &std::io::Stdin) -> bool {
    rustix::fs::fstat(stdin).is_ok_and(|stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket))
}
