//! A simulator whose clients' callbacks lead to a receiver of ours.

use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use qos_operator::clock::Clock;
use qos_operator::qod::Generation;
use qos_operator::simulator::events::Counts;
use qos_operator::simulator::events::settings::Settings as Notifications;
use qos_operator::simulator::generation as spoken;
use qos_operator::simulator::settings::{self as simulator, Flavour, Settings};
use qos_operator::simulator::{Admin, DEFAULT_TOKEN, Selection, Simulator};
use serde_json::{Value, json};
use uuid::Uuid;

use super::receiver::Receiver;

/// Beyond every session of these tests.
pub(super) const FAR: &str = "2100-01-01T00:00:00Z";
pub(super) const SECRET: &str = "n3mZ0q2Jr8vK5tYx1LwB7dPfHs4GcUaE";

/// A simulator, a receiver, and a client that speaks one generation.
pub(super) struct Stage {
    pub(super) simulator: Simulator,
    pub(super) admin: Admin,
    pub(super) receiver: Receiver,
    pub(super) http: reqwest::Client,
    pub(super) generation: Generation,
    pub(super) base: String,
    pub(super) number: std::cell::Cell<u32>,
}

impl Stage {
    pub(super) async fn new(generation: Generation, settings: Settings) -> Self {
        Self::with(generation, settings, Receiver::start().await, None).await
    }

    pub(super) async fn with(generation: Generation, settings: Settings, receiver: Receiver, ca: Option<String>) -> Self {
        // The receivers of most tests have no TLS.
        let settings = Settings { flavour: Flavour::Camara, quirks: [simulator::Quirk::HttpSinks].into(), ..settings };
        let mut builder = Simulator::builder(Clock::system()).settings(settings);
        if let Some(ca) = ca {
            builder = builder.notification_ca(ca);
        }
        let simulator = builder.start().await.unwrap();
        let admin = simulator.admin();
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let base = simulator.url_of(simulated(generation));
        Self { simulator, admin, receiver, http, generation, base, number: 0.into() }
    }

    pub(super) async fn notifications(generation: Generation, notifications: Notifications) -> Self {
        Self::new(generation, Settings { notifications, ..Settings::default() }).await
    }

    /// A creation with a callback, which must succeed; the nonce and the session.
    pub(super) async fn create(&self) -> (String, Uuid) {
        let nonce = format!("nonce-{}", self.number.get());
        let url = self.receiver.expect(&nonce, self.generation, Some(SECRET));
        (nonce, self.create_with(&url).await.unwrap())
    }

    /// The session; none where the connection broke.
    pub(super) async fn create_with(&self, url: &str) -> Option<Uuid> {
        self.create_in(self.generation, url).await
    }

    /// The same, with the body of another generation.
    pub(super) async fn create_in(&self, form: Generation, url: &str) -> Option<Uuid> {
        let number = self.number.replace(self.number.get() + 1);
        self.post(&order(form, &format!("+4477009001{number:02}"), url)).await
    }

    pub(super) async fn post(&self, body: &Value) -> Option<Uuid> {
        let request = self.http.post(format!("{}/sessions", self.base)).bearer_auth(DEFAULT_TOKEN);
        let answer = request.json(body).send().await.ok()?;
        let status = answer.status();
        let told: Value = answer.json().await.unwrap();
        assert_eq!(status, 201, "{told}");
        let id = if self.generation == Generation::V0_8 { &told["id"] } else { &told["sessionId"] };
        Some(id.as_str().unwrap().parse().unwrap())
    }

    pub(super) async fn delete(&self, id: Uuid) {
        let answer = self.http.delete(format!("{}/sessions/{id}", self.base)).bearer_auth(DEFAULT_TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    pub(super) fn terminate(&self, id: Uuid) {
        assert_eq!(self.admin.terminate(&Selection::id(id)), 1);
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.admin.advance(SignedDuration::from_secs(seconds));
    }

    /// What came for `nonce` when nothing more is to come, in words; the events must be of the session and of a fresh name each.
    pub(super) async fn says(&self, nonce: &str, id: Uuid, expected: &[&str]) {
        let got = self.receiver.wait(nonce, expected.len()).await;
        // Time for one too many.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(self.receiver.got(nonce).len(), expected.len(), "one too many");
        let said: Vec<String> = got.iter().map(super::receiver::Got::says).collect();
        assert_eq!(said, expected, "{:?}", self.generation);
        // 0.8 appends to the URL.
        let suffix = if self.generation == Generation::V0_8 { "/notifications" } else { "" };
        for got in got {
            assert_eq!(got.event().session_id.as_str(), id.to_string());
            assert_eq!(got.path, format!("/base/some-object/{nonce}{suffix}"));
        }
    }

    pub(super) async fn counts(&self, done: impl Fn(&Counts) -> bool) -> Counts {
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
pub(super) fn order(generation: Generation, phone: &str, url: &str) -> Value {
    let mut body = if generation == Generation::V0_8 {
        json!({"ueId": {"msisdn": phone}, "asId": {"ipv4addr": "198.51.100.10"}, "qos": "QOS_E", "duration": 600})
    } else {
        json!({
            "device": {"phoneNumber": phone}, "applicationServer": {"ipv4Address": "198.51.100.10"}, "qosProfile": "QOS_E",
            "duration": 600,
        })
    };
    let callback = match generation {
        Generation::V0_8 => json!({"notificationUrl": url, "notificationAuthToken": SECRET}),
        Generation::V0_9 | Generation::V0_10 => json!({"webhook": {"notificationUrl": url, "notificationAuthToken": SECRET}}),
        _ => json!({"sink": url, "sinkCredential": {
            "credentialType": "ACCESSTOKEN", "accessToken": SECRET, "accessTokenType": "bearer",
            "accessTokenExpiresUtc": FAR,
        }}),
    };
    body.as_object_mut().unwrap().extend(callback.as_object().unwrap().clone());
    body
}

/// The simulator's own name for a generation.
pub(super) fn simulated(generation: Generation) -> spoken::Generation {
    spoken::Generation::ALL.into_iter().find(|own| own.name() == generation.as_str()).unwrap()
}
