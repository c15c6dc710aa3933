//! The status of a `QosProvider`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::never_observed;

/// What the operator has found out about the provider. Written by the operator alone.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct QosProviderStatus {
    /// The generation of the spec that the conditions are about; -1: nobody has looked at the object yet.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,

    /// `QosSession`s that hold or may hold a session here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<i32>,

    /// What a refusal has taught of `spec.api.deviceInRequest` Auto: Always or Never. Absent: it is as the version has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub device_in_request: Option<String>,

    /// What the API can do here: what its version has, less what the provider has answered with 405 or 501. Looked for anew when
    /// `api`, `auth` or a Secret that they name changes, or the operator starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub capabilities: Vec<Capability>,

    /// What of the budget is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetStatus>,

    /// The QoS profiles that the provider offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub profiles: Vec<ProfileStatus>,

    /// The last value of the annotation `qos-operator.io/reconcile-requested-at` that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_reconcile_at: Option<String>,

    /// Ready, Reconciling, Stalled and NotificationsReceived. Reconciling and Stalled are there only while True, and never both;
    /// NotificationsReceived where the provider is asked to notify.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl Default for QosProviderStatus {
    /// As the API server fills it in: nobody has looked at the object yet.
    fn default() -> Self {
        Self {
            observed_generation: never_observed(),
            sessions: None,
            device_in_request: None,
            capabilities: Vec::new(),
            budget: None,
            profiles: Vec::new(),
            last_handled_reconcile_at: None,
            conditions: Vec::new(),
        }
    }
}

/// What of a budget is used.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetStatus {
    /// The UTC day that is counted, such as 2026-11-24.
    #[schemars(length(max = 10))]
    pub day: String,

    /// Seconds granted on that day.
    pub session_seconds: i64,
}

/// A QoS profile that the provider offers.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileStatus {
    /// Name of the profile.
    #[schemars(length(max = 256))]
    pub name: String,

    /// ACTIVE, INACTIVE, DEPRECATED, or a word of a later API version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub status: Option<String>,

    /// The shortest session, in seconds. Absent: the provider names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_duration_seconds: Option<i64>,

    /// The longest session, in seconds. Absent: the provider names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration_seconds: Option<i64>,
}

/// What an API can do besides creating, reading and deleting sessions: Extend (lengthen a session), List (show a device's sessions),
/// Callbacks (notify) or Profiles (tell what it offers).
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Capability {
    /// Sessions can be lengthened.
    Extend,
    /// The sessions of a device can be listed.
    List,
    /// It notifies.
    Callbacks,
    /// It tells its profiles.
    Profiles,
}
