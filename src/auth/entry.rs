//! What is known of one subject and scope, and the times of a token's life. Pure: the time is an argument.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::no_token::{NoToken, Refusal};
use super::trouble::{FIRST_PAUSE, LONGEST_PAUSE, Trouble, signed};
use super::wire::Granted;
use crate::clock::later;
use crate::private::Private;
use crate::qod::AccessToken;

/// A token of which nobody said how long it lives is used so long; one that ends sooner shows it by a 401.
const UNKNOWN_LIFE: SignedDuration = SignedDuration::from_mins(5);
/// A new token is fetched when less than this share of the life is left, within these bounds.
const RENEWAL_SHARE: i32 = 5;
const LONGEST_RENEWAL: SignedDuration = SignedDuration::from_mins(5);
const SHORTEST_RENEWAL: SignedDuration = SignedDuration::from_secs(5);
/// A token that ends within this may end on its way; a short life gives a tenth of it.
const ON_THE_WAY: SignedDuration = SignedDuration::from_secs(2);
/// Tokens that may not be used twice are fetched no faster than this.
const SINGLE_USE_PACE: SignedDuration = SignedDuration::from_secs(1);
/// A token that is refused younger than this says that the next one will be refused too.
const YOUNG: SignedDuration = SignedDuration::from_mins(1);
/// A refresh token is kept so long for somebody who does not ask. It spares the subscriber another question.
const REFRESH_KEPT: SignedDuration = SignedDuration::from_hours(1);
/// How long at least something is remembered.
const KEPT: SignedDuration = SignedDuration::from_mins(1);

/// What came of a request for a token, for all who wait for it.
pub(super) type Outcome = Result<AccessToken, NoToken>;
/// Where it will be told.
pub(super) type Flight = watch::Receiver<Option<Outcome>>;

/// A token and the times of its life.
#[derive(Clone, Debug)]
pub(super) struct Held {
    token: AccessToken,
    since: Timestamp,
    renew_at: Timestamp,
    usable_until: Timestamp,
}

/// What is known of one subject and scope.
#[derive(Debug)]
pub(super) struct Entry {
    held: Option<Held>,
    pub(super) refresh_token: Option<Private<String>>,
    /// The next poll for a consent that is awaited.
    pub(super) next_poll: Option<Timestamp>,
    pub(super) trouble: Option<Trouble>,
    pub(super) flight: Option<Flight>,
    /// When somebody last asked for a token.
    pub(super) asked_at: Timestamp,
    /// No request before that.
    pub(super) not_before: Option<Timestamp>,
    /// How many young tokens the API has refused, one after another.
    refusals: u32,
}

/// What there is of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stock {
    /// One to use.
    Fresh(AccessToken),
    /// One to use, and time to fetch the next.
    Ageing(AccessToken),
    /// None.
    None,
}

impl Entry {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            held: None,
            refresh_token: None,
            next_poll: None,
            trouble: None,
            flight: None,
            asked_at: now,
            not_before: None,
            refusals: 0,
        }
    }

    /// What there is now. `asks_subscriber`: to fetch another token without a refresh token is a question to a person, so there is
    /// no fetching ahead of the end.
    pub(super) fn stock(&self, asks_subscriber: bool, now: Timestamp) -> Stock {
        match &self.held {
            Some(held) if now < held.usable_until => {
                let renewable = !asks_subscriber || self.refresh_token.is_some();
                let token = held.token.clone();
                if renewable && now >= held.renew_at { Stock::Ageing(token) } else { Stock::Fresh(token) }
            }
            _ => Stock::None,
        }
    }

    /// Whether a request is under way. One whose task is gone is not.
    pub(super) fn flight(&self) -> Option<Flight> {
        self.flight.as_ref().filter(|flight| flight.has_changed().is_ok()).cloned()
    }

    /// Keeps a token that came now. One without any life is for those who wait for it, and for nobody after them.
    pub(super) fn grant(&mut self, granted: &Granted, now: Timestamp) {
        let life = granted.expires_in.map_or(UNKNOWN_LIFE, signed);
        (self.trouble, self.next_poll) = (None, None);
        if let Some(refresh_token) = &granted.refresh_token {
            self.refresh_token = Some(refresh_token.clone());
        }
        if life.is_zero() {
            (self.held, self.not_before) = (None, Some(later(now, SINGLE_USE_PACE)));
            return;
        }
        let end = later(now, life);
        let margin = (life / RENEWAL_SHARE).clamp(SHORTEST_RENEWAL, LONGEST_RENEWAL).min(life / 2);
        self.not_before = None;
        self.held = Some(Held {
            token: granted.access_token.clone(),
            since: now,
            renew_at: later(end, -margin),
            usable_until: later(end, -ON_THE_WAY.min(life / 10)),
        });
    }

    /// The API refused the token; whether it was the one that is kept.
    pub(super) fn refused(&mut self, token: &AccessToken, now: Timestamp) -> bool {
        let Some(held) = self.held.take_if(|held| held.token == *token) else { return false };
        let young = now.duration_since(held.since) < YOUNG;
        self.refusals = if young { self.refusals.saturating_add(1) } else { 1 };
        if let Some(more) = self.refusals.checked_sub(2) {
            // What the refresh token brings is refused as well.
            self.refresh_token = None;
            let pause = FIRST_PAUSE.saturating_mul(1 << more.min(10)).min(LONGEST_PAUSE);
            let answer = NoToken::Refused { reason: Refusal::Credentials, code: None };
            self.trouble = Some(Trouble::with_pause(answer, pause, now));
        }
        true
    }

    /// Whether nothing here is of use any more to somebody who asks at `now`.
    pub(super) fn is_stale(&self, now: Timestamp) -> bool {
        let kept_until = [
            self.held.as_ref().map(|held| held.usable_until),
            self.trouble.as_ref().map(|trouble| later(trouble.until, LONGEST_PAUSE)),
            self.refresh_token.as_ref().map(|_| later(self.asked_at, REFRESH_KEPT)),
            Some(later(self.asked_at, KEPT)),
        ];
        !self.is_busy() && kept_until.into_iter().flatten().all(|until| until <= now)
    }

    /// Whether something is under way that ends here.
    pub(super) fn is_busy(&self) -> bool {
        self.next_poll.is_some() || self.flight().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn granted(token: &str, life: Option<u64>) -> Granted {
        Granted {
            access_token: AccessToken::new(token),
            token_type: None,
            expires_in: life.map(Duration::from_secs),
            refresh_token: None,
        }
    }

    /// The first seconds at which the token is renewed ahead, and not used any more.
    fn turns(life: Option<u64>) -> (i64, i64) {
        let mut entry = Entry::new(at(0));
        entry.grant(&granted("t", life), at(0));
        let first = |wanted: fn(&Stock) -> bool| (0..40_000).find(|second| wanted(&entry.stock(false, at(*second)))).unwrap();
        (first(|stock| !matches!(stock, Stock::Fresh(_))), first(|stock| *stock == Stock::None))
    }

    #[test]
    fn a_token_is_renewed_when_a_fifth_of_its_life_is_left_within_bounds() {
        assert_eq!(turns(Some(3600)), (3300, 3598), "at most 5 minutes before its end");
        assert_eq!(turns(Some(120)), (96, 118));
        assert_eq!(turns(Some(20)), (15, 18), "at least 5 seconds before its end");
        assert_eq!(turns(Some(6)), (3, 6), "but not in the first half of its life");
        assert_eq!(turns(None), (240, 298), "5 minutes where nobody says");
    }

    #[test]
    fn a_life_that_no_calendar_holds_is_no_fault() {
        let mut entry = Entry::new(at(0));
        entry.grant(&granted("t", Some(u64::MAX)), at(0));
        assert!(matches!(entry.stock(false, at(1_000_000)), Stock::Fresh(_)));
    }

    #[test]
    fn a_token_without_life_is_not_kept_and_the_next_one_waits_a_moment() {
        let mut entry = Entry::new(at(0));
        entry.grant(&granted("t", Some(0)), at(0));
        assert_eq!((entry.stock(false, at(0)), entry.not_before), (Stock::None, Some(at(1))));
    }

    #[test]
    fn a_subscriber_is_not_asked_ahead_of_the_end_but_a_refresh_token_is_used() {
        let mut entry = Entry::new(at(0));
        entry.grant(&granted("t", Some(100)), at(0));
        assert!(matches!(entry.stock(true, at(95)), Stock::Fresh(_)));
        entry.refresh_token = Some("r".into());
        assert!(matches!(entry.stock(true, at(95)), Stock::Ageing(_)));
    }

    #[test]
    fn only_the_token_that_is_kept_is_forgotten_and_new_ones_that_are_refused_bring_growing_pauses() {
        let mut entry = Entry::new(at(0));
        let (mut now, mut pauses) = (0, Vec::new());
        for _ in 0..5 {
            entry.grant(&granted("new", Some(3600)), at(now));
            assert!(!entry.refused(&AccessToken::new("old"), at(now)), "it is another one");
            assert!(entry.refused(&AccessToken::new("new"), at(now)));
            assert!(!entry.refused(&AccessToken::new("new"), at(now)), "it is forgotten already");
            assert_eq!(entry.stock(false, at(now)), Stock::None);
            let until = entry.trouble.as_ref().map_or(at(now), |trouble| trouble.until);
            pauses.push(until.as_second() - now);
            now = until.as_second();
        }
        assert_eq!(pauses, [0, 5, 10, 20, 40], "the first is replaced at once");
        entry.grant(&granted("good", Some(3600)), at(now));
        assert!(entry.refused(&AccessToken::new("good"), at(now + 600)));
        assert!(entry.trouble.is_none(), "one that was taken for long is replaced at once again");
    }

    #[test]
    fn what_nobody_asks_for_is_stale_after_the_tokens_life() {
        let mut entry = Entry::new(at(0));
        entry.grant(&granted("t", Some(600)), at(0));
        assert!(!entry.is_stale(at(597)));
        assert!(entry.is_stale(at(600)));
        entry.next_poll = Some(at(700));
        assert!(!entry.is_stale(at(600)), "a consent is awaited");
        entry.next_poll = None;
        entry.refresh_token = Some("r".into());
        assert!(!entry.is_stale(at(3599)) && entry.is_stale(at(3600)), "a refresh token is kept for an hour");
    }
}
