//! From what was found out about a provider to its conditions: `api.md`'s table, pure.

use crate::api::Reason;

/// Whether a provider can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot.
    NotReady {
        /// Why, as in the condition Ready of the `QosProvider`.
        reason: Reason,
        /// Why in words, as there.
        message: String,
    },
}
