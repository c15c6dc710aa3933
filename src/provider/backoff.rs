//! Pauses that grow: 5 s, doubling to 5 min, with ±10 % so that what failed together does not come back together.

use k8s_openapi::jiff::SignedDuration;
use rand::RngExt;

const FIRST: SignedDuration = SignedDuration::from_secs(5);
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    /// The pause after one more failure.
    pub(super) fn next(&mut self) -> SignedDuration {
        let wait = pause(self.0);
        self.0 = self.0.saturating_add(1);
        Self::jitter(wait)
    }

    pub(super) fn reset(&mut self) {
        self.0 = 0;
    }

    /// `wait` ± 10 %.
    pub(super) fn jitter(wait: SignedDuration) -> SignedDuration {
        SignedDuration::try_from_secs_f64(wait.as_secs_f64() * rand::rng().random_range(0.9..=1.1)).unwrap_or(wait)
    }
}

/// The pause after `failures` earlier ones, without jitter.
pub(super) fn pause(failures: u32) -> SignedDuration {
    (FIRST * (1 << failures.min(10))).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_double_from_5_s_to_5_min() {
        let pauses: Vec<i64> = [0, 1, 2, 5, 6, 7, u32::MAX].map(|failures| pause(failures).as_secs()).to_vec();
        assert_eq!(pauses, [5, 10, 20, 160, 300, 300, 300]);
        let mut backoff = Backoff::default();
        let first = backoff.next();
        assert!(first >= FIRST * 9 / 10 && first <= FIRST * 11 / 10, "{first:?}");
        assert!(backoff.next() > first);
        backoff.reset();
        assert!(backoff.next() < SignedDuration::from_secs(6));
    }
}
