//! What can be set, at the start and by the admin API while it runs.

mod choice;
mod quirk;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::choice::sane;
pub use self::choice::{
    Course, DurationCode, Extend, Flavour, Mode, Operation, Outage, Overlap, Profile, ProfileBodies, ProfileStatus,
    RequestedOutcome,
};
pub use self::quirk::Quirk;
use super::device::{Kind, Subscriber};
use super::events;
use super::generation::Generation;
use super::oauth::settings::OauthSettings;
use crate::private::Private;

impl Operation {
    /// Whether it is one of the OAuth endpoints, whose answers have forms of their own.
    pub(super) const fn is_oauth(self) -> bool {
        matches!(self, Self::Authorize | Self::Token)
    }
}

/// All settings. The admin API shows and changes them under these names, in camelCase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, with a name in the admin API")]
pub struct Settings {
    /// By which rules the provider behaves.
    pub mode: Mode,
    /// Which generation the API speaks under its own base path; all others are served beside it.
    pub generation: Generation,
    /// Whose form of it.
    pub flavour: Flavour,
    /// How long a new session is REQUESTED; 0: the 201 says AVAILABLE.
    pub requested_delay_seconds: i64,
    /// What becomes of it then.
    pub requested_outcome: RequestedOutcome,
    /// How long a session that the network ended is kept, readable as UNAVAILABLE and still holding its flow (specification: at
    /// least 360).
    pub retention_seconds: i64,
    /// Added to it, from 0 up to this many seconds, differently for each session.
    pub retention_spread_seconds: i64,
    /// The same for API version 0.9, which knows no such rule. 0.8 keeps none.
    #[serde(rename = "retentionSecondsV0_9")]
    pub retention_seconds_v0_9: i64,
    /// The 201 of 1.2-rc says UNAVAILABLE already: the network refuses at once.
    pub unavailable_at_once: bool,
    /// What differs from these settings for new sessions of a profile, by its name.
    pub courses: BTreeMap<String, Course>,
    /// How long an expired session stays readable as UNAVAILABLE; it no longer holds its flow.
    pub expired_kept_seconds: i64,
    /// How long a deleted session stays readable as UNAVAILABLE, as in some reading of the specification.
    pub deleted_kept_seconds: i64,
    /// Granted instead of the duration asked for.
    pub granted_seconds: Option<i64>,
    /// What extend does.
    pub extend: Extend,
    /// The most time that an extend leaves before the end (specification: 86400).
    pub extend_cap_seconds: i64,
    /// When a new session is refused because of another one.
    pub overlap: Overlap,
    /// The profiles offered; the whole list is replaced.
    pub profiles: Vec<Profile>,
    /// Further fields of a profile's object, by its name.
    pub profile_details: BTreeMap<String, Map<String, Value>>,
    /// The form of a profile in the answers.
    pub profile_bodies: ProfileBodies,
    /// Subscribers with several identifiers; the whole list is replaced.
    pub subscribers: Vec<Subscriber>,
    /// Whether devices that are no subscriber's are refused.
    pub known_devices_only: bool,
    /// Identifiers that the provider cannot use; from 1.0 on `networkAccessIdentifier` is one in any case.
    pub unsupported_identifiers: BTreeSet<Kind>,
    /// Phone numbers whose devices the service is not for; the whole list is replaced.
    pub devices_without_service: Vec<Private<String>>,
    /// Profiles that are only for some devices, with their phone numbers; any other profile is for all.
    pub restricted_profiles: BTreeMap<String, Vec<Private<String>>>,
    /// Status for a session of another client: 403 or 404.
    pub foreign_session_status: u16,
    /// How long after its creation a session appears in `retrieve-sessions`.
    pub list_lag_seconds: i64,
    /// `{}` is refused by `retrieve-sessions` of 0.11 and 1.0 with 400 even where the token names the device, as their own tests want it.
    pub refuse_empty_lookup: bool,
    /// `sinkCredential` is repeated in answers; in 1.2-rc without its writeOnly fields.
    pub echo_sink_credential: bool,
    /// Whether `sinkCredential` may be PRIVATE_KEY_JWT in 1.2-rc.
    pub private_key_jwt: bool,
    /// The code for a duration outside the profile's limits from 0.11 on.
    pub duration_code: DurationCode,
    /// How many requests a client may make in a minute before it gets 429 TOO_MANY_REQUESTS (from 0.11 on).
    pub requests_per_minute: Option<usize>,
    /// How many sessions a client may have in effect before a creation gets 429 QUOTA_EXCEEDED (from 0.11 on).
    pub session_quota: Option<usize>,
    /// Ways in which the provider leaves the specification.
    pub quirks: BTreeSet<Quirk>,
    /// GET answers 200 with some session's fields for an id that does not exist.
    pub any_id_found: bool,
    /// Added to every time in an answer: a provider whose clock is ahead (or, below 0, behind).
    pub clock_skew_seconds: i64,
    /// Operations that the provider does not offer, with the status (404, 405 or 501) that its gateway gives instead.
    pub operations_off: BTreeMap<Operation, u16>,
    /// Every path answers the gateway's 404.
    pub gateway_not_found: bool,
    /// Whether the API can be reached.
    pub outage: Outage,
    /// How long, in reachable time, a client has to ask for a session after its end before the running ledger calls it leaked.
    pub leak_grace_seconds: i64,
    /// The OAuth endpoints.
    pub oauth: OauthSettings,
    /// How notifications are sent; the whole is replaced.
    pub notifications: events::settings::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        let profile = |name: &str| Profile {
            name: name.to_owned(),
            status: ProfileStatus::Active,
            min_duration_seconds: Some(1),
            max_duration_seconds: Some(86_400),
        };
        Self {
            mode: Mode::Life,
            generation: Generation::V0_10,
            flavour: Flavour::Telefonica,
            requested_delay_seconds: 0,
            requested_outcome: RequestedOutcome::Available,
            retention_seconds: 360,
            retention_spread_seconds: 0,
            retention_seconds_v0_9: 0,
            unavailable_at_once: false,
            courses: BTreeMap::new(),
            expired_kept_seconds: 0,
            deleted_kept_seconds: 0,
            granted_seconds: None,
            extend: Extend::Capped,
            extend_cap_seconds: 86_400,
            overlap: Overlap::Enforced,
            profiles: ["QOS_E", "QOS_S", "QOS_M", "QOS_L"].map(profile).to_vec(),
            profile_details: BTreeMap::new(),
            profile_bodies: ProfileBodies::Documented,
            subscribers: Vec::new(),
            known_devices_only: false,
            unsupported_identifiers: BTreeSet::new(),
            devices_without_service: Vec::new(),
            restricted_profiles: BTreeMap::new(),
            foreign_session_status: 403,
            list_lag_seconds: 0,
            refuse_empty_lookup: false,
            echo_sink_credential: false,
            private_key_jwt: false,
            duration_code: DurationCode::DurationOutOfRange,
            requests_per_minute: None,
            session_quota: None,
            quirks: BTreeSet::new(),
            any_id_found: false,
            clock_skew_seconds: 0,
            operations_off: BTreeMap::new(),
            gateway_not_found: false,
            outage: Outage::None,
            leak_grace_seconds: 600,
            oauth: OauthSettings::default(),
            notifications: events::settings::Settings::default(),
        }
    }
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// Not an object of the known fields.
    #[error("settings: {0}")]
    Shape(#[from] serde_json::Error),
    /// A value outside its range.
    #[error("settings: {field} must be {must}")]
    Range {
        /// The field.
        field: &'static str,
        /// What it must be.
        must: &'static str,
    },
}

impl Settings {
    /// These settings with the fields of `change` (an object of some fields) replaced.
    pub fn merged(&self, change: Value) -> Result<Self, Invalid> {
        let mut all = serde_json::to_value(self)?;
        match (all.as_object_mut(), change) {
            (Some(fields), Value::Object(mut change)) => {
                if let (Some(oauth), Some(change)) = (fields.get_mut("oauth"), change.remove("oauth")) {
                    merge(oauth, change);
                }
                fields.extend(change);
            }
            // Not an object: decoding it says what it is instead.
            (_, other) => all = other,
        }
        let merged: Self = serde_json::from_value(all)?;
        merged.check()?;
        Ok(merged)
    }

    /// Whether the provider has this quirk.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// The profile of this name.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// What becomes of new sessions of this profile.
    pub(super) fn course(&self, profile: &str) -> Course {
        let own = self.courses.get(profile).copied().unwrap_or_default();
        Course {
            requested_delay_seconds: own.requested_delay_seconds.or(Some(self.requested_delay_seconds)),
            requested_outcome: own.requested_outcome.or(Some(self.requested_outcome)),
            granted_seconds: own.granted_seconds.or(self.granted_seconds),
        }
    }

    /// Refuses values that make no sense.
    pub fn check(&self) -> Result<(), Invalid> {
        let rules = [
            ("requestedDelaySeconds", "0 or more", sane(self.requested_delay_seconds)),
            ("retentionSeconds", "0 or more", sane(self.retention_seconds)),
            ("retentionSpreadSeconds", "0 or more", sane(self.retention_spread_seconds)),
            ("retentionSecondsV0_9", "0 or more", sane(self.retention_seconds_v0_9)),
            ("listLagSeconds", "0 or more", sane(self.list_lag_seconds)),
            ("courses", "a map of profiles to spans of 0 or more (granted: 1 or more)", self.courses.values().all(Course::sane)),
            ("expiredKeptSeconds", "0 or more", sane(self.expired_kept_seconds)),
            ("deletedKeptSeconds", "0 or more", sane(self.deleted_kept_seconds)),
            ("leakGraceSeconds", "0 or more", sane(self.leak_grace_seconds)),
            ("extendCapSeconds", "0 or more", sane(self.extend_cap_seconds)),
            ("grantedSeconds", "1 or more", self.granted_seconds.is_none_or(|granted| granted >= 1 && sane(granted))),
            ("clockSkewSeconds", "between -1000000000 and 1000000000", sane(self.clock_skew_seconds.saturating_abs())),
            ("foreignSessionStatus", "403 or 404", [403, 404].contains(&self.foreign_session_status)),
            ("notifications", "a share from 0 to 1 to lose and a delay of 0 or more", self.notifications.sane()),
            (
                "operationsOff",
                "a map of operations to 404, 405 or 501",
                self.operations_off.values().all(|s| [404, 405, 501].contains(s)),
            ),
        ];
        let flaw = rules.into_iter().find(|(_, _, holds)| !holds).map(|(field, must, _)| (field, must));
        match flaw.or_else(|| self.oauth.flaw()) {
            Some((field, must)) => Err(Invalid::Range { field, must }),
            None => Ok(()),
        }
    }
}

/// Replaces in `all` what `change` has, object by object.
fn merge(all: &mut Value, change: Value) {
    match (all, change) {
        (Value::Object(all), Value::Object(change)) => {
            for (name, value) in change {
                merge(all.entry(name).or_insert(Value::Null), value);
            }
        }
        (all, other) => *all = other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_replaces_its_fields_and_leaves_the_others() {
        let changed = Settings::default().merged(json!({"retentionSeconds": 5, "operationsOff": {"extend": 405}})).unwrap();
        assert_eq!(changed.retention_seconds, 5);
        assert_eq!(changed.operations_off[&Operation::Extend], 405);
        assert_eq!(changed.profiles, Settings::default().profiles);
    }

    #[test]
    fn a_wrong_change_is_refused_with_the_name_of_its_field() {
        let unknown = Settings::default().merged(json!({"retentionSecond": 5})).unwrap_err().to_string();
        assert!(unknown.contains("retentionSecond"), "{unknown}");
        let range = Settings::default().merged(json!({"grantedSeconds": 0})).unwrap_err().to_string();
        assert_eq!(range, "settings: grantedSeconds must be 1 or more");
        assert!(Settings::default().merged(json!([1])).is_err());
    }
}
