//! More than one session of the same object: those that nothing records are released where the list is read anyway.

use futures::FutureExt as _;
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::{Operation, Overlap};
use serde_json::json;
use std::sync::Arc;

use super::{Elsewhere, NAME, id, living, strip_metadata, strip_status, told};
use crate::support::proxy::{Hook, Proxy, Reply, Upstream};
use crate::support::stage::Stage;

in_generations! {
    of_a_create_that_a_proxy_repeated_one_session_is_adopted_and_the_other_released,
    of_two_sessions_with_the_objects_key_at_first_sight_one_is_adopted_and_the_other_released,
}

/// The doubled session is the test's own doing, so the ledger's end is told here.
async fn one_was_doubled_and_all_are_released(stage: Stage) {
    stage.delete(NAME).await;
    stage.gone(NAME).await;
    let ledger = stage.admin.ledger_at_end();
    assert_eq!([ledger.created, ledger.released, ledger.live, ledger.leaked], [2, 2, 0, 0], "{ledger}");
    stage.stop_without_ledger().await;
}

async fn of_a_create_that_a_proxy_repeated_one_session_is_adopted_and_the_other_released(
    generation: Generation,
    version: &'static str,
) {
    let mut stage = Stage::of_generation("repeated", generation, version).await;
    stage.admin.change(|settings| settings.overlap = Overlap::Off).await.unwrap();
    let base = stage.simulator().url_of(generation);
    // Every create is made twice, and its answer lost.
    let hook: Hook = Arc::new(|call, upstream| {
        async move {
            let answer = upstream.pass(&call).await;
            if call.mutates() && call.path().ends_with("/sessions") {
                let _ = upstream.pass(&call).await;
                return Reply::Cut;
            }
            answer
        }
        .boxed()
    });
    let proxy = Proxy::start(Upstream::new(&base, &[]), hook).await;
    let through = format!("{}{}", proxy.url(), base.parse::<url::Url>().unwrap().path());
    let profiles = stage.simulator().profiles_url_of(generation);
    stage.provider(json!({ "api": { "version": version, "baseURL": through, "profilesURL": profiles } })).await;
    stage.start().await;
    stage.create(NAME, json!({})).await;
    let object = stage.available(NAME).await;
    let live: Vec<_> = living(&stage).iter().map(|session| Some(session.id.to_string())).collect();
    assert_eq!(live, [id(&object)], "one is left, and it is the recorded one");
    assert_eq!(stage.calls(Operation::Create), 2, "by the proxy");
    assert_eq!(told(&stage, ["Adopted", "DuplicateReleased"]).await, [1, 1]);
    one_was_doubled_and_all_are_released(stage).await;
}

async fn of_two_sessions_with_the_objects_key_at_first_sight_one_is_adopted_and_the_other_released(
    generation: Generation,
    version: &'static str,
) {
    let mut stage = Stage::of_generation("copies", generation, version).await;
    stage.admin.change(|settings| settings.overlap = Overlap::Off).await.unwrap();
    stage.start().await;
    stage.create(NAME, json!({})).await;
    stage.available(NAME).await;
    stage.stop().await;
    let callback = stage.admin.sessions()[0].order.callback.clone().unwrap();
    let (key, _) = callback.expose().rsplit_once('/').unwrap();
    let another_send = format!("{key}/{}", "0123456789abcdef".repeat(2));
    let elsewhere = Elsewhere::same_client(&stage, generation);
    assert_eq!(elsewhere.create(3600, &json!({ "sink": another_send })).await, 201);
    strip_metadata(&stage, &[]).await;
    strip_status(&stage).await;
    stage.start().await;
    let object = stage.available(NAME).await;
    let live: Vec<_> = living(&stage).iter().map(|session| Some(session.id.to_string())).collect();
    assert_eq!(live, [id(&object)], "one is left, and it is the recorded one");
    assert_eq!([stage.calls(Operation::Create), stage.calls(Operation::Delete)], [2, 1]);
    assert_eq!(told(&stage, ["Adopted", "DuplicateReleased"]).await, [1, 1]);
    one_was_doubled_and_all_are_released(stage).await;
}
