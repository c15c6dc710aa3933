//! The status as a pure fold: from what it was, the decision and its effect, to what it is.
//!
//! [`told::told`] finds the row of the table of states that a pass shows; [`told::Told::words`] gives its conditions, message and
//! Event; [`fields`] keeps the provider's word and the record of the attempt.

pub mod fields;
pub mod told;
pub mod words;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use self::words::{Deciding, Words};
use super::decide::{Decision, Ending, Step};
use super::facts::{Goal, Observed, Past};
use super::outcome::{BarWords, Effect, Note, PeerWords};
use super::record::AttemptRecord;
use crate::api::{
    ConditionType, EventReason, QosSession, QosSessionStatus, RECONCILE_REQUESTED_AT_ANNOTATION, Reason, SessionProvider,
};
use crate::qod;

/// All that the fold rests on.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    /// The object as last read; its status is the previous one.
    pub object: &'a QosSession,
    /// The goal.
    pub goal: &'a Goal,
    /// The object's past, of the same reading.
    pub past: &'a Past,
    /// The facts.
    pub observed: &'a Observed,
    /// What was decided.
    pub decision: &'a Decision,
    /// What acting brought.
    pub effect: &'a Effect,
    /// Why the read of this pass failed.
    pub look_fault: Option<&'a qod::Fault>,
    /// What the read of this pass brought.
    pub found: Option<&'a qod::SessionInfo>,
    /// What stands against a create, in words.
    pub bar: Option<&'a BarWords>,
    /// Who holds the flow, in words.
    pub peer: Option<&'a PeerWords>,
    /// The desired provider.
    pub provider: Option<&'a SessionProvider>,
    /// `status.device`.
    pub device_mask: &'a str,
    /// The attempt record at hand.
    pub sent_record: Option<&'a AttemptRecord>,
    /// Version of a record that cannot be read.
    pub unreadable_version: Option<i64>,
    /// The session was made by a client that the provider's credentials are not.
    pub other_client: bool,
    /// Now.
    pub now: Timestamp,
}

/// The status, and the Events that say what has changed.
#[derive(Clone, Debug)]
pub struct Next {
    /// To be written where it is not the [`same`] as before.
    pub status: QosSessionStatus,
    /// To be written once.
    pub notes: Vec<Note>,
}

/// The next status.
pub fn next(pass: &Pass<'_>) -> Next {
    let before = pass.object.status.clone().unwrap_or_default();
    let mut status = fields::fields(pass, &before);
    let told = told::told(pass, &status);
    let words = told.words(pass, &before, &status);
    let mut notes = Vec::new();
    if let Some(words) = words {
        notes.extend(note(&words, &before));
        notes.extend(return_note(&words, &before, pass.now));
        status.observed_generation = pass.object.metadata.generation.unwrap_or(0);
        status.device = Some(pass.device_mask.to_owned()).filter(|mask| !mask.is_empty());
        status.conditions = conditions(&words, &before, status.observed_generation, pass.now);
    }
    notes.extend(found_note(pass));
    let requested = pass.object.annotations().get(RECONCILE_REQUESTED_AT_ANNOTATION);
    if !status.conditions.is_empty()
        && let Some(requested) = requested
    {
        status.last_handled_reconcile_at = Some(handled(requested));
    }
    Next { status, notes }
}

/// A value of the annotation `qos-operator.io/reconcile-requested-at` as `status.lastHandledReconcileAt` keeps it: cut at its length.
pub fn handled(requested: &str) -> String {
    requested.chars().take(64).collect()
}

/// Equal, apart from when conditions changed: then nothing is written.
pub fn same(a: &QosSessionStatus, b: &QosSessionStatus) -> bool {
    let timeless = |status: &QosSessionStatus| {
        let mut status = status.clone();
        for condition in &mut status.conditions {
            condition.last_transition_time = Time(Timestamp::UNIX_EPOCH);
        }
        status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
        status
    };
    timeless(a) == timeless(b)
}

fn find(status: &QosSessionStatus, kind: ConditionType) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind.as_str())
}

/// The reason of the previous Ready condition; empty where there is none.
pub(super) fn ready_reason(status: &QosSessionStatus) -> &str {
    find(status, ConditionType::Ready).map_or("", |condition| condition.reason.as_str())
}

fn deciding_reason(status: &QosSessionStatus) -> &str {
    let deciding = find(status, ConditionType::Stalled).or_else(|| find(status, ConditionType::Reconciling));
    deciding.map_or("", |condition| condition.reason.as_str())
}

/// The row's Event, on the transition to it.
fn note(words: &Words, before: &QosSessionStatus) -> Option<Note> {
    let (warning, reason, action) = words.note?;
    let deciding = words.deciding.map_or("", |(_, reason)| reason.as_str());
    let moved = ready_reason(before) != words.reason.as_str() || deciding_reason(before) != deciding || words.always;
    moved.then(|| Note { warning, reason, action, note: words.message.clone() })
}

/// How the session ended that the next one follows, while that is not in force yet; `None` where none went before, or it was
/// meant to end. Available keeps this reason while the next session is REQUESTED.
pub(super) fn ended_by(before: &QosSessionStatus) -> Option<Reason> {
    let lives = before.session_id.is_some() && before.qos_status.as_deref() == Some("AVAILABLE");
    let reached = find(before, ConditionType::Ready).is_none_or(|condition| condition.status == "True");
    if lives || reached {
        return None;
    }
    let told = find(before, ConditionType::Available).and_then(|condition| condition.reason.parse().ok());
    match (told, before.qos_status.as_deref(), before.status_info.as_deref()) {
        (Some(Reason::Renewing | Reason::Updating | Reason::NetworkTerminated | Reason::Vanished), _, _) => told,
        // The next one is REQUESTED: only the condition remembers.
        (Some(Reason::ProviderUnreachable | Reason::ProviderError), Some("REQUESTED") | None, _) => {
            told.filter(|_| before.session_id.is_some())
        }
        (_, Some("UNAVAILABLE"), Some("NETWORK_TERMINATED")) => Some(Reason::NetworkTerminated),
        (_, Some("UNAVAILABLE"), Some("DURATION_EXPIRED")) => Some(Reason::ProviderUnreachable),
        (_, Some("UNAVAILABLE"), None) => Some(Reason::Vanished),
        _ => None,
    }
}

/// The Event of a session that is back: how it had gone tells which.
fn return_note(words: &Words, before: &QosSessionStatus, now: Timestamp) -> Option<Note> {
    if words.reason != Reason::Available {
        return None;
    }
    match ended_by(before)? {
        Reason::Renewing | Reason::Updating => {
            let gone_since = find(before, ConditionType::Available).map(|condition| condition.last_transition_time.0);
            let gap = gone_since.map_or(0, |since| now.duration_since(since).as_secs().max(0));
            let note = format!("AVAILABLE again after a gap of {gap} s");
            Some(Note { warning: true, reason: EventReason::RenewedWithGap.as_str(), action: "Renew", note })
        }
        _ => {
            let note = "AVAILABLE again".to_owned();
            Some(Note { warning: false, reason: EventReason::Recovered.as_str(), action: "Create", note })
        }
    }
}

/// The Event of a session whose create was not answered, and that was found.
fn found_note(pass: &Pass<'_>) -> Option<Note> {
    let (warning, reason, action, note) = match (pass.effect, pass.decision.step) {
        (Effect::None, Step::AdoptListed(_) | Step::AdoptEvent(_)) => {
            (false, EventReason::Adopted, "Create", "the session whose create was not answered was found")
        }
        (Effect::ReleasedListed(Ending::Deleted), _) => (
            true,
            EventReason::DuplicateReleased,
            "Release",
            "a session of this object that nothing recorded was found and released",
        ),
        _ => return None,
    };
    Some(Note { warning, reason: reason.as_str(), action, note: note.to_owned() })
}

fn conditions(words: &Words, before: &QosSessionStatus, generation: i64, now: Timestamp) -> Vec<Condition> {
    let condition = |kind: ConditionType, status: &str, reason: &str| {
        let earlier = find(before, kind).filter(|condition| condition.status == status);
        let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Condition {
            type_: kind.as_str().to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: words.message.clone(),
            observed_generation: Some(generation),
            last_transition_time: earlier.map_or(Time(at), |condition| condition.last_transition_time.clone()),
        }
    };
    let mut all = vec![
        condition(ConditionType::Available, words.available, words.available_reason().as_str()),
        condition(ConditionType::Ready, words.ready, words.reason.as_str()),
    ];
    match words.deciding {
        Some((Deciding::Reconciling, reason)) => all.push(condition(ConditionType::Reconciling, "True", reason.as_str())),
        Some((Deciding::Stalled, reason)) => all.push(condition(ConditionType::Stalled, "True", reason.as_str())),
        None => {}
    }
    all
}

#[cfg(test)]
mod tests;
