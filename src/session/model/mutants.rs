//! Each rule switched off in turn: the search must notice. The exploration that is named beside a rule is a small one in which it
//! is missed.

use super::super::rules::Rule;

/// Every rule, with the exploration that misses it.
pub(super) const RULES: &[(Rule, &str)] = &[
    (Rule::IntentBeforeSend, "list"),
    (Rule::IntentGuardedByVersion, "list, doubles"),
    (Rule::SettlingTime, "list"),
    (Rule::OpenHoldsFinalizer, "no list, doubles"),
    (Rule::SendWindow, "no list"),
    (Rule::ConfirmedRelease, "no list"),
    (Rule::LookUpOfOpen, "list"),
    (Rule::LookUpAtFirstSight, "list, doubles: strip annotation and status"),
    (Rule::LookUpErrorIsNotEmpty, "list: errors"),
    (Rule::LagInSettle, "list lags, doubles"),
    (Rule::ReleaseOfRetained, "list: network, crash"),
    (Rule::GatewayIsNotGone, "list: gateway"),
    (Rule::NoSecondSendWhereDoublesLive, "no list, doubles"),
    (Rule::OneObjectAFlow, "two objects: list, doubles"),
    (Rule::DeathCountsTheWay, "no list"),
    (Rule::DeathCountsRequested, "no list: REQUESTED"),
    (Rule::DeathCountsLongestGrant, "no list: longer grants"),
    (Rule::EndByTime, "no list: provider down"),
    (Rule::NonceSettles, "no list"),
    (Rule::StatusGuardedByVersion, "no list: two replicas, no fault"),
    (Rule::FinalizerGuardedByUid, "list: re-creation, two replicas"),
    (Rule::RecordAsSent, "no list: another provider"),
    (Rule::EarlierSendRemembered, "no list"),
    (Rule::RefusalKeepsEarlier, "no list"),
    (Rule::FreshNonce, "no list: events"),
    (Rule::SameRequestOnly, "no list"),
    (Rule::NoAdoptionByFlow, "list without sink"),
    (Rule::LateAnswerIsChecked, "no list: two replicas, no fault"),
    (Rule::SupersededIsReleased, "no list: two replicas, no fault"),
    (Rule::TwoExtensionsInBound, "no list: extends"),
    (Rule::ExtendAfterLook, "no list: extends without a look"),
    (Rule::BusyLooksFirst, "list: strip annotation"),
    (Rule::BoundWithoutExpiry, "list: REQUESTED"),
    (Rule::RetentionInClear, "no list: retention"),
    (Rule::TimesAreFixedAtSend, "no list: shortened"),
    (Rule::DecidedAsOfTheLook, "list"),
];
