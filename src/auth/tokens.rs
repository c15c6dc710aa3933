//! The tokens of one provider, as the rest of the operator sees them.

use std::fmt;
use std::sync::Arc;

use super::no_token::NoToken;
use super::oauth::OAuth;
use super::settings::{Settings, SettingsError};
use super::subject::Subject;
use crate::qod::{AccessToken, Legs, Operation};

/// The tokens of one provider and client. Clones share them. They are made anew when the Secret or the spec changes; what was asked
/// for on behalf of the old ones ends with their last clone.
#[derive(Clone)]
pub struct Tokens(Source);

#[derive(Clone)]
enum Source {
    Fixed(AccessToken),
    OAuth(Arc<OAuth>),
}

impl Tokens {
    /// One token that somebody put into a Secret, for everything.
    pub fn fixed(token: AccessToken) -> Self {
        Self(Source::Fixed(token))
    }

    /// Tokens by one of OAuth's grants. Nothing is sent before the first is needed.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self(Source::OAuth(Arc::new(OAuth::new(settings)?))))
    }

    /// Whether a token is for a device.
    pub fn legs(&self) -> Legs {
        match &self.0 {
            Source::Fixed(_) => Legs::Two,
            Source::OAuth(oauth) => oauth.legs(),
        }
    }

    /// The client's id at the provider; none for a token whose client nobody told the operator.
    pub fn client_id(&self) -> Option<&str> {
        match &self.0 {
            Source::Fixed(_) => None,
            Source::OAuth(oauth) => Some(oauth.client_id()),
        }
    }

    /// Whether [`Tokens::get`] wants to know the device.
    pub fn needs_subject(&self) -> bool {
        self.legs() == Legs::Three
    }

    /// The token for an operation and, with three legs, for a device. It waits for one answer of the provider at most; while a
    /// subscriber's consent is awaited it returns at once. Dropping the future drops no request that is under way.
    pub async fn get(&self, subject: Option<&Subject>, operation: Operation) -> Result<AccessToken, NoToken> {
        match &self.0 {
            Source::Fixed(token) => Ok(token.clone()),
            Source::OAuth(oauth) => oauth.get(subject, operation).await,
        }
    }

    /// The API refused this token with 401: it is forgotten, if it is still the one that is kept, and the next
    /// [`Tokens::get`] asks for a new one. A new one that is refused as well is followed by a pause, then a longer one. A token
    /// from a Secret stays: nobody but its owner can replace it.
    pub fn refused(&self, subject: Option<&Subject>, operation: Operation, token: &AccessToken) {
        match &self.0 {
            Source::Fixed(_) => {}
            Source::OAuth(oauth) => oauth.refused(subject, operation, token),
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("legs", &self.legs()).field("client_id", &self.client_id()).finish_non_exhaustive()
    }
}
