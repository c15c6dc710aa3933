//! Many sessions in one process: what each costs in calls and writes, and what the process needs for all of them. The small form runs
//! with the other tests and asserts the costs; `make bench-scale` runs SESSIONS of them and prints the table.

mod process;

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use kube::api::{DeleteParams, ListParams};
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use self::process::Watched;
use crate::support::Cluster;
use crate::support::stage::{Stage, TOKEN};

/// Objects that are made or deleted at a time.
const AT_A_TIME: usize = 32;
/// Rows of the table: after so many tenths of all sessions.
const TENTHS: [usize; 3] = [1, 5, 10];
/// How long the process is watched while nothing happens.
const AT_REST: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "a setting of this test, not of the program")]
fn sessions() -> (usize, bool) {
    match std::env::var("SESSIONS") {
        Ok(text) => (text.parse().expect("SESSIONS is a number"), true),
        Err(_) => (50, false),
    }
}

fn name(number: usize) -> String {
    format!("camera-{number}")
}

async fn make(stage: &Stage, numbers: std::ops::Range<usize>) {
    let each = |number: usize| async move {
        // A device each: a network of 64 bits in the range for documentation.
        let device =
            json!({ "phoneNumber": null, "ipv6Address": format!("2001:db8:{:x}:{:x}::1", number >> 16, number & 0xffff) });
        stage.create(&name(number), json!({ "device": device })).await;
    };
    stream::iter(numbers).for_each_concurrent(AT_A_TIME, each).await;
}

/// `count` in a second.
fn rate(count: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / time.as_secs_f64()
}

fn megabytes(kilobytes: Option<u32>) -> String {
    kilobytes.map_or_else(|| "-".to_owned(), |kilobytes| format!("{:.1} MB", f64::from(kilobytes) / 1024.0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_sessions_costs_one_create_two_writes_and_one_release_and_a_restart_costs_nothing() {
    let (count, long) = sessions();
    let stage = if long { Stage::on(Cluster::of_its_own().await, "scale").await } else { Stage::bare("scale").await };
    stage.secret(TOKEN).await;
    stage.provider(json!({ "limits": { "requestsPerMinute": 60000, "maxInFlight": 64 } })).await;
    let process = Watched::start(&stage).await;
    let none = process.memory("VmRSS");
    println!("{count} sessions; without any: {}", megabytes(none));

    println!("sessions  created/s  resident  peak      processor");
    let mut made = 0;
    for tenths in TENTHS {
        let (until, began, used) = (count * tenths / 10, Instant::now(), process.processor(0.0));
        make(&stage, made..until).await;
        process.available(until).await;
        let created = rate(until - made, began.elapsed());
        let (resident, peak) = (megabytes(process.memory("VmRSS")), megabytes(process.memory("VmHWM")));
        println!("{until:>8}  {created:>9.0}  {resident:>8}  {peak:>8}  {:.1} s", process.processor(used));
        made = until;
    }
    let creates = u64::try_from(count).unwrap();
    assert_eq!(stage.calls(Operation::Create), creates);
    assert_eq!(stage.all_writes_of_the_operator(), 2 * count, "record and outcome");

    if long {
        let (used, gets) = (process.processor(0.0), stage.calls(Operation::Get));
        tokio::time::sleep(AT_REST).await;
        let (used, gets) = (process.processor(used), stage.calls(Operation::Get) - gets);
        println!("at rest for {AT_REST:?}: {gets} polls, {used:.1} s of processor time");
        assert_eq!(stage.all_writes_of_the_operator(), 2 * count, "rest costs no write");
    }

    process.stop();
    let began = Instant::now();
    let process = Watched::start(&stage).await;
    process.available(count).await;
    let known = began.elapsed();
    let (resident, peak) = (megabytes(process.memory("VmRSS")), megabytes(process.memory("VmHWM")));
    println!("restart: all known after {known:.1?}; resident {resident}, at the most {peak}");
    let began = Instant::now();
    stage.patch(&name(0), json!({ "spec": { "suspend": true } })).await;
    stage.ready(&name(0), "True", "Suspended").await;
    println!("an edit among all: its release is told after {:.1?}", began.elapsed());
    assert_eq!(stage.calls(Operation::Create), creates, "a restart buys nothing");

    let (began, used) = (Instant::now(), process.processor(0.0));
    let sessions = stage.sessions();
    let delete = |number| {
        let sessions = sessions.clone();
        async move { drop(sessions.delete(&name(number), &DeleteParams::default()).await.unwrap()) }
    };
    stream::iter(0..count).for_each_concurrent(AT_A_TIME, delete).await;
    let first = ListParams::default().limit(1);
    while !sessions.list(&first).await.unwrap().items.is_empty() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("released: {:.0}/s, {:.1} s of processor time", rate(count, began.elapsed()), process.processor(used));
    assert_eq!(stage.releases(), creates);
    process.stop();
    stage.finish().await;
}
