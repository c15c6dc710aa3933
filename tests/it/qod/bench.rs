//! Runs one vector, through the real client against a real socket.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use qos_operator::private::Private;
use qos_operator::qod::recovery::{self, Attempt, Lookup};
use qos_operator::qod::{Client, DurationCheck, Fault, Generation, SessionId, Settings, wire};
use reqwest::header::HeaderName;
use serde_json::{Value, json};

use super::call::{Returned, TOKEN, base, call, describe, input_of, outcome, request_holds};
use super::h2_server::H2Server;
use super::log::CapturedLog;
use super::raw_server::{RawServer, Reply, answer};
use super::{case, response};

/// What all vectors share: a server whose next answer is set, and the log.
pub(super) struct Bench {
    server: RawServer,
    /// Its whole speech is to refuse.
    h2: H2Server,
    clients: BTreeMap<Generation, Client>,
    log: CapturedLog,
    /// How many bytes of log were looked through.
    pub(super) looked_through: Cell<usize>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Bench {
    pub(super) async fn start() -> Self {
        let (log, guard) = CapturedLog::start();
        let server = RawServer::start(Reply::Reset).await;
        let h2 = H2Server::start("/api/qod/v0").await;
        let client = |generation| (generation, Client::new(settings(&server, "http", generation)).unwrap());
        let clients = Generation::ALL.into_iter().map(client).collect();
        Self { server, h2, clients, log, looked_through: Cell::new(0), _guard: guard }
    }

    /// The one place where kinds are told apart. An error says in what the vector fails.
    pub(super) async fn run(&self, generation: &str, vector: &Value) -> Result<(), String> {
        let known = generation.parse::<Generation>().ok();
        let problems = match (kind(vector), known) {
            ("notification", _) => crate::notify::run_notification_vector(vector).err().into_iter().collect(),
            ("token", _) => crate::auth::run_token_vector(vector).await.err().into_iter().collect(),
            ("profile", Some(_)) if vector["input"].is_object() => pure_profile(vector),
            ("request", Some(generation)) => self.request(generation, vector).await,
            ("response" | "profile", Some(generation)) => self.responses(generation, vector).await,
            ("recovery", Some(generation)) => self.recovery(generation, vector).await,
            (other, _) => vec![format!("there is no kind {other}, or no generation {generation}")],
        };
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    async fn request(&self, generation: Generation, vector: &Value) -> Vec<String> {
        let input = &vector["input"];
        let mut settings = settings(&self.server, "http", generation);
        settings.callback_field = case::callback_field(&input["settings"]);
        // No vector names this setting; it is what makes Telefónica's 0.8 of CAMARA's.
        settings.single_port = vector["provider"] == "telefonica" && generation == Generation::V0_8;
        if let Some(map) = input["settings"]["extraHeaders"].as_object() {
            let pair = |(name, value): (&String, &Value)| {
                (name.parse::<HeaderName>().unwrap(), value.as_str().unwrap().parse().unwrap())
            };
            settings.extra_headers = Private::new(map.iter().map(pair).collect());
        }
        let mut client = Client::new(settings).unwrap();
        if let Some(correlator) = input["correlator"].as_str() {
            client = client.with_correlator(correlator.parse().unwrap());
        }
        // Any answer will do: only what was sent is looked at.
        self.server.reply_with(Reply::Bytes(answer(500, &[], "")));
        self.log.take();
        let result = call(&client, input).await;
        let mut seen = self.server.take_seen();
        let mut problems = self.leaks(vector, &result);
        let outcome = match seen.len() {
            0 => result.err().map_or_else(|| json!({}), |fault| case::fault(&fault)),
            1 => {
                let operation = input["operation"].as_str().unwrap();
                json!({ "request": seen.pop().map(|seen| describe(&seen, generation, operation)) })
            }
            more => json!({ "requests": more }),
        };
        if !alternatives(vector).any(|expected| request_holds(&outcome, expected)) {
            problems.push(format!("it was {outcome}"));
        }
        problems
    }

    /// A look-up after a create whose answer was lost, and whose sessions it found.
    async fn recovery(&self, generation: Generation, vector: &Value) -> Vec<String> {
        let (context, expected) = (&vector["context"], &vector["expect"]);
        self.server.reply_with(Reply::Bytes(response::bytes(&vector["response"])));
        self.log.take();
        let result = call(&self.clients[&generation], &input_of(vector, Some(false))).await;
        let mut problems = self.leaks(vector, &result);
        let sent = self.server.take_seen().len();
        if sent != 1 {
            problems.push(format!("it was sent {sent} times"));
        }
        let found = match &result {
            Ok(Returned::Sessions(list)) => Ok(list),
            Ok(other) => return vec![format!("a look-up returned {other:?}")],
            Err(fault) => Err(fault),
        };
        let attempt = Attempt {
            callback: context["attempt"]["callback"].as_str().map(Private::from),
            sent_at: context["attempt"]["sentAt"].as_str().unwrap().parse().unwrap(),
            flow: case::flow(&context["attempt"]["flow"]),
        };
        let claimed: Vec<SessionId> = texts(&context["claimedByOthers"]).into_iter().map(SessionId::new).collect();
        let recovered = recovery::recover(found, &attempt, &claimed, context["adoptByFlow"].as_bool().unwrap_or(false));
        let lookup = match recovered.lookup {
            Lookup::Complete => "complete",
            Lookup::Failed => "failed",
            Lookup::Inconclusive => "inconclusive",
        };
        let ids = |ids: &[SessionId]| ids.iter().map(|id| id.as_str().to_owned()).collect::<BTreeSet<_>>();
        let (adoptable, released) = (ids(&recovered.adopt_one_of), ids(&recovered.release_others));
        let (may_adopt, others) = (texts(&expected["adoptOneOf"]), texts(&expected["releaseOthers"]));
        // The rest of those that may be adopted is released too, whichever is adopted.
        let first = recovered.adopt_one_of.first().map(|id| id.as_str().to_owned());
        let mut to_release: BTreeSet<String> = may_adopt.union(&others).cloned().collect();
        if let Some(first) = &first {
            to_release.remove(first);
        }
        if expected["lookup"] != lookup || adoptable != may_adopt || released != to_release {
            problems.push(format!("it was {recovered:?}, not {expected}"));
        }
        if texts(&vector["never"]).contains("adopted") && first.is_some() {
            problems.push("a session was adopted that is not ours".to_owned());
        }
        problems
    }

    async fn responses(&self, generation: Generation, vector: &Value) -> Vec<String> {
        let cases: Vec<&Value> = vector["cases"].as_array().map_or_else(|| vec![vector], |cases| cases.iter().collect());
        let mut problems = Vec::new();
        for (number, case) in cases.into_iter().enumerate() {
            for problem in self.one_response(generation, vector, case).await {
                problems.push(format!("case {number} ({}): {problem}", case["operation"]));
            }
        }
        problems
    }

    async fn one_response(&self, generation: Generation, vector: &Value, case: &Value) -> Vec<String> {
        let context = if case["context"].is_object() { &case["context"] } else { &vector["context"] };
        // Within `cases`, the response's keys stand in the case itself.
        let response = if case["response"].is_object() { &case["response"] } else { case };
        let made = match self.client_for(generation, response, context).await {
            Ok(made) => made,
            Err(problem) => return vec![problem],
        };
        let client = made.as_ref().unwrap_or(&self.clients[&generation]);
        self.log.take();
        let device_sent = context["deviceSent"].as_bool();
        let refused_before = self.h2.refused();
        let result = call(client, &input_of(case, device_sent)).await;
        let mut problems = self.leaks(vector, &result);
        let sent = self.server.take_seen().len() + self.h2.refused() - refused_before;
        let reached = response["transport"] == "h2RefusedStream";
        if sent > 1 || (reached && sent == 0) {
            problems.push(format!("it was sent {sent} times"));
        }
        let outcome = outcome(&result, case["operation"].as_str().unwrap(), &context["flow"]);
        if !alternatives(case).any(|expected| case::holds(&outcome, expected)) {
            problems.push(format!("it was {outcome}, not {}", case["expect"]));
        }
        for never in case["never"].as_array().into_iter().flatten() {
            let available = never == "qosStatus AVAILABLE" && outcome["session"]["qosStatus"] == "AVAILABLE";
            if *never == outcome["class"] || available {
                problems.push(format!("it must never be {never}"));
            }
        }
        problems
    }

    /// Sets the server's answer; a client of its own where the usual one does not do.
    async fn client_for(&self, generation: Generation, response: &Value, context: &Value) -> Result<Option<Client>, String> {
        let mut own = settings(&self.server, "http", generation);
        match response["transport"].as_str() {
            None => {
                self.server.reply_with(Reply::Bytes(response::bytes(response)));
                let Some(now) = context["now"].as_str() else {
                    return Ok(None);
                };
                let now: Timestamp = now.parse().unwrap();
                own.clock.advance(now.duration_since(own.clock.now()));
            }
            Some("connectionRefused") => {
                let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
                own.base_url.set_port(Some(unused.port())).unwrap();
            }
            Some("tlsHandshakeFailed") => {
                self.server.reply_with(Reply::Rubbish);
                own = settings(&self.server, "https", generation);
            }
            Some("timeoutAfterSend") => {
                self.server.reply_with(Reply::BytesThenNothing(Vec::new()));
                own.request_timeout = Duration::from_millis(300);
            }
            Some("h2RefusedStream") => {
                own.base_url = self.h2.url.clone();
                own.ca_bundle = Some(self.h2.certificate.clone().into_bytes());
            }
            Some("resetAfterSend") => self.server.reply_with(Reply::Reset),
            Some(other) => return Err(format!("there is no transport {other} here")),
        }
        Ok(Some(Client::new(own).unwrap()))
    }

    /// Where a text appears that must not.
    fn leaks<T: std::fmt::Debug>(&self, vector: &Value, result: &Result<T, Fault>) -> Vec<String> {
        let log = self.log.take();
        self.looked_through.set(self.looked_through.get() + log.len());
        let mut printed = format!("{result:?}");
        if let Err(fault) = result {
            printed.push_str(&fault.to_string());
        }
        let mut secrets = vec![TOKEN.to_owned()];
        secrets.extend(vector["mustNotAppear"].as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()));
        personal(vector, &mut secrets);
        let place = |secret: &&String| log.contains(*secret) || printed.contains(*secret);
        secrets.iter().filter(place).map(|secret| format!("{secret} is in a log line or a result")).collect()
    }
}

/// The texts of a vector that are personal or secret by their place.
fn personal(value: &Value, found: &mut Vec<String>) {
    const KEYS: [&str; 6] =
        ["phoneNumber", "networkAccessIdentifier", "publicAddress", "privateAddress", "token", "notificationAuthToken"];
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if KEYS.contains(&key.as_str()) => found.push(text.clone()),
                    // A provider's prose; a single word may stand in a log for other reasons.
                    Value::String(text) if key == "message" && text.contains(' ') => {
                        found.push(text.clone());
                    }
                    other => personal(other, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| personal(value, found)),
        _ => {}
    }
}

fn settings(server: &RawServer, scheme: &str, generation: Generation) -> Settings {
    let mut settings = Settings::new(generation, server.url(scheme, base(generation)));
    settings.request_timeout = Duration::from_secs(10);
    settings
}

pub(super) fn alternatives(case: &Value) -> impl Iterator<Item = &Value> {
    std::iter::once(&case["expect"]).chain(case["mayAlso"].as_array().into_iter().flatten())
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A duration held against a profile's limits; nothing is sent.
fn pure_profile(vector: &Value) -> Vec<String> {
    let profile = wire::profile(vector["input"]["profile"].to_string().as_bytes()).unwrap();
    let check = match profile.check(vector["input"]["durationSeconds"].as_i64().unwrap()) {
        DurationCheck::Ok => "ok",
        DurationCheck::TooShort { .. } => "tooShort",
        DurationCheck::TooLong { .. } => "tooLong",
    };
    if vector["expect"]["duration"] == check { vec![] } else { vec![format!("it was {check}")] }
}

/// A vector's kind in the table: the look-ups after a lost create are `response` in the files.
pub(super) fn kind(vector: &Value) -> &str {
    let kind = vector["kind"].as_str().unwrap_or("none");
    if kind == "response" && vector["expect"]["lookup"].is_string() { "recovery" } else { kind }
}
