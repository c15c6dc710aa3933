//! The times of an election.

use std::time::Duration;

/// How often the lease is tried to be given back: what is not is free when its time is over.
pub(super) const RELEASE_TRIES: u32 = 3;

/// How long a lease holds, and how often what is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// `--lease-duration`: so long after the holder's last renewal others may take the lease.
    pub lease_duration: Duration,
    /// `--lease-renew-deadline`: so long after its last renewal the holder gives up.
    pub renew_deadline: Duration,
    /// `--lease-retry-period`: the longest time between two renewals.
    pub retry_period: Duration,
}

/// The times do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaceError {
    /// A holder that renews in time would not have the send window left.
    #[error(
        "--lease-duration ({duration:?}) must be longer than --send-window ({window:?}) and --lease-retry-period ({retry:?}) \
         together: else a leader that renews in time has no time left to create a session"
    )]
    TooShort {
        /// `--lease-duration`.
        duration: Duration,
        /// `--send-window`.
        window: Duration,
        /// `--lease-retry-period`.
        retry: Duration,
    },
    /// The holder would still act when others may.
    #[error(
        "--lease-renew-deadline ({deadline:?}) must be shorter than --lease-duration ({duration:?}): a leader ends before \
         another one begins"
    )]
    DeadlineTooLong {
        /// `--lease-renew-deadline`.
        deadline: Duration,
        /// `--lease-duration`.
        duration: Duration,
    },
    /// One slow answer would depose the holder.
    #[error(
        "--lease-renew-deadline ({deadline:?}) must be at least twice --lease-retry-period ({retry:?}): several tries must fit \
         before it"
    )]
    TooFewTries {
        /// `--lease-renew-deadline`.
        deadline: Duration,
        /// `--lease-retry-period`.
        retry: Duration,
    },
    /// The API server would be asked without a pause.
    #[error("--lease-retry-period ({retry:?}) must be at least 100ms")]
    TooOften {
        /// `--lease-retry-period`.
        retry: Duration,
    },
}

impl Pace {
    /// These times, where they fit together and to `--send-window`.
    ///
    /// # Errors
    /// Names the flags that do not.
    pub fn checked(self, send_window: Duration) -> Result<Self, PaceError> {
        let Self { lease_duration: duration, renew_deadline: deadline, retry_period: retry } = self;
        if retry < Duration::from_millis(100) {
            Err(PaceError::TooOften { retry })
        } else if duration <= send_window.saturating_add(retry) {
            Err(PaceError::TooShort { duration, window: send_window, retry })
        } else if deadline >= duration {
            Err(PaceError::DeadlineTooLong { deadline, duration })
        } else if deadline < retry * 2 {
            Err(PaceError::TooFewTries { deadline, retry })
        } else {
            Ok(self)
        }
    }

    /// From one renewal to the next. Half of the retry period, so that by default (20 s, 15 s, 4 s) an API server that answers
    /// nothing for 12 s, from whichever moment on, is outlived: 2 s + 12 s, and a second for the try that succeeds.
    pub(super) fn renewal(&self, jitter: f64) -> Duration {
        shortened(self.retry_period / 2, jitter)
    }

    /// From one look of a candidate to the next: a lease that was given back is taken within this time.
    pub(super) fn look(&self, jitter: f64) -> Duration {
        shortened(self.retry_period / 4, jitter)
    }

    /// From a refusal to the next try of the holder. A try that timed out is followed by the next one at once.
    pub(super) fn pause(&self, jitter: f64) -> Duration {
        shortened(self.retry_period / 8, jitter)
    }

    /// How long one call may take: short enough for several before the deadline.
    pub(super) fn try_limit(&self) -> Duration {
        self.retry_period * 3 / 4
    }

    /// How long the holder takes at most to give the lease back: the call that runs, and then every try, of two calls each.
    #[must_use]
    pub fn longest_resignation(&self) -> Duration {
        self.try_limit() * (1 + 2 * RELEASE_TRIES)
    }
}

/// `duration`, or up to a fifth less: replicas that start together do not stay in step, and no bound is passed.
fn shortened(duration: Duration, jitter: f64) -> Duration {
    duration.mul_f64(1.0 - 0.2 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(duration: u64, deadline: u64, retry: u64) -> Pace {
        let [lease_duration, renew_deadline, retry_period] = [duration, deadline, retry].map(Duration::from_secs);
        Pace { lease_duration, renew_deadline, retry_period }
    }

    #[test]
    fn times_that_do_not_fit_together_are_refused_with_the_flags_to_change() {
        let window = Duration::from_secs(10);
        assert!(pace(20, 15, 4).checked(window).is_ok(), "the defaults");
        for (refused, flags) in [
            (pace(14, 12, 4), ["--lease-duration", "--send-window", "--lease-retry-period"].as_slice()),
            (pace(20, 20, 4), &["--lease-renew-deadline", "--lease-duration"]),
            (pace(20, 7, 4), &["--lease-renew-deadline", "--lease-retry-period"]),
            (pace(20, 15, 0), &["--lease-retry-period"]),
        ] {
            let error = refused.checked(window).unwrap_err().to_string();
            assert!(flags.iter().all(|flag| error.contains(flag)), "{error}");
        }
    }

    #[test]
    fn twelve_seconds_without_an_answer_leave_a_try_before_the_default_deadline() {
        let pace = pace(20, 15, 4);
        // The stall begins right before a renewal. Tries that time out follow one another.
        let (stall_ends, mut sent) = (pace.renewal(0.0) + Duration::from_secs(12), pace.renewal(0.0));
        while sent < stall_ends {
            sent += pace.try_limit();
        }
        assert!(sent + Duration::from_millis(900) < pace.renew_deadline, "{sent:?}");
    }
}
