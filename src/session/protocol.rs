//! What an act may do between its decision and its effect, and what it records after: the rules of the protocol that are not rows
//! of the table. Pure, so that the model check runs the very same code.

use k8s_openapi::jiff::Timestamp;

use super::bounds::seconds;
use super::facts::{AppliedHash, Attempt, Margins, Nonce, Past, Record};
use super::rules::{Rule, Rules};
use crate::clock::later;

/// A send that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// Fresh for each send.
    pub nonce: Nonce,
    /// Of the request.
    pub hash: AppliedHash,
    /// Seconds that are asked for.
    pub duration_seconds: i64,
    /// The longest life, in seconds, that the provider may grant to it.
    pub longest_grant: i64,
    /// By this, older sends of unknown outcome are dead.
    pub earlier: Option<Timestamp>,
}

/// The record of a send. Its times are fixed here: no later setting, and no shortened profile, moves them.
pub fn attempt(sending: &Sending, now: Timestamp, margins: &Margins, rules: Rules) -> Attempt {
    let Sending { nonce, hash, duration_seconds, longest_grant, earlier } = *sending;
    let way = later(later(now, margins.send_window), margins.late_effect);
    let lag = if rules.on(Rule::LagInSettle) { margins.list_lag } else { seconds(0) };
    let from = if rules.on(Rule::DeathCountsTheWay) { way } else { now };
    let requested = if rules.on(Rule::DeathCountsRequested) { margins.requested_max } else { seconds(0) };
    let life = if rules.on(Rule::DeathCountsLongestGrant) { longest_grant.max(duration_seconds) } else { duration_seconds };
    Attempt {
        nonce,
        at: now,
        lands_by: later(later(way, lag), margins.clock_skew),
        dead_by: later(later(later(from, requested), seconds(life)), margins.clock_skew),
        hash,
        duration_seconds,
        extends: false,
        earlier,
    }
}

/// The last check before the first byte of a create or an extend: since the record (for an extend, since the look that it rests
/// on) no more than the send window has passed. Nothing may be awaited between this and the first byte.
pub fn may_send(since: Timestamp, now: Timestamp, margins: &Margins, rules: Rules) -> bool {
    !rules.on(Rule::SendWindow) || (now >= since && now.duration_since(since) <= margins.send_window)
}

/// What to do with the id of a 201, given the object as it is now (read from the API server, not from a cache).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recording {
    /// Write it.
    Write,
    /// It is recorded already.
    Known,
    /// The object has moved on: DELETE that session at once.
    Superseded,
}

/// See [`Recording`]. `same_object`: the object is still there under the uid that the create was made for.
pub fn recording(same_object: bool, past: &Past, nonce: Nonce, rules: Rules) -> Recording {
    if !rules.on(Rule::LateAnswerIsChecked) {
        return if same_object { Recording::Write } else { Recording::Superseded };
    }
    let ours = matches!(past.record, Record::Of(attempt) if attempt.nonce == nonce);
    if !same_object || !ours {
        return if rules.on(Rule::SupersededIsReleased) { Recording::Superseded } else { Recording::Known };
    }
    match past.settled {
        Some(settled) if settled.nonce == nonce => Recording::Known,
        _ => Recording::Write,
    }
}
