//! How the operator logs in at a provider.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// A Secret of the operator's namespace.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretNameRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::NAME))]
    pub name: String,
}

/// How to log in.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.staticToken), has(self.clientCredentials), has(self.ciba), has(self.jwtBearer)].filter(x, x).size() == 1"
).message("choose exactly one of staticToken, clientCredentials, ciba, jwtBearer"))]
pub struct ProviderAuth {
    /// A bearer token that somebody put into a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub static_token: Option<StaticToken>,

    /// OAuth 2.0 client credentials (RFC 6749, section 4.4): a token of the client alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_credentials: Option<ClientCredentials>,

    /// Client-initiated backchannel authentication (OpenID CIBA, poll mode): a token for the device of each session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ciba: Option<Ciba>,

    /// A signed assertion as grant (RFC 7523): a token for the device of each session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt_bearer: Option<JwtBearer>,
}

/// A bearer token from a Secret.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaticToken {
    /// The Secret, in the operator's namespace. Surrounding white space of the token is ignored.
    pub token_secret_ref: TokenSecretRef,
}

/// One key of a Secret that holds a token.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenSecretRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::NAME))]
    pub name: String,

    /// Key in the Secret.
    #[serde(default = "token_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::SECRET_KEY))]
    pub key: String,
}

impl Default for TokenSecretRef {
    fn default() -> Self {
        Self { name: String::new(), key: token_key() }
    }
}

fn token_key() -> String {
    "token".to_owned()
}

/// OAuth 2.0 client credentials.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::url("tokenURL"))]
pub struct ClientCredentials {
    /// Token endpoint.
    #[serde(rename = "tokenURL")]
    #[schemars(length(max = 512))]
    pub token_url: String,

    /// Scopes, separated by one space.
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub scope: String,

    /// Scopes of single operations, where the provider wants one for each. An operation without any uses `scope`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_scopes: Option<OperationScopes>,

    /// How the client authenticates: Basic (header), Post (body) or `PrivateKeyJwt` (signed assertion).
    #[serde(default)]
    pub client_authentication: ClientAuthentication,

    /// The Secret with key `client-id`, and `client-secret`, or `private-key` (PEM: RSA, or P-256 in PKCS #8) and optionally `key-id`
    /// and `algorithm` (RS256, PS256 or ES256; absent: RS256 for an RSA key, ES256 for a P-256 key).
    pub client_secret_ref: SecretNameRef,
}

/// Client-initiated backchannel authentication.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::url("authorizeURL"), validation = rules::url("tokenURL"))]
pub struct Ciba {
    /// Backchannel authentication endpoint.
    #[serde(rename = "authorizeURL")]
    #[schemars(length(max = 512))]
    pub authorize_url: String,

    /// Token endpoint.
    #[serde(rename = "tokenURL")]
    #[schemars(length(max = 512))]
    pub token_url: String,

    /// Scopes, separated by one space.
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub scope: String,

    /// Scopes of single operations, where the provider wants one for each. An operation without any uses `scope`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_scopes: Option<OperationScopes>,

    /// How the client authenticates: Basic (header), Post (body) or `PrivateKeyJwt` (signed assertion).
    #[serde(default)]
    pub client_authentication: ClientAuthentication,

    /// The Secret with key `client-id`, and `client-secret`, or `private-key` (PEM: RSA, or P-256 in PKCS #8) and optionally `key-id`
    /// and `algorithm` (RS256, PS256 or ES256; absent: RS256 for an RSA key, ES256 for a P-256 key).
    pub client_secret_ref: SecretNameRef,
}

/// A signed assertion as grant.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::url("tokenURL"))]
pub struct JwtBearer {
    /// Token endpoint.
    #[serde(rename = "tokenURL")]
    #[schemars(length(max = 512))]
    pub token_url: String,

    /// Scopes, separated by one space. They stand in the assertion.
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub scope: String,

    /// Scopes of single operations, where the provider wants one for each. An operation without any uses `scope`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_scopes: Option<OperationScopes>,

    /// The Secret with the keys `client-id`, `private-key` (PEM: RSA, or P-256 in PKCS #8) and optionally `key-id` and `algorithm`
    /// (RS256, PS256 or ES256; absent: RS256 for an RSA key, ES256 for a P-256 key).
    pub client_secret_ref: SecretNameRef,
}

/// Scopes by the operationId of CAMARA's specifications.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationScopes {
    /// Of `POST /sessions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub create_session: Option<String>,

    /// Of `GET /sessions/{sessionId}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub get_session: Option<String>,

    /// Of `DELETE /sessions/{sessionId}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub delete_session: Option<String>,

    /// Of `POST /sessions/{sessionId}/extend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub extend_qos_session_duration: Option<String>,

    /// Of `POST /retrieve-sessions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub retrieve_sessions_by_device: Option<String>,

    /// Of `GET /qos-profiles`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub get_qos_profiles: Option<String>,

    /// Of `GET /qos-profiles/{name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub get_qos_profile: Option<String>,

    /// Of `POST /retrieve-qos-profiles`.
    #[serde(rename = "retrieveQoSProfiles", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = rules::SCOPE))]
    pub retrieve_qos_profiles: Option<String>,
}

/// How a client authenticates at the token endpoint: Basic, Post or `PrivateKeyJwt`.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClientAuthentication {
    /// In the `Authorization` header.
    #[default]
    Basic,
    /// In the body.
    Post,
    /// By a signed assertion (RFC 7523).
    PrivateKeyJwt,
}
