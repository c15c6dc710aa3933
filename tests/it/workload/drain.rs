//! The uninstall guard and the children of workloads: an operator that is elected by a Lease makes none while the guard is at work.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::SignedDuration;
use kube::{Api, ResourceExt as _};
use qos_operator::leader::drain::{DRAINING_ANNOTATION, draining_until};
use qos_operator::leader::{self, Campaign, Pace};
use qos_operator::operator;
use qos_operator::simulator::settings::Operation;
use qos_operator::uninstall::drain::LeaseName;
use qos_operator::uninstall::plan::Settings;
use qos_operator::uninstall::{Error, Mode, guard};

use super::{USUAL, Workloads};
use crate::support::stage::LABEL;

const LEASE: &str = "qos-operator";

/// Workloads of an operator that leads by a Lease, with one Pod that asks and its child.
async fn led(prefix: &str) -> (Workloads, Campaign) {
    let mut workloads = Workloads::bare(prefix).await;
    workloads.opt_in("enabled").await;
    let stage = &mut workloads.stage;
    let settings = leader::Settings {
        namespace: stage.namespace.clone(),
        lease: LEASE.to_owned(),
        identity: "a".to_owned(),
        address: None,
        pace: Pace {
            lease_duration: Duration::from_secs(20),
            renew_deadline: Duration::from_secs(15),
            retry_period: Duration::from_secs(1),
        },
    };
    let campaign = Campaign::start(operator::client(stage.cluster.config()).unwrap(), settings, stage.clock.clone());
    campaign.won().await;
    stage.mandate = Some(campaign.mandate());
    stage.start().await;
    let set = workloads.controller("ReplicaSet", "encoder").await;
    workloads.pod("encoder-0", USUAL, Some(&set), Some("edge")).await;
    workloads.one().await;
    (workloads, campaign)
}

fn settings(workloads: &Workloads, mode: Mode, seconds: i64) -> Settings {
    let namespace = workloads.stage.namespace.clone();
    Settings {
        mode,
        timeout: SignedDuration::from_secs(seconds),
        namespaces: [&namespace].into_iter().cloned().collect(),
        selector: Some(format!("{LABEL}={namespace}")),
        workloads: true,
        lease: Some(LeaseName { namespace, name: LEASE.to_owned() }),
        delete_provider: None,
        release: "qos".to_owned(),
    }
}

/// The guard's verdict, and what it printed.
async fn guarded(workloads: &Workloads, settings: &Settings) -> (Result<(), Error>, String) {
    let client = operator::client(workloads.stage.cluster.config()).unwrap();
    let mut out = Vec::new();
    let verdict = guard(&client, settings, &workloads.stage.clock, &mut out).await;
    (verdict, String::from_utf8(out).unwrap())
}

async fn lease(workloads: &Workloads) -> Lease {
    let leases: Api<Lease> = Api::namespaced(workloads.stage.client.clone(), &workloads.stage.namespace);
    leases.get(LEASE).await.unwrap()
}

async fn end(mut workloads: Workloads, campaign: Campaign) {
    workloads.stage.stop().await;
    campaign.resign().await;
    workloads.stage.stop_without_ledger().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delete_ends_with_no_child_left_and_none_is_made_again() {
    let (workloads, campaign) = led("drain-delete").await;
    let (verdict, out) = guarded(&workloads, &settings(&workloads, Mode::Delete, 60)).await;
    assert!(verdict.is_ok(), "{verdict:?} {out}");
    assert_eq!(out.matches(": deleted\n").count(), 1, "{out}");
    workloads.stage.quiet().await;
    assert!(workloads.stage.versions().await.is_empty(), "{out}");
    assert_eq!(workloads.calls(), [1, 1], "no create that nobody wants");
    let ledger = workloads.stage.admin.ledger_at_end();
    assert!(ledger.clean(), "{ledger}");
    assert_eq!((ledger.released, ledger.live), (1, 0), "{ledger}");
    end(workloads, campaign).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orphan_lets_children_go_and_nobody_sets_their_policy_back_or_releases_them() {
    let (workloads, campaign) = led("drain-orphan").await;
    let (verdict, out) = guarded(&workloads, &settings(&workloads, Mode::Orphan, 60)).await;
    assert!(verdict.is_ok(), "{verdict:?} {out}");
    workloads.stage.quiet().await;
    assert!(workloads.stage.versions().await.is_empty(), "{out}");
    assert_eq!((workloads.calls(), workloads.stage.calls(Operation::Delete)), ([1, 0], 0));
    assert_eq!(workloads.stage.admin.ledger().live, 1, "it runs to its expiry");
    end(workloads, campaign).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_guard_that_was_killed_the_children_come_back_when_its_time_is_over() {
    let (workloads, campaign) = led("drain-killed").await;
    // It dies while the child goes.
    let settings = settings(&workloads, Mode::Delete, 60);
    tokio::select! {
        ended = guarded(&workloads, &settings) => drop(ended),
        () = workloads.none() => {}
    }
    let until = draining_until(&lease(&workloads).await).unwrap();
    assert!(until > workloads.stage.clock.now());
    workloads.pass(12).await;
    assert!(workloads.children().await.is_empty(), "it is not over yet");
    workloads.pass(52).await;
    workloads.one().await;
    assert_eq!(workloads.calls(), [2, 1]);
    assert_eq!(draining_until(&lease(&workloads).await), Some(until), "nobody has written it since");
    workloads.label("qos-operator.io/workloads", None).await;
    workloads.none().await;
    assert!(workloads.stage.admin.ledger_at_end().clean());
    end(workloads, campaign).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_waits_drains_nothing() {
    let (workloads, campaign) = led("drain-wait").await;
    let (verdict, out) = guarded(&workloads, &settings(&workloads, Mode::Wait, 3)).await;
    let Err(Error::Time(report)) = verdict else { panic!("{out}") };
    assert!(report.contains("Nothing was changed") && report.contains("workloads.enabled=false"), "{report}");
    assert!(!lease(&workloads).await.annotations().contains_key(DRAINING_ANNOTATION));
    let child = workloads.one().await;
    workloads.stage.delete(&child.name_any()).await;
    workloads.until("another one", |all| all.len() == 1 && all[0].uid() != child.uid()).await;
    workloads.label("qos-operator.io/workloads", None).await;
    workloads.none().await;
    end(workloads, campaign).await;
}
