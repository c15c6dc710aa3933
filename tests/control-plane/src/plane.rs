//! Starting the parts in order, and what a test may ask of them afterwards.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;

use crate::audit::{self, AuditEvent};
use crate::binaries::Binaries;
use crate::error::Error;
use crate::guarded::Keeper;
use crate::parts::{Layout, Ports};
use crate::server::{Server, answers, kubectl_with, ready, wait_for};
use crate::users::{CONTROLLER_MANAGER, Users, authority_of};

/// How often other ports are tried when one was taken between its choice and the server's start.
const PORT_TRIES: usize = 5;

/// What a control plane is to be like.
#[derive(Debug, Default)]
pub struct Builder {
    users: Vec<(String, Vec<String>)>,
    durable: bool,
    api_server_flags: Vec<String>,
}

impl Builder {
    /// A further user with a kubeconfig of its own, in `groups` (`system:masters` may do everything; without a group and a
    /// binding it may do nothing). The audit log names it so.
    #[must_use]
    pub fn user(mut self, name: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        self.users.push((name.to_owned(), groups));
        self
    }

    /// Lets etcd wait for the disk as it does in a real cluster. Only for measurements: without it tests are faster.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// A further flag for kube-apiserver, e.g. `--feature-gates=X=true`. It stands after our own and so overrides them.
    #[must_use]
    pub fn api_server_flag(mut self, flag: &str) -> Self {
        self.api_server_flags.push(flag.to_owned());
        self
    }

    /// Builds what is missing and starts everything. Returns when the API server is ready and the controllers work.
    ///
    /// # Errors
    /// When a binary cannot be provided, or a part ends or is not ready in time: then with the end of its log.
    pub fn start(self) -> Result<ControlPlane, Error> {
        let binaries = Binaries::provide()?;
        let mut tries = 1;
        loop {
            match self.start_on(Ports::free()?, &binaries) {
                Err(error) if error.is_port_taken() && tries < PORT_TRIES => tries += 1,
                other => return other,
            }
        }
    }

    fn start_on(&self, ports: Ports, binaries: &Binaries) -> Result<ControlPlane, Error> {
        let users = Users::new(&self.users)?;
        let name = format!("control-plane-{}", uuid::Uuid::new_v4().simple());
        let folder = std::env::temp_dir().join(name);
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        builder.create(&folder).map_err(Error::at("creating", &folder))?;
        let keeper = Keeper::of(&folder)?;
        let layout = Layout {
            folder,
            ports,
            binaries: binaries.clone(),
            durable: self.durable,
            api_server_flags: self.api_server_flags.clone(),
        };
        layout.write_files(&users)?;

        // The API server waits for etcd by itself.
        let mut etcd = Server::start("etcd", layout.etcd(), &layout, &keeper)?;
        let mut api_server = Server::start("kube-apiserver", layout.api_server(), &layout, &keeper)?;
        let authority = wait_for("its certificate", &mut [&mut api_server, &mut etcd], || {
            let certificates = std::fs::read_to_string(layout.certificate()).unwrap_or_default();
            authority_of(&certificates).map(str::to_owned)
        })?;
        users.write_kubeconfigs(&layout.folder, &layout.url(), &authority)?;
        // It waits for the API server by itself.
        let command = layout.controller_manager(&users)?;
        let mut controller_manager = Server::start("kube-controller-manager", command, &layout, &keeper)?;

        // As the user whose reads are left out of the audit log.
        let kubeconfig = users.kubeconfig(&layout.folder, CONTROLLER_MANAGER)?;
        let kubectl = || kubectl_with(&layout, &kubeconfig);
        let parts = &mut [&mut api_server, &mut etcd, &mut controller_manager];
        wait_for("readiness of the API server", parts, || ready(kubectl()))?;
        // Made by a controller: it shows that they work, and Pods need it.
        let parts = &mut [&mut controller_manager, &mut api_server, &mut etcd];
        wait_for("the first ServiceAccount", parts, || answers(kubectl(), DEFAULT_ACCOUNT))?;

        Ok(ControlPlane {
            api_server: Mutex::new(Some(api_server)),
            _controller_manager: controller_manager,
            _etcd: etcd,
            keeper,
            layout,
            users,
        })
    }
}

const DEFAULT_ACCOUNT: &str = "/api/v1/namespaces/default/serviceaccounts/default";

/// A running control plane. Dropping it kills its processes and removes its folder.
#[derive(Debug)]
pub struct ControlPlane {
    // Fields are dropped in this order: the clients of a server before it, the folder at the end.
    _controller_manager: Server,
    /// Nothing while it is stopped.
    api_server: Mutex<Option<Server>>,
    _etcd: Server,
    keeper: Keeper,
    layout: Layout,
    users: Users,
}

impl ControlPlane {
    /// Starts one with the user `admin` only. See [`Builder::start`].
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start() -> Result<Self, Error> {
        Self::builder().start()
    }

    /// For one with more users or other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where the API server listens: `https://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.layout.url()
    }

    /// The folder with all data and logs. It goes with the control plane.
    pub fn folder(&self) -> &Path {
        &self.layout.folder
    }

    /// The binaries that run.
    pub fn binaries(&self) -> &Binaries {
        &self.layout.binaries
    }

    /// The kubeconfig of `admin`, who may do everything.
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.layout.folder.join("kubeconfig")
    }

    /// The kubeconfig of a user that the builder was asked for.
    ///
    /// # Errors
    /// [`Error::UnknownUser`].
    pub fn kubeconfig_for(&self, user: &str) -> Result<PathBuf, Error> {
        self.users.kubeconfig(&self.layout.folder, user)
    }

    /// The bearer token of a user that the builder was asked for, or of `admin`.
    ///
    /// # Errors
    /// [`Error::UnknownUser`].
    pub fn token_for(&self, user: &str) -> Result<&str, Error> {
        self.users.token(user)
    }

    /// kubectl as `admin`. It neither reads nor writes the user's own configuration or cache.
    pub fn kubectl(&self) -> Command {
        kubectl_with(&self.layout, &self.kubeconfig_path())
    }

    /// kubectl as another user.
    ///
    /// # Errors
    /// [`Error::UnknownUser`].
    pub fn kubectl_as(&self, user: &str) -> Result<Command, Error> {
        Ok(kubectl_with(&self.layout, &self.kubeconfig_for(user)?))
    }

    /// The audit log: a JSON object a line, at level Metadata.
    pub fn audit_log(&self) -> PathBuf {
        self.layout.audit_log()
    }

    /// The requests that have ended, in the order of their ends. Left out are only reads by the control plane's own parts, and of
    /// health, version and discovery. A request is in the log before its answer ends, but the answer may be in the client's hands
    /// a moment before.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn audit_events(&self) -> Result<Vec<AuditEvent>, Error> {
        let path = self.audit_log();
        let log = std::fs::read(&path).map_err(Error::at("reading", &path))?;
        audit::finished(&String::from_utf8_lossy(&log))
    }

    /// Stops the API server where it is (SIGSTOP): connections stay open, and nobody answers.
    ///
    /// # Errors
    /// When it is not running.
    pub fn pause_api_server(&self) -> Result<(), Error> {
        self.signal_api_server(Signal::STOP)
    }

    /// Lets a paused API server go on (SIGCONT).
    ///
    /// # Errors
    /// When it is not running.
    pub fn resume_api_server(&self) -> Result<(), Error> {
        self.signal_api_server(Signal::CONT)
    }

    /// Kills the API server (SIGKILL): connections break, new ones are refused. Nothing happens if it is stopped already.
    pub fn stop_api_server(&self) {
        drop(self.lock_api_server().take());
    }

    /// Starts a stopped API server again, on the same port and data, and waits until it is ready. Nothing happens if it runs.
    ///
    /// # Errors
    /// When it ends or is not ready in time.
    pub fn start_api_server(&self) -> Result<(), Error> {
        let mut running = self.lock_api_server();
        if running.is_some() {
            return Ok(());
        }
        let command = self.layout.api_server();
        let mut server = Server::start("kube-apiserver", command, &self.layout, &self.keeper)?;
        wait_for("readiness of the API server", &mut [&mut server], || ready(self.kubectl()))?;
        *running = Some(server);
        Ok(())
    }

    /// [`Self::stop_api_server`], then [`Self::start_api_server`].
    ///
    /// # Errors
    /// As [`Self::start_api_server`].
    pub fn restart_api_server(&self) -> Result<(), Error> {
        self.stop_api_server();
        self.start_api_server()
    }

    /// Ends everything and removes the folder. The same as dropping it.
    pub fn stop(self) {
        drop(self);
    }

    fn signal_api_server(&self, signal: Signal) -> Result<(), Error> {
        match &*self.lock_api_server() {
            Some(server) => server.process.signal(signal),
            None => Err(Error::System {
                doing: "sending a signal to kube-apiserver".to_owned(),
                source: std::io::Error::other("it is stopped"),
            }),
        }
    }

    fn lock_api_server(&self) -> MutexGuard<'_, Option<Server>> {
        self.api_server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_another_program_took_is_known_as_such_so_that_others_are_tried() {
        let binaries = Binaries::provide().unwrap();
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = other.local_addr().unwrap().port();
        for taken in
            [Ports { etcd_client: taken, ..Ports::free().unwrap() }, Ports { api_server: taken, ..Ports::free().unwrap() }]
        {
            let error = Builder::default().start_on(taken, &binaries).unwrap_err();
            assert!(error.is_port_taken(), "{error}");
        }
    }

    #[test]
    fn a_part_that_ends_at_its_start_is_reported_with_the_end_of_its_log() {
        let builder = ControlPlane::builder().api_server_flag("--no-such-flag");
        let error = builder.start().unwrap_err();
        assert!(matches!(&error, Error::Ended { process: "kube-apiserver", .. }), "{error}");
        assert!(error.to_string().contains("no-such-flag"), "{error}");
    }
}
