//! A stage whose operator listens: the provider's notifications reach it over HTTP (with TLS from v1.1 on, where the API demands it).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use qos_operator::api::QosSession;
use qos_operator::leader::Leader;
use qos_operator::notify::front::{Deliver, Front};
use qos_operator::notify::receiver::{self, Receiver, TlsFiles};
use qos_operator::session::facts::Nonce;
use qos_operator::session::key::OperatorKey;
use qos_operator::session::sink::{Mark, ObjectKey};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::settings::Operation;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::support::stage::{Stage, TOKEN};

pub(super) struct Scene {
    pub(super) stage: Stage,
    /// GETs of sessions that the provider's check has cost before there was any.
    pub(super) probes: u64,
    /// `spec.api` of the provider.
    api: Value,
    receiver: Receiver,
    http: reqwest::Client,
    /// How the receiver is called.
    base: String,
    key: OperatorKey,
    ending: CancellationToken,
    _delivering: AbortOnDropHandle<()>,
}

/// A certificate for loopback, and its files.
fn certificate(folder: &Path) -> (String, TlsFiles) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    (made.cert.pem(), files)
}

impl Scene {
    /// A provider of that generation, a receiver, and an operator that runs. Polls are so rare that they play no part.
    pub(super) async fn new(prefix: &str, generation: Generation, version: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (pem, files) = certificate(folder.path());
        let tls = generation >= Generation::V1_1;
        let mut stage = Stage::that_trusts(prefix, &pem).await;
        let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), &stage.namespace);
        let key = OperatorKey::load(&secrets, "qos-operator-key").await.unwrap();
        let front = Front::new(key.clone(), stage.clock.clone(), None);
        let settings = receiver::Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: tls.then_some(files),
            ..receiver::Settings::default()
        };
        let ending = CancellationToken::new();
        let receiver = receiver::start(settings, Arc::new(front.clone()), ending.clone()).await.unwrap();
        let base = format!("{}://{}/notify", if tls { "https" } else { "http" }, receiver.address());
        stage.callback = Some(base.parse().unwrap());
        stage.secret(TOKEN).await;
        let mut api = stage.api_of(generation);
        api["version"] = version.into();
        let polling = json!({ "requestedPeriodSeconds": 3600, "availablePeriodSeconds": 86400 });
        stage.provider(json!({ "api": api, "polling": polling })).await;
        stage.start().await;
        let context: Arc<dyn Deliver> = Arc::clone(&stage.operator().context) as _;
        front.lead(Leader { identity: "it".to_owned(), acquired: None, address: None }, context);
        let delivering = AbortOnDropHandle::new(tokio::spawn(front.run()));
        let trusted = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_merge([trusted]).no_proxy().build().unwrap();
        let ready = async {
            while !stage.provider_status().await.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True") {
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), ready).await.expect("the provider becomes Ready");
        let probes = stage.calls(Operation::Get);
        Self { stage, probes, api, receiver, http, base, key, ending, _delivering: delivering }
    }

    /// Changes the provider's spec; `api` stays.
    pub(super) async fn provider(&self, mut spec: Value) {
        spec["api"] = self.api.clone();
        self.stage.provider(spec).await;
    }

    /// Where the receiver listens.
    pub(super) const fn address(&self) -> std::net::SocketAddr {
        self.receiver.address()
    }

    /// Every event that the provider has sent so far has been answered.
    pub(super) async fn delivered(&self) {
        let done = async {
            loop {
                let counts = self.stage.admin.notifications();
                if counts.sent == counts.accepted + counts.refused + counts.unanswered {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // An event is sent a moment after the answer of the request that caused it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        tokio::time::timeout(Duration::from_mins(1), done).await.expect("all notifications are answered");
    }

    /// Sends an event to the object's latest attempt, with its right bearer; the answer's status.
    pub(super) async fn send(&self, object: &QosSession, session: &str, status: &str) -> u16 {
        let record: serde_json::Value =
            serde_json::from_str(&object.metadata.annotations.as_ref().unwrap()["qos-operator.io/attempt"]).unwrap();
        let nonce = record["nonce"].as_str().unwrap();
        let uid = object.metadata.uid.as_deref().unwrap();
        let mark = Mark { object: ObjectKey::of(&self.key, uid), nonce: Nonce::parse(nonce).unwrap() };
        let callback = qos_operator::session::sink::callback(
            &self.key,
            &self.base.parse().unwrap(),
            &mark,
            k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
        );
        let event = json!({
            "id": uuid::Uuid::new_v4().to_string(), "source": "https://api.example.com/sessions", "specversion": "1.0",
            "type": "org.camaraproject.quality-on-demand.v1.qos-status-changed", "time": self.stage.clock.now().to_string(),
            "data": { "sessionId": session, "qosStatus": status },
        });
        let request = self.http.post(callback.url.expose()).bearer_auth(callback.token.expose());
        let request = request.header("content-type", "application/cloudevents+json").body(event.to_string());
        request.send().await.unwrap().status().as_u16()
    }

    async fn condition(&self) -> Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
        self.stage.provider_status().await.conditions.into_iter().find(|condition| condition.type_ == "NotificationsReceived")
    }

    /// Status and reason of `NotificationsReceived`.
    pub(super) async fn notified(&self) -> (&'static str, &'static str) {
        let known = [("Unknown", "Awaited"), ("True", "Received"), ("False", "NoneReceived"), ("False", "HTTPSRequired")];
        let condition = self.condition().await.expect("NotificationsReceived is there");
        known
            .into_iter()
            .find(|(status, reason)| (condition.status.as_str(), condition.reason.as_str()) == (*status, *reason))
            .unwrap()
    }

    /// Waits until `NotificationsReceived` is so.
    pub(super) async fn until_notified(&self, expected: (&str, &str)) {
        let so = async {
            while self.notified().await != expected {
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), so).await.expect("NotificationsReceived becomes so");
    }

    /// The message of `NotificationsReceived`.
    pub(super) async fn message(&self) -> String {
        self.condition().await.expect("NotificationsReceived is there").message
    }

    pub(super) async fn finish(self) {
        self.stage.finish().await;
        self.ending.cancel();
        self.receiver.ended().await.unwrap();
    }
}
