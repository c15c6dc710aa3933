//! The uninstall guard against a real API server, the simulator and an operator that runs.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

use k8s_openapi::jiff::SignedDuration;
use kube::{Api, ResourceExt as _};
use qos_operator::api::{FINALIZER, IN_USE_FINALIZER, QosProvider};
use qos_operator::clock::Clock;
use qos_operator::operator;
use qos_operator::simulator::settings::Operation;
use qos_operator::uninstall::plan::Settings;
use qos_operator::uninstall::{Error, Mode, guard};
use serde_json::{Value, json};

use crate::support::stage::{LABEL, Stage};

fn settings(stage: &Stage, mode: Mode, seconds: i64) -> Settings {
    Settings {
        mode,
        timeout: SignedDuration::from_secs(seconds),
        namespaces: [stage.namespace.as_str()].into_iter().collect(),
        selector: Some(format!("{LABEL}={}", stage.namespace)),
        workloads: false,
        lease: None,
        delete_provider: None,
        release: "qos".to_owned(),
    }
}

/// The guard's verdict, and what it printed.
async fn guarded(stage: &Stage, settings: &Settings) -> (Result<(), Error>, String) {
    let client = operator::client(stage.account().await).unwrap();
    let mut out = Vec::new();
    let verdict = guard(&client, settings, &Clock::system(), &mut out).await;
    (verdict, String::from_utf8(out).unwrap())
}

/// So many sessions that live, each of a device of its own.
async fn living(stage: &Stage, count: u32) {
    for number in 1..=count {
        stage.create(&format!("camera-{number}"), device(number)).await;
    }
    for number in 1..=count {
        stage.available(&format!("camera-{number}")).await;
    }
}

fn device(number: u32) -> Value {
    json!({ "device": { "phoneNumber": format!("+4477009001{number:02}") } })
}

async fn provider(stage: &Stage) -> QosProvider {
    let providers: Api<QosProvider> = Api::all(stage.client.clone());
    providers.get(stage.provider_name()).await.unwrap()
}

fn has(object: &impl kube::Resource, finalizer: &str) -> bool {
    object.finalizers().iter().any(|found| found == finalizer)
}

#[tokio::test]
async fn wait_fails_at_its_limit_changes_nothing_and_names_what_lives_and_the_remedy() {
    let stage = Stage::new("guard-limit").await;
    living(&stage, 2).await;
    stage.create("camera-3", json!({ "device": { "phoneNumber": "+447700900103" }, "suspend": true })).await;
    stage.ready("camera-3", "True", "Suspended").await;
    let before = stage.versions().await;
    let (verdict, out) = guarded(&stage, &settings(&stage, Mode::Wait, 3)).await;
    let Err(Error::Time(report)) = verdict else { panic!("it lets the uninstall go on: {out}") };
    let namespace = &stage.namespace;
    for part in [
        "Nothing was changed",
        "kubectl delete qos --all -A --wait",
        "helm rollback qos N",
        "helm history qos",
        "helm uninstall qos",
        "--no-hooks",
    ] {
        assert!(report.contains(part), "{part} is missing in {report}");
    }
    for number in [1, 2] {
        assert!(report.contains(&format!("QosSession {namespace}/camera-{number} (its session lives)")), "{report}");
    }
    assert!(!report.contains("camera-3"), "what is at rest is not in the way: {report}");
    assert!(!(report + &out).contains("4477009"), "no phone number is told");
    assert_eq!(stage.versions().await, before);
    assert_eq!(stage.calls(Operation::Delete), 0);
    assert!(has(&provider(&stage).await, IN_USE_FINALIZER));
    stage.finish().await;
}

#[tokio::test]
async fn wait_goes_on_when_somebody_deletes_everything_meanwhile() {
    let stage = Stage::new("guard-git").await;
    living(&stage, 2).await;
    let settings = settings(&stage, Mode::Wait, 60);
    let (guarded, ()) = tokio::join!(guarded(&stage, &settings), async {
        for name in ["camera-1", "camera-2"] {
            stage.delete(name).await;
        }
    });
    assert!(guarded.0.is_ok(), "{guarded:?}");
    assert!(stage.versions().await.is_empty());
    assert!(!has(&provider(&stage).await, IN_USE_FINALIZER), "a QosProvider that nobody can release stays deletable");
    stage.finish().await;
}

#[tokio::test]
async fn what_rests_loses_its_finalizer_so_that_it_can_be_deleted_without_the_operator() {
    let mut stage = Stage::new("guard-rest").await;
    living(&stage, 1).await;
    stage.patch("camera-1", json!({ "spec": { "suspend": true } })).await;
    let suspended = stage.ready("camera-1", "True", "Suspended").await;
    assert!(has(&suspended, FINALIZER), "a session at rest keeps the finalizer while the operator runs");
    let (verdict, out) = guarded(&stage, &settings(&stage, Mode::Wait, 30)).await;
    assert!(verdict.is_ok(), "{verdict:?} {out}");
    assert!(out.contains("camera-1: finalizer taken off"), "{out}");
    stage.stop().await;
    assert!(!has(&stage.get("camera-1").await.unwrap(), FINALIZER));
    assert!(!has(&provider(&stage).await, IN_USE_FINALIZER));
    stage.delete("camera-1").await;
    stage.gone("camera-1").await;
    stage.finish().await;
}

#[tokio::test]
async fn delete_has_the_running_operator_release_all_of_five() {
    let stage = Stage::new("guard-delete").await;
    living(&stage, 5).await;
    let (verdict, out) = guarded(&stage, &settings(&stage, Mode::Delete, 60)).await;
    assert!(verdict.is_ok(), "{verdict:?} {out}");
    assert_eq!(out.matches(": deleted\n").count(), 5, "{out}");
    assert!(stage.versions().await.is_empty());
    let ledger = stage.admin.ledger_at_end();
    assert_eq!((ledger.released, ledger.live), (5, 0), "{ledger}");
    assert!(!has(&provider(&stage).await, IN_USE_FINALIZER));
    stage.finish().await;
}

#[tokio::test]
async fn orphan_lets_all_objects_go_and_releases_nothing() {
    let stage = Stage::new("guard-orphan").await;
    living(&stage, 5).await;
    let (verdict, out) = guarded(&stage, &settings(&stage, Mode::Orphan, 60)).await;
    assert!(verdict.is_ok(), "{verdict:?} {out}");
    assert!(stage.versions().await.is_empty());
    assert_eq!(stage.calls(Operation::Delete), 0);
    assert_eq!(stage.admin.ledger().live, 5, "they run to their expiry");
    assert!(!has(&provider(&stage).await, IN_USE_FINALIZER));
    stage.stop_without_ledger().await;
}

#[tokio::test]
async fn a_guard_that_died_in_between_is_simply_run_again() {
    let stage = Stage::new("guard-again").await;
    living(&stage, 3).await;
    for (mode, name) in [(Mode::Delete, "camera-1"), (Mode::Delete, "camera-2"), (Mode::Orphan, "camera-3")] {
        // It dies as soon as something has happened to this object.
        let settings = settings(&stage, mode, 60);
        let died = tokio::select! {
            _ = guarded(&stage, &settings) => false,
            _ = stage.until(name, "gone", |object| object.metadata.deletion_timestamp.is_some()) => true,
            () = stage.gone(name) => true,
        };
        if !died {
            break;
        }
    }
    let (verdict, out) = guarded(&stage, &settings(&stage, Mode::Delete, 60)).await;
    assert!(verdict.is_ok(), "{verdict:?} {out}");
    assert!(stage.versions().await.is_empty());
    assert!(!has(&provider(&stage).await, IN_USE_FINALIZER));
    assert_eq!(stage.admin.ledger().doubled, 0);
    stage.stop_without_ledger().await;
}

#[tokio::test]
async fn what_is_made_for_workloads_is_waited_for_and_the_remedy_told() {
    let stage = Stage::new("guard-workload").await;
    living(&stage, 1).await;
    stage.patch("camera-1", json!({ "metadata": { "labels": { "qos-operator.io/source": "workload" } } })).await;
    let with = Settings { workloads: true, ..settings(&stage, Mode::Delete, 2) };
    let (verdict, out) = guarded(&stage, &with).await;
    let Err(Error::Time(report)) = verdict else { panic!("{out}") };
    assert!(report.contains("workloads.enabled=false"), "{report}");
    assert!(stage.get("camera-1").await.unwrap().metadata.deletion_timestamp.is_none());
    let (verdict, out) = guarded(&stage, &settings(&stage, Mode::Delete, 60)).await;
    assert!(verdict.is_ok(), "{verdict:?} {out}");
    stage.finish().await;
}

#[tokio::test]
async fn the_simulators_provider_goes_when_its_sessions_have() {
    let stage = Stage::new("guard-provider").await;
    living(&stage, 1).await;
    let with = Settings { delete_provider: Some(stage.provider_name().to_owned()), ..settings(&stage, Mode::Delete, 60) };
    let (verdict, out) = guarded(&stage, &with).await;
    assert!(verdict.is_ok(), "{verdict:?} {out}");
    let providers: Api<QosProvider> = Api::all(stage.client.clone());
    assert!(providers.get_opt(stage.provider_name()).await.unwrap().is_none());
    stage.finish().await;
}
