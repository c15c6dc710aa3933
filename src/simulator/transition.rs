//! What a session's changes mean to the client that wants to be told of them: when an event is due, free of any generation's form.

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::generation::Generation;
use super::settings::Flavour;
use crate::private::Private;

/// Where, and with what, a client wants to be told of its session's changes, as it said in the creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyTarget {
    /// The callback URL as sent (`notificationUrl`, `webhook.notificationUrl`, `sink`).
    pub url: Private<String>,
    /// The token to send along, if one was given.
    pub token: Option<Private<String>>,
    /// From when on that token is no longer good (`sinkCredential.accessTokenExpiresUtc`).
    pub token_expires: Option<Timestamp>,
    /// Where to get a token instead (1.2-rc, `PRIVATE_KEY_JWT`).
    pub key: Option<PrivateKeyJwt>,
    /// The generation in whose form the client speaks.
    pub generation: Generation,
    /// Whose form of it.
    pub flavour: Flavour,
}

/// A `sinkCredential` of type PRIVATE_KEY_JWT (v1.2.0-rc.3): the provider gets a token at the client's own authorization server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateKeyJwt {
    /// `clientId`
    pub client_id: Option<Private<String>>,
    /// `tokenUri`
    pub token_uri: Option<Private<String>>,
}

/// The status of which an event speaks (`EventQosStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventStatus {
    /// In effect from now on.
    Available,
    /// No longer, or never, in effect.
    Unavailable,
}

/// Why a session is UNAVAILABLE (`StatusInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StatusInfo {
    /// Its duration ran out.
    DurationExpired,
    /// The network ended it, or could not provide it.
    NetworkTerminated,
    /// Its client deleted it.
    DeleteRequested,
}

/// A change of a session of which its client, which gave a callback, is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The session.
    pub session_id: Uuid,
    /// When it changed.
    pub at: Timestamp,
    /// What it became.
    pub status: EventStatus,
    /// Why, where the generation says so.
    pub info: Option<StatusInfo>,
}

/// What can happen to a session, as far as events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The 201 already said AVAILABLE.
    BornAvailable,
    /// It became AVAILABLE later.
    Available,
    /// Its duration ran out.
    Expired,
    /// The network ended it, or could not provide it.
    Terminated,
    /// Its client deleted it while it was AVAILABLE. Of one that was REQUESTED nothing is told (a choice: no source says).
    Deleted,
}

impl Change {
    /// What is told of it in `generation`; none: nothing.
    ///
    /// 0.8 knows only the end of a session (`SESSION_TERMINATED`); DELETE_REQUESTED, and AVAILABLE beside a 201 that says so, came
    /// with 0.10 (`createSession`, `deleteSession`).
    pub(super) fn told(self, generation: Generation) -> Option<(EventStatus, Option<StatusInfo>)> {
        use EventStatus::{Available, Unavailable};
        let (since, status, info) = match self {
            Self::BornAvailable => (Generation::V0_10, Available, None),
            Self::Available => (Generation::V0_9, Available, None),
            Self::Expired => (Generation::V0_8, Unavailable, Some(StatusInfo::DurationExpired)),
            Self::Terminated => (Generation::V0_8, Unavailable, Some(StatusInfo::NetworkTerminated)),
            Self::Deleted => (Generation::V0_10, Unavailable, Some(StatusInfo::DeleteRequested)),
        };
        (generation >= since).then_some((status, info))
    }
}

/// How many transitions wait for the sender at most; the oldest are dropped beyond it.
const KEPT: usize = 100_000;

/// Adds `more` to those that wait.
pub(super) fn collect(waiting: &mut Vec<Transition>, more: &mut Vec<Transition>) {
    waiting.append(more);
    waiting.drain(..waiting.len().saturating_sub(KEPT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_change_grew_with_the_generations() {
        use Change::{Available, BornAvailable, Deleted, Expired, Terminated};
        let told = |change: Change| Generation::ALL.map(|generation| change.told(generation).is_some());
        assert_eq!(told(BornAvailable), [false, false, true, true, true, true, true]);
        assert_eq!(told(Available), [false, true, true, true, true, true, true]);
        assert_eq!(told(Expired), [true; 7]);
        assert_eq!(told(Terminated), [true; 7]);
        assert_eq!(told(Deleted), [false, false, true, true, true, true, true]);
    }

    #[test]
    fn more_transitions_than_are_kept_push_out_the_oldest() {
        let one = |second| Transition {
            session_id: Uuid::nil(),
            at: Timestamp::from_second(second).unwrap(),
            status: EventStatus::Available,
            info: None,
        };
        let mut waiting = vec![one(0)];
        collect(&mut waiting, &mut (1..=i64::try_from(KEPT).unwrap()).map(one).collect());
        assert_eq!((waiting.len(), waiting[0]), (KEPT, one(1)));
    }
}
