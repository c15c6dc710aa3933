//! The events that a replica keeps until a leader has had time to act on them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::leader::Leader;
use crate::notify::{Event, Target};
use crate::private::Private;

/// A provider's text that is longer is kept as its hash: it is compared with others and never read.
const LONGEST_TEXT: usize = 256;

/// An event and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Object and attempt.
    pub target: Target,
    /// The event.
    pub event: Event,
}

impl Notice {
    /// Of a size that does not depend on the sender.
    pub fn new(target: &Target, event: &Event) -> Self {
        let Event { event_id, source, .. } = event;
        let event = Event { event_id: event_id.as_ref().map(short), source: source.as_ref().map(short), ..event.clone() };
        Self { target: target.clone(), event }
    }
}

fn short(text: &Private<String>) -> Private<String> {
    if text.expose().len() <= LONGEST_TEXT { text.clone() } else { hex::encode(Sha256::digest(text.expose())).into() }
}

/// Events in the order in which they came. Each is kept until its time is over after a leader has taken it, and until then it is
/// due again whenever another leader is there: one that took it may have died before it acted.
#[derive(Debug)]
pub struct Kept {
    capacity: usize,
    keep: Duration,
    leader: Option<Leader>,
    next: u64,
    notices: BTreeMap<u64, (Notice, Option<Instant>)>,
    /// Those that `leader` has not taken.
    due: BTreeSet<u64>,
    lost: u64,
}

impl Kept {
    /// At most `capacity` events, each for `keep` after a leader has taken it.
    pub const fn new(capacity: usize, keep: Duration) -> Self {
        Self { capacity, keep, leader: None, next: 0, notices: BTreeMap::new(), due: BTreeSet::new(), lost: 0 }
    }

    /// Keeps an event; returns its number.
    pub fn add(&mut self, notice: Notice) -> u64 {
        if self.notices.len() >= self.capacity {
            self.make_room();
        }
        let number = self.next;
        self.next += 1;
        self.notices.insert(number, (notice, None));
        self.due.insert(number);
        number
    }

    /// The oldest that a leader has taken goes, else the oldest.
    fn make_room(&mut self) {
        let taken = self.notices.keys().find(|number| !self.due.contains(number)).copied();
        if let Some(number) = taken {
            self.notices.remove(&number);
        } else if let Some((number, _)) = self.notices.pop_first() {
            self.due.remove(&number);
            self.lost += 1;
        }
    }

    /// This one leads: what another one has taken is due again.
    pub fn follow(&mut self, leader: &Leader) {
        if self.leader.as_ref() != Some(leader) {
            self.leader = Some(leader.clone());
            self.due = self.notices.keys().copied().collect();
        }
    }

    /// The oldest events that are due, at most `most`.
    pub fn due(&self, most: usize) -> Vec<(u64, Notice)> {
        let due = self.due.iter().take(most);
        due.filter_map(|number| self.notices.get(number).map(|(notice, _)| (*number, notice.clone()))).collect()
    }

    /// `leader` has taken these, as is known at `now`.
    pub fn taken(&mut self, numbers: impl IntoIterator<Item = u64>, leader: &Leader, now: Instant) {
        for number in numbers {
            if let Some((_, taken)) = self.notices.get_mut(&number) {
                *taken = Some(now);
            }
            if self.leader.as_ref() == Some(leader) {
                self.due.remove(&number);
            }
        }
    }

    /// Drops those whose time is over at `now`.
    pub fn prune(&mut self, now: Instant) {
        let over = |taken: &Option<Instant>| taken.is_some_and(|taken| now.duration_since(taken) >= self.keep);
        self.notices.retain(|_, (_, taken)| !over(taken));
        self.due.retain(|number| self.notices.contains_key(number));
    }

    /// Whether any is due.
    pub fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.notices.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.notices.is_empty()
    }

    /// How many had to go before a leader had taken them.
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qod::{QosStatus, SessionId};

    const KEEP: Duration = Duration::from_secs(80);

    fn leader(name: &str) -> Leader {
        Leader { identity: name.to_owned(), acquired: None, address: None }
    }

    pub(crate) fn notice(session: &str) -> Notice {
        let target = Target { object_key: Some("k".repeat(32)), nonce: "n".into() };
        let event = Event {
            session_id: SessionId::new(session),
            qos_status: QosStatus::Available,
            status_info: None,
            event_id: None,
            source: None,
            time: None,
        };
        Notice::new(&target, &event)
    }

    fn due(kept: &Kept) -> Vec<String> {
        kept.due(100).into_iter().map(|(_, notice)| notice.event.session_id.as_str().to_owned()).collect()
    }

    #[test]
    fn what_one_leader_has_taken_is_due_again_when_another_leads_and_goes_when_its_time_is_over() {
        let (mut kept, start) = (Kept::new(10, KEEP), Instant::now());
        kept.follow(&leader("a"));
        let first = kept.add(notice("s-1"));
        assert_eq!(due(&kept), ["s-1"]);
        kept.taken([first], &leader("a"), start);
        assert!(!kept.is_due());
        kept.follow(&leader("a"));
        assert!(!kept.is_due(), "the same leader");
        kept.follow(&leader("b"));
        assert_eq!(due(&kept), ["s-1"]);
        kept.taken([first], &leader("b"), start);
        kept.prune(start + KEEP);
        assert!(kept.is_empty());
    }

    #[test]
    fn what_nobody_has_taken_is_kept_without_end() {
        let (mut kept, start) = (Kept::new(10, KEEP), Instant::now());
        kept.add(notice("s-1"));
        kept.prune(start + Duration::from_hours(24));
        assert_eq!(due(&kept), ["s-1"]);
    }

    #[test]
    fn an_answer_of_the_leader_before_the_last_does_not_count_for_the_last() {
        let mut kept = Kept::new(10, KEEP);
        kept.follow(&leader("a"));
        let first = kept.add(notice("s-1"));
        kept.follow(&leader("b"));
        kept.taken([first], &leader("a"), Instant::now());
        assert!(kept.is_due());
    }

    #[test]
    fn memory_is_bounded_and_what_was_taken_goes_before_what_was_not() {
        let mut kept = Kept::new(3, KEEP);
        kept.follow(&leader("a"));
        let numbers: Vec<_> = ["s-1", "s-2", "s-3"].map(|session| kept.add(notice(session))).into();
        kept.taken([numbers[1]], &leader("a"), Instant::now());
        kept.add(notice("s-4"));
        assert_eq!((due(&kept).as_slice(), kept.lost()), (["s-1", "s-3", "s-4"].map(str::to_owned).as_slice(), 0));
        kept.add(notice("s-5"));
        assert_eq!((due(&kept).as_slice(), kept.lost()), (["s-3", "s-4", "s-5"].map(str::to_owned).as_slice(), 1));
    }

    #[test]
    fn a_text_of_the_providers_takes_no_more_room_than_its_hash() {
        let event = Event { event_id: Some("e".repeat(60_000).as_str().into()), ..notice("s-1").event };
        let notice = Notice::new(&notice("s-1").target, &event);
        assert_eq!(notice.event.event_id.unwrap().expose().len(), 64);
    }
}
