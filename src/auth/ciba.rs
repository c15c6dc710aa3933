//! A subscriber's consent, waited for at the server's pace (OpenID CIBA Core, section 7.3 and 11; poll mode).

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::cache::Key;
use super::oauth::{Shared, Unmet};
use super::trouble::signed;
use super::wire::{Asked, Authorised, TokenFault, TokenFaultClass, next_interval, token};
use crate::clock::later;
use crate::private::Private;

/// A consent that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Consent {
    auth_req_id: Private<String>,
    interval: Duration,
    expires_at: Timestamp,
    pub(super) next_poll: Timestamp,
}

impl Consent {
    /// As the server took it at `now`.
    pub(super) fn new(authorised: Authorised, now: Timestamp) -> Self {
        let Authorised { auth_req_id, expires_in, interval } = authorised;
        let (expires_at, next_poll) = (later(now, signed(expires_in)), later(now, signed(interval)));
        Self { auth_req_id, interval, expires_at, next_poll }
    }

    /// After a poll that brought no token: whether there is another one. A server that did not answer is asked again at the same
    /// pace, or later if it says so: it may still know the consent.
    fn goes_on(&mut self, fault: &TokenFault, now: Timestamp) -> bool {
        use TokenFaultClass::{Denied, Expired, Pending, Refused, SlowDown, Unavailable, Unparseable};
        match fault.class {
            Pending | SlowDown | Unavailable | Unparseable => {
                self.interval = next_interval(self.interval, fault.class);
                let wait = self.interval.max(fault.retry_after.unwrap_or_default());
                self.next_poll = later(now, signed(wait));
                true
            }
            Expired | Denied | Refused(_) => false,
        }
    }
}

impl Shared {
    /// Polls until there is a token, or there will be none.
    pub(super) async fn follow(&self, key: &Key, mut consent: Consent) {
        let Some(token_url) = self.token_url_of_consent() else { return };
        loop {
            self.clock.sleep_until(consent.next_poll.min(consent.expires_at)).await;
            let now = self.clock.now();
            if now >= consent.expires_at {
                let expired = TokenFault { class: TokenFaultClass::Expired, code: None, retry_after: None };
                self.cache.lock().not_consented(key, expired, now);
                return;
            }
            if !self.cache.lock().goes_on(key, now) {
                return;
            }
            let polled = self
                .ask(
                    None,
                    Asked::Poll,
                    |client, now| client.poll(token_url, consent.auth_req_id.expose(), now),
                    |answer| token(Asked::Poll, answer),
                )
                .await;
            let now = self.clock.now();
            match polled {
                Ok(granted) => {
                    self.cache.lock().consented(key, &granted, now);
                    return;
                }
                Err(Unmet::Fault(fault)) if !consent.goes_on(&fault, now) => {
                    self.cache.lock().not_consented(key, fault, now);
                    return;
                }
                Err(Unmet::Fault(_) | Unmet::NotSent(_)) => self.cache.lock().polls_at(key, consent.next_poll),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::no_token::Refusal;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn consent() -> Consent {
        let seconds = Duration::from_secs;
        Consent::new(Authorised { auth_req_id: "r".into(), expires_in: seconds(120), interval: seconds(2) }, at(0))
    }

    #[test]
    fn slow_down_holds_for_all_later_polls() {
        let mut consent = consent();
        let mut gaps = vec![consent.next_poll.as_second()];
        for class in [TokenFaultClass::Pending, TokenFaultClass::SlowDown, TokenFaultClass::Pending, TokenFaultClass::SlowDown] {
            let now = consent.next_poll;
            assert!(consent.goes_on(&TokenFault::new(class), now));
            gaps.push(consent.next_poll.as_second() - now.as_second());
        }
        assert_eq!(gaps, [2, 2, 7, 7, 12]);
        assert_eq!(consent.expires_at, at(120));
    }

    #[test]
    fn a_server_that_does_not_answer_is_asked_again_and_one_that_refuses_is_not() {
        let mut consent = consent();
        let busy = TokenFault { retry_after: Some(Duration::from_secs(30)), ..TokenFault::new(TokenFaultClass::Unavailable) };
        assert!(consent.goes_on(&busy, at(2)));
        assert_eq!(consent.next_poll, at(32));
        assert!(consent.goes_on(&TokenFault::new(TokenFaultClass::Unparseable), at(32)));
        assert_eq!(consent.next_poll, at(34));
        for class in [TokenFaultClass::Denied, TokenFaultClass::Expired, TokenFaultClass::Refused(Refusal::Invalid)] {
            assert!(!consent.goes_on(&TokenFault::new(class), at(34)), "{class:?}");
        }
    }
}
