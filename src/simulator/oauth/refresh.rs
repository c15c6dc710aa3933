//! Refresh tokens (RFC 6749 section 6), each good for one use (RFC 9700 section 4.14).

use std::collections::HashMap;

use uuid::Uuid;

use super::super::device::Device;
use super::fresh;
use super::refusal::{Code, Refusal};
use crate::private::Private;

/// What a refresh token stands for.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) client: String,
    /// The scope that the user consented to.
    pub(super) scope: String,
    pub(super) device: Device,
    /// The consent that it comes from, through however many rotations.
    family: Uuid,
    used: bool,
}

impl Refresh {
    /// The first of a consent.
    pub(super) fn new(client: String, scope: String, device: Device) -> Self {
        Self { client, scope, device, family: Uuid::new_v4(), used: false }
    }
}

/// All refresh tokens.
#[derive(Debug, Default)]
pub(super) struct RefreshTokens(HashMap<Private<String>, Refresh>);

impl RefreshTokens {
    /// A token for `refresh`.
    pub(super) fn issue(&mut self, refresh: Refresh) -> String {
        let token = fresh();
        self.0.insert(Private::new(token.clone()), refresh);
        token
    }

    /// What `token` of `client` stands for; it is not used yet.
    pub(super) fn get(&mut self, token: &str, client: &str) -> Result<Refresh, Refusal> {
        let refused = Refusal::new(Code::InvalidGrant, "the refresh token is not valid");
        let found = self.0.get(&Private::from(token)).filter(|refresh| refresh.client == client).ok_or(refused)?.clone();
        if found.used {
            // Somebody has a copy: nothing that comes from this consent can be trusted.
            self.0.retain(|_, other| other.family != found.family);
            return Err(refused);
        }
        Ok(found)
    }

    /// Uses `token` up and gives the next one.
    pub(super) fn rotate(&mut self, token: &str) -> Option<String> {
        let old = self.0.get_mut(&Private::from(token))?;
        let next = old.clone();
        old.used = true;
        Some(self.issue(next))
    }
}
