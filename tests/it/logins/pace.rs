//! Field case 13: a limit is the provider's, so that the pause is too.

use std::collections::BTreeMap;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use qos_operator::simulator::faults::{Effect, Fault, Target, What};
use qos_operator::simulator::requests::Request;
use serde_json::json;

use super::basic;
use crate::support::stage::{Stage, condition};

fn limited(retry_after: Option<String>) -> What {
    let headers: BTreeMap<_, _> = retry_after.map(|value| ("Retry-After".to_owned(), value)).into_iter().collect();
    What::Status { status: 429, code: Some("TOO_MANY_REQUESTS".to_owned()), body: None, headers, effect: Effect::None }
}

fn at(request: &Request) -> Timestamp {
    request.time.parse().unwrap()
}

async fn six(stage: &Stage) -> Vec<String> {
    let names: Vec<String> = (0..6).map(|number| format!("camera-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        stage.create(name, json!({ "device": { "phoneNumber": format!("+44770090010{number}") } })).await;
    }
    names
}

/// When a 429 was answered, and when the next call of any kind came.
fn pauses(stage: &Stage) -> Vec<SignedDuration> {
    let requests = stage.admin.requests();
    let limited: Vec<Timestamp> = requests.iter().filter(|request| request.status == Some(429)).map(at).collect();
    let after =
        |moment: Timestamp| requests.iter().map(at).find(|next| next.duration_since(moment) > SignedDuration::from_secs(1));
    limited.into_iter().filter_map(|moment| Some(after(moment)?.duration_since(moment))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_429_stops_all_calls_to_the_provider_for_the_time_that_it_names_and_is_no_verdict() {
    for by_date in [false, true] {
        let mut stage = basic().stage("limit").await;
        let names = six(&stage).await;
        let value = if by_date {
            (stage.clock.now() + SignedDuration::from_secs(40)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        } else {
            "30".to_owned()
        };
        stage.admin.add_fault(Fault::once(Target::Create, limited(Some(value)))).unwrap();
        stage.start().await;
        let mut stopped = 0;
        for name in &names {
            let object = stage
                .until(name, "limited or AVAILABLE", |object| {
                    matches!(condition(object, "Ready").1, "QuotaExceeded" | "Available" | "ProviderNotReady")
                })
                .await;
            if condition(&object, "Ready").1 == "QuotaExceeded" {
                assert_eq!(condition(&object, "Reconciling").0, "True");
                assert_eq!(condition(&object, "Stalled").0, "", "a limit stalls nothing");
                stopped += 1;
            }
        }
        assert!(stopped >= 1);
        stage.let_pass(60, 2).await;
        for name in &names {
            stage.available(name).await;
        }
        let pauses = pauses(&stage);
        assert_eq!(pauses.len(), 1);
        assert!(pauses[0] >= SignedDuration::from_secs(29), "{pauses:?}");
        assert_eq!(stage.admin.ledger().created, 6);
        stage.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_time_to_wait_the_pauses_grow() {
    let mut stage = basic().stage("grow").await;
    let names = ["camera-0".to_owned()];
    stage.create(&names[0], json!({})).await;
    stage.admin.add_fault(Fault { times: Some(3), ..Fault::new(Target::Create, limited(None)) }).unwrap();
    stage.start().await;
    stage.let_pass(300, 1).await;
    for name in &names {
        stage.available(name).await;
    }
    let pauses: Vec<i64> = pauses(&stage).iter().map(SignedDuration::as_secs).collect();
    assert!(pauses.iter().all(|pause| *pause >= 4), "{pauses:?}");
    assert!(pauses.len() == 3 && pauses[0] < pauses[1] && pauses[1] < pauses[2], "{pauses:?}");
    assert_eq!(stage.admin.ledger().created, 1);
    stage.finish().await;
}
