//! The tokens that the API takes, and what each stands for.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::jiff::Timestamp;

use super::device::Device;
use crate::private::Private;

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The API client that it was given to.
    pub client: String,
    /// The scopes that it holds; none: every scope (a token that somebody put there by hand).
    pub scopes: Option<BTreeSet<String>>,
    /// The device of a three-legged token; none: a two-legged one.
    pub subject: Option<Device>,
    /// When it ends; none: never.
    pub expires_at: Option<Timestamp>,
}

impl Grant {
    /// A two-legged token of `client` for everything, without end.
    pub fn of(client: impl Into<String>) -> Self {
        Self { client: client.into(), scopes: None, subject: None, expires_at: None }
    }

    /// Whether it holds that scope.
    pub fn has(&self, scope: &str) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope))
    }
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// There is none, or it was never given out, or it was revoked.
    Unknown,
    /// Its time is over.
    Expired,
}

/// All tokens that are taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(HashMap<Private<String>, Grant>);

impl Tokens {
    /// Takes `token` for what `grant` says.
    pub(super) fn accept(&mut self, token: Private<String>, grant: Grant) {
        self.0.insert(token, grant);
    }

    /// Takes `token` no longer; says whether it was taken.
    pub(super) fn revoke(&mut self, token: &Private<String>) -> bool {
        self.0.remove(token).is_some()
    }

    /// Takes no token any more.
    pub(super) fn revoke_all(&mut self) {
        self.0.clear();
    }

    /// What `token` stands for.
    pub(super) fn grant(&self, token: Option<&Private<String>>, now: Timestamp) -> Result<&Grant, Rejected> {
        let grant = token.and_then(|token| self.0.get(token)).ok_or(Rejected::Unknown)?;
        if grant.expires_at.is_some_and(|end| end <= now) { Err(Rejected::Expired) } else { Ok(grant) }
    }
}

impl FromIterator<(Private<String>, String)> for Tokens {
    fn from_iter<I: IntoIterator<Item = (Private<String>, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(token, client)| (token, Grant::of(client))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_until_its_end_and_only_for_its_scopes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let scopes = Some(BTreeSet::from(["qod".to_owned()]));
        let mut tokens = Tokens::default();
        let token = Private::from("t");
        tokens.accept(token.clone(), Grant { scopes, expires_at: Some(at(10)), ..Grant::of("a") });
        let grant = tokens.grant(Some(&token), at(9)).unwrap();
        assert!(grant.has("qod") && !grant.has("qod-sessions-read"));
        assert_eq!(tokens.grant(Some(&token), at(10)), Err(Rejected::Expired));
        assert_eq!(tokens.grant(None, at(9)), Err(Rejected::Unknown));
        assert!(tokens.revoke(&token) && !tokens.revoke(&token));
        assert_eq!(tokens.grant(Some(&token), at(9)), Err(Rejected::Unknown));
    }
}
