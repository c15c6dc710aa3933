//! What goes over the wire, one file per shape. Nothing here does I/O.
//!
//! A [`Shape`] is what requests and answers look like. A generation that is added gets a shape of its own, or shares one, and from
//! then on the compiler asks for it wherever it is needed.

pub(crate) mod lenient;
mod profiles;
mod v0_10;

use reqwest::Method;
use serde_json::Value;

use super::fault::{Fault, Field};
use super::generation::Generation;
use super::profile::{ProfileFilter, QosProfile};
use super::session::{CreateSession, SessionId, SessionInfo};
use crate::private::Private;

/// What requests and answers look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// That of 0.10.
    V0_10,
}

/// Which of a provider's APIs a request goes to; up to 0.10 both have one base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Quality on demand.
    Sessions,
    /// QoS profiles.
    Profiles,
}

/// A request that is not yet sent, less what all requests have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Whose base URL the path is appended to.
    pub api: Api,
    /// The path's segments, not yet escaped.
    pub path: Vec<String>,
    /// The query's pairs, not yet escaped.
    pub query: Vec<(&'static str, String)>,
    /// The body; it holds the device and the notification secret.
    pub body: Option<Private<Value>>,
}

impl Shape {
    /// The shape that a generation has; none where this client does not speak it.
    pub const fn of(generation: Generation) -> Option<Self> {
        match generation {
            Generation::V0_10 => Some(Self::V0_10),
            Generation::V0_8 | Generation::V0_9 | Generation::V0_11 | Generation::V1_0 | Generation::V1_1 | Generation::V1_2 => {
                None
            }
        }
    }

    /// `POST /sessions`.
    pub fn create(self, request: &CreateSession) -> Result<Request, Fault> {
        let body = match self {
            Self::V0_10 => v0_10::create(request)?,
        };
        Ok(Request::new(Method::POST, Api::Sessions, &["sessions"]).with_body(body))
    }

    /// `POST /sessions/{sessionId}/extend`.
    pub fn extend(self, id: &SessionId, additional_seconds: i64) -> Result<Request, Fault> {
        let body = match self {
            Self::V0_10 => v0_10::extend(additional_seconds)?,
        };
        Ok(Request::new(Method::POST, Api::Sessions, &["sessions", segment(id)?, "extend"]).with_body(body))
    }

    /// The session in an answer; none where the body holds no session with an id.
    pub fn session(self, body: &[u8]) -> Option<SessionInfo> {
        match self {
            Self::V0_10 => v0_10::session(body),
        }
    }
}

/// `GET /sessions/{sessionId}`, alike in all generations.
pub fn get(id: &SessionId) -> Result<Request, Fault> {
    Ok(Request::new(Method::GET, Api::Sessions, &["sessions", segment(id)?]))
}

/// `DELETE /sessions/{sessionId}`, alike in all generations.
pub fn delete(id: &SessionId) -> Result<Request, Fault> {
    Ok(Request::new(Method::DELETE, Api::Sessions, &["sessions", segment(id)?]))
}

/// `GET /qos-profiles`, of 0.9 and 0.10.
pub fn list_profiles(filter: &ProfileFilter) -> Request {
    let mut request = Request::new(Method::GET, Api::Profiles, &["qos-profiles"]);
    request.query.extend(filter.name.clone().map(|name| ("name", name)));
    request.query.extend(filter.status.as_ref().map(|status| ("status", status.as_str().to_owned())));
    request
}

/// `GET /qos-profiles/{name}`, alike since 0.9.
pub fn get_profile(name: &str) -> Result<Request, Fault> {
    profile_name(name)?;
    if matches!(name, "." | "..") {
        return Err(Fault::not_expressible(Field::Profile, "a path cannot hold this name"));
    }
    Ok(Request::new(Method::GET, Api::Profiles, &["qos-profiles", name]))
}

/// The profile in an answer, of any generation.
pub fn profile(body: &[u8]) -> Option<QosProfile> {
    profiles::one(&serde_json::from_slice(body).ok()?)
}

/// The profiles in an answer, of any generation; none where the body is no list, or holds something that is no profile.
pub fn profiles(body: &[u8]) -> Option<Vec<QosProfile>> {
    serde_json::from_slice::<Value>(body).ok()?.as_array()?.iter().map(profiles::one).collect()
}

/// `QosProfileName`: `^[a-zA-Z0-9_.-]+$`; its length (3 to 256) is left to the provider.
fn profile_name(name: &str) -> Result<(), Fault> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-');
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(Fault::not_expressible(Field::Profile, "letters, digits, dot, hyphen and underscore"));
    }
    Ok(())
}

/// The id as one segment of a path. The dot segments cannot be escaped: a URL library takes them, in whatever spelling, as steps,
/// and a DELETE would go to another resource.
fn segment(id: &SessionId) -> Result<&str, Fault> {
    match id.as_str() {
        "" | "." | ".." => Err(Fault::not_expressible(Field::Session, "a path cannot hold this identifier")),
        id => Ok(id),
    }
}

impl Request {
    fn new(method: Method, api: Api, path: &[&str]) -> Self {
        Self { method, api, path: path.iter().map(|segment| (*segment).to_owned()).collect(), query: Vec::new(), body: None }
    }

    fn with_body(mut self, body: Value) -> Self {
        self.body = Some(Private::new(body));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qod::fault::FaultClass;

    #[test]
    fn an_identifier_that_would_walk_up_the_path_is_not_sent() {
        for id in ["", ".", ".."] {
            let fault = delete(&SessionId::new(id)).unwrap_err();
            assert!(matches!(fault.class, FaultClass::NotExpressible { field: Field::Session, .. }), "{id}");
        }
    }

    #[test]
    fn a_request_prints_neither_device_nor_secret() {
        let request =
            Request::new(Method::POST, Api::Sessions, &["sessions"]).with_body(serde_json::json!({"a": "+447700900123"}));
        assert!(!format!("{request:?}").contains("447700900123"));
    }
}
