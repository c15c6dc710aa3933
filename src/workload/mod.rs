//! Workloads ask by annotation: from Pods, Services and Nodes to `QosSession`s, which the session controller keeps like any other.
//!
//! What is pure: [`annotations`], [`claim`], [`child`], [`plan`], [`attempts`], [`notice`], [`seen`], [`room`]. What may touch the
//! network: [`write`], and the watches below. No object of anybody else gets a finalizer or is written to, but for Events.
//!
//! Pods and Services are watched whole, since node, phase and addresses stand in spec and status; of what arrives all but a few
//! fields is skipped, and only what carries (or carried) an annotation of ours is kept, already parsed, whether its namespace has
//! opted in or not: that is what NamespaceNotEnabled and a later opt-in need, and it is bounded by the grammar. Nodes and namespaces
//! are watched by metadata alone.

pub mod annotations;
pub mod args;
pub mod attempts;
pub mod child;
pub mod claim;
pub mod counts;
pub mod facts;
mod keeper;
pub mod keys;
pub mod lean;
pub mod notice;
pub mod plan;
pub mod room;
pub mod seen;
pub mod write;

use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::jiff::SignedDuration;
use kube::Api;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube_runtime::{WatchStreamExt as _, watcher};
use tokio_util::sync::CancellationToken;

pub use self::counts::Counts;
use self::keeper::Keeper;
use self::keys::{SOURCE_LABEL, SOURCE_WORKLOAD};
use self::lean::{Pod, Service};
use crate::api::QosSession;
use crate::leader::Drain;
use crate::scope;
use crate::scope::watch::Cause;
use crate::session::{self, Context};

/// Pods and Services that a page of a list holds. One page at a time is in memory, whole, before most of it is dropped.
const PAGE: u32 = 100;

/// How workloads are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a child outlives its last Pod.
    pub linger: SignedDuration,
    /// Whether a Node names the device of the Pods that run there.
    pub node_devices: bool,
}

/// Runs until `shutdown` is cancelled. `sessions` says which sessions this instance sees: its children must be among them, so only
/// the namespaces that it names are served, and only namespaces that its selector selects, whose labels the children then carry.
/// While it drains nothing is done.
pub async fn run(
    context: Arc<Context>,
    settings: Settings,
    sessions: session::Settings,
    counts: Counts,
    mut drain: Drain,
    shutdown: CancellationToken,
) {
    let everything = watcher::Config::default;
    let source = format!("{SOURCE_LABEL}={SOURCE_WORKLOAD}");
    let ours = match &sessions.selector {
        Some(selector) => everything().labels(&format!("{source},{selector}")),
        None => everything().labels(&source),
    };
    let paged = everything().page_size(PAGE);
    let mut selected = everything();
    selected.label_selector.clone_from(&sessions.selector);

    let (client, health) = (&context.client, &context.vitals.health);
    let mut pods = scope::watch::watch::<Pod>(client, &sessions.namespaces, &paged, health);
    let mut services = scope::watch::watch::<Service>(client, &sessions.namespaces, &paged, health);
    let mut children = scope::watch::watch::<DeserializeGuard<QosSession>>(client, &sessions.namespaces, &ours, health);
    // One watch of all, however many are named: a namespace in which nobody is seen to ask costs nothing but its name.
    let namespaces: Api<PartialObjectMeta<core::Namespace>> = Api::all(client.clone());
    let mut namespaces = watcher(namespaces, selected).default_backoff().boxed();
    let nodes: Api<PartialObjectMeta<core::Node>> = Api::all(client.clone());
    let mut nodes = if settings.node_devices {
        watcher(nodes, everything()).default_backoff().boxed()
    } else {
        futures::stream::pending().boxed()
    };
    let clock = context.clock.clone();
    let (mut keeper, mut passes) = Keeper::new(context, settings, &sessions, counts, drain.clone(), shutdown.clone());
    let timers = Arc::clone(&keeper.timers);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some(ended) = passes.recv() => keeper.ended(ended),
            () = drain.changed() => keeper.wake_all(),
            due = timers.next(&clock) => keeper.wake(&due.namespace),
            Some((reach, Ok(event))) = pods.next() => keeper.pods(&reach, event),
            Some((reach, Ok(event))) = services.next() => keeper.services(&reach, event),
            Some(event) = nodes.next() => if let Some(event) = taken("Nodes", event) { keeper.nodes(event) },
            Some(event) = namespaces.next() => if let Some(event) = taken("Namespaces", event) { keeper.namespaces(event) },
            Some((reach, Ok(event))) = children.next() => keeper.children(&reach, event),
        }
    }
}

/// The event of a watch; an error is logged, and the watch goes on by itself.
fn taken<K>(kind: &str, event: watcher::Result<watcher::Event<K>>) -> Option<watcher::Event<K>> {
    event.inspect_err(|error| tracing::warn!(kind, cause = %Cause::of(error), "a watch for workloads failed")).ok()
}
