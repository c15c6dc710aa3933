//! What an answer means, by a closed list. Nothing here does I/O.
//!
//! HTTP's status decides, then CAMARA's code; messages are never looked at. Codes of all generations are in one table, because real
//! providers mix them (Telefónica's 0.10 has codes of 0.8).

use super::answer::{Answer, Body};
use super::fault::{Fault, FaultClass, Flip, Reason};
use super::generation::Operation;
use super::profile::QosProfile;
use super::session::{SessionInfo, SessionList};
use super::wire::{self, Shape};

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
        200..=299 => shape.session(answer.body.bytes()).ok_or_else(|| unreadable(asked, answer)),
        _ => Err(fault(asked, answer)),
    }
}

/// Reads the answer to a look-up. An error is never an empty list.
pub fn sessions(shape: Shape, asked: Asked, answer: &Answer<'_>) -> Result<SessionList, Fault> {
    match answer.status {
        200..=299 => shape.sessions(answer.body.bytes()).ok_or_else(|| unreadable(asked, answer)),
        _ => Err(fault(asked, answer)),
    }
}

/// Reads the answer to a delete. A 2xx that is a page of something else, or a body that broke off, proves nothing.
pub fn released(asked: Asked, answer: &Answer<'_>) -> Result<(), Fault> {
    match answer.status {
        200..=299 if matches!(answer.body, Body::Whole(_)) && !answer.is_foreign() => Ok(()),
        200..=299 => Err(unreadable(asked, answer)),
        _ => Err(fault(asked, answer)),
    }
}

/// Reads a list of profiles. With `GET /qos-profiles`, 404 `NOT_FOUND` means that none matches.
pub fn profiles(asked: Asked, answer: &Answer<'_>) -> Result<Vec<QosProfile>, Fault> {
    match answer.status {
        200..=299 => wire::profiles(answer.body.bytes()).ok_or_else(|| unreadable(asked, answer)),
        404 if asked.operation == Operation::GetQosProfiles && answer.code().as_deref() == Some("NOT_FOUND") => Ok(Vec::new()),
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
    Fault::new(if operation.has_effect() { FaultClass::Ambiguous } else { FaultClass::Unavailable })
}

/// A 2xx that says nothing of use.
fn unreadable(asked: Asked, answer: &Answer<'_>) -> Fault {
    let class = match (asked.operation.has_effect(), answer.body) {
        (true, _) => FaultClass::Ambiguous,
        (false, Body::Lost) => FaultClass::Unavailable,
        (false, Body::Whole(_) | Body::TooLong) => FaultClass::Unparseable,
    };
    Fault { status: Some(answer.status), ..Fault::new(class) }
}

/// Reads an answer that is no 2xx, to any operation. (To `GET /qos-profiles` it need not be a fault: see [`profiles`].)
pub fn fault(asked: Asked, answer: &Answer<'_>) -> Fault {
    let code = answer.code();
    Fault {
        class: class(asked, answer.status, code.as_deref()),
        status: Some(answer.status),
        retry_after: answer.retry_after(),
        code,
        generation: None,
    }
}

fn class(asked: Asked, status: u16, code: Option<&str>) -> FaultClass {
    match (status, code) {
        (300..=399, _) => FaultClass::GatewayNotFound,
        (401, _) => FaultClass::Refused(Reason::Credentials),
        (404, code) => not_found(asked.operation, code),
        // 0.9 and Telefónica's 0.10: "not implemented for the specified user device".
        (501, Some("NOT_IMPLEMENTED")) if asked.operation == Operation::CreateSession => FaultClass::Refused(Reason::Device),
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
        (Operation::GetSession | Operation::DeleteSession | Operation::ExtendQosSessionDuration, Some("NOT_FOUND")) => {
            FaultClass::Gone
        }
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
    let names_device =
        matches!(asked.operation, Operation::CreateSession | Operation::RetrieveSessions | Operation::RetrieveQosProfiles);
    match code {
        Some("QUALITY_ON_DEMAND.DURATION_OUT_OF_RANGE") => Reason::Duration,
        Some("QUALITY_ON_DEMAND.QOS_PROFILE_NOT_APPLICABLE" | "UNSUPPORTED_QOS_PROFILE") => Reason::Profile,
        Some("QUALITY_ON_DEMAND.SESSION_EXTENSION_NOT_ALLOWED") => Reason::State,
        Some("UNNECESSARY_IDENTIFIER") => Reason::Identifier { flip: asked.device_sent.then_some(Flip::OmitDevice) },
        Some("INVALID_TOKEN_CONTEXT") if names_device => {
            Reason::Identifier { flip: asked.device_sent.then_some(Flip::OmitDevice) }
        }
        Some("MISSING_IDENTIFIER" | "UNIDENTIFIABLE_DEVICE") => {
            Reason::Identifier { flip: (!asked.device_sent).then_some(Flip::SendDevice) }
        }
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

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName};

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn of(operation: Operation, status: u16, body: &str) -> FaultClass {
        let asked = Asked { operation, device_sent: operation == Operation::CreateSession };
        let headers = HeaderMap::new();
        let body = Body::Whole(body.as_bytes());
        fault(asked, &Answer { status, headers: &headers, body, received_at: Timestamp::UNIX_EPOCH }).class
    }

    #[test]
    fn a_bad_duration_is_refused_under_each_of_its_codes() {
        for (code, reason) in [
            ("QUALITY_ON_DEMAND.DURATION_OUT_OF_RANGE", Reason::Duration),
            // These two are also codes of other mistakes, and only the message, which is not looked at, tells which.
            ("OUT_OF_RANGE", Reason::Invalid),
            ("INVALID_ARGUMENT", Reason::Invalid),
        ] {
            for operation in [Operation::CreateSession, Operation::ExtendQosSessionDuration] {
                let body = format!(r#"{{"status":400,"code":"{code}","message":"x"}}"#);
                assert_eq!(of(operation, 400, &body), FaultClass::Refused(reason), "{code}");
            }
        }
    }

    #[test]
    fn an_operation_that_a_provider_lacks_is_told_from_a_session_that_is_gone() {
        for operation in [
            Operation::GetSession,
            Operation::DeleteSession,
            Operation::ExtendQosSessionDuration,
            Operation::RetrieveSessions,
            Operation::GetQosProfiles,
            Operation::GetQosProfile,
            Operation::RetrieveQosProfiles,
        ] {
            for status in [405, 501] {
                assert_eq!(of(operation, status, ""), FaultClass::NotSupported);
                assert_eq!(of(operation, status, r#"{"code":"NOT_FOUND"}"#), FaultClass::NotSupported);
            }
            assert_eq!(of(operation, 404, "no route"), FaultClass::GatewayNotFound, "{operation}");
        }
    }

    #[test]
    fn a_look_up_that_was_refused_is_an_error_and_no_list() {
        let asked = Asked { operation: Operation::RetrieveSessions, device_sent: false };
        let headers = HeaderMap::new();
        for (status, body) in [
            (400, &br#"{"status":400,"code":"INVALID_ARGUMENT","message":"x"}"#[..]),
            (404, br#"{"status":404,"code":"NOT_FOUND","message":"x"}"#),
            (404, b"[]"),
            (500, b"[]"),
            (200, b"{}"),
            (200, br#"{"sessions":[]}"#),
            (204, b""),
        ] {
            let answer = Answer { status, headers: &headers, body: Body::Whole(body), received_at: Timestamp::UNIX_EPOCH };
            assert!(sessions(Shape::V1_2, asked, &answer).is_err(), "{status}");
        }
    }

    #[test]
    fn a_page_or_an_error_under_200_releases_nothing() {
        let asked = Asked { operation: Operation::DeleteSession, device_sent: false };
        let html = headers(&[(CONTENT_TYPE, "text/html; charset=utf-8")]);
        let json = headers(&[(CONTENT_TYPE, "application/json")]);
        for (headers, body, good) in [
            (&json, Body::Whole(b""), true),
            (&json, Body::Whole(br#"{"sessionId":"s-1"}"#), true),
            (&json, Body::Lost, false),
            (&json, Body::TooLong, false),
            (&html, Body::Whole(b"sign in"), false),
            (&json, Body::Whole(b" <!doctype html>"), false),
            (&json, Body::Whole(br#"{"code":"NOT_FOUND","message":"x"}"#), false),
        ] {
            let answer = Answer { status: 200, headers, body, received_at: Timestamp::UNIX_EPOCH };
            let result = released(asked, &answer);
            assert_eq!(result.is_ok(), good, "{body:?}");
            assert!(result.is_ok() || result.unwrap_err().class == FaultClass::Ambiguous);
        }
    }
}
