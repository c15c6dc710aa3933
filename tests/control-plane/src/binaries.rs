//! The binaries of a control plane and of a node, built from pinned Go modules once per user, or taken from `KUBEBUILDER_ASSETS`.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::environment;
use crate::error::{Error, tail_of};
use crate::guarded::{Guarded, guarded};

/// The version of Kubernetes that is built, as `go/go.mod` pins it.
pub const KUBERNETES_VERSION: &str = "1.37.2";
/// The version of etcd that is built, as `go/go.mod` pins it.
pub const ETCD_VERSION: &str = "3.7.3";
/// The oldest Go that can build them, as `go/go.mod` says.
const GO_VERSION: (u32, &str) = (26, "1.26");

/// The Go module, carried in this library so that the build needs no checkout and the key covers what is built.
const MODULE: [(&str, &str); 3] = [
    ("go.mod", include_str!("../go/go.mod")),
    ("go.sum", include_str!("../go/go.sum")),
    ("main.go", include_str!("../go/main.go")),
];

/// Without these, `/version` would answer v0.0.0-master.
const LDFLAGS: &str = "-s -w \
    -X k8s.io/component-base/version.gitVersion=v1.37.2 \
    -X k8s.io/component-base/version.gitMajor=1 \
    -X k8s.io/component-base/version.gitMinor=37 \
    -X k8s.io/component-base/version.gitTreeState=clean \
    -X k8s.io/client-go/pkg/version.gitVersion=v1.37.2";

struct Program {
    name: &'static str,
    package: &'static str,
    version: &'static str,
    /// How long a build takes with an empty cache on two cores, in the order of [`PROGRAMS`].
    expected: &'static str,
}

/// In the order in which they are built: the first one compiles most of what the others share.
const PROGRAMS: [Program; 4] = [
    Program {
        name: "kube-apiserver",
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        version: KUBERNETES_VERSION,
        expected: "about 5 minutes",
    },
    Program {
        name: "kube-controller-manager",
        package: "k8s.io/kubernetes/cmd/kube-controller-manager",
        version: KUBERNETES_VERSION,
        expected: "about 90 seconds",
    },
    Program {
        name: "kubectl",
        package: "k8s.io/kubernetes/cmd/kubectl",
        version: KUBERNETES_VERSION,
        expected: "about 20 seconds",
    },
    Program { name: "etcd", package: ".", version: ETCD_VERSION, expected: "about 10 seconds" },
];

/// What a node adds, built only when it is asked for: the tests need no node.
const NODE_PROGRAMS: [Program; 3] = [
    Program {
        name: "kubelet",
        package: "k8s.io/kubernetes/cmd/kubelet",
        version: KUBERNETES_VERSION,
        expected: "about 40 seconds after the control plane",
    },
    Program {
        name: "kube-scheduler",
        package: "k8s.io/kubernetes/cmd/kube-scheduler",
        version: KUBERNETES_VERSION,
        expected: "about 10 seconds",
    },
    Program {
        name: "kube-proxy",
        package: "k8s.io/kubernetes/cmd/kube-proxy",
        version: KUBERNETES_VERSION,
        expected: "about 10 seconds",
    },
];

/// Where the four binaries are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// etcd, 3.5.13 or newer.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// The controller manager, not newer than the API server.
    pub kube_controller_manager: PathBuf,
    /// The command line client.
    pub kubectl: PathBuf,
}

impl Binaries {
    /// Finds each binary in `KUBEBUILDER_ASSETS`, else in the user's cache, else builds it there (once, several minutes
    /// altogether) with a line of progress on standard error.
    ///
    /// # Errors
    /// When there is no Go toolchain that can build them, or the build fails.
    pub fn provide() -> Result<Self, Error> {
        let [kube_apiserver, kube_controller_manager, kubectl, etcd] = provided(&PROGRAMS)?;
        Ok(Self { etcd, kube_apiserver, kube_controller_manager, kubectl })
    }

    /// Each binary's name and place.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [
            ("kube-apiserver", self.kube_apiserver.as_path()),
            ("kube-controller-manager", &self.kube_controller_manager),
            ("kubectl", &self.kubectl),
            ("etcd", &self.etcd),
        ]
        .into_iter()
    }
}

/// Where the binaries of a node are.
#[derive(Debug, Clone)]
pub struct NodeBinaries {
    /// The node's agent; it needs a container runtime and root.
    pub kubelet: PathBuf,
    /// The scheduler.
    pub kube_scheduler: PathBuf,
    /// What makes Services reachable.
    pub kube_proxy: PathBuf,
}

impl NodeBinaries {
    /// As [`Binaries::provide`].
    ///
    /// # Errors
    /// As [`Binaries::provide`].
    pub fn provide() -> Result<Self, Error> {
        let [kubelet, kube_scheduler, kube_proxy] = provided(&NODE_PROGRAMS)?;
        Ok(Self { kubelet, kube_scheduler, kube_proxy })
    }

    /// Each binary's name and place.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [("kubelet", self.kubelet.as_path()), ("kube-scheduler", &self.kube_scheduler), ("kube-proxy", &self.kube_proxy)]
            .into_iter()
    }
}

/// The place of each program, in their order.
fn provided<const N: usize>(programs: &[Program; N]) -> Result<[PathBuf; N], Error> {
    let assets = environment::kubebuilder_assets();
    let cache = Cache::of_user();
    let mut paths = std::array::from_fn(|_| PathBuf::new());
    for (program, path) in programs.iter().zip(&mut paths) {
        let asset = assets.as_ref().map(|folder| folder.join(program.name));
        *path = match asset.filter(|asset| asset.is_file()) {
            Some(asset) => asset,
            None => cache.as_ref().ok_or(Error::NoCacheFolder)?.provide(program)?,
        };
    }
    Ok(paths)
}

/// The folder of this module's builds in the user's cache.
struct Cache {
    folder: PathBuf,
}

impl Cache {
    fn of_user() -> Option<Self> {
        Some(Self { folder: environment::cache_home()?.join("qos-operator/control-plane").join(key()) })
    }

    fn provide(&self, program: &Program) -> Result<PathBuf, Error> {
        let binary = self.folder.join(program.name);
        if binary.is_file() {
            return Ok(binary);
        }
        fs::create_dir_all(&self.folder).map_err(Error::at("creating", &self.folder))?;
        let _locked = self.lock()?;
        // Another process may have built it while this one waited for the lock.
        if !binary.is_file() {
            self.build(program, &binary)?;
        }
        Ok(binary)
    }

    /// The lock is the kernel's, so it goes with its holder, whichever way that ends.
    fn lock(&self) -> Result<File, Error> {
        let path = self.folder.join("lock");
        let file = File::create(&path).map_err(Error::at("creating", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                say("waiting for another process that is building the control plane ...\n");
                file.lock().map_err(Error::at("locking", &path))?;
                Ok(file)
            }
            Err(TryLockError::Error(error)) => Err(Error::at("locking", &path)(error)),
        }
    }

    fn build(&self, program: &Program, binary: &Path) -> Result<(), Error> {
        let module = self.folder.join("module");
        fs::create_dir_all(&module).map_err(Error::at("creating", &module))?;
        for (name, text) in MODULE {
            let path = module.join(name);
            fs::write(&path, text).map_err(Error::at("writing", &path))?;
        }
        require_go(program, &module)?;

        say(&format!("building {} {} (once; {} on 2 cores) ... ", program.name, program.version, program.expected));
        let started = Instant::now();
        let log = self.folder.join(format!("{}.log", program.name));
        fs::write(&log, "").map_err(Error::at("writing", &log))?;
        // In the same folder, so that the rename is one step. What a killed build left there is no concern of `go build`, which
        // would refuse to overwrite half a binary.
        let partial = self.folder.join(format!(".{}.partial", program.name));
        fs::remove_file(&partial).ok();
        let mut command = guarded(Path::new("go"), &log);
        command
            .current_dir(&module)
            .args(["build", "-trimpath", "-ldflags", LDFLAGS, "-o"])
            .args([&partial, Path::new(program.package)]);
        on_this_machine(&mut command);
        let status = Guarded::spawn(command, None)?.wait()?;
        if !status.success() {
            say("failed\n");
            fs::remove_file(&partial).ok();
            return Err(Error::Build { binary: program.name, tail: tail_of(&log), log });
        }
        fs::rename(&partial, binary).map_err(Error::at("renaming", &partial))?;
        say(&format!("{} s\n", started.elapsed().as_secs()));
        Ok(())
    }
}

/// Names what determines the result.
fn key() -> String {
    let mut hash = Sha256::new();
    for (name, text) in MODULE {
        hash.update(format!("{name} {}\n{text}", text.len()));
    }
    hash.update(LDFLAGS);
    hash.update(std::env::consts::OS);
    hash.update(std::env::consts::ARCH);
    let digest = hash.finalize();
    digest[..8]
        .iter()
        .map(|byte| [byte >> 4, byte & 15])
        .flat_map(|halves| halves.map(|half| char::from_digit(u32::from(half), 16)))
        .flatten()
        .collect()
}

/// GOPROXY, GOFLAGS and the rest of the user's settings stay as they are, but the result must run here, and a `go.work` in a
/// folder above is none of our business.
fn on_this_machine(command: &mut Command) {
    command.env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
}

fn require_go(program: &Program, module: &Path) -> Result<(), Error> {
    let (needed_minor, needed) = GO_VERSION;
    let binary = program.name;
    let mut command = Command::new("go");
    // In the module's folder, where a `go` that may do so fetches the toolchain that go.mod asks for.
    command.args(["env", "GOVERSION"]).current_dir(module);
    on_this_machine(&mut command);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::GoMissing { binary, needed });
        }
        Err(source) => return Err(Error::doing("starting go")(source)),
    };
    let said = if output.status.success() { &output.stdout } else { &output.stderr };
    let found = String::from_utf8_lossy(said).trim().to_owned();
    if output.status.success() && minor_of(&found).is_none_or(|minor| minor >= needed_minor) {
        return Ok(());
    }
    Err(Error::GoTooOld { binary, needed, found })
}

/// The minor version in `go1.26.8` or `go1.27rc1`; nothing for a development version, which is taken to be new enough.
fn minor_of(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("go1.")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// To standard error itself: the test harness would keep what `eprint!` says until the test fails, and this is for someone who
/// waits.
fn say(text: &str) {
    let mut stderr = std::io::stderr();
    stderr.write_all(text.as_bytes()).ok();
    stderr.flush().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_named_in_the_code_are_those_that_go_mod_pins() {
        let [(_, go_mod), ..] = MODULE;
        for line in [
            format!("k8s.io/kubernetes v{KUBERNETES_VERSION}"),
            format!("go.etcd.io/etcd/server/v3 v{ETCD_VERSION}"),
            format!("go {}.0", GO_VERSION.1),
        ] {
            assert!(go_mod.contains(&line), "go.mod does not say `{line}`");
        }
        assert!(LDFLAGS.contains(&format!("gitVersion=v{KUBERNETES_VERSION}")));
    }

    #[test]
    fn the_minor_version_of_go_is_read_from_releases_and_candidates() {
        assert_eq!(minor_of("go1.26.8"), Some(26));
        assert_eq!(minor_of("go1.27rc1"), Some(27));
        assert_eq!(minor_of("devel go1.28-abcdef"), None);
    }
}
