//! Which state a pass shows: one variant for each row of the table of states (`docs/reasons.md` tells each reason to users).

use k8s_openapi::jiff::Timestamp;

use super::{Pass, deciding_reason, find, ready_reason};
use crate::api::{ConditionType, QosSessionStatus, Reason};
use crate::qod::{Fault, FaultClass, Reason as Refusal};
use crate::session::bounds::{self, Kind};
use crate::session::decide::{Barred, HeldBack, Row, Step};
use crate::session::facts::{Bar, Look, Outcome, Renewal, Word};
use crate::session::outcome::Effect;

/// The state that is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// As before: nothing new to tell.
    Keep,
    /// Rows 3 to 7, 26, 28 to 31, 38, 40: something stands against a create.
    Barred(Reason, String),
    /// Row 42: the same, and the session of the earlier spec is kept.
    KeptFor(Reason, String),
    /// Row 8.
    BusyWithPeer,
    /// Row 9.
    BusyElsewhere,
    /// Row 10.
    BusyWithLost(Timestamp),
    /// Row 11; since when, where it takes unusually long.
    Requested(Option<Timestamp>),
    /// Rows 12, 15, 24, 34.
    Available,
    /// Row 14.
    Updating,
    /// Rows 16, 27.
    RenewalFailing(Reason, String),
    /// Row 17; another spec, or a renewal.
    Gap {
        /// Another spec.
        updating: bool,
    },
    /// Rows 18, 19.
    NetworkTerminated {
        /// It is created again.
        again: bool,
    },
    /// Row 20.
    Expired(i64),
    /// Row 21.
    Suspended,
    /// Row 22; or the declared time was cut short.
    Releasing {
        /// `suspend` is why.
        suspended: bool,
    },
    /// Row 23.
    OutcomeUnknown,
    /// Row 25.
    RunOut(Reason),
    /// Row 33.
    ReleaseBlocked {
        /// Why.
        cause: String,
        /// By when the object goes all the same.
        until: Option<Timestamp>,
        /// Whether a session exists is not known.
        unknown: bool,
    },
    /// Row 35.
    Paused,
    /// Row 37.
    Vanished {
        /// It is created again.
        again: bool,
    },
    /// Row 39.
    NotRenewed,
    /// Row 41.
    OtherClient(Option<Timestamp>),
    /// Row 43.
    Unreadable(Option<i64>),
}

/// The state that this pass shows; `status` has the fields of this pass already.
pub fn told(pass: &Pass<'_>, status: &QosSessionStatus) -> Told {
    if pass.goal.deleting {
        return deleting(pass);
    }
    let decision = pass.decision;
    if decision.held_back == Some(HeldBack::Paused) {
        let reached = status.qos_status.as_deref() == Some("AVAILABLE") && matches!(decision.row, Row::R11 | Row::R12);
        return if reached { Told::Available } else { Told::Paused };
    }
    if let Effect::Ambiguous(_) = pass.effect {
        return Told::OutcomeUnknown;
    }
    match decision.row {
        Row::R1 | Row::R3 | Row::R17 | Row::R20 if !matches!(decision.step, Step::Send { .. }) => Told::Keep,
        Row::R4 | Row::R5 => leaving(pass),
        Row::R6 | Row::R6a => unreachable(pass, status),
        Row::R7 => ended(pass, status, false),
        Row::R8 => ended(pass, status, true),
        Row::R9 | Row::R14 => by_word(pass, status),
        Row::R10 => Told::Requested(late(pass)),
        Row::R11 => extending(pass, status),
        Row::R12 => match pass.effect {
            Effect::Released(_) => Told::Gap { updating: false },
            _ if matches!(decision.step, Step::RecordReleased(_)) => Told::Gap { updating: false },
            _ if run_over(pass) => ran_out(pass, status),
            Effect::NotReleased(_) if pass.other_client => another_client(pass),
            Effect::NotReleased(fault) => Told::RenewalFailing(reason(fault), format!("renewal is due and {fault}")),
            _ => Told::Keep,
        },
        Row::R12a => renewal_barred(pass),
        Row::R13 if still_failing(pass, status) => Told::Keep,
        Row::R13 => kept(pass).unwrap_or_else(|| by_word(pass, status)),
        Row::R15 | Row::R16 | Row::R18 | Row::R19 | Row::R22 => lost(pass),
        Row::R22a => Told::Unreadable(pass.unreadable_version),
        Row::R23 => pass.look_fault.map_or(Told::Keep, |fault| Told::Barred(reason(fault), fault.to_string())),
        Row::R24 => Told::Keep,
        Row::R25 => barred(pass, status),
        Row::R26 => Told::BusyWithPeer,
        Row::R1 | Row::R3 | Row::R17 | Row::R20 | Row::R21 | Row::R27 => sent(pass, status),
    }
}

/// A create whose answer was lost: whether it landed is not known, unless a later send was refused because of it.
fn lost(pass: &Pass<'_>) -> Told {
    let busy = pass.past.settled.is_some_and(|settled| settled.outcome == Outcome::Busy);
    let earlier = bounds::open(pass.past, pass.now).filter(|_| busy).and_then(|attempt| {
        let settles = pass.past.settled.is_some_and(|settled| settled.nonce == attempt.nonce);
        attempt.earlier.filter(|_| settles)
    });
    earlier.map_or(Told::OutcomeUnknown, Told::BusyWithLost)
}

fn deleting(pass: &Pass<'_>) -> Told {
    let until = bounds::end(pass.past, pass.observed, pass.now);
    let decision = pass.decision;
    if decision.held_back == Some(HeldBack::Paused) {
        return Told::Paused;
    }
    match (pass.effect, decision.row) {
        (Effect::NotReleased(_), Row::R5 | Row::R8) if pass.other_client => {
            let cause = "another client made this session, and its credentials are needed to release it".to_owned();
            Told::ReleaseBlocked { cause, until, unknown: false }
        }
        (Effect::NotReleased(fault), _) => Told::ReleaseBlocked { cause: fault.to_string(), until, unknown: false },
        (_, Row::R5 | Row::R8) if decision.held_back == Some(HeldBack::Unreachable) => {
            let cause = "the provider cannot be asked to release the session".to_owned();
            Told::ReleaseBlocked { cause, until, unknown: false }
        }
        (_, Row::R16 | Row::R18 | Row::R19 | Row::R22) => {
            let cause = "the answer to a create was lost".to_owned();
            Told::ReleaseBlocked { cause, until, unknown: true }
        }
        (_, Row::R22a) => Told::Unreadable(pass.unreadable_version),
        _ => Told::Keep,
    }
}

fn kind(pass: &Pass<'_>) -> Kind {
    bounds::kind(pass.goal, pass.past, &pass.observed.margins, pass.now)
}

fn run_seconds(pass: &Pass<'_>) -> i64 {
    match pass.goal.renewal {
        Renewal::Never { run_seconds } => run_seconds,
        Renewal::Always => 0,
    }
}

/// Rows 4 and 5 of the decision: suspended, cut short, or another spec.
fn leaving(pass: &Pass<'_>) -> Told {
    let over = matches!(pass.effect, Effect::Released(_)) || matches!(pass.decision.step, Step::RecordReleased(_));
    match (kind(pass), over) {
        (Kind::Release, true) if pass.goal.suspend => Told::Suspended,
        (Kind::Release, true) => Told::Expired(run_seconds(pass)),
        (Kind::Release, false) => Told::Releasing { suspended: pass.goal.suspend },
        (_, true) => Told::Gap { updating: true },
        (_, false) => Told::Updating,
    }
}

/// The held session's expiry has passed.
fn run_over(pass: &Pass<'_>) -> bool {
    pass.past.held.and_then(|held| held.seen.expires_at).is_some_and(|at| at <= pass.now)
}

/// The provider did not confirm what this pass asked of it, or could not be asked.
fn waits(pass: &Pass<'_>) -> bool {
    matches!(pass.effect, Effect::NotReleased(_)) || pass.decision.held_back.is_some()
}

/// Row 25: the session has run out and the provider does not confirm it. Between two tries the cause stays as it was told.
fn ran_out(pass: &Pass<'_>, status: &QosSessionStatus) -> Told {
    if pass.other_client {
        return another_client(pass);
    }
    let fault = match pass.effect {
        Effect::NotReleased(fault) => Some(fault),
        _ => pass.look_fault,
    };
    let told = matches!(ready_reason(status), "ProviderUnreachable" | "ProviderError" | "QuotaExceeded" | "CredentialsRejected")
        && find(status, ConditionType::Ready).is_some_and(|ready| ready.status == "False");
    match fault {
        Some(fault) => Told::RunOut(reason(fault)),
        None if told => Told::Keep,
        None => Told::RunOut(Reason::ProviderUnreachable),
    }
}

/// Row 41: what the provider answers to these credentials says nothing of the session.
fn another_client(pass: &Pass<'_>) -> Told {
    Told::OtherClient(bounds::end(pass.past, pass.observed, pass.now))
}

fn unreachable(pass: &Pass<'_>, status: &QosSessionStatus) -> Told {
    let expires = pass.past.held.and_then(|held| held.seen.expires_at);
    let has_run_out = pass.decision.row == Row::R6a || expires.is_some_and(|at| at <= pass.now);
    let more = bounds::more(pass.goal, pass.past, expires, &pass.observed.margins);
    if has_run_out && pass.decision.row == Row::R6a && !more {
        return Told::Expired(run_seconds(pass));
    }
    if pass.other_client {
        return another_client(pass);
    }
    if has_run_out {
        return ran_out(pass, status);
    }
    if let Some(kept) = kept(pass) {
        return kept;
    }
    let near = pass.past.held.and_then(|held| bounds::near_expiry(&held.seen, pass.observed));
    let live = pass.past.held.is_some_and(|held| held.seen.word == Word::Available);
    if live && more && near.is_some_and(|near| pass.now >= near) {
        return match (pass.look_fault, pass.bar) {
            (Some(fault), _) => Told::RenewalFailing(reason(fault), format!("renewal is due and {fault}")),
            (None, Some(bar)) => Told::RenewalFailing(bar.reason, format!("renewal is due and {}", bar.message)),
            (None, None) => {
                Told::RenewalFailing(Reason::ProviderUnreachable, "renewal is due and the provider does not answer".to_owned())
            }
        };
    }
    Told::Keep
}

/// Row 42: the new spec cannot be created, so the session of the earlier one is kept.
fn kept(pass: &Pass<'_>) -> Option<Told> {
    let held = pass.past.held?;
    let differs = pass.goal.hash.is_some() && held.hash.is_some() && held.hash != pass.goal.hash;
    let unusable = pass.goal.hash.is_none() && pass.bar.is_some();
    let bar = pass.bar.filter(|_| differs || unusable)?;
    Some(Told::KeptFor(bar.reason, format!("{}; the session of the earlier spec is kept", bar.message)))
}

/// The session is over, by the provider's word (rows 7 and 8 of the decision).
fn ended(pass: &Pass<'_>, status: &QosSessionStatus, by_network: bool) -> Told {
    let expired = status.status_info.as_deref() == Some("DURATION_EXPIRED");
    let more = bounds::more(pass.goal, pass.past, pass.past.held.and_then(|held| held.seen.expires_at), &pass.observed.margins);
    if expired && more && by_network && !matches!(pass.effect, Effect::Released(_)) && waits(pass) {
        return ran_out(pass, status);
    }
    match (expired, by_network) {
        (true, _) if !more => Told::Expired(run_seconds(pass)),
        (true, _) => Told::Gap { updating: false },
        (false, true) => Told::NetworkTerminated { again: pass.goal.recreate },
        (false, false) => Told::Vanished { again: pass.goal.recreate },
    }
}

fn by_word(pass: &Pass<'_>, status: &QosSessionStatus) -> Told {
    match status.qos_status.as_deref() {
        Some("AVAILABLE") => kept(pass).unwrap_or(Told::Available),
        Some("UNAVAILABLE") => Told::NetworkTerminated { again: pass.goal.recreate },
        _ => Told::Requested(None),
    }
}

/// Since when the session is REQUESTED, where that is longer than such a phase takes.
fn late(pass: &Pass<'_>) -> Option<Timestamp> {
    let since = pass.sent_record?.at;
    (pass.now.duration_since(since) > pass.observed.margins.requested_max).then_some(since)
}

fn extending(pass: &Pass<'_>, status: &QosSessionStatus) -> Told {
    match pass.effect {
        Effect::Extended(_) => by_word(pass, status),
        Effect::NotExtended(fault) => match fault.class {
            // What only the extend was refused for is renewed by a release at the end; credentials would be refused there too.
            FaultClass::Refused(Refusal::Credentials | Refusal::Permission) => {
                Told::RenewalFailing(reason(fault), format!("renewal is due and {fault}"))
            }
            FaultClass::Refused(_) | FaultClass::NotSupported | FaultClass::Conflict | FaultClass::NotExpressible { .. } => {
                Told::Keep
            }
            _ => Told::RenewalFailing(reason(fault), format!("renewal is due and {fault}")),
        },
        _ => Told::Keep,
    }
}

/// Between two tries nothing is asked, so that nothing is new: what the provider's last answer told of a renewal stands.
fn still_failing(pass: &Pass<'_>, status: &QosSessionStatus) -> bool {
    let asked = pass.observed.look != Look::None || !matches!(pass.effect, Effect::None);
    let by_provider =
        matches!(deciding_reason(status), "ProviderUnreachable" | "ProviderError" | "QuotaExceeded" | "CredentialsRejected");
    let told = match ready_reason(status) {
        "RenewalFailing" => true,
        "CredentialsRejected" => pass.other_client,
        _ => false,
    };
    !asked && by_provider && told && kept(pass).is_none()
}

fn renewal_barred(pass: &Pass<'_>) -> Told {
    match (pass.observed.bar, pass.bar) {
        (Some(Bar::Namespace), _) => Told::NotRenewed,
        (_, Some(bar)) => Told::RenewalFailing(bar.reason, format!("renewal is due: {}", bar.message)),
        _ => Told::Keep,
    }
}

fn barred(pass: &Pass<'_>, status: &QosSessionStatus) -> Told {
    match pass.decision.barred {
        Some(Barred::Suspended) => Told::Suspended,
        Some(Barred::RunOver) => Told::Expired(run_seconds(pass)),
        Some(Barred::RecoveryEnded) if ready_reason(status) == Reason::Vanished.as_str() => Told::Vanished { again: false },
        Some(Barred::RecoveryEnded) => Told::NetworkTerminated { again: false },
        // The first attempt is under way.
        Some(Barred::By(Bar::ProviderUnmarked | Bar::ProviderUnchecked)) | None => Told::Keep,
        Some(Barred::By(_)) => pass.bar.map_or(Told::Keep, |bar| Told::Barred(bar.reason, bar.message.clone())),
    }
}

/// A create was sent, or would have been.
fn sent(pass: &Pass<'_>, status: &QosSessionStatus) -> Told {
    match pass.effect {
        Effect::Created { .. } => by_word(pass, status),
        Effect::NotCreated { fault: Some(fault), .. } if fault.class == FaultClass::Conflict => {
            match pass.sent_record.and_then(|record| record.earlier) {
                Some(earlier) if earlier > pass.now => Told::BusyWithLost(earlier),
                _ => Told::BusyElsewhere,
            }
        }
        Effect::NotCreated { fault: Some(fault), .. } | Effect::NotSent(fault) => Told::Barred(reason(fault), fault.to_string()),
        Effect::AdmissionDenied(message) => {
            Told::Barred(Reason::AdmissionDenied, format!("the API server refused the attempt record: {message}"))
        }
        _ => Told::Keep,
    }
}

/// The reason for a fault.
pub fn reason(fault: &Fault) -> Reason {
    match fault.class {
        FaultClass::NotExpressible { .. } => Reason::InvalidSpec,
        FaultClass::Refused(refusal) => match refusal {
            Refusal::Invalid => Reason::InvalidSpec,
            Refusal::Duration => Reason::DurationOutOfRange,
            Refusal::Profile => Reason::ProfileUnavailable,
            Refusal::Device => Reason::DeviceNotFound,
            Refusal::Identifier { .. } => Reason::IdentifierRejected,
            Refusal::Credentials | Refusal::Permission => Reason::CredentialsRejected,
            Refusal::Quota => Reason::QuotaExceeded,
            Refusal::Callback | Refusal::State => Reason::ProviderError,
            Refusal::Consent => Reason::ConsentDenied,
        },
        FaultClass::RateLimited => Reason::QuotaExceeded,
        FaultClass::ConsentPending => Reason::ConsentPending,
        FaultClass::Conflict => Reason::DeviceBusy,
        FaultClass::Unavailable => Reason::ProviderUnreachable,
        FaultClass::Gone
        | FaultClass::GatewayNotFound
        | FaultClass::NotSupported
        | FaultClass::Ambiguous
        | FaultClass::Unparseable => Reason::ProviderError,
    }
}
