//! The settings of the OAuth endpoints (`oauth` in the settings), and the clients that are registered.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::assertion;
pub use super::client::Client;
use crate::private::Private;

/// Telefónica's public sandbox client.
pub const DEFAULT_CLIENT_ID: &str = "mock_sandbox_app_id";
/// Its secret, equally public.
pub const DEFAULT_CLIENT_SECRET: &str = "mock_sandbox_app_secret";

/// How a client proves who it is, by the names of OpenID Connect Core section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// `client_secret_basic`: HTTP Basic.
    Basic,
    /// `client_secret_post`: in the form.
    Post,
    /// `private_key_jwt`: an assertion signed with its key.
    PrivateKeyJwt,
}

/// The grants that the token endpoint knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GrantType {
    /// RFC 6749 section 4.4: a two-legged token.
    ClientCredentials,
    /// OpenID CIBA in poll mode: a three-legged token.
    Ciba,
    /// RFC 7523 section 2.1 in CAMARA's profile: a three-legged token.
    JwtBearer,
    /// RFC 6749 section 6.
    RefreshToken,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ClientCredentials, Self::Ciba, Self::JwtBearer, Self::RefreshToken];

    /// Its name in the counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "clientCredentials",
            Self::Ciba => "ciba",
            Self::JwtBearer => "jwtBearer",
            Self::RefreshToken => "refreshToken",
        }
    }

    /// Its `grant_type`.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Ciba => "urn:openid:params:grant-type:ciba",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// What users say when they are asked for consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Consent {
    /// Yes, after `cibaPendingPolls`.
    Approve,
    /// Nothing, until the admin API says it for them.
    Wait,
    /// No, after `cibaPendingPolls`.
    Deny,
    /// `/bc-authorize` is refused with 403, since consent is given elsewhere and is not there.
    Refuse,
}

/// How a token's lifetime is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExpiresIn {
    /// `"expires_in": 3600`.
    #[default]
    Number,
    /// `"expires_in": "3600"`, as Orange has it.
    Text,
    /// Not at all; the token ends all the same.
    Absent,
    /// `"expires_in": 0`, although the token lives on.
    Zero,
}

/// The form of an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Errors {
    /// `{error, error_description}` (RFC 6749 section 5.2).
    #[default]
    Oauth,
    /// `{code: 400, message}` as in Telefónica's document: pending and denied look the same.
    Telefonica,
}

/// What is answered when an `auth_req_id` that gave a token already is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecondUse {
    /// `invalid_grant`.
    #[default]
    InvalidGrant,
    /// `invalid_request`.
    InvalidRequest,
}

/// What real providers do differently.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Quirks {
    /// How a token's lifetime is told.
    pub expires_in: ExpiresIn,
    /// The form of errors.
    pub errors: Errors,
    /// `request_id` in place of `auth_req_id`, as Telefónica's document requires.
    pub request_id: bool,
    /// A 401 is a page of HTML.
    pub html401: bool,
    /// Both endpoints answer 503, in HTML.
    pub unavailable: bool,
    /// What the second use of an `auth_req_id` is answered with.
    pub second_use: SecondUse,
}

/// The settings of the OAuth endpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OauthSettings {
    /// The registered clients; the whole list is replaced.
    pub clients: Vec<Client>,
    /// The grants that the token endpoint offers; any other is `unsupported_grant_type`.
    pub grants: BTreeSet<GrantType>,
    /// How long a token is taken, in seconds.
    pub token_lifetime_seconds: i64,
    /// Whether the scope `offline_access` brings a refresh token (CIBA only).
    pub refresh_tokens: bool,
    /// What users say when they are asked.
    pub consent: Consent,
    /// How many polls are answered `authorization_pending` before that.
    pub ciba_pending_polls: u32,
    /// The least time between two polls, in seconds; none: not told, and 5 is kept to (CIBA Core section 7.3).
    pub ciba_interval: Option<i64>,
    /// How long users have to answer, in seconds.
    pub ciba_expires_in: i64,
    /// Whether the scope of a three-legged token must name a purpose (`dpv:…`).
    pub purpose_required: bool,
    /// Whose phone number an `operatortoken:` stands for.
    pub operator_tokens: BTreeMap<Private<String>, Private<String>>,
    /// The URL, without a path, by which clients call if a proxy stands before the simulator: an assertion's `aud` may be that too.
    pub public_url: Option<String>,
    /// What real providers do differently.
    pub quirks: Quirks,
}

impl Default for OauthSettings {
    fn default() -> Self {
        let sandbox = Client { secret: Some(Private::from(DEFAULT_CLIENT_SECRET)), ..Client::new(DEFAULT_CLIENT_ID) };
        Self {
            clients: vec![sandbox],
            grants: GrantType::ALL.into(),
            token_lifetime_seconds: 3600,
            refresh_tokens: true,
            consent: Consent::Approve,
            ciba_pending_polls: 0,
            ciba_interval: Some(2),
            ciba_expires_in: 120,
            purpose_required: false,
            operator_tokens: BTreeMap::new(),
            public_url: None,
            quirks: Quirks::default(),
        }
    }
}

impl OauthSettings {
    /// The first field that makes no sense, and what it must be.
    pub(in super::super) fn flaw(&self) -> Option<(&'static str, &'static str)> {
        let sane = |seconds: i64| (1..=1_000_000_000).contains(&seconds);
        let ids: BTreeSet<&str> = self.clients.iter().map(|client| client.client_id.as_str()).collect();
        let keys = self.clients.iter().filter_map(|client| client.public_key_pem.as_deref());
        let rules = [
            ("oauth.tokenLifetimeSeconds", "1 or more", sane(self.token_lifetime_seconds)),
            ("oauth.cibaExpiresIn", "1 or more", sane(self.ciba_expires_in)),
            ("oauth.cibaInterval", "0 or more, or null", self.ciba_interval.is_none_or(|seconds| seconds == 0 || sane(seconds))),
            ("oauth.clients", "clients with different ids", ids.len() == self.clients.len() && !ids.contains("")),
            ("oauth.clients.publicKeyPem", "a public RSA or P-256 key in PEM form", keys.into_iter().all(assertion::is_key)),
            (
                "oauth.publicUrl",
                "null, or a URL without / at its end",
                self.public_url.as_ref().is_none_or(|url| !url.ends_with('/')),
            ),
        ];
        rules.into_iter().find(|(_, _, holds)| !holds).map(|(field, must, _)| (field, must))
    }
}
