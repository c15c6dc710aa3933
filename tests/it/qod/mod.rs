//! The QoD client against real sockets: the wire vectors, and the rules of HTTP.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod bench;
mod call;
pub(crate) mod case;
mod h2_server;
pub(crate) mod log;
pub(crate) mod raw_server;
pub(crate) mod response;
mod tolerance;
mod transport;
mod vectors;
