//! Runs the errands: sends what is to be sent, each thing once.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::cache::{Cache, Errand, Fetched, Key, Look};
use super::ciba::Consent;
use super::no_token::{NoToken, Refusal};
use super::settings::{Grant, Settings, SettingsError};
use super::subject::Subject;
use super::transport::Transport;
use super::wire::{self, Asked, Granted, Request, TokenFault, TokenFaultClass, Unsigned};
use crate::clock::Clock;
use crate::metrics::{OfProvider, grant, token_outcome_of};
use crate::qod::Legs;
use crate::qod::{AccessToken, Answer, Operation};
use crate::trace::{self, Cause};

/// Requests that are under way at once. Each has a connection of its own.
const MOST_AT_ONCE: usize = 16;

const NO_NAME: &str = "give the device a phoneNumber, or the public address that servers see: a networkAccessIdentifier cannot be \
                       asked for consent";
const NO_NUMBER: &str = "give the device its phoneNumber: jwtBearer names a device by nothing else";

/// Tokens by one of OAuth's grants. Its tasks end with it.
#[derive(Debug)]
pub(super) struct OAuth {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

/// What its tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    grant: Grant,
    scope: Arc<str>,
    operation_scopes: BTreeMap<Operation, Arc<str>>,
    client: wire::Client,
    transport: Transport,
    permits: Semaphore,
    stop: CancellationToken,
    pub(super) clock: Clock,
    pub(super) cache: Mutex<Cache>,
    counts: Arc<OfProvider>,
}

/// Why a request brought nothing.
pub(super) enum Unmet {
    /// It was not sent, because of what was learned while it waited.
    NotSent(NoToken),
    Fault(TokenFault),
}

impl From<Unmet> for Fetched {
    fn from(unmet: Unmet) -> Self {
        match unmet {
            Unmet::NotSent(answer) => Self::NotSent(answer),
            Unmet::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl OAuth {
    pub(super) fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let stop = CancellationToken::new();
        let client = wire::Client::new(&settings)?;
        let transport = Transport::new(&settings)?;
        let scopes = settings.operation_scopes.into_iter();
        let shared = Shared {
            client,
            transport,
            cache: Mutex::new(Cache::new(matches!(settings.grant, Grant::Ciba { .. }))),
            grant: settings.grant,
            scope: settings.scope.into(),
            operation_scopes: scopes.map(|(operation, scope)| (operation, scope.into())).collect(),
            permits: Semaphore::new(MOST_AT_ONCE),
            stop: stop.clone(),
            clock: settings.clock,
            counts: settings.counts,
        };
        Ok(Self { shared: Arc::new(shared), _stop: stop.drop_guard() })
    }

    pub(super) fn legs(&self) -> Legs {
        match self.shared.grant {
            Grant::ClientCredentials { .. } => Legs::Two,
            Grant::Ciba { .. } | Grant::JwtBearer { .. } => Legs::Three,
        }
    }

    pub(super) fn client_id(&self) -> &str {
        &self.shared.client.id
    }

    pub(super) async fn get(&self, subject: Option<&Subject>, operation: Operation) -> Result<AccessToken, NoToken> {
        let key = self.shared.key(subject, operation)?;
        let (look, errand) = self.shared.cache.lock().look(&key, self.shared.clock.now());
        if let Some(errand) = errand {
            // A task of its own: whoever began it may go away, and others wait for it too.
            let (shared, cause) = (Arc::clone(&self.shared), Cause::now());
            tokio::spawn(async move { shared.stop.clone().run_until_cancelled(shared.run(errand, cause)).await });
        }
        match look {
            Look::Now(outcome) => outcome,
            Look::Soon(mut flight) => {
                let outcome = flight.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
                outcome.unwrap_or(Err(NoToken::Unavailable { retry_after: None }))
            }
        }
    }

    pub(super) fn refused(&self, subject: Option<&Subject>, operation: Operation, token: &AccessToken) {
        if let Ok(key) = self.shared.key(subject, operation) {
            self.shared.cache.lock().refused(&key, token, self.shared.clock.now());
        }
    }
}

impl Shared {
    fn key(&self, subject: Option<&Subject>, operation: Operation) -> Result<Key, NoToken> {
        let scope = Arc::clone(self.operation_scopes.get(&operation).unwrap_or(&self.scope));
        let subject = match (&self.grant, subject) {
            (Grant::ClientCredentials { .. }, _) => None,
            (Grant::Ciba { .. }, None) => return Err(NoToken::NoSubject { remedy: NO_NAME }),
            (Grant::JwtBearer { .. }, subject) if !subject.is_some_and(Subject::is_tel) => {
                return Err(NoToken::NoSubject { remedy: NO_NUMBER });
            }
            (Grant::Ciba { .. } | Grant::JwtBearer { .. }, subject) => subject.cloned(),
        };
        Ok(Key { subject, scope })
    }

    /// Where the token is fetched once there is consent; none with the grants that need no consent.
    pub(super) fn token_url_of_consent(&self) -> Option<&Url> {
        match &self.grant {
            Grant::Ciba { token_url, .. } => Some(token_url),
            Grant::ClientCredentials { .. } | Grant::JwtBearer { .. } => None,
        }
    }

    async fn run(&self, errand: Errand, cause: Cause) {
        if let Some(at) = errand.not_before {
            self.clock.sleep_until(at).await;
        }
        let key = errand.key.clone();
        let (fetched, consent) = match cause.of(self.fetch(&errand)).await {
            Ok(Ok(granted)) => (Fetched::Granted(granted), None),
            Ok(Err(consent)) => (Fetched::Asked(consent.next_poll), Some(consent)),
            Err(fetched) => (fetched, None),
        };
        if let Fetched::Fault(fault) = &fetched {
            tracing::debug!(class = ?fault.class, code = fault.code, "the token endpoint gave no token");
        }
        self.cache.lock().settle(errand, fetched, self.clock.now());
        if let Some(consent) = consent {
            self.follow(&key, consent).await;
        }
    }

    /// A token, or the consent that it waits for.
    async fn fetch(&self, errand: &Errand) -> Result<Result<Granted, Consent>, Fetched> {
        let scope = &errand.key.scope;
        match (&self.grant, &errand.key.subject) {
            (Grant::Ciba { authorize_url, token_url }, Some(subject)) => {
                if let Some(granted) = self.refreshed(errand, token_url).await? {
                    return Ok(Ok(granted));
                }
                let build = |client: &wire::Client, now| client.authorize(authorize_url, subject, scope, now);
                let authorised = self.ask(Some(errand), Asked::Authorize, build, wire::authorised).await?;
                Ok(Err(Consent::new(authorised, self.clock.now())))
            }
            (Grant::JwtBearer { token_url }, Some(subject)) => {
                let build = |client: &wire::Client, now| client.jwt_bearer(token_url, subject, scope, now);
                let granted = self.ask_token(errand, Asked::JwtBearer, build).await?;
                Ok(Ok(Granted { refresh_token: None, ..granted }))
            }
            (Grant::Ciba { .. } | Grant::JwtBearer { .. }, None) => Err(Fetched::NotSent(NoToken::NoSubject { remedy: NO_NAME })),
            (Grant::ClientCredentials { token_url }, _) => {
                let build = |client: &wire::Client, now| client.client_credentials(token_url, scope, now);
                let granted = self.ask_token(errand, Asked::ClientCredentials, build).await?;
                Ok(Ok(Granted { refresh_token: None, ..granted }))
            }
        }
    }

    /// A token for the refresh token, if there is one and it is good. Where it is not, the subscriber must be asked, but not while the
    /// old token still does.
    async fn refreshed(&self, errand: &Errand, token_url: &Url) -> Result<Option<Granted>, Fetched> {
        let Some(refresh_token) = &errand.refresh_token else { return Ok(None) };
        let build = |client: &wire::Client, now| client.refresh(token_url, refresh_token.expose(), now);
        match self.ask_token(errand, Asked::Refresh, build).await {
            Ok(granted) => Ok(Some(granted)),
            Err(Unmet::Fault(TokenFault {
                class: TokenFaultClass::Refused(Refusal::Invalid | Refusal::Scope | Refusal::Device) | TokenFaultClass::Denied,
                ..
            })) if errand.ahead => Err(Fetched::NotRefreshed),
            Err(Unmet::Fault(TokenFault {
                class: TokenFaultClass::Refused(Refusal::Invalid | Refusal::Scope | Refusal::Device) | TokenFaultClass::Denied,
                ..
            })) => {
                self.cache.lock().forget_refresh_token(&errand.key);
                Ok(None)
            }
            Err(unmet) => Err(unmet.into()),
        }
    }

    async fn ask_token(
        &self,
        errand: &Errand,
        asked: Asked,
        build: impl FnOnce(&wire::Client, Timestamp) -> Result<Request, Unsigned>,
    ) -> Result<Granted, Unmet> {
        self.ask(Some(errand), asked, build, |answer| wire::token(asked, answer)).await
    }

    /// Sends one request when its turn has come, and reads the answer. An errand whose turn comes after another one was told to wait
    /// sends nothing; a poll has no errand.
    pub(super) async fn ask<T>(
        &self,
        errand: Option<&Errand>,
        asked: Asked,
        build: impl FnOnce(&wire::Client, Timestamp) -> Result<Request, Unsigned>,
        read: impl FnOnce(&Answer<'_>) -> Result<T, TokenFault>,
    ) -> Result<T, Unmet> {
        let fault = |class| Unmet::Fault(TokenFault::new(class));
        let _permit = self.permits.acquire().await.map_err(|_| fault(TokenFaultClass::Unavailable))?;
        let now = self.clock.now();
        if let Some(answer) = errand.and_then(|errand| self.cache.lock().keeps_from(errand, now)) {
            return Err(Unmet::NotSent(answer));
        }
        let request = build(&self.client, now).map_err(|Unsigned| fault(TokenFaultClass::Refused(Refusal::Credentials)))?;
        let span = trace::Request::token(self.counts.name(), grant(asked));
        let answer = match span.run(self.transport.send(request)).await {
            Some(received) => {
                span.answered(received.answer().status);
                read(&received.answer())
            }
            None => Err(TokenFault::new(TokenFaultClass::Unavailable)),
        };
        let fault = answer.as_ref().err().map(|fault| fault.class);
        span.ended(token_outcome_of(fault), matches!(fault, None | Some(TokenFaultClass::Pending | TokenFaultClass::SlowDown)));
        self.counts.token_request(asked, fault);
        answer.map_err(Unmet::Fault)
    }
}
