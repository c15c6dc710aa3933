//! The `QosSession` controller: parse, observe, decide, act, record.

pub mod bounds;
pub mod decide;
pub mod facts;
pub mod protocol;
pub mod rules;

#[cfg(test)]
mod model;
