//! The QoD client against real sockets: the wire vectors, and the rules of HTTP.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod bench;
mod call;
mod case;
mod h2_server;
mod log;
mod raw_server;
mod response;
mod tolerance;
mod transport;
mod vectors;
