//! What a setting can be.

use serde::{Deserialize, Serialize};

/// By which rules the provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Telefónica's sandbox mock: no state, an identifier ending in 9 is a conflict, every id is found.
    Mock,
    /// The life cycle of the specification: overlap, REQUESTED, expiry, retention, extend.
    Life,
}

/// Whose form of the API is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Flavour {
    /// Telefónica Open Gateway: errors without `status`, codes of their own, profiles listed as names.
    Telefonica,
    /// CAMARA's own.
    Camara,
}

/// When a new session is refused because of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Overlap {
    /// The rule of the specification: overlapping flows, any client, any profile.
    Enforced,
    /// Only the same flow with the same profile.
    Identical,
    /// Never.
    Off,
}

/// What an extend of an AVAILABLE session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Extend {
    /// Lengthens it, up to `extendCapSeconds` of remaining time.
    Capped,
    /// Answers 200 and leaves `expiresAt` as it was.
    NoGain,
}

/// What becomes of a REQUESTED session after its delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestedOutcome {
    /// The network grants it.
    Available,
    /// The network fails to: UNAVAILABLE, kept for the retention.
    Unavailable,
}

/// Whether the API can be reached at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outage {
    /// It can.
    None,
    /// The port is closed: connections are refused, and those open are cut.
    Refused,
    /// Every request is answered with 503.
    Unavailable,
}

/// The form of a profile in the answers of `/qos-profiles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum ProfileBodies {
    /// As the flavour's document has it: Telefónica names, CAMARA objects.
    Documented,
    /// Names: `["QOS_E"]`.
    Names,
    /// Objects with status and limits.
    Objects,
}

/// Whether a profile may be used (CAMARA `QosProfileStatusEnum`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProfileStatus {
    /// For new sessions.
    Active,
    /// Not at present.
    Inactive,
    /// Only by sessions that have it already.
    Deprecated,
}

/// A profile that the provider offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Whether it may be used.
    #[serde(default = "Profile::active")]
    pub status: ProfileStatus,
    /// The shortest session, in seconds.
    #[serde(default)]
    pub min_duration_seconds: Option<i64>,
    /// The longest session, in seconds.
    #[serde(default)]
    pub max_duration_seconds: Option<i64>,
}

impl Profile {
    fn active() -> ProfileStatus {
        ProfileStatus::Active
    }
}

/// What becomes of new sessions of one profile; what is left out is as in the settings of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Course {
    /// How long a new session is REQUESTED.
    pub requested_delay_seconds: Option<i64>,
    /// What becomes of it then.
    pub requested_outcome: Option<RequestedOutcome>,
    /// Granted instead of the duration asked for.
    pub granted_seconds: Option<i64>,
}

impl Course {
    pub(super) fn sane(&self) -> bool {
        self.requested_delay_seconds.is_none_or(sane) && self.granted_seconds.is_none_or(|granted| granted >= 1 && sane(granted))
    }
}

/// More than any clock's calendar needs, and far from an overflow.
pub(super) fn sane(seconds: i64) -> bool {
    (0..=1_000_000_000).contains(&seconds)
}

/// The code for a duration outside the profile's limits from 0.11 on, where the documents disagree with their own tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DurationCode {
    /// `QUALITY_ON_DEMAND.DURATION_OUT_OF_RANGE`, as the OpenAPI documents have it.
    DurationOutOfRange,
    /// `INVALID_ARGUMENT`, as the releases' own test definitions have it.
    InvalidArgument,
}

/// The operations of the API, by their `operationId`s in the specification, shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// `createSession`
    Create,
    /// `getSession`
    Get,
    /// `deleteSession`
    Delete,
    /// `extendQosSessionDuration`
    Extend,
    /// `retrieveSessionsByDevice`
    RetrieveSessions,
    /// `getQosProfiles` and `getQosProfile`
    Profiles,
    /// `retrieveQoSProfiles`
    RetrieveProfiles,
    /// CIBA's `/bc-authorize`
    Authorize,
    /// OAuth's `/token`
    Token,
    /// A path or method that the API does not have.
    Unknown,
}
