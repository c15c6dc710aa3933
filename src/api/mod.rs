//! The Kubernetes API of this operator: the custom resources `QosSession` and `QosProvider`, group `qos-operator.io`, version
//! `v1alpha1`. Plain data: nothing here reads a clock, a socket or a file. The doc comments of the fields are what
//! `kubectl explain` shows, so they are written for the person who writes the YAML.
//!
//! A field that mirrors a CAMARA field has CAMARA's name and values; all others follow the Kubernetes API conventions.

#![expect(unreachable_pub, reason = "the derive of KubeSchema puts a copy of each public struct into a function")]
#![expect(clippy::duplicated_attributes, reason = "every printed column has the same keys")]

mod auth;
mod condition;
mod device;
mod provider;
mod provider_status;
mod rules;
mod session;

pub use auth::{
    Ciba, ClientAuthentication, ClientCredentials, JwtBearer, OperationScopes, ProviderAuth, SecretNameRef, StaticToken,
    TokenSecretRef,
};
pub use condition::{ConditionType, EventReason, Reason, UnknownReason};
pub use device::{ApplicationServer, Device, Ipv4Device, PhoneNumberSource, PortRange, PortsSpec, SecretKeyRef};
pub use provider::{
    AllowedNamespaces, ApiVersion, CallbackField, DeviceInRequest, NamespacesFrom, NotificationsMode, OverlappingSessions,
    PortsForm, ProviderApi, ProviderBudget, ProviderLimits, ProviderNotifications, ProviderPolling, QosProvider, QosProviderSpec,
};
pub use provider_status::{BudgetStatus, Capability, ProfileStatus, QosProviderStatus};
pub use session::{
    AttemptOutcome, DeletionPolicy, ProviderRef, QosSession, QosSessionSpec, QosSessionStatus, RecoveryPolicy, RenewalPolicy,
    SessionAttempt, SessionProvider,
};

/// The API group of both kinds.
pub const GROUP: &str = "qos-operator.io";

/// The version of both kinds.
pub const VERSION: &str = "v1alpha1";

/// Finalizer of a `QosSession`: on it until its session is released, orphaned or surely expired.
pub const FINALIZER: &str = "qos-operator.io/release";

/// Finalizer of a `QosProvider`: on it from before the first attempt until no `QosSession` holds or may hold a session there.
pub const IN_USE_FINALIZER: &str = "qos-operator.io/in-use";

/// Annotation of a `QosSession` with the record of the last attempt (JSON, at most 2048 bytes), written before each create.
pub const ATTEMPT_ANNOTATION: &str = "qos-operator.io/attempt";

/// Annotation of both kinds: `"true"` stops every effect at the provider, release included. Set by people.
pub const PAUSED_ANNOTATION: &str = "qos-operator.io/paused";

/// Annotation of both kinds: any new value asks for a pass now; it is copied to `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUESTED_AT_ANNOTATION: &str = "qos-operator.io/reconcile-requested-at";

/// Annotation of a `QosProvider`: `"true"` makes it the one that a `QosSession` without `providerRef` uses.
pub const IS_DEFAULT_PROVIDER_ANNOTATION: &str = "qos-operator.io/is-default-provider";

/// `status.observedGeneration` of an object that nobody has looked at yet, so that tools which wait do not take it for done.
pub(crate) const fn never_observed() -> i64 {
    -1
}
