//! Whether the API server serves what this binary needs. A field that a CustomResourceDefinition lacks is dropped without a word, and
//! a lost record of an attempt is a lost session: so the operator does not start then. Pure; [`super::served`] does the asking.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

/// How what is served compares with what this binary has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Both are the same, descriptions aside.
    Equal,
    /// There is more in what is served, and all of ours: it is of a later release.
    Newer,
    /// All fields and values of ours are there, but rules or limits are others.
    OtherRules(Lack),
    /// Fields, types or values of ours are not there.
    Older(Lack),
    /// The kind is not served at all.
    NotServed,
}

/// What is not there, for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    first: String,
    count: usize,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 | 1 => write!(f, "{}", self.first),
            more => write!(f, "{} and {} more", self.first, more - 1),
        }
    }
}

/// A field, and what is said of it; nothing: that it is there.
type Thing = (String, String);

/// What a schema says.
#[derive(Debug, Default)]
struct Said {
    /// What may be written and read at all.
    shape: BTreeSet<Thing>,
    /// What is refused.
    rules: BTreeSet<Thing>,
}

/// Keywords that refuse or fill in, without which nothing is lost.
const RULES: [&str; 13] = [
    "default",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
];

/// Compares the schema of a kind as it is served with the one that this binary has.
pub fn compare(served: Option<&Value>, ours: &Value) -> Comparison {
    let Some(served) = served else { return Comparison::NotServed };
    let (served, ours) = (Said::by(served), Said::by(ours));
    let lack = |ours: &BTreeSet<Thing>, served: &BTreeSet<Thing>| {
        let mut missing = ours.difference(served);
        let (path, what) = missing.next()?;
        let first = if what.is_empty() { path.clone() } else { format!("{path} ({what})") };
        Some(Lack { first, count: 1 + missing.count() })
    };
    if let Some(lack) = lack(&ours.shape, &served.shape) {
        Comparison::Older(lack)
    } else if let Some(lack) = lack(&ours.rules, &served.rules) {
        Comparison::OtherRules(lack)
    } else if lack(&served.shape, &ours.shape).is_some() || lack(&served.rules, &ours.rules).is_some() {
        Comparison::Newer
    } else {
        Comparison::Equal
    }
}

impl Said {
    fn by(schema: &Value) -> Self {
        let mut said = Self::default();
        for part in ["spec", "status"] {
            if let Some(schema) = schema["properties"].get(part).and_then(Value::as_object) {
                said.read(part, schema);
            }
        }
        said
    }

    fn read(&mut self, path: &str, schema: &Map<String, Value>) {
        let thing = |what: String| (path.to_owned(), what);
        self.shape.insert(thing(String::new()));
        for (keyword, value) in schema {
            match (keyword.as_str(), value) {
                ("type", Value::String(kind)) => drop(self.shape.insert(thing(format!("type {kind}")))),
                ("enum", Value::Array(values)) => {
                    // Null is what `nullable` adds to an enum.
                    let named = values.iter().filter(|value| !value.is_null());
                    self.shape.extend(named.map(|value| thing(format!("the value {value}"))));
                }
                ("nullable", Value::Bool(true)) => drop(self.shape.insert(thing("null".to_owned()))),
                ("properties", Value::Object(fields)) => {
                    for (name, field) in fields.iter().filter_map(|(name, field)| Some((name, field.as_object()?))) {
                        self.read(&format!("{path}.{name}"), field);
                    }
                }
                ("items", Value::Object(items)) => self.read(&format!("{path}[]"), items),
                ("additionalProperties", Value::Object(values)) => self.read(&format!("{path}.*"), values),
                ("x-kubernetes-validations", Value::Array(rules)) => {
                    self.rules.extend(rules.iter().map(|rule| thing(format!("rule {}", rule["rule"]))));
                }
                ("required", Value::Array(names)) => {
                    self.rules.extend(names.iter().map(|name| thing(format!("required {name}"))));
                }
                (keyword, value) if RULES.contains(&keyword) => {
                    // 0.0 and 0 are one number.
                    let value = value.as_f64().map_or_else(|| value.to_string(), |number| number.to_string());
                    self.rules.insert(thing(format!("{keyword} {value}")));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(change: impl FnOnce(&mut Value)) -> Value {
        let mut schema = json!({ "type": "object", "properties": {
            "metadata": { "type": "object" },
            "spec": { "type": "object", "description": "text", "required": ["name"], "properties": {
                "name": { "type": "string", "maxLength": 64 },
                "policy": { "type": "string", "enum": ["Wait", "Delete"] },
                "list": { "type": "array", "items": { "type": "object", "properties": { "port": { "type": "integer", "minimum": 0 } } } },
            } },
            "status": { "type": "object", "properties": { "id": { "type": "string" } } },
        } });
        change(&mut schema);
        schema
    }

    fn compared(change: impl FnOnce(&mut Value)) -> Comparison {
        compare(Some(&schema(change)), &schema(|_| {}))
    }

    #[test]
    fn descriptions_and_forms_of_numbers_make_no_difference() {
        let equal = compared(|served| {
            served["properties"]["spec"]["description"] = json!("other text");
            served["properties"]["spec"]["properties"]["list"]["items"]["properties"]["port"]["minimum"] = json!(0.0);
            served["properties"]["metadata"] = json!({ "allOf": [] });
        });
        assert_eq!(equal, Comparison::Equal);
    }

    #[test]
    fn a_missing_field_value_or_type_is_older_and_is_named() {
        let without = |pointer: &str, key: &str| {
            let older = compared(|served| {
                served.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key);
            });
            match older {
                Comparison::Older(lack) => lack.to_string(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(without("/properties/status/properties", "id"), "status.id and 1 more");
        assert_eq!(without("/properties/spec/properties/list/items/properties", "port"), "spec.list[].port and 1 more");
        assert_eq!(without("/properties", "status"), "status and 3 more");
        let older = compared(|served| served["properties"]["spec"]["properties"]["policy"]["enum"] = json!(["Wait"]));
        assert_eq!(older, Comparison::Older(Lack { first: "spec.policy (the value \"Delete\")".to_owned(), count: 1 }));
        let older = compared(|served| served["properties"]["spec"]["properties"]["name"]["type"] = json!("integer"));
        assert!(matches!(older, Comparison::Older(_)), "{older:?}");
    }

    #[test]
    fn more_of_everything_is_newer_and_another_limit_is_other_rules() {
        let newer = compared(|served| served["properties"]["spec"]["properties"]["later"] = json!({ "type": "string" }));
        assert_eq!(newer, Comparison::Newer);
        let other = compared(|served| served["properties"]["spec"]["properties"]["name"]["maxLength"] = json!(32));
        assert_eq!(other, Comparison::OtherRules(Lack { first: "spec.name (maxLength 64)".to_owned(), count: 1 }));
        assert_eq!(compare(None, &schema(|_| {})), Comparison::NotServed);
    }
}
