//! The command lines of the three servers.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::audit::POLICY;
use crate::binaries::Binaries;
use crate::environment::search_path;
use crate::error::Error;
use crate::guarded::guarded;
use crate::users::{CONTROLLER_MANAGER, Users, write_private};

/// Three ports that the kernel chose. They are free when they are chosen; who starts a server on one must be ready to find it
/// taken meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) etcd_client: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) api_server: u16,
}

impl Ports {
    pub(crate) fn free() -> Result<Self, Error> {
        let ports = || -> std::io::Result<Self> {
            let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
            // All at once, so that they differ.
            let [first, second, third] = [listen()?, listen()?, listen()?];
            Ok(Self {
                etcd_client: first.local_addr()?.port(),
                etcd_peer: second.local_addr()?.port(),
                api_server: third.local_addr()?.port(),
            })
        };
        ports().map_err(Error::doing("finding free ports"))
    }
}

/// Everything that the command lines are made of.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) folder: PathBuf,
    pub(crate) ports: Ports,
    pub(crate) binaries: Binaries,
    pub(crate) durable: bool,
    pub(crate) api_server_flags: Vec<String>,
}

impl Layout {
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api_server)
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    pub(crate) fn log_of(&self, process: &str) -> PathBuf {
        self.folder.join(format!("{process}.log"))
    }

    /// Where the API server writes its certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("apiserver.crt")
    }

    fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.etcd_client)
    }

    /// Writes what the servers read at their start.
    pub(crate) fn write_files(&self, users: &Users) -> Result<(), Error> {
        let key = rcgen::KeyPair::generate()?;
        let write = |name: &str, text: &str| write_private(&self.folder.join(name), text);
        write("sa.key", &key.serialize_pem())?;
        write("sa.pub", &key.public_key_pem())?;
        write("tokens.csv", &users.token_file())?;
        write("audit-policy.yaml", POLICY)
    }

    pub(crate) fn etcd(&self) -> Command {
        let mut command = self.server(&self.binaries.etcd, "etcd");
        let client = self.etcd_url();
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        command
            .arg(flag("data-dir", &self.folder.join("etcd")))
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster=default={peer}"))
            // Only a ceiling: a large test writes more than the usual 2 GiB between two compactions.
            .arg("--quota-backend-bytes=8589934592")
            .arg("--log-level=warn");
        if !self.durable {
            command.arg("--unsafe-no-fsync");
        }
        command
    }

    pub(crate) fn api_server(&self) -> Command {
        let mut command = self.server(&self.binaries.kube_apiserver, "kube-apiserver");
        command
            .arg(format!("--etcd-servers={}", self.etcd_url()))
            .arg(flag("cert-dir", &self.folder))
            .arg("--bind-address=127.0.0.1")
            .arg("--advertise-address=127.0.0.1")
            .arg(format!("--secure-port={}", self.ports.api_server))
            .arg("--endpoint-reconciler-type=none")
            .arg("--service-cluster-ip-range=10.0.0.0/24")
            .arg("--allow-privileged=true")
            .arg("--authorization-mode=RBAC")
            .arg(flag("token-auth-file", &self.folder.join("tokens.csv")))
            .arg(format!("--service-account-issuer={}/", self.url()))
            .arg(flag("service-account-key-file", &self.folder.join("sa.pub")))
            .arg(flag("service-account-signing-key-file", &self.folder.join("sa.key")))
            .arg(flag("audit-policy-file", &self.folder.join("audit-policy.yaml")))
            .arg(flag("audit-log-path", &self.audit_log()))
            // A line is in the file before the request ends, and all lines are in one file.
            .arg("--audit-log-mode=blocking")
            .arg("--audit-log-maxsize=65536")
            // Nobody queues behind the hundreds of watches of a test.
            .arg("--enable-priority-and-fairness=false")
            .arg("--max-requests-inflight=0")
            .arg("--max-mutating-requests-inflight=0")
            .arg("--shutdown-delay-duration=0s")
            .arg("--profiling=false")
            .args(&self.api_server_flags);
        command
    }

    pub(crate) fn controller_manager(&self, users: &Users) -> Result<Command, Error> {
        let mut command = self.server(&self.binaries.kube_controller_manager, "kube-controller-manager");
        let kubeconfig = users.kubeconfig(&self.folder, CONTROLLER_MANAGER)?;
        command
            .arg(flag("kubeconfig", &kubeconfig))
            .arg(concat!(
                "--controllers=namespace-controller,garbage-collector-controller,serviceaccount-controller,",
                "serviceaccount-token-controller,clusterrole-aggregation-controller"
            ))
            .arg("--leader-elect=false")
            .arg("--use-service-account-credentials=false")
            .arg(flag("service-account-private-key-file", &self.folder.join("sa.key")))
            .arg("--secure-port=0")
            // The defaults (20 and 30 a second) make the deletion of a full namespace slow.
            .arg("--kube-api-qps=500")
            .arg("--kube-api-burst=1000");
        Ok(command)
    }

    /// A server gets a clean environment: etcd takes every `ETCD_…` for a setting.
    fn server(&self, binary: &Path, process: &str) -> Command {
        let mut command = guarded(binary, &self.log_of(process));
        command.env_clear().env("PATH", search_path()).env("HOME", &self.folder).current_dir(&self.folder);
        command
    }
}

fn flag(name: &str, path: &Path) -> std::ffi::OsString {
    let mut flag = std::ffi::OsString::from(format!("--{name}="));
    flag.push(path);
    flag
}
