//! A stage for one test: a namespace of its own on the shared API server, a provider to run against, and an operator that sees
//! nothing else, all on one clock that the test can move.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::jiff::SignedDuration;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Config, ResourceExt as _};
use qos_operator::api::{QosProvider, QosProviderStatus, QosSession};
use qos_operator::clock::Clock;
use qos_operator::leader::{Fence, Mandate};
use qos_operator::metrics::Form;
use qos_operator::operator::{self, Operator, Settings};
use qos_operator::session;
use qos_operator::session::facts::Margins;
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::requests::Request;
use qos_operator::simulator::settings::Operation;
use qos_operator::simulator::{Admin, Builder, Simulator};
use qos_operator::workload;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{Cluster, account, cluster};

/// How long, in real time, a test waits for what must come.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// The label that makes an operator see only its own stage.
pub(crate) const LABEL: &str = "stage";
/// The token that the simulator takes.
pub(crate) const TOKEN: &str = "mock_sandbox_access_token";

pub(crate) struct Stage {
    pub(crate) cluster: &'static Cluster,
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) namespace: String,
    pub(crate) admin: Admin,
    simulator: Option<Simulator>,
    operator: Option<Operator>,
    /// The token of the chart's ServiceAccount in this namespace.
    account: OnceCell<String>,
    /// Whether the API server refuses a request of the operator on purpose.
    pub(crate) refused_on_purpose: bool,
    pub(crate) margins: Margins,
    /// Where notifications go, if anywhere.
    pub(crate) callback: Option<url::Url>,
    /// How workloads are served, if at all.
    pub(crate) workloads: Option<workload::Settings>,
    /// Namespaces that the operator watches besides its own.
    pub(crate) also_watched: Vec<String>,
    /// What the operator may do; none: all, without an election.
    pub(crate) mandate: Option<Mandate>,
}

/// The margins of the protocol as the flags have them by default.
pub(crate) fn margins() -> Margins {
    let seconds = SignedDuration::from_secs;
    Margins {
        send_window: seconds(10),
        late_effect: seconds(60),
        list_lag: seconds(5),
        requested_max: seconds(300),
        clock_skew: seconds(30),
        retention: seconds(360),
        renewal_margin: seconds(300),
    }
}

impl Stage {
    /// Namespace and simulator; no operator yet, and no provider object.
    pub(crate) async fn bare(prefix: &str) -> Self {
        Self::on(cluster().await, prefix).await
    }

    /// Namespace, simulator, and a provider of that generation with its Secret; no operator yet. Creates carry a callback URL, which
    /// leads nowhere.
    pub(crate) async fn of_generation(prefix: &str, generation: Generation, version: &str) -> Self {
        let mut stage = Self::bare(prefix).await;
        stage.callback = Some("https://qos.example.com/notify".parse().unwrap());
        stage.secret(TOKEN).await;
        let mut api = stage.api_of(generation);
        api["version"] = version.into();
        stage.provider(json!({ "api": api })).await;
        stage
    }

    /// As [`Stage::bare`]; the simulator trusts `pem` when it sends notifications.
    pub(crate) async fn that_trusts(prefix: &str, pem: &str) -> Self {
        Self::with(cluster().await, prefix, |builder| builder.notification_ca(pem)).await
    }

    /// The provider's status.
    pub(crate) async fn provider_status(&self) -> QosProviderStatus {
        let providers: Api<QosProvider> = Api::all(self.client.clone());
        providers.get(self.provider_name()).await.unwrap().status.unwrap_or_default()
    }

    /// The same on another cluster than the one that the tests share.
    pub(crate) async fn on(cluster: &'static Cluster, prefix: &str) -> Self {
        Self::with(cluster, prefix, |builder| builder).await
    }

    async fn with(cluster: &'static Cluster, prefix: &str, change: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Clock::system();
        let simulator = change(Simulator::builder(clock.clone())).start().await.unwrap();
        Self {
            cluster,
            client: cluster.client(),
            namespace: cluster.namespace(prefix).await,
            admin: simulator.admin(),
            clock,
            simulator: Some(simulator),
            operator: None,
            account: OnceCell::const_new(),
            refused_on_purpose: false,
            margins: margins(),
            callback: None,
            workloads: None,
            also_watched: Vec::new(),
            mandate: None,
        }
    }

    /// All of it: the provider is there with its Secret, and the operator runs.
    pub(crate) async fn new(prefix: &str) -> Self {
        let mut stage = Self::bare(prefix).await;
        stage.secret(TOKEN).await;
        stage.provider(json!({})).await;
        stage.start().await;
        stage
    }

    /// Starts the operator.
    pub(crate) async fn start(&mut self) {
        let settings = Settings {
            namespace: self.namespace.clone(),
            key_secret: "qos-operator-key".to_owned(),
            sessions: session::Settings {
                namespaces: self.also_watched.iter().chain([&self.namespace]).cloned().collect(),
                selector: Some(format!("{LABEL}={}", self.namespace)),
            },
            concurrency: 16,
            profile_refresh: SignedDuration::from_mins(10),
            callback: self.callback.clone(),
            margins: self.margins,
            workloads: self.workloads,
        };
        // Its own client: one that repeats nothing.
        let client = operator::client(self.account().await).unwrap();
        let key = operator::load_key(&client, &settings).await.unwrap();
        let mandate = self.mandate.clone().unwrap_or_else(|| Fence::absent().into());
        self.operator = Some(operator::start(client, key, mandate, settings, self.clock.clone()));
    }

    /// How the operator of this stage reaches the API server: by the chart's ServiceAccount, with the rights that the chart grants.
    pub(crate) async fn account(&self) -> Config {
        account::config(self.cluster, self.account_token().await)
    }

    /// The token of that account.
    pub(crate) async fn account_token(&self) -> &str {
        self.account.get_or_init(async || account::token(self.cluster, &self.namespace).await).await
    }

    /// Ends the operator as a SIGTERM would.
    pub(crate) async fn stop(&mut self) {
        if let Some(operator) = self.operator.take() {
            let refused = Self::refused(&operator);
            assert!(refused.is_empty() || self.refused_on_purpose, "beyond what the chart grants: {refused:?}");
            operator.stop().await;
        }
    }

    /// The requests that the API server has refused to this operator, by the operator's own count.
    fn refused(operator: &Operator) -> Vec<String> {
        let page = operator.context.vitals.metrics.text(Form::of("")).unwrap();
        let counts = page.lines().filter(|line| line.starts_with("qos_operator_api_server_requests_total"));
        counts.filter(|line| line.contains("code=\"403\"")).map(str::to_owned).collect()
    }

    pub(crate) fn operator(&self) -> &Operator {
        self.operator.as_ref().unwrap()
    }

    /// The provider's name: the stage's.
    pub(crate) fn provider_name(&self) -> &str {
        &self.namespace
    }

    /// Where the simulator gives out tokens.
    pub(crate) fn oauth_url(&self) -> String {
        self.simulator.as_ref().unwrap().oauth_url()
    }

    /// `spec.api` for a generation in CAMARA's own form.
    pub(crate) fn api_of(&self, generation: Generation) -> Value {
        let simulator = self.simulator.as_ref().unwrap();
        let (base, profiles) = (simulator.url_of(generation), simulator.profiles_url_of(generation));
        json!({ "version": generation.name(), "baseURL": base, "profilesURL": profiles })
    }

    /// The base URL of the simulator.
    pub(crate) fn url(&self) -> String {
        self.simulator.as_ref().unwrap().url()
    }

    /// The provider that the stage runs against.
    pub(crate) const fn simulator(&self) -> &Simulator {
        self.simulator.as_ref().unwrap()
    }

    /// The base URL of the simulator's sessions in CAMARA's form of `generation`.
    pub(crate) fn url_of(&self, generation: Generation) -> String {
        self.simulator.as_ref().unwrap().url_of(generation)
    }

    /// The base URL of its profiles.
    pub(crate) fn profiles_url_of(&self, generation: Generation) -> String {
        self.simulator.as_ref().unwrap().profiles_url_of(generation)
    }

    /// Applies the Secret with the provider's token.
    pub(crate) async fn secret(&self, token: &str) {
        self.any_secret("provider-token", "token", token).await;
    }

    /// Applies a Secret of one entry.
    pub(crate) async fn any_secret(&self, name: &str, key: &str, value: &str) {
        self.secret_of(name, &[(key, value)]).await;
    }

    /// Applies a Secret of several entries.
    pub(crate) async fn secret_of(&self, name: &str, entries: &[(&str, &str)]) {
        // Not `stringData`: what an apply leaves out there stays in `data`.
        let data: BTreeMap<&str, String> = entries.iter().map(|(key, value)| (*key, BASE64_STANDARD.encode(value))).collect();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": name, "namespace": self.namespace },
            "data": data,
        });
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        secrets.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(secret)).await.unwrap();
    }

    /// Applies the QosProvider; `spec` is merged over the usual one, and `null` takes a field away.
    pub(crate) async fn provider(&self, spec: Value) {
        let name = self.provider_name().to_owned();
        self.provider_named(&name, spec).await;
    }

    pub(crate) async fn provider_named(&self, name: &str, spec: Value) {
        let mut whole = json!({
            "api": { "version": "v0.10", "baseURL": self.url() },
            "auth": { "staticToken": { "tokenSecretRef": { "name": "provider-token" } } },
            "limits": { "requestsPerMinute": 60000, "requestTimeoutSeconds": 5 },
        });
        merge(&mut whole, spec);
        let provider = json!({
            "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosProvider",
            "metadata": { "name": name, "labels": { LABEL: self.namespace } },
            "spec": whole,
        });
        let providers: Api<QosProvider> = Api::all(self.client.clone());
        providers.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(provider)).await.unwrap();
    }

    pub(crate) fn sessions(&self) -> Api<QosSession> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The manifest of a session of this stage; `spec` is merged over a device, a server, QOS_E and this stage's provider.
    pub(crate) fn manifest(&self, name: &str, spec: Value) -> Value {
        let mut whole = json!({
            "providerRef": { "name": self.provider_name() },
            "device": { "phoneNumber": "+447700900112" },
            "applicationServer": { "ipv4Address": "198.51.100.10" },
            "qosProfile": "QOS_E",
        });
        merge(&mut whole, spec);
        json!({
            "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession",
            "metadata": { "name": name, "namespace": self.namespace, "labels": { LABEL: self.namespace } },
            "spec": whole,
        })
    }

    /// Creates a session.
    pub(crate) async fn create(&self, name: &str, spec: Value) -> QosSession {
        let object = serde_json::from_value(self.manifest(name, spec)).unwrap();
        self.sessions().create(&PostParams::default(), &object).await.unwrap()
    }

    /// Merges `patch` into the object.
    pub(crate) async fn patch(&self, name: &str, patch: Value) -> QosSession {
        self.sessions().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    pub(crate) async fn get(&self, name: &str) -> Option<QosSession> {
        self.sessions().get_opt(name).await.unwrap()
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.sessions().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Lets time pass for everybody on this stage, in one step, once nothing is under way.
    pub(crate) async fn pass(&self, seconds: i64) {
        self.settled().await;
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Lets `seconds` pass, `step` at a time, so that what is due meanwhile is done.
    pub(crate) async fn let_pass(&self, seconds: i64, step: i64) {
        for _ in 0..seconds / step {
            self.pass(step).await;
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        self.settled().await;
    }

    /// Returns when no pass runs, waits or is due, or after a second (an answer may be withheld). A pass that a step of the clock
    /// overtakes sees its send window gone, and its object rests from after the step.
    async fn settled(&self) {
        let Some(context) = self.operator.as_ref().map(|operator| &operator.context) else { return };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
        let busy = || {
            let (running, waiting) = context.turns.load();
            running + waiting.len() + context.timers.load(self.clock.now()).1 > 0
        };
        while busy() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets at most `seconds` pass, `step` at a time, until the object is as `holds` says.
    pub(crate) async fn pass_until(&self, seconds: i64, step: i64, name: &str, holds: impl Fn(&QosSession) -> bool) {
        for _ in 0..seconds / step {
            self.let_pass(step, step).await;
            if self.get(name).await.is_some_and(|object| holds(&object)) {
                return;
            }
        }
        panic!("{name} is not so within {seconds} s; it is {}", shown(self.get(name).await.as_ref()));
    }

    /// Waits until the object is as `holds` says.
    pub(crate) async fn until(&self, name: &str, what: &str, holds: impl Fn(&QosSession) -> bool) -> QosSession {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let object = self.get(name).await;
            if let Some(object) = object.as_ref().filter(|object| holds(object)) {
                return object.clone();
            }
            assert!(tokio::time::Instant::now() < deadline, "{name} does not become {what}; it is {}", shown(object.as_ref()));
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Waits until Ready has this status and reason.
    pub(crate) async fn ready(&self, name: &str, status: &str, reason: &str) -> QosSession {
        self.until(name, &format!("Ready={status} {reason}"), |object| condition(object, "Ready") == (status, reason)).await
    }

    /// Waits until the session is AVAILABLE and the status is of the object's generation.
    pub(crate) async fn available(&self, name: &str) -> QosSession {
        self.until(name, "AVAILABLE", |object| {
            let status = object.status.as_ref();
            condition(object, "Ready") == ("True", "Available")
                && status.is_some_and(|s| s.qos_status.as_deref() == Some("AVAILABLE"))
                && status.map(|s| s.observed_generation) == object.metadata.generation
        })
        .await
    }

    /// Waits until the object is gone.
    pub(crate) async fn gone(&self, name: &str) {
        self.absent_after(name, PATIENCE).await;
    }

    async fn absent_after(&self, name: &str, patience: Duration) {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let object = self.get(name).await;
            if object.is_none() {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{name} does not go; it is {}", shown(object.as_ref()));
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Gives the operator time to do what it must not do.
    pub(crate) async fn quiet(&self) {
        tokio::time::sleep(Duration::from_millis(700)).await;
    }

    /// How often the provider was asked to do this.
    pub(crate) fn calls(&self, operation: Operation) -> u64 {
        self.admin.calls(operation)
    }

    /// How many sessions the provider released at our word. A release whose record met a newer object is made again, and finds
    /// nothing: that is no second one.
    pub(crate) fn releases(&self) -> u64 {
        let done = |request: &&Request| request.operation == Operation::Delete && request.status == Some(204);
        u64::try_from(self.admin.requests().iter().filter(done).count()).unwrap()
    }

    /// The Events on the object: type, reason, note; in order of their time.
    pub(crate) async fn events(&self, name: &str) -> Vec<(String, String, String)> {
        // A pass writes the status first.
        self.settled().await;
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut list = events.list(&ListParams::default()).await.unwrap().items;
        list.retain(|event| event.regarding.as_ref().is_some_and(|r| r.name.as_deref() == Some(name)));
        list.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
        list.into_iter()
            .map(|event| (event.type_.unwrap_or_default(), event.reason.unwrap_or_default(), event.note.unwrap_or_default()))
            .collect()
    }

    /// The operator's writes to one object, by the API server's own audit log: verb and subresource.
    pub(crate) fn writes(&self, name: &str) -> Vec<String> {
        let events = self.cluster.audit_events();
        let ours = events.into_iter().filter(|event| {
            event.resource == "qossessions"
                && event.namespace == self.namespace
                && event.name == name
                && event.is_write()
                && event.code < 300
                && event.request_uri.contains("fieldManager=qos-operator")
        });
        ours.map(|event| format!("{} {}", event.verb, event.subresource)).collect()
    }

    /// How many writes to qossessions of this namespace the API server has seen, by anybody.
    pub(crate) fn all_writes(&self) -> usize {
        let events = self.cluster.audit_events();
        let ours = events
            .iter()
            .filter(|event| event.resource == "qossessions" && event.namespace == self.namespace && event.is_write());
        ours.count()
    }

    /// Those of them that succeeded and were the operator's own.
    pub(crate) fn all_writes_of_the_operator(&self) -> usize {
        let user = account::user(&self.namespace);
        let events = self.cluster.audit_events().into_iter();
        events
            .filter(|event| event.user == user && event.resource == "qossessions" && event.is_write() && event.code < 300)
            .count()
    }

    /// The resourceVersions of all sessions.
    pub(crate) async fn versions(&self) -> Vec<(String, Option<String>)> {
        let list = self.sessions().list(&ListParams::default()).await.unwrap();
        list.into_iter().map(|object| (object.name_any(), object.metadata.resource_version)).collect()
    }

    /// The end of a test that leaves a session behind on purpose.
    pub(crate) async fn stop_without_ledger(mut self) {
        self.stop().await;
    }

    /// The end of a test: all objects are deleted and gone, and the ledger is clean.
    pub(crate) async fn finish(mut self) {
        for object in self.sessions().list(&ListParams::default()).await.unwrap() {
            if object.metadata.deletion_timestamp.is_none() {
                self.delete(&object.name_any()).await;
            }
        }
        for object in self.sessions().list(&ListParams::default()).await.unwrap() {
            self.gone(&object.name_any()).await;
        }
        let ledger = self.admin.ledger_at_end();
        assert!(ledger.clean(), "the ledger is not clean: {ledger}");
        assert_eq!(ledger.overlapping, 0, "{ledger}");
        self.stop().await;
        if let Some(simulator) = self.simulator.take() {
            simulator.shutdown().await;
        }
    }
}

/// Status and reason of a condition; empty where there is none.
pub(crate) fn condition<'a>(object: &'a QosSession, kind: &str) -> (&'a str, &'a str) {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.iter().find(|c| c.type_ == kind).map_or(("", ""), |c| (c.status.as_str(), c.reason.as_str()))
}

/// The message of a condition.
pub(crate) fn message<'a>(object: &'a QosSession, kind: &str) -> &'a str {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.iter().find(|c| c.type_ == kind).map_or("", |c| c.message.as_str())
}

/// Status fields of the object, for a failing test.
pub(crate) fn shown(object: Option<&QosSession>) -> String {
    object.map_or_else(|| "absent".to_owned(), |object| serde_json::to_string_pretty(&object.status).unwrap())
}

fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                if value.is_null() {
                    base.remove(&key);
                } else {
                    merge(base.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (base, over) => *base = over,
    }
}
