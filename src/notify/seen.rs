//! A short memory of events, so that one that says nothing new costs nothing.

use std::collections::{HashMap, HashSet, VecDeque};

use k8s_openapi::jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::event::Event;
use crate::qod::QosStatus;

/// What an event adds to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Something.
    New,
    /// Nothing: the same event was here before.
    Duplicate,
    /// Nothing: a later one was here before.
    Stale,
}

type Key = [u8; 32];

/// The latest events, of which it holds hashes of one size, at most as many as it was made for. Who forgets takes an old event for
/// a new one: that costs one question to the provider, and no more.
#[derive(Debug)]
pub struct Seen {
    capacity: usize,
    ids: HashSet<Key>,
    ids_by_age: VecDeque<Key>,
    latest: HashMap<Key, Latest>,
    latest_by_age: VecDeque<Key>,
}

/// The furthest that the events of one session have said.
#[derive(Clone, Copy, Debug)]
struct Latest {
    rank: Option<u8>,
    time: Option<Timestamp>,
}

impl Seen {
    /// An empty memory of at most `capacity` events and as many sessions; at least one of each.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            ids: HashSet::new(),
            ids_by_age: VecDeque::new(),
            latest: HashMap::new(),
            latest_by_age: VecDeque::new(),
        }
    }

    /// Notes an event that came for the attempt with this nonce, and says what it adds.
    ///
    /// The same id of the same source is the same event (CloudEvents 1.0, `id`); an event without an id is never a duplicate. A
    /// session goes from REQUESTED to AVAILABLE to UNAVAILABLE and never back, so one that would move it back is stale, whatever
    /// its time; so is one that leaves it where it is and is older than one before.
    pub fn note(&mut self, nonce: &str, event: &Event) -> Effect {
        if let Some(id) = &event.event_id {
            let source = event.source.as_ref().map_or("", |source| source.expose().as_str());
            let key = key(&[nonce, source, id.expose()]);
            if !self.ids.insert(key) {
                return Effect::Duplicate;
            }
            self.ids_by_age.push_back(key);
            if self.ids_by_age.len() > self.capacity
                && let Some(oldest) = self.ids_by_age.pop_front()
            {
                self.ids.remove(&oldest);
            }
        }
        self.advance(key(&[nonce, event.session_id.as_str()]), event)
    }

    fn advance(&mut self, session: Key, event: &Event) -> Effect {
        let now = Latest { rank: rank(&event.qos_status), time: event.time };
        let Some(before) = self.latest.get_mut(&session) else {
            self.latest.insert(session, now);
            self.latest_by_age.push_back(session);
            if self.latest_by_age.len() > self.capacity
                && let Some(oldest) = self.latest_by_age.pop_front()
            {
                self.latest.remove(&oldest);
            }
            return Effect::New;
        };
        let older = before.time.zip(now.time).is_some_and(|(before, now)| now < before);
        let stale = match before.rank.zip(now.rank) {
            Some((before, now)) if before != now => now < before,
            // The same status, or a word whose place in a session's life is not known.
            _ => older,
        };
        if stale {
            return Effect::Stale;
        }
        // Options compare with none below everything.
        *before = Latest { rank: before.rank.max(now.rank), time: before.time.max(now.time) };
        Effect::New
    }
}

/// How far a session has come with this status.
const fn rank(status: &QosStatus) -> Option<u8> {
    match status {
        QosStatus::Requested => Some(0),
        QosStatus::Available => Some(1),
        QosStatus::Unavailable => Some(2),
        QosStatus::Unknown(_) => None,
    }
}

/// A hash of texts, of which none is mistaken for another.
fn key(parts: &[&str]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qod::SessionId;

    fn event(id: &str, status: &str, time: Option<&str>) -> Event {
        Event {
            session_id: SessionId::new("s-1"),
            qos_status: QosStatus::from(status.to_owned()),
            status_info: None,
            event_id: (!id.is_empty()).then(|| id.into()),
            source: (!id.is_empty()).then(|| "/sessions/s-1".into()),
            time: time.map(|time| format!("2026-01-02T03:{time}:00Z").parse().unwrap()),
        }
    }

    #[test]
    fn the_same_event_twice_is_a_duplicate_and_one_without_an_id_never_is() {
        let mut seen = Seen::new(10);
        let with_id = event("e-1", "UNAVAILABLE", Some("10"));
        assert_eq!((seen.note("n", &with_id), seen.note("n", &with_id)), (Effect::New, Effect::Duplicate));
        assert_eq!(seen.note("m", &with_id), Effect::New, "another attempt's");
        let without = event("", "UNAVAILABLE", None);
        assert_eq!((seen.note("k", &without), seen.note("k", &without)), (Effect::New, Effect::New));
    }

    #[test]
    fn an_event_that_would_move_a_session_back_is_stale_whatever_its_time() {
        for late in [Some("05"), Some("15"), None] {
            let mut seen = Seen::new(10);
            assert_eq!(seen.note("n", &event("e-2", "UNAVAILABLE", Some("10"))), Effect::New);
            assert_eq!(seen.note("n", &event("e-1", "AVAILABLE", late)), Effect::Stale);
        }
    }

    #[test]
    fn an_end_is_never_stale_after_a_beginning_and_an_older_one_of_the_same_status_is() {
        let mut seen = Seen::new(10);
        assert_eq!(seen.note("n", &event("e-1", "AVAILABLE", Some("10"))), Effect::New);
        assert_eq!(seen.note("n", &event("e-2", "UNAVAILABLE", Some("09"))), Effect::New, "clocks of two servers differ");
        assert_eq!(seen.note("n", &event("e-3", "UNAVAILABLE", Some("08"))), Effect::Stale);
        assert_eq!(seen.note("n", &event("e-4", "UNAVAILABLE", Some("11"))), Effect::New);
        assert_eq!(seen.note("n", &event("e-5", "DEGRADED", Some("10"))), Effect::Stale, "a new word, and older");
        assert_eq!(seen.note("n", &event("e-6", "DEGRADED", Some("12"))), Effect::New);
        assert_eq!(seen.note("n", &event("e-7", "AVAILABLE", Some("13"))), Effect::Stale, "a new word wipes nothing out");
    }

    #[test]
    fn the_memory_stays_bounded_and_forgets_the_oldest_first() {
        let mut seen = Seen::new(3);
        for number in 0..100 {
            let mut event = event(&format!("e-{number}"), "AVAILABLE", Some("10"));
            event.session_id = SessionId::new(format!("s-{number}"));
            assert_eq!(seen.note("n", &event), Effect::New);
        }
        assert_eq!([seen.ids.len(), seen.ids_by_age.len(), seen.latest.len(), seen.latest_by_age.len()], [3; 4]);
        let again = |number: u32| {
            let mut event = event(&format!("e-{number}"), "AVAILABLE", Some("10"));
            event.session_id = SessionId::new(format!("s-{number}"));
            event
        };
        assert_eq!(seen.note("n", &again(99)), Effect::Duplicate);
        assert_eq!(seen.note("n", &again(5)), Effect::New);
    }
}
