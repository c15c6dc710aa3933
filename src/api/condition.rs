//! The condition types, and the closed lists of reasons. Conditions themselves are `metav1.Condition`.

use std::fmt;
use std::str::FromStr;

/// Types of the conditions in `status.conditions` of both kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConditionType {
    /// The network gives the QoS, for this generation of the spec. `QosSession` only.
    Available,
    /// The declaration has been reached.
    Ready,
    /// The operator is at work, or waits for something that can come by itself or by another object. There only while True, and
    /// never together with [`ConditionType::Stalled`].
    Reconciling,
    /// The spec must change, or a person must lift a refusal. There only while True.
    Stalled,
    /// The provider's notifications arrive, told from evidence. `QosProvider` only, and only where it is asked to notify.
    NotificationsReceived,
}

impl ConditionType {
    /// As it stands in `type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::NotificationsReceived => "NotificationsReceived",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is none of the reasons in the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a known reason")]
pub struct UnknownReason(pub String);

/// Makes an enum of reasons whose names are its variants', with the list of all of them.
macro_rules! reasons {
    ($(#[$enum_doc:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident,)+ }) => {
        $(#[$enum_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Every reason, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it stands in `reason`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownReason;

            fn from_str(text: &str) -> Result<Self, UnknownReason> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or_else(|| UnknownReason(text.to_owned()))
            }
        }
    };
}

reasons! {
    /// Why a condition has its status: the closed list, for both kinds. Scripts and dashboards match on these names, so none is
    /// ever renamed.
    Reason {
        /// The network gives the QoS.
        Available,
        /// The provider has accepted the session; it is not yet in force.
        Requested,
        /// The session has run for as long as was declared.
        Expired,
        /// No session is held while `suspend` is true.
        Suspended,
        /// The annotation `qos-operator.io/paused` stops every effect.
        Paused,
        /// The session of an earlier spec gives way to that of the new one.
        Updating,
        /// `suspend` is true and the session is being released.
        Releasing,
        /// The provider cannot extend: the session is released and created again.
        Renewing,
        /// Renewal is due and does not succeed; the session still runs.
        RenewalFailing,
        /// The network ended the session.
        NetworkTerminated,
        /// The provider no longer knows the session.
        Vanished,
        /// Another session holds this device and flow.
        DeviceBusy,
        /// The answer to a create was lost, or its record cannot be read.
        OutcomeUnknown,
        /// The object is being deleted and the provider does not confirm the release.
        ReleaseBlocked,
        /// The named `QosProvider` does not exist, or none is the default.
        ProviderNotFound,
        /// The `QosProvider` is not Ready.
        ProviderNotReady,
        /// The provider does not answer.
        ProviderUnreachable,
        /// The provider answers with an error of its own.
        ProviderError,
        /// The provider asks to wait.
        QuotaExceeded,
        /// The `QosProvider`'s budget is used up.
        BudgetExceeded,
        /// The `QosProvider` does not admit this namespace.
        NamespaceNotAllowed,
        /// An admission policy refused the operator's record of its attempt.
        AdmissionDenied,
        /// The spec asks for what this provider's API version cannot express.
        InvalidSpec,
        /// A Secret or one of its keys is missing or unreadable.
        SecretNotFound,
        /// The provider does not offer the profile.
        ProfileUnavailable,
        /// The profile or the API version does not allow the duration.
        DurationOutOfRange,
        /// The provider does not know the device.
        DeviceNotFound,
        /// The provider does not take this identifier of the device.
        IdentifierRejected,
        /// The provider refuses the credentials.
        CredentialsRejected,
        /// The subscriber's consent is awaited.
        ConsentPending,
        /// The subscriber's consent was refused.
        ConsentDenied,
        /// `QosProvider`: the credentials work and a read-only call was answered.
        Verified,
        /// `QosProvider`: nothing can be tried without cost.
        Unverified,
        /// `QosProvider`: it is being deleted and sessions still live there.
        InUse,
        /// `QosProvider`: notifications arrive.
        Received,
        /// `QosProvider`: sessions changed and no notification told of it.
        NoneReceived,
        /// `QosProvider`: no notification was due yet.
        Awaited,
        /// `QosProvider`: the API takes an https callback URL only.
        HTTPSRequired,
    }
}

reasons! {
    /// Reasons of Events that are not also reasons of a condition.
    EventReason {
        /// A session that the network ended, or that vanished or ran out, is AVAILABLE again.
        Recovered,
        /// A renewal had a gap, since the provider cannot extend.
        RenewedWithGap,
        /// The session of a create whose answer was lost has been found and taken over.
        Adopted,
        /// A second session of the same object has been found and released.
        DuplicateReleased,
        /// The release was never confirmed; the time has passed after which nothing can be left.
        ReleaseAbandoned,
        /// `deletionPolicy` is Orphan: the session was left at the provider.
        Orphaned,
        /// Several `QosProvider`s are marked as default; the newest is used.
        DefaultAmbiguous,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_reason_is_read_back_from_its_own_name_and_another_word_is_refused() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
        for reason in EventReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
        assert_eq!("available".parse::<Reason>(), Err(UnknownReason("available".to_owned())));
    }

    #[test]
    fn no_name_means_a_condition_and_an_event_of_its_own() {
        let conditions: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(conditions.len(), 38);
        assert!(EventReason::ALL.iter().all(|reason| !conditions.contains(reason.as_str())));
    }
}
