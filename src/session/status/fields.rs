//! The fields that are no conditions: the provider's word, and the record of the attempt.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::Pass;
use crate::api::{AttemptOutcome, QosSessionStatus, SessionAttempt};
use crate::private::Private;
use crate::qod::{FaultClass, SessionInfo};
use crate::session::decide::{Ending, Row, Step};
use crate::session::facts::{AppliedHash, Renewal, Word};
use crate::session::outcome::Effect;
use crate::session::past;

/// A session that lived so long, in seconds, before the network ended it begins a new count of terminations.
const STEADY: i64 = 600;

const UNAVAILABLE: &str = "UNAVAILABLE";
const DURATION_EXPIRED: &str = "DURATION_EXPIRED";
const DELETE_REQUESTED: &str = "DELETE_REQUESTED";

/// The status with its fields as this pass leaves them.
pub fn fields(pass: &Pass<'_>, before: &QosSessionStatus) -> QosSessionStatus {
    let mut status = before.clone();
    match pass.effect {
        Effect::Created { nonce, hash, provider, client, info, arrived_at } => {
            status.provider = Some(provider.clone());
            let again = before.attempt.as_ref().is_some_and(|attempt| attempt.outcome == AttemptOutcome::Created);
            let failures = if again { failures(before) } else { 0 };
            status.attempt = attempt(nonce.text(), AttemptOutcome::Created, failures, client.clone());
            created(&mut status, pass, *hash, info, *arrived_at);
        }
        Effect::NotCreated { nonce, provider, client, fault, .. } => {
            let busy = fault.as_ref().is_some_and(|fault| fault.class == FaultClass::Conflict);
            let outcome = if busy { AttemptOutcome::Busy } else { AttemptOutcome::Refused };
            status.provider = Some(provider.clone());
            status.attempt = attempt(nonce.text(), outcome, failures(before).saturating_add(1), client.clone());
        }
        Effect::Released(ending) => released(&mut status, pass, *ending),
        Effect::Extended(info) => said(&mut status, pass, info),
        _ => by_step(&mut status, pass, before),
    }
    status
}

fn by_step(status: &mut QosSessionStatus, pass: &Pass<'_>, before: &QosSessionStatus) {
    let record = || pass.sent_record.map(|record| (record.nonce.clone(), record.client.clone(), record.provider.clone()));
    match pass.decision.step {
        Step::RecordReleased(ending) => released(status, pass, ending),
        Step::RecordSeen(_) => {
            if let Some(info) = pass.found {
                said(status, pass, info);
            }
        }
        Step::AdoptEvent(_) | Step::AdoptListed(_) => {
            if let (Some((nonce, client, provider)), Some(info)) = (record(), pass.found) {
                status.attempt = attempt(nonce, AttemptOutcome::Created, 0, client);
                status.provider = Some(provider);
                let hash = pass.sent_record.and_then(|record| AppliedHash::parse(&record.hash));
                created(status, pass, hash.unwrap_or(AppliedHash(0)), info, pass.now);
            }
        }
        Step::SettleEvent => {
            if let Some((nonce, client, provider)) = record() {
                status.attempt = attempt(nonce, AttemptOutcome::Created, failures(before), client);
                status.provider = Some(provider);
                released(status, pass, Ending::Vanished);
            }
        }
        Step::RecordAbsent => {
            if let Some((nonce, client, _)) = record() {
                status.attempt = attempt(nonce, AttemptOutcome::Absent, failures(before), client);
            }
        }
        _ => {
            // The provider does not answer, and the time that it named has passed: that time was its own word.
            let ran_out = status.expires_at.as_ref().is_some_and(|at| at.0 <= pass.now);
            if matches!(pass.decision.row, Row::R6 | Row::R12) && ran_out && status.qos_status.as_deref() != Some(UNAVAILABLE) {
                status.qos_status = Some(UNAVAILABLE.to_owned());
                status.status_info = Some(DURATION_EXPIRED.to_owned());
            }
        }
    }
}

fn failures(status: &QosSessionStatus) -> i32 {
    status.attempt.as_ref().map_or(0, |attempt| attempt.failures)
}

#[expect(clippy::unnecessary_wraps, reason = "the field is an option")]
const fn attempt(
    nonce: Private<String>,
    outcome: AttemptOutcome,
    failures: i32,
    client: Option<String>,
) -> Option<SessionAttempt> {
    Some(SessionAttempt { nonce, outcome, failures, client })
}

fn created(status: &mut QosSessionStatus, pass: &Pass<'_>, hash: AppliedHash, info: &SessionInfo, arrived_at: Timestamp) {
    let hash = hash.text();
    if status.applied_hash.as_deref() != Some(hash.as_str()) {
        status.run_started_at = None;
    }
    status.applied_hash = Some(hash);
    status.session_id = Some(info.session_id.as_str().to_owned());
    status.qos_status = None;
    status.status_info = None;
    status.started_at = None;
    status.expires_at = None;
    status.granted_duration_seconds = None;
    said_at(status, pass, info, arrived_at);
}

/// What the provider says of the session; what an answer leaves out is not unsaid by it.
fn said(status: &mut QosSessionStatus, pass: &Pass<'_>, info: &SessionInfo) {
    said_at(status, pass, info, pass.now);
}

fn said_at(status: &mut QosSessionStatus, pass: &Pass<'_>, info: &SessionInfo, at: Timestamp) {
    let seen = past::said(info).over(past::told(status));
    status.qos_status = info.qos_status.as_ref().map(|word| word.as_str().to_owned());
    let kept = seen.word == Word::Unavailable && info.status_info.is_none();
    if !kept {
        status.status_info = info.status_info.as_ref().map(|word| word.as_str().to_owned());
    }
    status.started_at = seen.started_at.map(Time);
    status.expires_at = seen.expires_at.map(Time);
    status.granted_duration_seconds = seen.granted_seconds;
    if seen.word == Word::Unavailable && status.status_info.is_none() && seen.expires_at.is_some_and(|expires| expires <= at) {
        status.status_info = Some(DURATION_EXPIRED.to_owned());
    }
    let runs_once = matches!(pass.goal.renewal, Renewal::Never { .. });
    if seen.word == Word::Available && runs_once && status.run_started_at.is_none() {
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        status.run_started_at = Some(Time(seen.started_at.map_or(at, |started| started.min(at))));
    }
}

/// The session is over: its id goes, and how it ended is told.
fn released(status: &mut QosSessionStatus, pass: &Pass<'_>, ending: Ending) {
    if let Some(info) = pass.found {
        said(status, pass, info);
    }
    let expired = status.expires_at.as_ref().is_some_and(|at| at.0 <= pass.now);
    let ended_before = status.qos_status.as_deref() == Some(UNAVAILABLE);
    let by_network = !expired && matches!((pass.decision.row, ending), (Row::R8, _) | (_, Ending::Vanished));
    let lived = status.started_at.as_ref().map_or(0, |at| pass.now.duration_since(at.0).as_secs());
    if let Some(attempt) = &mut status.attempt {
        attempt.failures = match (by_network, lived >= STEADY) {
            (true, false) => attempt.failures.saturating_add(1),
            (true, true) => 1,
            (false, _) => 0,
        };
    }
    let info = match ending {
        Ending::Deleted => Some(DELETE_REQUESTED),
        Ending::GoneAtDelete if !expired => Some(DELETE_REQUESTED),
        Ending::Vanished if !expired => None,
        Ending::GoneAtDelete | Ending::Vanished | Ending::ByTime => Some(DURATION_EXPIRED),
    };
    if !ended_before {
        status.status_info = info.map(str::to_owned);
    }
    status.qos_status = Some(UNAVAILABLE.to_owned());
    status.session_id = None;
    status.expires_at = None;
}
