//! The times and limits that decisions rest on: when something may still land, live or block, and how much to ask for.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::facts::{Attempt, Goal, Held, Info, Margins, Observed, Outcome, Past, Record, Renewal, Seen};
use super::rules::Rule;
use crate::clock::later;

/// The lease of a standing session whose spec names none, in seconds, before it is brought into the profile's range.
pub const STANDING_LEASE: i64 = 3600;
/// The least time that is later than another: times in the record have this resolution.
pub const MOMENT: SignedDuration = SignedDuration::from_secs(1);

/// What the object wants of the provider now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A session.
    Want,
    /// No session.
    Release,
    /// Nothing: the object goes and leaves its session behind.
    Orphan,
}

/// Seconds as a duration.
pub const fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// See [`Kind`]. A run whose end was moved before its session's expiry, and has passed, is to be released.
pub fn kind(goal: &Goal, past: &Past, margins: &Margins, now: Timestamp) -> Kind {
    let cut_short = || {
        let expires = past.held.and_then(|held| held.seen.expires_at);
        matches!((run_end(goal, past), expires), (Some(end), Some(expires)) if now >= end && expires > later(end, margins.clock_skew))
    };
    match (goal.deleting, goal.orphan) {
        (true, true) => Kind::Orphan,
        (true, false) => Kind::Release,
        (false, _) if goal.suspend || cut_short() => Kind::Release,
        (false, _) => Kind::Want,
    }
}

/// When a run that has begun ends; `None` for a standing session, and for a run that has not begun. Another request is another run.
pub fn run_end(goal: &Goal, past: &Past) -> Option<Timestamp> {
    match goal.renewal {
        Renewal::Never { run_seconds } if goal.hash.is_none() || past.last_hash == goal.hash => {
            past.run_started_at.map(|start| later(start, seconds(run_seconds)))
        }
        _ => None,
    }
}

/// Whether the session is wanted beyond its expiry.
pub fn more(goal: &Goal, past: &Past, expires: Option<Timestamp>, margins: &Margins) -> bool {
    match goal.renewal {
        Renewal::Always => true,
        Renewal::Never { .. } => {
            matches!((run_end(goal, past), expires), (Some(end), Some(expires)) if end > later(expires, margins.clock_skew))
        }
    }
}

/// The attempt whose outcome is not known, or is a refusal while an older send may still live.
pub fn open(past: &Past, now: Timestamp) -> Option<Attempt> {
    let Record::Of(attempt) = past.record else {
        return None;
    };
    match past.settled {
        Some(settled) if settled.nonce == attempt.nonce => {
            let refused = matches!(settled.outcome, Outcome::Busy | Outcome::Refused);
            (refused && attempt.earlier.is_some_and(|earlier| earlier > now)).then_some(attempt)
        }
        _ => Some(attempt),
    }
}

/// The attempt that made the session at hand.
pub fn created(past: &Past) -> Option<Attempt> {
    match past.record {
        Record::Of(attempt)
            if past.settled == Some(super::facts::Settled { nonce: attempt.nonce, outcome: Outcome::Created }) =>
        {
            Some(attempt)
        }
        _ => None,
    }
}

/// By when nothing of the open attempt, nor of older sends, can live.
pub fn dead(past: &Past, attempt: &Attempt) -> Timestamp {
    let settled = past.settled.is_some_and(|settled| settled.nonce == attempt.nonce);
    let own = if settled { Timestamp::MIN } else { attempt.dead_by };
    attempt.earlier.map_or(own, |earlier| earlier.max(own))
}

/// By when nothing of the recorded session can live; `None` where neither an expiry nor a record tells.
pub fn bound(past: &Past, held: &Held, observed: &Observed) -> Option<Timestamp> {
    let record = match past.record {
        Record::Of(attempt) => Some(attempt),
        _ => None,
    };
    match held.seen.expires_at {
        Some(expires) => {
            let extensions = if observed.rules.on(Rule::TwoExtensionsInBound) { 2 } else { 0 };
            let extended = record.filter(|r| r.extends).map_or(0, |r| r.duration_seconds.saturating_mul(extensions));
            Some(later(later(expires, observed.margins.clock_skew), seconds(extended)))
        }
        None => record.filter(|_| observed.rules.on(Rule::BoundWithoutExpiry)).map(|record| record.dead_by),
    }
}

/// By when the recorded session cannot block its flow any more either.
pub fn clear(past: &Past, held: &Held, observed: &Observed) -> Option<Timestamp> {
    let kept = observed.abilities.rejects && observed.rules.on(Rule::RetentionInClear);
    bound(past, held, observed).map(|bound| if kept { later(bound, observed.margins.retention) } else { bound })
}

/// By when nothing can be left to release, whatever the block of the table.
pub fn end(past: &Past, observed: &Observed, now: Timestamp) -> Option<Timestamp> {
    match (past.held, open(past, now)) {
        (Some(held), _) => bound(past, &held, observed),
        (None, Some(attempt)) => Some(dead(past, &attempt)),
        (None, None) => None,
    }
}

/// From when on the session is to be extended: a third of the grant before its expiry, at most the margin, and not before half of
/// the last grant has passed since its answer, so that a provider whose clock is ahead is not extended without end.
pub fn near_expiry(seen: &Seen, observed: &Observed) -> Option<Timestamp> {
    let expires = seen.expires_at?;
    let longest = observed.margins.renewal_margin;
    let margin = seen.granted_seconds.map_or(longest, |granted| seconds(granted / 3).min(longest));
    let near = later(expires, -margin);
    Some(observed.memory.half_of_grant.map_or(near, |half| half.max(near)))
}

/// `recoveryPolicy: Never`, and this very request's session ended before its time, neither by its expiry nor by our DELETE.
pub fn recovery_ended(goal: &Goal, past: &Past) -> bool {
    let created = past.settled.is_some_and(|settled| settled.outcome == Outcome::Created);
    let by_itself = !matches!(past.last_info, Info::DurationExpired | Info::DeleteRequested);
    !goal.recreate && created && goal.hash.is_some() && past.last_hash == goal.hash && by_itself
}

/// The seconds to ask for; `None` when the run is over: less is left than the profile's minimum, or, after its expiry, than the
/// clocks may differ.
pub fn seconds_to_ask(goal: &Goal, past: &Past, observed: &Observed, now: Timestamp) -> Option<i64> {
    let limits = &observed.limits;
    let least = limits.min_seconds.unwrap_or(1).max(1);
    let most = limits.max_seconds.unwrap_or(i64::MAX).max(least);
    let capped = |wanted: i64| wanted.min(limits.max_lease_seconds.unwrap_or(i64::MAX)).clamp(least, most);
    match (goal.renewal, run_end(goal, past)) {
        (Renewal::Always, _) => Some(capped(goal.lease_seconds.unwrap_or(STANDING_LEASE))),
        (Renewal::Never { run_seconds }, None) => Some(capped(run_seconds)),
        (Renewal::Never { .. }, Some(end)) => {
            let left = end.duration_since(now).as_secs();
            let ran_out = past.last_info == Info::DurationExpired && left <= observed.margins.clock_skew.as_secs();
            (left >= least && !ran_out).then(|| capped(left))
        }
    }
}
