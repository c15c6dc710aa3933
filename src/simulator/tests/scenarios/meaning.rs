//! What the number of a scenario means: it shifts between releases.

use super::super::super::generation::Generation;

/// What a scenario is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    /// The operation's own success, with the conditions on each property.
    Success,
    /// `sink` with a credential; the event of the session's new status is due.
    Event,
    /// A three-legged token, no device.
    ThreeLegged,
    /// The server as subnets.
    ServerSubnets,
    /// The server as a list.
    ServerList,
    /// A session that was terminated, or (r1.3, r2.2) deleted, is still shown.
    Ended,
    /// DELETE of an AVAILABLE session: its event is due.
    DeleteEvent,
    /// An extend beyond the profile's maximum.
    BeyondMaximum,
    /// A device without sessions.
    NoSessions,
    /// Profiles by name, by status, restricted ones with and without their device, none for the device.
    ByName,
    ByStatus,
    RestrictedShown,
    RestrictedHidden,
    NoProfiles,
    EmptyDevice,
    MalformedDevice,
    UnknownDevice,
    UnnecessaryDevice,
    MissingDevice,
    UnsupportedDevice,
    NoService,
    Mismatch,
    TokenContext,
    Schema,
    NoBody,
    EmptyBody,
    EmptyProperty,
    Ports,
    CredentialType,
    TokenType,
    UnknownProfile,
    Duration,
    Correlator,
    /// `ipAddresses` beside a subnet, empty, too long, twice the same, no address, a subnet.
    BothServers,
    EmptyList,
    LongList,
    TwiceInList,
    WrongInList,
    SubnetInList,
    MalformedId,
    MalformedName,
    LongName,
    NoToken,
    ExpiredToken,
    WrongToken,
    NoScope,
    ForeignSession,
    NotFound,
    Conflict,
    NotAvailable,
    InactiveProfile,
    PrivateKey,
    TooMany,
}

/// What `suffix` means in that feature of that release; none: it is unknown.
pub(super) fn meaning(generation: Generation, feature: &str, suffix: &str) -> Option<Scenario> {
    use Scenario as S;
    let (first, last) = (generation == Generation::V0_11, generation == Generation::V1_2);
    // r4.1 writes 400.01 in the profiles' features.
    let plain = suffix.replace(".0", ".");
    let suffix = if suffix.starts_with('C') { suffix } else { &plain };
    let common = match suffix {
        "C01.01" => Some(S::EmptyDevice),
        "C01.02" => Some(S::MalformedDevice),
        "C01.03" => Some(S::UnknownDevice),
        "C01.04" => Some(S::UnnecessaryDevice),
        "C01.05" => Some(S::MissingDevice),
        "C01.06" => Some(S::UnsupportedDevice),
        "C01.07" => Some(S::NoService),
        "C01.08" => Some(S::Mismatch),
        "401.1" => Some(S::NoToken),
        "401.2" => Some(S::ExpiredToken),
        "401.3" => Some(S::WrongToken),
        "403.1" if !first => Some(S::NoScope),
        "403.2" => Some(S::ForeignSession),
        "429.1" => Some(S::TooMany),
        _ => None,
    };
    if common.is_some() {
        return common;
    }
    // From r3.2 on the numbers behind 400.4 of createSession are one lower: 400.5 had become C01.02.
    let renumbered = match (generation >= Generation::V1_1, suffix) {
        (true, "400.5") => "400.6",
        (true, "400.6") => "400.7",
        (true, "400.7") => "400.8",
        (true, "400.8") => "400.9",
        (true, "400.9") => "400.10",
        (true, "400.10") => "correlator",
        _ => suffix,
    };
    let create = match renumbered {
        "01" => Some(S::Success),
        "02" | "02_1" | "02_2" => Some(S::Event),
        "03" => Some(S::ThreeLegged),
        "04_1" => Some(S::ServerSubnets),
        "04_2" => Some(S::ServerList),
        "400.1" => Some(S::Schema),
        "400.2" => Some(S::NoBody),
        "400.3" => Some(S::EmptyBody),
        "400.4" => Some(S::EmptyProperty),
        "400.5" => Some(S::MalformedDevice),
        "400.6" => Some(S::Ports),
        "400.7" => Some(S::CredentialType),
        "400.8" => Some(S::TokenType),
        "400.9" => Some(S::UnknownProfile),
        "400.10" => Some(S::Duration),
        "correlator" => Some(S::Correlator),
        "400.11" => Some(S::BothServers),
        "400.12" => Some(S::EmptyList),
        "400.13" => Some(S::LongList),
        "400.14" => Some(S::TwiceInList),
        "400.15" => Some(S::WrongInList),
        "400.16" => Some(S::SubnetInList),
        "403.1" => Some(S::TokenContext),
        "404.1" => Some(S::UnknownDevice),
        "409.1" => Some(S::Conflict),
        "422.1" if first => Some(S::UnsupportedDevice),
        "422.1" => Some(S::InactiveProfile),
        "422.2" if first => Some(S::Mismatch),
        "422.2" => Some(S::PrivateKey),
        "422.3" => Some(S::NoService),
        "422.4" => Some(S::MissingDevice),
        _ => None,
    };
    match (feature, suffix) {
        ("createSession", _) => create,
        (_, "01") => Some(S::Success),
        ("getSession", "02") => Some(S::Ended),
        ("deleteSession", "02") => Some(S::DeleteEvent),
        ("getSession" | "deleteSession", "400.1") | ("extend", "400.2") => Some(S::MalformedId),
        ("getSession" | "deleteSession", "400.2") | ("extend", "400.5") => Some(S::Correlator),
        ("getSession" | "deleteSession" | "extend", "403.1") => Some(S::ForeignSession),
        ("getSession" | "deleteSession" | "extend" | "getQosProfile", "404.1") => Some(S::NotFound),
        ("extend", "02") => Some(S::BeyondMaximum),
        ("extend" | "retrieveSessions" | "retrieveQoSProfiles", "400.1") => Some(S::Schema),
        ("extend", "400.3") | ("retrieveSessions" | "retrieveQoSProfiles", "400.2") => Some(S::NoBody),
        ("extend", "409.1") => Some(S::NotAvailable),
        ("retrieveSessions", "02") => Some(S::NoSessions),
        ("retrieveSessions" | "retrieveQoSProfiles" | "getQosProfile", "400.3") if last => Some(S::Correlator),
        ("extend", "400.4") | ("retrieveSessions", "400.3") => Some(S::EmptyBody),
        // The text of r1.3's 400.4 to 400.6 was not at hand: read as createSession's scenarios for a device.
        ("retrieveSessions", "400.4") => Some(S::EmptyDevice),
        ("retrieveSessions", "400.5") | ("retrieveQoSProfiles", "400.3") => Some(S::MalformedDevice),
        ("retrieveSessions", "400.6") => Some(S::Ports),
        ("retrieveSessions", _) => create,
        ("getQosProfile", "400.1") => Some(S::MalformedName),
        ("getQosProfile", "400.2") => Some(S::LongName),
        ("retrieveQoSProfiles", "02") => Some(S::ByName),
        ("retrieveQoSProfiles", "03") => Some(S::ByStatus),
        ("retrieveQoSProfiles", "04") => Some(S::RestrictedShown),
        ("retrieveQoSProfiles", "05") => Some(S::RestrictedHidden),
        ("retrieveQoSProfiles", "06") => Some(S::NoProfiles),
        ("retrieveQoSProfiles", "403.1") => Some(S::TokenContext),
        ("retrieveQoSProfiles", "422.1") => Some(S::UnsupportedDevice),
        ("retrieveQoSProfiles", "422.2") => Some(S::Mismatch),
        _ => None,
    }
}
