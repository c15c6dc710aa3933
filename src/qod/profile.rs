//! QoS profiles, as the provider describes them.

use std::time::Duration;

/// A QoS profile (CAMARA `QosProfile`). A limit that is not said, or in a unit that no generation has, is none.
#[derive(Clone, Debug, PartialEq)]
pub struct QosProfile {
    /// The name to ask with.
    pub name: String,
    /// Whether it can be used.
    pub status: ProfileStatus,
    /// The shortest session in seconds, rounded up.
    pub min_duration_seconds: Option<i64>,
    /// The longest session in seconds, rounded down.
    pub max_duration_seconds: Option<i64>,
    /// In bits per second.
    pub target_min_upstream_rate: Option<u64>,
    /// In bits per second.
    pub max_upstream_rate: Option<u64>,
    /// In bits per second.
    pub max_upstream_burst_rate: Option<u64>,
    /// In bits per second.
    pub target_min_downstream_rate: Option<u64>,
    /// In bits per second.
    pub max_downstream_rate: Option<u64>,
    /// In bits per second.
    pub max_downstream_burst_rate: Option<u64>,
    /// The longest one-way delay.
    pub packet_delay_budget: Option<Duration>,
    /// The variation of the round trip.
    pub jitter: Option<Duration>,
    /// 1 (first) to 100 by the specification.
    pub priority: Option<i64>,
    /// The exponent n of a loss rate of 10 to the power of -n.
    pub packet_error_loss_rate: Option<i64>,
}

/// Whether a profile can be used (CAMARA `QosProfileStatusEnum`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileStatus {
    /// Yes.
    Active,
    /// Not at present.
    Inactive,
    /// Only by the sessions that have it.
    Deprecated,
    /// A word that no generation has.
    Unknown(String),
}

/// Which profiles to list; the empty filter means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileFilter {
    /// The one of that name.
    pub name: Option<String>,
    /// Those with that status.
    pub status: Option<ProfileStatus>,
}

/// A duration held against a profile's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationCheck {
    /// Within the limits that are known.
    Ok,
    /// Shorter than the profile allows.
    TooShort {
        /// The shortest, in seconds.
        min: i64,
    },
    /// Longer than the profile allows.
    TooLong {
        /// The longest, in seconds.
        max: i64,
    },
}

impl QosProfile {
    /// Whether a new session may ask for it. A status that no generation has does not forbid it: the provider decides.
    pub const fn usable_for_new_session(&self) -> bool {
        matches!(self.status, ProfileStatus::Active | ProfileStatus::Unknown(_))
    }

    /// Holds a duration in seconds against the limits.
    pub fn check(&self, duration_seconds: i64) -> DurationCheck {
        match (self.min_duration_seconds, self.max_duration_seconds) {
            (Some(min), _) if duration_seconds < min => DurationCheck::TooShort { min },
            (_, Some(max)) if duration_seconds > max => DurationCheck::TooLong { max },
            _ => DurationCheck::Ok,
        }
    }
}

impl ProfileStatus {
    /// CAMARA's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Deprecated => "DEPRECATED",
            Self::Unknown(word) => word,
        }
    }
}

impl From<String> for ProfileStatus {
    fn from(word: String) -> Self {
        match word.as_str() {
            "ACTIVE" => Self::Active,
            "INACTIVE" => Self::Inactive,
            "DEPRECATED" => Self::Deprecated,
            _ => Self::Unknown(word),
        }
    }
}
