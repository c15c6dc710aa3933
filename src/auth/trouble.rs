//! What is remembered of a failure, so that nobody asks again at once.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::no_token::NoToken;
use crate::clock::later;

/// The first pause; each further one is twice as long.
pub(super) const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// No pause is longer, unless the provider asks for it.
pub(super) const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// A failure and the pause after it.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    answer: NoToken,
    since: Timestamp,
    pause: SignedDuration,
    pub(super) until: Timestamp,
}

impl Trouble {
    /// The failure of a request that began at `started`, after what was remembered `before`. Of requests that were under way
    /// together only the first one makes the pause longer.
    pub(super) fn after(
        before: Option<&Self>,
        answer: NoToken,
        at_least: Option<Duration>,
        started: Timestamp,
        now: Timestamp,
    ) -> Self {
        let pause = match before {
            None => FIRST_PAUSE,
            Some(before) if started < before.since => before.pause,
            Some(before) => before.pause.saturating_mul(2).min(LONGEST_PAUSE),
        };
        let wanted = at_least.map_or(SignedDuration::ZERO, signed);
        let until = later(now, pause.max(wanted));
        let until = before.map_or(until, |before| before.until.max(until));
        Self { answer, since: now, pause, until }
    }

    /// A failure with a pause of that length.
    pub(super) fn with_pause(answer: NoToken, pause: SignedDuration, now: Timestamp) -> Self {
        Self { answer, since: now, pause, until: later(now, pause) }
    }

    /// During the pause: what is answered from memory.
    pub(super) fn answer(&self, now: Timestamp) -> Option<NoToken> {
        (now < self.until).then(|| self.repeated(now))
    }

    /// The answer again, with the times as they are now.
    pub(super) fn repeated(&self, now: Timestamp) -> NoToken {
        match &self.answer {
            NoToken::Pending { .. } => NoToken::Pending { again_at: self.until },
            NoToken::Unavailable { .. } => {
                let left = Duration::try_from(self.until.duration_since(now)).unwrap_or(Duration::ZERO);
                NoToken::Unavailable { retry_after: Some(left.max(Duration::from_secs(1))) }
            }
            other => other.clone(),
        }
    }
}

/// As the clock measures.
pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failed(before: Option<&Trouble>, wait: Option<u64>, now: i64) -> Trouble {
        Trouble::after(before, NoToken::Unparseable, wait.map(Duration::from_secs), at(now), at(now))
    }

    #[test]
    fn pauses_grow_from_5_seconds_to_5_minutes() {
        let (mut now, mut last, mut pauses) = (0, None, Vec::new());
        for _ in 0..8 {
            let trouble = failed(last.as_ref(), None, now);
            pauses.push(trouble.until.as_second() - now);
            assert_eq!(trouble.answer(at(trouble.until.as_second() - 1)), Some(NoToken::Unparseable));
            assert_eq!(trouble.answer(trouble.until), None);
            now = trouble.until.as_second();
            last = Some(trouble);
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn the_providers_own_wait_is_kept_if_it_is_longer() {
        assert_eq!(failed(None, Some(30), 0).until, at(30));
        assert_eq!(failed(None, Some(1), 0).until, at(5));
        assert_eq!(failed(None, Some(3600), 0).until, at(3600));
    }

    #[test]
    fn requests_that_fail_together_count_once_and_never_shorten_the_pause() {
        let first = Trouble::after(None, NoToken::Unparseable, Some(Duration::from_mins(1)), at(0), at(2));
        let second = Trouble::after(Some(&first), NoToken::Unparseable, None, at(1), at(3));
        assert_eq!((second.pause, second.until), (FIRST_PAUSE, at(62)));
    }

    #[test]
    fn what_is_left_of_a_pause_is_told() {
        let trouble = Trouble::after(None, NoToken::Unavailable { retry_after: None }, None, at(0), at(0));
        let left = |now| match trouble.answer(at(now)) {
            Some(NoToken::Unavailable { retry_after: Some(left) }) => left.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!((left(0), left(3)), (5, 2));
    }
}
