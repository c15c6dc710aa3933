//! Who calls: the registered clients, and the ways to prove to be one.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Request;
use super::assertion::{self, Used};
use super::form::{Form, decode};
use super::refusal::{Code, Refusal};
use super::settings::{GrantType, Method, OauthSettings};
use crate::private::Private;

/// A client as the provider has registered it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Client {
    /// Its `client_id`; sessions belong to it.
    pub client_id: String,
    /// Its secret, for Basic and the form; none: it has no such way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Private<String>>,
    /// Its public key, for private_key_jwt and JWT bearer: RSA (RS256, PS256) or P-256 (ES256), in PEM form (`PUBLIC KEY`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_pem: Option<String>,
    /// How it may authenticate; none: in every way for which it has what it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<BTreeSet<Method>>,
    /// The grants that it may use; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<BTreeSet<GrantType>>,
    /// The scopes that it may have, besides `openid`, `offline_access` and bare purposes; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<BTreeSet<String>>,
}

impl Client {
    /// A client that may do everything, but has nothing yet to prove who it is.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self { client_id: client_id.into(), secret: None, public_key_pem: None, methods: None, grants: None, scopes: None }
    }

    /// Refuses a grant that is not for it.
    pub(super) fn may(&self, grant: GrantType) -> Result<(), Refusal> {
        let allowed = self.grants.as_ref().is_none_or(|grants| grants.contains(&grant));
        if allowed { Ok(()) } else { Err(Refusal::new(Code::UnauthorizedClient, "the client may not use this grant")) }
    }

    fn has_secret(&self, method: Method, secret: &str) -> bool {
        self.allows(method) && self.secret.as_ref().is_some_and(|own| own.expose() == secret)
    }

    fn allows(&self, method: Method) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(&method))
    }
}

/// The `client_assertion_type` of private_key_jwt (RFC 7523 section 2.2).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client of `request`, which must have authenticated in exactly one way (RFC 6749 section 2.3).
pub(super) fn authenticate(
    request: &Request,
    form: &Form,
    settings: &OauthSettings,
    used: &mut Used,
    now: Timestamp,
) -> Result<Client, Refusal> {
    exactly_one(request, form)?;
    let client = if let Some(header) = &request.authorization {
        let (id, secret) = basic(header.expose()).ok_or(Refusal::client())?;
        registered(&id, settings).filter(|client| client.has_secret(Method::Basic, secret.expose()))
    } else if let Some(jwt) = form.get("client_assertion") {
        by_assertion(request, form, jwt, settings, used, now)
    } else {
        let secret = form.get("client_secret").ok_or(Refusal::client())?;
        let id = form.get("client_id").ok_or(Refusal::client())?;
        registered(id, settings).filter(|client| client.has_secret(Method::Post, secret))
    };
    // A client_id beside any of them must be the same (RFC 7521 section 4.2).
    let client = client.filter(|client| form.get("client_id").is_none_or(|id| id == client.client_id));
    client.cloned().ok_or(Refusal::client())
}

/// The client with this id.
pub(super) fn registered<'a>(id: &str, settings: &'a OauthSettings) -> Option<&'a Client> {
    settings.clients.iter().find(|client| client.client_id == id)
}

/// Refuses a request that authenticates in more than one way (RFC 6749 section 5.2: invalid_request).
fn exactly_one(request: &Request, form: &Form) -> Result<(), Refusal> {
    let assertion = form.get("client_assertion").is_some() || form.get("client_assertion_type").is_some();
    let ways = [request.authorization.is_some(), form.get("client_secret").is_some(), assertion];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        return Err(Refusal::new(Code::InvalidRequest, "the client authenticates in more than one way"));
    }
    Ok(())
}

/// Whether `request` tries to authenticate beside a JWT bearer assertion, which is the authentication itself.
pub(super) fn tries(request: &Request, form: &Form) -> bool {
    request.authorization.is_some()
        || ["client_secret", "client_assertion", "client_assertion_type"].iter().any(|name| form.get(name).is_some())
}

/// Id and secret of HTTP Basic, each form-encoded within (RFC 6749 section 2.3.1).
fn basic(header: &str) -> Option<(String, Private<String>)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((decode(id)?, Private::new(decode(secret)?)))
}

/// The client of a `client_assertion` (RFC 7523 section 3, CAMARA's profile).
fn by_assertion<'a>(
    request: &Request,
    form: &Form,
    jwt: &str,
    settings: &'a OauthSettings,
    used: &mut Used,
    now: Timestamp,
) -> Option<&'a Client> {
    if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
        return None;
    }
    let client = registered(&assertion::issuer(jwt)?, settings).filter(|client| client.allows(Method::PrivateKeyJwt))?;
    let claims = assertion::verified(jwt, client.public_key_pem.as_deref()?)?;
    let good = claims.sub.expose() == &client.client_id && claims.is_for(request, settings) && claims.is_timely(now);
    (good && used.first(&claims, now)).then_some(client)
}
