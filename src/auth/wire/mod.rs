//! The wire of a token endpoint, without I/O: requests as they are sent, and what answers mean.

mod assertion;
mod request;
mod response;

pub use request::Request;
pub(super) use request::{Client, Unsigned};
pub use response::{Asked, Authorised, Granted, TokenFault, TokenFaultClass, authorised, next_interval, token};
