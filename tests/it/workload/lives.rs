//! What happens to Pods in their lives, and what each costs at the provider.

use kube::ResourceExt as _;
use serde_json::json;

use super::{Pairs, USUAL, Workloads, owners, unclaimed};

/// A camera behind the Node's modem.
const OF_NODE: Pairs<'static> = &[USUAL[0], USUAL[2]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_update_behind_one_node_costs_no_call() {
    let workloads = Workloads::new("rolling").await;
    let node = workloads.node("edge", Some("tel:+447700900131")).await;
    let old = workloads.controller("ReplicaSet", "encoder-1").await;
    for n in 0..5 {
        workloads.pod(&format!("encoder-1-{n}"), OF_NODE, Some(&old), Some(&node)).await;
    }
    let before = workloads.one().await;
    assert_eq!(owners(&before), ["ReplicaSet encoder-1"]);
    let new = workloads.controller("ReplicaSet", "encoder-2").await;
    for n in 0..5 {
        workloads.pod(&format!("encoder-2-{n}"), OF_NODE, Some(&new), Some(&node)).await;
        workloads.pod_gone(&format!("encoder-1-{n}")).await;
    }
    let moved = |all: &[qos_operator::api::QosSession]| all.len() == 1 && owners(&all[0]) == ["ReplicaSet encoder-2"];
    let after = workloads.until("the new ReplicaSet's", moved).await;
    workloads.pass(120).await;
    assert_eq!((after[0].uid(), workloads.one().await.uid()), (before.uid(), before.uid()));
    assert_eq!(workloads.calls(), [1, 0]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_within_the_linger_costs_no_call_and_one_after_it_costs_two() {
    let workloads = Workloads::new("restart").await;
    let set = workloads.controller("StatefulSet", "recorder").await;
    workloads.pod("recorder-0", USUAL, Some(&set), Some("edge")).await;
    let before = workloads.one().await;
    workloads.pod_gone("recorder-0").await;
    workloads.until("unclaimed", |all| unclaimed(&all[0])).await;
    workloads.pass(8).await;
    workloads.pod("recorder-0", USUAL, Some(&set), Some("edge")).await;
    workloads.until("claimed again", |all| all.len() == 1 && !unclaimed(&all[0])).await;
    workloads.pass(120).await;
    assert_eq!((workloads.one().await.uid(), workloads.calls()), (before.uid(), [1, 0]));

    workloads.pod_gone("recorder-0").await;
    workloads.until("unclaimed", |all| unclaimed(&all[0])).await;
    // The mark is in the object, so an operator that starts anew goes on from it.
    let mut workloads = workloads;
    workloads.stage.stop().await;
    workloads.stage.start().await;
    workloads.pass(56).await;
    assert_eq!(workloads.children().await.len(), 1, "it lingers");
    workloads.pass(12).await;
    workloads.none().await;
    workloads.pod("recorder-0", USUAL, Some(&set), Some("edge")).await;
    workloads.one().await;
    assert_eq!(workloads.calls(), [2, 1]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_crashes_again_and_again_holds_its_session_throughout() {
    let workloads = Workloads::new("crashloop").await;
    let set = workloads.controller("ReplicaSet", "encoder").await;
    workloads.pod("encoder-0", USUAL, Some(&set), Some("edge")).await;
    let before = workloads.one().await;
    for restarts in 0..10 {
        let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        let status = json!({
            "name": "app", "ready": false, "restartCount": restarts, "image": "example.com/app:1", "imageID": "", "state": waiting,
        });
        workloads.phase("encoder-0", json!({ "phase": "Running", "containerStatuses": [status] })).await;
        workloads.stage.let_pass(60, 20).await;
    }
    assert_eq!((workloads.one().await.uid(), workloads.calls()), (before.uid(), [1, 0]));
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completed_job_is_released_after_the_linger_though_its_pod_stays_and_a_bare_pod_at_once() {
    let workloads = Workloads::new("completed").await;
    let job = workloads.controller("Job", "upload").await;
    workloads.pod("upload-x", USUAL, Some(&job), Some("edge")).await;
    workloads.one().await;
    workloads.phase("upload-x", json!({ "phase": "Succeeded" })).await;
    workloads.until("unclaimed", |all| unclaimed(&all[0])).await;
    assert_eq!(workloads.calls(), [1, 0]);
    workloads.pass(64).await;
    workloads.none().await;

    workloads.pod("once", USUAL, None, Some("edge")).await;
    workloads.one().await;
    workloads.phase("once", json!({ "phase": "Failed" })).await;
    workloads.none().await;
    assert_eq!(workloads.calls(), [2, 2]);
    workloads.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_moves_takes_its_own_device_along_and_leaves_its_nodes() {
    let workloads = Workloads::new("moves").await;
    let [a, b] = [workloads.node("a", Some("tel:+447700900131")).await, workloads.node("b", Some("tel:+447700900132")).await];
    let set = workloads.controller("ReplicaSet", "own").await;
    workloads.pod("own-1", USUAL, Some(&set), Some(&a)).await;
    let own = workloads.one().await;
    workloads.pod("own-2", USUAL, Some(&set), Some(&b)).await;
    workloads.pod_gone("own-1").await;
    workloads.pass(70).await;
    assert_eq!((workloads.one().await.uid(), workloads.calls()), (own.uid(), [1, 0]));
    workloads.pod_gone("own-2").await;
    workloads.pass(70).await;
    workloads.none().await;

    let set = workloads.controller("ReplicaSet", "camera").await;
    workloads.pod("camera-1", OF_NODE, Some(&set), Some(&a)).await;
    workloads.one().await;
    workloads.pod_gone("camera-1").await;
    workloads.pod("camera-2", OF_NODE, Some(&set), Some(&b)).await;
    workloads.until("one of each Node", |all| all.len() == 2 && all.iter().filter(|child| unclaimed(child)).count() == 1).await;
    workloads.pass(64).await;
    let left = workloads.one().await;
    assert_eq!(left.spec.device.phone_number, Some("+447700900132".into()));
    assert_eq!(workloads.calls(), [3, 2]);
    workloads.finish().await;
}
