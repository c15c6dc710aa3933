//! Rows 4 to 13: a session is held.

use k8s_openapi::jiff::Timestamp;

use super::{Case, Decision, Ending, HeldBack, Row, Step};
use crate::clock::later;
use crate::session::bounds::{self, Kind};
use crate::session::facts::{Attempt, Got, Held, Info, Look, Reach, Renewal, Word};
use crate::session::rules::Rule;

/// How the held session can be kept beyond its expiry.
#[derive(Clone, Copy)]
struct Renewing {
    /// It is wanted beyond its expiry.
    more: bool,
    /// It can be extended.
    can_extend: bool,
    /// It is time to release it and create another.
    by_release: bool,
    /// By when it cannot block its flow any more.
    clear: Option<Timestamp>,
}

impl Case<'_> {
    pub(super) fn held(&self, held: Held, open: bool) -> Decision {
        let (now, memory) = (self.now, &self.observed.memory);
        let bound = bounds::bound(self.past, &held, self.observed);
        let clear = bounds::clear(self.past, &held, self.observed);
        let passed = |limit: Option<Timestamp>| limit.is_some_and(|limit| now >= limit);
        let release = self.kind() == Kind::Release;
        let differs = self.differs(held.hash);
        let bar = self.bar();

        if (release || differs) && self.on(Rule::EndByTime) && passed(if self.goal.deleting { bound } else { clear }) {
            let step = if self.goal.deleting && !open { self.let_go() } else { Step::RecordReleased(Ending::ByTime) };
            return Decision::of(Row::R4, step);
        }
        if release || (differs && bar.is_none()) {
            return self.release(Row::R5).at(self.now, [if self.goal.deleting { bound } else { clear }]);
        }

        let expires = held.seen.expires_at;
        let more = bounds::more(self.goal, self.past, expires, &self.observed.margins);
        let can_extend = self.extendable().is_some();
        let looked = match self.observed.look {
            Look::Held(got) => Some(got),
            _ => None,
        };
        let failed = looked == Some(Got::Error);
        let last_moment = expires.is_some_and(|at| now >= later(at, -self.observed.margins.send_window));
        let replaceable = !matches!(held.seen.word, Word::Requested | Word::NotSaid | Word::Unknown(_));
        let renew_by_release = last_moment && more && bar.is_none() && (!can_extend || failed) && replaceable;
        let unreachable = failed || self.observed.reach != Reach::Ready;
        if unreachable && !renew_by_release && !passed(clear) {
            return Decision::of(Row::R6, Step::None).backoff().barred(bar).at(self.now, [expires, clear]);
        }
        if (unreachable || memory.get_unsupported) && !renew_by_release && passed(clear) {
            return Decision::of(Row::R6a, Step::RecordReleased(Ending::ByTime));
        }
        let renewal = Renewing { more, can_extend, by_release: renew_by_release, clear };
        self.living(&held, looked, &renewal)
    }

    /// Rows 7 to 13: nothing stands against the session as it is recorded.
    fn living(&self, held: &Held, looked: Option<Got>, renewing: &Renewing) -> Decision {
        let (now, memory) = (self.now, &self.observed.memory);
        let Renewing { more, can_extend, by_release, clear } = *renewing;
        let passed = |limit: Option<Timestamp>| limit.is_some_and(|limit| now >= limit);
        let (bar, expires) = (self.bar(), held.seen.expires_at);
        if looked == Some(Got::Gone) {
            return Decision::of(Row::R7, Step::RecordReleased(Ending::Vanished));
        }
        let seen = match looked {
            Some(Got::Session(seen)) => seen.over(held.seen),
            _ => held.seen,
        };
        if seen.word == Word::Unavailable {
            if !self.on(Rule::ReleaseOfRetained) {
                return Decision::of(Row::R8, Step::RecordReleased(Ending::Vanished));
            }
            // What cannot be deleted is only recorded; an expiry that no answer confirmed waits until it is certain.
            if memory.delete_unsupported && (seen.info != Info::DurationExpired || passed(clear)) {
                return Decision::of(Row::R8, Step::RecordReleased(Ending::Vanished));
            }
            // Nor does one wait without end for a release that is refused: what can block nothing any more is over.
            if passed(clear) && self.on(Rule::EndByTime) {
                return Decision::of(Row::R8, Step::RecordReleased(Ending::ByTime));
            }
            return self.release(Row::R8).at(self.now, [clear]);
        }
        if seen != held.seen {
            return Decision::of(Row::R9, Step::RecordSeen(seen));
        }
        let near = bounds::near_expiry(&held.seen, self.observed);
        if seen.word != Word::Available {
            let step = self.deferred_death(held).map_or(Step::None, |dead_by| Step::DeferDeath { dead_by });
            let suspicious = bounds::created(self.past).map(|a| later(a.at, self.observed.margins.requested_max));
            return Decision::of(Row::R10, step).at(self.now, [self.next_poll(), suspicious, clear]).or_backoff();
        }
        let is_near = passed(near);
        if is_near && more && bar.is_none() {
            let fresh = matches!(looked, Some(Got::Session(_))) || !self.on(Rule::ExtendAfterLook);
            if let (Some(attempt), true) = (self.extendable(), fresh) {
                let marked = attempt.extends || !self.on(Rule::TwoExtensionsInBound);
                let step = if marked { self.extension(attempt, expires) } else { Step::MarkExtends };
                return Decision::of(Row::R11, step).at(self.now, [self.next_poll()]);
            }
        }
        if by_release {
            // What cannot be released, or is not shown to this client, is over when it cannot block its flow any more.
            if (memory.delete_unsupported || looked == Some(Got::Error)) && passed(clear) {
                return Decision::of(Row::R12, Step::RecordReleased(Ending::ByTime));
            }
            return self.release(Row::R12).at(self.now, [clear]);
        }
        if is_near && more && bar.is_some() {
            return Decision::of(Row::R12a, Step::None).barred(bar).at(self.now, [expires, self.next_poll(), clear]).or_backoff();
        }
        let run_end = bounds::run_end(self.goal, self.past);
        let renewal = if !more {
            None
        } else if can_extend {
            near
        } else {
            expires.map(|at| later(at, -self.observed.margins.send_window))
        };
        // After an extend without an answer nothing is read until the pause is over; then it is time, long before the next poll.
        let times = [renewal, expires, run_end, memory.pause_until, clear];
        Decision::of(Row::R13, Step::None).at(self.now, times).at(self.now, [self.next_poll()]).or_backoff()
    }

    /// When the provider is to be asked next: not while a pause lasts, and never where it cannot be asked.
    fn next_poll(&self) -> Option<Timestamp> {
        let memory = &self.observed.memory;
        let at = memory.poll_at.or(memory.pause_until).filter(|_| !memory.get_unsupported);
        at.map(|at| memory.pause_until.map_or(at, |until| at.max(until)))
    }

    /// A DELETE of the recorded session, unless its provider cannot be asked.
    fn release(&self, row: Row) -> Decision {
        let decision = Decision::of(row, Step::Release).backoff();
        let unable = self.observed.memory.delete_unsupported || matches!(self.observed.reach, Reach::Gone | Reach::Closed);
        if unable { decision.instead(HeldBack::Unreachable) } else { decision }
    }

    /// The record whose session can be extended.
    pub(super) fn extendable(&self) -> Option<Attempt> {
        let able = self.observed.abilities.extends && !self.observed.memory.extend_refused;
        bounds::created(self.past).filter(|_| able)
    }

    /// One more lease, or what is left of the run: never more than the bound counts.
    fn extension(&self, attempt: Attempt, expires: Option<Timestamp>) -> Step {
        let left = match (self.goal.renewal, bounds::run_end(self.goal, self.past), expires) {
            (Renewal::Never { .. }, Some(end), Some(expires)) => end.duration_since(expires).as_secs(),
            _ => i64::MAX,
        };
        Step::Extend { seconds: attempt.duration_seconds.min(left).max(1) }
    }

    /// Row 10: with no expiry known, the record's own death bounds the session; it must stay ahead by the longest life.
    fn deferred_death(&self, held: &Held) -> Option<Timestamp> {
        let attempt =
            bounds::created(self.past).filter(|_| held.seen.expires_at.is_none() && self.on(Rule::BoundWithoutExpiry))?;
        let life = bounds::seconds(self.observed.longest_grant);
        let waited = self.now.duration_since(attempt.at);
        (later(self.now, life) > attempt.dead_by).then(|| later(later(self.now, life), waited))
    }
}
