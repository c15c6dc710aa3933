//! Runs the vectors of kind `token`: what is sent is seen by a real server, what is answered is read by the client's own reader.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use qos_operator::auth::wire::{self, Asked, Authorised, Granted, TokenFault, TokenFaultClass};
use qos_operator::auth::{ClientAuthentication, Grant, NoToken, Refusal, Settings, Subject, Tokens};
use qos_operator::clock::Clock;
use qos_operator::qod::Operation;
use serde_json::{Value, json};

use super::keys::Key;
use super::scene::{form, json_reply};
use crate::qod::case;
use crate::qod::raw_server::{RawServer, Seen};
use crate::qod::response;

const TOKEN_URL: &str = "https://auth.example.com/oauth2/token";
const AUTHORIZE_URL: &str = "https://auth.example.com/oauth2/bc-authorize";

/// Runs one vector; what is wrong, if it does not pass.
pub(crate) async fn run_token_vector(vector: &Value) -> Result<(), String> {
    let outcome = if vector["response"].is_object() {
        let outcome = read(vector);
        never(vector, &outcome).await?;
        outcome
    } else {
        let input = &vector["input"];
        match input["grant"].as_str() {
            None => login_hint(&input["device"]),
            Some(grant) => sent(grant, vector).await?,
        }
    };
    let alternatives = std::iter::once(&vector["expect"]).chain(vector["mayAlso"].as_array().into_iter().flatten());
    // What was sent is compared where it is seen, since an expectation may be a pattern.
    let passes = |expected: &Value| outcome["request"] == "as expected" && expected["request"].is_object();
    if alternatives.clone().any(|expected| passes(expected) || case::holds(&outcome, expected)) {
        Ok(())
    } else {
        Err(format!("it was {outcome}"))
    }
}

fn login_hint(device: &Value) -> Value {
    match Subject::of(&case::device(device).unwrap()) {
        Some(subject) => json!({ "loginHint": subject.expose() }),
        None => json!({ "notExpressible": "device" }),
    }
}

/// An answer, in the vectors' words.
fn read(vector: &Value) -> Value {
    let context = &vector["context"];
    response::with_answer(&vector["response"], |answer| {
        if vector["endpoint"] == "bc-authorize" {
            return wire::authorised(answer).map_or_else(
                |fault| told(&fault, context),
                |Authorised { auth_req_id, expires_in, interval }| {
                    json!({
                        "class": "Authorised", "authReqId": auth_req_id.expose(),
                        "expiresInSeconds": expires_in.as_secs(), "intervalSeconds": interval.as_secs(),
                    })
                },
            );
        }
        let asked = match (context["polling"].as_bool(), context["grant"].as_str()) {
            (Some(true), _) => Asked::Poll,
            (_, Some("jwt-bearer")) => Asked::JwtBearer,
            (_, None | Some("client_credentials")) => Asked::ClientCredentials,
            (_, Some(other)) => panic!("no grant {other}"),
        };
        wire::token(asked, answer).map_or_else(
            |fault| told(&fault, context),
            |Granted { access_token, token_type, expires_in, .. }| {
                json!({
                    "class": "Token", "accessToken": access_token.expose(), "tokenType": token_type,
                    "expiresInSeconds": expires_in.map(|life| life.as_secs()),
                })
            },
        )
    })
}

fn told(fault: &TokenFault, context: &Value) -> Value {
    let mut told = json!({ "code": fault.code, "retryAfterSeconds": fault.retry_after.map(|wait| wait.as_secs()) });
    told["class"] = match fault.class {
        TokenFaultClass::Pending => "Pending",
        TokenFaultClass::SlowDown => "SlowDown",
        TokenFaultClass::Expired => "Expired",
        TokenFaultClass::Denied => "Denied",
        TokenFaultClass::Unavailable => "Unavailable",
        TokenFaultClass::Unparseable => "Unparseable",
        TokenFaultClass::Refused(reason) => {
            told["reason"] = match reason {
                Refusal::Credentials => "credentials",
                Refusal::Permission => "permission",
                Refusal::Device => "device",
                Refusal::Scope => "scope",
                Refusal::Invalid => "invalid",
            }
            .into();
            "Refused"
        }
    }
    .into();
    if let Some(interval) = context["intervalSeconds"].as_u64() {
        told["nextIntervalSeconds"] = wire::next_interval(Duration::from_secs(interval), fault.class).as_secs().into();
    }
    told
}

/// What must never come of it: a class, or a behaviour in words.
async fn never(vector: &Value, outcome: &Value) -> Result<(), String> {
    for never in vector["never"].as_array().into_iter().flatten() {
        let broken = match never.as_str().unwrap() {
            "kept for ever" => kept(vector, SignedDuration::from_hours(24 * 365)).await?.1 < 2,
            "a refresh loop without pause" => {
                let (clock, requests) = kept(vector, SignedDuration::ZERO).await?;
                requests != 2 || clock < SignedDuration::from_secs(1)
            }
            class if ["Token", "Denied", "Expired", "Ambiguous"].contains(&class) => outcome["class"] == class,
            other => return Err(format!("there is no check for {other}")),
        };
        if broken {
            return Err(format!("it must never be {never}"));
        }
    }
    Ok(())
}

/// Two gets with that time between them, where the vector's answer is the one to each request: the time that they took on a fast
/// clock, and how many requests there were.
async fn kept(vector: &Value, between: SignedDuration) -> Result<(SignedDuration, usize), String> {
    let server = RawServer::start(crate::qod::raw_server::Reply::Bytes(response::bytes(&vector["response"]))).await;
    let mut settings = settings(&json!({ "grant": "client_credentials" }), &server, &Key::p256());
    settings.clock = Clock::scaled(50.0);
    let (clock, tokens) = (settings.clock.clone(), Tokens::new(settings).unwrap());
    let begun = clock.now();
    for _ in 0..2 {
        tokens.get(None, Operation::CreateSession).await.map_err(|error| error.to_string())?;
        clock.advance(between);
    }
    Ok((clock.now().duration_since(begun), server.count()))
}

/// The client of a request vector, at the server in place of the vector's host.
fn settings(input: &Value, server: &RawServer, key: &Key) -> Settings {
    let here = |field: &str, usual: &str| {
        let url: url::Url = input[field].as_str().unwrap_or(usual).parse().unwrap();
        server.url("http", url.path())
    };
    let token_url = here("tokenUrl", TOKEN_URL);
    let grant = match input["grant"].as_str().unwrap() {
        "client_credentials" => Grant::ClientCredentials { token_url },
        "ciba-authorize" | "ciba-token" => Grant::Ciba { authorize_url: here("authorizeUrl", AUTHORIZE_URL), token_url },
        "jwt-bearer" => Grant::JwtBearer { token_url },
        other => panic!("no grant {other}"),
    };
    let secret = || input["clientSecret"].as_str().unwrap_or_default().into();
    let authentication = match input["clientAuthentication"].as_str() {
        Some("PrivateKeyJwt") => ClientAuthentication::PrivateKeyJwt(key.setting(None)),
        None if matches!(grant, Grant::JwtBearer { .. }) => ClientAuthentication::PrivateKeyJwt(key.setting(None)),
        Some("Post") => ClientAuthentication::Post(secret()),
        None | Some("Basic") => ClientAuthentication::Basic(secret()),
        Some(other) => panic!("no client authentication {other}"),
    };
    let text = |field: &str, usual: &'static str| input[field].as_str().map_or(usual.to_owned(), str::to_owned);
    Settings::new(grant, &text("scope", "qod"), &text("clientId", "app-7"), authentication)
}

async fn sent(grant: &str, vector: &Value) -> Result<Value, String> {
    let (input, expect, key) = (&vector["input"], &vector["expect"], Key::p256());
    let server = RawServer::start(json_reply(400, &json!({ "error": "authorization_pending" }))).await;
    let mut settings = settings(input, &server, &key);
    if let Some(now) = input["now"].as_str() {
        // It stands still, so that the times in an assertion can be foretold.
        settings.clock = Clock::scaled(1e-6);
        settings.clock.advance(now.parse::<Timestamp>().unwrap().duration_since(settings.clock.now()));
    }
    let clock = settings.clock.clone();
    let tokens = Tokens::new(settings).map_err(|error| error.to_string())?;
    let subject = match (input["loginHint"].as_str(), input["device"].is_object()) {
        (Some(hint), _) => Some(subject_of(hint)),
        (None, true) => Subject::of(&case::device(&input["device"]).unwrap()),
        (None, false) => Some(Subject::tel("+447700900123")),
    };
    let polls = if grant == "ciba-token" { input["polls"].as_u64().unwrap_or(1) } else { 0 };
    if polls > 0 {
        let id = input["authReqId"].as_str().unwrap_or("r1");
        server.then([json_reply(200, &json!({ "auth_req_id": id, "expires_in": 600, "interval": 1 }))]);
    }
    if let Err(NoToken::NoSubject { .. }) = tokens.get(subject.as_ref(), Operation::CreateSession).await {
        let quiet = server.count() == 0;
        return Ok(json!({ "notExpressible": if quiet { "device" } else { "but something was sent" } }));
    }
    for poll in 1..=polls {
        clock.advance(SignedDuration::from_millis(1100));
        let arrived = async {
            while u64::try_from(server.count()).unwrap() < poll + 1 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), arrived).await.map_err(|_| format!("poll {poll} did not come"))?;
        // Until its answer is read, the next one is not due.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seen = server.take_seen();
    let last = seen.last().ok_or("nothing was sent")?;
    if expect["distinctJti"].is_number() {
        let jtis: Result<std::collections::BTreeSet<String>, String> =
            seen[1..].iter().map(|seen| Ok(assertion(seen, &key)?["jti"].to_string())).collect();
        return Ok(json!({ "distinctJti": jtis?.len() }));
    }
    as_expected(last, vector, &server, &key)?;
    Ok(json!({ "request": "as expected" }))
}

fn subject_of(hint: &str) -> Subject {
    let subject = match hint.split_once(':').unwrap() {
        ("tel", number) => Subject::tel(number),
        (_, address) => match address.parse().unwrap() {
            std::net::SocketAddr::V4(address) => Subject::ipport_v4(*address.ip(), Some(address.port())),
            std::net::SocketAddr::V6(address) => Subject::ipport_v6_port(*address.ip(), Some(address.port())),
        },
    };
    assert_eq!(subject.expose(), hint);
    subject
}

fn assertion(seen: &Seen, key: &Key) -> Result<Value, String> {
    let form = form(seen);
    let jwt = form.get("client_assertion").ok_or("there is no client_assertion")?;
    Ok(key.verified(jwt, Algorithm::ES256)?.claims)
}

/// Whether a request is the one that a vector wants.
fn as_expected(seen: &Seen, vector: &Value, server: &RawServer, key: &Key) -> Result<(), String> {
    let expected = &vector["expect"]["request"];
    let url: url::Url = expected["url"].as_str().unwrap().parse().unwrap();
    if (seen.method.as_str(), seen.target.as_str()) != (expected["method"].as_str().unwrap(), url.path()) {
        return Err(format!("it was {} {}", seen.method, seen.target));
    }
    for (name, value) in expected["headers"].as_object().into_iter().flatten() {
        if seen.header(name) != value.as_str() {
            return Err(format!("{name} was {:?}", seen.header(name)));
        }
    }
    if let Some(name) = texts(&expected["absentHeaders"]).find(|name| seen.header(name).is_some()) {
        return Err(format!("there was a header {name}"));
    }
    let form = form(seen);
    if let Some(name) = texts(&vector["absentForm"]).find(|name| form.contains_key(*name)) {
        return Err(format!("the form held {name}"));
    }
    let body = std::str::from_utf8(&seen.body).unwrap();
    if let Some(text) = texts(&vector["rawMustNotContain"]).find(|text| body.contains(text)) {
        return Err(format!("the body held {text}"));
    }
    let wanted: BTreeMap<_, _> = expected["form"].as_object().unwrap().iter().collect();
    if !wanted.keys().copied().eq(form.keys()) {
        return Err(format!("the form was {form:?}"));
    }
    for (name, value) in wanted {
        if value["jwt"].is_object() {
            // The server stands in for the vector's host.
            let origin = url.origin().ascii_serialization();
            let here = server.url("http", "").to_string();
            let claims = value["jwt"].to_string().replace(&origin, here.trim_end_matches('/'));
            claims_hold(&assertion(seen, key)?, &serde_json::from_str(&claims).unwrap())?;
        } else if value.as_str() != Some(&form[name]) {
            return Err(format!("{name} was {}", form[name]));
        }
    }
    Ok(())
}

fn claims_hold(claims: &Value, expected: &Value) -> Result<(), String> {
    for (name, wanted) in expected.as_object().unwrap() {
        let (claim, bounds) = (&claims[name], wanted.as_object());
        let good = match bounds {
            None => claim == wanted,
            Some(bounds) if bounds.contains_key("unique") => claim.as_str().is_some_and(|text| text.len() >= 16),
            Some(bounds) => {
                let (time, bound) = (claim.as_i64(), |name: &str| bounds[name].as_i64());
                time >= bound("min") && time.is_some() && time <= bound("max")
            }
        };
        if !good {
            return Err(format!("the claim {name} was {claim}, not {wanted}"));
        }
    }
    Ok(())
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap())
}

#[tokio::test]
async fn every_token_vector_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let (mut passed, mut failures) = (0, Vec::new());
    for file in walk(&folder) {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for vector in file["vectors"].as_array().unwrap().iter().filter(|vector| vector["kind"] == "token") {
            match run_token_vector(vector).await {
                Ok(()) => passed += 1,
                Err(why) => failures.push(format!("{}: {why}", vector["id"])),
            }
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(passed > 30, "only {passed} vectors were found");
}

/// The harness must be able to fail.
#[tokio::test]
async fn a_vector_that_wants_something_else_fails() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/auth/assertions.json")).unwrap();
    for (from, to) in
        [("\"sub\": \"app-7\"", "\"sub\": \"app-8\""), ("1767323100", "1767322802"), ("\"distinctJti\": 3", "\"distinctJti\": 2")]
    {
        assert!(text.contains(from), "{from}");
        let file: Value = serde_json::from_str(&text.replace(from, to)).unwrap();
        let mut results = Vec::new();
        for vector in file["vectors"].as_array().unwrap() {
            results.push(run_token_vector(vector).await.is_err());
        }
        assert_eq!(results.iter().filter(|failed| **failed).count(), 1, "{from}");
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files
}
