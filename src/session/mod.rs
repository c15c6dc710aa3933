//! The `QosSession` controller: parse, observe, decide, act, record.

pub mod bounds;
pub mod decide;
pub mod facts;
pub mod outcome;
pub mod protocol;
pub mod record;
pub mod rules;
