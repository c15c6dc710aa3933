//! The shape of a QoS profile, which all generations share (0.9 to 1.2 only add to it).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::lenient::{Integer, Word, or_absent};
use crate::qod::profile::{ProfileStatus, QosProfile};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireProfile {
    name: String,
    #[serde(default, deserialize_with = "or_absent")]
    status: Option<Word>,
    #[serde(default, deserialize_with = "or_absent")]
    min_duration: Option<Amount>,
    #[serde(default, deserialize_with = "or_absent")]
    max_duration: Option<Amount>,
    #[serde(default, deserialize_with = "or_absent")]
    target_min_upstream_rate: Option<Amount>,
    #[serde(default, deserialize_with = "or_absent")]
    max_upstream_rate: Option<Amount>,
    #[serde(default, deserialize_with = "or_absent")]
    max_upstream_burst_rate: Option<Amount>,
    #[serde(default, deserialize_with = "or_absent")]
    target_min_downstream_rate: Option<Amount>,
    #[serde(default, deserialize_with = "or_absent")]
    max_downstream_rate: Option<Amount>,
    #[serde(default, deserialize_with = "or_absent")]
    max_downstream_burst_rate: Option<Amount>,
    #[serde(default, deserialize_with = "or_absent")]
    packet_delay_budget: Option<Amount>,
    #[serde(default, deserialize_with = "or_absent")]
    jitter: Option<Amount>,
    #[serde(default, deserialize_with = "or_absent")]
    priority: Option<Integer>,
    #[serde(default, deserialize_with = "or_absent")]
    packet_error_loss_rate: Option<Integer>,
}

/// CAMARA's `Duration` and `Rate`; neither of the two is required in it.
#[derive(Deserialize)]
struct Amount {
    value: Integer,
    unit: String,
}

impl Amount {
    /// As a duration in nanoseconds; none for a unit that no generation has.
    fn nanoseconds(&self) -> Option<i128> {
        let unit: i128 = match self.unit.as_str() {
            "Days" => 86_400_000_000_000,
            "Hours" => 3_600_000_000_000,
            "Minutes" => 60_000_000_000,
            "Seconds" => 1_000_000_000,
            "Milliseconds" => 1_000_000,
            "Microseconds" => 1_000,
            "Nanoseconds" => 1,
            _ => return None,
        };
        // An i64 times less than 2^47 fits.
        (self.value.0 >= 0).then(|| i128::from(self.value.0) * unit)
    }

    fn seconds(&self, round_up: bool) -> Option<i64> {
        const SECOND: i128 = 1_000_000_000;
        let nanoseconds = self.nanoseconds()?;
        Some(i64::try_from(if round_up { (nanoseconds + SECOND - 1) / SECOND } else { nanoseconds / SECOND }).unwrap_or(i64::MAX))
    }

    fn duration(&self) -> Option<Duration> {
        self.nanoseconds().and_then(|nanoseconds| u64::try_from(nanoseconds).ok()).map(Duration::from_nanos)
    }

    fn bits_per_second(&self) -> Option<u64> {
        let unit: u64 = match self.unit.as_str() {
            "bps" => 1,
            "kbps" => 1_000,
            "Mbps" => 1_000_000,
            "Gbps" => 1_000_000_000,
            "Tbps" => 1_000_000_000_000,
            _ => return None,
        };
        u64::try_from(self.value.0).ok().map(|value| value.saturating_mul(unit))
    }
}

/// The profile in `value`; none without a name. A profile without a status is taken as one whose status is not known, and so is a
/// bare name, which is all that Telefónica's document of 0.10 has for a profile.
pub(super) fn one(value: &Value) -> Option<QosProfile> {
    let wire = match value {
        Value::String(name) => WireProfile::deserialize(&serde_json::json!({"name": name})),
        _ => WireProfile::deserialize(value),
    };
    let wire = wire.ok()?;
    let rate = |amount: &Option<Amount>| amount.as_ref().and_then(Amount::bits_per_second);
    Some(QosProfile {
        name: wire.name,
        status: wire.status.map_or_else(|| ProfileStatus::Unknown(String::new()), |word| ProfileStatus::from(word.0)),
        min_duration_seconds: wire.min_duration.as_ref().and_then(|amount| amount.seconds(true)),
        max_duration_seconds: wire.max_duration.as_ref().and_then(|amount| amount.seconds(false)),
        target_min_upstream_rate: rate(&wire.target_min_upstream_rate),
        max_upstream_rate: rate(&wire.max_upstream_rate),
        max_upstream_burst_rate: rate(&wire.max_upstream_burst_rate),
        target_min_downstream_rate: rate(&wire.target_min_downstream_rate),
        max_downstream_rate: rate(&wire.max_downstream_rate),
        max_downstream_burst_rate: rate(&wire.max_downstream_burst_rate),
        packet_delay_budget: wire.packet_delay_budget.as_ref().and_then(Amount::duration),
        jitter: wire.jitter.as_ref().and_then(Amount::duration),
        priority: wire.priority.map(|number| number.0),
        packet_error_loss_rate: wire.packet_error_loss_rate.map(|number| number.0),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_rounded_to_what_is_certainly_allowed() {
        let limit = json!({"value": 1500, "unit": "Milliseconds"});
        let profile = one(&json!({"name": "voice", "status": "ACTIVE", "minDuration": limit, "maxDuration": limit})).unwrap();
        assert_eq!((profile.min_duration_seconds, profile.max_duration_seconds), (Some(2), Some(1)));
    }

    #[test]
    fn a_limit_that_cannot_be_read_is_none() {
        for limit in [
            json!({"value": 1}),
            json!({"unit": "Days"}),
            json!({"value": 1, "unit": "Weeks"}),
            json!(-1),
            json!({"value": -1, "unit": "Days"}),
        ] {
            let profile = one(&json!({"name": "voice", "status": "ACTIVE", "maxDuration": limit})).unwrap();
            assert_eq!(profile.max_duration_seconds, None, "{limit}");
        }
    }

    #[test]
    fn a_bare_name_is_a_profile_of_which_nothing_else_is_known() {
        let profile = one(&json!("QOS_L")).unwrap();
        assert_eq!((profile.name.as_str(), profile.status.as_str()), ("QOS_L", ""));
        assert_eq!((profile.min_duration_seconds, profile.max_duration_seconds), (None, None));
        assert!(profile.usable_for_new_session());
    }

    #[test]
    fn a_huge_limit_does_not_overflow() {
        let limit = json!({"value": i64::MAX, "unit": "Days"});
        let profile = one(
            &json!({"name": "voice", "status": "ACTIVE", "minDuration": limit, "maxUpstreamRate": {"value": i64::MAX, "unit": "Tbps"}}),
        );
        let profile = profile.unwrap();
        assert_eq!((profile.min_duration_seconds, profile.max_upstream_rate), (Some(i64::MAX), Some(u64::MAX)));
    }
}
