//! What a notification looks like in each generation: the request to send, without sending it.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::settings::{Authorization, EventType, Quirk, Settings};
use crate::private::Private;
use crate::simulator::generation::Generation;
use crate::simulator::settings::Flavour;
use crate::simulator::transition::{EventStatus, NotifyTarget, Transition};

/// The token of a provider that has one of its own.
const FOREIGN: &str = "a-token-of-the-provider-s-own";

/// A notification, ready to be sent as a POST.
#[derive(Clone, Debug)]
pub(super) struct Notification {
    /// Where to; it holds the client's nonce, in 0.8 also its token.
    pub(super) url: Private<String>,
    /// The headers; the secret among them is marked as sensitive.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: Value,
}

/// The notification of `transition`, whose event has this id. `source` is the session's URL, `time` the provider's time of the
/// change, `token` the secret to send along. None where the token is nothing that a header can hold.
pub(super) fn notification(
    target: &NotifyTarget,
    transition: &Transition,
    (id, source, time): (Uuid, &str, Timestamp),
    token: Option<&Private<String>>,
    settings: &Settings,
) -> Option<Notification> {
    let generation = target.generation;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(generation, settings)));
    if generation >= Generation::V0_11 {
        // Its own, as for any request of which none was given: `XCorrelator`.
        headers.insert("x-correlator", HeaderValue::try_from(id.to_string()).ok()?);
    }
    let secret = secret(generation, token, settings);
    let mut url = target.url.expose().clone();
    if generation == Generation::V0_8 {
        // Appended to the text (`{$request.body#/notificationUrl}/notifications`): a query in it breaks, as it would there.
        url.push_str("/notifications");
    }
    match secret {
        None => {}
        Some(apikey) if generation == Generation::V0_8 && settings.authorization != Authorization::Foreign => {
            url.push_str("?apikey=");
            url.extend(form_urlencoded::byte_serialize(apikey.expose().as_bytes()));
        }
        Some(bearer) => {
            let mut value = HeaderValue::try_from(format!("Bearer {}", bearer.expose())).ok()?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
    }
    let body = match generation {
        Generation::V0_8 => v0_8(transition),
        Generation::V0_9 => v0_9(transition, id, time, settings),
        _ => cloud_event(target, transition, (id, source, time), settings),
    };
    Some(Notification { url: url.into(), headers, body })
}

fn secret(generation: Generation, token: Option<&Private<String>>, settings: &Settings) -> Option<Private<String>> {
    match settings.authorization {
        Authorization::BearerTwice if generation == Generation::V0_8 => token.cloned(),
        Authorization::Token => token.cloned(),
        Authorization::BearerTwice => token.map(|token| format!("Bearer {}", token.expose()).into()),
        Authorization::None => None,
        Authorization::Foreign => Some(FOREIGN.into()),
    }
}

fn content_type(generation: Generation, settings: &Settings) -> &'static str {
    if generation >= Generation::V0_10 && !settings.has(Quirk::PlainContentType) {
        "application/cloudevents+json"
    } else {
        "application/json"
    }
}

/// `Notification` of 0.8, which tells of a session's end only.
fn v0_8(transition: &Transition) -> Value {
    json!({"sessionId": transition.session_id, "event": "SESSION_TERMINATED"})
}

/// `EventNotification` of 0.9.
fn v0_9(transition: &Transition, id: Uuid, time: Timestamp, settings: &Settings) -> Value {
    let mut event = json!({"eventId": id, "eventDetail": detail(transition)});
    if !settings.has(Quirk::Bare) {
        event["eventType"] = json!("QOS_STATUS_CHANGED");
        event["eventTime"] = json!(time.to_string());
    }
    if settings.has(Quirk::Flat) { event } else { json!({ "event": event }) }
}

/// `CloudEvent` with `EventQosStatusChanged`, since 0.10.
fn cloud_event(
    target: &NotifyTarget,
    transition: &Transition,
    (id, source, time): (Uuid, &str, Timestamp),
    settings: &Settings,
) -> Value {
    json!({
        "id": id,
        "source": source,
        "specversion": "1.0",
        "type": event_type(target, settings),
        "datacontenttype": "application/json",
        "time": time.to_string(),
        "data": detail(transition),
    })
}

fn event_type(target: &NotifyTarget, settings: &Settings) -> &'static str {
    let v1 = target.generation >= Generation::V1_0;
    match (target.generation, settings.event_type) {
        // Its document of 1.1 names the type of 0.10.
        _ if v1 && target.flavour == Flavour::Telefonica => "org.camaraproject.qod.v0.qos-status-changed",
        (_, EventType::TestDefinitions) if v1 => "org.camaraproject.qod.v1.qos-status-changed",
        (_, EventType::TestDefinitions) | (Generation::V0_10, _) => "org.camaraproject.qod.v0.qos-status-changed",
        _ if v1 => "org.camaraproject.quality-on-demand.v1.qos-status-changed",
        _ => "org.camaraproject.quality-on-demand.v0.qos-status-changed",
    }
}

fn detail(transition: &Transition) -> Value {
    let mut detail = json!({"sessionId": transition.session_id, "qosStatus": transition.status});
    if let Some(info) = transition.info.filter(|_| transition.status == EventStatus::Unavailable) {
        detail["statusInfo"] = json!(info);
    }
    detail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::transition::StatusInfo;

    const TOKEN: &str = "n3mZ0q2J+8vK5tYx1LwB7dPfHs4GcUaE";
    const SESSION: &str = "0b7e6a52-94c1-4e0d-8a3f-5d2c7be91f04";
    const EVENT: &str = "83a0d986-0866-4f38-b8c0-fc65bfcda452";
    const SOURCE: &str = "https://api.example.com/sessions/0b7e6a52";

    fn target(generation: Generation) -> NotifyTarget {
        NotifyTarget {
            url: "https://client.example.com/k/n".into(),
            token: Some(TOKEN.into()),
            token_expires: None,
            key: None,
            generation,
            flavour: Flavour::Camara,
        }
    }

    fn sent_to(target: &NotifyTarget, settings: &Settings) -> Notification {
        let transition = Transition {
            session_id: SESSION.parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            status: EventStatus::Unavailable,
            info: Some(StatusInfo::NetworkTerminated),
        };
        let time = "2026-01-02T03:10:00Z".parse().unwrap();
        notification(target, &transition, (EVENT.parse().unwrap(), SOURCE, time), target.token.as_ref(), settings).unwrap()
    }

    fn sent(generation: Generation, settings: &Settings) -> Notification {
        sent_to(&target(generation), settings)
    }

    fn header(notification: &Notification, name: &str) -> String {
        notification.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn version_0_8_appends_to_the_url_and_carries_the_token_in_the_query() {
        let sent = sent(Generation::V0_8, &Settings::default());
        let url = "https://client.example.com/k/n/notifications?apikey=n3mZ0q2J%2B8vK5tYx1LwB7dPfHs4GcUaE";
        assert_eq!(sent.url.expose(), url);
        assert_eq!(sent.body, json!({"sessionId": SESSION, "event": "SESSION_TERMINATED"}));
        assert_eq!((header(&sent, "content-type"), header(&sent, "authorization")), ("application/json".into(), String::new()));
    }

    #[test]
    fn version_0_9_wraps_its_event_and_can_be_set_to_the_flat_and_the_bare_form() {
        let detail = json!({"sessionId": SESSION, "qosStatus": "UNAVAILABLE", "statusInfo": "NETWORK_TERMINATED"});
        let event = json!({
            "eventId": EVENT, "eventType": "QOS_STATUS_CHANGED", "eventTime": "2026-01-02T03:10:00Z", "eventDetail": detail,
        });
        let wrapped = sent(Generation::V0_9, &Settings::default());
        assert_eq!(wrapped.body, json!({ "event": event }));
        assert_eq!(header(&wrapped, "content-type"), "application/json");
        assert_eq!(header(&wrapped, "authorization"), format!("Bearer {TOKEN}"));
        assert_eq!(sent(Generation::V0_9, &Settings { quirks: [Quirk::Flat].into(), ..Settings::default() }).body, event);
        let bare = sent(Generation::V0_9, &Settings { quirks: [Quirk::Bare].into(), ..Settings::default() });
        assert_eq!(bare.body, json!({"event": {"eventId": EVENT, "eventDetail": detail}}));
    }

    #[test]
    fn since_0_10_it_is_a_cloud_event_whose_type_tells_the_generation() {
        let types = [
            (Generation::V0_10, "qod.v0", "qod.v0"),
            (Generation::V0_11, "quality-on-demand.v0", "qod.v0"),
            (Generation::V1_0, "quality-on-demand.v1", "qod.v1"),
            (Generation::V1_1, "quality-on-demand.v1", "qod.v1"),
            (Generation::V1_2, "quality-on-demand.v1", "qod.v1"),
        ];
        let gherkin = Settings { event_type: EventType::TestDefinitions, ..Settings::default() };
        for (generation, documented, tested) in types {
            let plain = sent(generation, &Settings::default());
            let full = |name: &str| format!("org.camaraproject.{name}.qos-status-changed");
            assert_eq!(
                plain.body,
                json!({
                    "id": EVENT, "source": SOURCE, "specversion": "1.0", "type": full(documented),
                    "datacontenttype": "application/json", "time": "2026-01-02T03:10:00Z",
                    "data": {"sessionId": SESSION, "qosStatus": "UNAVAILABLE", "statusInfo": "NETWORK_TERMINATED"},
                }),
                "{generation:?}"
            );
            assert_eq!(plain.url.expose(), "https://client.example.com/k/n");
            assert_eq!(header(&plain, "content-type"), "application/cloudevents+json");
            assert_eq!(header(&plain, "authorization"), format!("Bearer {TOKEN}"));
            assert_eq!(plain.headers.contains_key("x-correlator"), generation >= Generation::V0_11, "{generation:?}");
            assert_eq!(sent(generation, &gherkin).body["type"], full(tested));
        }
        let telefonica = NotifyTarget { flavour: Flavour::Telefonica, ..target(Generation::V1_1) };
        let kind = &sent_to(&telefonica, &Settings::default()).body["type"];
        assert_eq!(kind, "org.camaraproject.qod.v0.qos-status-changed");
    }

    #[test]
    fn the_secret_goes_along_as_the_setting_says() {
        let of = |generation, authorization| {
            let sent = sent(generation, &Settings { authorization, ..Settings::default() });
            (header(&sent, "authorization"), sent.url.expose().contains("apikey"))
        };
        for (authorization, bearer) in [
            (Authorization::Token, format!("Bearer {TOKEN}")),
            (Authorization::BearerTwice, format!("Bearer Bearer {TOKEN}")),
            (Authorization::None, String::new()),
            (Authorization::Foreign, format!("Bearer {FOREIGN}")),
        ] {
            assert_eq!(of(Generation::V1_1, authorization), (bearer, false));
        }
        assert_eq!(of(Generation::V0_8, Authorization::None), (String::new(), false));
        assert_eq!(of(Generation::V0_8, Authorization::Foreign), (format!("Bearer {FOREIGN}"), false));
        let plain = Settings { quirks: [Quirk::PlainContentType].into(), ..Settings::default() };
        assert_eq!(header(&sent(Generation::V1_1, &plain), "content-type"), "application/json");
        let without = NotifyTarget { token: None, ..target(Generation::V1_1) };
        assert!(!sent_to(&without, &Settings::default()).headers.contains_key("authorization"));
    }

    #[test]
    fn neither_url_nor_token_is_printed() {
        for generation in Generation::ALL {
            let printed = format!("{:?}", sent(generation, &Settings::default()));
            assert!(!printed.contains("client.example.com") && !printed.contains("n3mZ0q2J"), "{printed}");
        }
    }
}
