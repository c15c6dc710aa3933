//! The annotation `qos-operator.io/attempt`: what was sent, so that look-up, release and the time bound need nothing else.

use std::fmt::Write as _;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::{AppliedHash, Attempt, Nonce, Record};
use crate::api::{Device, SessionProvider};

/// The version of the record that this operator writes and reads.
pub const VERSION: i64 = 1;
/// The most bytes that the annotation may have.
pub const MAX_BYTES: usize = 2048;

/// The record as it is stored, JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRecord {
    /// Version of this shape.
    pub v: i64,
    /// Of the object that the attempt belongs to: a copied manifest brings the annotation along.
    pub uid: String,
    /// The send's name.
    pub nonce: NonceText,
    /// When it was written.
    pub at: Timestamp,
    /// After this nothing of it can land.
    pub lands_by: Timestamp,
    /// By this nothing of it lives.
    pub dead_by: Timestamp,
    /// Where it was sent.
    pub provider: SessionProvider,
    /// As in the spec; of a Secret reference, the reference.
    pub device: Device,
    /// Keyed hash of the number that the Secret reference led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_hash: Option<String>,
    /// Seconds asked for.
    pub duration_seconds: i64,
    /// As `status.appliedHash`.
    pub hash: String,
    /// Hash of provider UID and client id; absent for static tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The create carried a callback URL with this object's key and the nonce, so that a list tells whether it landed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sink: bool,
    /// When the bearer of its notifications ends, where the API gives it an end (from v0.11 on): none comes after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink_until: Option<Timestamp>,
    /// Extensions count in the bound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extends: bool,
    /// By this, older sends of unknown outcome are dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Timestamp>,
}

/// A nonce in the record, not printed.
pub type NonceText = crate::private::Private<String>;

impl Nonce {
    /// A fresh one, from the system's random source.
    pub fn fresh() -> Self {
        Self(uuid::Uuid::new_v4().as_u128())
    }

    /// 32 hexadecimal digits.
    pub fn text(self) -> NonceText {
        let mut text = String::with_capacity(32);
        let _ = write!(text, "{:032x}", self.0);
        text.into()
    }

    /// Reads what [`Nonce::text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self)
    }
}

impl AppliedHash {
    /// `v1:` and 16 hexadecimal digits.
    pub fn text(self) -> String {
        format!("v1:{:016x}", self.0)
    }

    /// Reads what [`AppliedHash::text`] wrote; `None` for another version's.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("v1:")?;
        (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten().map(Self)
    }
}

/// An annotation, read for the object of `uid`.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// There is none, or it is another object's.
    None,
    /// It cannot be read: its version, where it has one.
    Unreadable(Option<i64>),
    /// Ours.
    Of(Box<AttemptRecord>, Attempt),
}

impl Parsed {
    /// As decisions see it.
    pub const fn fact(&self) -> Record {
        match self {
            Self::None => Record::None,
            Self::Unreadable(_) => Record::Unreadable,
            Self::Of(_, attempt) => Record::Of(*attempt),
        }
    }

    /// The attempt, likewise.
    pub const fn attempt(&self) -> Option<Attempt> {
        match self {
            Self::Of(_, attempt) => Some(*attempt),
            _ => None,
        }
    }

    /// The record, where it is ours and readable.
    pub const fn record(&self) -> Option<&AttemptRecord> {
        match self {
            Self::Of(record, _) => Some(record),
            _ => None,
        }
    }
}

/// Reads the annotation's text. A record of another uid is no record; one that names our uid, or none, and cannot be understood is
/// [`Parsed::Unreadable`], since something of ours may live by it.
pub fn parse(text: Option<&str>, uid: &str) -> Parsed {
    let Some(text) = text else { return Parsed::None };
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return Parsed::Unreadable(None) };
    match value.get("uid").and_then(serde_json::Value::as_str) {
        Some(theirs) if theirs != uid => return Parsed::None,
        _ => {}
    }
    let version = value.get("v").and_then(serde_json::Value::as_i64);
    if version != Some(VERSION) {
        return Parsed::Unreadable(version);
    }
    let Ok(record) = serde_json::from_value::<AttemptRecord>(value) else { return Parsed::Unreadable(version) };
    match record.attempt() {
        Some(attempt) => Parsed::Of(Box::new(record), attempt),
        None => Parsed::Unreadable(version),
    }
}

impl AttemptRecord {
    fn attempt(&self) -> Option<Attempt> {
        Some(Attempt {
            nonce: Nonce::parse(self.nonce.expose())?,
            at: self.at,
            lands_by: self.lands_by,
            dead_by: self.dead_by,
            hash: AppliedHash::parse(&self.hash)?,
            duration_seconds: self.duration_seconds,
            extends: self.extends,
            earlier: self.earlier,
        })
    }

    /// The annotation's text.
    ///
    /// # Errors
    /// When it would be longer than [`MAX_BYTES`].
    pub fn text(&self) -> Result<String, TooLong> {
        let text = serde_json::to_string(self).map_err(|_| TooLong)?;
        if text.len() > MAX_BYTES { Err(TooLong) } else { Ok(text) }
    }
}

/// The record does not fit the annotation.
#[derive(Debug, thiserror::Error)]
#[error("the attempt record would be longer than {MAX_BYTES} bytes: use shorter names for the device's Secret or identifier")]
pub struct TooLong;
