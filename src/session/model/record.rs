//! What `act` and `record` write into the status: the fold of a step's outcome over the status before. One place, so that it can
//! be put in place of the real one, or the other way round.

use super::super::decide::{Decision, Ending, Row};
use super::super::facts::{Info, Outcome, Word};
use super::config::Config;
use super::state::{NO, NONE, Rec, Sight, Status};

/// A 201, or a session of the open attempt that was found: its id, and the request as it was sent.
pub(super) fn created(base: &Status, rec: &Rec, slot: u8, sight: Sight, config: &Config) -> Status {
    let run = if base.hash == rec.hash { base.run } else { NO };
    let status = Status { settled: Some((rec.nonce, Outcome::Created)), session: slot, hash: rec.hash, seen: sight, run };
    began(status, sight, config)
}

/// What the provider says of the recorded session.
pub(super) fn seen(base: &Status, sight: Sight, config: &Config) -> Status {
    began(Status { seen: sight, ..*base }, sight, config)
}

/// A run begins with its first AVAILABLE: at its start, or now, whichever is earlier.
fn began(status: Status, sight: Sight, config: &Config) -> Status {
    let begins = config.run.is_some() && status.run == NO && sight.word == Word::Available;
    Status { run: if begins { sight.started.min(0) } else { status.run }, ..status }
}

/// The recorded session is over.
pub(super) fn released(base: &Status, ending: Ending) -> Status {
    let expired = base.seen.expires <= 0;
    let info = match ending {
        _ if base.seen.word == Word::Unavailable => base.seen.info,
        Ending::Deleted => Info::DeleteRequested,
        Ending::GoneAtDelete if !expired => Info::DeleteRequested,
        Ending::Vanished if !expired => Info::NotSaid,
        Ending::GoneAtDelete | Ending::Vanished | Ending::ByTime => Info::DurationExpired,
    };
    Status { session: NONE, seen: Sight { word: Word::Unavailable, info, ..Sight::NOTHING }, ..*base }
}

/// The outcome of a send that made nothing.
pub(super) fn settled(base: &Status, nonce: u8, outcome: Outcome) -> Status {
    Status { settled: Some((nonce, outcome)), ..*base }
}

/// The session that an event named is over already.
pub(super) fn over(base: &Status, rec: &Rec) -> Status {
    released(&settled(base, rec.nonce, Outcome::Created), Ending::Vanished)
}

/// The provider does not answer, and the time that it named has passed: that time was its own word.
pub(super) fn untold(base: &Status, decision: &Decision) -> Option<Status> {
    let ran_out = decision.row == Row::R6 && base.seen.expires <= 0 && base.seen.word != Word::Unavailable;
    ran_out.then(|| Status { seen: Sight { word: Word::Unavailable, info: Info::DurationExpired, ..base.seen }, ..*base })
}
