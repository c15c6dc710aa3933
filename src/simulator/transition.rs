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
