//! The guard's flags.

use clap::{Args, ValueEnum};
use k8s_openapi::jiff::SignedDuration;

use super::drain::LeaseName;
use super::plan::Settings;
use crate::scope::Namespaces;

/// What becomes of the sessions that live when the operator is uninstalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Mode {
    /// The uninstall waits until none lives; somebody else deletes them. Past the time-out it fails, and nothing was changed.
    Wait,
    /// Every QosSession is deleted, and the operator releases it.
    Delete,
    /// Every QosSession is deleted without a release: what lives runs to its expiry and is paid for.
    Orphan,
}

/// See [`super::guard`].
#[derive(Clone, Debug, Args)]
pub struct GuardArguments {
    /// What becomes of the sessions that live.
    #[arg(long, default_value = "Wait")]
    pub mode: Mode,
    /// How long it may take.
    #[arg(long, default_value = "4m", value_parser = crate::args::duration)]
    pub timeout: SignedDuration,
    /// Look at the QosSessions of these namespaces only, as the operator does (default: all).
    #[arg(long, default_value_t, hide_default_value = true)]
    pub watch_namespaces: Namespaces,
    /// Look at objects with these labels only, as the operator does.
    #[arg(long)]
    pub session_selector: Option<String>,
    /// The operator makes QosSessions for Pods and Services: these are deleted only once it is known to make none again.
    #[arg(long)]
    pub workloads: bool,
    /// Name of the Lease by which the operator's leader is elected: in the modes Delete and Orphan it is told there to make no
    /// QosSession for Pods and Services meanwhile. Without it those that it makes are waited for.
    #[arg(long)]
    pub lease_name: Option<String>,
    /// The operator's own namespace, in which the Lease is.
    #[arg(long, env = "POD_NAMESPACE", default_value = "qos-operator")]
    pub namespace: String,
    /// A QosProvider to delete at the end (the simulator's, which Helm does not delete).
    #[arg(long)]
    pub delete_provider: Option<String>,
    /// Name of the Helm release, for the message.
    #[arg(long, default_value = "NAME")]
    pub release: String,
}

impl From<&GuardArguments> for Settings {
    fn from(arguments: &GuardArguments) -> Self {
        Self {
            mode: arguments.mode,
            timeout: arguments.timeout,
            namespaces: arguments.watch_namespaces.clone(),
            selector: arguments.session_selector.clone(),
            workloads: arguments.workloads,
            lease: arguments.lease_name.clone().map(|name| LeaseName { namespace: arguments.namespace.clone(), name }),
            delete_provider: arguments.delete_provider.clone(),
            release: arguments.release.clone(),
        }
    }
}
