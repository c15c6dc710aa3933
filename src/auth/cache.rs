//! All that is known of a provider's tokens: who may use which, who has to fetch one, and when nobody may ask. Pure: the time is an
//! argument, and whoever gets an [`Errand`] runs it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::entry::{Entry, Flight, Outcome, Stock};
use super::no_token::{NoToken, Refusal};
use super::subject::Subject;
use super::trouble::{LONGEST_PAUSE, Trouble};
use super::wire::{Granted, TokenFault, TokenFaultClass};
use crate::clock::later;
use crate::private::Private;
use crate::qod::AccessToken;

/// More entries than this are not kept: those that were asked for the longest ago go first.
const MOST_ENTRIES: usize = 200_000;
/// Stale entries go this often.
const SWEEP: SignedDuration = SignedDuration::from_mins(1);
/// An answer to a poll is looked for so long after it.
const AFTER_POLL: SignedDuration = SignedDuration::from_secs(1);
/// A consent that nobody has asked for in this time is given up.
const ABANDONED: SignedDuration = SignedDuration::from_mins(15);

/// What a token is for. A token is only ever given to the key that it was fetched for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) subject: Option<Subject>,
    pub(super) scope: Arc<str>,
}

/// A token to fetch: by one, for all who want it.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) key: Key,
    pub(super) refresh_token: Option<Private<String>>,
    /// The old token is still good.
    pub(super) ahead: bool,
    pub(super) not_before: Option<Timestamp>,
    /// It is the one that finds out whether the endpoint answers again.
    probe: bool,
    started: Timestamp,
    told: watch::Sender<Option<Outcome>>,
}

/// What an errand brought.
#[derive(Debug)]
pub(super) enum Fetched {
    Granted(Granted),
    /// The subscriber was asked; the first poll is due then.
    Asked(Timestamp),
    /// Nothing was sent.
    NotSent(NoToken),
    /// The refresh token is no good, and the old token still is.
    NotRefreshed,
    Fault(TokenFault),
}

/// What there is for somebody who wants a token.
#[derive(Debug)]
pub(super) enum Look {
    Now(Outcome),
    /// It is being fetched.
    Soon(Flight),
}

#[derive(Debug)]
pub(super) struct Cache {
    entries: HashMap<Key, Entry>,
    /// A new token is a question to a person.
    asks_subscriber: bool,
    /// What keeps everybody from asking: wrong credentials, an endpoint that does not answer.
    endpoint: Option<Trouble>,
    probe: Option<Flight>,
    sweep_at: Timestamp,
}

impl Cache {
    pub(super) fn new(asks_subscriber: bool) -> Self {
        Self { entries: HashMap::new(), asks_subscriber, endpoint: None, probe: None, sweep_at: Timestamp::MIN }
    }

    /// What there is for `key`, and what is to be fetched for it.
    pub(super) fn look(&mut self, key: &Key, now: Timestamp) -> (Look, Option<Errand>) {
        if !self.entries.contains_key(key) {
            self.make_room(MOST_ENTRIES, now);
            self.entries.insert(key.clone(), Entry::new(now));
        }
        let endpoint = self.endpoint(now);
        let Some(entry) = self.entries.get_mut(key) else { return (Look::Now(Err(NoToken::Unparseable)), None) };
        entry.asked_at = now;
        let paused = entry.trouble.as_ref().and_then(|trouble| trouble.answer(now)).or(endpoint);
        match (entry.stock(self.asks_subscriber, now), entry.flight(), entry.next_poll) {
            (Stock::Ageing(token), None, None) if paused.is_none() => {
                let (_, errand) = self.begin(key, true, now);
                (Look::Now(Ok(token)), errand)
            }
            (Stock::Fresh(token) | Stock::Ageing(token), ..) => (Look::Now(Ok(token)), None),
            (Stock::None, Some(flight), _) => (Look::Soon(flight), None),
            (Stock::None, None, Some(next_poll)) => (Look::Now(Err(pending(next_poll.max(now)))), None),
            (Stock::None, None, None) => match paused {
                Some(answer) => (Look::Now(Err(answer)), None),
                None => self.begin(key, false, now),
            },
        }
    }

    fn begin(&mut self, key: &Key, ahead: bool, now: Timestamp) -> (Look, Option<Errand>) {
        let (told, flight) = watch::channel(None);
        let probe = self.endpoint.is_some();
        if probe {
            self.probe = Some(flight.clone());
        }
        let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry::new(now));
        entry.flight = Some(flight.clone());
        let (refresh_token, not_before) = (entry.refresh_token.clone(), entry.not_before);
        let errand = Errand { key: key.clone(), refresh_token, ahead, not_before, probe, started: now, told };
        (Look::Soon(flight), Some(errand))
    }

    /// Why nobody may ask the endpoint now: a pause, or one who is finding out whether it is over.
    fn endpoint(&self, now: Timestamp) -> Option<NoToken> {
        let trouble = self.endpoint.as_ref()?;
        let probed = self.probe.as_ref().is_some_and(|probe| probe.has_changed().is_ok());
        trouble.answer(now).or_else(|| probed.then(|| trouble.repeated(now)))
    }

    /// Why an errand that has waited for its turn must not be run any more.
    pub(super) fn keeps_from(&self, errand: &Errand, now: Timestamp) -> Option<NoToken> {
        if errand.probe { None } else { self.endpoint(now) }
    }

    /// Ends an errand and tells all who wait for it.
    pub(super) fn settle(&mut self, errand: Errand, fetched: Fetched, now: Timestamp) {
        let Errand { key, probe, started, told, .. } = errand;
        if probe {
            self.probe = None;
        }
        let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry::new(now));
        entry.flight = None;
        let outcome = match fetched {
            Fetched::Granted(granted) => {
                self.endpoint = None;
                entry.grant(&granted, now);
                Ok(granted.access_token)
            }
            Fetched::Asked(next_poll) => {
                self.endpoint = None;
                entry.next_poll = Some(next_poll);
                Err(pending(next_poll))
            }
            Fetched::NotSent(answer) => Err(answer),
            Fetched::NotRefreshed => {
                entry.refresh_token = None;
                Err(NoToken::Unavailable { retry_after: Some(Duration::from_secs(1)) })
            }
            Fetched::Fault(fault) => Err(self.fail(&key, fault, started, now)),
        };
        // Nobody waits any more: then nobody needs to know.
        told.send_replace(Some(outcome));
    }

    /// Remembers a failure; what it means to whoever wants the token.
    fn fail(&mut self, key: &Key, fault: TokenFault, started: Timestamp, now: Timestamp) -> NoToken {
        let wait = fault.retry_after;
        // A consent whose time is over is no answer of the endpoint.
        let (concerns_all, answered) = (concerns_all(fault.class), fault.class != TokenFaultClass::Expired);
        let answer = no_token(fault, now);
        if concerns_all {
            self.endpoint = Some(Trouble::after(self.endpoint.as_ref(), answer.clone(), wait, started, now));
        } else if answered {
            self.endpoint = None;
        }
        let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry::new(now));
        let trouble = Trouble::after(entry.trouble.as_ref(), answer, wait, started, now);
        let answer = trouble.repeated(now);
        entry.trouble = Some(trouble);
        answer
    }

    /// A refresh token that was refused is not tried again.
    pub(super) fn forget_refresh_token(&mut self, key: &Key) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.refresh_token = None;
        }
    }

    /// The API refused a token with 401.
    pub(super) fn refused(&mut self, key: &Key, token: &AccessToken, now: Timestamp) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.refused(token, now);
        }
    }

    /// A consent is awaited further; says whether anybody still wants it. If not, it is given up.
    pub(super) fn goes_on(&mut self, key: &Key, now: Timestamp) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        let wanted = now.duration_since(entry.asked_at) < ABANDONED;
        if !wanted {
            entry.next_poll = None;
        }
        wanted
    }

    /// When the next poll for a consent is due.
    pub(super) fn polls_at(&mut self, key: &Key, next_poll: Timestamp) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.next_poll = Some(next_poll);
        }
    }

    /// Consent was given.
    pub(super) fn consented(&mut self, key: &Key, granted: &Granted, now: Timestamp) {
        self.endpoint = None;
        self.entries.entry(key.clone()).or_insert_with(|| Entry::new(now)).grant(granted, now);
    }

    /// Consent was not given. A person who said no is not asked again before the longest pause has passed.
    pub(super) fn not_consented(&mut self, key: &Key, fault: TokenFault, now: Timestamp) {
        let denied = fault.class == TokenFaultClass::Denied;
        let answer = self.fail(key, fault, now, now);
        if let Some(entry) = self.entries.get_mut(key) {
            entry.next_poll = None;
            if denied {
                entry.trouble = Some(Trouble::with_pause(answer, LONGEST_PAUSE, now));
            }
        }
    }

    /// Lets go of what is stale, now and then, and of the rest where there is too much of it.
    fn make_room(&mut self, most: usize, now: Timestamp) {
        if now < self.sweep_at && self.entries.len() < most {
            return;
        }
        self.sweep_at = later(now, SWEEP);
        self.entries.retain(|_, entry| !entry.is_stale(now));
        if self.entries.len() >= most {
            let idle = self.entries.values().filter(|entry| !entry.is_busy());
            let mut asked: Vec<Timestamp> = idle.map(|entry| entry.asked_at).collect();
            let surplus = (self.entries.len() - most + most / 16 + 1).min(asked.len());
            if let Some(last) = surplus.checked_sub(1) {
                let (_, newest_to_go, _) = asked.select_nth_unstable(last);
                let newest_to_go = *newest_to_go;
                self.entries.retain(|_, entry| entry.is_busy() || entry.asked_at > newest_to_go);
            }
        }
        self.entries.shrink_to(2 * self.entries.len());
    }
}

/// Whether a failure would meet every other request too.
fn concerns_all(class: TokenFaultClass) -> bool {
    match class {
        TokenFaultClass::Unavailable
        | TokenFaultClass::Unparseable
        | TokenFaultClass::Refused(Refusal::Credentials | Refusal::Permission) => true,
        TokenFaultClass::Pending
        | TokenFaultClass::SlowDown
        | TokenFaultClass::Expired
        | TokenFaultClass::Denied
        | TokenFaultClass::Refused(Refusal::Device | Refusal::Scope | Refusal::Invalid) => false,
    }
}

/// To whoever wants the token, a request for consent that has expired is one that is awaited: the subscriber is asked again.
fn no_token(fault: TokenFault, now: Timestamp) -> NoToken {
    let TokenFault { class, code, retry_after } = fault;
    match class {
        TokenFaultClass::Pending | TokenFaultClass::SlowDown | TokenFaultClass::Expired => pending(now),
        TokenFaultClass::Denied => NoToken::Denied { code },
        TokenFaultClass::Refused(reason) => NoToken::Refused { reason, code },
        TokenFaultClass::Unavailable => NoToken::Unavailable { retry_after },
        TokenFaultClass::Unparseable => NoToken::Unparseable,
    }
}

fn pending(next_poll: Timestamp) -> NoToken {
    NoToken::Pending { again_at: later(next_poll, AFTER_POLL) }
}

#[cfg(test)]
mod tests;
