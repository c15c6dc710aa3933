//! Checks of a JSON body against the few constructs that the official schemas use. Problems name a field's path, never its value.

use serde_json::{Map, Value};

use super::{Fault, Problem};

/// An object of the body with its path.
#[derive(Clone, Debug)]
pub(in crate::simulator) struct Object<'a> {
    path: String,
    fields: &'a Map<String, Value>,
    /// Whether properties that the schema does not know are refused.
    closed: bool,
}

pub(in crate::simulator) fn violation(path: &str) -> Problem {
    Problem::new(Fault::Invalid, format!("Schema validation failed at {path}"))
}

impl<'a> Object<'a> {
    /// The body itself.
    pub(in crate::simulator) fn body(body: &'a Value, closed: bool) -> Result<Self, Problem> {
        let fields = body.as_object().ok_or_else(|| violation("the body"))?;
        Ok(Self { path: String::new(), fields, closed })
    }

    /// Refuses properties other than these, where the generation does.
    pub(in crate::simulator) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        if !self.closed || self.fields.keys().all(|name| known.contains(&name.as_str())) {
            return Ok(());
        }
        // Not the property's name, which may be anything.
        let path = if self.path.is_empty() { "the body" } else { &self.path };
        Err(Problem::new(Fault::Invalid, format!("Unknown property at {path}")))
    }

    /// The path of one of its fields.
    pub(in crate::simulator) fn path(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    pub(in crate::simulator) fn get(&self, field: &str) -> Option<&'a Value> {
        self.fields.get(field)
    }

    /// That a required field is missing.
    pub(in crate::simulator) fn missing(&self, field: &str) -> Problem {
        Problem::new(Fault::Invalid, format!("Expected property is missing: {}", self.path(field)))
    }

    /// An object field, if present.
    pub(in crate::simulator) fn object(&self, field: &str) -> Result<Option<Self>, Problem> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let fields = value.as_object().ok_or_else(|| violation(&self.path(field)))?;
        Ok(Some(Self { path: self.path(field), fields, closed: self.closed }))
    }

    /// A text field, if present.
    pub(in crate::simulator) fn text(&self, field: &str) -> Result<Option<&'a str>, Problem> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        value.as_str().map(Some).ok_or_else(|| violation(&self.path(field)))
    }

    /// A text field of at most so many characters, if present.
    pub(in crate::simulator) fn short(&self, field: &str, most: usize) -> Result<Option<&'a str>, Problem> {
        let text = self.text(field)?;
        if text.is_some_and(|text| text.chars().count() > most) { Err(violation(&self.path(field))) } else { Ok(text) }
    }

    /// A text field that parses as a `T`, if present.
    pub(in crate::simulator) fn parsed<T: std::str::FromStr>(&self, field: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| violation(&self.path(field)))
    }

    /// An integer field, if present. JSON knows no integers: 60.0 is one.
    pub(in crate::simulator) fn integer(&self, field: &str) -> Result<Option<i64>, Problem> {
        self.get(field).map(|value| integer(value).ok_or_else(|| violation(&self.path(field)))).transpose()
    }

    /// An array field with at least one element, if present.
    pub(in crate::simulator) fn array(&self, field: &str) -> Result<Option<&'a [Value]>, Problem> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Array(elements)) if !elements.is_empty() => Ok(Some(elements)),
            Some(_) => Err(violation(&self.path(field))),
        }
    }

    /// Whether it has at least one of the fields that its schema knows.
    pub(in crate::simulator) fn any(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.fields.contains_key(*field))
    }

    /// Whether it has no fields at all (`minProperties: 1`).
    pub(in crate::simulator) fn empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// An element of one of its arrays, as an object.
    pub(in crate::simulator) fn element(&self, field: &str, index: usize, element: &'a Value) -> Result<Self, Problem> {
        let path = format!("{}[{index}]", self.path(field));
        let fields = element.as_object().ok_or_else(|| violation(&path))?;
        Ok(Self { path, fields, closed: self.closed })
    }
}

/// The integer that `value` is.
pub(in crate::simulator) fn integer(value: &Value) -> Option<i64> {
    if let Some(integer) = value.as_i64() {
        return Some(integer);
    }
    let float = value.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
    // A whole number within 2^53: exact.
    #[expect(clippy::cast_possible_truncation, reason = "checked in the line above")]
    Some(float as i64)
}
