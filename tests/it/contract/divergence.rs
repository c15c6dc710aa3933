//! Where a document and what really goes over the wire are known to differ, each with its reason.

use super::check::Violation;

/// Which side's messages an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What our client sends.
    Client,
    /// What the simulator takes and answers.
    Simulator,
    /// What the simulator sends by itself.
    Events,
    /// What passes between the two.
    Both,
}

/// Violations that are no fault. All that is set must fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divergence {
    pub(crate) side: Side,
    /// The document's name.
    pub(crate) document: &'static str,
    /// The operationId; empty for all.
    pub(crate) operation: &'static str,
    /// `request`, `notification`, or a status; empty for all.
    pub(crate) message: &'static str,
    /// How the place begins.
    pub(crate) place: &'static str,
    /// A part of the rule.
    pub(crate) rule: &'static str,
    pub(crate) reason: &'static str,
}

impl Divergence {
    fn covers(&self, side: Side, violation: &Violation) -> bool {
        let fits = |set: &str, value: &str| set.is_empty() || set == value;
        (self.side == side || side == Side::Both)
            && self.document == violation.document
            && fits(self.operation, &violation.operation)
            && fits(self.message, &violation.message)
            && violation.place.starts_with(self.place)
            && violation.rule.contains(self.rule)
    }
}

/// All of them.
pub(crate) const KNOWN: &[Divergence] = &[
    mask(Side::Client, "camara/v0.8.1/qod-api.yaml", "body/asId/ipv4addr", "\"ipv4\""),
    mask(Side::Client, "camara/v0.8.1/qod-api.yaml", "body/asId/ipv6addr", "\"ipv6\""),
    mask(Side::Client, "camara/v0.8.1/qod-api.yaml", "body/ueId/ipv6addr", "\"ipv6\""),
    mask(Side::Client, "telefonica/qod-v0.8.yaml", "body/asId/ipv4addr", "\"ipv4\""),
    mask(Side::Client, "telefonica/qod-v0.8.yaml", "body/asId/ipv6addr", "\"ipv6\""),
    mask(Side::Client, "telefonica/qod-v0.8.yaml", "body/ueId/ipv6addr", "\"ipv6\""),
    mask(Side::Simulator, "camara/v0.8.1/qod-api.yaml", "body/asId/ipv4addr", "\"ipv4\""),
    mask(Side::Simulator, "camara/v0.8.1/qod-api.yaml", "body/asId/ipv6addr", "\"ipv6\""),
    mask(Side::Simulator, "camara/v0.8.1/qod-api.yaml", "body/ueId/ipv6addr", "\"ipv6\""),
    mask(Side::Simulator, "telefonica/qod-v0.8.yaml", "body/asId/ipv4addr", "\"ipv4\""),
    mask(Side::Simulator, "telefonica/qod-v0.8.yaml", "body/asId/ipv6addr", "\"ipv6\""),
    mask(Side::Simulator, "telefonica/qod-v0.8.yaml", "body/ueId/ipv6addr", "\"ipv6\""),
    api_key("query/apikey"),
    api_key("security"),
];

/// The secret of Telefónica's notifications in 0.8.
const fn api_key(place: &'static str) -> Divergence {
    let reason = "the document secures `/notifications`, which the API client serves, with the provider's own access tokens, which no \
                  client can check; by its `notificationAuthToken` the simulator sends the client's secret, as CAMARA's 0.8 does";
    let document = "telefonica/qod-v0.8.yaml";
    Divergence { side: Side::Events, document, operation: "notification", message: "notification", place, rule: "", reason }
}

/// Addresses with a mask in 0.8, in requests and where answers repeat them.
const fn mask(side: Side, document: &'static str, place: &'static str, rule: &'static str) -> Divergence {
    let reason = "the schemas Ipv4Addr and Ipv6Addr allow a mask in their pattern, their description and their example, but say \
                  `format: ipv4` and `format: ipv6`, which allow none";
    Divergence { side, document, operation: "", message: "", place, rule, reason }
}

/// The entries of a side, with their places in [`KNOWN`].
pub(crate) fn of(side: Side) -> impl Iterator<Item = (usize, &'static Divergence)> {
    KNOWN.iter().enumerate().filter(move |(_, entry)| entry.side == side || side == Side::Both)
}

/// The entries that cover a violation.
pub(crate) fn matching(side: Side, violation: &Violation) -> impl Iterator<Item = usize> {
    of(side).filter(move |(_, entry)| entry.covers(side, violation)).map(|(index, _)| index)
}

#[test]
fn an_entry_covers_only_what_it_names() {
    let violation = Violation {
        document: "a.yaml".into(),
        operation: "createSession".into(),
        message: "request".into(),
        place: "body/device/phoneNumber".into(),
        rule: "value is not a \"uri\"".into(),
    };
    let entry = Divergence {
        side: Side::Client,
        document: "a.yaml",
        operation: "",
        message: "request",
        place: "body/device",
        rule: "\"uri\"",
        reason: "",
    };
    assert!(entry.covers(Side::Client, &violation));
    assert!(!entry.covers(Side::Simulator, &violation));
    for changed in [
        Divergence { document: "b.yaml", ..entry },
        Divergence { operation: "getSession", ..entry },
        Divergence { message: "201", ..entry },
        Divergence { place: "body/sink", ..entry },
        Divergence { rule: "\"uuid\"", ..entry },
    ] {
        assert!(!changed.covers(Side::Client, &violation), "{changed:?}");
    }
}
