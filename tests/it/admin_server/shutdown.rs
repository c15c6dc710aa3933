//! SIGTERM while creates are under way: nothing is lost, and the process ends in time.

use std::io::Write as _;
use std::time::{Duration, Instant};

use kube::api::ListParams;
use qos_operator::simulator::faults::{Fault, Target, What};
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::{PATIENCE, flags};
use crate::support::process::OperatorProcess;
use crate::support::stage::{Stage, TOKEN};

/// How many sessions are asked for, and how long the provider takes for each create.
const SESSIONS: usize = 12;
const SECONDS: f64 = 2.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sigterm_under_creates_loses_none_of_them_and_the_process_ends_within_its_grace() {
    let stage = Stage::bare("sigterm").await;
    stage.secret(TOKEN).await;
    stage.provider(json!({})).await;
    let slow = What::Delay { before_seconds: 0.0, after_seconds: SECONDS };
    stage.admin.add_fault(Fault { times: None, ..Fault::once(Target::Create, slow) }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let process = OperatorProcess::new(folder.path(), &stage.cluster.kubeconfig_of(stage.account_token().await), flags(&stage));
    process.start();
    for number in 0..SESSIONS {
        stage
            .create(&format!("camera-{number}"), json!({ "device": { "phoneNumber": format!("+4477009001{number:02}") } }))
            .await;
    }
    // The provider has made some, and none has been answered.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while stage.admin.sessions().len() < 4 {
        assert!(tokio::time::Instant::now() < deadline, "no create arrives: {}", process.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    process.signal("TERM");
    let status = tokio::task::spawn_blocking({
        let process = process.clone();
        move || process.wait(Duration::from_mins(1))
    })
    .await
    .unwrap();
    let took = began.elapsed();
    assert!(status.is_some_and(|status| status.success()), "{status:?}: {}", process.log());
    assert!(process.log().contains("ending: what is under way is recorded first"), "{}", process.log());

    // Every session at the provider is known to its object: nothing has to be found again.
    let made = stage.admin.sessions().len();
    let objects = stage.sessions().list(&ListParams::default()).await.unwrap().items;
    let known = objects.iter().filter(|object| object.status.as_ref().is_some_and(|status| status.session_id.is_some())).count();
    let line = format!("SIGTERM with {made} creates made and unanswered: {known} recorded, ended after {} ms", took.as_millis());
    writeln!(std::io::stderr(), "{line}").unwrap();
    assert_eq!(known, made, "a session is at the provider and on no object");
    assert_eq!(stage.calls(Operation::Create), u64::try_from(made).unwrap());

    // The next process goes on where this one ended.
    stage.admin.clear_faults();
    process.start();
    for number in 0..SESSIONS {
        stage.available(&format!("camera-{number}")).await;
    }
    assert_eq!(stage.calls(Operation::Create), u64::try_from(SESSIONS).unwrap(), "none was made twice");
    for number in 0..SESSIONS {
        stage.delete(&format!("camera-{number}")).await;
    }
    for number in 0..SESSIONS {
        stage.gone(&format!("camera-{number}")).await;
    }
    process.kill();
    stage.finish().await;
}
