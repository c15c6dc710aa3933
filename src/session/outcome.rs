//! What a pass brought: the input of the status fold besides the decision.

use k8s_openapi::jiff::Timestamp;

use super::decide::Ending;
use super::facts::{AppliedHash, Nonce};
use crate::api::{Reason, SessionProvider};
use crate::qod::{Fault, SessionInfo};

/// What acting brought, at most one effect in a pass.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Nothing was done at the provider.
    None,
    /// The create was answered with a session. Told by the task that records the id, on the object as it is then.
    Created {
        /// The send.
        nonce: Nonce,
        /// Of the request as it was sent.
        hash: AppliedHash,
        /// Where it was sent.
        provider: SessionProvider,
        /// Of the client id (`status.attempt.client`); absent for static tokens.
        client: Option<String>,
        /// The answer.
        info: Box<SessionInfo>,
        /// When the answer arrived.
        arrived_at: Timestamp,
    },
    /// Nothing was created: a 4xx, or nothing was sent (Busy for 409, else Refused).
    NotCreated {
        /// The send.
        nonce: Nonce,
        /// Of the request.
        hash: AppliedHash,
        /// Where it was sent.
        provider: SessionProvider,
        /// As in `Created`.
        client: Option<String>,
        /// Why; `None` where the send window passed before the first byte.
        fault: Option<Fault>,
    },
    /// There is no token for the create, so that neither record nor request was made.
    NotSent(Fault),
    /// The create may have taken effect. Nothing is recorded of its outcome.
    Ambiguous(Fault),
    /// The DELETE was confirmed.
    Released(Ending),
    /// The DELETE of a session that the status does not know was confirmed; or the list is behind, and it was gone already.
    ReleasedListed(Ending),
    /// The DELETE was not confirmed.
    NotReleased(Fault),
    /// The extend was answered.
    Extended(Box<SessionInfo>),
    /// The extend was refused, or its answer lost.
    NotExtended(Fault),
    /// The API server refused the attempt record (a policy); its message.
    AdmissionDenied(String),
}

/// What stands against a create, in words: from `observe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarWords {
    /// The reason of the condition.
    pub reason: Reason,
    /// Cause and remedy; no device, number, token, provider prose or name of another namespace's object.
    pub message: String,
}

/// Who holds the flow, in words that may be told to this object's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerWords {
    /// A QosSession of the same namespace, by name.
    Named {
        /// Its name.
        name: String,
        /// It is older than this object.
        older: bool,
    },
    /// One of another namespace, which is not named.
    Elsewhere,
}

/// An Event to write, always on a transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Warning, else Normal.
    pub warning: bool,
    /// The Event's reason.
    pub reason: &'static str,
    /// The Event's action.
    pub action: &'static str,
    /// The text, which is the condition's message.
    pub note: String,
}
