//! The `QosSession`s, counted from what the watch has brought. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;

use crate::api::{QosSession, Reason, RenewalPolicy};
use crate::qod::QosStatus;

/// What sessions have in common that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) provider: String,
    pub(super) qos_status: &'static str,
    pub(super) ready: &'static str,
    pub(super) reason: &'static str,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) counts: BTreeMap<Kind, u64>,
    /// The first end of a session that is held, by provider and renewal policy.
    pub(super) next_expiry: BTreeMap<(String, &'static str), Timestamp>,
}

impl Summary {
    /// Counts `sessions`. A provider is named only if it is one of `known`: what users write is no label.
    pub(super) fn of<'a>(
        sessions: impl IntoIterator<Item = &'a QosSession>,
        known: &BTreeSet<String>,
        default: Option<&str>,
    ) -> Self {
        let mut summary = Self::default();
        for session in sessions {
            let status = session.status.as_ref();
            let named = status.and_then(|status| status.provider.as_ref()).map(|provider| provider.name.as_str());
            let wanted = session.spec.provider_ref.as_ref().map(|reference| reference.name.as_str());
            let provider = named.or(wanted).or(default).filter(|name| known.contains(*name)).unwrap_or_default().to_owned();
            let ready = status.and_then(|status| status.conditions.iter().find(|condition| condition.type_ == "Ready"));
            let held = status.filter(|status| status.session_id.is_some());
            if let Some(expires) = held.and_then(|status| status.expires_at.as_ref()) {
                let policy = match session.spec.effective_renewal_policy() {
                    RenewalPolicy::Always => "Always",
                    RenewalPolicy::Never => "Never",
                };
                let first = summary.next_expiry.entry((provider.clone(), policy)).or_insert(expires.0);
                *first = expires.0.min(*first);
            }
            let kind = Kind {
                provider,
                qos_status: qos_status(status.and_then(|status| status.qos_status.as_deref())),
                ready: match ready.map(|condition| condition.status.as_str()) {
                    Some("True") => "True",
                    Some("False") => "False",
                    _ => "Unknown",
                },
                reason: ready.map_or("", |condition| condition.reason.parse::<Reason>().map_or("Other", Reason::as_str)),
            };
            *summary.counts.entry(kind).or_default() += 1;
        }
        summary
    }
}

/// CAMARA's word; `NONE` where no session is held, `OTHER` for a word that is not CAMARA's.
fn qos_status(word: Option<&str>) -> &'static str {
    match word {
        None => "NONE",
        Some(word) => [QosStatus::Requested, QosStatus::Available, QosStatus::Unavailable]
            .iter()
            .map(QosStatus::as_str)
            .find(|known| *known == word)
            .unwrap_or("OTHER"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn session(spec: Value, status: &Value) -> QosSession {
        let mut object = json!({
            "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession", "metadata": { "name": "camera-12" },
            "spec": { "device": { "phoneNumber": "+447700900112" }, "qosProfile": "QOS_E",
                      "applicationServer": { "ipv4Address": "198.51.100.10" } },
            "status": status,
        });
        if let (Some(whole), Value::Object(spec)) = (object["spec"].as_object_mut(), spec) {
            whole.extend(spec);
        }
        serde_json::from_value(object).unwrap()
    }

    fn ready(status: &str, reason: &str) -> Value {
        json!([{ "type": "Ready", "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-11-24T10:00:00Z" }])
    }

    fn kinds(sessions: &[QosSession]) -> Vec<(String, &'static str, &'static str, &'static str, u64)> {
        let known = BTreeSet::from(["acme".to_owned(), "default".to_owned()]);
        let counts = Summary::of(sessions, &known, Some("default")).counts;
        counts.into_iter().map(|(kind, count)| (kind.provider, kind.qos_status, kind.ready, kind.reason, count)).collect()
    }

    #[test]
    fn what_others_write_is_no_label() {
        let of_users = session(json!({ "providerRef": { "name": "no-such-provider" } }), &json!({}));
        let of_a_provider = session(
            json!({}),
            &json!({ "qosStatus": "SPLENDID", "provider": { "name": "acme", "uid": "1" }, "conditions": ready("Maybe", "Whatever") }),
        );
        assert_eq!(
            kinds(&[of_users, of_a_provider]),
            [(String::new(), "NONE", "Unknown", "", 1), ("acme".to_owned(), "OTHER", "Unknown", "Other", 1)]
        );
    }

    #[test]
    fn a_session_counts_where_it_lives_then_where_it_wants_to_and_then_at_the_default() {
        let moved = session(
            json!({ "providerRef": { "name": "default" } }),
            &json!({ "qosStatus": "AVAILABLE", "provider": { "name": "acme", "uid": "1" }, "conditions": ready("True", "Available") }),
        );
        let unnamed = session(json!({}), &json!({ "conditions": ready("False", "QuotaExceeded") }));
        assert_eq!(
            kinds(&[moved.clone(), unnamed, moved]),
            [
                ("acme".to_owned(), "AVAILABLE", "True", "Available", 2),
                ("default".to_owned(), "NONE", "False", "QuotaExceeded", 1)
            ]
        );
    }

    #[test]
    fn the_next_expiry_is_the_first_of_those_that_are_held() {
        let until = |id: Option<&str>, at: &str| {
            let spec = json!({ "durationSeconds": 600 });
            session(spec, &json!({ "sessionId": id, "expiresAt": at, "provider": { "name": "acme", "uid": "1" } }))
        };
        let sessions = [
            until(Some("a"), "2026-11-24T12:00:00Z"),
            until(Some("b"), "2026-11-24T11:00:00Z"),
            until(None, "2026-11-24T10:00:00Z"),
        ];
        let known = BTreeSet::from(["acme".to_owned()]);
        let next = Summary::of(&sessions, &known, None).next_expiry;
        let expected = BTreeMap::from([(("acme".to_owned(), "Never"), "2026-11-24T11:00:00Z".parse().unwrap())]);
        assert_eq!(next, expected);
    }
}
