//! The endpoints: decided upon without HTTP ([`decide`]), and over it.

mod assertions;
mod ciba;
mod decide;
mod http;
mod keys;
mod vectors;

use k8s_openapi::jiff::SignedDuration;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::super::settings::Settings;
use super::super::tokens::Grant;
use super::super::{Admin, Simulator};
use super::settings::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, GrantType};
use crate::clock::Clock;
use crate::private::Private;

const HINT: &str = "tel:+447700900112";
const SCOPE: &str = "dpv:RequestedServiceProvision#qod";

type Form<'a> = [(&'a str, &'a str)];
/// Status and JSON body (null where there is none).
type Told = (u16, Value);

/// A simulator and a client of its OAuth endpoints.
struct Office {
    simulator: Simulator,
    admin: Admin,
    http: reqwest::Client,
    clock: Clock,
}

impl Office {
    /// With these changes of the settings under `oauth`.
    async fn new(oauth: Value) -> Self {
        Self::with(json!({ "oauth": oauth })).await
    }

    /// With these changes of the settings.
    async fn with(settings: Value) -> Self {
        let (clock, settings) = (Clock::system(), Settings::default().merged(settings).unwrap());
        let listen = "127.0.0.1:0".parse().unwrap();
        let simulator = Simulator::builder(clock.clone()).settings(settings).admin_listen(listen).start().await.unwrap();
        let admin = simulator.admin();
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { simulator, admin, http, clock }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.simulator.address())
    }

    /// A form, without authentication.
    fn bare(&self, path: &str, form: &Form) -> RequestBuilder {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        self.http.post(self.url(path)).header("Content-Type", "application/x-www-form-urlencoded").body(body)
    }

    /// A form from the sandbox's client, by Basic.
    async fn post(&self, path: &str, form: &Form<'_>) -> Told {
        told(self.bare(path, form).basic_auth(DEFAULT_CLIENT_ID, Some(DEFAULT_CLIENT_SECRET))).await
    }

    /// A new `auth_req_id`.
    async fn ask(&self, scope: &str) -> String {
        let (status, body) = self.post("/bc-authorize", &[("login_hint", HINT), ("scope", scope)]).await;
        assert_eq!(status, 200, "{body}");
        body["auth_req_id"].as_str().unwrap().to_owned()
    }

    async fn poll(&self, id: &str) -> Told {
        self.post("/token", &[("grant_type", GrantType::Ciba.uri()), ("auth_req_id", id)]).await
    }

    /// What the token of an answer stands for, if the API takes it.
    fn grant(&self, answer: &Told) -> Option<Grant> {
        assert_eq!(answer.0, 200, "{}", answer.1);
        let token = Private::from(answer.1["access_token"].as_str().unwrap());
        self.admin.with(|provider, now| provider.tokens.grant(Some(&token), now).ok().cloned())
    }

    /// The status of a create with the token of an answer.
    async fn create(&self, answer: &Told) -> u16 {
        let order = json!({"device": {"phoneNumber": "+447700900112"}, "applicationServer": {"ipv4Address": "198.51.100.10"},
            "qosProfile": "QOS_E", "duration": 600});
        let url = format!("{}/sessions", self.simulator.url());
        told(self.http.post(url).bearer_auth(answer.1["access_token"].as_str().unwrap()).json(&order)).await.0
    }

    fn pass(&self, seconds: i64) {
        self.admin.advance(SignedDuration::from_secs(seconds));
    }
}

async fn told(request: RequestBuilder) -> Told {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null))
}

/// Status and error code.
fn error(told: &Told) -> (u16, &str) {
    (told.0, told.1["error"].as_str().unwrap_or_default())
}
