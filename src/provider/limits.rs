//! How many calls a minute, and how many at once: `spec.limits`.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::api::ProviderLimits;
use crate::clock::Clock;

/// The limits of one provider, shared by all of its sessions; who waits is served in order.
#[derive(Debug)]
pub struct Limits {
    spec: ProviderLimits,
    in_flight: Arc<Semaphore>,
    rate: Mutex<RateLimiter<NotKeyed, InMemoryState, RateClock, NoOpMiddleware<Nanos>>>,
    clock: RateClock,
}

/// Leave to make one call. It counts as under way until it is dropped.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held for its Drop")] Option<OwnedSemaphorePermit>);

impl Limits {
    pub(super) fn new(spec: ProviderLimits, clock: Clock) -> Self {
        let clock = RateClock { start: clock.now(), clock };
        let a_minute = u32::try_from(spec.requests_per_minute).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        // As many at once as may be under way, so that a burst is not spread over the minute for nothing.
        let at_once = u32::try_from(spec.max_in_flight).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(a_minute).allow_burst(at_once.min(a_minute));
        Self {
            in_flight: Arc::new(Semaphore::new(at_once.get() as usize)),
            rate: Mutex::new(RateLimiter::direct_with_clock(quota, clock.clone())),
            spec,
            clock,
        }
    }

    /// Waits until a call may be made: first for a place among those under way, then for the rate. Hold the permit while it lasts.
    pub async fn permit(&self) -> Permit {
        // The semaphore is never closed.
        let place = self.in_flight.clone().acquire_owned().await.ok();
        // tokio's mutex is fair: who came first is the next that the rate lets through.
        let rate = self.rate.lock().await;
        while let Err(not_until) = rate.check() {
            let wait = not_until.wait_time_from(self.clock.now());
            self.clock.clock.sleep(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)).await;
        }
        Permit(place)
    }

    pub(super) fn is_for(&self, spec: &ProviderLimits) -> bool {
        self.spec == *spec
    }
}

/// The operator's clock, as governor wants it.
#[derive(Clone, Debug)]
struct RateClock {
    clock: Clock,
    start: Timestamp,
}

impl governor::clock::Clock for RateClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let passed = self.clock.now().duration_since(self.start);
        Nanos::new(u64::try_from(passed.as_nanos()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn no_more_calls_are_under_way_than_the_limit_and_a_dropped_permit_lets_the_next_one_in() {
        let spec = ProviderLimits { max_in_flight: 2, ..ProviderLimits::default() };
        let limits = Arc::new(Limits::new(spec, Clock::system()));
        let first = limits.permit().await;
        let _second = limits.permit().await;
        let third = tokio::spawn({
            let limits = limits.clone();
            async move { limits.permit().await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!third.is_finished());
        drop(first);
        tokio::time::timeout(Duration::from_secs(5), third).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_rate_is_kept_by_the_operators_clock() {
        let spec = ProviderLimits { requests_per_minute: 1, ..ProviderLimits::default() };
        let clock = Clock::system();
        let limits = Arc::new(Limits::new(spec, clock.clone()));
        drop(limits.permit().await);
        let second = tokio::spawn({
            let limits = limits.clone();
            async move { drop(limits.permit().await) }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!second.is_finished());
        clock.advance(SignedDuration::from_secs(61));
        tokio::time::timeout(Duration::from_secs(5), second).await.unwrap().unwrap();
    }
}
