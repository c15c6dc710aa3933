//! The fence of a leader that was deposed and does not know it yet.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Whether the lease has enough time left for what is about to be done. Clones share it.
///
/// It counts on the monotonic clock, from before the last renewal was *sent*. Who wants to take over has seen that renewal later
/// than it was sent, and then waits for the whole lease: so what begins within the fence has begun before anybody else does.
#[derive(Clone, Debug)]
pub struct Fence(Option<Arc<Mutex<Option<Instant>>>>);

impl Fence {
    /// Where no election is on: it always allows.
    pub const fn absent() -> Self {
        Self(None)
    }

    /// One that allows nothing until the lease is held.
    pub fn closed() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether the lease holds for longer than `window` from now on.
    pub fn allows(&self, window: SignedDuration) -> bool {
        self.allows_at(Instant::now(), window)
    }

    /// The lease holds until then.
    pub(super) fn hold_until(&self, until: Instant) {
        if let Some(held) = &self.0 {
            *held.lock() = Some(until);
        }
    }

    /// Nothing is allowed any more.
    pub(super) fn close(&self) {
        if let Some(held) = &self.0 {
            *held.lock() = None;
        }
    }

    fn allows_at(&self, now: Instant, window: SignedDuration) -> bool {
        let Some(held) = &self.0 else { return true };
        let window = Duration::try_from(window).unwrap_or(Duration::ZERO);
        let ends = now.checked_add(window);
        held.lock().zip(ends).is_some_and(|(until, ends)| ends < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: SignedDuration = SignedDuration::from_secs(10);

    #[test]
    fn a_lease_must_hold_for_longer_than_the_send_window() {
        let (fence, start) = (Fence::closed(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(!fence.allows_at(start, WINDOW), "not before the lease is held");
        fence.hold_until(after(20));
        assert!(fence.allows_at(after(9), WINDOW));
        assert!(!fence.allows_at(after(10), WINDOW), "a window that ends with the lease is none");
        assert!(!fence.allows_at(after(21), SignedDuration::ZERO));
        fence.hold_until(after(24));
        assert!(fence.allows_at(after(13), WINDOW), "after a renewal");
    }

    #[test]
    fn all_clones_close_at_once_and_without_an_election_nothing_is_fenced() {
        let fence = Fence::closed();
        let clone = fence.clone();
        fence.hold_until(Instant::now() + Duration::from_hours(1));
        assert!(clone.allows(WINDOW));
        fence.close();
        assert!(!clone.allows(WINDOW));
        assert!(Fence::absent().allows(SignedDuration::MAX));
    }
}
