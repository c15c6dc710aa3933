//! The notifications that the provider sends: one attempt for each event, after its change took effect, and never again (no version
//! specifies a redelivery).
//!
//! [`shape`] says what a generation's notification looks like, [`plan`] which are sent and in which order; both are pure. [`sender`]
//! sends them.

mod plan;
mod sender;
pub mod settings;
mod shape;

pub use plan::Counts;
pub(super) use sender::{Events, run};
