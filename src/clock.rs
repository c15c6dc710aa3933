//! The one place that reads the system's clock. Everything that decides takes the time as an argument; everything that waits
//! waits here, so that a test or the simulator can let hours pass in a moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A clock that all its clones share: the system's time, or one that runs faster and can be moved.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    started: Instant,
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Debug)]
struct State {
    origin: Timestamp,
    /// Seconds of this clock for each second that really passes; set at the start.
    factor: f64,
    /// What [`Clock::advance`] has added so far.
    offset: SignedDuration,
}

impl Clock {
    /// The system's time, at its own pace.
    pub fn system() -> Self {
        Self::scaled(1.0)
    }

    /// Begins at the system's time and runs `factor` times as fast (greater than 0; 1.0 is real time).
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn scaled(factor: f64) -> Self {
        Self(Arc::new(Shared {
            started: Instant::now(),
            state: Mutex::new(State { origin: Timestamp::now(), factor, offset: SignedDuration::ZERO }),
            moved: Notify::new(),
        }))
    }

    /// The time now. It follows the monotonic clock from the start on: a step of the system's clock does not reach it.
    pub fn now(&self) -> Timestamp {
        let state = self.0.state.lock();
        let passed = SignedDuration::try_from(self.0.started.elapsed().mul_f64(state.factor)).unwrap_or(SignedDuration::MAX);
        later(later(state.origin, passed), state.offset)
    }

    /// Moves this clock (a negative `by` moves it back) and wakes who sleeps on it.
    pub fn advance(&self, by: SignedDuration) {
        {
            let mut state = self.0.state.lock();
            state.offset = state.offset.saturating_add(by);
        }
        self.0.moved.notify_waiters();
    }

    /// Returns when this clock shows `at` or later; at once where that has passed.
    pub async fn sleep_until(&self, at: Timestamp) {
        loop {
            let moved = self.0.moved.notified();
            let left = at.duration_since(self.now());
            if left <= SignedDuration::ZERO {
                return;
            }
            let factor = self.0.state.lock().factor;
            let real = Duration::try_from(left).unwrap_or(Duration::ZERO).div_f64(factor).max(Duration::from_millis(1));
            tokio::select! {
                () = tokio::time::sleep(real.min(Duration::from_hours(1))) => {}
                () = moved => {}
            }
        }
    }

    /// Returns when `duration` has passed on this clock.
    pub async fn sleep(&self, duration: SignedDuration) {
        self.sleep_until(later(self.now(), duration)).await;
    }
}

/// `at` moved by `by`; at the end of jiff's calendar (the year 9999) it stays there, since providers send such times.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_moved_past_its_time() {
        let clock = Clock::system();
        let start = clock.now();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(SignedDuration::from_hours(1)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(SignedDuration::from_hours(2));
        tokio::time::timeout(Duration::from_secs(5), sleeper).await.unwrap().unwrap();
        assert!(clock.now().duration_since(start) >= SignedDuration::from_hours(2));
    }

    #[test]
    fn a_time_beyond_the_calendar_is_its_end() {
        assert_eq!(later(Timestamp::MAX, SignedDuration::from_hours(1)), Timestamp::MAX);
    }
}
