//! Client and simulator, held to the official OpenAPI documents (see docs/contract.md).

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod check;
mod client;
mod divergence;
mod document;
mod events;
mod inputs;
mod proxy;
mod schema;
mod schema_tests;
mod script;
mod simulator;
mod specs;
mod tally;
mod together;
mod words;
