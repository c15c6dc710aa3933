//! The admin API in the process: what tests call.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::connection::Gate;
use super::events::Counts;
use super::faults::{self, Fault};
use super::ledger::{Entry, Ledger};
use super::provider::Provider;
use super::requests::Request;
use super::server::Api;
use super::session::Session;
use super::settings::{self, Operation, Outage, Settings};
use super::tokens::Grant;
use crate::private::Private;

/// Looks into a running simulator and steers it. Clones steer the same one.
#[derive(Clone, Debug)]
pub struct Admin {
    pub(super) api: Arc<Api>,
    pub(super) gate: Gate,
    /// What a reset goes back to.
    pub(super) initial: Arc<Initial>,
}

#[derive(Debug)]
pub(super) struct Initial {
    pub(super) settings: Settings,
    pub(super) tokens: Vec<(Private<String>, String)>,
}

/// Which sessions a command is for. All fields that are set must fit.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selection {
    /// The session with this id.
    pub id: Option<Uuid>,
    /// Sessions of this client.
    pub client: Option<String>,
    /// Sessions of this device, as the admin API shows it (`phone …123`).
    pub device: Option<String>,
    /// Of those that fit, each with this probability, from 0 to 1.
    pub share: Option<f64>,
}

impl Selection {
    /// The session with this id.
    pub fn id(id: Uuid) -> Self {
        Self { id: Some(id), ..Self::default() }
    }

    fn picks(&self, session: &Session) -> bool {
        self.id.is_none_or(|id| id == session.id)
            && self.client.as_ref().is_none_or(|client| *client == session.order.client)
            && self.device.as_ref().is_none_or(|device| *device == session.order.flow.device.masked())
            && self.share.is_none_or(|share| rand::random::<f64>() < share)
    }
}

impl Admin {
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Provider, Timestamp) -> T) -> T {
        let done = {
            let mut provider = self.api.provider.lock();
            let now = self.api.clock.now();
            provider.advance(now);
            act(&mut provider, now)
        };
        self.api.events.wake();
        done
    }

    /// The running ledger: a session that ended by time counts as leaked once its client had `leakGraceSeconds` to ask.
    pub fn ledger(&self) -> Ledger {
        self.with(|provider, now| provider.ledger(false, now))
    }

    /// The ledger when all is over and no client will ask any more.
    pub fn ledger_at_end(&self) -> Ledger {
        self.with(|provider, now| provider.ledger(true, now))
    }

    /// Every session since the start, in order of creation, as it is now.
    pub fn sessions(&self) -> Vec<Session> {
        self.with(|provider, _| provider.sessions().to_vec())
    }

    /// Every session as the admin API shows it: without personal data.
    pub fn entries(&self) -> Vec<Entry> {
        self.with(|provider, now| provider.entries(false, now))
    }

    /// The network ends the sessions in effect that are selected; says how many.
    pub fn terminate(&self, selection: &Selection) -> usize {
        self.with(|provider, now| provider.terminate(now, |session| selection.picks(session)))
    }

    /// The provider loses the selected sessions without a trace; says how many.
    pub fn vanish(&self, selection: &Selection) -> usize {
        self.with(|provider, now| provider.lose(now, |session| selection.picks(session)))
    }

    /// The provider restarts without its memory: every session is lost; says how many.
    pub fn forget(&self) -> usize {
        self.vanish(&Selection::default())
    }

    /// Moves the simulator's clock, which its maker may share.
    pub fn advance(&self, by: SignedDuration) {
        self.api.clock.advance(by);
        self.with(|_, _| ());
    }

    /// The simulator's time.
    pub fn now(&self) -> Timestamp {
        self.api.clock.now()
    }

    /// When the next session changes by itself, or the next late call takes effect; none: nothing is to come.
    pub fn next_change(&self) -> Option<Timestamp> {
        self.with(|provider, _| provider.next_change())
    }

    /// The settings.
    pub fn settings(&self) -> Settings {
        self.with(|provider, _| provider.settings.clone())
    }

    /// Changes the settings. When it returns they hold; an outage has closed, or opened, the port.
    pub async fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings, settings::Invalid> {
        let settings = self.with(|provider, now| {
            let mut settings = provider.settings.clone();
            change(&mut settings);
            settings.check()?;
            provider.set(settings.clone(), now);
            Ok::<_, settings::Invalid>(settings)
        })?;
        self.gate.set(settings.outage != Outage::Refused).await;
        Ok(settings)
    }

    /// Installs a fault behind those that are there.
    pub fn add_fault(&self, fault: Fault) -> Result<(), faults::Invalid> {
        fault.check()?;
        self.with(|provider, now| provider.faults.add(fault, now));
        Ok(())
    }

    /// The faults that are left.
    pub fn faults(&self) -> Vec<Fault> {
        self.with(|provider, _| provider.faults.left())
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.with(|provider, _| provider.faults.clear());
    }

    /// Accepts `token` for `client`.
    pub fn accept_token(&self, token: impl Into<Private<String>>, client: &str) {
        let token = token.into();
        self.with(|provider, _| provider.tokens.accept(token, Grant::of(client)));
    }

    /// Accepts `token` for what `grant` says.
    pub fn accept_grant(&self, token: impl Into<Private<String>>, grant: Grant) {
        let token = token.into();
        self.with(|provider, _| provider.tokens.accept(token, grant));
    }

    /// Accepts `token` no longer; says whether it was accepted.
    pub fn revoke_token(&self, token: impl Into<Private<String>>) -> bool {
        let token = token.into();
        self.with(|provider, _| provider.tokens.revoke(&token))
    }

    /// Accepts no token any more, also no refresh token.
    pub fn revoke_all_tokens(&self) {
        self.with(|provider, _| {
            provider.tokens.revoke_all();
            provider.oauth.revoke_all();
        });
    }

    /// What became of the notifications.
    pub fn notifications(&self) -> Counts {
        self.api.events.counts()
    }

    /// The latest requests (100,000), oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.with(|provider, _| provider.requests.kept().cloned().collect())
    }

    /// How many requests there were, per operation and status; `cut` are those without an answer.
    pub fn request_counts(&self) -> BTreeMap<Operation, BTreeMap<String, u64>> {
        self.with(|provider, _| provider.requests.counts().clone())
    }

    /// How many requests of `operation` there were.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.with(|provider, _| provider.requests.counts().get(&operation).map_or(0, |statuses| statuses.values().sum()))
    }

    /// Back to the start: settings and tokens as they were, no sessions, no faults, an empty log. The clock stays.
    pub async fn reset(&self) {
        let Initial { settings, tokens } = &*self.initial;
        self.with(|provider, now| {
            let requests = provider.requests.emptied();
            *provider = Provider::new(settings.clone(), tokens.iter().cloned().collect(), now);
            provider.requests = requests;
            self.api.events.reset();
        });
        self.gate.set(settings.outage != Outage::Refused).await;
    }
}
