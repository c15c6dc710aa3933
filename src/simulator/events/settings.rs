//! How notifications leave what the documents say, by setting.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Which secret goes with a notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Authorization {
    /// The client's, as documented: a bearer, in 0.8 the query parameter `apikey`.
    #[default]
    Token,
    /// The client's as `Bearer Bearer` (where a client prefixes the token by itself, as Nokia's does); 0.8 as documented.
    BearerTwice,
    /// None (Orange's reference implementation of 0.9).
    None,
    /// A bearer of the provider's own, which no client can know (Telefónica's 0.8 document asks for an OAuth token).
    Foreign,
}

/// Which `type` a CloudEvent has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EventType {
    /// That of the generation's OpenAPI document.
    #[default]
    Documented,
    /// That of CAMARA's own test definitions: `org.camaraproject.qod.v0.…` or `v1`, whatever the document says.
    TestDefinitions,
}

/// Ways in which events come otherwise than one would wish. Each is off unless it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Quirk {
    /// Every event is sent twice, with the same id.
    Duplicate,
    /// The event AVAILABLE waits until after the next event of its session.
    Reorder,
    /// The events of a request's own effect are sent, and answered, before the request is: one may overtake its 201.
    BeforeAnswer,
    /// The content type of a CloudEvent is `application/json`.
    PlainContentType,
    /// In 0.9 the event stands by itself, without the wrapper `event`, as in the document's own example.
    Flat,
    /// In 0.9 the event has neither `eventType` nor `eventTime` (Orange's reference implementation).
    Bare,
}

/// The settings of notifications. `POST /admin/settings` replaces all of them together: what is left out is as it is by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// So many of the next events are lost; counts down.
    pub lose_next: u32,
    /// The share of events that is lost, from 0 to 1.
    pub lose_rate: f64,
    /// How long after the change an event is sent, in seconds on the simulator's clock.
    pub delay_seconds: i64,
    /// Which secret goes along.
    pub authorization: Authorization,
    /// Which `type` a CloudEvent has.
    pub event_type: EventType,
    /// What else is odd.
    pub quirks: BTreeSet<Quirk>,
}

impl Settings {
    /// Whether events have this quirk.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// Whether the values make sense.
    pub fn sane(&self) -> bool {
        (0.0..=1.0).contains(&self.lose_rate) && (0..=1_000_000_000).contains(&self.delay_seconds)
    }

    /// Whether the next event is lost; `chance` gives a number from 0 to 1.
    pub(super) fn loses(&mut self, mut chance: impl FnMut() -> f64) -> bool {
        if self.lose_next > 0 {
            self.lose_next -= 1;
            return true;
        }
        self.lose_rate > 0.0 && chance() < self.lose_rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_lost_first_and_then_the_share_that_is_set() {
        let mut settings = Settings { lose_next: 2, lose_rate: 0.25, ..Settings::default() };
        let chances = [0.9, 0.9, 0.2, 0.25];
        assert_eq!(chances.map(|chance| settings.loses(|| chance)), [true, true, true, false]);
        assert!(!Settings::default().loses(|| 0.0), "by default nothing is lost");
    }

    #[test]
    fn values_without_sense_are_told() {
        assert!(Settings::default().sane());
        assert!(!Settings { lose_rate: 1.5, ..Settings::default() }.sane());
        assert!(!Settings { delay_seconds: -1, ..Settings::default() }.sane());
    }
}
