//! Processes that cannot outlive the one that started them.
//!
//! Every process runs under a small shell that holds the reading end of a pipe, the *lifeline*. Only the parent holds the
//! writing end. However the parent ends (return, panic, SIGKILL), the kernel closes that end, the shell's `read` returns, and
//! the shell kills the process. An orderly end takes the same way: [`Guarded`] closes the lifeline and waits. Where util-linux'
//! `setpriv` is there (Linux), the process also asks the kernel to kill it when its shell dies (`PR_SET_PDEATHSIG`); the shell
//! has one thread, so the rule that this signal follows the *thread* that forked does no harm.
//!
//! A [`Keeper`] does the same for the temporary folder: it removes it when the last process that uses it has gone.

use std::io::{BufRead, BufReader, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::Error;

/// `$1` is the log, the rest the command. Its standard input is the lifeline, its standard output the keeper's pipe (held open
/// by the process as descriptor 4), its standard error is read by the parent for one line: the process id.
const GUARD: &str = r#"
log=$1; shift
if setpriv --pdeathsig KILL true >/dev/null 2>&1; then set -- setpriv --pdeathsig KILL "$@"; fi
exec 3<&0
"$@" </dev/null 3<&- 4>&1 >>"$log" 2>&1 &
child=$!
echo "$child" >&2
exec 2>>"$log"
( read -r _ <&3; kill -KILL "$child" ) &
watch=$!
wait "$child"; status=$?
kill "$watch"
exit "$status"
"#;

/// `$1` is the folder. Its standard input ends when the parent and every guarded process have gone. A kubectl that is just
/// writing its cache can make `rm` fail once.
const KEEPER: &str = r#"
cat >/dev/null
for try in 1 2 3 4 5; do rm -rf -- "$1" && exit 0; sleep 1; done
exit 1
"#;

/// A command that [`Guarded::spawn`] runs as `program`, with what it says appended to `log`. Working directory and environment
/// may still be set.
pub(crate) fn guarded(program: &Path, log: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", GUARD, "guard"]).arg(log).arg(program);
    command
}

/// A running process that ends when this value is dropped or this program ends, whichever way.
#[derive(Debug)]
pub(crate) struct Guarded {
    shell: Child,
    pid: Pid,
}

impl Guarded {
    /// Starts a command made by [`guarded`]. `keeper` is told of it, if there is one.
    pub(crate) fn spawn(mut command: Command, keeper: Option<&Keeper>) -> Result<Self, Error> {
        let held = match keeper {
            Some(keeper) => keeper.hold()?,
            None => Stdio::null(),
        };
        let mut shell = command
            .stdin(Stdio::piped())
            .stdout(held)
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C in the terminal reaches the parent only, which then ends all in order.
            .process_group(0)
            .spawn()
            .map_err(Error::doing("starting /bin/sh"))?;
        let mut said = String::new();
        if let Some(stderr) = shell.stderr.take() {
            BufReader::new(stderr).read_line(&mut said).map_err(Error::doing("reading the process id from /bin/sh"))?;
        }
        match said.trim().parse().ok().and_then(Pid::from_raw) {
            Some(pid) => Ok(Self { shell, pid }),
            None => {
                Err(Error::System { doing: "starting a process under /bin/sh".to_owned(), source: std::io::Error::other(said) })
            }
        }
    }

    /// The exit status, once the process has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.shell.try_wait().map_err(Error::doing("asking for a process"))
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus, Error> {
        // `Child::wait` would close the lifeline first, which ends the process.
        let lifeline = self.shell.stdin.take();
        let status = self.shell.wait();
        drop(lifeline);
        status.map_err(Error::doing("waiting for a process"))
    }

    /// Sends a signal to the process itself, not to its shell.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        kill_process(self.pid, signal)
            .map_err(|error| Error::System { doing: "sending a signal".to_owned(), source: error.into() })
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // `wait` closes the lifeline first.
        self.shell.wait().ok();
    }
}

/// Removes a folder when this value is dropped or this program ends, after the last guarded process that was told of it.
#[derive(Debug)]
pub(crate) struct Keeper {
    shell: Child,
    hold: Option<PipeWriter>,
}

impl Keeper {
    /// Watches over `folder`.
    pub(crate) fn of(folder: &Path) -> Result<Self, Error> {
        let (end, hold) = std::io::pipe().map_err(Error::doing("making a pipe"))?;
        let shell = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(folder)
            .stdin(end)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()
            .map_err(Error::doing("starting /bin/sh"))?;
        Ok(Self { shell, hold: Some(hold) })
    }

    fn hold(&self) -> Result<Stdio, Error> {
        match &self.hold {
            Some(hold) => Ok(hold.try_clone().map_err(Error::doing("copying a pipe"))?.into()),
            None => Ok(Stdio::null()),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.hold.take());
        self.shell.wait().ok();
    }
}
