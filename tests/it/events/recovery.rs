//! An event on the nonce of an attempt whose id was lost brings the id, where there is no list that would.

use std::time::Duration;

use qos_operator::api::QosSession;
use qos_operator::simulator::faults::{Fault, Target, What};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::scene::Scene;
use crate::support::stage::condition;

/// A create whose answer is lost after its effect, and whose session becomes AVAILABLE half a minute later.
async fn lost(prefix: &str) -> Scene {
    let scene = Scene::new(prefix, Generation::V0_10, "v0.10").await;
    scene.stage.admin.change(|settings| settings.requested_delay_seconds = 30).await.unwrap();
    scene.stage.admin.add_fault(Fault::once(Target::Create, What::DropAfter)).unwrap();
    scene.stage.create("camera-12", json!({ "durationSeconds": 3600 })).await;
    scene.stage.ready("camera-12", "Unknown", "OutcomeUnknown").await;
    scene
}

fn id(object: &QosSession) -> Option<String> {
    object.status.as_ref().and_then(|status| status.session_id.clone())
}

async fn told(scene: &Scene, reason: &str) -> usize {
    scene.stage.events("camera-12").await.iter().filter(|(_, told, _)| told == reason).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_event_of_a_session_whose_id_was_lost_brings_it_and_it_is_adopted_after_one_look() {
    let scene = lost("lost").await;
    let stage = &scene.stage;
    stage.pass(31).await;
    let object = stage.available("camera-12").await;
    assert_eq!(id(&object), Some(stage.admin.sessions()[0].id.to_string()));
    assert_eq!((stage.calls(Operation::Create), stage.calls(Operation::Get) - scene.probes), (1, 1));
    stage.quiet().await;
    assert_eq!(told(&scene, "Adopted").await, 1);
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_an_event_brings_and_nobody_wants_any_more_is_released() {
    let scene = lost("unwanted").await;
    let stage = &scene.stage;
    stage.delete("camera-12").await;
    stage.quiet().await;
    assert!(stage.get("camera-12").await.is_some(), "what may live holds the object");
    stage.pass(31).await;
    stage.gone("camera-12").await;
    assert_eq!((stage.calls(Operation::Create), stage.releases()), (1, 1));
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_edit_the_session_that_an_event_brings_is_released_before_the_new_one_is_made() {
    let scene = lost("edited").await;
    let stage = &scene.stage;
    stage.patch("camera-12", json!({ "spec": { "qosProfile": "QOS_S" } })).await;
    stage.quiet().await;
    assert_eq!(stage.calls(Operation::Create), 1);
    stage.pass(31).await;
    stage.until("camera-12", "requested anew", |object| id(object).is_some() && stage.calls(Operation::Create) == 2).await;
    stage.pass(31).await;
    stage.available("camera-12").await;
    assert_eq!((stage.calls(Operation::Create), stage.releases()), (2, 1));
    scene.finish().await;
}

/// The bearer is right, the session is somebody else's: what GET says of it is not what was sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_names_a_session_of_another_flow_is_not_adopted_and_that_session_is_left_alone() {
    let scene = lost("foreign").await;
    let stage = &scene.stage;
    let other = json!({ "device": { "phoneNumber": "+447700900113" }, "durationSeconds": 3600 });
    stage.create("camera-13", other).await;
    let other = stage.until("camera-13", "requested", |object| id(object).is_some()).await;
    let gets = stage.calls(Operation::Get);
    let object = stage.get("camera-12").await.unwrap();
    assert_eq!(scene.send(&object, &id(&other).unwrap(), "AVAILABLE").await, 204);
    while stage.calls(Operation::Get) == gets {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.quiet().await;
    let object = stage.get("camera-12").await.unwrap();
    assert_eq!((id(&object), condition(&object, "Ready").1), (None, "OutcomeUnknown"));
    assert_eq!(stage.calls(Operation::Delete), 0);
    // Its own still brings the right one.
    stage.pass(31).await;
    let object = stage.available("camera-12").await;
    assert_ne!(id(&object), id(&other));
    scene.finish().await;
}
