//! Any replica may receive: what comes to one that stands by is acted on by the one that leads, whoever that is by then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use parking_lot::Mutex;
use qos_operator::api::QosSession;
use qos_operator::leader::record::ADDRESS_ANNOTATION;
use qos_operator::simulator::Selection;
use qos_operator::simulator::faults::{Fault, Target, What};
use qos_operator::simulator::settings::Operation;
use serde_json::json;

use super::replica::{PATIENCE, Replica, Replicas, Times};
use crate::support::proxy::{Hook, Proxy, Reply, Upstream};
use crate::support::stage::condition;

/// Stands for the Service in front of all replicas: a test says which one gets the next notification.
struct Balancer {
    proxy: Proxy,
    to: Arc<Mutex<Option<Upstream>>>,
}

impl Balancer {
    async fn start() -> Self {
        let to = Arc::new(Mutex::new(None::<Upstream>));
        let hook: Hook = Arc::new({
            let to = Arc::clone(&to);
            move |call, _| {
                let to = to.lock().clone();
                async move {
                    match to {
                        Some(to) => to.pass(&call).await,
                        None => Reply::Cut,
                    }
                }
                .boxed()
            }
        });
        Self { proxy: Proxy::start(Upstream::new("http://127.0.0.1:9", &[]), hook).await, to }
    }

    /// `replica` gets all notifications from now on.
    async fn lead_to(&self, replica: &Replica) {
        let address = replica.address_of("notifications are received").await;
        *self.to.lock() = Some(Upstream::new(&format!("http://{address}"), &[]));
    }
}

/// Two replicas, of which `a` leads and `b` gets the notifications.
async fn scene(prefix: &str, times: Times) -> (Balancer, Replicas, Replica, Replica) {
    let balancer = Balancer::start().await;
    let mut replicas = Replicas::new(prefix, times).await;
    let callback = format!("{}/notify", balancer.proxy.url());
    replicas.flags(&[("--callback-url", &callback), ("--notify-listen", "127.0.0.1:0")]);
    let leader = replicas.start("a").await;
    replicas.led_by("a").await;
    let standby = replicas.start("b").await;
    balancer.lead_to(&standby).await;
    (balancer, replicas, leader, standby)
}

fn spec() -> serde_json::Value {
    json!({ "device": { "phoneNumber": "+447700900112" } })
}

fn id(object: &QosSession) -> Option<String> {
    object.status.as_ref().and_then(|status| status.session_id.clone())
}

/// Waits until the network's end of the session is told and repaired: another session is AVAILABLE. Seconds since `began`.
async fn repaired(replicas: &Replicas, before: &QosSession, began: Instant) -> f64 {
    let served = |object: &QosSession| condition(object, "Ready") == ("True", "Available") && id(object) != id(before);
    replicas.stage.until("camera-1", "served again", served).await;
    began.elapsed().as_secs_f64()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_comes_to_a_standby_changes_the_status_without_a_poll_and_costs_one_write_and_one_get() {
    let (_balancer, replicas, _leader, _standby) = scene("standby", Times::DEFAULT).await;
    replicas.stage.admin.change(|settings| settings.requested_delay_seconds = 4).await.unwrap();
    replicas.stage.create("camera-1", spec()).await;
    replicas.stage.ready("camera-1", "False", "Requested").await;
    let writes = || {
        let events = replicas.stage.cluster.audit_events().into_iter();
        let ours = events.filter(|event| event.namespace == replicas.stage.namespace && event.is_write());
        let others = ours.filter(|event| !["leases", "events"].contains(&event.resource.as_str()));
        others.map(|event| format!("{} {} {}", event.verb, event.resource, event.subresource)).collect::<Vec<_>>()
    };
    let (before, gets) = (writes().len(), replicas.stage.calls(Operation::Get));
    replicas.stage.available("camera-1").await;
    let seen: Vec<_> = writes().split_off(before);
    println!("REPORT an event through a standby: writes {seen:?}, GETs {}", replicas.stage.calls(Operation::Get) - gets);
    assert_eq!(seen, ["patch qossessions status"]);
    assert_eq!(replicas.stage.calls(Operation::Get) - gets, 1);

    // The port between replicas takes nothing from a stranger.
    let lease = replicas.lease().await.unwrap();
    let address = lease.metadata.annotations.unwrap()[ADDRESS_ANNOTATION].clone();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let forged = json!({ "to": "a", "sentAt": "2026-01-01T00:00:00Z", "events": [] }).to_string();
    let answer = client.post(format!("http://{address}/hand-over")).header("x-qos-operator-mac", "0".repeat(64)).body(forged);
    assert_eq!(answer.send().await.unwrap().status(), 401);
    replicas.stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_survives_the_death_of_the_leader_before_it_was_handed_over() {
    let (_balancer, replicas, leader, _standby) = scene("before", Times::SHORT).await;
    replicas.stage.create("camera-1", spec()).await;
    let before = replicas.stage.available("camera-1").await;
    // A leader that answers nothing any more, but whose lease still holds.
    leader.process.signal("STOP");
    let sent = replicas.stage.admin.notifications().accepted;
    assert_eq!(replicas.stage.admin.terminate(&Selection::default()), 1);
    until("received", || replicas.stage.admin.notifications().accepted > sent).await;
    let began = Instant::now();
    leader.process.kill();
    let seconds = repaired(&replicas, &before, began).await;
    println!("REPORT leader killed between receipt and hand-over: {seconds:.1} s until the status is true, lease 5 s");
    replicas.stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_survives_the_death_of_the_leader_that_had_taken_it() {
    let (_balancer, replicas, leader, standby) = scene("after", Times::SHORT).await;
    replicas.stage.create("camera-1", spec()).await;
    let before = replicas.stage.available("camera-1").await;
    // The leader takes the event and asks the provider, but is dead before the answer.
    let gets = || replicas.stage.admin.requests().iter().filter(|request| request.operation == Operation::Get).count();
    let before_it = gets();
    let slow = What::Delay { before_seconds: 3600.0, after_seconds: 0.0 };
    replicas.stage.admin.add_fault(Fault::new(Target::Get, slow)).unwrap();
    assert_eq!(replicas.stage.admin.terminate(&Selection::default()), 1);
    until("asked", || gets() > before_it).await;
    let began = Instant::now();
    leader.process.kill();
    replicas.stage.admin.clear_faults();
    let seconds = repaired(&replicas, &before, began).await;
    println!("REPORT leader killed after it had taken the event: {seconds:.1} s until the status is true, lease 5 s");
    assert!(standby.process.log().contains("this replica leads"));
    replicas.stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_comes_to_a_leader_on_its_way_out_is_acted_on_by_the_next() {
    let (balancer, replicas, leader, _standby) = scene("leaving", Times::DEFAULT).await;
    balancer.lead_to(&leader).await;
    replicas.stage.create("camera-1", spec()).await;
    let before = replicas.stage.available("camera-1").await;
    // A create under way keeps the leader for a while after its SIGTERM.
    let slow = What::Delay { before_seconds: 0.0, after_seconds: 1.9 };
    replicas.stage.admin.add_fault(Fault::once(Target::Create, slow)).unwrap();
    replicas.stage.create("camera-2", json!({ "device": { "phoneNumber": "+447700900113" } })).await;
    until("created and not answered", || replicas.stage.admin.sessions().len() == 2).await;
    leader.process.signal("TERM");
    leader.says("ending: what is under way is recorded first").await;
    let began = Instant::now();
    let of_first = before.status.as_ref().unwrap().session_id.clone().unwrap().parse().unwrap();
    assert_eq!(replicas.stage.admin.terminate(&Selection::id(of_first)), 1);
    assert_eq!(leader.exit().await, 0);
    let seconds = repaired(&replicas, &before, began).await;
    println!("REPORT event to a leader after its SIGTERM: {seconds:.1} s until the status is true");
    replicas.stage.available("camera-2").await;
    replicas.stage.finish().await;
}
