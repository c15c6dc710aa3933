//! What the receiver counts. Every name is one of a fixed few: nothing that a request says becomes one.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::verdict::Class;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// See [`Class::Accepted`].
    Accepted,
    /// See [`Class::Ignored`].
    Ignored,
    /// See [`Class::Malformed`].
    Malformed,
    /// See [`Class::WrongType`].
    WrongType,
    /// See [`Class::Unauthorized`].
    Unauthorized,
    /// See [`Class::Gone`].
    Gone,
    /// See [`Class::MethodNotAllowed`].
    MethodNotAllowed,
    /// See [`Class::TooLarge`].
    TooLarge,
    /// See [`Class::UnsupportedMediaType`].
    UnsupportedMediaType,
    /// Its source has sent too many without the right bearer.
    StrangerLimited,
    /// Its source has sent too many with the right bearer.
    SenderLimited,
    /// The right bearer, and too many bodies were being read.
    Overloaded,
    /// The right bearer, and the body did not come in time.
    BodyTimeout,
    /// The right bearer, and the body broke off.
    BodyCut,
}

impl Outcome {
    /// All, in the order of their places.
    const ALL: [Self; 14] = [
        Self::Accepted,
        Self::Ignored,
        Self::Malformed,
        Self::WrongType,
        Self::Unauthorized,
        Self::Gone,
        Self::MethodNotAllowed,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::StrangerLimited,
        Self::SenderLimited,
        Self::Overloaded,
        Self::BodyTimeout,
        Self::BodyCut,
    ];

    /// The HTTP status that tells it.
    pub const fn status(self) -> u16 {
        match self {
            Self::Accepted | Self::Ignored => 204,
            Self::Malformed | Self::WrongType | Self::BodyCut => 400,
            Self::Unauthorized => 401,
            Self::MethodNotAllowed => 405,
            Self::BodyTimeout => 408,
            Self::Gone => 410,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::StrangerLimited | Self::SenderLimited => 429,
            Self::Overloaded => 503,
        }
    }

    /// Its name, for a metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Ignored => "Ignored",
            Self::Malformed => "Malformed",
            Self::WrongType => "WrongType",
            Self::Unauthorized => "Unauthorized",
            Self::Gone => "Gone",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::TooLarge => "TooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::StrangerLimited => "StrangerLimited",
            Self::SenderLimited => "SenderLimited",
            Self::Overloaded => "Overloaded",
            Self::BodyTimeout => "BodyTimeout",
            Self::BodyCut => "BodyCut",
        }
    }
}

impl From<&Class> for Outcome {
    fn from(class: &Class) -> Self {
        match class {
            Class::Accepted { .. } => Self::Accepted,
            Class::Ignored { .. } => Self::Ignored,
            Class::Malformed => Self::Malformed,
            Class::WrongType => Self::WrongType,
            Class::Unauthorized => Self::Unauthorized,
            Class::Gone => Self::Gone,
            Class::MethodNotAllowed => Self::MethodNotAllowed,
            Class::TooLarge => Self::TooLarge,
            Class::UnsupportedMediaType => Self::UnsupportedMediaType,
        }
    }
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It was taken.
    Accepted,
    /// It was closed at once: every place was held by one that is being served.
    Refused,
    /// It was closed to make room for another one.
    Evicted,
    /// Its TLS handshake failed.
    HandshakeFailed,
    /// Its TLS handshake took too long.
    HandshakeTimeout,
    /// The head of a request took too long.
    HeadTimeout,
    /// A request took too long.
    RequestTimeout,
    /// No further request came.
    IdleTimeout,
    /// What came was no HTTP, or too long a head.
    NotHttp,
}

impl Connection {
    const ALL: [Self; 9] = [
        Self::Accepted,
        Self::Refused,
        Self::Evicted,
        Self::HandshakeFailed,
        Self::HandshakeTimeout,
        Self::HeadTimeout,
        Self::RequestTimeout,
        Self::IdleTimeout,
        Self::NotHttp,
    ];

    /// Its name, for a metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Refused => "Refused",
            Self::Evicted => "Evicted",
            Self::HandshakeFailed => "HandshakeFailed",
            Self::HandshakeTimeout => "HandshakeTimeout",
            Self::HeadTimeout => "HeadTimeout",
            Self::RequestTimeout => "RequestTimeout",
            Self::IdleTimeout => "IdleTimeout",
            Self::NotHttp => "NotHttp",
        }
    }
}

/// What became of a look at the certificate's files that had changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The new certificate is in use.
    Done,
    /// It cannot be used; the old one still is.
    Failed,
}

impl Reload {
    const ALL: [Self; 2] = [Self::Done, Self::Failed];

    /// Its name, for a metric's label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Failed => "Failed",
        }
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    requests: [AtomicU64; Outcome::ALL.len()],
    connections: [AtomicU64; Connection::ALL.len()],
    reloads: [AtomicU64; Reload::ALL.len()],
    open: AtomicU64,
}

impl Counters {
    /// How many requests became what.
    pub fn requests(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        Outcome::ALL.into_iter().map(|outcome| (outcome, self.of(outcome)))
    }

    /// How many requests became `outcome`.
    pub fn of(&self, outcome: Outcome) -> u64 {
        read(&self.requests[outcome as usize])
    }

    /// What happened to connections, and how often.
    pub fn connections(&self) -> impl Iterator<Item = (Connection, u64)> + '_ {
        Connection::ALL.into_iter().map(|event| (event, self.connection(event)))
    }

    /// How often `event` happened to a connection.
    pub fn connection(&self, event: Connection) -> u64 {
        read(&self.connections[event as usize])
    }

    /// How many connections are open now.
    pub fn open(&self) -> u64 {
        read(&self.open)
    }

    /// How many changes of the certificate's files were taken over, and how many could not be.
    pub fn reloads(&self) -> impl Iterator<Item = (Reload, u64)> + '_ {
        Reload::ALL.into_iter().map(|reload| (reload, self.reload(reload)))
    }

    /// How many changes of the certificate's files ended in `reload`.
    pub fn reload(&self, reload: Reload) -> u64 {
        read(&self.reloads[reload as usize])
    }

    pub(super) fn answered(&self, outcome: Outcome) {
        add(&self.requests[outcome as usize]);
    }

    pub(super) fn met(&self, event: Connection) {
        add(&self.connections[event as usize]);
    }

    pub(super) fn reloaded(&self, reload: Reload) {
        add(&self.reloads[reload as usize]);
    }

    /// A connection is open, until the guard is dropped.
    pub(super) fn opened(&self) -> Open<'_> {
        add(&self.open);
        Open(&self.open)
    }
}

/// While it lives, one more connection is open.
pub(super) struct Open<'a>(&'a AtomicU64);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_a_place_and_a_name_of_its_own() {
        let counters = Counters::default();
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
        for (place, event) in Connection::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, place);
        }
        let names: std::collections::BTreeSet<_> = counters.requests().map(|(outcome, _)| outcome.name()).collect();
        assert_eq!(names.len(), 14);
        let names: std::collections::BTreeSet<_> = counters.connections().map(|(event, _)| event.name()).collect();
        assert_eq!(names.len(), 9);
        counters.answered(Outcome::Gone);
        counters.met(Connection::Evicted);
        counters.reloaded(Reload::Failed);
        assert_eq!(counters.requests().filter(|(_, count)| *count > 0).collect::<Vec<_>>(), [(Outcome::Gone, 1)]);
        assert_eq!(counters.connections().filter(|(_, count)| *count > 0).collect::<Vec<_>>(), [(Connection::Evicted, 1)]);
        assert_eq!(counters.reloads().collect::<Vec<_>>(), [(Reload::Done, 0), (Reload::Failed, 1)]);
    }
}
