//! Authorizations that were asked for at `/bc-authorize` (OpenID CIBA Core, poll mode), until they give a token.

use std::collections::HashMap;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::super::device::Device;
use super::super::session::seconds_later;
use super::fresh;
use super::refusal::{Code, Refusal};
use super::settings::{Consent, OauthSettings, SecondUse};
use crate::clock::later;
use crate::private::Private;

/// The interval where none was told (CIBA Core section 7.3).
const USUAL_INTERVAL: i64 = 5;
/// What each poll that comes too soon adds to the interval (CIBA Core section 11).
const SLOWER: i64 = 5;
/// How long an authorization that nobody answered is remembered as expired.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// What a user said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Yes.
    Approved,
    /// No.
    Denied,
}

/// An authorization as the admin API shows it: neither its id, by which a token is had, nor whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The client that asked.
    pub client: String,
    /// The device, masked (`phone …123`).
    pub device: String,
    /// The scope asked for.
    pub scope: String,
    /// When it was asked for (RFC 3339, on the simulator's clock).
    pub since: String,
    /// Until when it can be answered.
    pub until: String,
    /// How often the client polled.
    pub polls: u32,
    /// What was said; none: nothing yet.
    pub decision: Option<Decision>,
}

#[derive(Debug)]
struct Authorization {
    client: String,
    scope: String,
    device: Device,
    since: Timestamp,
    until: Timestamp,
    interval: i64,
    polls: u32,
    pending_answers: u32,
    last_poll: Option<Timestamp>,
    decision: Option<Decision>,
    used: bool,
}

/// What an approved authorization gives.
#[derive(Debug)]
pub(super) struct Approved {
    pub(super) scope: String,
    pub(super) device: Device,
}

/// All authorizations, by their `auth_req_id`.
#[derive(Debug, Default)]
pub(super) struct Authorizations(HashMap<Private<String>, Authorization>);

impl Authorizations {
    /// Asks the user of `device`; gives the `auth_req_id`.
    pub(super) fn ask(
        &mut self,
        client: String,
        scope: String,
        device: Device,
        settings: &OauthSettings,
        now: Timestamp,
    ) -> String {
        self.0.retain(|_, one| now < later(one.until, REMEMBERED));
        let authorization = Authorization {
            client,
            scope,
            device,
            since: now,
            until: seconds_later(now, settings.ciba_expires_in),
            interval: settings.ciba_interval.unwrap_or(USUAL_INTERVAL),
            polls: 0,
            pending_answers: 0,
            last_poll: None,
            decision: None,
            used: false,
        };
        let id = fresh();
        self.0.insert(Private::new(id.clone()), authorization);
        id
    }

    /// `client` asks for the token of `id` (CIBA Core sections 10 and 11).
    pub(super) fn poll(&mut self, id: &str, client: &str, settings: &OauthSettings, now: Timestamp) -> Result<Approved, Refusal> {
        let own = self.0.get_mut(&Private::from(id)).filter(|one| one.client == client);
        let one = own.ok_or(Refusal::new(Code::InvalidGrant, "there is no such auth_req_id of this client"))?;
        if one.used {
            let code = match settings.quirks.second_use {
                SecondUse::InvalidGrant => Code::InvalidGrant,
                SecondUse::InvalidRequest => Code::InvalidRequest,
            };
            return Err(Refusal::new(code, "the auth_req_id was used before"));
        }
        if now >= one.until {
            return Err(Refusal::new(Code::ExpiredToken, "the user did not answer in time"));
        }
        one.polls += 1;
        let last = one.last_poll.replace(now);
        if last.is_some_and(|last| now < seconds_later(last, one.interval)) {
            one.interval += SLOWER;
            return Err(Refusal::new(Code::SlowDown, "polled too soon"));
        }
        one.decide(settings);
        match one.decision {
            Some(Decision::Approved) => {
                one.used = true;
                Ok(Approved { scope: one.scope.clone(), device: one.device.clone() })
            }
            Some(Decision::Denied) => Err(Refusal::new(Code::AccessDenied, "the user said no")),
            None => {
                one.pending_answers += 1;
                Err(Refusal::new(Code::AuthorizationPending, "the user has not answered yet"))
            }
        }
    }

    /// The users of `device` (masked; none: of every one) say `decision` to what is still open; says how many authorizations that was.
    pub(super) fn decide(&mut self, device: Option<&str>, decision: Decision, now: Timestamp) -> usize {
        let open = self.0.values_mut().filter(|one| one.is_open(now) && one.decision.is_none());
        let fitting = open.filter(|one| device.is_none_or(|device| one.device.masked() == device));
        fitting.map(|one| one.decision = Some(decision)).count()
    }

    /// Those that can still give a token, in the order in which they were asked for.
    pub(super) fn open(&self, now: Timestamp) -> Vec<Asked> {
        let mut open: Vec<&Authorization> = self.0.values().filter(|one| one.is_open(now)).collect();
        open.sort_by_key(|one| one.since);
        let shown = |one: &Authorization| Asked {
            client: one.client.clone(),
            device: one.device.masked(),
            scope: one.scope.clone(),
            since: one.since.to_string(),
            until: one.until.to_string(),
            polls: one.polls,
            decision: one.decision,
        };
        open.into_iter().map(shown).collect()
    }
}

impl Authorization {
    fn is_open(&self, now: Timestamp) -> bool {
        !self.used && now < self.until
    }

    /// The user decides as the settings say, unless the decision is there already.
    fn decide(&mut self, settings: &OauthSettings) {
        if self.decision.is_some() || self.pending_answers < settings.ciba_pending_polls {
            return;
        }
        self.decision = match settings.consent {
            Consent::Approve => Some(Decision::Approved),
            Consent::Deny | Consent::Refuse => Some(Decision::Denied),
            Consent::Wait => None,
        };
    }
}
