//! The decision table: from what is desired and what was observed to the one next step. Pure and total: no I/O, no clock, no error.
//!
//! The rows are numbered as in `docs/architecture.md`; the first that matches wins.

mod held;

use k8s_openapi::jiff::Timestamp;

use super::bounds::{self, Kind};
use super::facts::Goal;
use super::facts::{Attempt, Bar, Got, Held, Look, Observed, Outcome, Past, Reach, Read, Record, Seen, Word};
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

    /// Wakes at the first of `times` that lies ahead: one that has passed has had its pass, which is this one.
    fn at(mut self, now: Timestamp, times: impl IntoIterator<Item = Option<Timestamp>>) -> Self {
        self.wake = times.into_iter().flatten().filter(|at| *at > now).chain(self.wake).min();
        self
    }

    /// No time is known: a growing pause is better than none.
    const fn or_backoff(mut self) -> Self {
        self.backoff |= self.wake.is_none();
        self
    }

    const fn backoff(mut self) -> Self {
        self.backoff = true;
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
            return decision.instead(HeldBack::Paused).at(self.now, [bounds::end(self.past, self.observed, self.now)]);
        }
        match self.observed.memory.pause_until {
            Some(until) if until > self.now => decision.instead(HeldBack::Pause).at(self.now, [Some(until)]),
            _ => decision,
        }
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
            // There is a session, as the event said; what it is is asked again.
            Look::OfEvent(Got::Error) if now < dead => {
                return Decision::of(Row::R16, Step::None).backoff().at(self.now, [Some(dead)]);
            }
            Look::List(Some(listed)) => {
                // A further copy goes before the adoption, since afterwards nothing looks for it any more.
                let further = listed.other_own.filter(|_| listed.own.is_some() && !self.observed.memory.delete_unsupported);
                if let Some(further) = further {
                    return Decision::of(Row::R15, Step::ReleaseListed(further));
                }
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
                    return Decision::of(Row::R18, Step::None).backoff().at(self.now, [Some(dead)]);
                }
            }
            Look::List(None) if now < dead => {
                if !self.on(Rule::LookUpErrorIsNotEmpty) && settled_time {
                    return self.absent(Row::R17);
                }
                return Decision::of(Row::R16, Step::None).backoff().at(self.now, [Some(dead)]);
            }
            _ => {}
        }
        if !self.on(Rule::OpenHoldsFinalizer) && self.goal.deleting {
            return Decision::of(Row::R20, self.let_go());
        }
        if !settled_time {
            let decision = Decision::of(Row::R19, Step::None).at(self.now, [Some(later(attempt.lands_by, bounds::MOMENT))]);
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
            return self.send(Row::R21, earlier).at(self.now, [Some(dead)]);
        }
        let decision = Decision::of(Row::R22, Step::None).barred(bar).at(self.now, [Some(dead)]);
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
            (None, Some(_)) if event && !pausing && !memory.get_unsupported => Read::OfEvent,
            (None, Some(_)) if self.observed.abilities.lists && self.on(Rule::LookUpOfOpen) && !pausing => Read::List,
            // Who waits for the provider's mark sends nothing yet: the look comes right before the send.
            (None, None)
                if self.past.record != Record::Unreadable
                    && self.first_sight()
                    && !pausing
                    && (self.goal.deleting
                        || !matches!(self.observed.bar, Some(Bar::ProviderUnmarked | Bar::ProviderUnchecked))) =>
            {
                Read::List
            }
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
#[allow(clippy::large_types_passed_by_value, reason = "facts are written in place, a case a line")]
mod tests;
