//! The status of a `QosProvider`: what it should say, and whether that is worth a write. Pure.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::readiness::{Standing, Verdict};
use crate::api::{ConditionType, ProfileStatus, QosProviderStatus, Reason};
use crate::qod::QosProfile;

/// As many profiles as the status may hold.
const MOST_PROFILES: usize = 200;

/// What is worth a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Nothing.
    None,
    /// Counts only: they may wait a little.
    Counts,
    /// More than that.
    Urgent,
}

/// The conditions: Ready always, Reconciling or Stalled while true. `in_use` is the number of sessions that keep an object that is
/// being deleted.
pub(super) fn conditions(
    verdict: &Verdict,
    generation: i64,
    in_use: Option<i32>,
    before: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let condition = |kind: ConditionType, status: bool, reason: Reason, message: &str| {
        let status = if status { "True" } else { "False" };
        condition(kind, (status, reason, message.to_owned()), generation, before, now)
    };
    let (reason, message) = match in_use {
        Some(1) => (Reason::InUse, "1 session still lives here".to_owned()),
        Some(sessions) => (Reason::InUse, format!("{sessions} sessions still live here")),
        None => (verdict.reason, verdict.message.clone()),
    };
    let mut conditions = vec![condition(ConditionType::Ready, verdict.ready, reason, &message)];
    let second = match verdict.standing {
        Standing::Settled => None,
        Standing::Reconciling => Some(ConditionType::Reconciling),
        Standing::Stalled => Some(ConditionType::Stalled),
    };
    conditions.extend(second.map(|kind| condition(kind, true, verdict.reason, &verdict.message)));
    conditions
}

/// The condition on whether notifications arrive, which Ready does not rest on.
pub(super) fn notifications(
    told: (&'static str, Reason, String),
    generation: i64,
    before: &[Condition],
    now: Timestamp,
) -> Condition {
    condition(ConditionType::NotificationsReceived, told, generation, before, now)
}

fn condition(
    kind: ConditionType,
    (status, reason, message): (&str, Reason, String),
    generation: i64,
    before: &[Condition],
    now: Timestamp,
) -> Condition {
    let same = before.iter().find(|earlier| earlier.type_ == kind.as_str() && earlier.status == status);
    Condition {
        type_: kind.as_str().to_owned(),
        status: status.to_owned(),
        reason: reason.as_str().to_owned(),
        message,
        observed_generation: Some(generation),
        last_transition_time: same.map_or_else(|| Time(whole_second(now)), |same| same.last_transition_time.clone()),
    }
}

/// The API server keeps whole seconds.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The profiles as the status shows them: by name, each once, no longer than the schema allows.
pub(super) fn profiles(profiles: &[QosProfile]) -> Vec<ProfileStatus> {
    let mut seen = BTreeSet::new();
    let fitting = profiles.iter().filter(|profile| profile.name.chars().count() <= 256 && seen.insert(profile.name.clone()));
    let mut shown: Vec<_> = fitting
        .map(|profile| ProfileStatus {
            name: profile.name.clone(),
            status: Some(profile.status.as_str().chars().take(64).collect()).filter(|status: &String| !status.is_empty()),
            min_duration_seconds: profile.min_duration_seconds,
            max_duration_seconds: profile.max_duration_seconds,
        })
        .collect();
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    shown.truncate(MOST_PROFILES);
    shown
}

/// Compares what stands there with what should, whatever the order of lists. From 0 sessions to 1 is urgent: the attempt waits.
pub(super) fn difference(before: &QosProviderStatus, wanted: &QosProviderStatus) -> Difference {
    let without_counts = |status: &QosProviderStatus| {
        let mut status = QosProviderStatus { sessions: None, budget: None, ..status.clone() };
        status.profiles.sort_by(|a, b| a.name.cmp(&b.name));
        status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
        status
    };
    let begins = before.sessions.unwrap_or(0) == 0 && wanted.sessions.unwrap_or(0) > 0;
    if begins || without_counts(before) != without_counts(wanted) {
        Difference::Urgent
    } else if before.sessions != wanted.sessions || before.budget != wanted.budget {
        Difference::Counts
    } else {
        Difference::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::readiness::Finding;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn shown(conditions: &[Condition]) -> Vec<(&str, &str, &str)> {
        conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect()
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let missing = Verdict::of(&Finding::SecretMissing("no Secret".into()));
        let first = conditions(&missing, 1, None, &[], at(10));
        assert_eq!(shown(&first), [("Ready", "False", "SecretNotFound"), ("Reconciling", "True", "SecretNotFound")]);
        let unusable = Verdict::of(&Finding::SecretUnusable("is empty".into()));
        let second = conditions(&unusable, 1, None, &first, at(20));
        assert_eq!(shown(&second), [("Ready", "False", "CredentialsRejected"), ("Stalled", "True", "CredentialsRejected")]);
        assert_eq!(second.iter().map(|c| c.last_transition_time.0).collect::<Vec<_>>(), [at(10), at(20)]);
        let third = conditions(&Verdict::of(&Finding::Works), 2, None, &second, at(30));
        assert_eq!(shown(&third), [("Ready", "True", "Verified")]);
        assert_eq!((third[0].last_transition_time.0, third[0].observed_generation), (at(30), Some(2)));
    }

    #[test]
    fn an_object_that_goes_while_sessions_live_says_in_use_and_keeps_its_status() {
        let ready = conditions(&Verdict::of(&Finding::Works), 2, Some(3), &[], at(0));
        assert_eq!(shown(&ready), [("Ready", "True", "InUse")]);
        assert_eq!(ready[0].message, "3 sessions still live here");
    }

    #[test]
    fn the_first_session_is_urgent_and_later_counts_are_not() {
        let of = |sessions| QosProviderStatus { sessions, ..QosProviderStatus::default() };
        assert_eq!(difference(&of(None), &of(Some(1))), Difference::Urgent);
        assert_eq!(difference(&of(Some(0)), &of(Some(1))), Difference::Urgent);
        assert_eq!(difference(&of(Some(1)), &of(Some(2))), Difference::Counts);
        assert_eq!(difference(&of(Some(1)), &of(Some(0))), Difference::Counts);
        assert_eq!(difference(&of(Some(1)), &of(Some(1))), Difference::None);
        let more = QosProviderStatus { observed_generation: 4, ..of(Some(1)) };
        assert_eq!(difference(&of(Some(1)), &more), Difference::Urgent);
    }
}
