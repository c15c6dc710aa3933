//! From what was found out about a provider to what is said of it: the table of conditions, pure.

use crate::api::Reason;
use crate::qod::{self, Fault, FaultClass};

/// Whether a provider can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot.
    NotReady {
        /// Why, as in the condition Ready of the `QosProvider`.
        reason: Reason,
        /// Why in words, as there.
        message: String,
    },
}

/// What was found out about a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The credentials work and a read-only call was answered.
    Works,
    /// Nothing can be tried without cost; why.
    Untried(&'static str),
    /// The spec asks for what this operator or the client cannot do; nothing was sent.
    Spec(String),
    /// A Secret or a key of it is not there.
    SecretMissing(String),
    /// What the Secret holds cannot be sent.
    SecretUnusable(String),
    /// The call failed.
    Failed(Fault),
}

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody.
    Settled,
    /// It can pass by itself, or with another object.
    Reconciling,
    /// A person.
    Stalled,
}

/// What is said of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) ready: bool,
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) standing: Standing,
}

impl Verdict {
    fn not_ready(standing: Standing, reason: Reason, message: impl Into<String>) -> Self {
        Self { ready: false, reason, message: message.into(), standing }
    }

    /// What a finding comes to.
    pub(super) fn of(finding: &Finding) -> Self {
        use Standing::{Reconciling, Stalled};
        match finding {
            Finding::Works => Self {
                ready: true,
                reason: Reason::Verified,
                message: "the credentials work and the provider answers".to_owned(),
                standing: Standing::Settled,
            },
            Finding::Untried(why) => Self {
                ready: true,
                reason: Reason::Unverified,
                message: format!("{why}: the first session tells whether the credentials work"),
                standing: Standing::Settled,
            },
            Finding::Spec(message) => Self::not_ready(Stalled, Reason::InvalidSpec, message),
            Finding::SecretMissing(message) => Self::not_ready(Reconciling, Reason::SecretNotFound, message),
            Finding::SecretUnusable(message) => Self::not_ready(Stalled, Reason::CredentialsRejected, message),
            Finding::Failed(fault) => {
                let (standing, reason) = match fault.class {
                    FaultClass::Refused(qod::Reason::Credentials | qod::Reason::Permission) => {
                        (Stalled, Reason::CredentialsRejected)
                    }
                    FaultClass::RateLimited | FaultClass::Refused(qod::Reason::Quota) => (Reconciling, Reason::QuotaExceeded),
                    FaultClass::Unavailable if matches!(fault.status, None | Some(408)) => {
                        (Reconciling, Reason::ProviderUnreachable)
                    }
                    _ => (Reconciling, Reason::ProviderError),
                };
                if standing == Stalled {
                    Self::rejected(&fault.to_string())
                } else {
                    Self::not_ready(standing, reason, fault.to_string())
                }
            }
        }
    }

    /// The credentials, or what is asked for with them, were refused.
    fn rejected(cause: &str) -> Self {
        let message = format!("{cause}: correct the Secret that the QosProvider names, or its scope");
        Self::not_ready(Standing::Stalled, Reason::CredentialsRejected, message)
    }

    /// As the object's status tells it. Where nothing could be tried, a refusal that a session met is what is known; sessions go by
    /// the gate, which lets one of them try again now and then.
    pub(super) fn told(&self, doubt: Option<String>) -> Self {
        doubt.filter(|_| self.reason == Reason::Unverified).map_or_else(|| self.clone(), |cause| Self::rejected(&cause))
    }

    /// As the sessions see it.
    pub(super) fn readiness(&self) -> Readiness {
        if self.ready { Readiness::Ready } else { Readiness::NotReady { reason: self.reason, message: self.message.clone() } }
    }
}

/// Before the first probe has ended.
pub(super) fn not_checked() -> Readiness {
    Readiness::NotReady { reason: Reason::ProviderNotReady, message: "not checked yet".to_owned() }
}

/// What the answer to a GET of a session that cannot exist says of the provider: whether the credentials work and the API is there.
pub(super) fn of_session_probe<T>(answer: Result<T, Fault>) -> Finding {
    match answer {
        // Some providers answer 200 for any id.
        Ok(_) => Finding::Works,
        Err(fault) => match (fault.class, &fault.code) {
            // A refusal with a code: the API itself read the request, and disliked the id.
            (FaultClass::Gone, _) | (FaultClass::Refused(qod::Reason::Invalid), Some(_)) => Finding::Works,
            // 405 or 501: something that knows the path, and sessions can only be created there.
            (FaultClass::NotSupported, _) => Finding::Untried("the provider does not let sessions be read"),
            _ => Finding::Failed(fault),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(class: FaultClass, status: Option<u16>, code: Option<&str>) -> Fault {
        Fault { status, code: code.map(str::to_owned), ..Fault::new(class) }
    }

    fn said(finding: &Finding) -> (bool, Reason, Standing) {
        let verdict = Verdict::of(finding);
        (verdict.ready, verdict.reason, verdict.standing)
    }

    #[test]
    fn each_finding_has_its_row_of_the_table() {
        use Standing::{Reconciling, Settled, Stalled};
        assert_eq!(said(&Finding::Works), (true, Reason::Verified, Settled));
        assert_eq!(said(&Finding::Untried("each token is for one device")), (true, Reason::Unverified, Settled));
        let doubted = Verdict::of(&Finding::Untried("each token is for one device"))
            .told(Some("the provider refused the credentials".to_owned()));
        assert_eq!((doubted.ready, doubted.reason, doubted.standing), (false, Reason::CredentialsRejected, Stalled));
        let tried = Verdict::of(&Finding::Works);
        assert_eq!(tried.told(Some("the provider refused the credentials".to_owned())), tried, "a probe knows better");
        assert_eq!(said(&Finding::SecretMissing(String::new())), (false, Reason::SecretNotFound, Reconciling));
        assert_eq!(said(&Finding::SecretUnusable(String::new())), (false, Reason::CredentialsRejected, Stalled));
        assert_eq!(said(&Finding::Spec(String::new())), (false, Reason::InvalidSpec, Stalled));
        for (class, status, reason, standing) in [
            (FaultClass::Refused(qod::Reason::Credentials), Some(401), Reason::CredentialsRejected, Stalled),
            (FaultClass::Refused(qod::Reason::Permission), Some(403), Reason::CredentialsRejected, Stalled),
            (FaultClass::Unavailable, None, Reason::ProviderUnreachable, Reconciling),
            (FaultClass::Unavailable, Some(503), Reason::ProviderError, Reconciling),
            (FaultClass::GatewayNotFound, Some(404), Reason::ProviderError, Reconciling),
            (FaultClass::Unparseable, Some(200), Reason::ProviderError, Reconciling),
            (FaultClass::RateLimited, Some(429), Reason::QuotaExceeded, Reconciling),
        ] {
            assert_eq!(said(&Finding::Failed(fault(class, status, None))), (false, reason, standing), "{class:?}");
        }
    }

    #[test]
    fn a_session_that_is_not_there_proves_the_credentials_and_a_gateways_404_does_not() {
        assert_eq!(of_session_probe(Ok(())), Finding::Works);
        let gone = fault(FaultClass::Gone, Some(404), Some("NOT_FOUND"));
        assert_eq!(of_session_probe::<()>(Err(gone)), Finding::Works);
        let disliked = fault(FaultClass::Refused(qod::Reason::Invalid), Some(400), Some("INVALID_ARGUMENT"));
        assert_eq!(of_session_probe::<()>(Err(disliked)), Finding::Works);
        let unreadable = of_session_probe::<()>(Err(fault(FaultClass::NotSupported, Some(405), None)));
        assert!(matches!(unreadable, Finding::Untried(_)), "{unreadable:?}");
        for other in [
            fault(FaultClass::Refused(qod::Reason::Invalid), Some(400), None),
            fault(FaultClass::GatewayNotFound, Some(404), None),
            fault(FaultClass::Refused(qod::Reason::Permission), Some(403), Some("PERMISSION_DENIED")),
        ] {
            assert_eq!(of_session_probe::<()>(Err(other.clone())), Finding::Failed(other));
        }
    }
}
