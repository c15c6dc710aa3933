//! What can go wrong, each with its remedy.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a control plane could not be built, started or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no Go toolchain on the search path.
    #[error(
        "`go` was not found, and {binary} must be built from source once. Install Go {needed} or newer, \
         or let KUBEBUILDER_ASSETS name a folder that holds {binary}"
    )]
    GoMissing {
        /// The binary that was to be built.
        binary: &'static str,
        /// The oldest version of Go that can build it.
        needed: &'static str,
    },
    /// The Go toolchain is older than Kubernetes needs and may not replace itself.
    #[error(
        "{binary} must be built from source once, which needs Go {needed} or newer; `go` says: {found}. \
         Update Go, or unset GOTOOLCHAIN=local so that it may fetch a newer toolchain itself, \
         or let KUBEBUILDER_ASSETS name a folder that holds {binary}"
    )]
    GoTooOld {
        /// The binary that was to be built.
        binary: &'static str,
        /// The oldest version of Go that can build it.
        needed: &'static str,
        /// What `go` said of itself.
        found: String,
    },
    /// `go build` failed.
    #[error("building {binary} failed; the end of {log}:\n{tail}", log = log.display())]
    Build {
        /// The binary that was to be built.
        binary: &'static str,
        /// Where everything that `go build` said is kept.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set, so there is no place to keep what was built.
    #[error("there is no folder to keep the binaries in: set HOME or XDG_CACHE_HOME")]
    NoCacheFolder,
    /// A part of the control plane ended by itself.
    #[error("{process} ended by itself ({status}); the end of its log:\n{tail}")]
    Ended {
        /// Which part.
        process: &'static str,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// Something did not become ready in time.
    #[error("{waited_for} did not happen within {within:?}; the end of the log of {process}:\n{tail}")]
    NotReady {
        /// What was waited for.
        waited_for: &'static str,
        /// How long.
        within: Duration,
        /// The part that it depends on.
        process: &'static str,
        /// The last lines of its log.
        tail: String,
    },
    /// A name that the builder was not asked for.
    #[error("the control plane was started without a user `{0}`")]
    UnknownUser(String),
    /// A name that a token file cannot hold.
    #[error("`{0}` cannot name a user or group here: names are not empty and hold no comma, quote or line break")]
    UnusableName(String),
    /// A line of the audit log that is no audit event.
    #[error("line {line} of the audit log is no audit event: {source}")]
    Audit {
        /// Its number, from 1.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The key for `ServiceAccount` tokens could not be made.
    #[error("the key for ServiceAccount tokens could not be made: {0}")]
    Key(#[from] rcgen::Error),
    /// A file that is not ours to write.
    #[error("{path} is not replaced: {why}", path = path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// Why it is left alone.
        why: &'static str,
    },
    /// The operating system refused something.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl Error {
    /// For `map_err`: says what was being done with which path.
    pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let doing = format!("{doing} {}", path.display());
        move |source| Self::System { doing, source }
    }

    /// For `map_err`: says what was being done.
    pub(crate) fn doing(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { doing: doing.to_owned(), source }
    }

    /// Whether this is the end of a process that found its port taken by another program.
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Ended { tail, .. } if tail.contains("address already in use"))
    }
}

/// The last lines of a log, for an error message.
pub(crate) fn tail_of(log: &Path) -> String {
    const LINES: usize = 25;
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return "(it is empty)".to_owned();
    }
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
