//! Who leads, and what becomes of the one that does no longer.

use std::time::{Duration, Instant};

use qos_operator::simulator::settings::Operation;
use serde_json::json;
use tokio::time::sleep;

use super::replica::{Replicas, Times};

fn spec(number: u32) -> serde_json::Value {
    json!({ "device": { "phoneNumber": format!("+4477009001{:02}", number % 100) } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_leads_and_at_its_sigterm_the_next_one_leads_at_once() {
    let replicas = Replicas::new("handed", Times::DEFAULT).await;
    let first = replicas.start("a").await;
    replicas.led_by("a").await;
    let second = replicas.start("b").await;
    second.says("qos-operator runs").await;
    replicas.stage.create("camera-1", spec(1)).await;
    replicas.stage.available("camera-1").await;

    let began = Instant::now();
    first.process.signal("TERM");
    let seconds = replicas.led_by("b").await;
    assert_eq!(first.exit().await, 0);
    let ended = began.elapsed().as_secs_f64();
    println!("REPORT SIGTERM: {seconds:.1} s until the next leader (a lease is 20 s), {ended:.1} s until the process has ended");
    let spec_of_lease = replicas.lease().await.unwrap().spec.unwrap();
    assert_eq!(spec_of_lease.lease_transitions, Some(1));
    assert!(first.process.log().contains("the lease is given back"), "{}", first.process.log());

    replicas.stage.create("camera-2", spec(2)).await;
    replicas.stage.available("camera-2").await;
    assert_eq!(replicas.stage.calls(Operation::Create), 2, "the next leader creates nothing anew");
    drop(first);
    replicas.stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lease_writes_that_stall_for_twelve_seconds_cost_no_restart() {
    // Field case 16.
    let replicas = Replicas::new("stalled", Times::DEFAULT).await;
    let leader = replicas.start("a").await;
    replicas.led_by("a").await;
    let standby = replicas.start("b").await;
    standby.says("qos-operator runs").await;
    replicas.stage.create("camera-1", spec(1)).await;
    replicas.stage.available("camera-1").await;
    let renewed = |lease: k8s_openapi::api::coordination::v1::Lease| lease.spec.unwrap().renew_time;
    leader.stall(true);
    sleep(Duration::from_secs(12)).await;
    let before = renewed(replicas.lease().await.unwrap());
    leader.stall(false);
    for _ in 0..600 {
        if renewed(replicas.lease().await.unwrap()) != before {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_ne!(renewed(replicas.lease().await.unwrap()), before, "it renews again");
    assert_eq!(replicas.holder().await.as_deref(), Some("a"));
    assert!(!leader.process.ended(), "{}", leader.process.log());
    replicas.stage.create("camera-2", spec(2)).await;
    replicas.stage.available("camera-2").await;
    assert_eq!(replicas.lease().await.unwrap().spec.unwrap().lease_transitions, Some(0));
    replicas.stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_its_deadline_a_leader_ends_and_another_one_goes_on_without_a_second_session() {
    let replicas = Replicas::new("deposed", Times::SHORT).await;
    let first = replicas.start("a").await;
    replicas.led_by("a").await;
    let second = replicas.start("b").await;
    second.says("qos-operator runs").await;
    first.stall(true);
    // Objects go on coming, whoever leads.
    for number in 1..=20 {
        replicas.stage.create(&format!("camera-{number}"), spec(number)).await;
        sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(first.exit().await, 1, "{}", first.process.log());
    assert!(first.process.log().contains("--lease-renew-deadline"), "{}", first.process.log());
    replicas.led_by("b").await;
    for number in 1..=20 {
        replicas.stage.available(&format!("camera-{number}")).await;
    }
    // What it had written to the Lease arrives in the end, and changes nothing.
    first.stall(false);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(replicas.holder().await.as_deref(), Some("b"));
    let ledger = replicas.stage.admin.ledger();
    println!("REPORT lease writes stalled past the deadline: {ledger}");
    assert_eq!((ledger.doubled, ledger.overlapping, ledger.created), (0, 0, 20), "{ledger}");
    replicas.stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_lease_has_less_than_the_send_window_left_sends_nothing() {
    // The window is most of the lease: 3 s after its last renewal the leader is fenced, 56 s before it gives up.
    let times = Times { duration: "60s", deadline: "59s", retry: "1s", window: "57s" };
    let replicas = Replicas::new("fenced", times).await;
    let first = replicas.start("a").await;
    replicas.led_by("a").await;
    replicas.stage.create("camera-1", spec(1)).await;
    replicas.stage.available("camera-1").await;
    first.stall(true);
    sleep(Duration::from_secs(4)).await;
    replicas.stage.create("camera-2", spec(2)).await;
    // It finds no fault with the object: it writes the attempt, and the last check before the first byte stops it.
    let attempt = |object: &qos_operator::api::QosSession| {
        object.metadata.annotations.as_ref().is_some_and(|all| all.contains_key("qos-operator.io/attempt"))
    };
    replicas.stage.until("camera-2", "attempted", attempt).await;
    let not_sent = |object: &qos_operator::api::QosSession| object.status.as_ref().is_some_and(|status| status.attempt.is_some());
    replicas.stage.until("camera-2", "settled as not sent", not_sent).await;
    let calls = replicas.stage.calls(Operation::Create);
    assert_eq!(calls, 1, "it sent although it was fenced");
    first.stall(false);
    replicas.stage.available("camera-2").await;
    assert_eq!(replicas.stage.calls(Operation::Create), 2);
    replicas.stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_frozen_past_its_lease_sends_nothing_when_it_wakes_and_ends() {
    let replicas = Replicas::new("frozen", Times::SHORT).await;
    let first = replicas.start("a").await;
    replicas.led_by("a").await;
    let second = replicas.start("b").await;
    second.says("qos-operator runs").await;
    first.process.signal("STOP");
    for number in 1..=5 {
        replicas.stage.create(&format!("camera-{number}"), spec(number)).await;
    }
    replicas.led_by("b").await;
    first.process.signal("CONT");
    assert_eq!(first.exit().await, 1);
    for number in 1..=5 {
        replicas.stage.available(&format!("camera-{number}")).await;
    }
    let ledger = replicas.stage.admin.ledger();
    assert_eq!((ledger.doubled, ledger.overlapping, ledger.created), (0, 0, 5), "{ledger}");
    replicas.stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_with_one_name_the_first_ends_and_says_why() {
    let replicas = Replicas::new("namesake", Times::SHORT).await;
    let first = replicas.start("a").await;
    first.says("this replica leads").await;
    let second = replicas.start("a").await;
    second.says("this replica leads").await;
    assert_eq!(first.exit().await, 1);
    assert!(first.process.log().contains("--pod-name"), "{}", first.process.log());
    assert!(!second.process.ended());
    replicas.stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_that_do_not_fit_together_are_refused_at_the_start() {
    let times = Times { duration: "10s", ..Times::DEFAULT };
    let replicas = Replicas::new("times", times).await;
    let replica = replicas.start("a").await;
    assert_eq!(replica.exit().await, 1);
    let log = replica.process.log();
    assert!(log.contains("--lease-duration (10s)") && log.contains("--send-window (10s)"), "{log}");
}
