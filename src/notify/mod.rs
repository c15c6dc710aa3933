//! CAMARA's notifications. The core is pure: from a request and what is known of its target to the answer. It reads no socket, no
//! clock and no store, so that the HTTP server around it, [`receiver`], has nothing left to decide about events.
//!
//! - [`Target`] reads the path, [`judge`] the rest of a [`Request`] (in two steps, [`admit`] and [`Admitted::read`], for who has not
//!   read the body yet); both take every generation's form (providers differ from their own documents, so the body's form decides,
//!   not the generation that was configured).
//! - [`Seen`] says whether an event says anything new.
//! - [`Directory`] is what the server asks about targets, and where it leaves the events.
//!
//! An event is a hint. It may be lost, late, doubled or out of order, in no version is it sent again, and who sends it is known by a
//! bearer only. So it makes somebody ask the provider, and is never taken for the answer.

mod args;
mod bearer;
mod event;
pub mod front;
pub mod receiver;
mod seen;
mod target;
mod verdict;

pub use args::NotifyArguments;
pub use event::{Event, NoEvent};
pub use seen::{Effect, Seen};
pub use target::Target;
pub use verdict::{Admitted, Attempt, Class, Refusal, Request, Standing, Verdict, admit, judge};

/// What the receiver must know of the attempts, and where their events go.
pub trait Directory: Send + Sync + 'static {
    /// What is known of the attempt that a path names; none: nobody knows it. It answers from memory, and costs the same whether
    /// the attempt is known or not.
    fn attempt(&self, target: &Target) -> Option<Attempt>;

    /// Takes an event that came with the right bearer: [`Class::Accepted`] or [`Class::Ignored`], nothing else. It returns at once:
    /// the sender's answer waits for it.
    fn deliver(&self, target: &Target, class: &Class);
}
