//! The token endpoint: each grant's rules, and the tokens that come of them.

use serde_json::{Value, json};

use super::super::device::Device;
use super::super::session::seconds_later;
use super::super::tokens::Grant;
use super::client::{self, Client};
use super::form::Form;
use super::refresh::Refresh;
use super::refusal::{Code, Refusal};
use super::scope::{self, Legs};
use super::settings::{Consent, ExpiresIn, GrantType};
use super::{Desk, Request, assertion, fresh, hint};
use crate::private::Private;

/// The grant that `form` asks for, if it is one that is known.
pub(super) fn grant_of(form: &Form) -> Option<GrantType> {
    let asked = form.get("grant_type")?;
    GrantType::ALL.into_iter().find(|grant| grant.uri() == asked)
}

fn required<'a>(form: &'a Form, name: &str, why: &'static str) -> Result<&'a str, Refusal> {
    form.get(name).ok_or(Refusal::new(Code::InvalidRequest, why))
}

impl Desk<'_> {
    /// `/token` (RFC 6749 section 3.2).
    pub(super) fn token(&mut self, request: &Request, form: &Form) -> Result<Value, Refusal> {
        required(form, "grant_type", "grant_type is missing")?;
        let grant = grant_of(form).filter(|grant| self.settings.oauth.grants.contains(grant));
        if grant == Some(GrantType::JwtBearer) {
            return self.jwt_bearer(request, form);
        }
        // First who calls, so that a stranger learns nothing of what is offered.
        let client = self.client(request, form)?;
        let grant = grant.ok_or(Refusal::new(Code::UnsupportedGrantType, "this grant is not offered"))?;
        client.may(grant)?;
        match grant {
            GrantType::ClientCredentials => self.client_credentials(form, &client),
            GrantType::Ciba => self.ciba(form, client),
            GrantType::RefreshToken => self.refresh(form, &client),
            // Was seen to above.
            GrantType::JwtBearer => self.jwt_bearer(request, form),
        }
    }

    /// RFC 6749 section 4.4. Without a scope it fails as section 3.3 has it, since CAMARA requires one.
    fn client_credentials(&mut self, form: &Form, client: &Client) -> Result<Value, Refusal> {
        let scope = form.get("scope").ok_or(Refusal::new(Code::InvalidScope, "scope is missing"))?;
        scope::check(scope, client, &self.settings.oauth, Legs::Two)?;
        Ok(self.issue(&client.client_id, scope, None))
    }

    /// CIBA Core section 10.
    fn ciba(&mut self, form: &Form, client: Client) -> Result<Value, Refusal> {
        let id = required(form, "auth_req_id", "auth_req_id is missing")?;
        let oauth = &self.settings.oauth;
        let approved = self.state.authorizations.poll(id, &client.client_id, oauth, self.now)?;
        let mut body = self.issue(&client.client_id, &approved.scope, Some(approved.device.clone()));
        if oauth.refresh_tokens && scope::offline(&approved.scope) && client.may(GrantType::RefreshToken).is_ok() {
            let refresh = Refresh::new(client.client_id, approved.scope, approved.device);
            body["refresh_token"] = Value::String(self.state.refresh.issue(refresh));
        }
        Ok(body)
    }

    /// RFC 7523 section 2.1 in CAMARA's profile: the assertion is the client's authentication too. What is wrong with it is
    /// invalid_grant (section 3.1); an issuer that is no client is invalid_client.
    fn jwt_bearer(&mut self, request: &Request, form: &Form) -> Result<Value, Refusal> {
        let jwt = required(form, "assertion", "assertion is missing")?;
        if client::tries(request, form) {
            return Err(Refusal::new(Code::InvalidRequest, "the assertion is the only authentication of this grant"));
        }
        if form.get("scope").is_some() {
            return Err(Refusal::new(Code::InvalidRequest, "the scope of this grant is a claim, not a parameter"));
        }
        let refused = |why| Refusal::new(Code::InvalidGrant, why);
        let oauth = &self.settings.oauth;
        let issuer = assertion::issuer(jwt).ok_or(refused("the assertion is no JWT with an issuer"))?;
        let client = client::registered(&issuer, oauth).ok_or(Refusal::client())?;
        if form.get("client_id").is_some_and(|id| id != client.client_id) {
            return Err(Refusal::client());
        }
        let key = client.public_key_pem.as_deref().ok_or(refused("the assertion is not signed with the client's key"))?;
        let claims =
            assertion::verified(jwt, key).ok_or(refused("the assertion lacks a claim, or the signature of the client's key"))?;
        client.may(GrantType::JwtBearer)?;
        if !claims.is_for(request, oauth) {
            return Err(refused("the assertion is for another audience"));
        }
        if !claims.is_timely(self.now) {
            return Err(refused("the assertion is over, not yet good, or good for too long"));
        }
        if !self.state.assertions.first(&claims, self.now) {
            return Err(refused("the assertion was used before"));
        }
        let scope = claims.scope.as_deref().ok_or(Refusal::new(Code::InvalidScope, "the scope claim is missing"))?;
        scope::check(scope, client, oauth, Legs::Three)?;
        let device = hint::subject(claims.sub.expose(), self.settings).ok_or(refused("the subject is no known device"))?;
        if oauth.consent != Consent::Approve {
            return Err(refused("the user has not consented"));
        }
        Ok(self.issue(&client.client_id, scope, Some(device)))
    }

    /// RFC 6749 section 6: the same scope or less of it, and a new refresh token for the old one.
    fn refresh(&mut self, form: &Form, client: &Client) -> Result<Value, Refusal> {
        let token = required(form, "refresh_token", "refresh_token is missing")?;
        let refresh = self.state.refresh.get(token, &client.client_id)?;
        let scope = form.get("scope").unwrap_or(&refresh.scope);
        scope::check(scope, client, &self.settings.oauth, Legs::Two)?;
        if !scope.split(' ').all(|one| refresh.scope.split(' ').any(|had| had == one)) {
            return Err(Refusal::new(Code::InvalidScope, "the user has not consented to this scope"));
        }
        let mut body = self.issue(&client.client_id, scope, Some(refresh.device));
        body["refresh_token"] = self.state.refresh.rotate(token).into();
        Ok(body)
    }

    /// A new token, and the answer that tells of it (RFC 6749 section 5.1).
    fn issue(&mut self, client: &str, scope: &str, subject: Option<Device>) -> Value {
        let lifetime = self.settings.oauth.token_lifetime_seconds;
        let (scopes, expires_at) = (Some(scope::granted(scope)), Some(seconds_later(self.now, lifetime)));
        let token = fresh();
        self.tokens.accept(Private::new(token.clone()), Grant { client: client.to_owned(), scopes, subject, expires_at });
        let mut body = json!({"access_token": token, "token_type": "Bearer", "scope": scope});
        match self.settings.oauth.quirks.expires_in {
            ExpiresIn::Number => body["expires_in"] = lifetime.into(),
            ExpiresIn::Text => body["expires_in"] = lifetime.to_string().into(),
            ExpiresIn::Zero => body["expires_in"] = 0.into(),
            ExpiresIn::Absent => {}
        }
        body
    }
}
