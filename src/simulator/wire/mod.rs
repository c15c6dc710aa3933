//! The forms in which the API's generations speak. Each turns requests into an [`Order`](super::session::Order) and sessions into
//! answers; the state machine and the ledger behind them are the same for all.

mod schema;
pub(crate) mod v0_10;

/// Why a request is refused, before a generation gives it its status and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A body, path or value that the schema or a rule refuses.
    Invalid,
    /// A port, or a duration outside the profile's limits.
    OutOfRange,
    /// No token, or one that is not accepted.
    Unauthenticated,
    /// Another client's session.
    PermissionDenied,
    /// No such session or profile.
    NotFound,
    /// Another session is in the way.
    Conflict,
    /// Out of service.
    Unavailable,
}

/// A refused request. The message names fields, never their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Why.
    pub(crate) fault: Fault,
    /// The error body's `message`.
    pub(crate) message: String,
}

impl Problem {
    /// A problem of this kind.
    pub(crate) fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into() }
    }
}
