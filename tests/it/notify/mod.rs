//! Notifications: the wire vectors through the core and over HTTP, what the simulator sends, and what strangers send.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod bounds;
mod documents;
mod hostile;
mod over_http;
mod receiver;
mod running;
mod sent;
mod stage;
mod vectors;
mod wire;

pub(crate) use vectors::run_notification_vector;
