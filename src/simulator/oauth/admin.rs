//! What the admin API does with the OAuth endpoints, in the process and over HTTP.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::admin::read;
use super::super::handle::Admin;
use super::{Asked, Counts, Decision};

impl Admin {
    /// The CIBA authorizations that can still give a token, in the order in which they were asked for.
    pub fn authorizations(&self) -> Vec<Asked> {
        self.with(|provider, now| provider.oauth.authorizations.open(now))
    }

    /// The users of `device` (as [`Admin::authorizations`] shows it; none: of every one) say `decision` to what is asked and not
    /// yet decided, whatever the setting `consent` is; says how many authorizations that was.
    pub fn decide(&self, device: Option<&str>, decision: Decision) -> usize {
        self.with(|provider, now| provider.oauth.authorizations.decide(device, decision, now))
    }

    /// How often each grant came to each end.
    pub fn grant_counts(&self) -> Counts {
        self.with(|provider, _| provider.oauth.counts.clone())
    }
}

/// The routes under `/admin`.
pub(in super::super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/authorizations", get(authorizations))
        .route("/authorizations/approve", post(async |State(admin): State<Admin>, body: Bytes| decide(&admin, &body, true)))
        .route("/authorizations/deny", post(async |State(admin): State<Admin>, body: Bytes| decide(&admin, &body, false)))
}

async fn authorizations(State(admin): State<Admin>) -> Json<Value> {
    Json(json!({"open": admin.authorizations(), "counts": admin.grant_counts()}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Which {
    #[serde(default)]
    device: Option<String>,
}

fn decide(admin: &Admin, body: &[u8], yes: bool) -> Response {
    let (decision, what) = if yes { (Decision::Approved, "approved") } else { (Decision::Denied, "denied") };
    match read::<Which>(body) {
        Ok(Which { device }) => Json(json!({ what: admin.decide(device.as_deref(), decision) })).into_response(),
        Err(response) => *response,
    }
}
