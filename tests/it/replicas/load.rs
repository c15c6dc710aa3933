//! Leaders that end under load.

use std::time::{Duration, Instant};

use qos_operator::simulator::settings::Operation;
use serde_json::json;
use tokio::time::sleep;

use super::replica::{PATIENCE, Replica, Replicas, Times};

/// Sessions that are there at a time; the oldest is deleted for the newest.
const SESSIONS: u32 = 20;

/// How often the leader is killed, and with which times: `KILLS=20` is the long form, with the times of the flags.
#[expect(clippy::disallowed_methods, reason = "the one setting of this test; the operator's come from its arguments")]
fn asked() -> (usize, Times) {
    match std::env::var("KILLS") {
        Ok(number) => (number.parse().unwrap(), Times::DEFAULT),
        Err(_) => (5, Times::SHORT),
    }
}

/// About one create a second, each with a delete of the oldest.
async fn load(replicas: &Replicas) {
    for number in 0.. {
        let name = |number: u32| format!("camera-{number}");
        let (phone, port) = (format!("+4477009001{:02}", number % 100), 1000 + number);
        let spec = json!({ "device": { "phoneNumber": phone }, "applicationServerPorts": { "ports": [port] } });
        replicas.stage.create(&name(number), spec).await;
        if number >= SESSIONS {
            replicas.stage.delete(&name(number - SESSIONS)).await;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

fn effects(replicas: &Replicas) -> u64 {
    replicas.stage.calls(Operation::Create) + replicas.stage.calls(Operation::Delete)
}

/// How a leader ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Killed,
    Terminated,
}

/// What the end of one leader took, in seconds.
struct Ended {
    /// Until the next effect at the provider.
    next_effect: f64,
    /// Until its process had ended.
    process: f64,
}

/// Ends the leader, starts a replica in its place as a Deployment would, and waits for the next effect.
async fn end_leader(replicas: &Replicas, running: &mut Vec<Replica>, number: usize, end: End) -> Ended {
    let holder = replicas.holder().await.unwrap();
    let place = running.iter().position(|replica| replica.name == holder).unwrap();
    let leader = running.remove(place);
    let began = Instant::now();
    match end {
        End::Killed => leader.process.kill(),
        End::Terminated => {
            leader.process.signal("TERM");
            assert_eq!(leader.exit().await, 0, "{}", leader.process.log());
        }
    }
    let process = began.elapsed().as_secs_f64();
    // What was on the wire has arrived.
    sleep(Duration::from_millis(200)).await;
    let before = effects(replicas);
    running.push(replicas.start(&format!("r-{number}")).await);
    while effects(replicas) == before {
        assert!(began.elapsed() < PATIENCE, "no effect after the leader's end");
        sleep(Duration::from_millis(20)).await;
    }
    let next_effect = began.elapsed().as_secs_f64();
    assert_ne!(replicas.holder().await, Some(leader.name.clone()));
    // The next leader works for a while before it ends in the middle of something.
    sleep(Duration::from_millis(1500 + 170 * u64::try_from(number % 7).unwrap())).await;
    Ended { next_effect, process }
}

/// Minimum, median and maximum.
fn spread(seconds: impl Iterator<Item = f64>) -> String {
    let mut seconds: Vec<_> = seconds.collect();
    seconds.sort_by(f64::total_cmp);
    format!("{:.1} / {:.1} / {:.1} s", seconds[0], seconds[seconds.len() / 2], seconds[seconds.len() - 1])
}

/// Two replicas under load, of which the leader ends so often.
async fn endure(prefix: &str, times: Times, ends: usize, end: End) {
    let replicas = Replicas::new(prefix, times).await;
    let mut running = vec![replicas.start("r-a").await];
    replicas.led_by("r-a").await;
    running.push(replicas.start("r-b").await);
    let mut ended = Vec::new();
    let ending = async {
        sleep(Duration::from_secs(3)).await;
        for number in 0..ends {
            ended.push(end_leader(&replicas, &mut running, number, end).await);
        }
    };
    tokio::select! {
        () = ending => {}
        () = load(&replicas) => unreachable!("it does not end by itself"),
    }
    let ledger = replicas.stage.admin.ledger();
    println!(
        "REPORT {ends} leaders {end:?} under load, lease {}: next effect after {}, process ended after {} (min / median / max); {ledger}",
        times.duration,
        spread(ended.iter().map(|ended| ended.next_effect)),
        spread(ended.iter().map(|ended| ended.process)),
    );
    assert_eq!((ledger.doubled, ledger.overlapping, ledger.leaked), (0, 0, 0), "{ledger}");
    replicas.stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_that_are_killed_under_load_double_nothing_and_leak_nothing() {
    let (kills, times) = asked();
    endure("load", times, kills, End::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_that_are_terminated_under_load_lose_nothing_and_the_next_one_acts_at_once() {
    endure("roll", Times::DEFAULT, 3, End::Terminated).await;
}
