//! Reads what providers really send: a field of the wrong type is a field that is not there, so that one odd field does not lose
//! the session's id.

use k8s_openapi::jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// For `#[serde(default, deserialize_with = "or_absent")]`: the value, or none where it is null or of another type.
pub(super) fn or_absent<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

/// A whole number that may stand in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Integer(pub(super) i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Self).ok_or_else(|| serde::de::Error::custom("not a whole number"))
    }
}

/// A time as seconds since 1970 (a number, or one in quotes), or as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let time = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_i64().and_then(seconds),
            Value::String(text) => text.trim().parse().ok().map_or_else(|| text.trim().parse().ok(), seconds),
            _ => None,
        };
        time.map(Self).ok_or_else(|| serde::de::Error::custom("not a time"))
    }
}

fn seconds(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// A word of an enumeration that may be a new one: letters, digits and a little punctuation, at most 64. Anything else is no word
/// and is not passed on, since it would end in a status that people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let character = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
        if !word.is_empty() && word.len() <= 64 && word.chars().all(character) {
            Ok(Self(word))
        } else {
            Err(serde::de::Error::custom("not a word"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_each_of_its_spellings_and_rubbish_is_none() {
        let expected: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
        for good in [r"1767322800", r#""1767322800""#, r#""2026-01-02T03:00:00Z""#, r#""2026-01-02T04:00:00.000+01:00""#] {
            assert_eq!(serde_json::from_str::<Time>(good).unwrap().0, expected, "{good}");
        }
        for bad in [r#""soon""#, "99999999999999", "{}", "true"] {
            assert!(serde_json::from_str::<Time>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prose_is_no_word() {
        assert_eq!(serde_json::from_str::<Word>(r#""PENDING""#).unwrap().0, "PENDING");
        assert!(serde_json::from_str::<Word>(r#""call +447700900123 for help""#).is_err());
    }
}
