//! Runs every wire vector of a folder (`QOD_VECTORS`, else the project's own) through the real client and prints a table.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use qos_operator::private::Private;
use qos_operator::qod::classify::{self, Asked};
use qos_operator::qod::{
    AccessToken, Answer, Body, Client, DurationCheck, Fault, FaultClass, Generation, Operation,
    SessionId, Settings, wire,
};
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::case;
use super::log::CapturedLog;
use super::raw_server::{RawServer, Reply, Seen, answer};

const BASE: &str = "/api/qod/v0";
const PROFILES_BASE: &str = "/api/qos-profiles/v0";
const TOKEN: &str = "at-7Qe2Xk9LmP4s";

/// What became of a vector.
enum Verdict {
    Passed,
    NotYetSupported,
    Failed(String),
}

/// The vectors of a folder, with the file each is in.
fn load(folder: &Path) -> Vec<(PathBuf, Value)> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                files.push(path);
            }
        }
    }
    files.sort();
    let vectors = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let file: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let vectors = file["vectors"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| panic!("{}: no vectors", path.display()));
        vectors
            .into_iter()
            .map(move |vector| (path.clone(), vector))
    };
    files.into_iter().flat_map(vectors).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn chosen_folder() -> Option<PathBuf> {
    std::env::var("QOD_VECTORS")
        .ok()
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
}

fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// A vector's kind in the table: the look-ups after a lost create are `response` in the files.
fn kind(vector: &Value) -> &str {
    let kind = vector["kind"].as_str().unwrap_or("none");
    if kind == "response" && vector["expect"]["lookup"].is_string() {
        "recovery"
    } else {
        kind
    }
}

#[tokio::test]
async fn every_vector_of_what_is_supported_passes() {
    let folder = chosen_folder();
    let vectors = load(folder.as_deref().unwrap_or(&own_folder()));
    assert!(!vectors.is_empty(), "there are no vectors");
    let bench = Bench::start().await;
    let mut table: BTreeMap<(String, String), [usize; 3]> = BTreeMap::new();
    let mut failures = Vec::new();
    for (path, vector) in &vectors {
        let first = vector["generation"].as_str().unwrap_or("-");
        let others = vector["alsoGenerations"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        for generation in std::iter::once(first).chain(others) {
            let counts = table
                .entry((generation.to_owned(), kind(vector).to_owned()))
                .or_default();
            match bench.run(generation, vector).await {
                Verdict::Passed => counts[0] += 1,
                Verdict::Failed(why) => {
                    counts[1] += 1;
                    failures.push(format!(
                        "{} ({generation}, {}): {why}",
                        vector["id"],
                        path.display()
                    ));
                }
                Verdict::NotYetSupported => counts[2] += 1,
            }
        }
    }
    print_table(&table);
    assert!(
        failures.is_empty(),
        "{} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
    if folder.is_none() {
        assert!(
            bench.looked_through.get() > 10_000,
            "hardly anything was logged, so that nothing leaked says little"
        );
        for ((generation, kind), [passed, _, unsupported]) in &table {
            let supported = generation.parse().is_ok_and(Generation::is_supported);
            if supported && matches!(kind.as_str(), "request" | "response" | "profile") {
                assert!(
                    *passed > 0 && *unsupported == 0,
                    "{generation} {kind}: {passed} passed, {unsupported} passed over"
                );
            }
        }
    }
}

fn print_table(table: &BTreeMap<(String, String), [usize; 3]>) {
    println!(
        "{:<12} {:<14} {:>7} {:>7} {:>18}",
        "generation", "kind", "passed", "failed", "not yet supported"
    );
    let mut sum = [0; 3];
    let order = |generation: &str| {
        Generation::ALL
            .iter()
            .position(|known| known.as_str() == generation)
    };
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|((generation, kind), _)| (order(generation), kind.clone()));
    for ((generation, kind), counts) in rows {
        println!(
            "{generation:<12} {kind:<14} {:>7} {:>7} {:>18}",
            counts[0], counts[1], counts[2]
        );
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    println!(
        "{:<12} {:<14} {:>7} {:>7} {:>18}",
        "all", "", sum[0], sum[1], sum[2]
    );
}

/// What all vectors share: a server whose next answer is set, and the log.
struct Bench {
    server: RawServer,
    client: Client,
    log: CapturedLog,
    /// How many bytes of log were looked through.
    looked_through: Cell<usize>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Bench {
    async fn start() -> Self {
        let (log, guard) = CapturedLog::start();
        let server = RawServer::start(Reply::Reset).await;
        let client = Client::new(settings(&server, "http", Generation::V0_10)).unwrap();
        Self {
            server,
            client,
            log,
            looked_through: Cell::new(0),
            _guard: guard,
        }
    }

    async fn run(&self, generation: &str, vector: &Value) -> Verdict {
        let supported = generation
            .parse::<Generation>()
            .ok()
            .filter(|generation| generation.is_supported());
        let problems = match (kind(vector), supported) {
            // One shape of profile serves all generations.
            ("profile", None) => pure_profile(vector),
            ("profile", Some(_)) if vector["input"].is_object() => pure_profile(vector),
            ("request", Some(generation)) => match self.request(generation, vector).await {
                Some(problems) => problems,
                None => return Verdict::NotYetSupported,
            },
            ("response" | "profile", Some(generation)) => self.responses(generation, vector).await,
            ("request" | "response", None) | ("notification" | "token" | "recovery", _) => {
                return Verdict::NotYetSupported;
            }
            (other, _) => vec![format!("there is no kind {other}")],
        };
        if problems.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Failed(problems.join("; "))
        }
    }

    /// None where the vector wants a setting that the client does not have.
    async fn request(&self, generation: Generation, vector: &Value) -> Option<Vec<String>> {
        let input = &vector["input"];
        let mut settings = settings(&self.server, "http", generation);
        for (name, value) in input["settings"].as_object().into_iter().flatten() {
            match name.as_str() {
                "extraHeaders" => {
                    let pairs = value.as_object().unwrap().iter();
                    let headers = pairs.map(|(name, value)| {
                        (
                            name.parse::<HeaderName>().unwrap(),
                            value.as_str().unwrap().parse().unwrap(),
                        )
                    });
                    settings.extra_headers = Private::new(headers.collect());
                }
                _ if *value == "Auto" => {}
                _ => return None,
            }
        }
        if vector["expect"]["request"]["api"] == "profiles" {
            settings.profiles_url = Some(self.server.url("http", PROFILES_BASE));
        }
        let client = Client::new(settings).unwrap();
        // Any answer will do: only what was sent is looked at.
        self.server.reply_with(Reply::Bytes(answer(500, &[], "")));
        self.log.take();
        let result = call(&client, input).await;
        let mut seen = self.server.take_seen();
        let mut problems = self.leaks(vector, &result);
        let outcome = match seen.len() {
            0 => result
                .err()
                .map_or_else(|| json!({}), |fault| case::fault(&fault)),
            1 => {
                json!({ "request": seen.pop().map(|seen| describe(&seen, &vector["expect"]["request"])) })
            }
            more => json!({ "requests": more }),
        };
        if !alternatives(vector).any(|expected| request_holds(&outcome, expected)) {
            problems.push(format!("it was {outcome}"));
        }
        Some(problems)
    }

    async fn responses(&self, generation: Generation, vector: &Value) -> Vec<String> {
        let cases: Vec<&Value> = vector["cases"]
            .as_array()
            .map_or_else(|| vec![vector], |cases| cases.iter().collect());
        let mut problems = Vec::new();
        for (number, case) in cases.into_iter().enumerate() {
            for problem in self.response(generation, vector, case).await {
                problems.push(format!("case {number} ({}): {problem}", case["operation"]));
            }
        }
        problems
    }

    async fn response(&self, generation: Generation, vector: &Value, case: &Value) -> Vec<String> {
        let context = if case["context"].is_object() {
            &case["context"]
        } else {
            &vector["context"]
        };
        // Within `cases`, the response's keys stand in the case itself.
        let response = if case["response"].is_object() {
            &case["response"]
        } else {
            case
        };
        let made = self.client_for(generation, response, context).await;
        let client = made.as_ref().unwrap_or(&self.client);
        self.log.take();
        let result = call(client, &input_of(case)).await;
        let mut problems = self.leaks(vector, &result);
        let sent = self.server.take_seen().len();
        if sent > 1 {
            problems.push(format!("it was sent {sent} times"));
        }
        let outcome = outcome(
            &result,
            case["operation"].as_str().unwrap(),
            &context["flow"],
        );
        if !alternatives(case).any(|expected| case::holds(&outcome, expected)) {
            problems.push(format!("it was {outcome}, not {}", case["expect"]));
        }
        for never in case["never"].as_array().into_iter().flatten() {
            let available =
                never == "qosStatus AVAILABLE" && outcome["session"]["qosStatus"] == "AVAILABLE";
            if *never == outcome["class"] || available {
                problems.push(format!("it must never be {never}"));
            }
        }
        problems
    }

    /// Sets the server's answer; a client of its own where the usual one does not do.
    async fn client_for(
        &self,
        generation: Generation,
        response: &Value,
        context: &Value,
    ) -> Option<Client> {
        let mut own = settings(&self.server, "http", generation);
        match response["transport"].as_str() {
            None => {
                self.server
                    .reply_with(Reply::Bytes(response_bytes(response)));
                let now: Timestamp = context["now"].as_str()?.parse().unwrap();
                own.clock.advance(now.duration_since(own.clock.now()));
            }
            Some("connectionRefused") => {
                let unused = tokio::net::TcpListener::bind("127.0.0.1:0")
                    .await
                    .unwrap()
                    .local_addr()
                    .unwrap();
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
            Some("resetAfterSend") => self.server.reply_with(Reply::Reset),
            Some(other) => panic!("there is no transport {other}"),
        }
        Some(Client::new(own).unwrap())
    }

    /// Where a text appears that must not.
    fn leaks<T: std::fmt::Debug>(&self, vector: &Value, result: &Result<T, Fault>) -> Vec<String> {
        let log = self.log.take();
        self.looked_through
            .set(self.looked_through.get() + log.len());
        let mut printed = format!("{result:?}");
        if let Err(fault) = result {
            printed.push_str(&fault.to_string());
        }
        let mut secrets = vec![TOKEN.to_owned()];
        secrets.extend(
            vector["mustNotAppear"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|text| text.as_str().unwrap().to_owned()),
        );
        personal(vector, &mut secrets);
        let place = |secret: &&String| log.contains(*secret) || printed.contains(*secret);
        secrets
            .iter()
            .filter(place)
            .map(|secret| format!("{secret} is in a log line or a result"))
            .collect()
    }
}

/// The texts of a vector that are personal or secret by their place.
fn personal(value: &Value, found: &mut Vec<String>) {
    const KEYS: [&str; 6] = [
        "phoneNumber",
        "networkAccessIdentifier",
        "publicAddress",
        "privateAddress",
        "token",
        "notificationAuthToken",
    ];
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if KEYS.contains(&key.as_str()) => found.push(text.clone()),
                    // A provider's prose; a single word may stand in a log for other reasons.
                    Value::String(text) if key == "message" && text.contains(' ') => {
                        found.push(text.clone())
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
    let mut settings = Settings::new(generation, server.url(scheme, BASE));
    settings.request_timeout = Duration::from_secs(10);
    settings
}

fn alternatives(case: &Value) -> impl Iterator<Item = &Value> {
    std::iter::once(&case["expect"]).chain(case["mayAlso"].as_array().into_iter().flatten())
}

/// What the client may return, whatever the operation.
#[derive(Debug)]
enum Returned {
    Session(qos_operator::qod::SessionInfo),
    Nothing,
    Profiles(Vec<qos_operator::qod::QosProfile>),
    Profile(qos_operator::qod::QosProfile),
}

/// Calls the client's function for the operation.
async fn call(client: &Client, input: &Value) -> Result<Returned, Fault> {
    let token = AccessToken::new(input["accessToken"].as_str().unwrap_or(TOKEN));
    let id = SessionId::new(input["sessionId"].as_str().unwrap_or_default());
    match case::operation(input["operation"].as_str().unwrap()) {
        Operation::CreateSession => client
            .create_session(&token, &case::create(input)?)
            .await
            .map(Returned::Session),
        Operation::GetSession => client.get_session(&token, &id).await.map(Returned::Session),
        Operation::DeleteSession => client
            .delete_session(&token, &id)
            .await
            .map(|()| Returned::Nothing),
        Operation::ExtendQosSessionDuration => {
            let seconds = input["additionalSeconds"].as_i64().unwrap();
            client
                .extend_qos_session_duration(&token, &id, seconds)
                .await
                .map(Returned::Session)
        }
        Operation::GetQosProfiles => client
            .get_qos_profiles_matching(&token, &case::filter(&input["filter"]))
            .await
            .map(Returned::Profiles),
        Operation::GetQosProfile => client
            .get_qos_profile(&token, input["profile"].as_str().unwrap())
            .await
            .map(Returned::Profile),
        missing @ (Operation::RetrieveSessions | Operation::RetrieveQosProfiles) => {
            client.generation().require(missing)?;
            panic!("the client has no function for {missing}")
        }
    }
}

/// A call for a response vector, which names the operation only.
fn input_of(case: &Value) -> Value {
    json!({
        "operation": case["operation"],
        "sessionId": "0b7e6a52-94c1-4e0d-8a3f-5d2c7be91f04",
        "additionalSeconds": 60,
        "profile": "QOS_E",
        "desired": {
            "device": { "phoneNumber": "+447700900123" },
            "applicationServer": { "ipv4Address": "198.51.100.10" },
            "qosProfile": "QOS_E",
            "durationSeconds": 3600,
        },
    })
}

fn response_headers(response: &Value) -> Vec<(String, String)> {
    match response["headers"].as_object() {
        None => vec![("Content-Type".to_owned(), "application/json".to_owned())],
        Some(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
    }
}

fn response_body(response: &Value) -> String {
    match (&response["body"], response["bodyText"].as_str()) {
        (_, Some(text)) => text.to_owned(),
        (Value::Null, None) => String::new(),
        (body, None) => body.to_string(),
    }
}

fn response_status(response: &Value) -> u16 {
    response["status"].as_u64().unwrap().try_into().unwrap()
}

fn response_bytes(response: &Value) -> Vec<u8> {
    let headers = response_headers(response);
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    answer(
        response_status(response),
        &headers,
        &response_body(response),
    )
}

fn outcome(result: &Result<Returned, Fault>, operation: &str, flow: &Value) -> Value {
    match result {
        Err(fault) => case::fault(fault),
        Ok(Returned::Nothing) => json!({ "class": "Released" }),
        Ok(Returned::Profiles(list)) => {
            json!({ "class": "Profiles", "profiles": list.iter().map(case::profile).collect::<Value>() })
        }
        Ok(Returned::Profile(one)) => json!({ "class": "Profile", "profile": case::profile(one) }),
        Ok(Returned::Session(info)) => {
            let class = if operation == "create" {
                "Created"
            } else {
                "Session"
            };
            let mut outcome = json!({ "class": class, "session": case::session(info) });
            if flow.is_object() {
                outcome["flowMatches"] = info.flow_matches(&case::flow(flow)).into();
            }
            outcome
        }
    }
}

/// A request as the vectors describe it, its path without the base that it went to.
fn describe(seen: &Seen, expected: &Value) -> Value {
    let base = if expected["api"] == "profiles" {
        PROFILES_BASE
    } else {
        BASE
    };
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let headers: BTreeMap<String, String> = seen
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    json!({
        "method": seen.method,
        "path": path.strip_prefix(base).unwrap_or(path),
        "query": query,
        "headers": headers,
        "body": if seen.body.is_empty() { Value::Null } else { serde_json::from_slice(&seen.body).unwrap() },
    })
}

/// Method, path, query and body must be equal; of the headers at least those that are named.
fn request_holds(outcome: &Value, expected: &Value) -> bool {
    let (sent, wanted) = (&outcome["request"], &expected["request"]);
    if !wanted.is_object() {
        return case::holds(outcome, expected);
    }
    let header = |name: &str| sent["headers"].get(name.to_ascii_lowercase());
    let named =
        wanted["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .all(|(name, value)| match value.as_str() {
                Some(text) => header(name).is_some_and(|sent| sent == text),
                // A `{pattern}`: no regular expressions here yet, so it cannot be said to hold.
                None => false,
            });
    let absent = wanted["absentHeaders"]
        .as_array()
        .into_iter()
        .flatten()
        .all(|name| header(name.as_str().unwrap()).is_none());
    let no_query = json!({});
    let query = if wanted["query"].is_object() {
        &wanted["query"]
    } else {
        &no_query
    };
    sent["method"] == wanted["method"]
        && sent["path"] == wanted["path"]
        && sent["query"] == *query
        && sent["body"] == wanted["body"]
        && named
        && absent
}

/// A profile vector without a client: the parser is the same for all generations.
fn pure_profile(vector: &Value) -> Vec<String> {
    if vector["input"].is_object() {
        let profile = wire::profile(vector["input"]["profile"].to_string().as_bytes()).unwrap();
        let check = match profile.check(vector["input"]["durationSeconds"].as_i64().unwrap()) {
            DurationCheck::Ok => "ok",
            DurationCheck::TooShort { .. } => "tooShort",
            DurationCheck::TooLong { .. } => "tooLong",
        };
        return if vector["expect"]["duration"] == check {
            vec![]
        } else {
            vec![format!("it was {check}")]
        };
    }
    let operation = case::operation(vector["operation"].as_str().unwrap());
    let outcome = with_answer(&vector["response"], |answer| {
        let asked = Asked {
            operation,
            device_sent: false,
        };
        let result = match operation {
            Operation::GetQosProfile => classify::profile(asked, answer).map(Returned::Profile),
            _ => classify::profiles(asked, answer).map(Returned::Profiles),
        };
        outcome(&result, "", &Value::Null)
    });
    if alternatives(vector).any(|expected| case::holds(&outcome, expected)) {
        vec![]
    } else {
        vec![format!("it was {outcome}")]
    }
}

fn with_answer<T>(response: &Value, read: impl FnOnce(&Answer<'_>) -> T) -> T {
    let mut headers = HeaderMap::new();
    for (name, value) in response_headers(response) {
        headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    let body = response_body(response);
    let received_at = "2026-01-02T03:00:00Z".parse().unwrap();
    read(&Answer {
        status: response_status(response),
        headers: &headers,
        body: Body::Whole(body.as_bytes()),
        received_at,
    })
}

/// The table of errors is one for all generations, so it is held to all of them now, whether the client speaks them or not.
#[test]
fn every_documented_error_of_every_generation_is_read_as_it_is_meant() {
    let mut seen = 0;
    for (_, vector) in load(&own_folder()) {
        if kind(&vector) != "response" {
            continue;
        }
        let cases: Vec<&Value> = vector["cases"]
            .as_array()
            .map_or_else(|| vec![&vector], |cases| cases.iter().collect());
        for case in cases {
            let response = if case["response"].is_object() {
                &case["response"]
            } else {
                case
            };
            let empty_list = case["expect"]["class"] == "Profiles";
            if response["transport"].is_string() || response_status(response) < 300 || empty_list {
                continue;
            }
            let operation = case::operation(case["operation"].as_str().unwrap());
            let device_sent = case["context"]["deviceSent"]
                .as_bool()
                .or(vector["context"]["deviceSent"].as_bool());
            let asked = Asked {
                operation,
                device_sent: device_sent.unwrap_or(operation == Operation::CreateSession),
            };
            let fault = with_answer(response, |answer| classify::fault(asked, answer));
            let outcome = case::fault(&fault);
            assert!(
                alternatives(case).any(|expected| case::holds(&outcome, expected)),
                "{} {case}: it was {outcome}",
                vector["id"]
            );
            assert!(!matches!(fault.class, FaultClass::NotExpressible { .. }));
            seen += 1;
        }
    }
    assert!(seen > 300, "only {seen} documented errors were found");
}
