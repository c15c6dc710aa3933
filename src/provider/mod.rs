//! The controller of `QosProvider`: finds out whether each provider can be used and what it offers, and keeps its status.
//!
//! Sessions see the result through [`Providers`].

mod admission;
mod backoff;
mod budget;
mod gate;
mod limits;
mod readiness;
mod registry;

use k8s_openapi::jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

pub use gate::{Closed, Gate};
pub use limits::{Limits, Permit};
pub use readiness::Readiness;
pub use registry::{ProfileAnswer, Provider, Providers};

use crate::clock::Clock;

/// What the provider controller needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's own namespace: the one of the providers' Secrets.
    pub namespace: String,
    /// Label selector of the QosProviders that this instance keeps; none: all.
    pub selector: Option<String>,
    /// The time.
    pub clock: Clock,
    /// How often a provider that is Ready is asked again whether it is, and what it offers.
    pub profile_refresh: SignedDuration,
}

impl Settings {
    /// The usual settings: all providers, asked again every 10 minutes.
    pub fn new(namespace: impl Into<String>, clock: Clock) -> Self {
        Self { namespace: namespace.into(), selector: None, clock, profile_refresh: SignedDuration::from_mins(10) }
    }
}

/// Runs until `shutdown` is cancelled.
pub async fn run(client: kube::Client, settings: Settings, providers: Providers, shutdown: CancellationToken) {
    let _ = (client, settings, providers);
    shutdown.cancelled().await;
}
