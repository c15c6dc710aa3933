use std::fmt::Write as _;

use serde_json::json;

use super::*;
use crate::qod::QosStatus;

const TOKEN: &str = "n3mZ0q2Jr8vK5tYx1LwB7dPfHs4GcUaE";
const LIMIT: usize = 65_536;

fn attempt(standing: Standing) -> Attempt {
    Attempt { generation: Generation::V0_10, token: Some(TOKEN.into()), standing }
}

fn current(id: &str) -> Attempt {
    attempt(Standing::Current { session_id: Some(SessionId::new(id)) })
}

fn body() -> Vec<u8> {
    json!({
        "id": "e-1", "source": "/sessions/s-1", "specversion": "1.0", "type": "org.camaraproject.qod.v0.qos-status-changed",
        "data": {"sessionId": "s-1", "qosStatus": "UNAVAILABLE"},
    })
    .to_string()
    .into_bytes()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn judged(query: Option<&str>, pairs: &[(&'static str, &str)], body: &[u8], attempt: Option<&Attempt>) -> Class {
    let headers = headers(pairs);
    let verdict = judge(&Request { method: &Method::POST, query, headers: &headers, body }, attempt, LIMIT);
    assert_eq!(verdict.status, verdict.class.status());
    verdict.class
}

const JSON: (&str, &str) = ("content-type", "application/cloudevents+json");
const RIGHT: (&str, &str) = ("authorization", "Bearer n3mZ0q2Jr8vK5tYx1LwB7dPfHs4GcUaE");

#[test]
fn an_event_for_another_session_or_another_attempt_of_the_object_is_accepted_and_settles_nothing() {
    for attempt in [current("s-2"), attempt(Standing::Other)] {
        let class = judged(None, &[JSON, RIGHT], &body(), Some(&attempt));
        assert_eq!(class.status(), 204);
        assert!(matches!(class, Class::Ignored { event } if event.session_id.as_str() == "s-1"));
    }
}

#[test]
fn an_event_binds_its_session_only_where_none_is_known() {
    let unknown = attempt(Standing::Current { session_id: None });
    assert!(matches!(judged(None, &[JSON, RIGHT], &body(), Some(&unknown)), Class::Accepted { binds: true, .. }));
    let class = judged(None, &[JSON, RIGHT], &body(), Some(&current("S-1")));
    assert!(matches!(class, Class::Accepted { binds: false, event } if event.qos_status == QosStatus::Unavailable));
}

#[test]
fn an_object_that_is_gone_asks_for_no_more_events_but_only_who_has_its_bearer_learns_it() {
    let gone = attempt(Standing::Gone);
    assert_eq!(judged(None, &[JSON, RIGHT], &body(), Some(&gone)), Class::Gone);
    assert_eq!(judged(None, &[JSON, ("authorization", "Bearer x")], &body(), Some(&gone)), Class::Unauthorized);
}

#[test]
fn a_stranger_learns_nothing_from_a_body_that_is_too_large_or_no_json_or_of_another_type() {
    let large = vec![b'{'; LIMIT + 1];
    let known = current("s-1");
    for (kind, body) in [(JSON, &large[..]), (JSON, b"{"), (("content-type", "text/plain"), b"x")] {
        assert_eq!(judged(None, &[kind], body, Some(&known)), Class::Unauthorized);
        assert_eq!(judged(None, &[kind], body, None), Class::Gone);
    }
    assert_eq!(judged(None, &[JSON, RIGHT], &large, Some(&known)), Class::TooLarge);
    assert_eq!(judged(None, &[JSON, RIGHT], &large[..LIMIT], Some(&known)), Class::Malformed);
    assert_eq!(judged(None, &[JSON, RIGHT, ("content-length", "65537")], b"", Some(&known)), Class::TooLarge);
}

#[test]
fn only_version_0_8_may_carry_the_secret_in_the_query_and_it_is_decoded() {
    let mut known = current("s-1");
    known.token = Some("a b+c".into());
    let query = Some("x=1&apikey=a%20b%2Bc");
    assert_eq!(judged(query, &[JSON], &body(), Some(&known)), Class::Unauthorized);
    known.generation = Generation::V0_8;
    assert_eq!(judged(query, &[JSON], &body(), Some(&known)).status(), 204);
    assert_eq!(judged(Some("apikey="), &[JSON], &body(), Some(&known)), Class::Unauthorized);
}

#[test]
fn the_scheme_may_be_written_in_any_case_and_twice_but_not_three_times_and_not_be_left_out() {
    let known = current("s-1");
    let with = |value: String| judged(None, &[JSON, ("authorization", &value)], &body(), Some(&known)).status();
    for good in ["bearer ", "BEARER  ", "Bearer bearer "] {
        assert_eq!(with(format!("{good}{TOKEN}")), 204, "{good}");
    }
    for bad in ["", "Basic ", "Bearer Bearer Bearer ", "BearerBearer "] {
        assert_eq!(with(format!("{bad}{TOKEN}")), 401, "{bad}");
    }
    assert_eq!(with(format!("Bearer {TOKEN}x")), 401);
    assert_eq!(with("Bearer".to_owned()), 401);
}

#[test]
fn an_empty_bearer_opens_nothing_where_none_is_expected_or_nothing_is_known() {
    let mut known = current("s-1");
    known.token = Some("".into());
    assert_eq!(judged(None, &[JSON], &body(), Some(&known)), Class::Unauthorized, "an empty secret must still be sent");
    assert_eq!(judged(None, &[JSON, ("authorization", "Bearer ")], &body(), None), Class::Gone);
}

#[test]
fn neither_content_type_nor_form_must_fit_the_generation_but_there_must_be_one() {
    let known = current("s-1");
    assert_eq!(judged(None, &[("content-type", "application/json"), RIGHT], &body(), Some(&known)).status(), 204);
    for wrong in ["text/plain", "application/cloudevents-batch+json", "application/x-www-form-urlencoded", ""] {
        assert_eq!(
            judged(None, &[("content-type", wrong), RIGHT], &body(), Some(&known)),
            Class::UnsupportedMediaType,
            "{wrong}"
        );
    }
    assert_eq!(judged(None, &[RIGHT], &body(), Some(&known)), Class::UnsupportedMediaType);
    assert_eq!(judged(None, &[JSON, JSON, RIGHT], &body(), Some(&known)), Class::UnsupportedMediaType, "said twice");
}

proptest::proptest! {
    #[test]
    fn the_secret_in_the_query_is_found_in_any_percent_encoding_and_no_other_one_is(
        encoded: [bool; 32], upper: bool, changed in proptest::option::of(0_usize..32), before in "[a-z=&%+]{0,10}",
    ) {
        let mut token: Vec<u8> = TOKEN.into();
        if let Some(at) = changed {
            token[at] ^= 1;
        }
        let mut written = String::new();
        for (byte, encoded) in token.iter().zip(encoded) {
            match (encoded, upper) {
                (true, true) => write!(written, "%{byte:02X}").unwrap(),
                (true, false) => write!(written, "%{byte:02x}").unwrap(),
                (false, _) => written.push(char::from(*byte)),
            }
        }
        let known = Attempt { generation: Generation::V0_8, ..current("s-1") };
        let status = judged(Some(&format!("{before}&apikey={written}")), &[JSON], &body(), Some(&known)).status();
        proptest::prop_assert_eq!(status, if changed.is_some() { 401 } else { 204 });
    }
}

#[test]
fn no_more_secrets_are_looked_at_than_one_request_can_need() {
    let known = Attempt { generation: Generation::V0_8, ..current("s-1") };
    let query = |wrong: usize| format!("{}apikey={TOKEN}", "apikey=wrong&".repeat(wrong));
    assert_eq!(judged(Some(&query(3)), &[JSON], &body(), Some(&known)).status(), 204);
    assert_eq!(judged(Some(&query(4)), &[JSON], &body(), Some(&known)), Class::Unauthorized);
}
