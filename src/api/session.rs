//! `QosSession`: one Quality-on-Demand session, declared.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device::{ApplicationServer, Device, PortsSpec};
use super::{never_observed, rules};
use crate::private::Private;

/// What the session should be. Nothing in it is immutable: another flow, profile or provider means that the session is released
/// and another one created.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "qos-operator.io",
    version = "v1alpha1",
    kind = "QosSession",
    plural = "qossessions",
    singular = "qossession",
    shortname = "qos",
    category = "qos-operator",
    namespaced,
    status = "QosSessionStatus",
    derive = "Default",
    derive = "PartialEq",
    cel,
    doc = "QosSession is one CAMARA Quality-on-Demand session: the network gives the traffic between a device and an application \
           server a QoS profile. The operator creates it at the provider, keeps it as declared, and releases it when the object \
           is deleted.",
    selectable = ".spec.qosProfile",
    selectable = ".status.provider.name",
    selectable = ".status.qosStatus",
    printcolumn(
        name = "QoS",
        type_ = "string",
        json_path = ".status.qosStatus",
        description = "What the provider last said: REQUESTED, AVAILABLE or UNAVAILABLE"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the declaration has been reached"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why Ready has its status"
    ),
    printcolumn(name = "Profile", type_ = "string", json_path = ".spec.qosProfile", description = "The QoS profile asked for"),
    printcolumn(
        name = "Expires",
        type_ = "string",
        json_path = ".status.expiresAt",
        description = "When the session ends unless it is renewed"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Provider",
        type_ = "string",
        json_path = ".status.provider.name",
        description = "The QosProvider where the session lives",
        priority = 1
    ),
    printcolumn(
        name = "Device",
        type_ = "string",
        json_path = ".status.device",
        description = "The device, masked",
        priority = 1
    ),
    printcolumn(
        name = "Session",
        type_ = "string",
        json_path = ".status.sessionId",
        description = "The provider's id of the session",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        description = "What Ready says in words",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.renewalPolicy) || self.renewalPolicy != 'Never' || has(self.durationSeconds)")
    .field_path(".durationSeconds")
    .reason(Reason::FieldValueRequired)
    .message("durationSeconds is required when renewalPolicy is Never: it says how long the session runs"))]
pub struct QosSessionSpec {
    /// The `QosProvider` to create the session at. Absent: the default provider, looked up at each create and kept in
    /// `status.provider` while the session lives, so that a later change of the default moves no living session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<ProviderRef>,

    /// The device whose traffic gets the QoS. Required even where it is not sent to the provider: it is also the hint for the
    /// login, and the operator settles by it which of two sessions holds a device.
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub device: Device,

    /// The server at the other end of the traffic.
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub application_server: ApplicationServer,

    /// The device's ports that the session is for. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub device_ports: Option<PortsSpec>,

    /// The application server's ports that the session is for. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub application_server_ports: Option<PortsSpec>,

    /// Name of the QoS profile, as the provider offers it (see `status.profiles` of the `QosProvider`). With API version v0.8 one
    /// of `QOS_E`, `QOS_S`, `QOS_M`, `QOS_L`.
    #[schemars(length(min = 3, max = 256), regex(pattern = rules::PROFILE))]
    pub qos_profile: String,

    /// Duration in seconds. With `renewalPolicy` Never: how long the session runs in all, from when it first was AVAILABLE, gaps
    /// included; an edit moves the end. With Always: the lease to ask for, renewed before it ends. Absent: a standing session, in
    /// leases of 3600 seconds or what the profile allows. At most 86400 up to API version v0.10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub duration_seconds: Option<i32>,

    /// Whether the session is renewed. Always: it is kept AVAILABLE until the object is deleted. Never: it runs for
    /// `durationSeconds` and ends. Absent: Never where `durationSeconds` is set, Always where it is not; who asks for an hour gets
    /// an hour and pays for one.
    // A rule in place of an enum: the API server refuses null for every enum, even one that lists it, and null means absent here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 64))]
    #[x_kube(validation = Rule::new("self in ['Always', 'Never']").message("supported values: \"Always\", \"Never\""))]
    pub renewal_policy: Option<RenewalPolicy>,

    /// What follows when the network ends the session, or the provider no longer knows it. Recreate: another one is created, with
    /// `renewalPolicy` Never only for the time that is left. Never: it ends there, until the flow, the profile, the provider or
    /// this field change.
    #[serde(default)]
    pub recovery_policy: RecoveryPolicy,

    /// What happens to the session when the object is deleted. Delete: it is released. Orphan: it is left at the provider, which
    /// may charge for it until it expires.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// True releases the session and keeps the object; false creates it again.
    #[serde(default)]
    pub suspend: bool,
}

impl QosSessionSpec {
    /// `renewalPolicy` as it is read: without one, a duration means that the session ends after it.
    pub fn effective_renewal_policy(&self) -> RenewalPolicy {
        self.renewal_policy.unwrap_or(if self.duration_seconds.is_some() { RenewalPolicy::Never } else { RenewalPolicy::Always })
    }
}

/// A reference to a `QosProvider`.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProviderRef {
    /// Name of the `QosProvider`.
    #[schemars(length(min = 1, max = 253), regex(pattern = rules::NAME))]
    pub name: String,
}

/// Whether a session is renewed: Always (kept AVAILABLE until the object is deleted) or Never (it runs for `durationSeconds` and
/// ends).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RenewalPolicy {
    /// Kept AVAILABLE until the object is deleted.
    Always,
    /// Runs for `durationSeconds` and ends.
    Never,
}

/// What follows when a session is lost: Recreate or Never.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecoveryPolicy {
    /// Another session is created.
    #[default]
    Recreate,
    /// It ends there.
    Never,
}

/// What happens to the session when the object is deleted: Delete or Orphan.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// The session is released.
    #[default]
    Delete,
    /// The session is left at the provider.
    Orphan,
}

/// What the operator and the provider have made of the session. Written by the operator alone.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct QosSessionStatus {
    /// The generation of the spec that the conditions are about; -1: nobody has looked at the object yet.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,

    /// What the provider last said: REQUESTED, AVAILABLE, UNAVAILABLE, or a word of a later API version. Absent: there never was
    /// a session, or the provider did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub qos_status: Option<String>,

    /// Why the session is UNAVAILABLE: `DURATION_EXPIRED`, `NETWORK_TERMINATED`, `DELETE_REQUESTED`, or a word of a later API
    /// version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub status_info: Option<String>,

    /// The provider's id of the session; there only while the session may live or block another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub session_id: Option<String>,

    /// When the session began, as the provider said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,

    /// When the session ends unless it is renewed, as the provider said; there only while that lies ahead, or while the session
    /// is not known to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,

    /// With `renewalPolicy` Never: when the run first was AVAILABLE. It ends `durationSeconds` later, through re-creations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_started_at: Option<Time>,

    /// The duration that the provider granted, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_duration_seconds: Option<i64>,

    /// The device, masked, for people: `tel:*601`, `nai:*@example.com`, `ip:203.0.113.25:8080`. Never a phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub device: Option<String>,

    /// The `QosProvider` where the session lives, may live, or lived last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<SessionProvider>,

    /// Fingerprint of the flow, profile and provider of the living session, then of the last one: `v1:` and 16 hexadecimal
    /// digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub applied_hash: Option<String>,

    /// What came of the attempt that the annotation `qos-operator.io/attempt` records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<SessionAttempt>,

    /// The last value of the annotation `qos-operator.io/reconcile-requested-at` that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_reconcile_at: Option<String>,

    /// Available, Ready, Reconciling and Stalled. Reconciling and Stalled are there only while True, and never both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl Default for QosSessionStatus {
    /// As the API server fills it in: nobody has looked at the object yet.
    fn default() -> Self {
        Self {
            observed_generation: never_observed(),
            qos_status: None,
            status_info: None,
            session_id: None,
            started_at: None,
            expires_at: None,
            run_started_at: None,
            granted_duration_seconds: None,
            device: None,
            provider: None,
            applied_hash: None,
            attempt: None,
            last_handled_reconcile_at: None,
            conditions: Vec::new(),
        }
    }
}

/// One `QosProvider` object. A name can be used again after a deletion, so the uid says which one.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionProvider {
    /// Name of the `QosProvider`.
    #[schemars(length(max = 253))]
    pub name: String,

    /// `metadata.uid` of the `QosProvider`.
    #[schemars(length(max = 64))]
    pub uid: String,
}

/// What came of one attempt to create a session. An unknown outcome is never written: an annotation whose nonce is not the one
/// here is not settled.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionAttempt {
    /// The nonce of the settled annotation.
    #[schemars(length(max = 64))]
    pub nonce: Private<String>,

    /// Created: the provider made the session. Busy: it answered 409. Refused: it answered with another 4xx, or nothing was sent.
    /// Absent: the request never landed.
    #[schemars(with = "String", length(max = 64))]
    pub outcome: AttemptOutcome,

    /// Refusals or terminations one after the other, so that the growing pause between attempts outlives a change of leader.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub failures: i32,

    /// Fingerprint of the client that made the session: 16 hexadecimal digits. Absent with a static token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub client: Option<String>,
}

/// Outcome of an attempt. A word of a later version of the operator is kept as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptOutcome {
    /// The provider made the session.
    Created,
    /// The provider answered 409.
    Busy,
    /// The provider answered with another 4xx, or nothing was sent.
    Refused,
    /// The request never landed.
    Absent,
    /// A word that this version does not know.
    #[serde(untagged)]
    Unknown(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_alone_ends_and_a_session_without_one_is_renewed() {
        let mut spec = QosSessionSpec::default();
        assert_eq!(spec.effective_renewal_policy(), RenewalPolicy::Always);
        spec.duration_seconds = Some(3600);
        assert_eq!(spec.effective_renewal_policy(), RenewalPolicy::Never);
        spec.renewal_policy = Some(RenewalPolicy::Always);
        assert_eq!(spec.effective_renewal_policy(), RenewalPolicy::Always);
    }

    #[test]
    fn an_outcome_of_a_later_version_is_kept_word_for_word() {
        let written = serde_json::json!({"nonce": "n", "outcome": "Deferred", "failures": 2});
        let attempt: SessionAttempt = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(attempt.outcome, AttemptOutcome::Unknown("Deferred".to_owned()));
        assert_eq!(serde_json::to_value(&attempt).unwrap(), written);
        let known: AttemptOutcome = serde_json::from_value("Busy".into()).unwrap();
        assert_eq!(known, AttemptOutcome::Busy);
    }

    #[test]
    fn an_object_prints_nothing_of_its_device_and_nonce() {
        let session: QosSession = serde_json::from_value(serde_json::json!({
            "apiVersion": "qos-operator.io/v1alpha1", "kind": "QosSession", "metadata": {"name": "camera"},
            "spec": {
                "device": {
                    "phoneNumber": "+447700900112", "networkAccessIdentifier": "user-7@example.com", "ipv6Address": "2001:db8::1",
                    "ipv4Address": {"publicAddress": "203.0.113.25", "privateAddress": "192.0.2.26"},
                },
                "applicationServer": {"ipv4Address": "198.51.100.7"},
                "qosProfile": "QOS_E",
            },
            "status": {"attempt": {"nonce": "a-nonce", "outcome": "Created"}},
        }))
        .unwrap();
        let printed = format!("{session:?}");
        for secret in ["447700900112", "user-7", "2001:db8", "203.0.113.25", "192.0.2.26", "a-nonce"] {
            assert!(!printed.contains(secret), "{secret} is in {printed}");
        }
        assert!(printed.contains("198.51.100.7"));
    }

    #[test]
    fn a_status_that_nobody_wrote_says_that_nobody_has_looked() {
        let status: QosSessionStatus = serde_json::from_str("{}").unwrap();
        assert_eq!(status, QosSessionStatus::default());
        assert_eq!(serde_json::to_string(&status).unwrap(), r#"{"observedGeneration":-1}"#);
    }
}
