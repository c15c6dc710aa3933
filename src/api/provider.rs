//! `QosProvider`: one operator's Quality-on-Demand API, and on what terms it may be used.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::{ProviderAuth, SecretNameRef};
use super::provider_status::QosProviderStatus;
use super::rules;

/// Where the API is, how to log in, and who may use it for how much.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "qos-operator.io",
    version = "v1alpha1",
    kind = "QosProvider",
    plural = "qosproviders",
    singular = "qosprovider",
    shortname = "qosp",
    category = "qos-operator",
    status = "QosProviderStatus",
    derive = "PartialEq",
    cel,
    doc = "QosProvider is a CAMARA Quality-on-Demand API of a mobile network operator: its address and version, the credentials, \
           and the limits of its use. The annotation qos-operator.io/is-default-provider: \"true\" makes it the one that a \
           QosSession without providerRef uses.",
    validation = rules::locked_while_in_use("version"),
    validation = rules::locked_while_in_use("baseURL"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the provider can be used"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why Ready has its status"
    ),
    printcolumn(name = "API", type_ = "string", json_path = ".spec.api.version", description = "Version of the API"),
    printcolumn(
        name = "Sessions",
        type_ = "integer",
        json_path = ".status.sessions",
        description = "QosSessions that hold or may hold a session here"
    ),
    printcolumn(
        name = "Default",
        type_ = "string",
        json_path = ".metadata.annotations.qos-operator\\.io/is-default-provider",
        description = "Whether QosSessions without providerRef use it"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "URL",
        type_ = "string",
        json_path = ".spec.api.baseURL",
        description = "Address of the API",
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
pub struct QosProviderSpec {
    /// The API: version, address, and how this operator's flavour of it differs.
    pub api: ProviderApi,

    /// How to log in: exactly one of `staticToken`, `clientCredentials`, `ciba`, `jwtBearer`. All Secrets are of the operator's own
    /// namespace.
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub auth: ProviderAuth,

    /// How fast and how patiently the API is called.
    #[serde(default)]
    pub limits: ProviderLimits,

    /// How often sessions are asked after.
    #[serde(default)]
    pub polling: ProviderPolling,

    /// Whether the provider is asked to notify of changes, and where.
    #[serde(default)]
    pub notifications: ProviderNotifications,

    /// The longest duration, in seconds, that one create asks for. Longer sessions are extended, or released and created again
    /// where the API cannot extend. Absent: no limit but the API's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60))]
    pub max_lease_seconds: Option<i32>,

    /// The namespaces whose `QosSession`s may use this provider.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,

    /// How much may be spent here. Absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<ProviderBudget>,
}

/// The provider's API.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::url("baseURL"), validation = rules::optional_url("profilesURL"))]
pub struct ProviderApi {
    /// Version of CAMARA's quality-on-demand that the provider speaks, such as v0.10. It cannot change while sessions live on this
    /// provider.
    pub version: ApiVersion,

    /// Address of the API: what stands before `/sessions`. It cannot change while sessions live on this provider.
    #[serde(rename = "baseURL")]
    #[schemars(length(max = 512))]
    pub base_url: String,

    /// Address of the profiles' API: what stands before `/qos-profiles`. Absent: derived from `baseURL`.
    #[serde(rename = "profilesURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub profiles_url: Option<String>,

    /// Whether the device is sent in the body. Auto: Always up to v0.10 and with a token of the client alone; Never with `ciba` or
    /// `jwtBearer` from v0.11, where the token names the device; what the provider rejects is corrected once and kept in
    /// `status.deviceInRequest`. Always and Never fix it.
    #[serde(default)]
    pub device_in_request: DeviceInRequest,

    /// How the address for notifications is sent. Auto: by the version. Webhook: as the object `webhook`. Sink: as `sink`.
    #[serde(default)]
    pub callback_field: CallbackField,

    /// Which ports a request may name. Any: what the version allows. Single: exactly one port on each side and no ranges, as
    /// Telefónica's v0.8 has it.
    #[serde(default)]
    pub ports: PortsForm,

    /// What the provider does with a second session for the same flow. Rejected: it answers 409. Accepted: it opens another; a
    /// create whose answer was lost is then never sent again while it may live.
    #[serde(default)]
    pub overlapping_sessions: OverlappingSessions,

    /// A Secret of the operator's namespace whose keys are names of headers sent with every call to the API, as for a gateway's key;
    /// not to the token endpoint. `Authorization`, `Host`, `Accept`, `Connection`, `Transfer-Encoding` and `Content-*` are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_headers_secret_ref: Option<SecretNameRef>,

    /// A Secret of the operator's namespace, of type kubernetes.io/tls (keys `tls.crt` and `tls.key`): the certificate that the
    /// operator shows to the API and to the token endpoint (mutual TLS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_secret_ref: Option<SecretNameRef>,

    /// PEM certificates, base64-encoded, that the certificates of the API and of the token endpoint are verified with, beside the
    /// system's roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 262_144), extend("format" = "byte"))]
    pub ca_bundle: Option<String>,
}

/// Versions of CAMARA's quality-on-demand. The `v` keeps YAML from reading 0.10 as 0.1.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ApiVersion {
    /// v0.8.
    #[serde(rename = "v0.8")]
    V0_8,
    /// v0.9.
    #[serde(rename = "v0.9")]
    V0_9,
    /// v0.10.
    #[serde(rename = "v0.10")]
    V0_10,
    /// v0.11.
    #[serde(rename = "v0.11")]
    V0_11,
    /// v1.0.
    #[serde(rename = "v1.0")]
    V1_0,
    /// v1.1.
    #[serde(rename = "v1.1")]
    V1_1,
    /// v1.2.
    #[serde(rename = "v1.2")]
    V1_2,
}

impl ApiVersion {
    /// As it stands in `spec.api.version`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_8 => "v0.8",
            Self::V0_9 => "v0.9",
            Self::V0_10 => "v0.10",
            Self::V0_11 => "v0.11",
            Self::V1_0 => "v1.0",
            Self::V1_1 => "v1.1",
            Self::V1_2 => "v1.2",
        }
    }
}

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the device is sent in the body: Auto, Always or Never.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeviceInRequest {
    /// By version and kind of token, corrected once.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How the address for notifications is sent: Auto, Webhook or Sink.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CallbackField {
    /// By version.
    #[default]
    Auto,
    /// In the object `webhook`.
    Webhook,
    /// In `sink`.
    Sink,
}

/// Which ports a request may name: Any or Single.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PortsForm {
    /// What the version allows.
    #[default]
    Any,
    /// Exactly one port on each side, no ranges.
    Single,
}

/// What the provider does with a second session for a flow: Rejected or Accepted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OverlappingSessions {
    /// It answers 409.
    #[default]
    Rejected,
    /// It opens another one.
    Accepted,
}

/// How fast and how patiently the API is called.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderLimits {
    /// Calls in a minute.
    #[schemars(range(min = 1, max = 60000))]
    pub requests_per_minute: i32,

    /// Calls under way at once.
    #[schemars(range(min = 1, max = 256))]
    pub max_in_flight: i32,

    /// Seconds after which a call counts as not answered.
    #[schemars(range(min = 1, max = 300))]
    pub request_timeout_seconds: i32,
}

impl Default for ProviderLimits {
    fn default() -> Self {
        Self { requests_per_minute: 600, max_in_flight: 16, request_timeout_seconds: 30 }
    }
}

/// How often sessions are asked after.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderPolling {
    /// Seconds between two looks at a session that is REQUESTED.
    #[schemars(range(min = 1, max = 3600))]
    pub requested_period_seconds: i32,

    /// Seconds between two looks at a session that is AVAILABLE.
    #[schemars(range(min = 10, max = 86400))]
    pub available_period_seconds: i32,
}

impl Default for ProviderPolling {
    fn default() -> Self {
        Self { requested_period_seconds: 5, available_period_seconds: 300 }
    }
}

/// Whether a provider is asked to notify, and where.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::optional_url("callbackURL"))]
pub struct ProviderNotifications {
    /// Auto: wherever there is a callback URL. Never: sessions here are only asked after.
    #[serde(default)]
    pub mode: NotificationsMode,

    /// URL under which this provider reaches the operator's receiver. Absent: the operator's own (its flag `--callback-url`). From
    /// version v1.1 on it must be https.
    #[serde(rename = "callbackURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub callback_url: Option<String>,
}

/// Whether a provider is asked to notify: Auto or Never.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NotificationsMode {
    /// Wherever there is a callback URL.
    #[default]
    Auto,
    /// Never.
    Never,
}

/// Which namespaces may use a provider.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
    .message("set selector when, and only when, from is Selector"))]
pub struct AllowedNamespaces {
    /// All: every namespace. Selector: those whose labels match `selector`. None: nothing new and no renewal; sessions that live
    /// are watched and released.
    #[serde(default)]
    pub from: NamespacesFrom,

    /// Labels of the namespaces; with `from` Selector only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub selector: Option<LabelSelector>,
}

/// Which namespaces: All, Selector or None.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NamespacesFrom {
    /// Every namespace.
    #[default]
    All,
    /// Those that match the selector.
    Selector,
    /// No namespace.
    None,
}

/// How much may be spent at a provider.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderBudget {
    /// Sessions that may live at once, over all namespaces. Absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_sessions: Option<i32>,

    /// Seconds granted by creates and extensions in one UTC day. Absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub max_session_seconds_per_day: Option<i64>,
}
