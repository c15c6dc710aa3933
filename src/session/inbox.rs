//! What notifications say, until a pass weighs it. An event is a hint: it wakes its object, whose pass asks the provider. Only where
//! the id of a create was lost is it more: then it brings that id, which is verified before it is believed.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::claims::Object;
use super::context::Context;
use super::facts::{Info, Nonce, Past, Word};
use super::sink::{Mark, ObjectKey};
use super::{bounds, past};
use crate::notify::{self, Effect, Event, Seen};
use crate::qod::{Generation, SessionId, StatusInfo};

/// Hints that are kept of one object until its next pass, which is woken at once.
const HINTS: usize = 4;

/// Events that are told from their repetitions.
const SEEN: usize = 20_000;

/// What one event said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The attempt that its URL names.
    pub nonce: Nonce,
    /// The session that it speaks of.
    pub session: SessionId,
    /// `qosStatus`.
    pub word: Word,
    /// `statusInfo`, which up to version 0.10 nothing but an event tells.
    pub info: Option<StatusInfo>,
}

/// What hints mean for an object as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// The held session is to be asked after: something new was said of it.
    pub ask: bool,
    /// Of the held session: what was said last.
    pub told: Option<(Word, Option<StatusInfo>)>,
    /// The id of the open attempt's session.
    pub of_open: Option<SessionId>,
}

/// Weighs hints. Those of an earlier attempt, of another session, and those that say what is known cost nothing. `held`: the id of
/// the recorded session; `open`: the attempt whose outcome is not known.
pub fn weigh(hints: &[Hint], past: &Past, held: Option<&str>, open: Option<Nonce>) -> Weighed {
    let mut weighed = Weighed::default();
    for hint in hints {
        match (past.held.zip(held), open) {
            (Some((recorded, id)), _) if hint.session.as_str().eq_ignore_ascii_case(id) => {
                let info = hint.info.as_ref().map_or(Info::NotSaid, |info| past::info(info.as_str()));
                let same_info = info == Info::NotSaid || info == recorded.seen.info;
                weighed.ask |= hint.word != recorded.seen.word || !same_info;
                weighed.told = Some((hint.word, hint.info.clone()));
            }
            (None, Some(nonce)) if hint.nonce == nonce => weighed.of_open = Some(hint.session.clone()),
            _ => {}
        }
    }
    weighed
}

/// What is known of the object and the attempt that a callback URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The objects are not listed yet: nothing can be said.
    Unlisted,
    /// There is no such object (any more).
    Gone,
    /// There is.
    Known {
        /// Of the API that the attempt was made with, as far as is known.
        generation: Option<Generation>,
        /// Whether an event of the attempt can still matter.
        standing: notify::Standing,
    },
}

/// What has come and was not weighed yet, and whose it is.
#[derive(Debug)]
pub struct Inbox(Mutex<State>);

#[derive(Debug)]
struct State {
    objects: HashMap<ObjectKey, Object>,
    listed: bool,
    hints: HashMap<String, Vec<Hint>>,
    seen: Seen,
}

impl Default for Inbox {
    fn default() -> Self {
        let state = State { objects: HashMap::new(), listed: false, hints: HashMap::new(), seen: Seen::new(SEEN) };
        Self(Mutex::new(state))
    }
}

impl Inbox {
    /// An object is there.
    pub fn appeared(&self, key: ObjectKey, object: &Object) {
        self.0.lock().objects.insert(key, object.clone());
    }

    /// An object is gone.
    pub fn vanished(&self, key: ObjectKey, uid: &str) {
        let mut state = self.0.lock();
        state.objects.remove(&key);
        state.hints.remove(uid);
    }

    /// Every object that is there has appeared.
    pub fn listed(&self) {
        self.0.lock().listed = true;
    }

    /// Takes the hints for the object of `uid`; the next call has only what came since.
    pub fn take(&self, uid: &str) -> Vec<Hint> {
        self.0.lock().hints.remove(uid).unwrap_or_default()
    }

    /// Notes an event; the object that is to be woken, where it says something new.
    fn note(&self, mark: &Mark, event: &Event) -> Option<Object> {
        let mut state = self.0.lock();
        let object = state.objects.get(&mark.object)?.clone();
        if state.seen.note(mark.nonce.text().expose(), event) != Effect::New {
            return None;
        }
        let hint = Hint {
            nonce: mark.nonce,
            session: event.session_id.clone(),
            word: past::word(event.qos_status.as_str()),
            info: event.status_info.clone(),
        };
        let hints = state.hints.entry(object.uid.clone()).or_default();
        hints.retain(|known| (known.nonce, &known.session) != (hint.nonce, &hint.session));
        hints.push(hint);
        if hints.len() > HINTS {
            hints.remove(0);
        }
        Some(object)
    }
}

impl Context {
    /// What is known of the object and the attempt that a callback URL names. No I/O.
    pub fn standing(&self, mark: &Mark) -> Standing {
        let uid = {
            let state = self.inbox.0.lock();
            match state.objects.get(&mark.object) {
                Some(object) => object.uid.clone(),
                None if state.listed => return Standing::Gone,
                None => return Standing::Unlisted,
            }
        };
        self.memories.with(&uid, |remembered| {
            let standing = if remembered.attempt == Some(mark.nonce) {
                notify::Standing::Current { session_id: remembered.session().map(SessionId::new) }
            } else {
                notify::Standing::Other
            };
            Standing::Known { generation: remembered.api, standing }
        })
    }

    /// An event came for that object and attempt, with the right bearer: wakes the object if the event may say something new.
    pub fn notified(&self, mark: &Mark, event: &Event) {
        self.wake(self.inbox.note(mark, event));
    }
}

/// Whether `open` names this attempt's own session by an event.
pub fn of_open(event: Option<&(Nonce, SessionId)>, past: &Past, now: k8s_openapi::jiff::Timestamp) -> Option<SessionId> {
    let open = bounds::open(past, now).filter(|_| past.held.is_none())?;
    event.filter(|(nonce, _)| *nonce == open.nonce).map(|(_, session)| session.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::facts::{Held, Record, Seen as Known};

    fn past(word: Option<Word>) -> Past {
        Past {
            finalizer: true,
            record: Record::None,
            settled: None,
            held: word.map(|word| Held { hash: None, seen: Known { word, ..Known::NOTHING } }),
            last_hash: None,
            last_info: Info::NotSaid,
            run_started_at: None,
        }
    }

    fn hint(nonce: u128, session: &str, word: Word) -> Hint {
        let info = (word == Word::Unavailable).then_some(StatusInfo::NetworkTerminated);
        Hint { nonce: Nonce(nonce), session: SessionId::new(session), word, info }
    }

    #[test]
    fn only_what_is_new_of_the_held_session_asks_for_a_look() {
        let asks = |session, word| weigh(&[hint(1, session, word)], &past(Some(Word::Available)), Some("s-1"), None).ask;
        assert!(asks("s-1", Word::Unavailable));
        assert!(asks("S-1", Word::Unavailable), "an id in other case is the same");
        assert!(!asks("s-1", Word::Available), "it is known");
        assert!(!asks("s-2", Word::Unavailable), "another session");
        let told = weigh(&[hint(1, "s-1", Word::Unavailable)], &past(Some(Word::Available)), Some("s-1"), None).told;
        assert_eq!(told, Some((Word::Unavailable, Some(StatusInfo::NetworkTerminated))));
    }

    #[test]
    fn an_id_is_brought_only_by_the_open_attempts_own_nonce() {
        let of_open = |nonce| weigh(&[hint(nonce, "s-1", Word::Available)], &past(None), None, Some(Nonce(7))).of_open;
        assert_eq!(of_open(7), Some(SessionId::new("s-1")));
        assert_eq!(of_open(8), None);
        assert_eq!(weigh(&[hint(7, "s-1", Word::Available)], &past(None), None, None), Weighed::default(), "nothing is open");
    }

    #[test]
    fn hints_are_few_and_the_newest_of_a_session_counts() {
        let (inbox, key) = (Inbox::default(), crate::session::key::OperatorKey::fixed());
        let object = Object::new("stadium", "camera-12", "uid-1");
        let mark = |nonce| Mark { object: ObjectKey::of(&key, "uid-1"), nonce: Nonce(nonce) };
        let event = |session: &str, word: &str| Event {
            session_id: SessionId::new(session),
            qos_status: word.to_owned().into(),
            status_info: None,
            event_id: None,
            source: None,
            time: None,
        };
        assert_eq!(inbox.note(&mark(1), &event("s-1", "AVAILABLE")), None, "nobody knows the object yet");
        inbox.appeared(mark(1).object, &object);
        for word in ["REQUESTED", "AVAILABLE"] {
            assert_eq!(inbox.note(&mark(1), &event("s-1", word)), Some(object.clone()));
        }
        assert_eq!(inbox.note(&mark(1), &event("s-1", "REQUESTED")), None, "a later one was here");
        assert_eq!(inbox.take("uid-1"), [hint(1, "s-1", Word::Available)]);
        for nonce in 2..12 {
            inbox.note(&mark(nonce), &event("s-1", "AVAILABLE"));
        }
        assert_eq!(inbox.take("uid-1").len(), HINTS);
        assert_eq!(inbox.take("uid-1"), []);
        inbox.vanished(mark(1).object, "uid-1");
        assert_eq!(inbox.note(&mark(1), &event("s-9", "AVAILABLE")), None);
    }
}
