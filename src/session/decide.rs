//! The decision table: from what is desired and what was observed to the one next step. Pure and total: no I/O, no clock, no error.
//!
//! The rows are numbered as in `docs/architecture.md`; the first that matches wins.

use k8s_openapi::jiff::Timestamp;

use super::bounds::{self, Kind};
use super::facts::Goal;
use super::facts::{Attempt, Bar, Got, Held, Info, Look, Observed, Outcome, Past, Reach, Read, Record, Renewal, Seen, Word};
use super::rules::Rule;
use crate::clock::later;

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is a number of the table")]
pub enum Row {
    R1,
    R3,
    R4,
    R5,
    R6,
    R6a,
    R7,
    R8,
    R9,
    R10,
    R11,
    R12,
    R12a,
    R13,
    R14,
    R15,
    R16,
    R17,
    R18,
    R19,
    R20,
    R21,
    R22,
    R22a,
    R23,
    R24,
    R25,
    R26,
    R27,
}

/// How a session came to its end, as far as this operator can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// 2xx to our DELETE.
    Deleted,
    /// 404 NOT_FOUND to our DELETE.
    GoneAtDelete,
    /// 404 NOT_FOUND to our GET.
    Vanished,
    /// Its bound has passed.
    ByTime,
}

/// The one thing to do in this pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing; the row tells why.
    None,
    /// Let the object go.
    RemoveFinalizer,
    /// Put the finalizer back.
    RestoreFinalizer,
    /// DELETE the recorded session where it lives; a confirmed one is followed by [`after_release`].
    Release,
    /// DELETE a further session of ours, by its place in the list that was read.
    ReleaseListed(usize),
    /// Status: the recorded session is over.
    RecordReleased(Ending),
    /// Status: what the provider says of the recorded session.
    RecordSeen(Seen),
    /// Status: the session of the open attempt, found in the list.
    AdoptListed(usize),
    /// Status: the session of the open attempt, named by an event and confirmed by GET.
    AdoptEvent(Seen),
    /// Status: the event's session is over already.
    SettleEvent,
    /// Annotation and finalizer for a session of ours that neither annotation nor status knows.
    RecordListed(usize),
    /// Annotation: extensions count in the bound from now on.
    MarkExtends,
    /// Extend the recorded session by so many seconds, once.
    Extend {
        /// Additional seconds.
        seconds: i64,
    },
    /// Annotation: the session may live longer than was thought when it was asked for.
    DeferDeath {
        /// The new `deadBy`.
        dead_by: Timestamp,
    },
    /// Status: the open attempt never landed.
    RecordAbsent,
    /// Finalizer and attempt record in one patch, then POST, once.
    Send {
        /// Seconds to ask for.
        seconds: i64,
        /// By this, older sends of unknown outcome are dead.
        earlier: Option<Timestamp>,
    },
}

impl Step {
    /// Whether the step changes something at the provider.
    pub const fn is_effect(self) -> bool {
        matches!(self, Self::Release | Self::ReleaseListed(_) | Self::Extend { .. } | Self::Send { .. })
    }
}

/// Why no create may be made (row 25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Barred {
    /// `spec.suspend`.
    Suspended,
    /// The run is over.
    RunOver,
    /// `recoveryPolicy: Never`, and the session ended before its time.
    RecoveryEnded,
    /// See [`Bar`].
    By(Bar),
}

/// Why a step that the row asks for is not taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeldBack {
    /// The annotation `qos-operator.io/paused`.
    Paused,
    /// The pause after an error or a refusal.
    Pause,
    /// The provider of the record cannot be asked: it is gone, closed, or lacks the operation.
    Unreachable,
}

/// What [`decide`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    /// The row that matched.
    pub row: Row,
    /// What to do.
    pub step: Step,
    /// When to look again at the latest, where nothing changes before; in the past: at once.
    pub wake: Option<Timestamp>,
    /// Try again after a pause that grows.
    pub backoff: bool,
    /// What stands against a create, where that matters for this row.
    pub barred: Option<Barred>,
    /// Why the row's step is not taken now.
    pub held_back: Option<HeldBack>,
}

impl Decision {
    const fn of(row: Row, step: Step) -> Self {
        Self { row, step, wake: None, backoff: false, barred: None, held_back: None }
    }

    fn at(mut self, times: impl IntoIterator<Item = Option<Timestamp>>) -> Self {
        self.wake = times.into_iter().flatten().chain(self.wake).min();
        self
    }

    const fn backoff(mut self) -> Self {
        self.backoff = true;
        self
    }

    /// No time is known: a growing pause is better than none.
    const fn or_backoff(mut self) -> Self {
        self.backoff |= self.wake.is_none();
        self
    }

    const fn barred(mut self, by: Option<Barred>) -> Self {
        self.barred = by;
        self
    }

    /// The row stands, its effect does not happen now.
    const fn instead(mut self, why: HeldBack) -> Self {
        self.step = Step::None;
        self.held_back = Some(why);
        self
    }
}

/// What to do next. `now` is when the pass began to look, before its read of the provider: a list that was made before a create
/// could no longer land proves nothing, however late its answer is weighed.
pub fn decide(goal: &Goal, past: &Past, observed: &Observed, now: Timestamp) -> Decision {
    let case = Case { goal, past, observed, now };
    case.hold_back(case.row())
}

/// Which read of the provider this pass needs before [`decide`] is asked; `event` says that an event brought an id for the open
/// attempt. Nothing is read where the decision would not rest on it.
pub fn due_read(goal: &Goal, past: &Past, observed: &Observed, event: bool, now: Timestamp) -> Read {
    Case { goal, past, observed, now }.due_read(event)
}

/// What follows a DELETE that the provider confirmed, in the same pass: the way out for an object that is being deleted, else
/// the status.
pub fn after_release(goal: &Goal, past: &Past, ending: Ending, now: Timestamp) -> Step {
    if goal.deleting && bounds::open(past, now).is_none() { Step::RemoveFinalizer } else { Step::RecordReleased(ending) }
}

/// The four inputs, and the questions that several rows ask of them.
struct Case<'a> {
    goal: &'a Goal,
    past: &'a Past,
    observed: &'a Observed,
    now: Timestamp,
}

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
    fn on(&self, rule: Rule) -> bool {
        self.observed.rules.on(rule)
    }

    fn row(&self) -> Decision {
        let open = bounds::open(self.past, self.now);
        if self.goal.deleting && self.goal.orphan {
            return Decision::of(Row::R1, self.let_go());
        }
        if (self.past.held.is_some() || open.is_some()) && !self.past.finalizer && !self.goal.deleting {
            return Decision::of(Row::R3, Step::RestoreFinalizer);
        }
        match (self.past.held, open) {
            (Some(held), _) => self.held(held, open.is_some()),
            (None, Some(attempt)) => self.open(attempt),
            (None, None) => self.idle(),
        }
    }

    /// Without a finalizer of ours there is nothing to remove.
    fn let_go(&self) -> Step {
        if self.past.finalizer { Step::RemoveFinalizer } else { Step::None }
    }

    /// Row 2, and the pause after an error: the row stands, its effect waits.
    fn hold_back(&self, decision: Decision) -> Decision {
        if !decision.step.is_effect() {
            return decision;
        }
        if self.goal.paused {
            return decision.instead(HeldBack::Paused).at([self.ahead(bounds::end(self.past, self.observed, self.now))]);
        }
        match self.observed.memory.pause_until {
            Some(until) if until > self.now => decision.instead(HeldBack::Pause).at([Some(until)]),
            _ => decision,
        }
    }

    /// A time that is still to come. One that has passed would only wake at once, again and again.
    fn ahead(&self, at: Option<Timestamp>) -> Option<Timestamp> {
        at.filter(|at| *at > self.now)
    }

    /// When the session can be asked for next: never where the provider has no GET, and not during a pause.
    fn next_poll(&self) -> Option<Timestamp> {
        let memory = &self.observed.memory;
        let at = memory.poll_at.or(memory.pause_until).filter(|_| !memory.get_unsupported)?;
        Some(memory.pause_until.map_or(at, |until| at.max(until)))
    }

    fn kind(&self) -> Kind {
        bounds::kind(self.goal, self.past, &self.observed.margins, self.now)
    }

    fn differs(&self, hash: Option<super::facts::AppliedHash>) -> bool {
        self.goal.hash.is_some() && hash.is_some() && hash != self.goal.hash
    }

    fn bar(&self) -> Option<Barred> {
        self.observed.bar.map(Barred::By)
    }

    // ---- a session is held ----------------------------------------------------------------------------------------------

    fn held(&self, held: Held, open: bool) -> Decision {
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
            return self.release(Row::R5).at([if self.goal.deleting { bound } else { clear }]);
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
            let ahead = expires.filter(|at| *at > now);
            return Decision::of(Row::R6, Step::None).backoff().barred(bar).at([ahead, clear]);
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
            return self.release(Row::R8).at([self.ahead(clear)]);
        }
        if seen != held.seen {
            return Decision::of(Row::R9, Step::RecordSeen(seen));
        }
        let near = bounds::near_expiry(&held.seen, self.observed);
        if seen.word != Word::Available {
            let step = self.deferred_death(held).map_or(Step::None, |dead_by| Step::DeferDeath { dead_by });
            let suspicious = bounds::created(self.past).map(|a| later(a.at, self.observed.margins.requested_max));
            return Decision::of(Row::R10, step).at([self.next_poll(), self.ahead(suspicious), self.ahead(clear)]).or_backoff();
        }
        let is_near = passed(near);
        if is_near && more && bar.is_none() {
            let fresh = matches!(looked, Some(Got::Session(_))) || !self.on(Rule::ExtendAfterLook);
            if let (Some(attempt), true) = (self.extendable(), fresh) {
                let marked = attempt.extends || !self.on(Rule::TwoExtensionsInBound);
                let step = if marked { self.extension(attempt, expires) } else { Step::MarkExtends };
                return Decision::of(Row::R11, step).at([self.next_poll()]);
            }
        }
        if by_release {
            // What cannot be released is over when it cannot block its flow any more.
            if memory.delete_unsupported && passed(clear) {
                return Decision::of(Row::R12, Step::RecordReleased(Ending::ByTime));
            }
            return self.release(Row::R12).at([self.ahead(clear)]);
        }
        if is_near && more && bar.is_some() {
            let times = [self.next_poll(), self.ahead(expires), self.ahead(clear)];
            return Decision::of(Row::R12a, Step::None).barred(bar).at(times).or_backoff();
        }
        let run_end = bounds::run_end(self.goal, self.past);
        let renewal = if !more {
            None
        } else if can_extend {
            near
        } else {
            expires.map(|at| later(at, -self.observed.margins.send_window))
        };
        let times = [renewal, expires, run_end, clear].map(|at| self.ahead(at));
        Decision::of(Row::R13, Step::None).at(times).at([self.next_poll()]).or_backoff()
    }

    /// A DELETE of the recorded session, unless its provider cannot be asked.
    fn release(&self, row: Row) -> Decision {
        let decision = Decision::of(row, Step::Release).backoff();
        let unable = self.observed.memory.delete_unsupported || matches!(self.observed.reach, Reach::Gone | Reach::Closed);
        if unable { decision.instead(HeldBack::Unreachable) } else { decision }
    }

    /// The record whose session can be extended.
    fn extendable(&self) -> Option<Attempt> {
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

    // ---- an attempt is open: whether a session exists is not known -------------------------------------------------------

    fn open(&self, attempt: Attempt) -> Decision {
        let (now, abilities) = (self.now, self.observed.abilities);
        let wanted = self.kind() == Kind::Want && self.goal.hash == Some(attempt.hash);
        let dead = bounds::dead(self.past, &attempt);
        let settled_time = !self.on(Rule::SettlingTime) || now > attempt.lands_by;

        match self.observed.look {
            Look::OfEvent(Got::Session(seen)) => {
                return Decision::of(Row::R14, Step::AdoptEvent(seen));
            }
            Look::OfEvent(Got::Gone) => return Decision::of(Row::R14, Step::SettleEvent),
            Look::List(Some(listed)) => {
                if let Some(own) = listed.own {
                    let (row, step) =
                        if wanted { (Row::R14, Step::AdoptListed(own)) } else { (Row::R15, Step::ReleaseListed(own)) };
                    return Decision::of(row, step);
                }
                if let Some(other) = listed.other_own {
                    return Decision::of(Row::R15, Step::ReleaseListed(other));
                }
                if (abilities.sink || !listed.flow) && settled_time {
                    return self.absent(Row::R17);
                }
                if !abilities.sink && listed.flow && now < dead {
                    if !self.on(Rule::NoAdoptionByFlow) {
                        return Decision::of(Row::R14, Step::AdoptListed(0));
                    }
                    return Decision::of(Row::R18, Step::None).backoff().at([Some(dead)]);
                }
            }
            Look::List(None) if now < dead => {
                if !self.on(Rule::LookUpErrorIsNotEmpty) && settled_time {
                    return self.absent(Row::R17);
                }
                return Decision::of(Row::R16, Step::None).backoff().at([Some(dead)]);
            }
            _ => {}
        }
        if !self.on(Rule::OpenHoldsFinalizer) && self.goal.deleting {
            return Decision::of(Row::R20, self.let_go());
        }
        if !settled_time {
            let decision = Decision::of(Row::R19, Step::None).at([Some(later(attempt.lands_by, bounds::MOMENT))]);
            return if abilities.lists { decision.backoff() } else { decision };
        }
        if now >= dead && self.on(Rule::EndByTime) {
            return self.absent(Row::R20);
        }
        let may_repeat = abilities.rejects || !self.on(Rule::NoSecondSendWhereDoublesLive);
        let lists = abilities.lists && self.on(Rule::LookUpOfOpen);
        let same = wanted || (!self.on(Rule::SameRequestOnly) && self.kind() == Kind::Want);
        let bar = self.barred();
        if !lists && may_repeat && same && bar.is_none() {
            let earlier = self.on(Rule::EarlierSendRemembered).then_some(dead);
            return self.send(Row::R21, earlier).at([Some(dead)]);
        }
        let decision = Decision::of(Row::R22, Step::None).barred(bar).at([Some(dead)]);
        if abilities.lists { decision.backoff() } else { decision }
    }

    /// The open attempt never landed, and cannot any more.
    fn absent(&self, row: Row) -> Decision {
        if self.goal.deleting {
            return Decision::of(row, self.let_go());
        }
        let next = self.hold_back(self.create());
        if matches!(next.step, Step::Send { .. }) { next } else { Decision::of(row, Step::RecordAbsent) }
    }

    // ---- nothing is held, nothing is open --------------------------------------------------------------------------------

    fn idle(&self) -> Decision {
        if self.past.record == Record::Unreadable {
            return Decision::of(Row::R22a, Step::None);
        }
        if self.first_sight() {
            match self.observed.look {
                Look::List(Some(listed)) => {
                    if let Some(own) = listed.other_own.or(listed.own) {
                        let adopt = listed.own_matches && self.kind() == Kind::Want;
                        return Decision::of(Row::R23, if adopt { Step::RecordListed(own) } else { Step::ReleaseListed(own) });
                    }
                }
                Look::List(None) => return Decision::of(Row::R23, Step::None).backoff(),
                _ if self.observed.reach != Reach::Ready => {
                    // Nothing can be asked: what bars a create is the better thing to tell, and a deletion waits for the answer.
                    return if self.goal.deleting && self.past.finalizer {
                        Decision::of(Row::R23, Step::None).backoff()
                    } else if self.goal.deleting {
                        Decision::of(Row::R24, Step::None)
                    } else {
                        self.create()
                    };
                }
                _ => {}
            }
        }
        if self.goal.deleting {
            return Decision::of(Row::R24, self.let_go());
        }
        self.create()
    }

    /// Row 23: no history at all, or a conflict that an own copy may explain.
    fn first_sight(&self) -> bool {
        let blank = self.past.record == Record::None && self.past.settled.is_none() && self.on(Rule::LookUpAtFirstSight);
        let busy = self.past.settled.is_some_and(|s| s.outcome == Outcome::Busy) && self.on(Rule::BusyLooksFirst);
        self.observed.abilities.lists && self.observed.abilities.sink && (blank || busy)
    }

    fn barred(&self) -> Option<Barred> {
        if self.goal.suspend {
            Some(Barred::Suspended)
        } else if bounds::recovery_ended(self.goal, self.past) {
            Some(Barred::RecoveryEnded)
        } else if bounds::seconds_to_ask(self.goal, self.past, self.observed, self.now).is_none() {
            Some(Barred::RunOver)
        } else {
            self.bar()
        }
    }

    /// Rows 25 to 27.
    fn create(&self) -> Decision {
        let bar = self.barred();
        if bar.is_some() {
            return Decision::of(Row::R25, Step::None).barred(bar);
        }
        if self.observed.peer && self.on(Rule::OneObjectAFlow) {
            return Decision::of(Row::R26, Step::None).backoff();
        }
        self.send(Row::R27, None)
    }

    fn send(&self, row: Row, earlier: Option<Timestamp>) -> Decision {
        match bounds::seconds_to_ask(self.goal, self.past, self.observed, self.now) {
            Some(seconds) => Decision::of(row, Step::Send { seconds, earlier }).backoff(),
            None => Decision::of(Row::R25, Step::None).barred(Some(Barred::RunOver)),
        }
    }

    // ---- the read ----------------------------------------------------------------------------------------------------------

    fn due_read(&self, event: bool) -> Read {
        let (now, memory) = (self.now, &self.observed.memory);
        let pausing = memory.pause_until.is_some_and(|until| until > now);
        if (self.goal.deleting && self.goal.orphan) || self.observed.reach != Reach::Ready {
            return Read::None;
        }
        let open = bounds::open(self.past, now);
        match (self.past.held, open) {
            (Some(held), _) => {
                let asked_for_nothing = memory.get_unsupported
                    || pausing
                    || self.kind() == Kind::Release
                    || (self.differs(held.hash) && self.observed.bar.is_none())
                    || held.seen.word == Word::Unavailable;
                if asked_for_nothing { Read::None } else { self.poll(&held) }
            }
            (None, Some(_)) if event => Read::OfEvent,
            (None, Some(_)) if self.observed.abilities.lists && self.on(Rule::LookUpOfOpen) && !pausing => Read::List,
            (None, None) if self.past.record != Record::Unreadable && self.first_sight() && !pausing => Read::List,
            _ => Read::None,
        }
    }

    /// A poll that is due, a session that should be over, or one that is to be extended in this pass.
    fn poll(&self, held: &Held) -> Read {
        let now = self.now;
        let due = self.observed.memory.poll_at.is_none_or(|at| at <= now);
        let more = bounds::more(self.goal, self.past, held.seen.expires_at, &self.observed.margins);
        let to_extend = more
            && self.observed.bar.is_none()
            && self.extendable().is_some()
            && bounds::near_expiry(&held.seen, self.observed).is_some_and(|at| now >= at);
        if due || to_extend { Read::Held } else { Read::None }
    }
}

#[cfg(test)]
mod tests;
