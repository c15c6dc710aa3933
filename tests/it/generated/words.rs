//! The reference of what is written into the metadata of objects: annotations, labels and finalizers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use qos_operator::api;
use qos_operator::leader::drain::DRAINING_ANNOTATION;
use qos_operator::leader::record::ADDRESS_ANNOTATION;
use qos_operator::workload::keys;

use super::{ORIGIN, table};
use crate::support::in_repository;

/// A key, on what it stands, its value, and what it means.
type Row = (String, &'static str, &'static str, &'static str);

fn ours(name: &str) -> String {
    format!("{}{name}", keys::PREFIX)
}

/// What people set on both kinds.
fn by_people() -> Vec<Row> {
    let of = |key: &str| key.to_owned();
    vec![
        (
            of(api::IS_DEFAULT_PROVIDER_ANNOTATION),
            "QosProvider",
            "`\"true\"`",
            "QosSessions without `providerRef` use this provider. At most one may have it.",
        ),
        (
            of(api::PAUSED_ANNOTATION),
            "QosSession, QosProvider",
            "`\"true\"`",
            "Stops every effect at the provider until it is taken away: nothing is created, extended or released.",
        ),
        (
            of(api::RECONCILE_REQUESTED_AT_ANNOTATION),
            "QosSession, QosProvider",
            "any new value, such as the time",
            "What waits for a time is tried now. The value is copied to `status.lastHandledReconcileAt`.",
        ),
    ]
}

/// What people set on workloads.
fn by_workloads() -> Vec<Row> {
    let pods = "Pod template, Service";
    vec![
        (
            keys::WORKLOADS_LABEL.to_owned(),
            "Namespace (label)",
            "`enabled`",
            "Pods and Services of this namespace may ask for sessions.",
        ),
        (ours(keys::PROFILE), pods, "a profile's name", "Asks for the session."),
        (
            ours(keys::DEVICE),
            "Pod template, Service, Node",
            "up to 16 devices",
            "A session for each. On a Node: the device of the Pods that run there and name none.",
        ),
        (ours(keys::APPLICATION_SERVER), pods, "addresses or subnets", "The server at the other end."),
        (ours(keys::APPLICATION_SERVER_PORTS), pods, "ports and ranges", "The server's ports."),
        (ours(keys::DEVICE_PORTS), pods, "ports and ranges", "The device's ports."),
        (ours(keys::DURATION), pods, "such as `1h30m`", "How long a lease is; it is renewed."),
        (ours(keys::PROVIDER), pods, "a QosProvider's name", "Where the session is created."),
        (ours(keys::SUSPEND), pods, "`true`, `false`", "True releases the session and keeps the object."),
    ]
}

/// What the operator writes, and nobody else.
fn by_the_operator() -> Vec<Row> {
    let of = |key: &str| key.to_owned();
    vec![
        (
            of(api::ATTEMPT_ANNOTATION),
            "QosSession",
            "JSON",
            "What was about to be sent with the last create. It finds a session whose answer was lost: do not edit or remove it.",
        ),
        (
            of(api::FINALIZER),
            "QosSession (finalizer)",
            "",
            "Holds the object until its session is released, left behind on purpose, or surely expired.",
        ),
        (
            of(api::IN_USE_FINALIZER),
            "QosProvider (finalizer)",
            "",
            "Holds the provider until no QosSession holds or may hold a session there.",
        ),
        (
            of(keys::SOURCE_LABEL),
            "QosSession (label)",
            "`workload`",
            "It was made for Pods or Services. Without the label it is never touched by what keeps those.",
        ),
        (
            of(keys::MANAGED_BY_LABEL),
            "QosSession (label)",
            "`qos-operator`",
            "The same, for tools that show who keeps an object.",
        ),
        (
            of(keys::UNCLAIMED_SINCE),
            "QosSession",
            "a time",
            "The last Pod that asked for it is gone since then; it is deleted after the linger.",
        ),
        (
            of(ADDRESS_ANNOTATION),
            "Lease",
            "address and port",
            "Where the leader takes the notifications that other replicas received.",
        ),
        (
            of(DRAINING_ANNOTATION),
            "Lease",
            "a time",
            "Written by the uninstall guard: until then nothing is made for Pods and Services, and nothing of theirs is touched.",
        ),
    ]
}

/// What the chart and the example policies use.
fn by_chart_and_policies() -> Vec<Row> {
    vec![
        (ours("serves"), "Service (label)", "`metrics`", "The chart's ServiceMonitor finds the Service with the metrics by it."),
        (
            ours("limits"),
            "Namespace (label)",
            "`\"true\"`",
            "[session-limits.yaml](../../examples/policies/session-limits.yaml) holds here.",
        ),
        (
            ours("own-devices"),
            "Namespace (label)",
            "`\"true\"`",
            "[own-devices.yaml](../../examples/policies/own-devices.yaml) holds here.",
        ),
        (
            ours("release-guard"),
            "Namespace (label)",
            "`\"true\"`",
            "[release-guard.yaml](../../examples/policies/release-guard.yaml) holds here.",
        ),
    ]
}

/// Every key that there is.
pub(crate) fn known() -> BTreeSet<String> {
    [by_people(), by_workloads(), by_the_operator(), by_chart_and_policies()].concat().into_iter().map(|(key, ..)| key).collect()
}

/// The page.
pub(super) fn page() -> String {
    let part = |rows: Vec<Row>| {
        let row = |(key, on, value, meaning): Row| vec![format!("`{key}`"), on.to_owned(), value.to_owned(), meaning.to_owned()];
        table(&["key", "on", "value", "meaning"], &rows.into_iter().map(row).collect::<Vec<_>>())
    };
    format!(
        "# Annotations, labels and finalizers\n\n{ORIGIN}\n\nAnnotations, where nothing else is said.\n\n\
         ## Set by you, on QosSessions and QosProviders\n\n{}\n\
         ## Set by you, on workloads\n\nHow each value is written, and what holds without it: [workloads.md](../workloads.md).\n\n{}\n\
         ## Set by the operator\n\nLeave these alone.\n\n{}\n\
         ## Of the chart and the example policies\n\nThe policies are in [`examples/policies`](../../examples/policies).\n\n{}",
        part(by_people()),
        part(by_workloads()),
        part(by_the_operator()),
        part(by_chart_and_policies()),
    )
}

/// The keys that stand in the files of a folder. Tests and the demo misspell some on purpose.
fn keys_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|name| name == "tests") || path.extension().is_some_and(|extension| extension == "sh") {
            continue;
        }
        if path.is_dir() {
            keys_in(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.extend(named(text.split("#[cfg(test)]\nmod tests {").next().unwrap()));
        }
    }
}

/// The keys of our prefix that a text names. The group's versions and the kinds of its API are none.
pub(crate) fn named(text: &str) -> BTreeSet<String> {
    let ends = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    let all = text.split(keys::PREFIX).skip(1).filter_map(|rest| rest.split(ends).next());
    all.filter(|name| !name.is_empty() && *name != api::VERSION).map(ours).collect()
}

#[test]
fn every_key_in_the_source_the_chart_and_the_examples_is_in_the_reference() {
    let mut found = BTreeSet::new();
    for folder in ["src", "charts/qos-operator/templates", "examples"] {
        keys_in(&in_repository(folder), &mut found);
    }
    let known = known();
    let strangers: Vec<_> = found.difference(&known).collect();
    assert!(strangers.is_empty(), "not in docs/reference/annotations.md: {strangers:?}");
    assert!(found.len() >= 15, "{found:?}");
    for name in keys::KNOWN {
        assert!(known.contains(&ours(name)), "{name}");
    }
}
