//! Fuzz targets of the receiver of notifications: its parsers, its judgement, and the server with a connection's bytes.
//!
//! Each target is one definition. `cargo test` feeds it the corpus in `__fuzz__` and random inputs for a moment, `make fuzz` feeds it
//! what libFuzzer makes of the corpus, led by the coverage. `docs/notifications.md` says more.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod corpus;
mod judged;
mod memory;
mod parsers;
mod router;

/// No input may make this process hold more memory: an allocation beyond it fails, and the run with it.
const MEMORY: usize = 512 << 20;

#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, MEMORY);

/// The attempt that the directory of all targets knows, and its bearer: those of the vectors.
const NONCE: &str = "4f0c2a9e6b7d4c1fa3e58d20b9c7e611";
const TOKEN: &str = "n3mZ0q2Jr8vK5tYx1LwB7dPfHs4GcUaE";

/// The statuses that `docs/notifications.md` names.
const STATUSES: [u16; 13] = [204, 400, 401, 405, 408, 410, 413, 414, 415, 429, 431, 503, 100];

/// Whether `bytes` hold the bearer, as they stand or percent-decoded: without it no event can be accepted, whatever else they hold.
fn holds_token(bytes: &[u8]) -> bool {
    let holds = |bytes: &[u8]| bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
    holds(bytes) || holds(&percent_decoded(bytes))
}

fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if let (b'%', Some(high), Some(low)) = (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            decoded.push(u8::try_from(high * 16 + low).unwrap());
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    decoded
}
