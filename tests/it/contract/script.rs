//! A simulator to be driven over HTTP, behind a proxy that holds it to the documents of a form.

use std::cell::Cell;
use std::collections::BTreeSet;

use k8s_openapi::jiff::SignedDuration;
use qos_operator::clock::Clock;
use qos_operator::qod::{Generation, Operation};
use qos_operator::simulator::device::{Device, Identifier};
use qos_operator::simulator::generation::Dialect;
use qos_operator::simulator::settings::{Flavour, Settings};
use qos_operator::simulator::tokens::Grant;
use qos_operator::simulator::{Admin, DEFAULT_TOKEN, Simulator};
use reqwest::Method;
use serde_json::{Value, json};

use super::proxy::{Proxy, Requests};
use super::specs::{Contract, Form, Origin, folder};
use super::words::Words;

pub(super) const UNKNOWN_ID: &str = "0b7e6a52-94c1-4e0d-8a3f-5d2c7be91f04";
const CORRELATOR: &str = "b4333c46-49c0-4f62-80d7-f0ef930f1c46";
pub(super) const SUBJECT: &str = "+447700900777";

/// Status and JSON body (null where there is none).
pub(super) type Told = (u16, Value);

/// A simulator behind a proxy that holds it to the documents of a form.
pub(super) struct Script {
    pub(super) contract: Contract,
    pub(super) words: Words,
    pub(super) proxy: Proxy,
    pub(super) admin: Admin,
    pub(super) http: reqwest::Client,
    pub(super) phones: Cell<u32>,
    simulator: Simulator,
}

/// The form's name among the simulator's own.
fn dialect(form: Form) -> Dialect {
    let flavour = match form.origin {
        Origin::Camara => Flavour::Camara,
        Origin::Telefonica => Flavour::Telefonica,
    };
    Dialect { generation: serde_json::from_value(json!(form.generation.as_str())).unwrap(), flavour }
}

impl Script {
    pub(super) async fn start(form: Form, requests: Requests) -> Option<Self> {
        let folder = folder("what the simulator answers")?;
        let settings = Settings::default();
        let simulator = Simulator::builder(Clock::system()).settings(settings).start().await.unwrap();
        let prefix = match form.origin {
            Origin::Camara => dialect(form).prefix(),
            // What stands before the base path is the gateway's.
            Origin::Telefonica => format!("{}/apigateway", dialect(form).prefix()),
        };
        let contract = Contract::read(folder, form, &prefix);
        let (sessions, profiles) = contract.bases();
        assert!(simulator.url_in(dialect(form)).ends_with(&sessions), "{form}");
        assert!(simulator.profiles_url_in(dialect(form)).ends_with(&profiles), "{form}");
        let upstream = format!("http://{}", simulator.address());
        let proxy = Proxy::start(contract.clone(), &upstream, requests).await;
        let admin = simulator.admin();
        let subject = Some(Device::new([Identifier::phone(SUBJECT)]));
        admin.accept_grant("three-legged", Grant { subject, ..Grant::of("sandbox") });
        admin.accept_grant("other", Grant::of("another client"));
        admin.accept_grant("powerless", Grant { scopes: Some(BTreeSet::new()), ..Grant::of("sandbox") });
        let powerless_subject = Some(Device::new([Identifier::phone(SUBJECT)]));
        admin.accept_grant(
            "three-legged-powerless",
            Grant { scopes: Some(BTreeSet::new()), subject: powerless_subject, ..Grant::of("sandbox") },
        );
        admin.accept_grant("expired", Grant { expires_at: Some(admin.now()), ..Grant::of("sandbox") });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Some(Self { contract, words: Words(form), proxy, admin, http, phones: Cell::new(200), simulator })
    }

    pub(super) fn generation(&self) -> Generation {
        self.contract.form.generation
    }

    /// Since 0.11 in CAMARA's form, and partly in Telefónica's.
    pub(super) fn modern(&self) -> bool {
        self.generation() >= Generation::V0_11
    }

    pub(super) fn camara(&self) -> bool {
        self.contract.form.origin == Origin::Camara
    }

    pub(super) fn has(&self, operation: Operation) -> bool {
        self.generation().has(operation)
    }

    /// A phone that was not used yet.
    pub(super) fn phone(&self) -> String {
        self.phones.set(self.phones.get() + 1);
        format!("+447700900{}", self.phones.get())
    }

    pub(super) async fn send(&self, request: reqwest::RequestBuilder) -> Told {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
    }

    /// A request to the sessions' API, or, where the path says so, to the profiles'.
    pub(super) fn request(&self, method: Method, path: &str, token: Option<&str>) -> reqwest::RequestBuilder {
        let (sessions, profiles) = self.contract.bases();
        let base = if path.contains("qos-profiles") { profiles } else { sessions };
        let request = self.http.request(method, format!("{}{base}{path}", self.proxy.url()));
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        if self.modern() { request.header("x-correlator", CORRELATOR) } else { request }
    }

    pub(super) async fn call(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Told {
        let request = self.request(method, path, token);
        self.send(if let Some(body) = body { request.json(body) } else { request }).await
    }

    /// The id of a session that must come to be, ordered past the proxy: the order need not agree with the documents.
    pub(super) async fn session_past_the_proxy(&self, order: &Value) -> String {
        let url = format!("{}/sessions", self.simulator.url_in(dialect(self.contract.form)));
        let (status, info) = self.send(self.http.post(url).bearer_auth(DEFAULT_TOKEN).json(order)).await;
        assert_eq!(status, 201, "{}: {info}", self.contract.form);
        info[self.words.session_id()].as_str().unwrap().to_owned()
    }

    pub(super) async fn get(&self, path: &str) -> Told {
        self.call(Method::GET, path, Some(DEFAULT_TOKEN), None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Told {
        self.call(Method::POST, path, Some(DEFAULT_TOKEN), Some(body)).await
    }

    pub(super) async fn delete(&self, id: &str) -> u16 {
        self.call(Method::DELETE, &format!("/sessions/{id}"), Some(DEFAULT_TOKEN), None).await.0
    }

    pub(super) async fn create(&self, order: &Value) -> Told {
        self.post("/sessions", order).await
    }

    /// The id of a session that must come to be.
    pub(super) async fn session(&self, order: &Value) -> String {
        let (status, info) = self.create(order).await;
        assert_eq!(status, 201, "{}: {order} {info}", self.contract.form);
        info[self.words.session_id()].as_str().unwrap().to_owned()
    }

    pub(super) async fn extend(&self, id: &str, seconds: i64) -> Told {
        self.post(&format!("/sessions/{id}/extend"), &json!({"requestedAdditionalDuration": seconds})).await
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.admin.advance(SignedDuration::from_secs(seconds));
    }

    pub(super) async fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.admin.change(change).await.unwrap();
    }

    pub(super) async fn unset(&self) {
        self.set(|settings| *settings = Settings::default()).await;
    }

    /// Every operation of the generation, as method, path and body.
    pub(super) fn operations(&self, id: &str) -> Vec<(Method, String, Option<Value>)> {
        let order = self.words.order(&self.phone(), &json!({}));
        let seconds = json!({"requestedAdditionalDuration": 60});
        let device = json!({"device": self.words.phone(SUBJECT)});
        let all = [
            (Operation::CreateSession, Method::POST, "/sessions".to_owned(), Some(order)),
            (Operation::GetSession, Method::GET, format!("/sessions/{id}"), None),
            (Operation::DeleteSession, Method::DELETE, format!("/sessions/{id}"), None),
            (Operation::ExtendQosSessionDuration, Method::POST, format!("/sessions/{id}/extend"), Some(seconds)),
            (Operation::RetrieveSessions, Method::POST, "/retrieve-sessions".to_owned(), Some(device.clone())),
            (Operation::GetQosProfiles, Method::GET, "/qos-profiles".to_owned(), None),
            (Operation::GetQosProfile, Method::GET, "/qos-profiles/QOS_E".to_owned(), None),
            (Operation::RetrieveQosProfiles, Method::POST, "/retrieve-qos-profiles".to_owned(), Some(device)),
        ];
        let offered = all.into_iter().filter(|(operation, ..)| self.has(*operation));
        offered.map(|(_, method, path, body)| (method, path, body)).collect()
    }
}
