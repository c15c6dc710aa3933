use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use reqwest::Client;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::*;
use crate::notify::{Request, Verdict, judge};
use crate::qod::{QosStatus, SessionId};
use crate::session::facts::Nonce;
use crate::session::sink::{ObjectKey, callback};

/// Stands for the sessions of a leader.
#[derive(Default)]
struct Objects {
    listed: Mutex<bool>,
    known: Mutex<BTreeSet<String>>,
    notified: Mutex<Vec<String>>,
}

impl Objects {
    fn listed() -> Arc<Self> {
        let objects = Self::default();
        *objects.listed.lock() = true;
        Arc::new(objects)
    }

    fn notified(&self) -> Vec<String> {
        self.notified.lock().clone()
    }
}

impl Deliver for Objects {
    fn standing(&self, mark: &Mark) -> Standing {
        if !*self.listed.lock() {
            Standing::Unlisted
        } else if self.known.lock().contains(&format!("{mark:?}")) {
            Standing::Known { generation: Some(Generation::V1_1), standing: crate::notify::Standing::Other }
        } else {
            Standing::Gone
        }
    }

    fn notified(&self, _mark: &Mark, event: &Event) {
        self.notified.lock().push(event.session_id.as_str().to_owned());
    }
}

fn leader(identity: &str, address: Option<String>) -> Leader {
    Leader { identity: identity.to_owned(), acquired: Some(Timestamp::UNIX_EPOCH), address }
}

fn front() -> Front {
    Front::new(OperatorKey::fixed(), Clock::system(), Some(Duration::from_secs(20)))
}

/// Path and bearer of a callback that was handed out.
fn handed_out(uid: &str) -> (String, String) {
    let base: Url = "https://qos.example.com/notify".parse().unwrap();
    let key = OperatorKey::fixed();
    let mark = Mark { object: ObjectKey::of(&key, uid), nonce: Nonce(7) };
    let callback = callback(&key, &base, &mark, Timestamp::UNIX_EPOCH);
    let url: Url = callback.url.expose().parse().unwrap();
    (url.path().to_owned(), callback.token.expose().clone())
}

fn target(uid: &str) -> Target {
    Target::of(&handed_out(uid).0).unwrap()
}

fn event(session: &str) -> Event {
    Event {
        session_id: SessionId::new(session),
        qos_status: QosStatus::Available,
        status_info: None,
        event_id: None,
        source: None,
        time: None,
    }
}

fn deliver(front: &Front, session: &str) {
    front.deliver(&target("uid-1"), &Class::Accepted { event: event(session), binds: true });
}

/// What `front` answers to an event for the object of `uid` with this bearer.
fn answer(front: &Front, uid: &str, bearer: &str) -> Verdict {
    let headers = [("authorization", format!("Bearer {bearer}")), ("content-type", "application/cloudevents+json".to_owned())];
    let headers = headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let body =
        br#"{"id":"e-1","source":"s","specversion":"1.0","type":"org.camaraproject.quality-on-demand.v1.qos-status-changed",
        "time":"2026-01-02T03:10:00Z","data":{"sessionId":"s-1","qosStatus":"AVAILABLE"}}"#;
    let request = Request { method: &axum::http::Method::POST, query: None, headers: &headers, body };
    judge(&request, front.attempt(&target(uid)).as_ref(), 65_536)
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("not {what}");
}

#[test]
fn a_replica_that_stands_by_knows_the_right_bearer_from_the_key_alone() {
    let front = front();
    assert_eq!(answer(&front, "uid-1", &handed_out("uid-1").1).status, 204);
    assert_eq!(answer(&front, "uid-1", &handed_out("uid-2").1).status, 401);
    assert!(front.attempt(&Target::of("/notify/x/y").unwrap()).is_none(), "it was never handed out");
}

#[test]
fn gone_is_said_only_by_a_leader_whose_list_is_complete() {
    let (front, objects) = (front(), Arc::new(Objects::default()));
    let answer = |front: &Front| answer(front, "uid-1", &handed_out("uid-1").1).status;
    front.lead(leader("a", None), Arc::clone(&objects) as Arc<dyn Deliver>);
    assert_eq!(answer(&front), 204, "before the list is complete");
    *objects.listed.lock() = true;
    assert_eq!(answer(&front), 410);
    objects.known.lock().insert(format!("{:?}", Mark::of(&target("uid-1")).unwrap()));
    assert_eq!(answer(&front), 204);
    front.stand_down();
    objects.known.lock().clear();
    assert_eq!(answer(&front), 204, "who leads no longer does not know");
}

#[tokio::test]
async fn what_comes_before_the_leaders_list_is_complete_is_delivered_after_it() {
    let (front, objects) = (front(), Arc::new(Objects::default()));
    tokio::spawn(front.clone().run());
    front.lead(leader("a", None), Arc::clone(&objects) as Arc<dyn Deliver>);
    deliver(&front, "s-1");
    sleep(UNTIL_LISTED * 3).await;
    assert_eq!(objects.notified(), Vec::<String>::new());
    *objects.listed.lock() = true;
    until("delivered", || objects.notified() == ["s-1"]).await;
}

#[tokio::test]
async fn events_go_to_the_leader_at_once_and_again_to_the_next_one() {
    let (standby, stop) = (front(), CancellationToken::new());
    tokio::spawn(standby.clone().run());
    deliver(&standby, "s-1");
    for name in ["a", "b"] {
        let (led, objects) = (front(), Objects::listed());
        let address = listener::start(([127, 0, 0, 1], 0).into(), led.clone(), stop.clone()).await.unwrap();
        let leader = leader(name, Some(address.to_string()));
        led.lead(leader.clone(), Arc::clone(&objects) as Arc<dyn Deliver>);
        standby.play(Role::Standby(Some(leader)));
        until("handed over", || objects.notified() == ["s-1"]).await;
        standby.handed_over().await;
        assert_eq!(led.counts().0, 0, "who hands over keeps the event, not who takes it");
    }
    assert_eq!(standby.counts(), (1, 0));
    stop.cancel();
}

#[tokio::test]
async fn an_event_whose_leader_does_not_answer_is_kept_until_one_does() {
    let (standby, stop) = (front(), CancellationToken::new());
    tokio::spawn(standby.clone().run());
    // Nobody listens there.
    standby.play(Role::Standby(Some(leader("dead", Some("127.0.0.1:9".to_owned())))));
    deliver(&standby, "s-1");
    sleep(FIRST_PAUSE * 3).await;
    assert_eq!(standby.counts().0, 1);
    let objects = Objects::listed();
    standby.lead(leader("itself", None), Arc::clone(&objects) as Arc<dyn Deliver>);
    until("delivered here", || objects.notified() == ["s-1"]).await;
    stop.cancel();
}

#[tokio::test]
async fn a_leader_that_stands_down_hands_on_what_it_has_itself_received() {
    let (before, objects, stop) = (front(), Objects::listed(), CancellationToken::new());
    tokio::spawn(before.clone().run());
    before.lead(leader("a", None), Arc::clone(&objects) as Arc<dyn Deliver>);
    deliver(&before, "s-1");
    before.stand_down();
    deliver(&before, "s-2");
    assert!(tokio::time::timeout(Duration::from_millis(200), before.handed_over()).await.is_err(), "nobody leads yet");
    let (next, of_next) = (front(), Objects::listed());
    let address = listener::start(([127, 0, 0, 1], 0).into(), next.clone(), stop.clone()).await.unwrap();
    let leader = leader("b", Some(address.to_string()));
    next.lead(leader.clone(), Arc::clone(&of_next) as Arc<dyn Deliver>);
    before.play(Role::Standby(Some(leader)));
    tokio::time::timeout(Duration::from_secs(30), before.handed_over()).await.unwrap();
    assert_eq!((objects.notified(), of_next.notified()), (vec!["s-1".to_owned()], vec!["s-1".to_owned(), "s-2".to_owned()]));
    stop.cancel();
}

#[tokio::test]
async fn without_replicas_nothing_that_was_delivered_is_kept() {
    let (front, objects) = (Front::new(OperatorKey::fixed(), Clock::system(), None), Objects::listed());
    front.lead(leader("a", None), Arc::clone(&objects) as Arc<dyn Deliver>);
    deliver(&front, "s-1");
    assert_eq!((objects.notified(), front.counts()), (vec!["s-1".to_owned()], (0, 0)));
}

#[tokio::test]
async fn a_forged_hand_over_is_refused_and_delivers_nothing() {
    let (led, objects, stop) = (front(), Objects::listed(), CancellationToken::new());
    let address = listener::start(([127, 0, 0, 1], 0).into(), led.clone(), stop.clone()).await.unwrap();
    let me = leader("a", Some(address.to_string()));
    led.lead(me.clone(), Arc::clone(&objects) as Arc<dyn Deliver>);
    let client = Client::builder().no_proxy().build().unwrap();
    let post = |path: &str, body: String, mac: String| {
        let request = client.post(format!("http://{address}{path}")).header(batch::MAC_HEADER, mac).body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let now = Clock::system().now();
    let notice = Notice::new(&target("uid-1"), &event("s-1"));
    let (key, hour) = (OperatorKey::fixed(), k8s_openapi::jiff::SignedDuration::from_hours(1));
    let (body, mac) = batch::seal(&key, &me, [&notice], now);
    let (old, old_mac) = batch::seal(&key, &me, [&notice], crate::clock::later(now, -hour));
    let (others, others_mac) = batch::seal(&key, &leader("b", None), [&notice], now);
    assert_eq!(post(PATH_OF_BATCHES, body.clone(), "0".repeat(64)).await, 401, "a wrong hash");
    assert_eq!(post(PATH_OF_BATCHES, body.clone(), String::new()).await, 401, "none");
    assert_eq!(post(PATH_OF_BATCHES, body.replace("s-1", "s-2"), mac.expose().clone()).await, 401, "another body");
    assert_eq!(post(PATH_OF_BATCHES, old, old_mac.expose().clone()).await, 401, "an old one");
    assert_eq!(post(PATH_OF_BATCHES, others, others_mac.expose().clone()).await, 409, "another leader's");
    assert_eq!(post("/", body.clone(), mac.expose().clone()).await, 404);
    let large = " ".repeat(batch::LARGEST + 1);
    assert_eq!(post(PATH_OF_BATCHES, large, mac.expose().clone()).await, 413);
    assert_eq!(objects.notified(), Vec::<String>::new());
    assert_eq!(post(PATH_OF_BATCHES, body, mac.expose().clone()).await, 204);
    assert_eq!(objects.notified(), ["s-1"]);
    led.stand_down();
    let (body, mac) = batch::seal(&key, &me, [&notice], now);
    assert_eq!(post(PATH_OF_BATCHES, body, mac.expose().clone()).await, 409, "who stands by takes nothing");
    stop.cancel();
}

#[tokio::test]
async fn connections_that_do_nothing_do_not_keep_batches_out() {
    let (standby, led, objects, stop) = (front(), front(), Objects::listed(), CancellationToken::new());
    tokio::spawn(standby.clone().run());
    let address = listener::start(([127, 0, 0, 1], 0).into(), led.clone(), stop.clone()).await.unwrap();
    let leader = leader("a", Some(address.to_string()));
    led.lead(leader.clone(), Arc::clone(&objects) as Arc<dyn Deliver>);
    let mut idle = Vec::new();
    for _ in 0..listener::CONNECTIONS {
        idle.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    standby.play(Role::Standby(Some(leader)));
    deliver(&standby, "s-1");
    // A try that was given up may have arrived all the same: then it came twice.
    until("handed over", || !objects.notified().is_empty()).await;
    stop.cancel();
}

const PATH_OF_BATCHES: &str = listener::PATH;
