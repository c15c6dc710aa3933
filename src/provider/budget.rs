//! What of a provider's budget is used: sessions that live at once, and seconds granted in a UTC day.

use std::collections::HashSet;

use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::api::{BudgetStatus, ProviderBudget};

const DAY: i64 = 86_400;

/// What is used at one provider.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    /// UIDs of the objects that hold or may hold a session there.
    pub(super) holders: HashSet<String>,
    day: i64,
    seconds: i64,
}

impl Usage {
    /// Adds seconds that a create or an extension granted.
    pub(super) fn charge(&mut self, seconds: i64, now: Timestamp) {
        self.turn(now);
        self.seconds = self.seconds.saturating_add(seconds.max(0));
    }

    /// Takes up what an earlier process wrote; what it says of another day is over.
    pub(super) fn restore(&mut self, written: &BudgetStatus, now: Timestamp) {
        self.turn(now);
        if written.day == day_name(now) {
            self.seconds = self.seconds.max(written.session_seconds);
        }
    }

    /// Seconds granted on the day of `now`.
    pub(super) fn seconds(&self, now: Timestamp) -> i64 {
        if self.day == day(now) { self.seconds } else { 0 }
    }

    /// As it stands in `status.budget`.
    pub(super) fn status(&self, now: Timestamp) -> BudgetStatus {
        BudgetStatus { day: day_name(now), session_seconds: self.seconds(now) }
    }

    /// Why the budget forbids another create, for the condition; none: it does not.
    pub(super) fn over(&self, name: &str, budget: &ProviderBudget, holds_already: bool, now: Timestamp) -> Option<String> {
        if let Some(most) = budget.max_sessions.and_then(|most| usize::try_from(most).ok())
            && !holds_already
            && self.holders.len() >= most
        {
            return Some(format!("QosProvider {name} holds {} of at most {most} sessions", self.holders.len()));
        }
        let most = budget.max_session_seconds_per_day.filter(|most| self.seconds(now) >= *most)?;
        Some(format!("QosProvider {name} has granted its {most} session seconds of this UTC day"))
    }

    fn turn(&mut self, now: Timestamp) {
        if self.day != day(now) {
            self.day = day(now);
            self.seconds = 0;
        }
    }
}

fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(DAY)
}

fn day_name(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).date().to_string()
}

/// The next UTC midnight.
pub(super) fn next_day(now: Timestamp) -> Timestamp {
    let left = DAY - now.as_second().rem_euclid(DAY);
    crate::clock::later(now, SignedDuration::from_secs(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_full_provider_takes_no_further_object_but_keeps_those_it_has() {
        let budget = ProviderBudget { max_sessions: Some(2), max_session_seconds_per_day: None };
        let now = at("2026-11-24T12:00:00Z");
        let mut usage = Usage::default();
        usage.holders.insert("uid-1".into());
        assert_eq!(usage.over("telefonica", &budget, false, now), None);
        usage.holders.insert("uid-2".into());
        let message = usage.over("telefonica", &budget, false, now);
        assert_eq!(message.as_deref(), Some("QosProvider telefonica holds 2 of at most 2 sessions"));
        assert_eq!(usage.over("telefonica", &budget, true, now), None);
    }

    #[test]
    fn seconds_count_for_one_utc_day_and_survive_a_restart() {
        let budget = ProviderBudget { max_sessions: None, max_session_seconds_per_day: Some(100) };
        let evening = at("2026-11-24T23:59:59Z");
        let mut usage = Usage::default();
        usage.charge(60, evening);
        assert_eq!(usage.over("x", &budget, false, evening), None);
        let written = usage.status(evening);
        assert_eq!(written, BudgetStatus { day: "2026-11-24".into(), session_seconds: 60 });

        let mut restarted = Usage::default();
        restarted.restore(&written, evening);
        restarted.charge(40, evening);
        assert!(restarted.over("x", &budget, true, evening).is_some(), "a renewal costs seconds too");
        let midnight = next_day(evening);
        assert_eq!(midnight, at("2026-11-25T00:00:00Z"));
        assert_eq!(restarted.over("x", &budget, true, midnight), None);
        restarted.restore(&written, midnight);
        assert_eq!(restarted.seconds(midnight), 0);
    }

    #[test]
    fn a_budget_of_zero_admits_nothing() {
        let now = at("2026-11-24T12:00:00Z");
        for budget in [
            ProviderBudget { max_sessions: Some(0), max_session_seconds_per_day: None },
            ProviderBudget { max_sessions: None, max_session_seconds_per_day: Some(0) },
        ] {
            assert!(Usage::default().over("x", &budget, false, now).is_some());
        }
    }
}
