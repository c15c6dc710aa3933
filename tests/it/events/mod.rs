//! Notifications from a provider to a running operator, over real HTTP: what each costs, and what it changes.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod attack;
mod bench;
mod hints;
mod life;
mod recovery;
mod scene;
mod silence;
