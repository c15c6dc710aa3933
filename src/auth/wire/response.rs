//! What answers mean, by a closed list.

use std::time::Duration;

use serde_json::Value;

use crate::auth::no_token::Refusal;
use crate::private::Private;
use crate::qod::{AccessToken, Answer, Body};

/// Where CIBA's server names no interval (OpenID CIBA Core, section 7.3).
const USUAL_INTERVAL: Duration = Duration::from_secs(5);
/// Where it does not say how long it waits for consent.
const USUAL_CONSENT_TIME: Duration = Duration::from_mins(2);
/// No poll follows another one sooner.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// What `slow_down` adds to the interval.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// A number of seconds above this is taken for this.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// What was asked for, since one code does not mean the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A token of the client alone.
    ClientCredentials,
    /// A token for an assertion.
    JwtBearer,
    /// A subscriber's consent.
    Authorize,
    /// A token, after that consent.
    Poll,
    /// A token for a refresh token.
    Refresh,
}

/// A token as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The token.
    pub access_token: AccessToken,
    /// Its type, if it was named: `Bearer`, in any case of its letters.
    pub token_type: Option<String>,
    /// How long it lives from now on; none: not said.
    pub expires_in: Option<Duration>,
    /// What it can be renewed with.
    pub refresh_token: Option<Private<String>>,
}

/// A request for consent that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorised {
    /// What to poll with.
    pub auth_req_id: Private<String>,
    /// How long consent is waited for, from now on.
    pub expires_in: Duration,
    /// The least time between two polls.
    pub interval: Duration,
}

/// An answer that brings no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFault {
    /// What it means.
    pub class: TokenFaultClass,
    /// The error code, where it is one as OAuth or CAMARA write them; anything else is dropped.
    pub code: Option<String>,
    /// How long to wait, where the answer says so; at most a day.
    pub retry_after: Option<Duration>,
}

/// The closed list of what an answer without a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFaultClass {
    /// Consent is awaited: poll on.
    Pending,
    /// The same, and the polls come too fast.
    SlowDown,
    /// The request for consent is dead: begin again.
    Expired,
    /// Consent was denied.
    Denied,
    /// The provider refused.
    Refused(Refusal),
    /// It cannot answer now.
    Unavailable,
    /// It is no answer of such an endpoint.
    Unparseable,
}

impl TokenFault {
    /// A fault of that class, with no more to say.
    pub(in crate::auth) const fn new(class: TokenFaultClass) -> Self {
        Self { class, code: None, retry_after: None }
    }
}

/// Reads the answer of a token endpoint (RFC 6749, section 5).
pub fn token(asked: Asked, answer: &Answer<'_>) -> Result<Granted, TokenFault> {
    let body = success(asked, answer)?;
    let unparseable = TokenFault::new(TokenFaultClass::Unparseable);
    let access_token = body["access_token"].as_str().filter(|token| sendable(token)).ok_or_else(|| unparseable.clone())?;
    let token_type = body["token_type"].as_str();
    // The operator can send a bearer token and no other.
    if token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(unparseable);
    }
    Ok(Granted {
        access_token: AccessToken::new(access_token),
        token_type: token_type.map(str::to_owned),
        expires_in: seconds(&body["expires_in"]),
        refresh_token: body["refresh_token"].as_str().filter(|token| !token.is_empty()).map(Private::from),
    })
}

/// Reads the answer of a backchannel authentication endpoint (OpenID CIBA Core, section 7.3). Telefónica's list of required
/// properties calls `auth_req_id` `request_id`.
pub fn authorised(answer: &Answer<'_>) -> Result<Authorised, TokenFault> {
    let body = success(Asked::Authorize, answer)?;
    let id = ["auth_req_id", "request_id"].into_iter().find_map(|key| body[key].as_str().filter(|id| !id.is_empty()));
    Ok(Authorised {
        auth_req_id: id.map(Private::from).ok_or(TokenFault::new(TokenFaultClass::Unparseable))?,
        expires_in: seconds(&body["expires_in"]).unwrap_or(USUAL_CONSENT_TIME),
        interval: seconds(&body["interval"]).unwrap_or(USUAL_INTERVAL).max(SHORTEST_INTERVAL),
    })
}

/// The interval after an answer to a poll: `slow_down` holds for this and all later polls.
pub fn next_interval(interval: Duration, class: TokenFaultClass) -> Duration {
    if class == TokenFaultClass::SlowDown { interval.saturating_add(SLOW_DOWN) } else { interval }
}

/// The JSON of a 2xx that is no error.
fn success(asked: Asked, answer: &Answer<'_>) -> Result<Value, TokenFault> {
    if !(200..=299).contains(&answer.status) {
        return Err(fault(asked, answer));
    }
    match answer.body {
        Body::Lost => Err(TokenFault::new(TokenFaultClass::Unavailable)),
        Body::TooLong => Err(TokenFault::new(TokenFaultClass::Unparseable)),
        Body::Whole(bytes) => {
            let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
            // Some servers send their errors under 200.
            match oauth_code(&body) {
                Some(code) => Err(TokenFault { class: by_code(asked, 400, Some(&code)), code: Some(code), retry_after: None }),
                None if body.is_object() => Ok(body),
                None => Err(TokenFault::new(TokenFaultClass::Unparseable)),
            }
        }
    }
}

/// What an answer that is no success means. A 5xx, 408 or 429 says nothing about the request, whatever its body; then OAuth's code
/// decides, because servers differ in the status that they send it with; then the status.
fn fault(asked: Asked, answer: &Answer<'_>) -> TokenFault {
    let body: Value = serde_json::from_slice(answer.body.bytes()).unwrap_or_default();
    let oauth = oauth_code(&body);
    let class = match answer.status {
        408 | 429 | 500.. => TokenFaultClass::Unavailable,
        // A URL that leads elsewhere, or to nothing: only an error in OAuth's own words shows that the endpoint itself answered.
        300..=399 | 404 | 405 | 410 if oauth.is_none() => TokenFaultClass::Unparseable,
        status => by_code(asked, status, oauth.as_deref()),
    };
    TokenFault { class, code: oauth.or_else(|| answer.code()), retry_after: answer.retry_after() }
}

fn by_code(asked: Asked, status: u16, code: Option<&str>) -> TokenFaultClass {
    use TokenFaultClass::{Denied, Expired, Pending, Refused, SlowDown, Unavailable};
    match (code, asked) {
        (Some("authorization_pending"), Asked::Poll) => Pending,
        (Some("slow_down"), Asked::Poll) => SlowDown,
        (Some("expired_token" | "invalid_grant"), Asked::Poll) => Expired,
        (Some("invalid_grant"), Asked::JwtBearer) | (Some("access_denied"), _) => Denied,
        (Some("invalid_client"), _) => Refused(Refusal::Credentials),
        (Some("unauthorized_client"), _) => Refused(Refusal::Permission),
        (Some("unknown_user_id"), _) => Refused(Refusal::Device),
        (Some("invalid_scope"), _) => Refused(Refusal::Scope),
        (Some("temporarily_unavailable" | "server_error"), _) => Unavailable,
        (None, _) if status == 401 => Refused(Refusal::Credentials),
        // Where there is a subscriber, nobody says whether it is consent or rights that lack: consent is the likelier one.
        (None, Asked::Authorize | Asked::Poll | Asked::JwtBearer) if status == 403 => Denied,
        (None, _) if status == 403 => Refused(Refusal::Permission),
        _ => Refused(Refusal::Invalid),
    }
}

/// OAuth's `error`, where it is a code as RFC 6749 writes them.
fn oauth_code(body: &Value) -> Option<String> {
    let code = body.get("error")?.as_str()?;
    let character = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (!code.is_empty() && code.len() <= 64 && code.bytes().all(character)).then(|| code.to_owned())
}

/// Whether a header can hold it.
fn sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A number of seconds, as a number or as text; less than nothing is nothing.
fn seconds(value: &Value) -> Option<Duration> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    if number.is_nan() {
        return None;
    }
    Some(Duration::try_from_secs_f64(number.clamp(0.0, LONGEST.as_secs_f64()).floor()).unwrap_or(LONGEST))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use reqwest::header::HeaderMap;
    use serde_json::json;

    use super::*;

    fn answered<T>(status: u16, body: Body<'_>, read: impl FnOnce(&Answer<'_>) -> T) -> T {
        let headers = HeaderMap::new();
        read(&Answer { status, headers: &headers, body, received_at: Timestamp::UNIX_EPOCH })
    }

    fn class(asked: Asked, status: u16, body: &str) -> TokenFaultClass {
        answered(status, Body::Whole(body.as_bytes()), |answer| token(asked, answer)).unwrap_err().class
    }

    #[test]
    fn a_number_of_seconds_may_be_text_and_rubbish_is_not_said() {
        for (value, expected) in [
            (json!(3600), Some(3600)),
            (json!("3600"), Some(3600)),
            (json!(" 60 "), Some(60)),
            (json!(3599.9), Some(3599)),
            (json!(-5), Some(0)),
            (json!(1e300), Some(LONGEST.as_secs())),
            (json!("soon"), None),
            (json!("NaN"), None),
            (json!(null), None),
            (json!([60]), None),
        ] {
            assert_eq!(seconds(&value).map(|life| life.as_secs()), expected, "{value}");
        }
    }

    #[test]
    fn what_no_header_can_hold_or_is_no_bearer_token_is_no_token() {
        for body in [
            r#"{"access_token":"a b"}"#,
            r#"{"access_token":"a\r\nX: y"}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":7}"#,
            r#"{"access_token":"a","token_type":"DPoP"}"#,
            "[]",
            "<html>",
            "",
        ] {
            assert_eq!(class(Asked::ClientCredentials, 200, body), TokenFaultClass::Unparseable, "{body}");
        }
        let broken_off = answered(200, Body::Lost, |answer| token(Asked::Poll, answer)).unwrap_err();
        assert_eq!(broken_off.class, TokenFaultClass::Unavailable);
        let endless = answered(200, Body::TooLong, authorised).unwrap_err();
        assert_eq!(endless.class, TokenFaultClass::Unparseable);
    }

    #[test]
    fn one_code_means_what_it_means_where_it_is_said() {
        use TokenFaultClass::{Denied, Expired, Pending, Refused, SlowDown, Unavailable, Unparseable};
        let invalid = Refused(Refusal::Invalid);
        for (asked, status, code, expected) in [
            (Asked::Poll, 400, "authorization_pending", Pending),
            (Asked::ClientCredentials, 400, "authorization_pending", invalid),
            (Asked::Poll, 400, "slow_down", SlowDown),
            (Asked::Poll, 400, "expired_token", Expired),
            (Asked::Poll, 400, "invalid_grant", Expired),
            (Asked::JwtBearer, 400, "invalid_grant", Denied),
            (Asked::Refresh, 400, "invalid_grant", invalid),
            (Asked::Poll, 400, "access_denied", Denied),
            (Asked::ClientCredentials, 400, "invalid_client", Refused(Refusal::Credentials)),
            (Asked::ClientCredentials, 400, "unauthorized_client", Refused(Refusal::Permission)),
            (Asked::Authorize, 404, "unknown_user_id", Refused(Refusal::Device)),
            (Asked::Poll, 400, "temporarily_unavailable", Unavailable),
            (Asked::Poll, 500, "access_denied", Unavailable),
            (Asked::ClientCredentials, 429, "invalid_client", Unavailable),
        ] {
            assert_eq!(class(asked, status, &format!(r#"{{"error":"{code}"}}"#)), expected, "{asked:?} {status} {code}");
        }
        for (asked, status, expected) in [
            (Asked::ClientCredentials, 401, Refused(Refusal::Credentials)),
            (Asked::ClientCredentials, 403, Refused(Refusal::Permission)),
            (Asked::JwtBearer, 403, Denied),
            (Asked::ClientCredentials, 404, Unparseable),
            (Asked::ClientCredentials, 302, Unparseable),
            (Asked::Poll, 400, invalid),
            (Asked::Poll, 408, Unavailable),
        ] {
            assert_eq!(class(asked, status, "<html>"), expected, "{asked:?} {status}");
        }
    }

    #[test]
    fn prose_is_never_taken_for_a_code() {
        for body in [
            r#"{"error":"the number +447700900123 is unknown"}"#,
            r#"{"error":"Unknown"}"#,
            r#"{"error":7}"#,
            r#"{"code":400,"message":"secret"}"#,
        ] {
            let fault =
                answered(400, Body::Whole(body.as_bytes()), |answer| token(Asked::ClientCredentials, answer)).unwrap_err();
            assert_eq!(fault.code, None, "{body}");
        }
    }

    #[test]
    fn an_interval_of_nothing_is_a_second_and_slow_down_adds_five() {
        let body = br#"{"auth_req_id":"r","interval":0}"#;
        let authorised = answered(200, Body::Whole(body), authorised).unwrap();
        assert_eq!((authorised.interval, authorised.expires_in), (Duration::from_secs(1), Duration::from_mins(2)));
        let slower = next_interval(authorised.interval, TokenFaultClass::SlowDown);
        assert_eq!(next_interval(slower, TokenFaultClass::Pending), Duration::from_secs(6));
    }
}
