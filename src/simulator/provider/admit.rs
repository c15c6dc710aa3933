//! Whether a call is let in: its token, the token's scopes, the client's pace, and the header that it must not misuse.

use k8s_openapi::jiff::Timestamp;

use super::super::session::seconds_later;
use super::super::settings::Operation;
use super::super::tokens::{Grant, Rejected};
use super::super::wire::{Fault, Problem, Scope};
use super::{Call, Provider};

impl Provider {
    /// What the call's token stands for.
    pub(super) fn admit(&mut self, call: &Call, now: Timestamp) -> Result<Grant, Problem> {
        let grant = self.tokens.grant(call.token.as_ref(), now).cloned().map_err(|rejected| {
            let fault = match rejected {
                Rejected::Unknown => Fault::Unauthenticated,
                Rejected::Expired => Fault::Expired,
            };
            Problem::new(fault, "Authorization failed: no valid bearer token")
        })?;
        let enough = match (call.wire.scope)(call.operation) {
            Scope::Free => true,
            Scope::ThreeLegged(scope) => grant.subject.is_none() || holds(&grant, scope),
            Scope::Needed(scope) => holds(&grant, scope),
        };
        if !enough {
            return Err(Problem::new(Fault::Scope, "Operation not allowed: the token lacks the scope"));
        }
        self.pace(call, &grant, now)?;
        if call.correlator.as_ref().is_some_and(|correlator| !call.wire.correlator.takes(correlator)) {
            return Err(Problem::new(Fault::Invalid, "Schema validation failed at x-correlator"));
        }
        Ok(grant)
    }

    /// Refuses a client that is too fast, or has too much already.
    fn pace(&mut self, call: &Call, grant: &Grant, now: Timestamp) -> Result<(), Problem> {
        if !call.wire.limits_rate {
            return Ok(());
        }
        if let Some(most) = self.settings.requests_per_minute {
            let times = self.paces.entry(grant.client.clone()).or_default();
            times.retain(|at| seconds_later(*at, 60) > now);
            if times.len() >= most {
                return Err(Problem::new(Fault::RateLimit, "Too many requests"));
            }
            times.push_back(now);
        }
        let full = |quota| self.sessions.serving(&grant.client) >= quota;
        if call.operation == Operation::Create && self.settings.session_quota.is_some_and(full) {
            return Err(Problem::new(Fault::Quota, "Out of resource quota"));
        }
        Ok(())
    }
}

/// Whether a token holds a scope, also in the older form `dpv:<Purpose>#<scope>`, which Telefónica still uses.
fn holds(grant: &Grant, scope: &str) -> bool {
    let is = |held: &String| held.rsplit_once('#').map_or(held.as_str(), |(_, scope)| scope) == scope;
    grant.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_held_by_its_name_or_behind_a_purpose() {
        let grant = |scope: &str| Grant { scopes: Some([scope.to_owned()].into()), ..Grant::of("a") };
        assert!(holds(&grant("qod"), "qod"));
        assert!(holds(&grant("dpv:RequestedServiceProvision#qod"), "qod"));
        assert!(!holds(&grant("dpv:RequestedServiceProvision"), "qod"));
        assert!(!holds(&grant("qod-sessions-read"), "qod"));
        assert!(holds(&Grant::of("a"), "qod"), "a token without a list of scopes is for everything");
    }
}
