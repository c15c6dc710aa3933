//! What the simulator sends, as the operator's receiver reads it.

use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use qos_operator::clock::Clock;
use qos_operator::notify::{Class, Effect};
use qos_operator::qod::Generation;
use qos_operator::simulator::events::Counts;
use qos_operator::simulator::events::settings::{Authorization, EventType, Quirk, Settings as Notifications};
use qos_operator::simulator::faults::{Fault, Target, What};
use qos_operator::simulator::settings::{Flavour, RequestedOutcome, Settings};
use qos_operator::simulator::{Admin, DEFAULT_TOKEN, Selection, Simulator};
use serde_json::{Value, json};
use uuid::Uuid;

use super::receiver::Receiver;

const SECRET: &str = "n3mZ0q2Jr8vK5tYx1LwB7dPfHs4GcUaE";

/// A simulator, a receiver, and a client that speaks one generation.
pub(super) struct Stage {
    simulator: Simulator,
    admin: Admin,
    receiver: Receiver,
    http: reqwest::Client,
    generation: Generation,
    base: String,
    number: std::cell::Cell<u32>,
}

impl Stage {
    async fn new(generation: Generation, settings: Settings) -> Self {
        Self::with(generation, settings, Receiver::start().await, None).await
    }

    pub(super) async fn with(generation: Generation, settings: Settings, receiver: Receiver, ca: Option<String>) -> Self {
        let settings = Settings { flavour: Flavour::Camara, ..settings };
        let mut builder = Simulator::builder(Clock::system()).settings(settings);
        if let Some(ca) = ca {
            builder = builder.notification_ca(ca);
        }
        let simulator = builder.start().await.unwrap();
        let admin = simulator.admin();
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let base = simulator.url();
        Self { simulator, admin, receiver, http, generation, base, number: 0.into() }
    }

    async fn notifications(generation: Generation, notifications: Notifications) -> Self {
        Self::new(generation, Settings { notifications, ..Settings::default() }).await
    }

    /// A creation with a callback, which must succeed; the nonce and the session.
    async fn create(&self) -> (String, Uuid) {
        let nonce = format!("nonce-{}", self.number.get());
        let url = self.receiver.expect(&nonce, self.generation, Some(SECRET));
        (nonce, self.create_with(&url).await.unwrap())
    }

    /// The session; none where the connection broke.
    pub(super) async fn create_with(&self, url: &str) -> Option<Uuid> {
        let number = self.number.replace(self.number.get() + 1);
        let body = order(self.generation, &format!("+4477009001{number:02}"), url);
        let answer =
            self.http.post(format!("{}/sessions", self.base)).bearer_auth(DEFAULT_TOKEN).json(&body).send().await.ok()?;
        let status = answer.status();
        let told: Value = answer.json().await.unwrap();
        assert_eq!(status, 201, "{told}");
        let id = if self.generation == Generation::V0_8 { &told["id"] } else { &told["sessionId"] };
        Some(id.as_str().unwrap().parse().unwrap())
    }

    async fn delete(&self, id: Uuid) {
        let answer = self.http.delete(format!("{}/sessions/{id}", self.base)).bearer_auth(DEFAULT_TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    fn terminate(&self, id: Uuid) {
        assert_eq!(self.admin.terminate(&Selection::id(id)), 1);
    }

    fn pass(&self, seconds: i64) {
        self.admin.advance(SignedDuration::from_secs(seconds));
    }

    /// What came for `nonce` when nothing more is to come, in words; the events must be of the session and of a fresh name each.
    async fn says(&self, nonce: &str, id: Uuid, expected: &[&str]) {
        let got = self.receiver.wait(nonce, expected.len()).await;
        // Time for one too many.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(self.receiver.got(nonce).len(), expected.len(), "one too many");
        let said: Vec<String> = got.iter().map(super::receiver::Got::says).collect();
        assert_eq!(said, expected, "{:?}", self.generation);
        let suffix = if self.generation == Generation::V0_8 { "/notifications" } else { "" };
        for got in got {
            assert_eq!(got.event().session_id.as_str(), id.to_string());
            assert_eq!(got.path, format!("/base/some-object/{nonce}{suffix}"));
        }
    }

    async fn counts(&self, done: impl Fn(&Counts) -> bool) -> Counts {
        for _ in 0..1500 {
            let counts = self.admin.notifications();
            if done(&counts) {
                return counts;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the counters stay at {:?}", self.admin.notifications());
    }
}

/// The body of a creation, as the generation has it.
fn order(generation: Generation, phone: &str, url: &str) -> Value {
    let _ = generation;
    json!({
        "device": {"phoneNumber": phone}, "applicationServer": {"ipv4Address": "198.51.100.10"}, "qosProfile": "QOS_E",
        "duration": 600, "webhook": {"notificationUrl": url, "notificationAuthToken": SECRET},
    })
}

/// The generations that the simulator speaks.
const SPOKEN: [Generation; 1] = [Generation::V0_10];

#[tokio::test]
async fn a_session_s_beginning_and_each_kind_of_end_are_told_once() {
    for generation in SPOKEN {
        let stage = Stage::new(generation, Settings::default()).await;
        let born = generation >= Generation::V0_10;
        let with = |end: &'static str| if born { vec!["AVAILABLE", end] } else { vec![end] };
        let (nonce, id) = stage.create().await;
        stage.terminate(id);
        stage.says(&nonce, id, &with("UNAVAILABLE NETWORK_TERMINATED")).await;
        let (deleted, deleted_id) = stage.create().await;
        if born {
            stage.receiver.wait(&deleted, 1).await;
        }
        stage.delete(deleted_id).await;
        let (expired, expired_id) = stage.create().await;
        if born {
            stage.receiver.wait(&expired, 1).await;
        }
        stage.pass(600);
        stage.says(&expired, expired_id, &with("UNAVAILABLE DURATION_EXPIRED")).await;
        let told: &[&str] = if born { &["AVAILABLE", "UNAVAILABLE DELETE_REQUESTED"] } else { &[] };
        stage.says(&deleted, deleted_id, told).await;
    }
}

#[tokio::test]
async fn nothing_is_told_of_what_the_documents_leave_out() {
    for generation in SPOKEN {
        let settings = Settings { requested_delay_seconds: 10, ..Settings::default() };
        let stage = Stage::new(generation, settings).await;
        let (requested, requested_id) = stage.create().await;
        stage.delete(requested_id).await;
        let (nonce, id) = stage.create().await;
        stage.pass(10);
        stage.receiver.wait(&nonce, 1).await;
        stage.terminate(id);
        let told = ["AVAILABLE", "UNAVAILABLE NETWORK_TERMINATED"];
        stage.says(&nonce, id, &told).await;
        stage.delete(id).await;
        let (kept, kept_id) = stage.create().await;
        stage.pass(10);
        stage.receiver.wait(&kept, 1).await;
        stage.terminate(kept_id);
        stage.pass(361);
        stage.says(&kept, kept_id, &told).await;
        assert_eq!(stage.receiver.got(&nonce).len(), 2, "a DELETE of an UNAVAILABLE session");
        assert!(stage.receiver.got(&requested).is_empty(), "a DELETE of a REQUESTED session");
    }
}

#[tokio::test]
async fn a_requested_session_is_told_when_the_network_grants_it_or_does_not() {
    let settings = Settings { requested_delay_seconds: 10, ..Settings::default() };
    for (outcome, told) in
        [(RequestedOutcome::Available, "AVAILABLE"), (RequestedOutcome::Unavailable, "UNAVAILABLE NETWORK_TERMINATED")]
    {
        let stage = Stage::new(Generation::V0_10, Settings { requested_outcome: outcome, ..settings.clone() }).await;
        let (nonce, id) = stage.create().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(stage.receiver.got(&nonce).is_empty(), "it is REQUESTED");
        stage.pass(10);
        stage.says(&nonce, id, &[told]).await;
    }
}

#[tokio::test]
async fn a_change_that_only_time_brings_is_told_without_anyone_asking() {
    let clock = Clock::scaled(1000.0);
    let receiver = Receiver::start().await;
    let simulator = Simulator::builder(clock).start().await.unwrap();
    let url = receiver.expect("n", Generation::V0_10, Some(SECRET));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/sessions", simulator.url())).bearer_auth(DEFAULT_TOKEN);
    let answer = request.json(&order(Generation::V0_10, "+447700900112", &url)).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let got = receiver.wait("n", 2).await;
    assert_eq!(got[1].says(), "UNAVAILABLE DURATION_EXPIRED");
}

#[tokio::test]
async fn a_session_whose_answer_was_lost_is_named_by_its_event() {
    let stage = Stage::new(Generation::V0_10, Settings::default()).await;
    stage.admin.add_fault(Fault::once(Target::Create, What::DropAfter)).unwrap();
    let url = stage.receiver.expect("lost", Generation::V0_10, Some(SECRET));
    assert_eq!(stage.create_with(&url).await, None);
    let got = stage.receiver.wait("lost", 1).await;
    assert!(matches!(&got[0].verdict.class, Class::Accepted { binds: true, event }
        if event.session_id.as_str() == stage.admin.sessions()[0].id.to_string()));
}

#[tokio::test]
async fn the_setting_beforeanswer_lets_the_event_overtake_the_201() {
    let before = Notifications { quirks: [Quirk::BeforeAnswer].into(), ..Notifications::default() };
    let stage = Stage::notifications(Generation::V0_10, before).await;
    let (nonce, _) = stage.create().await;
    assert_eq!(stage.receiver.got(&nonce).len(), 1, "it is there when the 201 is");
}

#[tokio::test]
async fn lost_events_are_counted_and_do_not_come() {
    let stage = Stage::notifications(Generation::V0_10, Notifications { lose_next: 1, ..Notifications::default() }).await;
    let (nonce, id) = stage.create().await;
    stage.terminate(id);
    stage.says(&nonce, id, &["UNAVAILABLE NETWORK_TERMINATED"]).await;
    let counts = stage.counts(|counts| counts.accepted == 1).await;
    assert_eq!(counts, Counts { sent: 1, accepted: 1, lost: 1, ..Counts::default() });
    let all = Notifications { lose_rate: 1.0, ..Notifications::default() };
    stage.admin.change(|settings| settings.notifications = all).await.unwrap();
    stage.create().await;
    stage.counts(|counts| counts.lost == 2).await;
}

#[tokio::test]
async fn doubled_events_are_duplicates_and_reordered_ones_stale_to_the_receiver() {
    let both = Notifications { quirks: [Quirk::Duplicate, Quirk::Reorder].into(), ..Notifications::default() };
    let stage = Stage::notifications(Generation::V0_10, both).await;
    let (nonce, id) = stage.create().await;
    stage.terminate(id);
    let got = stage.receiver.wait(&nonce, 4).await;
    let effects: Vec<_> = got.iter().map(|got| (got.says(), got.effect.unwrap())).collect();
    let end = "UNAVAILABLE NETWORK_TERMINATED".to_owned();
    let expected = [
        (end.clone(), Effect::New),
        (end, Effect::Duplicate),
        ("AVAILABLE".to_owned(), Effect::Stale),
        ("AVAILABLE".to_owned(), Effect::Duplicate),
    ];
    assert_eq!(effects, expected);
}

#[tokio::test]
async fn a_delayed_event_waits_for_the_simulators_clock() {
    let delay = Notifications { delay_seconds: 60, ..Notifications::default() };
    let stage = Stage::notifications(Generation::V0_10, delay).await;
    let (nonce, _) = stage.create().await;
    stage.pass(59);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(stage.receiver.got(&nonce).is_empty());
    stage.pass(1);
    stage.receiver.wait(&nonce, 1).await;
}

#[tokio::test]
async fn each_secret_is_answered_as_the_receiver_answers_to_it() {
    for (authorization, status) in [
        (Authorization::Token, 204),
        (Authorization::BearerTwice, 204),
        (Authorization::None, 401),
        (Authorization::Foreign, 401),
    ] {
        for generation in SPOKEN {
            let stage = Stage::notifications(generation, Notifications { authorization, ..Notifications::default() }).await;
            let (nonce, id) = stage.create().await;
            stage.terminate(id);
            let expected = if generation >= Generation::V0_10 { 2 } else { 1 };
            let got = stage.receiver.wait(&nonce, expected).await;
            assert!(got.iter().all(|got| got.verdict.status == status), "{generation:?} {authorization:?}");
            let counts = stage.counts(|counts| counts.accepted + counts.refused == counts.sent && counts.sent > 0).await;
            assert_eq!(counts.refused > 0, status != 204, "any answer but 204 is refused");
        }
    }
}

#[tokio::test]
async fn the_forms_that_are_off_the_documents_are_read_too() {
    let odd = Notifications {
        event_type: EventType::TestDefinitions,
        quirks: [Quirk::PlainContentType, Quirk::Flat, Quirk::Bare].into(),
        ..Notifications::default()
    };
    for generation in SPOKEN {
        let stage = Stage::notifications(generation, odd.clone()).await;
        let (nonce, id) = stage.create().await;
        stage.terminate(id);
        let expected = if generation >= Generation::V0_10 { 2 } else { 1 };
        for got in stage.receiver.wait(&nonce, expected).await {
            assert_eq!(got.event().session_id.as_str(), id.to_string());
            assert_eq!(got.header("content-type"), "application/json");
        }
    }
}

#[tokio::test]
async fn a_410_ends_the_events_of_its_url_and_another_refusal_does_not_and_nothing_is_sent_again() {
    let stage = Stage::new(Generation::V0_10, Settings::default()).await;
    stage.receiver.answer(Some(503));
    let (refused, id) = stage.create().await;
    stage.receiver.wait(&refused, 1).await;
    stage.terminate(id);
    stage.receiver.wait(&refused, 2).await;
    stage.receiver.answer(Some(410));
    let (gone, id) = stage.create().await;
    stage.counts(|counts| counts.refused == 3).await;
    stage.terminate(id);
    let counts = stage.counts(|counts| counts.withheld == 1).await;
    assert_eq!(counts, Counts { sent: 3, refused: 3, withheld: 1, ..Counts::default() });
    assert_eq!((stage.receiver.got(&gone).len(), stage.receiver.got(&refused).len()), (1, 2));
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_counted_and_a_reset_begins_anew() {
    let stage = Stage::new(Generation::V0_10, Settings::default()).await;
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    stage.create_with(&format!("http://{unused}/n")).await.unwrap();
    let counts = stage.counts(|counts| counts.unanswered == 1).await;
    assert_eq!(counts, Counts { sent: 1, unanswered: 1, ..Counts::default() });
    stage.admin.reset().await;
    assert_eq!(stage.admin.notifications(), Counts::default());
    assert!(stage.simulator.url().starts_with("http://127.0.0.1:"));
}

#[tokio::test]
async fn an_https_receiver_is_told_only_if_its_certificate_is_trusted() {
    for trusted in [true, false] {
        let (receiver, ca) = Receiver::start_with_tls().await;
        let stage = Stage::with(Generation::V0_10, Settings::default(), receiver, trusted.then_some(ca)).await;
        let url = stage.receiver.expect("n", Generation::V0_10, Some(SECRET)).replace("http://", "https://");
        stage.create_with(&url).await.unwrap();
        let counts = stage.counts(|counts| counts.accepted + counts.unanswered == 1).await;
        assert_eq!((counts.accepted == 1, stage.receiver.got("n").len() == 1), (trusted, trusted));
    }
}

#[tokio::test]
async fn certificates_that_are_none_are_refused_at_the_start() {
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = Simulator::builder(Clock::system()).notification_ca(pem).start().await.unwrap_err();
        assert!(matches!(error, qos_operator::simulator::Error::NotificationCa), "{pem:?}: {error}");
    }
}
