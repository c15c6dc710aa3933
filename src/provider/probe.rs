//! The read-only calls that find out whether a provider works and what it offers.

use std::sync::Arc;

use super::access::Access;
use super::limits::Limits;
use super::readiness::{Finding, of_session_probe};
use crate::clock::Clock;
use crate::qod::{self, AccessToken, Client, Fault, FaultClass, Legs, Operation, QosProfile, SessionId};

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Probed {
    pub(super) finding: Finding,
    pub(super) profiles: Discovery,
    /// Operations that it answered with 405 or 501.
    pub(super) lacking: Vec<Operation>,
}

/// What the provider offers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Discovery {
    /// These.
    Profiles(Vec<QosProfile>),
    /// It does not say.
    NotTold,
    /// It was not asked, or could not answer this time: what was known stays.
    AsBefore,
}

/// Asks for the profiles, then for a session that cannot exist: that one proves that the credentials count where sessions are made.
/// Where each token is for one device there is nothing to ask with.
pub(super) async fn probe(access: Arc<Access>, limits: Arc<Limits>, clock: Clock) -> Probed {
    if access.tokens.legs() == Legs::Three {
        let finding = Finding::Untried("each token is for one device");
        return Probed { finding, profiles: Discovery::AsBefore, lacking: Vec::new() };
    }
    let asking = Asking { access, limits, clock };
    let mut lacking = Vec::new();
    let listing = profiles_operation(&asking.access);
    let answer = asking.ask(listing, |client, token| async move { client.profiles(&token).await }).await;
    lacking.extend(not_supported(&answer).then_some(listing));
    let profiles = match answer {
        Ok(profiles) => Discovery::Profiles(profiles),
        Err(fault) => match fault.class {
            // A client without the right to the profiles may have that to the sessions.
            FaultClass::NotSupported
            | FaultClass::NotExpressible { .. }
            | FaultClass::GatewayNotFound
            | FaultClass::Refused(qod::Reason::Permission) => Discovery::NotTold,
            // No answer, a refused token or a limit: the second call would bring the same.
            FaultClass::Unavailable if fault.status.is_none() => return failed(fault),
            FaultClass::RateLimited | FaultClass::Refused(qod::Reason::Credentials) => return failed(fault),
            _ => Discovery::AsBefore,
        },
    };
    let id = SessionId::new(uuid::Uuid::new_v4().to_string());
    let answer = asking
        .ask(Operation::GetSession, |client, token| {
            let id = id.clone();
            async move { client.get_session(&token, &id).await }
        })
        .await;
    lacking.extend(not_supported(&answer).then_some(Operation::GetSession));
    Probed { finding: of_session_probe(answer), profiles, lacking }
}

fn not_supported<T>(answer: &Result<T, Fault>) -> bool {
    matches!(answer, Err(fault) if fault.class == FaultClass::NotSupported)
}

/// The operation whose scope the look at the profiles needs.
fn profiles_operation(access: &Access) -> Operation {
    let generation = access.client.generation();
    if generation.has(Operation::RetrieveQosProfiles) { Operation::RetrieveQosProfiles } else { Operation::GetQosProfiles }
}

struct Asking {
    access: Arc<Access>,
    limits: Arc<Limits>,
    clock: Clock,
}

impl Asking {
    async fn ask<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        operation: Operation,
        call: impl Fn(Client, AccessToken) -> F,
    ) -> Result<T, Fault> {
        let ticket = self.access.ticket(&self.limits, None, operation, &self.clock).await?;
        self.access.spend(ticket, &self.clock, || true, call).await
    }
}

fn failed(fault: qod::Fault) -> Probed {
    Probed { finding: Finding::Failed(fault), profiles: Discovery::AsBefore, lacking: Vec::new() }
}
