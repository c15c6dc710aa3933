//! One provider, as the sessions see it at one moment.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use url::Url;

use super::access::Access;
use super::gate::Gate;
use super::limits::Limits;
use super::readiness::Readiness;
use super::registry::File;
use crate::api::QosProviderSpec;
use crate::clock::Clock;
use crate::qod::{self, ProfileStatus, QosProfile};

/// One `QosProvider`, as it was when it was read. It is not changed: a new one takes its place.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
pub struct Provider {
    /// Name of the object.
    pub name: String,
    /// UID of the object.
    pub uid: String,
    /// What the API speaks.
    pub generation: qod::Generation,
    /// The spec.
    pub spec: QosProviderSpec,
    /// Whether it can be used.
    pub readiness: Readiness,
    /// Client and tokens; none while the spec cannot be acted on or its Secrets are not there.
    pub access: Option<Arc<Access>>,
    /// What it offers; none: not known, then nothing is refused by profile.
    pub profiles: Option<Vec<QosProfile>>,
    /// The finalizer and `status.sessions` of at least 1 are on the object. An attempt needs both.
    pub marked: bool,
    /// The object is being deleted.
    pub deleting: bool,
    /// The annotation `qos-operator.io/paused` is `"true"`.
    pub paused: bool,
    /// Its rate and its calls under way; the same object until the spec's limits change.
    pub limits: Arc<Limits>,
    /// Whether it may be called now; the same object for the life of the provider.
    pub gate: Arc<Gate>,
    pub(super) is_default: bool,
    pub(super) created: Option<Timestamp>,
    pub(super) file: Arc<File>,
    pub(super) clock: Clock,
}

/// What a provider says of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileAnswer {
    /// Its profiles are not known: ask it.
    Unknown,
    /// It has none of that name.
    NotOffered {
        /// Names of those that a new session may ask for, sorted.
        active: Vec<String>,
    },
    /// It has it, but not for new sessions.
    NotActive {
        /// CAMARA's word, INACTIVE or DEPRECATED.
        status: String,
    },
    /// It can be asked for.
    Limits {
        /// The shortest session in seconds.
        min: Option<i64>,
        /// The longest session in seconds.
        max: Option<i64>,
    },
}

impl Provider {
    /// What is known of the profile of that name.
    pub fn profile(&self, name: &str) -> ProfileAnswer {
        profile_answer(self.profiles.as_deref(), name)
    }

    /// Why the budget forbids another create, or an extension for an object that holds a session already; none: it does not.
    pub fn over_budget(&self, holds_already: bool) -> Option<String> {
        let budget = self.spec.budget.as_ref()?;
        self.file.usage.lock().over(&self.name, budget, holds_already, self.clock.now())
    }

    /// What of it is used: sessions that live or may live there, and seconds granted on this UTC day.
    pub fn used(&self) -> (usize, i64) {
        let usage = self.file.usage.lock();
        (usage.holders.len(), usage.seconds(self.clock.now()))
    }

    /// Where creates have their notifications sent; none: sessions are asked after only.
    pub fn callback_url(&self) -> Option<Url> {
        self.file.callbacks.lock().url().filter(|_| self.notifies()).cloned()
    }

    /// Whether creates ask for notifications.
    pub fn is_asked_to_notify(&self) -> bool {
        self.file.callbacks.lock().url().is_some() && self.notifies()
    }

    /// A notification of one of its sessions arrived.
    pub fn heard(&self) {
        if self.file.callbacks.lock().hear() {
            self.file.wake.notify_one();
        }
    }

    /// A poll found a change of which no notification had told.
    pub fn unheard(&self) {
        self.file.callbacks.lock().miss(self.clock.now());
        self.file.wake.notify_one();
    }

    /// Its notifications do not arrive, as far as can be told.
    pub fn is_silent(&self) -> bool {
        self.file.callbacks.lock().silent()
    }

    /// Seconds between two looks at an AVAILABLE session whose notifications cannot be relied on: as often as at one that is
    /// REQUESTED, but all sessions here together take at most half of `requestsPerMinute`, and never less often than otherwise.
    pub fn short_period_seconds(&self) -> i64 {
        let sessions = i64::try_from(self.file.usage.lock().holders.len()).unwrap_or(i64::MAX);
        let fair = sessions.saturating_mul(120) / i64::from(self.spec.limits.requests_per_minute.max(1));
        let polling = &self.spec.polling;
        fair.max(polling.requested_period_seconds.into()).min(polling.available_period_seconds.into())
    }

    /// Whether sessions have reason to try again what was refused. The mark is no such reason: no refusal rests on it.
    pub(super) fn differs(&self, other: &Self) -> bool {
        self.uid != other.uid
            || self.spec != other.spec
            || self.readiness != other.readiness
            || self.profiles != other.profiles
            || !same(self.access.as_ref(), other.access.as_ref())
            || (self.deleting, self.paused, self.is_default) != (other.deleting, other.paused, other.is_default)
    }
}

/// Both are the same one, which is made anew with every change of what it rests on.
fn same(one: Option<&Arc<Access>>, other: Option<&Arc<Access>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

fn profile_answer(profiles: Option<&[QosProfile]>, name: &str) -> ProfileAnswer {
    let Some(profiles) = profiles else { return ProfileAnswer::Unknown };
    match profiles.iter().find(|profile| profile.name == name) {
        None => {
            let usable = profiles.iter().filter(|profile| profile.usable_for_new_session());
            let mut active: Vec<_> = usable.map(|profile| profile.name.clone()).collect();
            active.sort();
            ProfileAnswer::NotOffered { active }
        }
        Some(QosProfile { status: status @ (ProfileStatus::Inactive | ProfileStatus::Deprecated), .. }) => {
            ProfileAnswer::NotActive { status: status.as_str().to_owned() }
        }
        Some(profile) => ProfileAnswer::Limits { min: profile.min_duration_seconds, max: profile.max_duration_seconds },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qod::wire;

    #[test]
    fn a_profile_is_refused_only_by_what_the_provider_said() {
        let body = br#"[
            {"name": "QOS_L", "status": "ACTIVE", "minDuration": {"value": 1, "unit": "Minutes"}, "maxDuration": {"value": 1, "unit": "Days"}},
            {"name": "QOS_M", "status": "INACTIVE"},
            {"name": "QOS_E", "status": "ACTIVE"}
        ]"#;
        let profiles = wire::profiles(body).unwrap();
        let answer = |name| profile_answer(Some(&profiles), name);
        assert_eq!(profile_answer(None, "QOS_X"), ProfileAnswer::Unknown);
        assert_eq!(answer("QOS_X"), ProfileAnswer::NotOffered { active: vec!["QOS_E".into(), "QOS_L".into()] });
        assert_eq!(answer("QOS_M"), ProfileAnswer::NotActive { status: "INACTIVE".into() });
        assert_eq!(answer("QOS_L"), ProfileAnswer::Limits { min: Some(60), max: Some(86400) });
        assert_eq!(answer("QOS_E"), ProfileAnswer::Limits { min: None, max: None });
        assert_eq!(profile_answer(Some(&[]), "QOS_E"), ProfileAnswer::NotOffered { active: Vec::new() });
    }
}
