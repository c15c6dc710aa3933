//! With every generation: an event changes the status without a poll, and costs one GET.

use qos_operator::simulator::Selection;
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::scene::Scene;
use crate::support::stage::condition;

/// What a generation's events tell of.
struct Row {
    generation: Generation,
    version: &'static str,
    /// There is a REQUESTED, and an event when it ends.
    says_status: bool,
    /// What the network ended is kept, so that GET tells of it.
    keeps: bool,
    /// There is a list, and so a look at first sight.
    lists: bool,
}

async fn told(row: Row) {
    let scene = Scene::new("told", row.generation, row.version).await;
    let stage = &scene.stage;
    if row.says_status {
        stage.admin.change(|settings| settings.requested_delay_seconds = 30).await.unwrap();
    }
    stage.create("camera-12", json!({ "durationSeconds": 3600, "recoveryPolicy": "Never" })).await;
    if row.says_status {
        stage.ready("camera-12", "False", "Requested").await;
        assert_eq!(stage.calls(Operation::Get), scene.probes);
        stage.pass(31).await;
    }
    stage.available("camera-12").await;
    let gets = stage.calls(Operation::Get) - scene.probes;
    assert_eq!(gets, u64::from(row.says_status), "one look for the one event, and none where nothing changed");

    stage.admin.terminate(&Selection::default());
    let object = stage.until("camera-12", "over", |object| condition(object, "Available").0 == "False").await;
    let status = object.status.unwrap();
    assert_eq!(status.qos_status.as_deref(), Some("UNAVAILABLE"));
    stage.until("camera-12", "released", |object| object.status.as_ref().is_some_and(|status| status.session_id.is_none())).await;
    assert_eq!(stage.calls(Operation::Get) - scene.probes, gets + 1);
    assert_eq!((stage.calls(Operation::Create), stage.calls(Operation::RetrieveSessions)), (1, u64::from(row.lists)));
    if row.keeps {
        assert_eq!(status.status_info.as_deref(), Some("NETWORK_TERMINATED"), "told by the event where GET has no word for it");
    }
    assert_eq!(scene.notified().await, ("True", "Received"));
    scene.finish().await;
}

macro_rules! told {
    ($($name:ident: $generation:ident, $version:literal, $status:literal, $keeps:literal, $lists:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let generation = Generation::$generation;
                told(Row { generation, version: $version, says_status: $status, keeps: $keeps, lists: $lists }).await;
            }
        )*
    };
}

told! {
    // name: generation, version, says qosStatus, keeps what the network ended, lists
    an_event_of_v0_8_is_seen_without_a_poll: V0_8, "v0.8", false, false, false;
    an_event_of_v0_9_is_seen_without_a_poll: V0_9, "v0.9", true, false, false;
    an_event_of_v0_10_is_seen_without_a_poll: V0_10, "v0.10", true, true, false;
    an_event_of_v0_11_is_seen_without_a_poll: V0_11, "v0.11", true, true, true;
    an_event_of_v1_0_is_seen_without_a_poll: V1_0, "v1.0", true, true, true;
    an_event_of_v1_1_is_seen_without_a_poll: V1_1, "v1.1", true, true, true;
    an_event_of_v1_2_is_seen_without_a_poll: V1_2, "v1.2", true, true, true;
}
