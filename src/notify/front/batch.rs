//! What goes from one replica to the one that leads: events, with a keyed hash over them. Pure.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::kept::Notice;
use crate::leader::Leader;
use crate::notify::{Event, Target};
use crate::private::Private;
use crate::qod::{QosStatus, SessionId, StatusInfo};
use crate::session::key::OperatorKey;

/// Holds the keyed hash of the body, in hexadecimal digits.
pub const MAC_HEADER: &str = "x-qos-operator-mac";
/// Events in one batch.
pub const MOST: usize = 50;
/// Bytes of a batch: each text in it has a bounded length.
pub const LARGEST: usize = 512 * 1024;
/// How far the clocks of two replicas may differ, and how old a batch may be. One that is sent again by a stranger within this time
/// costs nothing: its events are known.
pub const WINDOW: SignedDuration = SignedDuration::from_secs(Duration::from_mins(1).as_secs().cast_signed());

/// A batch.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    /// The term of the leader that it is for.
    to: String,
    sent_at: Timestamp,
    events: Vec<Item>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    object_key: Option<String>,
    nonce: Private<String>,
    session_id: String,
    qos_status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status_info: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_id: Option<Private<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Private<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
}

/// Why a batch is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not of a replica with the same key, or it is too old.
    #[error("it is not from a replica with the operator's key, or a minute old or more (do the nodes' clocks agree?)")]
    Untrusted,
    /// It is for another leader.
    #[error("it is for another leader")]
    NotForMe,
    /// It is of another version.
    #[error("it cannot be read")]
    Unreadable,
}

impl Refusal {
    /// The HTTP status that tells the sender.
    pub const fn status(self) -> u16 {
        match self {
            Self::Untrusted => 401,
            Self::NotForMe => 409,
            Self::Unreadable => 400,
        }
    }
}

/// Body and keyed hash of a batch for `leader`.
pub fn seal<'a>(
    key: &OperatorKey,
    leader: &Leader,
    notices: impl IntoIterator<Item = &'a Notice>,
    now: Timestamp,
) -> (String, Private<String>) {
    let events = notices.into_iter().map(Item::from).collect();
    let batch = Batch { to: term(leader), sent_at: now, events };
    // Texts and times only: this cannot fail.
    let body = serde_json::to_string(&batch).unwrap_or_default();
    let mac = mac(key, &body);
    (body, mac)
}

/// The events of a batch that came at `now` to `leader` (none: this replica does not lead).
///
/// # Errors
/// Says nothing about the content unless the keyed hash is right.
pub fn open(key: &OperatorKey, leader: Option<&Leader>, body: &str, said: &str, now: Timestamp) -> Result<Vec<Notice>, Refusal> {
    if !same(said, mac(key, body).expose()) {
        return Err(Refusal::Untrusted);
    }
    let batch: Batch = serde_json::from_str(body).map_err(|_| Refusal::Unreadable)?;
    if now.duration_since(batch.sent_at).abs() >= WINDOW {
        return Err(Refusal::Untrusted);
    }
    if leader.is_none_or(|leader| term(leader) != batch.to) {
        return Err(Refusal::NotForMe);
    }
    Ok(batch.events.into_iter().map(Notice::from).collect())
}

fn mac(key: &OperatorKey, body: &str) -> Private<String> {
    key.long(&["hand-over", body])
}

/// Names a term.
fn term(leader: &Leader) -> String {
    let acquired = leader.acquired.map(|at| at.to_string()).unwrap_or_default();
    format!("{} {acquired}", leader.identity)
}

/// Compares hashes of both, which the library does in constant time.
fn same(said: &str, expected: &str) -> bool {
    let digest =
        |text: &str| Hmac::<Sha256>::new_from_slice(b"qos-operator hand-over").map(|mac| mac.chain_update(text).finalize());
    digest(said).ok().zip(digest(expected).ok()).is_some_and(|(said, expected)| said == expected)
}

impl From<&Notice> for Item {
    fn from(notice: &Notice) -> Self {
        let Notice { target, event } = notice;
        Self {
            object_key: target.object_key.clone(),
            nonce: target.nonce.clone(),
            session_id: event.session_id.as_str().to_owned(),
            qos_status: event.qos_status.as_str().to_owned(),
            status_info: event.status_info.as_ref().map(|info| info.as_str().to_owned()),
            event_id: event.event_id.clone(),
            source: event.source.clone(),
            time: event.time,
        }
    }
}

impl From<Item> for Notice {
    fn from(item: Item) -> Self {
        let event = Event {
            session_id: SessionId::new(item.session_id),
            qos_status: QosStatus::from(item.qos_status),
            status_info: item.status_info.map(StatusInfo::from),
            event_id: item.event_id,
            source: item.source,
            time: item.time,
        };
        Self::new(&Target { object_key: item.object_key, nonce: item.nonce }, &event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn leader(acquired: i64) -> Leader {
        Leader { identity: "a".to_owned(), acquired: Some(at(acquired)), address: None }
    }

    fn notice() -> Notice {
        let event = Event {
            session_id: SessionId::new("s-1"),
            qos_status: QosStatus::Unavailable,
            status_info: Some(StatusInfo::NetworkTerminated),
            event_id: Some("e-1".into()),
            source: Some("https://api.example.com".into()),
            time: Some(at(5)),
        };
        Notice::new(&Target { object_key: Some("k1".to_owned()), nonce: "n1".into() }, &event)
    }

    #[test]
    fn a_batch_is_read_as_it_was_written_by_the_leader_that_it_is_for() {
        let key = OperatorKey::fixed();
        let bare =
            Notice { event: Event { event_id: None, source: None, time: None, status_info: None, ..notice().event }, ..notice() };
        let notices = [notice(), bare];
        let (body, mac) = seal(&key, &leader(1), &notices, at(100));
        assert_eq!(open(&key, Some(&leader(1)), &body, mac.expose(), at(101)).unwrap(), notices);
        for other in [None, Some(&leader(2)), Some(&Leader { identity: "b".to_owned(), ..leader(1) })] {
            assert_eq!(open(&key, other, &body, mac.expose(), at(101)), Err(Refusal::NotForMe), "{other:?}");
        }
    }

    #[test]
    fn a_batch_with_another_hash_or_an_old_time_is_refused() {
        let key = OperatorKey::fixed();
        let (body, mac) = seal(&key, &leader(1), [&notice()], at(100));
        let open = |body: &str, mac: &str, now| open(&key, Some(&leader(1)), body, mac, at(now)).map(|notices| notices.len());
        assert_eq!(open(&body, mac.expose(), 159), Ok(1));
        assert_eq!(open(&body, mac.expose(), 160), Err(Refusal::Untrusted), "too old");
        assert_eq!(open(&body, mac.expose(), 40), Err(Refusal::Untrusted), "from the future");
        assert_eq!(open(&body.replace("s-1", "s-2"), mac.expose(), 101), Err(Refusal::Untrusted));
        for wrong in ["", "00", &mac.expose()[1..], &mac.expose().to_uppercase()] {
            assert_eq!(open(&body, wrong, 101), Err(Refusal::Untrusted), "{wrong}");
        }
        let garbage = "no batch";
        assert_eq!(open(garbage, mac.expose(), 101), Err(Refusal::Untrusted), "nothing is said of a stranger's body");
        assert_eq!(open(garbage, super::mac(&key, garbage).expose(), 101), Err(Refusal::Unreadable));
    }

    #[test]
    fn the_fullest_batch_is_below_the_limit() {
        let long = |character: char, count: usize| character.to_string().repeat(count);
        let event = Event {
            session_id: SessionId::new(long('"', 512)),
            qos_status: QosStatus::from(long('A', 64)),
            status_info: Some(StatusInfo::from(long('B', 64))),
            // A control character is six bytes in JSON.
            event_id: Some(long('\u{1}', 256).as_str().into()),
            source: Some(long('\u{1}', 256).as_str().into()),
            time: Some(at(5)),
        };
        let target = Target { object_key: Some(long('k', 256)), nonce: long('n', 256).as_str().into() };
        let notices = vec![Notice::new(&target, &event); MOST];
        let (body, _) = seal(&OperatorKey::fixed(), &leader(1), &notices, at(100));
        assert!(body.len() < LARGEST, "{}", body.len());
    }
}
