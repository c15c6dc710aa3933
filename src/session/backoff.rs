//! How long to wait after a failure: pure, given the jitter.

use k8s_openapi::jiff::SignedDuration;

const FIRST: i64 = 5_000;
const LONGEST: i64 = 300_000;
const SLOW: i64 = 600_000;

/// The pause after the `failures`-th failure in a row: 5 s, doubling to 5 min. `jitter` in 0..1 spreads it by ±10 %.
pub fn growing(failures: u32, jitter: f64) -> SignedDuration {
    let doubled = FIRST.saturating_mul(1_i64.checked_shl(failures.saturating_sub(1).min(16)).unwrap_or(i64::MAX));
    spread(doubled.min(LONGEST), jitter)
}

/// The pause of an object whose spec must change, or whose refusal a person must lift: 10 min ± 10 %.
pub fn slow(jitter: f64) -> SignedDuration {
    spread(SLOW, jitter)
}

/// A period with ±10 % of jitter.
pub fn period(seconds: i64, jitter: f64) -> SignedDuration {
    spread(seconds.saturating_mul(1000), jitter)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "milliseconds of minutes are exact in a double")]
fn spread(millis: i64, jitter: f64) -> SignedDuration {
    SignedDuration::from_millis((millis as f64 * (0.9 + 0.2 * jitter)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_five_seconds_to_five_minutes_and_stay_there() {
        let pauses: Vec<_> = (1..=9).map(|failures| growing(failures, 0.5).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(growing(u32::MAX, 0.5).as_secs(), 300);
        assert_eq!((growing(1, 0.0).as_millis(), growing(1, 1.0).as_millis()), (4500, 5500));
    }

    #[test]
    fn ten_minutes_of_refusals_are_at_most_eight_tries() {
        let mut passed = 0;
        let tries = (1..).take_while(|failures| {
            passed += growing(*failures, 0.0).as_secs();
            passed <= 600
        });
        assert!(tries.count() < 8);
    }
}
