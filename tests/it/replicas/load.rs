//! Leaders that are killed under load.

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

/// Kills the leader, starts a replica in its place as a Deployment would, and waits for the next effect; seconds.
async fn kill_leader(replicas: &Replicas, running: &mut Vec<Replica>, number: usize) -> f64 {
    let holder = replicas.holder().await.unwrap();
    let place = running.iter().position(|replica| replica.name == holder).unwrap();
    let leader = running.remove(place);
    let began = Instant::now();
    leader.process.kill();
    // What was on the wire has arrived.
    sleep(Duration::from_millis(200)).await;
    let before = effects(replicas);
    running.push(replicas.start(&format!("r-{number}")).await);
    while effects(replicas) == before {
        assert!(began.elapsed() < PATIENCE, "no effect after the leader's death");
        sleep(Duration::from_millis(20)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    assert_ne!(replicas.holder().await, Some(leader.name.clone()));
    // The next leader works for a while before it is killed in the middle of something.
    sleep(Duration::from_millis(1500 + 170 * u64::try_from(number % 7).unwrap())).await;
    seconds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_that_are_killed_under_load_double_nothing_and_leak_nothing() {
    let (kills, times) = asked();
    let replicas = Replicas::new("load", times).await;
    let mut running = vec![replicas.start("r-a").await];
    replicas.led_by("r-a").await;
    running.push(replicas.start("r-b").await);
    let mut seconds = Vec::new();
    let killing = async {
        sleep(Duration::from_secs(3)).await;
        for number in 0..kills {
            seconds.push(kill_leader(&replicas, &mut running, number).await);
        }
    };
    tokio::select! {
        () = killing => {}
        () = load(&replicas) => unreachable!("it does not end by itself"),
    }
    seconds.sort_by(f64::total_cmp);
    let (min, median, max) = (seconds[0], seconds[seconds.len() / 2], seconds[seconds.len() - 1]);
    let ledger = replicas.stage.admin.ledger();
    println!(
        "REPORT {kills} leaders killed, lease {}: next effect after {min:.1} / {median:.1} / {max:.1} s (min / median / max); {ledger}",
        times.duration
    );
    assert_eq!((ledger.doubled, ledger.overlapping, ledger.leaked), (0, 0, 0), "{ledger}");
    replicas.stage.finish().await;
}
