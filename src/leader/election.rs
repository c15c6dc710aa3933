//! What to do next about the Lease. Pure: times come in, a step goes out; nothing is asked and nothing is waited for here.
//!
//! A candidate never compares clocks with the holder. It takes the lease when the record has stayed the same for the record's own
//! duration on the candidate's monotonic clock, counted from the moment at which it *had* the answer; the holder counts from the
//! moment at which it *sent* its renewal. Each write carries the `resourceVersion` of what was read, so a record that has changed
//! meanwhile is a conflict.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

use super::pace::Pace;
use super::record::Record;

/// The holder of a term of the lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leader {
    /// `holderIdentity`.
    pub identity: String,
    /// `acquireTime`: the same holder may have several terms.
    pub acquired: Option<Timestamp>,
    /// Where it takes notifications that came to another replica.
    pub address: Option<String>,
}

/// Why a holder holds the lease no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// It could not be renewed in time.
    #[error("the lease could not be renewed within --lease-renew-deadline")]
    Deadline,
    /// Somebody else holds it.
    #[error("the lease is held by {0}")]
    Taken(String),
    /// It was given back or deleted by somebody else.
    #[error("the lease was taken off this process")]
    Cleared,
    /// Another process has the same name.
    #[error("another process holds the lease under the same name: --pod-name must be another one for each replica")]
    SameName,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the Lease.
    Look,
    /// Write that this process has it.
    Take,
    /// Write that it still has it.
    Renew,
    /// Nothing before this time.
    Rest(Instant),
    /// It is over.
    Lost(Loss),
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is written.
    Done,
    /// Somebody else wrote since the Lease was read.
    Conflict,
    /// Refused or unanswered: it may have been written.
    Failed,
}

/// One process in the election.
#[derive(Debug)]
pub struct Election {
    identity: String,
    pace: Pace,
    role: Role,
}

#[derive(Debug)]
enum Role {
    Candidate {
        seen: Option<Seen>,
        /// What it saw may be taken.
        free: bool,
        /// Nothing before this.
        next: Instant,
    },
    Holder {
        acquired: Option<Timestamp>,
        /// When the last renewal was sent.
        renewed: Instant,
        /// Somebody else has written since the Lease was read.
        stale: bool,
        /// Nothing before this.
        next: Instant,
    },
    Lost(Loss),
}

/// What a candidate has last seen, and since when it has been so.
#[derive(Debug)]
struct Seen {
    record: Option<Record>,
    since: Instant,
    /// How long it must stay so.
    wait: Duration,
}

impl Election {
    /// A candidate that has seen nothing yet.
    pub fn new(identity: &str, pace: Pace, now: Instant) -> Self {
        Self { identity: identity.to_owned(), pace, role: Role::Candidate { seen: None, free: false, next: now } }
    }

    /// What to do at `now`.
    pub fn step(&self, now: Instant) -> Step {
        match &self.role {
            Role::Lost(loss) => Step::Lost(loss.clone()),
            Role::Holder { renewed, .. } if now >= *renewed + self.pace.renew_deadline => Step::Lost(Loss::Deadline),
            Role::Holder { renewed, next, .. } if now < *next => Step::Rest((*next).min(*renewed + self.pace.renew_deadline)),
            Role::Candidate { next, .. } if now < *next => Step::Rest(*next),
            Role::Holder { stale: false, .. } => Step::Renew,
            Role::Candidate { free: true, .. } => Step::Take,
            Role::Holder { .. } | Role::Candidate { .. } => Step::Look,
        }
    }

    /// The Lease was read (none: it is not there), and the answer is there at `now`.
    pub fn looked(&mut self, record: Option<&Record>, now: Instant, jitter: f64) {
        let mine = record.is_some_and(|record| record.holder.as_deref() == Some(self.identity.as_str()));
        match &mut self.role {
            Role::Candidate { seen, free, next } => {
                let seen = observe(seen, record, now, self.pace.lease_duration);
                // A record of this name is a former life of this process: a Pod has one process at a time.
                *free = mine || now.duration_since(seen.since) >= seen.wait;
                *next = if *free { now } else { now + self.pace.look(jitter) };
            }
            Role::Holder { acquired, stale, next, .. } => {
                let loss = match record {
                    Some(record) if mine && record.acquired == *acquired => {
                        (*stale, *next) = (false, now);
                        return;
                    }
                    Some(_) if mine => Loss::SameName,
                    Some(Record { holder: Some(holder), .. }) => Loss::Taken(holder.clone()),
                    _ => Loss::Cleared,
                };
                self.role = Role::Lost(loss);
            }
            Role::Lost(_) => {}
        }
    }

    /// The Lease could not be read: it was asked for at `sent`, and that is known at `now`.
    pub fn not_looked(&mut self, sent: Instant, now: Instant, jitter: f64) {
        match &mut self.role {
            Role::Candidate { next, .. } => *next = later(sent, now, self.pace.look(jitter)),
            Role::Holder { next, .. } => *next = later(sent, now, self.pace.pause(jitter)),
            Role::Lost(_) => {}
        }
    }

    /// A write of `record` that was sent at `sent` came to `written`, as is known at `now`.
    pub fn wrote(&mut self, record: &Record, written: Written, sent: Instant, now: Instant, jitter: f64) {
        match (written, &mut self.role) {
            (_, Role::Lost(_)) => {}
            (Written::Done, _) => {
                let next = sent + self.pace.renewal(jitter);
                self.role = Role::Holder { acquired: record.acquired, renewed: sent, stale: false, next };
            }
            (Written::Conflict, Role::Holder { stale, next, .. }) => (*stale, *next) = (true, now),
            // The holder tries the same again; if it was written after all, that is a conflict, and a look tells.
            (Written::Failed, Role::Holder { next, .. }) => *next = later(sent, now, self.pace.pause(jitter)),
            (Written::Conflict, Role::Candidate { free, next, .. }) => (*free, *next) = (false, now),
            (Written::Failed, Role::Candidate { free, next, .. }) => {
                (*free, *next) = (false, later(sent, now, self.pace.look(jitter)));
            }
        }
    }

    /// How long a call that is sent at `now` is waited for.
    pub fn patience(&self, now: Instant) -> Duration {
        let limit = self.pace.try_limit();
        match &self.role {
            Role::Holder { renewed, .. } => limit.min((*renewed + self.pace.renew_deadline).duration_since(now)),
            _ => limit,
        }
    }

    /// Until when the lease is held, as far as its last renewal says; none: it is not.
    pub fn held_until(&self) -> Option<Instant> {
        match &self.role {
            Role::Holder { renewed, .. } => Some(*renewed + self.pace.lease_duration),
            _ => None,
        }
    }
}

/// A pause counts from when the call was sent: one that timed out is followed by the next at once.
fn later(sent: Instant, now: Instant, pause: Duration) -> Instant {
    now.max(sent + pause)
}

/// Notes what was read, and says since when it has been so.
fn observe<'a>(seen: &'a mut Option<Seen>, record: Option<&Record>, now: Instant, otherwise: Duration) -> &'a Seen {
    let same = seen.as_ref().is_some_and(|before| before.record.as_ref() == record);
    let wait = match record {
        Some(record) if record.holder.is_some() => record.duration.unwrap_or(otherwise),
        Some(_) => Duration::ZERO,
        // Deleted while somebody held it: that one may still act for as long as the record said.
        None => seen.as_ref().map_or(Duration::ZERO, |before| before.wait),
    };
    let since = match seen {
        Some(before) if same => before.since,
        _ => now,
    };
    seen.insert(Seen { record: record.cloned(), since, wait })
}

#[cfg(test)]
mod tests;
