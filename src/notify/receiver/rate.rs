//! How much a source may ask for.

use std::hash::{BuildHasher as _, RandomState};

use governor::clock::DefaultClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::settings::Rate;
use super::source::Source;

/// Sources share so many counters. A counter each would let whoever has many addresses fill the memory, or drive others out of it;
/// so they meet by a hash that nobody outside can compute. Two that share one are limited together, no more.
const COUNTERS: u16 = 16_384;

type Counted = RateLimiter<u16, HashMapStateStore<u16>, DefaultClock, NoOpMiddleware>;

/// The limits of all sources. Strangers and senders are counted apart: nobody without a right bearer can use up what those with
/// one may send, from wherever they come.
pub(super) struct Limits {
    strangers: Counted,
    senders: Counted,
    hash: RandomState,
}

impl Limits {
    pub(super) fn new(strangers: Rate, senders: Rate) -> Self {
        let counted = |rate: Rate| RateLimiter::hashmap(Quota::per_second(rate.per_second).allow_burst(rate.burst));
        Self { strangers: counted(strangers), senders: counted(senders), hash: RandomState::new() }
    }

    /// Counts a request without the right bearer; false: one too many.
    pub(super) fn stranger(&self, source: Source) -> bool {
        self.strangers.check_key(&self.counter(source)).is_ok()
    }

    /// Counts a request with the right bearer; false: one too many.
    pub(super) fn sender(&self, source: Source) -> bool {
        self.senders.check_key(&self.counter(source)).is_ok()
    }

    fn counter(&self, source: Source) -> u16 {
        u16::try_from(self.hash.hash_one(source) % u64::from(COUNTERS)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn source(number: u32) -> Source {
        IpAddr::from(number.to_be_bytes()).into()
    }

    /// So slow that none comes back while a test runs.
    fn limits(strangers: u32, senders: u32) -> Limits {
        Limits::new(Rate::new(1, strangers), Rate::new(1, senders))
    }

    #[test]
    fn a_source_that_is_limited_limits_no_other_and_not_what_it_may_send_with_the_right_bearer() {
        let limits = limits(100, 100);
        let mut left = 0..1000;
        assert!(left.any(|_| !limits.stranger(source(1))));
        let others = (2..102).filter(|number| limits.stranger(source(*number))).count();
        assert!(others >= 95, "only {others} of 100 others were let in; a few may share a counter");
        assert!((0..100).all(|_| limits.sender(source(1))));
    }

    #[test]
    fn a_million_sources_take_no_more_memory_than_there_are_counters() {
        let limits = limits(1000, 1);
        for number in 0..1_000_000 {
            limits.stranger(source(number));
        }
        assert_eq!(limits.strangers.len(), usize::from(COUNTERS));
    }
}
