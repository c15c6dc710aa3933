//! The core of the receiver of notifications: the wire vectors, and what the simulator sends.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod receiver;
mod sent;
mod stage;
mod vectors;

pub(crate) use vectors::run_notification_vector;
