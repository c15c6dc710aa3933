//! The simulator over real HTTP.

mod admin;
mod api;
mod faults;
mod generations;
mod quirks;
mod raw;
mod scenarios;

use k8s_openapi::jiff::SignedDuration;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::settings::{Flavour, Settings};
use super::{Admin, DEFAULT_TOKEN, Simulator};
use crate::clock::Clock;

const PHONE: &str = "+447700900112";

/// A simulator and a client of it.
struct Stage {
    simulator: Simulator,
    admin: Admin,
    http: reqwest::Client,
    token: &'static str,
}

/// Status and JSON body (null where there is none).
type Told = (u16, Value);

impl Stage {
    async fn new(settings: Settings) -> Self {
        let simulator = Simulator::builder(Clock::system()).settings(settings).start().await.unwrap();
        let admin = simulator.admin();
        // A connection for each call: one that was cut is never met again.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { simulator, admin, http, token: DEFAULT_TOKEN }
    }

    async fn of(flavour: Flavour) -> Self {
        Self::new(Settings { flavour, ..Settings::default() }).await
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.simulator.url())).bearer_auth(self.token)
    }

    async fn create(&self, body: Value) -> Told {
        told(self.call(Method::POST, "/sessions").json(&body)).await.unwrap()
    }

    /// A session that must come to be.
    async fn session(&self, body: Value) -> Uuid {
        let (status, info) = self.create(body).await;
        assert_eq!(status, 201, "{info}");
        id_of(&info)
    }

    async fn get(&self, id: Uuid) -> Told {
        told(self.call(Method::GET, &format!("/sessions/{id}"))).await.unwrap()
    }

    async fn delete(&self, id: Uuid) -> Told {
        told(self.call(Method::DELETE, &format!("/sessions/{id}"))).await.unwrap()
    }

    async fn extend(&self, id: Uuid, seconds: i64) -> Told {
        let body = json!({"requestedAdditionalDuration": seconds});
        told(self.call(Method::POST, &format!("/sessions/{id}/extend")).json(&body)).await.unwrap()
    }

    fn pass(&self, seconds: i64) {
        self.admin.advance(SignedDuration::from_secs(seconds));
    }
}

async fn told(request: RequestBuilder) -> reqwest::Result<Told> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}

fn id_of(info: &Value) -> Uuid {
    info["sessionId"].as_str().unwrap().parse().unwrap()
}

fn code(told: &Told) -> (u16, &str) {
    (told.0, told.1["code"].as_str().unwrap_or_default())
}

/// A body that is accepted.
fn order(phone: &str) -> Value {
    json!({
        "device": {"phoneNumber": phone},
        "applicationServer": {"ipv4Address": "198.51.100.10"},
        "qosProfile": "QOS_E",
        "duration": 600
    })
}

/// The same with these fields in the place of its own; null removes one.
#[expect(clippy::needless_pass_by_value, reason = "reads best with a json! literal")]
fn order_with(changes: Value) -> Value {
    let mut body = order(PHONE);
    for (name, value) in changes.as_object().unwrap() {
        let fields = body.as_object_mut().unwrap();
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    body
}
