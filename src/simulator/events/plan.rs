//! Which events are sent, in which order, and what became of them.

use std::collections::{HashMap, HashSet};

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::settings::{Quirk, Settings};
use crate::private::Private;
use crate::simulator::generation::Generation;
use crate::simulator::transition::{EventStatus, NotifyTarget, Transition};

/// What became of the events, since the start or the last reset. `sent` = `accepted` + `refused` + `unanswered` + those under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Requests sent, duplicates included.
    pub sent: u64,
    /// Answered with 204.
    pub accepted: u64,
    /// Answered with anything else.
    pub refused: u64,
    /// Not answered: no connection, no answer in time; nor sent again.
    pub unanswered: u64,
    /// Lost by setting.
    pub lost: u64,
    /// Not sent, since the client asked for no more (410), its token had expired (from 1.0 on), or it wants the provider to get a
    /// token from it first (`PRIVATE_KEY_JWT`), which the simulator does not do.
    pub withheld: u64,
}

/// A change that is to be told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// To whom.
    pub(super) target: NotifyTarget,
    /// The change.
    pub(super) transition: Transition,
    /// The session's URL.
    pub(super) source: String,
}

/// An event on its way.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// What it tells.
    pub(super) told: Told,
    /// The event's own name.
    pub(super) id: Uuid,
    /// When it is due.
    pub(super) due: Timestamp,
}

/// What an attempt to send came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The answer's status.
    Answered(u16),
    /// No answer.
    Unanswered,
}

/// What the sender remembers.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) counts: Counts,
    /// URLs that answered 410.
    stopped: HashSet<Private<String>>,
    /// Events that wait for the next one of their session.
    held: HashMap<Uuid, Vec<Notice>>,
}

impl Plan {
    /// What is to be sent because of a change, in order. `chance` gives a number from 0 to 1.
    pub(super) fn notices(&mut self, told: Told, settings: &mut Settings, chance: impl FnMut() -> f64) -> Vec<Notice> {
        let (session, at) = (told.transition.session_id, told.transition.at);
        let first = told.transition.status == EventStatus::Available;
        let mut notices = Vec::new();
        if settings.loses(chance) {
            self.counts.lost += 1;
        } else {
            let due = crate::simulator::session::seconds_later(at, settings.delay_seconds);
            let notice = Notice { told, id: Uuid::new_v4(), due };
            notices = vec![notice; if settings.has(Quirk::Duplicate) { 2 } else { 1 }];
        }
        if first && settings.has(Quirk::Reorder) {
            self.held.entry(session).or_default().append(&mut notices);
        } else {
            notices.extend(self.held.remove(&session).unwrap_or_default());
        }
        notices
    }

    /// Whether an event may be sent now, which is counted either way.
    ///
    /// After a 410 the client wants no more (r1.3 and later, `callbacks`); from 1.0 on "the notifications stop" when the token has
    /// expired (`sinkCredential`).
    pub(super) fn admits(&mut self, target: &NotifyTarget, now: Timestamp) -> bool {
        let expired = target.generation >= Generation::V1_0 && target.token_expires.is_some_and(|end| end <= now);
        // Without the token that it asks for, the client could only refuse it.
        let tokenless = target.key.is_some() && target.token.is_none();
        let admitted = !expired && !tokenless && !self.stopped.contains(&target.url);
        *if admitted { &mut self.counts.sent } else { &mut self.counts.withheld } += 1;
        admitted
    }

    /// Notes what became of an event that was sent.
    pub(super) fn sent(&mut self, target: &NotifyTarget, sent: Sent) {
        match sent {
            Sent::Answered(204) => self.counts.accepted += 1,
            Sent::Answered(status) => {
                self.counts.refused += 1;
                if status == 410 {
                    self.stopped.insert(target.url.clone());
                }
            }
            Sent::Unanswered => self.counts.unanswered += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::settings::Flavour;
    use crate::simulator::transition::PrivateKeyJwt;

    fn target(generation: Generation, token_expires: Option<&str>) -> NotifyTarget {
        NotifyTarget {
            url: "https://client.example.com/k/n".into(),
            token: None,
            token_expires: token_expires.map(|time| time.parse().unwrap()),
            key: None,
            generation,
            flavour: Flavour::Camara,
        }
    }

    fn change(status: EventStatus) -> Told {
        let transition = Transition { session_id: Uuid::nil(), at: Timestamp::UNIX_EPOCH, status, info: None };
        Told { target: target(Generation::V1_1, None), transition, source: String::new() }
    }

    fn planned(plan: &mut Plan, status: EventStatus, settings: &mut Settings) -> Vec<(EventStatus, Uuid)> {
        let notices = plan.notices(change(status), settings, || 0.5);
        notices.into_iter().map(|notice| (notice.told.transition.status, notice.id)).collect()
    }

    fn statuses(notices: &[(EventStatus, Uuid)]) -> Vec<EventStatus> {
        notices.iter().map(|(status, _)| *status).collect()
    }

    use EventStatus::{Available, Unavailable};

    #[test]
    fn an_event_is_sent_once_with_an_id_of_its_own() {
        let (mut plan, mut settings) = (Plan::default(), Settings::default());
        let first = planned(&mut plan, Available, &mut settings);
        let second = planned(&mut plan, Unavailable, &mut settings);
        assert_eq!((statuses(&first), statuses(&second)), (vec![Available], vec![Unavailable]));
        assert_ne!(first[0].1, second[0].1);
    }

    #[test]
    fn a_duplicate_has_the_same_id() {
        let mut settings = Settings { quirks: [Quirk::Duplicate].into(), ..Settings::default() };
        let both = planned(&mut Plan::default(), Available, &mut settings);
        assert_eq!((both.len(), both[0].1), (2, both[1].1));
    }

    #[test]
    fn reordered_the_beginning_comes_after_the_end_and_never_alone() {
        let (mut plan, mut settings) = (Plan::default(), Settings { quirks: [Quirk::Reorder].into(), ..Settings::default() });
        assert_eq!(planned(&mut plan, Available, &mut settings), []);
        assert_eq!(statuses(&planned(&mut plan, Unavailable, &mut settings)), [Unavailable, Available]);
        assert!(plan.held.is_empty());
        planned(&mut plan, Available, &mut settings);
        settings.lose_next = 1;
        assert_eq!(statuses(&planned(&mut plan, Unavailable, &mut settings)), [Available], "the end itself was lost");
        assert_eq!(plan.counts.lost, 1);
    }

    #[test]
    fn a_delay_is_counted_from_the_change() {
        let mut settings = Settings { delay_seconds: 7, ..Settings::default() };
        let notices = Plan::default().notices(change(Unavailable), &mut settings, || 0.5);
        assert_eq!(notices[0].due.as_second(), 7);
    }

    #[test]
    fn after_a_410_nothing_more_goes_to_that_url() {
        let mut plan = Plan::default();
        let now = Timestamp::UNIX_EPOCH;
        let ours = target(Generation::V0_10, None);
        for status in [500, 401, 302] {
            assert!(plan.admits(&ours, now));
            plan.sent(&ours, Sent::Answered(status));
        }
        assert!(plan.admits(&ours, now));
        plan.sent(&ours, Sent::Answered(410));
        assert!(!plan.admits(&ours, now));
        let other = NotifyTarget { url: "https://client.example.com/k/other".into(), ..ours };
        assert!(plan.admits(&other, now));
        plan.sent(&other, Sent::Answered(204));
        let expected = Counts { sent: 5, accepted: 1, refused: 4, withheld: 1, ..Counts::default() };
        assert_eq!(plan.counts, expected);
    }

    #[test]
    fn a_client_that_wants_a_token_of_its_own_is_told_nothing_without_one() {
        let mut plan = Plan::default();
        let target = NotifyTarget { key: Some(PrivateKeyJwt::default()), ..target(Generation::V1_2, None) };
        assert!(!plan.admits(&target, Timestamp::UNIX_EPOCH));
        assert_eq!(plan.counts, Counts { withheld: 1, ..Counts::default() });
    }

    #[test]
    fn from_1_0_on_nothing_is_sent_with_a_token_that_has_expired() {
        let end = "2026-01-02T03:10:00Z";
        let (before, at): (Timestamp, Timestamp) = ("2026-01-02T03:09:59Z".parse().unwrap(), end.parse().unwrap());
        for generation in Generation::ALL {
            let mut plan = Plan::default();
            let target = target(generation, Some(end));
            assert!(plan.admits(&target, before));
            assert_eq!(plan.admits(&target, at), generation < Generation::V1_0, "{generation:?}");
        }
    }
}
