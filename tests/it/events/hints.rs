//! Events are hints: doubled, late, reordered or foreign ones change nothing and cost at most one GET each.

use std::time::Duration;

use qos_operator::api::QosSession;
use qos_operator::simulator::Selection;
use qos_operator::simulator::events::settings::Quirk;
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::scene::Scene;
use crate::support::stage::condition;

fn session(object: &QosSession) -> Option<String> {
    object.status.as_ref().and_then(|status| status.session_id.clone())
}

/// Events are sent twice, out of order, and before the answer of the create that they are about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubled_reordered_and_early_events_cost_at_most_one_get_each_and_the_status_is_true() {
    let scene = Scene::new("odd", Generation::V1_1, "v1.1").await;
    let stage = &scene.stage;
    let quirks = [Quirk::Duplicate, Quirk::Reorder, Quirk::BeforeAnswer];
    stage.admin.change(|settings| settings.notifications.quirks = quirks.into_iter().collect()).await.unwrap();
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    stage.available("camera-12").await;
    for _ in 0..3 {
        let before = session(&stage.get("camera-12").await.unwrap());
        stage.admin.terminate(&Selection::default());
        stage
            .pass_until(700, 10, "camera-12", |object| {
                condition(object, "Ready").1 == "Available" && session(object).is_some_and(|id| Some(id) != before)
            })
            .await;
    }
    scene.delivered().await;
    stage.quiet().await;
    let counts = stage.admin.notifications();
    let (gets, creates) = (stage.calls(Operation::Get) - scene.probes, stage.calls(Operation::Create));
    println!("{counts:?}: {gets} GETs, {creates} creates");
    assert_eq!((counts.refused, counts.unanswered), (0, 0));
    assert!(gets <= counts.sent, "{gets} GETs for {} events", counts.sent);
    assert_eq!(creates, 4, "one, and one after each end");
    scene.finish().await;
}

/// 5. The event of a session that was released for another comes late, twice, on its own URL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_late_echo_of_our_own_delete_moves_nothing() {
    let scene = Scene::new("echo", Generation::V1_0, "v1.0").await;
    let stage = &scene.stage;
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    let first = stage.available("camera-12").await.status.unwrap().session_id;
    scene.delivered().await;
    let late = |settings: &mut qos_operator::simulator::settings::Settings| {
        settings.notifications.delay_seconds = 30;
        settings.notifications.quirks = [Quirk::Duplicate].into_iter().collect();
    };
    stage.admin.change(late).await.unwrap();
    stage.patch("camera-12", json!({ "spec": { "qosProfile": "QOS_S" } })).await;
    let replaced = |object: &QosSession| {
        session(object).is_some_and(|id| Some(id) != first) && condition(object, "Ready") == ("True", "Available")
    };
    let second = stage.until("camera-12", "replaced", replaced).await;
    let (gets, sent) = (stage.calls(Operation::Get), stage.admin.notifications().sent);
    stage.pass(31).await;
    while stage.admin.notifications().sent < sent + 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    scene.delivered().await;
    stage.quiet().await;
    let after = stage.get("camera-12").await.unwrap();
    assert_eq!(after.status, second.status, "nothing has moved");
    assert_eq!((stage.calls(Operation::Create), stage.releases()), (2, 1));
    assert!(stage.calls(Operation::Get) <= gets + 1, "{} looks", stage.calls(Operation::Get) - gets);
    assert_eq!((stage.admin.notifications().refused, stage.admin.notifications().unanswered), (0, 0));
    scene.finish().await;
}

/// 20. An object is deleted and made again under its name; an event for the first one's session changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_event_for_an_object_that_was_made_anew_is_told_gone_and_changes_nothing() {
    let scene = Scene::new("anew", Generation::V1_0, "v1.0").await;
    let stage = &scene.stage;
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    stage.available("camera-12").await;
    scene.delivered().await;
    stage.admin.change(|settings| settings.notifications.delay_seconds = 30).await.unwrap();
    stage.delete("camera-12").await;
    stage.gone("camera-12").await;
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    let second = stage.available("camera-12").await;
    let refused = stage.admin.notifications().refused;
    stage.pass(31).await;
    while stage.admin.notifications().refused == refused {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.quiet().await;
    assert_eq!(stage.get("camera-12").await.unwrap().status, second.status);
    assert_eq!(stage.calls(Operation::Create), 2);
    scene.finish().await;
}

/// An event with the right bearer that names another session than the attempt's settles nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_names_another_session_costs_no_look() {
    let scene = Scene::new("other", Generation::V1_0, "v1.0").await;
    let stage = &scene.stage;
    stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    let object = stage.available("camera-12").await;
    scene.delivered().await;
    let gets = stage.calls(Operation::Get);
    let other = "11111111-2222-4333-8444-555555555555";
    assert_eq!(scene.send(&object, other, "UNAVAILABLE").await, 204);
    stage.quiet().await;
    assert_eq!(stage.calls(Operation::Get), gets);
    assert_eq!(stage.get("camera-12").await.unwrap().status, object.status);
    // Of the session at hand it is worth one look, which shows that it is not so.
    let own = object.status.clone().unwrap().session_id.unwrap();
    assert_eq!(scene.send(&object, &own, "UNAVAILABLE").await, 204);
    while stage.calls(Operation::Get) == gets {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.quiet().await;
    assert_eq!(stage.calls(Operation::Get), gets + 1);
    assert_eq!(stage.get("camera-12").await.unwrap().status, object.status);
    scene.finish().await;
}
