//! What goes over the wire, one file per shape. Nothing here does I/O.
//!
//! A [`Shape`] is what requests and answers look like. A generation that is added gets a shape of its own, or shares one, and from
//! then on the compiler asks for it wherever it is needed. What shapes have in common is `body` (written) and `answer` (read). What
//! a provider does otherwise than its generation is a [`Flavour`], which comes from settings and never from a provider's name.

mod answer;
mod body;
mod lenient;
mod profiles;
mod v0_10;
mod v0_11;
mod v0_8;
mod v0_9;
mod v1_1;
mod v1_2;

use reqwest::Method;
use serde_json::{Value, json};

use super::fault::{Fault, Field};
use super::generation::Generation;
use super::profile::{ProfileFilter, QosProfile};
use super::session::{CreateSession, Device, SessionId, SessionInfo, SessionList};
use super::settings::CallbackField;
use crate::private::Private;

/// A list of this length may be cut off: 1.2 gives no more (`maxItems` of retrieveSessions), and earlier ones say nothing of it.
const FULL_LIST: usize = 100;

/// What requests and answers look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// That of 0.8: `ueId`, `asId`, `qos`, `id`, no `qosStatus`.
    V0_8,
    /// That of 0.9: `device`, `applicationServer`, `qosProfile`, `webhook`.
    V0_9,
    /// That of 0.10: extend, and a device that is no IPv6 prefix.
    V0_10,
    /// That of 0.11 and 1.0: `sink`, look-ups by POST, the device may be left out.
    V0_11,
    /// That of 1.1: a sink must be https.
    V1_1,
    /// That of 1.2: lists of addresses, no port 0.
    V1_2,
}

/// What a provider does otherwise than its generation, by settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flavour {
    /// How the notification target is said.
    pub callback_field: CallbackField,
    /// Exactly one port on each side and no ranges; with 0.8, a device by IPv4 must have one.
    pub single_port: bool,
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
    /// The shape that a generation has.
    pub const fn of(generation: Generation) -> Self {
        match generation {
            Generation::V0_8 => Self::V0_8,
            Generation::V0_9 => Self::V0_9,
            Generation::V0_10 => Self::V0_10,
            Generation::V0_11 | Generation::V1_0 => Self::V0_11,
            Generation::V1_1 => Self::V1_1,
            Generation::V1_2 => Self::V1_2,
        }
    }

    /// `POST /sessions`.
    pub fn create(self, request: &CreateSession, flavour: Flavour) -> Result<Request, Fault> {
        let body = match self {
            Self::V0_8 => v0_8::create(request, flavour)?,
            Self::V0_9 => v0_9::create(request, flavour)?,
            Self::V0_10 => v0_10::create(request, flavour)?,
            Self::V0_11 => v0_11::create(request, flavour)?,
            Self::V1_1 => v1_1::create(request, flavour)?,
            Self::V1_2 => v1_2::create(request, flavour)?,
        };
        Ok(Request::new(Method::POST, Api::Sessions, &["sessions"]).with_body(body))
    }

    /// `POST /sessions/{sessionId}/extend`, since 0.10.
    pub fn extend(self, id: &SessionId, additional_seconds: i64) -> Result<Request, Fault> {
        let body = match self {
            Self::V0_8 | Self::V0_9 => return Err(no_operation()),
            Self::V0_10 => v0_10::extend(additional_seconds)?,
            Self::V0_11 | Self::V1_1 | Self::V1_2 => v0_11::extend(additional_seconds)?,
        };
        Ok(Request::new(Method::POST, Api::Sessions, &["sessions", segment(id)?, "extend"]).with_body(body))
    }

    /// `POST /retrieve-sessions`, since 0.11. Without a device the token names it, and the body is `{}`.
    pub fn retrieve_sessions(self, device: Option<&Device>) -> Result<Request, Fault> {
        let body = body::lookup(self.lookup_rules()?, device)?;
        Ok(Request::new(Method::POST, Api::Sessions, &["retrieve-sessions"]).with_body(body.into()))
    }

    /// `POST /retrieve-qos-profiles`, since 0.11.
    pub fn retrieve_profiles(self, device: Option<&Device>, filter: &ProfileFilter) -> Result<Request, Fault> {
        let mut body = body::lookup(self.lookup_rules()?, device)?;
        body.extend(filter.name.as_ref().map(|name| ("name".to_owned(), json!(name))));
        body.extend(filter.status.as_ref().map(|status| ("status".to_owned(), json!(status.as_str()))));
        Ok(Request::new(Method::POST, Api::Profiles, &["retrieve-qos-profiles"]).with_body(body.into()))
    }

    /// The session in an answer; none where the body holds no session with an id.
    pub fn session(self, body: &[u8]) -> Option<SessionInfo> {
        self.one_session(serde_json::from_slice(body).ok()?)
    }

    /// The sessions in an answer; none where the body is no list.
    pub fn sessions(self, body: &[u8]) -> Option<SessionList> {
        let Value::Array(items) = serde_json::from_slice(body).ok()? else { return None };
        let length = items.len();
        let sessions: Vec<_> = items.into_iter().filter_map(|item| self.one_session(item)).collect();
        Some(SessionList { complete: sessions.len() == length && length < FULL_LIST, sessions })
    }

    fn one_session(self, value: Value) -> Option<SessionInfo> {
        match self {
            Self::V0_8 => v0_8::session(value),
            Self::V0_9 | Self::V0_10 | Self::V0_11 | Self::V1_1 | Self::V1_2 => answer::session(value),
        }
    }

    const fn lookup_rules(self) -> Result<&'static body::Rules, Fault> {
        match self {
            Self::V0_8 | Self::V0_9 | Self::V0_10 => Err(no_operation()),
            Self::V0_11 => Ok(&v0_11::RULES),
            Self::V1_1 => Ok(&v1_1::RULES),
            Self::V1_2 => Ok(&v1_2::RULES),
        }
    }
}

/// For an operation that the shape's generations do not have.
const fn no_operation() -> Fault {
    Fault::not_expressible(Field::Operation, "this version of the API does not have it")
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

/// `QosProfileName`: `^[a-zA-Z0-9_.-]+$`, 3 to 256 characters.
fn profile_name(name: &str) -> Result<(), Fault> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if !(3..=256).contains(&name.len()) || !name.bytes().all(allowed) {
        let why = "a profile's name is 3 to 256 letters, digits, dots, hyphens and underscores";
        return Err(Fault::not_expressible(Field::Profile, why));
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
    use crate::qod::session::ApplicationServer;

    /// A request that every generation can say.
    pub(super) fn request() -> CreateSession {
        CreateSession {
            device: Some(Device { phone_number: Some("+447700900123".into()), ..Device::default() }),
            application_server: ApplicationServer { ipv4_address: Some("198.51.100.10".into()), ..ApplicationServer::default() },
            device_ports: None,
            application_server_ports: None,
            qos_profile: "QOS_E".into(),
            duration_seconds: 3600,
            callback: None,
        }
    }

    #[test]
    fn a_list_that_may_be_cut_off_or_holds_what_cannot_be_read_proves_no_absence() {
        let list = |length: usize, rubbish: usize| {
            let good = (0..length).map(|number| json!({"sessionId": number.to_string()}));
            let body: Value = good.chain((0..rubbish).map(|_| json!({"qosStatus": "AVAILABLE"}))).collect();
            let list = Shape::V1_2.sessions(body.to_string().as_bytes()).unwrap();
            (list.sessions.len(), list.complete)
        };
        assert_eq!(list(0, 0), (0, true));
        assert_eq!(list(99, 0), (99, true));
        assert_eq!(list(100, 0), (100, false));
        assert_eq!(list(1, 1), (1, false));
        for body in [&b"{}"[..], b"null", b"", b"<html>"] {
            assert_eq!(Shape::V1_2.sessions(body), None);
        }
    }

    #[test]
    fn a_look_up_without_a_device_has_an_empty_object_as_body_and_no_older_shape_has_one() {
        let body = Shape::V0_11.retrieve_sessions(None).unwrap().body.unwrap();
        assert_eq!(body.expose(), &json!({}));
        for shape in [Shape::V0_8, Shape::V0_9, Shape::V0_10] {
            assert!(shape.retrieve_sessions(None).is_err());
            assert!(shape.retrieve_profiles(None, &ProfileFilter::default()).is_err());
        }
    }

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
