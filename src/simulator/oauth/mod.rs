//! The provider's OAuth endpoints, `/bc-authorize` and `/token`: where a client's tokens come from.
//!
//! Sources: RFC 6749 (form, errors, Basic), RFC 7521 and 7523 (assertions), OpenID CIBA Core (poll mode), CAMARA's
//! Security-Interoperability profile (grants, private_key_jwt, login hints) and Telefónica's authorization document.
//!
//! [`perform`] decides: a request, what the simulator remembers and the time in, an answer out. [`http`] puts it behind the same
//! faults and the same log as the rest of the API. Neither prints a secret, a token, or whom it is for.

mod admin;
mod assertion;
mod ciba;
mod client;
mod form;
mod hint;
mod http;
mod refresh;
mod refusal;
mod scope;
pub mod settings;
mod token;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use self::assertion::Used;
use self::ciba::Authorizations;
use self::client::Client;
use self::form::Form;
use self::refresh::RefreshTokens;
use self::refusal::{Code, Refusal};
use super::settings::Settings;
use super::tokens::Tokens;
use crate::private::Private;

pub(super) use self::admin::routes as admin_routes;
pub use self::ciba::{Asked, Decision};
pub(super) use self::http::{injected, routes};

/// The two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `POST /bc-authorize` (CIBA Core section 7).
    Authorize,
    /// `POST /token` (RFC 6749 section 3.2).
    Token,
}

/// A request to one of them, without its body.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Which.
    pub(super) endpoint: Endpoint,
    /// The URL that was called, by the request's `Host`; none without one.
    pub(super) url: Option<String>,
    /// Its path.
    pub(super) path: String,
    /// Whether the body claims to be a form.
    pub(super) form: bool,
    /// The `Authorization` header.
    pub(super) authorization: Option<Private<String>>,
}

/// What the endpoints remember.
#[derive(Debug, Default)]
pub(super) struct State {
    authorizations: Authorizations,
    refresh: RefreshTokens,
    assertions: Used,
    counts: Counts,
}

/// How often each grant (`bcAuthorize` for that endpoint; `none` where no known grant was asked for) came to each end: `token`, `auth_req_id`, or an error's code. This is what
/// the endpoints decided, whether or not a fault kept it from the client.
pub type Counts = BTreeMap<&'static str, BTreeMap<&'static str, u64>>;

impl State {
    /// Forgets the refresh tokens, so that none is taken any more.
    pub(super) fn revoke_all(&mut self) {
        self.refresh = RefreshTokens::default();
    }
}

/// Everything that a decision rests on.
struct Desk<'a> {
    state: &'a mut State,
    tokens: &'a mut Tokens,
    settings: &'a Settings,
    now: Timestamp,
}

/// What the endpoint does with `request` and its `body` at `now`, and answers: a status, and JSON or (a text) HTML.
pub(super) fn perform(
    request: &Request,
    body: &[u8],
    state: &mut State,
    tokens: &mut Tokens,
    settings: &Settings,
    now: Timestamp,
) -> (u16, Value) {
    let quirks = &settings.oauth.quirks;
    if quirks.unavailable {
        return (503, refusal::page(503));
    }
    let mut desk = Desk { state, tokens, settings, now };
    let form = if request.form { Form::parse(body) } else { Err(Refusal::new(Code::InvalidRequest, "the body must be a form")) };
    let name = match (request.endpoint, &form) {
        (Endpoint::Authorize, _) => "bcAuthorize",
        (Endpoint::Token, Ok(form)) => token::grant_of(form).map_or("none", settings::GrantType::name),
        (Endpoint::Token, Err(_)) => "none",
    };
    let done = form.and_then(|form| match request.endpoint {
        Endpoint::Authorize => desk.authorize(request, &form).map(|body| ("auth_req_id", body)),
        Endpoint::Token => desk.token(request, &form).map(|body| ("token", body)),
    });
    let end = done.as_ref().map_or_else(|refusal| refusal.code.name(), |(end, _)| *end);
    *desk.state.counts.entry(name).or_default().entry(end).or_default() += 1;
    match done {
        Ok((_, body)) => (200, body),
        Err(refusal) => refusal.told(request.endpoint, quirks),
    }
}

impl Desk<'_> {
    /// The client that sent `request`, by exactly one way to prove it.
    fn client(&mut self, request: &Request, form: &Form) -> Result<Client, Refusal> {
        client::authenticate(request, form, &self.settings.oauth, &mut self.state.assertions, self.now)
    }

    /// `/bc-authorize` (CIBA Core section 7): asks a device's user for consent.
    fn authorize(&mut self, request: &Request, form: &Form) -> Result<Value, Refusal> {
        let client = self.client(request, form)?;
        client.may(settings::GrantType::Ciba)?;
        if form.get("request").is_some() {
            return Err(Refusal::new(Code::InvalidRequest, "signed authentication requests are not taken"));
        }
        if ["login_hint_token", "id_token_hint"].iter().any(|other| form.get(other).is_some()) {
            return Err(Refusal::new(Code::InvalidRequest, "exactly one hint is needed, and it must be login_hint"));
        }
        let hint = form.get("login_hint").ok_or(Refusal::new(Code::InvalidRequest, "login_hint is missing"))?;
        let scope = form.get("scope").ok_or(Refusal::new(Code::InvalidRequest, "scope is missing"))?;
        let oauth = &self.settings.oauth;
        scope::check(scope, &client, oauth, scope::Legs::Three)?;
        let device = hint::device(hint, self.settings)?;
        if oauth.consent == settings::Consent::Refuse {
            return Err(Refusal::new(Code::AccessDenied, "the user has not consented"));
        }
        let id = self.state.authorizations.ask(client.client_id, scope.to_owned(), device, oauth, self.now);
        let field = if oauth.quirks.request_id { "request_id" } else { "auth_req_id" };
        let mut body = serde_json::json!({"expires_in": oauth.ciba_expires_in});
        body[field] = Value::String(id);
        if let Some(interval) = oauth.ciba_interval {
            body["interval"] = interval.into();
        }
        Ok(body)
    }
}

/// A new secret of 256 random bits.
fn fresh() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
