//! What `act` and `record` write into the status: the fold of a step's outcome over the status before. One place, so that it can
//! be put in place of the real one, or the other way round.

use super::super::decide::Ending;
use super::super::facts::{Info, Outcome, Word};
use super::config::Config;
use super::state::{NO, NONE, Rec, Sight, Status};

/// A 201, or a session of the open attempt that was found: its id, and the request as it was sent.
pub(super) fn created(base: &Status, rec: &Rec, slot: u8, sight: Sight, config: &Config) -> Status {
    let run = if base.hash == rec.hash { base.run } else { NO };
    let status = Status {
        settled: Some((rec.nonce, Outcome::Created)),
        session: slot,
        hash: rec.hash,
        seen: Sight { started: NO, ..sight },
        run,
    };
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
        _ if base.seen.word == Word::Unavailable && base.seen.info != Info::NotSaid => base.seen.info,
        Ending::ByTime => Info::DurationExpired,
        Ending::GoneAtDelete | Ending::Vanished if expired => Info::DurationExpired,
        Ending::Deleted | Ending::GoneAtDelete => Info::DeleteRequested,
        Ending::Vanished => Info::NotSaid,
    };
    Status { session: NONE, seen: Sight { info, ..Sight::NOTHING }, ..*base }
}

/// The outcome of a send that made nothing.
pub(super) fn settled(base: &Status, nonce: u8, outcome: Outcome) -> Status {
    Status { settled: Some((nonce, outcome)), ..*base }
}

/// The session that an event named is over already.
pub(super) fn over(base: &Status, rec: &Rec) -> Status {
    Status {
        settled: Some((rec.nonce, Outcome::Created)),
        session: NONE,
        hash: rec.hash,
        seen: Sight { info: Info::DurationExpired, ..Sight::NOTHING },
        run: if base.hash == rec.hash { base.run } else { NO },
    }
}
