//! An answer as it came, and what can be told from it alone.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;

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
    pub(crate) const fn bytes(self) -> &'a [u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Lost | Self::TooLong => b"",
        }
    }
}

impl Answer<'_> {
    /// The answer's `code`, where it is one as CAMARA writes them. Anything else (a number, a gateway's words) is dropped.
    pub(crate) fn code(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(self.body.bytes()).ok()?;
        let code = body.get("code")?.as_str()?;
        let character = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.');
        (code.len() <= 64 && code.starts_with(|first: char| first.is_ascii_uppercase()) && code.bytes().all(character))
            .then(|| code.to_owned())
    }

    /// Whether a 2xx was written by something that is not the API: a page, or an error that its sender took for a success.
    pub(super) fn is_foreign(&self) -> bool {
        if self.status == 204 {
            return false;
        }
        let media_type = text(self.headers, &CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
        let begins_as_page = self.body.bytes().trim_ascii_start().starts_with(b"<");
        media_type.contains("html") || begins_as_page || is_error(self.body.bytes())
    }

    /// `Retry-After` in seconds, or as a date: that is measured from the answer's own `Date`, since the two clocks may differ, or from
    /// its arrival. A date in the past is no wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let value = text(self.headers, &RETRY_AFTER)?.trim();
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(value.parse().map_or(LONGEST_RETRY_AFTER, Duration::from_secs).min(LONGEST_RETRY_AFTER));
        }
        let until = http_date(value)?;
        let now = text(self.headers, &DATE).and_then(http_date).unwrap_or(self.received_at);
        Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO).min(LONGEST_RETRY_AFTER))
    }
}

/// CAMARA's `ErrorInfo`: a code, and no session.
fn is_error(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Error {
        code: Option<Value>,
        #[serde(rename = "sessionId")]
        session_id: Option<Value>,
    }
    serde_json::from_slice::<Error>(body).is_ok_and(|error| error.code.is_some() && error.session_id.is_none())
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

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn wait(pairs: &[(HeaderName, &str)]) -> Option<u64> {
        let headers = headers(pairs);
        let received_at = "2026-01-02T03:00:00Z".parse().unwrap();
        let answer = Answer { status: 429, headers: &headers, body: Body::Whole(b""), received_at };
        answer.retry_after().map(|wait| wait.as_secs())
    }

    #[test]
    fn a_retry_after_in_seconds_is_that_long_and_at_most_a_day() {
        assert_eq!(wait(&[(RETRY_AFTER, "37")]), Some(37));
        assert_eq!(wait(&[(RETRY_AFTER, " 0 ")]), Some(0));
        assert_eq!(wait(&[(RETRY_AFTER, "99999999999999999999999")]), Some(86_400));
    }

    #[test]
    fn a_retry_after_that_is_a_date_counts_from_the_answers_own_date_or_its_arrival() {
        assert_eq!(wait(&[(RETRY_AFTER, "Fri, 02 Jan 2026 03:02:00 GMT")]), Some(120));
        assert_eq!(wait(&[(RETRY_AFTER, "Fri, 02 Jan 2026 03:02:00 GMT"), (DATE, "Fri, 02 Jan 2026 03:01:30 GMT")]), Some(30));
        assert_eq!(wait(&[(RETRY_AFTER, "Thu, 01 Jan 2026 00:00:00 GMT")]), Some(0));
        assert_eq!(wait(&[(RETRY_AFTER, "Fri, 02 Jan 2099 03:02:00 GMT")]), Some(86_400));
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
            let answer =
                Answer { status: 400, headers: &headers, body: Body::Whole(body.as_bytes()), received_at: Timestamp::UNIX_EPOCH };
            answer.code()
        };
        assert_eq!(
            code_of(r#"{"code":"QUALITY_ON_DEMAND.DURATION_OUT_OF_RANGE"}"#).unwrap(),
            "QUALITY_ON_DEMAND.DURATION_OUT_OF_RANGE"
        );
        for other in
            [r#"{"code":"404"}"#, r#"{"code":404}"#, r#"{"code":"the number +447700900123"}"#, r#"{"code":""}"#, "[]", "<html>"]
        {
            assert_eq!(code_of(other), None, "{other}");
        }
    }
}
