//! From notification to status: latencies and costs. `make bench-events` runs 1,000 events at 200 a second and prints the table; the
//! short form in `make test` asserts the costs only.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube_runtime::{WatchStreamExt as _, watcher};
use qos_operator::simulator::Selection;
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::scene::Scene;
use crate::support::stage::condition;

/// Events a second.
const RATE: u32 = 200;

#[expect(clippy::disallowed_methods, reason = "how long it runs is set from outside")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_events_costs_one_get_and_the_writes_of_its_change() {
    let events: usize = std::env::var("EVENTS").ok().map_or(40, |events| events.parse().expect("EVENTS is a number"));
    let scene = Scene::new("many", Generation::V1_0, "v1.0").await;
    let stage = &scene.stage;
    let limits =
        json!({ "limits": { "requestsPerMinute": 60000, "maxInFlight": 64 }, "polling": { "availablePeriodSeconds": 86400 } });
    scene.provider(limits).await;
    let created = stream::iter(0..events).map(|index| async move {
        let device = json!({ "phoneNumber": format!("+4477009{index:05}") });
        stage
            .create(&format!("camera-{index}"), json!({ "device": device, "durationSeconds": 36000, "recoveryPolicy": "Never" }))
            .await
    });
    created.buffer_unordered(16).collect::<Vec<_>>().await;
    let mut ids = HashMap::new();
    for index in 0..events {
        let object = stage.available(&format!("camera-{index}")).await;
        ids.insert(object.status.unwrap().session_id.unwrap(), format!("camera-{index}"));
    }
    scene.delivered().await;
    let writes_of = |from: usize| stage.all_writes() - from;
    let (gets, writes) = (stage.calls(Operation::Get), stage.all_writes());

    let watched = watcher(stage.sessions(), watcher::Config::default()).applied_objects();
    let (told, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let watching = tokio::spawn(async move {
        let mut watched = std::pin::pin!(watched);
        while let Ok(Some(object)) = watched.try_next().await {
            if condition(&object, "Available").0 == "False" {
                let _ = told.send((object.metadata.name.unwrap_or_default(), Instant::now()));
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut sent = HashMap::new();
    let mut beat = tokio::time::interval(Duration::from_secs(1) / RATE);
    let begun = Instant::now();
    for session in stage.admin.sessions() {
        beat.tick().await;
        sent.insert(ids[&session.id.to_string()].clone(), Instant::now());
        assert_eq!(stage.admin.terminate(&Selection::id(session.id)), 1);
    }
    let sending = begun.elapsed();
    let mut latencies = HashMap::new();
    while latencies.len() < events {
        let (name, at) = tokio::time::timeout(Duration::from_mins(2), seen.recv()).await.expect("all become true").unwrap();
        latencies.entry(name.clone()).or_insert_with(|| at.duration_since(sent[&name]));
    }
    for index in 0..events {
        let over =
            |object: &qos_operator::api::QosSession| object.status.as_ref().is_some_and(|status| status.session_id.is_none());
        stage.until(&format!("camera-{index}"), "released", over).await;
    }
    watching.abort();
    scene.delivered().await;
    stage.quiet().await;
    let mut sorted: Vec<_> = latencies.into_values().collect();
    sorted.sort();
    let quantile = |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)];
    println!("events  rate/s  status p50  status p99  slowest  GETs/event  writes/event  DELETEs/event");
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let each = |count: f64| count / events as f64;
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let (got, wrote, deleted) =
        ((stage.calls(Operation::Get) - gets) as f64, writes_of(writes) as f64, stage.calls(Operation::Delete) as f64);
    println!(
        "{events:>6}  {:>6.0}  {:>7} ms  {:>7} ms  {:>4} ms  {:>10.2}  {:>12.2}  {:>13.2}",
        f64::from(u32::try_from(events).unwrap()) / sending.as_secs_f64(),
        quantile(50).as_millis(),
        quantile(99).as_millis(),
        sorted[sorted.len() - 1].as_millis(),
        each(got),
        each(wrote),
        each(deleted),
    );
    assert_eq!(stage.calls(Operation::Get) - gets, u64::try_from(events).unwrap(), "one GET an event");
    assert_eq!(stage.releases(), u64::try_from(events).unwrap());
    assert!(writes_of(writes) <= 2 * events, "{} writes for {events} events", writes_of(writes));
    scene.finish().await;
}
