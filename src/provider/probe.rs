//! The read-only calls that find out whether a provider works and what it offers.

use std::sync::Arc;

use super::limits::Limits;
use super::readiness::{Finding, of_session_probe};
use crate::qod::{self, AccessToken, Client, FaultClass, QosProfile, SessionId};

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Probed {
    pub(super) finding: Finding,
    pub(super) profiles: Discovery,
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
pub(super) async fn probe(client: Client, token: AccessToken, limits: Arc<Limits>) -> Probed {
    let answer = {
        let _permit = limits.permit().await;
        client.profiles(&token).await
    };
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
    let _permit = limits.permit().await;
    Probed { finding: of_session_probe(client.get_session(&token, &id).await), profiles }
}

const fn failed(fault: qod::Fault) -> Probed {
    Probed { finding: Finding::Failed(fault), profiles: Discovery::AsBefore }
}
