//! How a provider's access tokens are had: one that somebody put into a Secret, or OAuth's grants.
//!
//! - [`wire`] writes a request and reads an answer; it does no I/O.
//! - [`Tokens`] keeps the tokens: it asks once where many want the same one, renews ahead of the end, and leaves an endpoint alone
//!   that refuses or does not answer. A token for a device is never used for another one.
//! - `ciba` polls, at the server's pace, for a subscriber's consent.
//!
//! Sources: RFC 6749, RFC 7523, OpenID CIBA Core, and CAMARA's Security and Interoperability Profile.

mod cache;
mod ciba;
mod entry;
mod no_token;
mod oauth;
mod settings;
mod subject;
mod tokens;
mod transport;
mod trouble;
pub mod wire;

pub use no_token::{NoToken, Refusal};
pub use settings::{ClientAuthentication, Grant, PrivateKey, Settings, SettingsError, SigningAlgorithm};
pub use subject::Subject;
pub use tokens::Tokens;
