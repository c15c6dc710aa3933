//! How the API of one provider is called: with a token for whom it is about, at the pace that the provider allows, and with one
//! new token where the first was refused.

use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::limits::{Limits, Permit};
use super::snapshot::Provider;
use crate::auth::{self, NoToken, Subject, Tokens};
use crate::clock::Clock;
use crate::metrics::{OfProvider, outcome_of};
use crate::qod::{AccessToken, Client, Fault, FaultClass, Field, Generation, Operation, QosStatus, Reason, SessionInfo};
use crate::trace;

/// A client and where its tokens come from. Made anew where the spec or a Secret changes.
#[derive(Clone, Debug)]
pub struct Access {
    /// The client.
    pub client: Client,
    /// The tokens.
    pub tokens: Tokens,
    /// Where its calls are counted.
    pub counts: Arc<OfProvider>,
}

impl Access {
    /// SHA-256, 16 hexadecimal digits, of the provider's UID and the client id: the API shows a session to the client that made it
    /// and to no other (CAMARA API Design Guide, section 6.7). None for a static token, whose client is not known.
    pub fn client_hash(&self, provider_uid: &str) -> Option<String> {
        let id = self.tokens.client_id()?;
        let digest = Sha256::new().chain_update(provider_uid).chain_update([0]).chain_update(id).finalize();
        Some(hex::encode(&digest[..8]))
    }
}

/// Leave to make one call: a place among the calls under way, and a token.
#[derive(Debug)]
pub struct Ticket {
    subject: Option<Subject>,
    operation: Operation,
    token: AccessToken,
    _permit: Permit,
}

impl Access {
    /// A token and a permit, in this order, since the token may take its time. A fault here is one before any call to the API.
    pub(super) async fn ticket(
        &self,
        limits: &Limits,
        subject: Option<&Subject>,
        operation: Operation,
        clock: &Clock,
    ) -> Result<Ticket, Fault> {
        let token = self.tokens.get(subject, operation).await.map_err(|none| no_token(none, clock.now()))?;
        Ok(Ticket { subject: subject.cloned(), operation, token, _permit: limits.permit().await })
    }

    /// Makes the call. A 401 did nothing, so after it the call is made once more with a new token, unless the time for it is over
    /// (`may_repeat`) or there is only the one token. Where no new one can be had, that is what stands against the call: a token that
    /// was revoked says nothing of the credentials.
    pub(super) async fn spend<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        ticket: Ticket,
        clock: &Clock,
        may_repeat: impl Fn() -> bool,
        ask: impl Fn(Client, AccessToken) -> F,
    ) -> Result<T, Fault> {
        let Ticket { subject, operation, token, _permit } = ticket;
        let answer = self.counted(operation, 1, clock, ask(self.client.clone(), token.clone())).await;
        if !refuses_credentials(&answer) {
            return answer;
        }
        self.tokens.refused(subject.as_ref(), operation, &token);
        match self.tokens.get(subject.as_ref(), operation).await {
            Ok(fresh) if fresh != token && may_repeat() => {
                let answer = self.counted(operation, 2, clock, ask(self.client.clone(), fresh.clone())).await;
                if refuses_credentials(&answer) {
                    self.tokens.refused(subject.as_ref(), operation, &fresh);
                }
                answer
            }
            Ok(_) => answer,
            Err(none) => Err(no_token(none, clock.now())),
        }
    }

    async fn counted<T>(
        &self,
        operation: Operation,
        attempt: u8,
        clock: &Clock,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let counted = self.counts.call(operation, clock);
        let request = trace::Request::call(self.counts.name(), operation.as_str(), attempt);
        let answer = request.run(call).await;
        request.ended(outcome_of(&answer), answer.is_ok());
        counted.ended(&answer);
        answer
    }
}

impl Provider {
    /// Leave to make one call, or why there is none: a fault before any call to the API.
    pub async fn ticket(&self, subject: Option<&Subject>, operation: Operation) -> Result<Ticket, Fault> {
        let access = self.access()?;
        let ticket = access.ticket(&self.limits, subject, operation, &self.clock).await;
        ticket.inspect_err(|fault| {
            // Of refused credentials the gate is told; consent is one subscriber's affair.
            if fault.class == FaultClass::Refused(Reason::Credentials) {
                self.gate.report(Err(fault), self.clock.now());
            }
        })
    }

    /// Makes the call; see [`Ticket`]. The gate learns how it ended.
    pub async fn spend<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        ticket: Ticket,
        may_repeat: impl Fn() -> bool,
        ask: impl Fn(Client, AccessToken) -> F,
    ) -> Result<T, Fault> {
        let operation = ticket.operation;
        let answer = self.access()?.spend(ticket, &self.clock, may_repeat, ask).await;
        if let Err(fault) = &answer {
            self.learn(operation, fault);
        }
        self.gate.report(answer.as_ref().map(|_| ()), self.clock.now());
        answer
    }

    /// One call that may be made at any time.
    pub async fn call<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        subject: Option<&Subject>,
        operation: Operation,
        ask: impl Fn(Client, AccessToken) -> F,
    ) -> Result<T, Fault> {
        let ticket = self.ticket(subject, operation).await?;
        self.spend(ticket, || true, ask).await
    }

    fn access(&self) -> Result<&Access, Fault> {
        self.access.as_deref().ok_or_else(|| Fault::new(FaultClass::Unavailable))
    }

    /// A session as the API of this generation means it: 0.8 has no `qosStatus`, and answers of a session only while it is there.
    pub fn understood(&self, mut info: SessionInfo) -> SessionInfo {
        if self.generation == Generation::V0_8 {
            info.qos_status.get_or_insert(QosStatus::Available);
        }
        info
    }
}

fn refuses_credentials<T>(answer: &Result<T, Fault>) -> bool {
    matches!(answer, Err(fault) if fault.class == FaultClass::Refused(Reason::Credentials))
}

/// That there is no token, as a fault of the call that was not made.
fn no_token(none: NoToken, now: Timestamp) -> Fault {
    let refused = |reason, code| Fault { code, ..Fault::new(FaultClass::Refused(reason)) };
    match none {
        NoToken::Pending { again_at } => {
            let wait = again_at.duration_since(now).max(SignedDuration::from_secs(1));
            Fault { retry_after: wait.try_into().ok(), ..Fault::new(FaultClass::ConsentPending) }
        }
        NoToken::Denied { code } => refused(Reason::Consent, code),
        NoToken::Refused { reason: auth::Refusal::Device, code } => refused(Reason::Device, code),
        NoToken::Refused { reason: auth::Refusal::Credentials, code } => refused(Reason::Credentials, code),
        // The client may not have what the QosProvider asks for: an admin's matter, not the object's.
        NoToken::Refused { code, .. } => refused(Reason::Permission, code),
        NoToken::Unavailable { retry_after } => Fault { retry_after, ..Fault::new(FaultClass::Unavailable) },
        NoToken::Unparseable => Fault::new(FaultClass::Unparseable),
        NoToken::NoSubject { remedy } => Fault::not_expressible(Field::Device, remedy),
    }
}
