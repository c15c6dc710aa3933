//! What the integration tests share: one control plane with our definitions, for the whole binary.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

pub(crate) mod account;
pub(crate) mod elsewhere;
pub(crate) mod fault;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod rights;
pub(crate) mod stage;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use control_plane::ControlPlane;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// A real API server that knows `QosSession` and `QosProvider`. It ends with the test process.
pub(crate) struct Cluster {
    plane: ControlPlane,
    config: Config,
    namespaces: AtomicU32,
}

/// The cluster that all tests of this binary share, started by the first of them. Each test uses [`Cluster::namespace`]; what is
/// cluster-scoped has a name of its own. A test that stops or restarts parts of a control plane starts its own.
pub(crate) async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    CLUSTER.get_or_init(Cluster::start).await
}

impl Cluster {
    async fn start() -> Self {
        let plane = tokio::task::spawn_blocking(|| ControlPlane::start().unwrap()).await.unwrap();
        let mut apply = plane.kubectl();
        stdout_of(apply.arg("apply").arg("-f").arg(in_repository("crds")));
        let mut wait = plane.kubectl();
        stdout_of(wait.args(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]));
        let kubeconfig = Kubeconfig::read_from(plane.kubeconfig_path()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Self { plane, config, namespaces: AtomicU32::new(1) }
    }

    /// One that no other test sees, for a test that changes a definition. It ends with the test process too.
    pub(crate) async fn of_its_own() -> &'static Self {
        Box::leak(Box::new(Self::start().await))
    }

    /// Ends its API server. Only for a cluster of a test's own.
    pub(crate) async fn stop_api_server(&'static self) {
        tokio::task::spawn_blocking(|| self.plane.stop_api_server()).await.unwrap();
    }

    /// Starts it again, and returns when it is ready.
    pub(crate) async fn start_api_server(&'static self) {
        tokio::task::spawn_blocking(|| self.plane.start_api_server().unwrap()).await.unwrap();
    }

    /// The kubeconfig of a user who may do everything, for a process of its own.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig_path()
    }

    /// The same for whom that `token` is.
    pub(crate) fn kubeconfig_of(&self, token: &str) -> Value {
        let mut config: Value = serde_saphyr::from_str(&std::fs::read_to_string(self.kubeconfig()).unwrap()).unwrap();
        config["users"][0]["user"] = json!({ "token": token });
        config
    }

    /// The token in that kubeconfig.
    pub(crate) fn token(&self) -> String {
        self.plane.token_for("admin").unwrap().to_owned()
    }

    /// A client that may do everything. It works only in the runtime of the test that asks for it, so each test has its own.
    pub(crate) fn client(&self) -> Client {
        Client::try_from(self.config.clone()).unwrap()
    }

    /// How to reach the API server, for a client that a test makes itself.
    pub(crate) fn config(&self) -> Config {
        self.config.clone()
    }

    /// What the API server has been asked, by its own audit log.
    pub(crate) fn audit_events(&self) -> Vec<control_plane::AuditEvent> {
        self.plane.audit_events().unwrap()
    }

    /// kubectl, as a user who may do everything.
    pub(crate) fn kubectl(&self) -> Command {
        self.plane.kubectl()
    }

    /// Makes a namespace that no other test has and returns its name.
    pub(crate) async fn namespace(&self, prefix: &str) -> String {
        let name = format!("{prefix}-{}", self.namespaces.fetch_add(1, Ordering::Relaxed));
        self.ensure_namespace(&name).await;
        name
    }

    /// Makes the namespace where it is not there yet.
    pub(crate) async fn ensure_namespace(&self, name: &str) {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        match Api::all(self.client()).create(&PostParams::default(), &namespace).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => panic!("namespace {name} cannot be made: {error}"),
        }
    }
}

/// What `command` prints; it must succeed.
pub(crate) fn stdout_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} fails with {}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// A path in this repository.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
