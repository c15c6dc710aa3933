//! Every way in: each kind of `spec.auth` against the simulator's token endpoints, with an operator on a real API server.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod clients;
mod consent;
mod counts;
mod methods;
mod pace;
mod refusals;
mod revoked;
mod scopes;

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use qos_operator::api::{QosProviderStatus, QosSession, QosSessionStatus};
use qos_operator::simulator::generation::Generation;
use qos_operator::simulator::oauth::settings::{Client, GrantType};
use qos_operator::simulator::settings::Operation;
use serde_json::{Value, json};

use crate::auth::keys::Key;
use crate::support::stage::Stage;

/// The client's id, and characters in its secret that mean something in a form.
const CLIENT: &str = "app:7";
const SECRET: &str = "s3cr&t=+ %";
/// The Secret with both.
const CREDENTIALS: &str = "provider-credentials";
/// A phone that the tests use where one is enough.
const PHONE: &str = "+447700900112";
/// Everything that the API asks for from 0.11 on.
pub(crate) const SCOPE: &str = "quality-on-demand:sessions:create quality-on-demand:sessions:read quality-on-demand:sessions:update \
                     quality-on-demand:sessions:delete quality-on-demand:sessions:retrieve-by-device qos-profiles:read";

/// The kinds of `spec.auth` that ask for tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grant {
    ClientCredentials,
    Ciba,
    JwtBearer,
}

/// How the client proves who it is.
enum Proof {
    Basic,
    Post,
    /// With `algorithm` as in the Secret.
    Key(Key, &'static str),
}

/// One way in: what the provider object, its Secret and the client's registration at the provider say.
struct Way {
    grant: Grant,
    proof: Proof,
    /// None: Telefónica's 0.10, without callbacks.
    generation: Option<Generation>,
    scope: String,
    operation_scopes: Option<Value>,
    /// Where the token endpoints are; none: the simulator's own URL.
    oauth_url: Option<String>,
}

impl Way {
    /// With the 1.1 of CAMARA.
    fn new(grant: Grant, proof: Proof) -> Self {
        let purpose = if grant == Grant::ClientCredentials { "" } else { "dpv:RequestedServiceProvision " };
        Self {
            grant,
            proof,
            generation: Some(Generation::V1_1),
            scope: format!("{purpose}{SCOPE}"),
            operation_scopes: None,
            oauth_url: None,
        }
    }

    /// With Telefónica's 0.10.
    fn of_telefonica(grant: Grant, proof: Proof) -> Self {
        let scope = if grant == Grant::ClientCredentials { "qod" } else { "dpv:RequestedServiceProvision#qod" };
        Self { generation: None, scope: scope.to_owned(), ..Self::new(grant, proof) }
    }

    /// The client as the provider has registered it.
    fn client(&self) -> Client {
        let mut client = Client::new(CLIENT);
        match &self.proof {
            Proof::Basic | Proof::Post => client.secret = Some(SECRET.into()),
            Proof::Key(key, _) => client.public_key_pem = Some(key.public_pem().to_owned()),
        }
        client
    }

    /// Registers the client and applies its Secret and the provider; no operator yet.
    async fn stage(&self, prefix: &str) -> Stage {
        let mut stage = Stage::bare(prefix).await;
        if self.generation.is_some() {
            stage.callback = Some("https://qos.example.com/notify".parse().unwrap());
        }
        register(&stage, self.client()).await;
        self.apply_secret(&stage).await;
        self.apply_provider(&stage).await;
        stage
    }

    /// The same, and the operator runs.
    async fn started(&self, prefix: &str) -> Stage {
        let mut stage = self.stage(prefix).await;
        stage.start().await;
        stage
    }

    async fn apply_secret(&self, stage: &Stage) {
        match &self.proof {
            Proof::Basic | Proof::Post => apply_secret(stage, CLIENT, SECRET).await,
            Proof::Key(key, algorithm) => {
                let entries =
                    [("client-id", CLIENT), ("private-key", key.private_pem()), ("key-id", "key-1"), ("algorithm", algorithm)];
                stage.secret_of(CREDENTIALS, &entries).await;
            }
        }
    }

    async fn apply_provider(&self, stage: &Stage) {
        let oauth = self.oauth_url.clone().unwrap_or_else(|| stage.oauth_url());
        let mut settings = json!({
            "tokenURL": format!("{oauth}/token"),
            "scope": self.scope,
            "clientSecretRef": { "name": CREDENTIALS },
        });
        if let Some(scopes) = &self.operation_scopes {
            settings["operationScopes"] = scopes.clone();
        }
        let kind = match self.grant {
            Grant::ClientCredentials => "clientCredentials",
            Grant::Ciba => {
                settings["authorizeURL"] = format!("{oauth}/bc-authorize").into();
                "ciba"
            }
            Grant::JwtBearer => "jwtBearer",
        };
        if self.grant != Grant::JwtBearer {
            let method = match self.proof {
                Proof::Basic => "Basic",
                Proof::Post => "Post",
                Proof::Key(..) => "PrivateKeyJwt",
            };
            settings["clientAuthentication"] = method.into();
        }
        let api = self.generation.map_or_else(|| json!({}), |generation| stage.api_of(generation));
        let mut auth = json!({ "staticToken": null });
        auth[kind] = settings;
        stage.provider(json!({ "api": api, "auth": auth, "polling": { "availablePeriodSeconds": 60 } })).await;
    }
}

/// Client credentials with Basic.
fn basic() -> Way {
    Way::new(Grant::ClientCredentials, Proof::Basic)
}

/// CIBA with Basic.
fn ciba() -> Way {
    Way::new(Grant::Ciba, Proof::Basic)
}

/// Applies the Secret of a client with a secret.
async fn apply_secret(stage: &Stage, id: &str, secret: &str) {
    stage.secret_of(CREDENTIALS, &[("client-id", id), ("client-secret", secret)]).await;
}

/// The provider knows that client from now on.
async fn register(stage: &Stage, client: Client) {
    stage.admin.change(|settings| settings.oauth.clients.push(client)).await.unwrap();
}

/// How often a grant was answered with `end`: `token`, `auth_req_id`, or an error's code.
fn ended(stage: &Stage, grant: GrantType, end: &str) -> u64 {
    stage.admin.grant_counts().get(grant.name()).and_then(|ends| ends.get(end)).copied().unwrap_or(0)
}

/// How many subscribers were asked for consent.
fn asked(stage: &Stage) -> u64 {
    stage.calls(Operation::Authorize)
}

/// All calls but those for tokens.
fn api_calls(stage: &Stage) -> u64 {
    let counts = stage.admin.request_counts();
    let of_api = counts.iter().filter(|(operation, _)| !matches!(operation, Operation::Authorize | Operation::Token));
    of_api.flat_map(|(_, statuses)| statuses.values()).sum()
}

fn status(object: &QosSession) -> QosSessionStatus {
    object.status.clone().unwrap_or_default()
}

/// Status, reason and message of the provider's condition Ready.
fn ready_of(status: &QosProviderStatus) -> (String, String, String) {
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    ready.map(|c| (c.status.clone(), c.reason.clone(), c.message.clone())).unwrap_or_default()
}

/// Waits until the provider is Ready, or not, for that reason; gives the message.
async fn provider_ready(stage: &Stage, status: &str, reason: &str) -> String {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let (is, why, message) = ready_of(&stage.provider_status().await);
        if (is.as_str(), why.as_str()) == (status, reason) {
            return message;
        }
        assert!(tokio::time::Instant::now() < deadline, "the provider is {is} {why}, not {status} {reason}: {message}");
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
}

/// The Events on an object: type, reason, action.
async fn actions(stage: &Stage, name: &str) -> Vec<(String, String, String)> {
    let events: Api<Event> = Api::namespaced(stage.client.clone(), &stage.namespace);
    let list = events.list(&ListParams::default()).await.unwrap().items;
    let of_it = list.into_iter().filter(|event| event.regarding.as_ref().is_some_and(|r| r.name.as_deref() == Some(name)));
    of_it
        .map(|event| (event.type_.unwrap_or_default(), event.reason.unwrap_or_default(), event.action.unwrap_or_default()))
        .collect()
}

/// Whether the Event was written; Events follow the status.
async fn has_event(stage: &Stage, name: &str, event: (&str, &str, &str)) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let all = actions(stage, name).await;
        if all.iter().any(|(kind, reason, action)| (kind.as_str(), reason.as_str(), action.as_str()) == event) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{event:?} is not among {all:?}");
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
}

/// What people can read of the session and the provider: statuses and Events. None of `hidden` may be in it.
async fn shows_nothing_of(stage: &Stage, name: &str, hidden: &[&str]) {
    let object = stage.get(name).await.unwrap();
    let texts = [
        serde_json::to_string(&object.status).unwrap(),
        serde_json::to_string(&stage.provider_status().await).unwrap(),
        format!("{:?}", stage.events(name).await),
        format!("{:?}", stage.events(stage.provider_name()).await),
    ];
    for text in texts {
        for hidden in hidden {
            assert!(!text.contains(hidden), "{hidden:?} is in {text}");
        }
    }
}
