//! Access tokens, against real sockets: the wire vectors, the times of a token's life, and TLS.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod ciba;
pub(crate) mod keys;
mod life;
mod proxy;
mod scene;
mod tls;
mod vectors;

pub(crate) use vectors::run_token_vector;
