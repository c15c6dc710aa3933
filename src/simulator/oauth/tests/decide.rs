//! The rules of polling to the second, without HTTP.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::super::super::session::seconds_later;
use super::super::super::settings::Settings;
use super::super::super::tokens::Tokens;
use super::super::settings::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};
use super::super::{Endpoint, Request, State, perform};
use crate::private::Private;

/// What is remembered between calls, and the calls of the sandbox's client, or of `other`.
struct Table {
    state: State,
    tokens: Tokens,
    settings: Settings,
}

impl Table {
    fn new(oauth: &Value) -> Self {
        let settings = Settings::default().merged(json!({ "oauth": oauth })).unwrap();
        Self { state: State::default(), tokens: Tokens::default(), settings }
    }

    fn call(&mut self, endpoint: Endpoint, client: &str, body: &str, second: i64) -> (u16, Value) {
        let credentials = STANDARD.encode(format!("{client}:{DEFAULT_CLIENT_SECRET}"));
        let authorization = Some(Private::new(format!("Basic {credentials}")));
        let request = Request { endpoint, url: None, path: "/token".to_owned(), form: true, authorization };
        let now = seconds_later(Timestamp::UNIX_EPOCH, second);
        perform(&request, body.as_bytes(), &mut self.state, &mut self.tokens, &self.settings, now)
    }

    /// An authorization that is asked for at 0.
    fn ask(&mut self) -> String {
        let body = "login_hint=tel:%2B447700900112&scope=qod";
        let (status, body) = self.call(Endpoint::Authorize, DEFAULT_CLIENT_ID, body, 0);
        assert_eq!(status, 200, "{body}");
        body["auth_req_id"].as_str().unwrap().to_owned()
    }

    /// What a poll at `second` comes to: an error, or `token`.
    fn poll_as(&mut self, client: &str, id: &str, second: i64) -> String {
        let body = format!("grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id={id}");
        let (_, body) = self.call(Endpoint::Token, client, &body, second);
        body["error"].as_str().unwrap_or(if body["access_token"].is_string() { "token" } else { "?" }).to_owned()
    }

    fn polls(&mut self, id: &str, seconds: &[i64]) -> Vec<String> {
        seconds.iter().map(|second| self.poll_as(DEFAULT_CLIENT_ID, id, *second)).collect()
    }
}

#[test]
fn a_poll_at_the_interval_is_in_time_and_one_before_it_makes_the_interval_longer_for_good() {
    let mut table = Table::new(&json!({"cibaPendingPolls": 3, "cibaInterval": 2}));
    let id = table.ask();
    // 3: after 1 s in place of 2, now 7; 9: after 6 s, now 12; 21: after 12 s.
    let answers = table.polls(&id, &[0, 2, 3, 9, 21, 33]);
    let (pending, slow) = ("authorization_pending", "slow_down");
    assert_eq!(answers, [pending, pending, slow, slow, pending, "token"]);
}

#[test]
fn an_interval_that_is_not_told_is_five_seconds() {
    let mut table = Table::new(&json!({"cibaPendingPolls": 9, "cibaInterval": null}));
    let id = table.ask();
    assert_eq!(table.polls(&id, &[0, 5, 9]), ["authorization_pending", "authorization_pending", "slow_down"]);
}

#[test]
fn an_authorization_that_nobody_answers_is_over_at_its_end_and_forgotten_later() {
    let mut table = Table::new(&json!({"consent": "wait", "cibaExpiresIn": 60}));
    let id = table.ask();
    assert_eq!(table.polls(&id, &[59, 60, 61]), ["authorization_pending", "expired_token", "expired_token"]);
    let body = "login_hint=tel:%2B447700900112&scope=qod";
    table.call(Endpoint::Authorize, DEFAULT_CLIENT_ID, body, 60 + 3600);
    assert_eq!(table.polls(&id, &[3661]), ["invalid_grant"]);
}

#[test]
fn an_authorization_is_of_the_client_that_asked_and_a_no_stays_a_no() {
    let sandbox = json!({"clientId": DEFAULT_CLIENT_ID, "secret": DEFAULT_CLIENT_SECRET});
    let other = json!({"clientId": "other", "secret": DEFAULT_CLIENT_SECRET});
    let mut table = Table::new(&json!({"clients": [sandbox, other], "consent": "deny", "cibaPendingPolls": 1}));
    let id = table.ask();
    assert_eq!(table.poll_as("other", &id, 0), "invalid_grant");
    assert_eq!(table.polls(&id, &[1, 3, 5]), ["authorization_pending", "access_denied", "access_denied"]);
}

#[test]
fn the_second_use_is_refused_by_the_code_that_is_set() {
    for (setting, code) in [("invalidGrant", "invalid_grant"), ("invalidRequest", "invalid_request")] {
        let mut table = Table::new(&json!({"quirks": {"secondUse": setting}}));
        let id = table.ask();
        assert_eq!(table.polls(&id, &[0, 2]), ["token", code]);
    }
}

#[test]
fn nothing_that_is_remembered_prints_a_secret_or_a_number() {
    let mut table = Table::new(&json!({}));
    let id = table.ask();
    let body = format!("grant_type=urn:openid:params:grant-type:ciba&auth_req_id={id}");
    let (_, answer) = table.call(Endpoint::Token, DEFAULT_CLIENT_ID, &body, 0);
    let printed = format!("{:?} {:?}", table.state, table.tokens);
    for secret in [id.as_str(), answer["access_token"].as_str().unwrap(), "7700900112"] {
        assert!(!printed.contains(secret));
    }
}
