//! Which of several replicas acts: the one that holds a Lease (`coordination.k8s.io/v1`) in the operator's namespace.
//!
//! Pure: [`pace`] (the times, and which of them are refused), [`record`] (what a Lease says, and what is written into it),
//! [`election`] (what to do next). [`campaign`] asks the API server and waits; it decides nothing.
//!
//! Safety does not rest on the election: two processes that act at once are held apart by `resourceVersion`, and the model check
//! knows two replicas. It rests on the [`Fence`] only in one place: that two *objects* do not open overlapping sessions, which the
//! claim table of one process sees to, and which a leader that was deposed without knowing it could break.

mod args;
pub mod campaign;
pub mod drain;
pub mod election;
pub mod fence;
pub mod pace;
pub mod record;

pub use args::LeaderArguments;
pub use campaign::{Campaign, Place, Settings};
pub use drain::{Drain, Mandate};
pub use election::{Leader, Loss};
pub use fence::Fence;
pub use pace::{Pace, PaceError};
