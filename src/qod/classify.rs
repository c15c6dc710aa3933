//! What an answer means, by a closed list. Nothing here does I/O.
//!
//! HTTP's status decides, then CAMARA's code; messages are never looked at. Codes of all generations are in one table, because real
//! providers mix them (Telefónica's 0.10 has codes of 0.8).

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;

use super::fault::{Fault, FaultClass, Flip, Reason};
use super::generation::Operation;
use super::profile::QosProfile;
use super::session::SessionInfo;
use super::wire::{self, Shape};

/// A wait longer than this is not believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// An answer as it came.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: Body<'a>,
    /// When it came, for a `Retry-After` that is a date.
    pub received_at: Timestamp,
}

/// The body of an answer.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// It broke off.
    Lost,
    /// It was longer than any answer of this API.
    TooLong,
}

impl<'a> Body<'a> {
    /// The body where it is whole, else nothing.
    const fn bytes(self) -> &'a [u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Lost | Self::TooLong => b"",
        }
    }
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The operation.
    pub operation: Operation,
    /// Whether the request named the device.
    pub device_sent: bool,
}

/// Reads the answer to a create, get or extend.
pub fn session(shape: Shape, asked: Asked, answer: &Answer<'_>) -> Result<SessionInfo, Fault> {
    match answer.status {
        200..=299 => shape
            .session(answer.body.bytes())
            .ok_or_else(|| unreadable(asked, answer)),
        _ => Err(fault(asked, answer)),
    }
}

/// Reads the answer to a delete. A 2xx that is a page of something else, or a body that broke off, proves nothing.
pub fn released(asked: Asked, answer: &Answer<'_>) -> Result<(), Fault> {
    match answer.status {
        200..=299 if matches!(answer.body, Body::Whole(_)) && !is_foreign(answer) => Ok(()),
        200..=299 => Err(unreadable(asked, answer)),
        _ => Err(fault(asked, answer)),
    }
}

/// Reads a list of profiles. With `GET /qos-profiles`, 404 `NOT_FOUND` means that none matches.
pub fn profiles(asked: Asked, answer: &Answer<'_>) -> Result<Vec<QosProfile>, Fault> {
    match answer.status {
        200..=299 => wire::profiles(answer.body.bytes()).ok_or_else(|| unreadable(asked, answer)),
        404 if asked.operation == Operation::GetQosProfiles
            && code(answer).as_deref() == Some("NOT_FOUND") =>
        {
            Ok(Vec::new())
        }
        _ => Err(fault(asked, answer)),
    }
}

/// Reads one profile.
pub fn profile(asked: Asked, answer: &Answer<'_>) -> Result<QosProfile, Fault> {
    match answer.status {
        200..=299 => wire::profile(answer.body.bytes()).ok_or_else(|| unreadable(asked, answer)),
        _ => Err(fault(asked, answer)),
    }
}

/// A request whose answer never came, though it may have been sent.
pub fn lost(operation: Operation) -> Fault {
    Fault::new(if operation.has_effect() {
        FaultClass::Ambiguous
    } else {
        FaultClass::Unavailable
    })
}

/// A 2xx that says nothing of use.
fn unreadable(asked: Asked, answer: &Answer<'_>) -> Fault {
    let class = match (asked.operation.has_effect(), answer.body) {
        (true, _) => FaultClass::Ambiguous,
        (false, Body::Lost) => FaultClass::Unavailable,
        (false, Body::Whole(_) | Body::TooLong) => FaultClass::Unparseable,
    };
    Fault {
        status: Some(answer.status),
        ..Fault::new(class)
    }
}

/// Reads an answer that is no 2xx, to any operation. (To `GET /qos-profiles` it need not be a fault: see [`profiles`].)
pub fn fault(asked: Asked, answer: &Answer<'_>) -> Fault {
    let code = code(answer);
    Fault {
        class: class(asked, answer.status, code.as_deref()),
        status: Some(answer.status),
        retry_after: retry_after(answer),
        code,
    }
}

fn class(asked: Asked, status: u16, code: Option<&str>) -> FaultClass {
    match (status, code) {
        (300..=399, _) => FaultClass::GatewayNotFound,
        (401, _) => FaultClass::Refused(Reason::Credentials),
        (404, code) => not_found(asked.operation, code),
        // 0.9 and Telefónica's 0.10: "not implemented for the specified user device".
        (501, Some("NOT_IMPLEMENTED")) if asked.operation == Operation::CreateSession => {
            FaultClass::Refused(Reason::Device)
        }
        (405 | 501, _) => FaultClass::NotSupported,
        (408, _) => FaultClass::Unavailable,
        (409, _) if asked.operation == Operation::CreateSession => FaultClass::Conflict,
        (409, _) => FaultClass::Refused(Reason::State),
        (429, Some("QUOTA_EXCEEDED")) => FaultClass::Refused(Reason::Quota),
        (429, _) => FaultClass::RateLimited,
        (400..=499, code) => FaultClass::Refused(reason(asked, status, code)),
        // 5xx, and whatever else no server should send.
        _ => lost(asked.operation).class,
    }
}

/// Only CAMARA's own word counts: any other 404 comes from something in front of the API.
fn not_found(operation: Operation, code: Option<&str>) -> FaultClass {
    match (operation, code) {
        (
            Operation::GetSession | Operation::DeleteSession | Operation::ExtendQosSessionDuration,
            Some("NOT_FOUND"),
        ) => FaultClass::Gone,
        (Operation::GetQosProfile, Some("NOT_FOUND")) => FaultClass::Refused(Reason::Profile),
        (
            Operation::CreateSession | Operation::RetrieveSessions | Operation::RetrieveQosProfiles,
            Some("NOT_FOUND" | "DEVICE_NOT_FOUND" | "IDENTIFIER_NOT_FOUND"),
        ) => FaultClass::Refused(Reason::Device),
        _ => FaultClass::GatewayNotFound,
    }
}

/// The reason of a 4xx that has no status of its own.
fn reason(asked: Asked, status: u16, code: Option<&str>) -> Reason {
    let names_device = matches!(
        asked.operation,
        Operation::CreateSession | Operation::RetrieveSessions | Operation::RetrieveQosProfiles
    );
    match code {
        Some("QUALITY_ON_DEMAND.DURATION_OUT_OF_RANGE") => Reason::Duration,
        Some("QUALITY_ON_DEMAND.QOS_PROFILE_NOT_APPLICABLE" | "UNSUPPORTED_QOS_PROFILE") => {
            Reason::Profile
        }
        Some("QUALITY_ON_DEMAND.SESSION_EXTENSION_NOT_ALLOWED") => Reason::State,
        Some("UNNECESSARY_IDENTIFIER") => Reason::Identifier {
            flip: asked.device_sent.then_some(Flip::OmitDevice),
        },
        Some("INVALID_TOKEN_CONTEXT") if names_device => Reason::Identifier {
            flip: asked.device_sent.then_some(Flip::OmitDevice),
        },
        Some("MISSING_IDENTIFIER" | "UNIDENTIFIABLE_DEVICE") => Reason::Identifier {
            flip: (!asked.device_sent).then_some(Flip::SendDevice),
        },
        Some(
            "DEVICE_NOT_FOUND"
            | "DEVICE_IDENTIFIERS_MISMATCH"
            | "DEVICE_NOT_APPLICABLE"
            | "IDENTIFIER_NOT_FOUND"
            | "IDENTIFIER_MISMATCH"
            | "SERVICE_NOT_APPLICABLE"
            | "UNSUPPORTED_IDENTIFIER"
            | "UNSUPPORTED_DEVICE_IDENTIFIERS",
        ) => Reason::Device,
        Some(
            "INVALID_CREDENTIAL"
            | "INVALID_TOKEN"
            | "INVALID_SINK"
            | "EVENT_NOTIFICATIONS_NOT_SUPPORTED"
            | "PRIVATE_KEY_JWT_NOT_CONFIGURED",
        ) => Reason::Callback,
        _ if status == 403 => Reason::Permission,
        _ => Reason::Invalid,
    }
}

/// The answer's `code`, where it is one as CAMARA writes them. Anything else (a number, a gateway's words) is dropped.
fn code(answer: &Answer<'_>) -> Option<String> {
    let body: Value = serde_json::from_slice(answer.body.bytes()).ok()?;
    let code = body.get("code")?.as_str()?;
    let character = |byte: u8| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.')
    };
    (code.len() <= 64
        && code.starts_with(|first: char| first.is_ascii_uppercase())
        && code.bytes().all(character))
    .then(|| code.to_owned())
}

/// Whether a 2xx was written by something that is not the API: a page, or an error that its sender took for a success.
fn is_foreign(answer: &Answer<'_>) -> bool {
    if answer.status == 204 {
        return false;
    }
    let media_type = text(answer.headers, &CONTENT_TYPE)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let begins_as_page = answer.body.bytes().trim_ascii_start().starts_with(b"<");
    media_type.contains("html") || begins_as_page || is_error(answer.body.bytes())
}

/// CAMARA's `ErrorInfo`: a code, and no session.
fn is_error(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Error {
        code: Option<Value>,
        #[serde(rename = "sessionId")]
        session_id: Option<Value>,
    }
    serde_json::from_slice::<Error>(body)
        .is_ok_and(|error| error.code.is_some() && error.session_id.is_none())
}

/// `Retry-After` in seconds, or as a date: that is measured from the answer's own `Date`, since the two clocks may differ, or from
/// its arrival. A date in the past is no wait.
fn retry_after(answer: &Answer<'_>) -> Option<Duration> {
    let value = text(answer.headers, &RETRY_AFTER)?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(
            value
                .parse()
                .map_or(LONGEST_RETRY_AFTER, Duration::from_secs)
                .min(LONGEST_RETRY_AFTER),
        );
    }
    let until = http_date(value)?;
    let now = text(answer.headers, &DATE)
        .and_then(http_date)
        .unwrap_or(answer.received_at);
    Some(
        Duration::try_from(until.duration_since(now))
            .unwrap_or(Duration::ZERO)
            .min(LONGEST_RETRY_AFTER),
    )
}

fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Asked = Asked {
        operation: Operation::GetSession,
        device_sent: false,
    };

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    fn wait(pairs: &[(HeaderName, &str)]) -> Option<u64> {
        let headers = headers(pairs);
        let received_at = "2026-01-02T03:00:00Z".parse().unwrap();
        let answer = Answer {
            status: 429,
            headers: &headers,
            body: Body::Whole(b""),
            received_at,
        };
        fault(GET, &answer).retry_after.map(|wait| wait.as_secs())
    }

    #[test]
    fn a_retry_after_in_seconds_is_that_long_and_at_most_a_day() {
        assert_eq!(wait(&[(RETRY_AFTER, "37")]), Some(37));
        assert_eq!(wait(&[(RETRY_AFTER, " 0 ")]), Some(0));
        assert_eq!(
            wait(&[(RETRY_AFTER, "99999999999999999999999")]),
            Some(86_400)
        );
    }

    #[test]
    fn a_retry_after_that_is_a_date_counts_from_the_answers_own_date_or_its_arrival() {
        assert_eq!(
            wait(&[(RETRY_AFTER, "Fri, 02 Jan 2026 03:02:00 GMT")]),
            Some(120)
        );
        assert_eq!(
            wait(&[
                (RETRY_AFTER, "Fri, 02 Jan 2026 03:02:00 GMT"),
                (DATE, "Fri, 02 Jan 2026 03:01:30 GMT")
            ]),
            Some(30)
        );
        assert_eq!(
            wait(&[(RETRY_AFTER, "Thu, 01 Jan 2026 00:00:00 GMT")]),
            Some(0)
        );
        assert_eq!(
            wait(&[(RETRY_AFTER, "Fri, 02 Jan 2099 03:02:00 GMT")]),
            Some(86_400)
        );
    }

    #[test]
    fn a_retry_after_that_is_rubbish_is_none() {
        for rubbish in ["", "soon", "-5", "1.5", "+5", "2026-01-02T03:02:00Z"] {
            assert_eq!(wait(&[(RETRY_AFTER, rubbish)]), None, "{rubbish}");
        }
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn only_a_code_as_camara_writes_them_is_passed_on() {
        let code_of = |body: &str| {
            let headers = HeaderMap::new();
            code(&Answer {
                status: 400,
                headers: &headers,
                body: Body::Whole(body.as_bytes()),
                received_at: Timestamp::UNIX_EPOCH,
            })
        };
        assert_eq!(
            code_of(r#"{"code":"QUALITY_ON_DEMAND.DURATION_OUT_OF_RANGE"}"#).unwrap(),
            "QUALITY_ON_DEMAND.DURATION_OUT_OF_RANGE"
        );
        for other in [
            r#"{"code":"404"}"#,
            r#"{"code":404}"#,
            r#"{"code":"the number +447700900123"}"#,
            r#"{"code":""}"#,
            "[]",
            "<html>",
        ] {
            assert_eq!(code_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_page_or_an_error_under_200_releases_nothing() {
        let asked = Asked {
            operation: Operation::DeleteSession,
            device_sent: false,
        };
        let html = headers(&[(CONTENT_TYPE, "text/html; charset=utf-8")]);
        let json = headers(&[(CONTENT_TYPE, "application/json")]);
        for (headers, body, good) in [
            (&json, Body::Whole(b""), true),
            (&json, Body::Whole(br#"{"sessionId":"s-1"}"#), true),
            (&json, Body::Lost, false),
            (&json, Body::TooLong, false),
            (&html, Body::Whole(b"sign in"), false),
            (&json, Body::Whole(b" <!doctype html>"), false),
            (
                &json,
                Body::Whole(br#"{"code":"NOT_FOUND","message":"x"}"#),
                false,
            ),
        ] {
            let answer = Answer {
                status: 200,
                headers,
                body,
                received_at: Timestamp::UNIX_EPOCH,
            };
            let result = released(asked, &answer);
            assert_eq!(result.is_ok(), good, "{body:?}");
            assert!(result.is_ok() || result.unwrap_err().class == FaultClass::Ambiguous);
        }
    }
}
