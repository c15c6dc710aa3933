//! What becomes of spans, and the bound on those that wait.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// So many spans wait for the collector at most, those that are being sent included: about 10 MB. The next ones are dropped.
pub(super) const MOST_WAITING: usize = 8192;
/// That spans are lost is told this often at most.
const PAUSE: Duration = Duration::from_mins(5);

/// What has become of spans.
#[derive(Debug, Default)]
pub struct Counts {
    waiting: AtomicUsize,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    lost: u64,
}

/// What became of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The collector took it.
    Sent,
    /// The collector did not answer, or refused the batch.
    Failed,
    /// Too many were waiting.
    Dropped,
}

impl Outcome {
    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "Sent",
            Self::Failed => "Failed",
            Self::Dropped => "Dropped",
        }
    }
}

impl Counts {
    /// How many spans there were, by what became of them.
    pub fn spans(&self) -> [(Outcome, u64); 3] {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [(Outcome::Sent, read(&self.sent)), (Outcome::Failed, read(&self.failed)), (Outcome::Dropped, read(&self.dropped))]
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A place for one more, if there is one; else it counts as dropped.
    pub(super) fn take_place(&self) -> bool {
        let place = |waiting| (waiting < MOST_WAITING).then_some(waiting + 1);
        let taken = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, place).is_ok();
        if !taken {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// So many were sent, or could not be.
    pub(super) fn settled(&self, spans: usize, sent: bool) {
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        let count = if sent { &self.sent } else { &self.failed };
        count.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many were lost since that was last told, where it is to be told at `now`.
    pub(super) fn to_tell(&self, now: Instant) -> Option<u64> {
        let lost = self.failed.load(Ordering::Relaxed) + self.dropped.load(Ordering::Relaxed);
        let mut told = self.told.lock();
        if lost == told.lost || told.at.is_some_and(|at| now.duration_since(at) < PAUSE) {
            return None;
        }
        let since = lost - told.lost;
        *told = Told { at: Some(now), lost };
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_bound_wait_and_the_next_are_counted_as_dropped() {
        let counts = Counts::default();
        let places = (0..MOST_WAITING + 3).filter(|_| counts.take_place()).count();
        assert_eq!((places, counts.waiting()), (MOST_WAITING, MOST_WAITING));
        counts.settled(2, true);
        counts.settled(1, false);
        assert_eq!(counts.spans().map(|(_, count)| count), [2, 1, 3]);
        assert!((0..4).map(|_| counts.take_place()).eq([true, true, true, false]));
    }

    #[test]
    fn that_spans_are_lost_is_told_at_once_and_then_every_five_minutes_with_their_number() {
        let (counts, begin) = (Counts::default(), Instant::now());
        let lose = |spans| (0..spans).for_each(|_| counts.settled(usize::from(counts.take_place()), false));
        assert_eq!(counts.to_tell(begin), None);
        lose(2);
        assert_eq!(counts.to_tell(begin), Some(2));
        lose(5);
        assert_eq!(counts.to_tell(begin + Duration::from_secs(299)), None);
        assert_eq!(counts.to_tell(begin + Duration::from_mins(5)), Some(5));
        assert_eq!(counts.to_tell(begin + Duration::from_mins(50)), None, "nothing new is lost");
    }
}
