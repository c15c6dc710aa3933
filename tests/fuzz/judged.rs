//! The judgement: a request whose parts are lines of the input.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use qos_operator::notify::{Attempt, Class, Request, Standing, judge};
use qos_operator::qod::{Generation, SessionId};

use super::{STATUSES, TOKEN, holds_token};

/// The input as a request: the method, the query, headers up to an empty line, and the body.
struct Parts<'a> {
    method: Method,
    query: Option<&'a str>,
    headers: HeaderMap,
    body: &'a [u8],
}

fn parts(input: &[u8]) -> Option<Parts<'_>> {
    let end = input.windows(2).position(|two| two == b"\n\n")?;
    let head = std::str::from_utf8(&input[..end]).ok()?;
    let mut lines = head.split('\n');
    let method = lines.next()?.parse().ok()?;
    let query = lines.next()?;
    let mut headers = HeaderMap::new();
    for line in lines.take(100) {
        let (name, value) = line.split_once(": ")?;
        headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
    }
    Some(Parts { method, query: (!query.is_empty()).then_some(query), headers, body: &input[end + 2..] })
}

/// Every attempt that there may be, but for those whose bearer was never given.
fn attempts() -> Vec<Attempt> {
    let session_id = SessionId::new("0b7e6a52-94c1-4e0d-8a3f-5d2c7be91f04");
    let standings = [
        Standing::Current { session_id: None },
        Standing::Current { session_id: Some(session_id) },
        Standing::Other,
        Standing::Gone,
    ];
    let attempt = |generation, standing: &Standing| Attempt { generation, token: Some(TOKEN.into()), standing: standing.clone() };
    let of = |generation| standings.iter().map(move |standing| attempt(generation, standing));
    of(Generation::V0_8).chain(of(Generation::V1_1)).collect()
}

#[test]
fn judged() {
    let attempts = attempts();
    bolero::check!().with_max_len(16 << 10).for_each(move |input: &[u8]| {
        let Some(Parts { method, query, headers, body }) = parts(input) else { return };
        let request = Request { method: &method, query, headers: &headers, body };
        let vouched = holds_token(input);
        for attempt in attempts.iter().map(Some).chain([None]) {
            let verdict = judge(&request, attempt, 4096);
            assert_eq!(verdict.status, verdict.class.status());
            assert!(STATUSES.contains(&verdict.status), "{}", verdict.status);
            let taken = matches!(verdict.class, Class::Accepted { .. } | Class::Ignored { .. });
            assert!(vouched && attempt.is_some() || !taken, "taken without the bearer: {:?}", verdict.class.name());
            if method != Method::POST {
                assert_eq!(verdict.class, Class::MethodNotAllowed);
            }
            let known = attempt.is_some();
            assert!(
                vouched
                    || verdict.class == Class::MethodNotAllowed
                    || verdict.class == if known { Class::Unauthorized } else { Class::Gone }
            );
        }
    });
}
