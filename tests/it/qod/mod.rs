//! The QoD client against real sockets: the wire vectors, and the rules of HTTP.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod bench;
mod call;
mod case;
mod log;
mod raw_server;
mod response;
mod transport;
mod vectors;
