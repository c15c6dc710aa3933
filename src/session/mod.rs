//! The `QosSession` controller: parse, observe, decide, act, record.

pub mod backoff;
pub mod bounds;
pub mod claims;
pub mod decide;
pub mod desired;
pub mod facts;
pub mod flow;
pub mod key;
pub mod outcome;
pub mod past;
pub mod protocol;
pub mod record;
pub mod rules;
pub mod timers;
pub mod turns;
