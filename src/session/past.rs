//! What an object says of its own past, read from its metadata and status. Pure.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::facts::{AppliedHash, Held, Info, Nonce, Outcome, Past, Seen, Settled, Word};
use super::record::{self, Parsed};
use crate::api::{ATTEMPT_ANNOTATION, AttemptOutcome, FINALIZER, QosSession, QosSessionStatus};
use crate::qod::{QosStatus, SessionInfo, StatusInfo};

/// The past of `object`, and its attempt record.
pub fn read(object: &QosSession) -> (Past, Parsed) {
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    let parsed = record::parse(object.annotations().get(ATTEMPT_ANNOTATION).map(String::as_str), uid);
    let nothing = QosSessionStatus::default();
    let status = object.status.as_ref().unwrap_or(&nothing);
    let last_hash = status.applied_hash.as_deref().and_then(AppliedHash::parse);
    let seen = told(status);
    let past = Past {
        finalizer: object.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        record: parsed.fact(),
        settled: status.attempt.as_ref().and_then(|attempt| {
            let outcome = match attempt.outcome {
                AttemptOutcome::Created => Outcome::Created,
                AttemptOutcome::Busy => Outcome::Busy,
                AttemptOutcome::Refused => Outcome::Refused,
                AttemptOutcome::Absent => Outcome::Absent,
                AttemptOutcome::Unknown(_) => return None,
            };
            Some(Settled { nonce: Nonce::parse(attempt.nonce.expose())?, outcome })
        }),
        held: status.session_id.as_ref().map(|_| Held { hash: last_hash, seen }),
        last_hash,
        last_info: seen.info,
        run_started_at: status.run_started_at.as_ref().map(|at| at.0),
    };
    (past, parsed)
}

/// What the status says of the session.
pub fn told(status: &QosSessionStatus) -> Seen {
    let time = |at: &Option<Time>| at.as_ref().map(|at| at.0);
    Seen {
        word: status.qos_status.as_deref().map_or(Word::NotSaid, word),
        info: status.status_info.as_deref().map_or(Info::NotSaid, info),
        started_at: time(&status.started_at),
        expires_at: time(&status.expires_at),
        granted_seconds: status.granted_duration_seconds,
    }
}

/// What an answer says of the session, by the second.
pub fn said(answer: &SessionInfo) -> Seen {
    let whole = |at: Option<k8s_openapi::jiff::Timestamp>| {
        at.and_then(|at| k8s_openapi::jiff::Timestamp::from_second(at.as_second()).ok())
    };
    Seen {
        word: answer.qos_status.as_ref().map_or(Word::NotSaid, |status| word(QosStatus::as_str(status))),
        info: answer.status_info.as_ref().map_or(Info::NotSaid, |status| info(StatusInfo::as_str(status))),
        started_at: whole(answer.started_at),
        expires_at: whole(answer.expires_at),
        granted_seconds: answer.granted_duration,
    }
}

/// A status as a value that can be copied.
pub fn word(text: &str) -> Word {
    match text {
        "REQUESTED" => Word::Requested,
        "AVAILABLE" => Word::Available,
        "UNAVAILABLE" => Word::Unavailable,
        other => Word::Unknown(fingerprint(other)),
    }
}

/// Its reason, likewise.
pub fn info(text: &str) -> Info {
    match text {
        "DURATION_EXPIRED" => Info::DurationExpired,
        "NETWORK_TERMINATED" => Info::NetworkTerminated,
        "DELETE_REQUESTED" => Info::DeleteRequested,
        other => Info::Unknown(fingerprint(other)),
    }
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
