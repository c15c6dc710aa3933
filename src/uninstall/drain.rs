//! Has the operator make no `QosSession`s for workloads while the guard takes them away, by an annotation on its Lease. Pure.
//!
//! The leader reads its Lease before each renewal that comes after somebody else has written it, since it writes under the
//! `resourceVersion` that it knows. So a renewal that is younger than the annotation says that the leader has read it. And the end is
//! counted from the leader's own `renewTime`, so that no two clocks are compared.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::clock::later;
use crate::leader::drain::{DRAINING_ANNOTATION, draining_until};

/// How far ahead the end is written.
pub const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// With less than this left it is written again.
const LEFT: SignedDuration = SignedDuration::from_secs(40);

/// The operator's Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseName {
    /// The operator's own namespace.
    pub namespace: String,
    /// `--lease-name`.
    pub name: String,
}

/// What the Lease says, and what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Drained {
    /// Who leads makes nothing for workloads: what is deleted stays away.
    pub is_known: bool,
    /// To be written, under the `resourceVersion` that was read.
    pub write: Option<Lease>,
}

/// From the Lease as it was read at `now`, which counts only where nobody leads.
pub fn drained(lease: &Lease, now: Timestamp) -> Drained {
    let spec = lease.spec.clone().unwrap_or_default();
    let leads = spec.holder_identity.is_some_and(|holder| !holder.is_empty());
    let clock = spec.renew_time.map(|at| at.0).filter(|_| leads).unwrap_or(now);
    let until = draining_until(lease).filter(|until| *until > clock);
    // Who comes to lead reads the Lease before it takes it.
    let is_known = until.is_some_and(|until| !leads || later(clock, AHEAD) > until);
    // One that was written by another clock, while nobody led, may lie too far ahead.
    let is_due = until.is_none_or(|until| until < later(clock, LEFT) || until > later(clock, AHEAD));
    let write = is_due.then(|| {
        let mut lease = lease.clone();
        lease.metadata.managed_fields = None;
        let annotations = lease.metadata.annotations.get_or_insert_default();
        annotations.insert(DRAINING_ANNOTATION.to_owned(), later(clock, AHEAD).to_string());
        lease
    });
    Drained { is_known, write }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::LeaseSpec;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_microsecond(1_800_000_000_000_001 + second * 1_000_000).unwrap()
    }

    fn lease(holder: &str, renewed: i64) -> Lease {
        let spec = LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            renew_time: Some(MicroTime(at(renewed))),
            ..LeaseSpec::default()
        };
        Lease { metadata: kube::core::ObjectMeta::default(), spec: Some(spec) }
    }

    fn renewed(mut lease: Lease, second: i64) -> Lease {
        lease.spec.as_mut().unwrap().renew_time = Some(MicroTime(at(second)));
        lease
    }

    #[test]
    fn a_leader_knows_it_with_its_next_renewal_and_the_end_is_on_its_own_clock() {
        // The guard's clock is hours off.
        let first = drained(&lease("a", 0), at(-9_999));
        assert!(!first.is_known);
        let written = first.write.unwrap();
        assert_eq!(draining_until(&written), Some(at(60)));
        assert_eq!(drained(&written, at(9_999)), Drained { is_known: false, write: None }, "it has not renewed since");
        assert_eq!(drained(&renewed(written.clone(), 2), at(9_999)), Drained { is_known: true, write: None });
        let due = drained(&renewed(written.clone(), 21), at(0));
        assert!(due.is_known, "it drains still, while the next end is written");
        assert_eq!(due.write.as_ref().and_then(draining_until), Some(at(81)));
        let over = drained(&renewed(written, 60), at(0));
        assert!(!over.is_known && over.write.is_some(), "what is over holds nobody back");
    }

    #[test]
    fn where_nobody_leads_who_comes_to_lead_knows_it_from_the_start() {
        let written = drained(&lease("", 0), at(500)).write.unwrap();
        assert_eq!(draining_until(&written), Some(at(560)));
        assert_eq!(drained(&written, at(501)), Drained { is_known: true, write: None });
        let mut taken = renewed(written, 502);
        taken.spec.as_mut().unwrap().holder_identity = Some("b".to_owned());
        assert_eq!(drained(&taken, at(502)), Drained { is_known: true, write: None });
        let behind = drained(&renewed(taken, 100), at(502)).write.unwrap();
        assert_eq!(draining_until(&behind), Some(at(160)), "whatever its clock says");
        assert!(drained(&Lease::default(), at(0)).write.is_some());
    }
}
