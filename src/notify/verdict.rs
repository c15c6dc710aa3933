//! What to answer to a notification.

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};

use super::bearer;
use super::event::{Event, NoEvent};
use crate::private::Private;
use crate::qod::{Generation, SessionId};

/// A request to the receiver, its body as far as it was read.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The query as it stands in the URL, without the `?`.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body. A reader stops one byte beyond the limit: what is longer than the limit is too large.
    pub body: &'a [u8],
}

/// What is known of the attempt that a request's path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The generation of the API that it was made with.
    pub generation: Generation,
    /// The bearer that the provider was given; none where none was given, and then none is asked for.
    pub token: Option<Private<String>>,
    /// Whether an event of it can still matter.
    pub standing: Standing,
}

/// Whether an event of an attempt can still matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is its object's latest attempt.
    Current {
        /// The session that came of it; none where that is not known, and then an event says it.
        session_id: Option<SessionId>,
    },
    /// Its object is known, and this is not the attempt that the receiver knows of it: an older one, or one too young for its cache.
    /// It is accepted, since an answer 410 would end all events of the session.
    Other,
    /// Its object is gone: no event is wanted any more.
    Gone,
}

/// What to answer, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The HTTP status. The answer has no body, whatever the status.
    pub status: u16,
    /// Why.
    pub class: Class,
}

/// What a request to the receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// An event of the attempt's own session: ask the provider.
    Accepted {
        /// The event.
        event: Event,
        /// The session of this attempt was not known before: it is the event's.
        binds: bool,
    },
    /// An event with the right bearer for another session than the attempt's, or for another attempt of the object. It settles
    /// nothing; at most it is worth a look.
    Ignored {
        /// The event.
        event: Event,
    },
    /// The body is no event.
    Malformed,
    /// The event is none of a QoD session's.
    WrongType,
    /// Without the bearer that was given.
    Unauthorized,
    /// Nobody knows the target, or its object is gone.
    Gone,
    /// Not a POST.
    MethodNotAllowed,
    /// The body is longer than the limit.
    TooLarge,
    /// Not one of the two content types; a batch of CloudEvents, for one.
    UnsupportedMediaType,
}

impl Class {
    /// The status that tells the sender. 204 is the only one that every generation expects; 410 (since 0.11) asks it to stop.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Accepted { .. } | Self::Ignored { .. } => 204,
            Self::Malformed | Self::WrongType => 400,
            Self::Unauthorized => 401,
            Self::MethodNotAllowed => 405,
            Self::Gone => 410,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
        }
    }

    /// The class's name, for a metric's label.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "Accepted",
            Self::Ignored { .. } => "Ignored",
            Self::Malformed => "Malformed",
            Self::WrongType => "WrongType",
            Self::Unauthorized => "Unauthorized",
            Self::Gone => "Gone",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::TooLarge => "TooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
        }
    }
}

impl From<Class> for Verdict {
    fn from(class: Class) -> Self {
        Self { status: class.status(), class }
    }
}

/// What to answer to `request`, whose path names `attempt` (none: nobody knows it). A body longer than `limit` bytes is too large.
///
/// A stranger learns nothing: whatever the body is, it is neither measured nor parsed without the right bearer, and the work is the
/// same for a target that nobody knows.
pub fn judge(request: &Request<'_>, attempt: Option<&Attempt>, limit: usize) -> Verdict {
    match admit(request.method, request.query, request.headers, attempt, limit) {
        Ok(admitted) => admitted.read(request.body),
        Err(refusal) => refusal.into(),
    }
    .into()
}

/// What a request may be refused for by its head alone; each is the [`Class`] of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a POST.
    MethodNotAllowed,
    /// Without the bearer that was given.
    Unauthorized,
    /// Nobody knows the target, or its object is gone.
    Gone,
    /// The right bearer, and a body that is said to be longer than the limit.
    TooLarge,
    /// The right bearer, and not one of the two content types.
    UnsupportedMediaType,
}

impl From<Refusal> for Class {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::MethodNotAllowed => Self::MethodNotAllowed,
            Refusal::Unauthorized => Self::Unauthorized,
            Refusal::Gone => Self::Gone,
            Refusal::TooLarge => Self::TooLarge,
            Refusal::UnsupportedMediaType => Self::UnsupportedMediaType,
        }
    }
}

/// A request whose head is right: its body is to be read. Nothing else makes one, so a body that nobody vouched for is not read.
#[derive(Clone, Copy, Debug)]
pub struct Admitted<'a> {
    standing: &'a Standing,
    limit: usize,
}

/// What the head alone tells: that the body is worth reading, or why it is refused. The same as [`judge`], before there is a body.
pub fn admit<'a>(
    method: &Method,
    query: Option<&str>,
    headers: &HeaderMap,
    attempt: Option<&'a Attempt>,
    limit: usize,
) -> Result<Admitted<'a>, Refusal> {
    if method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    let token = attempt.and_then(|attempt| attempt.token.as_ref());
    let in_query = attempt.is_none_or(|attempt| attempt.generation == Generation::V0_8);
    let carried = bearer::carried(query, headers, token.map(|token| token.expose().as_str()), in_query);
    let standing = match attempt {
        Some(attempt) if attempt.token.is_some() && !carried => return Err(Refusal::Unauthorized),
        None | Some(Attempt { standing: Standing::Gone, .. }) => return Err(Refusal::Gone),
        Some(attempt) => &attempt.standing,
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        return Err(Refusal::TooLarge);
    }
    if is_readable(headers) { Ok(Admitted { standing, limit }) } else { Err(Refusal::UnsupportedMediaType) }
}

impl Admitted<'_> {
    /// What the request with this body is. A reader stops one byte beyond the limit: what is longer than the limit is too large.
    pub fn read(&self, body: &[u8]) -> Class {
        if body.len() > self.limit {
            return Class::TooLarge;
        }
        let event = match Event::parse(body) {
            Ok(event) => event,
            Err(NoEvent::Malformed) => return Class::Malformed,
            Err(NoEvent::OtherType) => return Class::WrongType,
        };
        match self.standing {
            Standing::Current { session_id: None } => Class::Accepted { event, binds: true },
            Standing::Current { session_id: Some(known) } if same_session(known, &event.session_id) => {
                Class::Accepted { event, binds: false }
            }
            Standing::Current { .. } | Standing::Other | Standing::Gone => Class::Ignored { event },
        }
    }
}

/// A UUID may be written in either case (RFC 9562 section 4).
fn same_session(known: &SessionId, said: &SessionId) -> bool {
    known.as_str().eq_ignore_ascii_case(said.as_str())
}

/// `application/json` (0.8, 0.9) or `application/cloudevents+json` (since 0.10), in any case and with any parameters. Either is
/// taken for any body, since providers mix them up; a batch and CloudEvents' binary mode are in no version.
fn is_readable(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(first), None) = (types.next(), types.next()) else { return false };
    let essence = first.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    ["application/json", "application/cloudevents+json"].iter().any(|known| essence.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
