//! Draining: while the operator is about to be uninstalled it makes no `QosSession`s for workloads. The Lease says until when.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;

use super::Fence;

/// Until when the leader drains, on its own clock: RFC 3339. The uninstall guard writes it, a little ahead, again and again, so that
/// it ends by itself when the guard does.
pub const DRAINING_ANNOTATION: &str = "qos-operator.io/draining-until";

/// What the Lease says of draining; what cannot be read says nothing.
pub fn draining_until(lease: &Lease) -> Option<Timestamp> {
    lease.metadata.annotations.as_ref()?.get(DRAINING_ANNOTATION)?.parse().ok()
}

/// Until when to drain, as the Lease last said. Clones share it.
#[derive(Clone, Debug)]
pub struct Drain(Option<watch::Receiver<Option<Timestamp>>>);

impl Drain {
    /// Where no election is on, and so no Lease: never.
    pub const fn absent() -> Self {
        Self(None)
    }

    pub(super) const fn told_by(receiver: watch::Receiver<Option<Timestamp>>) -> Self {
        Self(Some(receiver))
    }

    /// The last word of the Lease; it may lie in the past.
    pub fn until(&self) -> Option<Timestamp> {
        self.0.as_ref().and_then(|told| *told.borrow())
    }

    /// Returns when that has changed since the last time.
    pub async fn changed(&mut self) {
        let gone = match &mut self.0 {
            Some(told) => told.changed().await.is_err(),
            None => true,
        };
        if gone {
            std::future::pending::<()>().await;
        }
    }
}

/// What a leader may do, and what it is to leave undone.
#[derive(Clone, Debug)]
pub struct Mandate {
    /// What stops it when it was deposed.
    pub fence: Fence,
    /// Until when it makes nothing for workloads.
    pub drain: Drain,
}

/// Nothing is left undone.
impl From<Fence> for Mandate {
    fn from(fence: Fence) -> Self {
        Self { fence, drain: Drain::absent() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_says_until_when_or_nothing_at_all() {
        let says = |text: &str| {
            let mut lease = super::super::record::fresh("qos", "qos-operator");
            lease.metadata.annotations = Some([(DRAINING_ANNOTATION.to_owned(), text.to_owned())].into());
            draining_until(&lease)
        };
        assert_eq!(says("2026-11-28T09:00:00.000001Z"), Some("2026-11-28T09:00:00.000001Z".parse().unwrap()));
        assert_eq!([says(""), says("true"), says("tomorrow")], [None; 3]);
        assert_eq!(draining_until(&super::super::record::fresh("qos", "qos-operator")), None);
        assert_eq!(Drain::absent().until(), None);
    }
}
