//! The rules of the protocol that the model check switches off one at a time, to see that it would notice.
//!
//! In a shipped build [`Rules::on`] is always true and costs nothing.

/// A rule of the protocol, by what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each name is the rule; docs/architecture.md tells why it is there")]
pub enum Rule {
    IntentBeforeSend,
    IntentGuardedByVersion,
    SettlingTime,
    OpenHoldsFinalizer,
    SendWindow,
    ConfirmedRelease,
    LookUpOfOpen,
    LookUpAtFirstSight,
    LookUpErrorIsNotEmpty,
    LagInSettle,
    ReleaseOfRetained,
    GatewayIsNotGone,
    NoSecondSendWhereDoublesLive,
    OneObjectAFlow,
    DeathCountsTheWay,
    DeathCountsRequested,
    DeathCountsLongestGrant,
    EndByTime,
    NonceSettles,
    StatusGuardedByVersion,
    FinalizerGuardedByUid,
    RecordAsSent,
    EarlierSendRemembered,
    RefusalKeepsEarlier,
    FreshNonce,
    SameRequestOnly,
    NoAdoptionByFlow,
    LateAnswerIsChecked,
    SupersededIsReleased,
    TwoExtensionsInBound,
    ExtendAfterLook,
    BusyLooksFirst,
    BoundWithoutExpiry,
    RetentionInClear,
    TimesAreFixedAtSend,
    DecidedAsOfTheLook,
}

/// Which rules are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rules {
    #[cfg(test)]
    off: Option<Rule>,
}

impl Rules {
    /// All rules.
    pub const ALL: Self = Self {
        #[cfg(test)]
        off: None,
    };

    /// All rules but one.
    #[cfg(test)]
    pub const fn without(rule: Rule) -> Self {
        Self { off: Some(rule) }
    }

    /// Whether `rule` is in force.
    #[cfg(test)]
    pub fn on(self, rule: Rule) -> bool {
        self.off != Some(rule)
    }

    /// Whether `rule` is in force: always.
    #[cfg(not(test))]
    pub const fn on(self, _rule: Rule) -> bool {
        true
    }
}
