//! A token endpoint whose answers a test sets, and a clock that it moves.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use qos_operator::auth::{ClientAuthentication, Grant, NoToken, Settings, Subject, Tokens};
use qos_operator::clock::Clock;
use qos_operator::qod::{AccessToken, Operation};
use serde_json::{Value, json};

use crate::qod::raw_server::{RawServer, Reply, Seen, answer};

/// The secret that no line may hold.
pub(super) const SECRET: &str = "s3cr&t=+";
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a test waits for what must not come.
const A_MOMENT: Duration = Duration::from_millis(100);

pub(super) struct Scene {
    pub(super) server: RawServer,
    pub(super) clock: Clock,
}

impl Scene {
    pub(super) async fn new() -> Self {
        Self { server: RawServer::start(json_reply(500, &json!({}))).await, clock: Clock::system() }
    }

    pub(super) fn client_credentials(&self) -> Grant {
        Grant::ClientCredentials { token_url: self.server.url("http", "/token") }
    }

    pub(super) fn ciba(&self) -> Grant {
        let (authorize_url, token_url) = (self.server.url("http", "/bc-authorize"), self.server.url("http", "/token"));
        Grant::Ciba { authorize_url, token_url }
    }

    pub(super) fn settings(&self, grant: Grant) -> Settings {
        let mut settings = Settings::new(grant, "qod", "app-7", ClientAuthentication::Basic(SECRET.into()));
        settings.clock = self.clock.clone();
        settings.request_timeout = Duration::from_secs(5);
        settings
    }

    pub(super) fn tokens(&self, grant: Grant) -> Tokens {
        Tokens::new(self.settings(grant)).unwrap()
    }

    /// The next requests get these answers, one each.
    pub(super) fn then(&self, answers: impl IntoIterator<Item = (u16, Value)>) {
        self.server.then(answers.into_iter().map(|(status, body)| json_reply(status, &body)));
    }

    /// All requests get this answer, once the ones before are used up.
    pub(super) fn always(&self, status: u16, body: &Value) {
        self.server.reply_with(json_reply(status, body));
    }

    pub(super) fn advance(&self, seconds: f64) {
        self.clock.advance(SignedDuration::try_from_secs_f64(seconds).unwrap());
    }

    /// Waits until there are that many requests since they were last taken, and for a moment that there are no more.
    pub(super) async fn settled_at(&self, count: usize) {
        let arrived = async {
            while self.server.count() < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let arrived = tokio::time::timeout(PATIENCE, arrived).await;
        assert!(arrived.is_ok(), "{} requests, not {count}", self.server.count());
        tokio::time::sleep(A_MOMENT).await;
        assert_eq!(self.server.count(), count, "requests");
    }

    /// The forms of the requests since the last call, with their paths.
    pub(super) fn forms(&self) -> Vec<(String, BTreeMap<String, String>)> {
        self.server.take_seen().iter().map(|seen| (seen.target.clone(), form(seen))).collect()
    }
}

pub(super) fn form(seen: &Seen) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(&seen.body).into_owned().collect()
}

pub(super) fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::Bytes(answer(status, &[("Content-Type", "application/json")], &body.to_string()))
}

/// A token endpoint's success.
pub(super) fn granted(token: &str, life: u64) -> (u16, Value) {
    (200, json!({ "access_token": token, "token_type": "Bearer", "expires_in": life }))
}

pub(super) fn refusal(status: u16, code: &str) -> (u16, Value) {
    (status, json!({ "error": code, "error_description": "prose that nobody may see" }))
}

pub(super) fn number(last: u8) -> Subject {
    Subject::tel(&format!("+4477009001{last:02}"))
}

/// The token for a create, as text.
pub(super) async fn create(tokens: &Tokens, subject: Option<&Subject>) -> Result<String, NoToken> {
    tokens.get(subject, Operation::CreateSession).await.map(|token| token.expose().to_owned())
}

pub(super) fn refused(tokens: &Tokens, subject: Option<&Subject>, token: &str) {
    tokens.refused(subject, Operation::CreateSession, &AccessToken::new(token));
}
