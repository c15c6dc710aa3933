//! From a Schema Object of OpenAPI 3.0 to a JSON Schema that says the same.
//!
//! OpenAPI 3.0's schemas are no JSON Schemas: `nullable`, Boolean `exclusiveMinimum`, `discriminator`, `readOnly` and `writeOnly`
//! mean nothing there, `format: int32` is no rule, and what stands beside a `$ref` counts here and not there. A keyword that this
//! converter does not know is an error, so that no rule of a document is passed over in silence.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// Which way a message goes. What is `readOnly` is not sent, and what is `writeOnly` is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// A request, or a notification: to whom the schema's owner speaks does not matter, only that it is no answer.
    Request,
    Response,
}

/// Formats that are annotations: of OpenAPI's own, and what some documents invent (`string`).
const FREE_FORMATS: [&str; 5] = ["string", "float", "double", "password", "binary"];
/// Formats that the validator asserts by itself.
const ASSERTED_FORMATS: [&str; 8] = ["uuid", "date-time", "date", "ipv4", "ipv6", "uri", "uri-reference", "email"];
/// Keywords that say nothing about what is valid.
const ANNOTATIONS: [&str; 7] = ["title", "description", "default", "example", "externalDocs", "deprecated", "xml"];
/// Keywords that mean the same in both.
const SAME: [&str; 13] = [
    "enum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "required",
];

/// The JSON Schema of `schema`, which is a part of `document`. It stands for itself: what it refers to is in its `$defs`. With
/// `closed`, no object may have a property that is not declared, at any depth: a rule that documents state in prose.
pub(crate) fn convert(document: &Value, schema: &Value, direction: Direction, closed: bool) -> Result<Value, String> {
    let mut converter = Converter { document, direction, closed, queue: Vec::new(), names: BTreeMap::new() };
    let mut whole = converter.place(schema)?;
    let mut definitions = Map::new();
    while let Some(target) = converter.queue.pop() {
        let name = converter.names[&target].clone();
        let definition = converter.definition(&target).map_err(|why| format!("{}: {why}", target.pointer))?;
        definitions.insert(name, definition);
    }
    let fields = whole.as_object_mut().ok_or("a schema that is no object")?;
    fields.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    fields.insert("$defs".into(), Value::Object(definitions));
    Ok(whole)
}

/// What a `$ref` points to, in this document.
pub(crate) fn resolve<'a>(document: &'a Value, reference: &str) -> Result<&'a Value, String> {
    let pointer = reference.strip_prefix('#').ok_or_else(|| format!("{reference} is outside of the document"))?;
    document.pointer(pointer).ok_or_else(|| format!("{reference} does not exist"))
}

/// `value`, or what it refers to.
pub(crate) fn followed<'a>(document: &'a Value, mut value: &'a Value) -> Result<&'a Value, String> {
    let mut steps = 0;
    while let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        steps += 1;
        if steps > 32 {
            return Err(format!("{reference} never ends"));
        }
        value = resolve(document, reference)?;
    }
    Ok(value)
}

/// A schema that others refer to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    pointer: String,
    /// Without its discriminator: what a schema inherits that the discriminator itself points to.
    inherited: bool,
}

struct Converter<'a> {
    document: &'a Value,
    direction: Direction,
    closed: bool,
    queue: Vec<Target>,
    names: BTreeMap<Target, String>,
}

impl Converter<'_> {
    fn definition(&mut self, target: &Target) -> Result<Value, String> {
        let schema = resolve(self.document, &format!("#{}", target.pointer))?;
        let mut plain = schema.clone();
        if target.inherited {
            plain.as_object_mut().ok_or("a schema that is no object")?.remove("discriminator");
        }
        self.schema(&plain, Some(&target.pointer))
    }

    fn refer(&mut self, pointer: &str, inherited: bool) -> Value {
        let target = Target { pointer: pointer.to_owned(), inherited };
        if let Some(name) = self.names.get(&target) {
            return json!({"$ref": format!("#/$defs/{name}")});
        }
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let word: String = last.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("{}-{word}{}", self.names.len(), if inherited { "-inherited" } else { "" });
        self.names.insert(target.clone(), name.clone());
        self.queue.push(target);
        json!({"$ref": format!("#/$defs/{name}")})
    }

    /// The schema of a value of its own: the whole body, a property, an item. What several schemas say of one value is closed here,
    /// and not in each of them.
    fn place(&mut self, schema: &Value) -> Result<Value, String> {
        let converted = self.schema(schema, None)?;
        Ok(if self.closed { json!({"allOf": [converted], "unevaluatedProperties": false}) } else { converted })
    }

    /// `of` is where the schema stands, if it is one that others refer to.
    fn schema(&mut self, schema: &Value, of: Option<&str>) -> Result<Value, String> {
        let fields = schema.as_object().ok_or("a schema that is no object")?;
        if let Some(reference) = fields.get("$ref") {
            // In 3.0 nothing beside a `$ref` counts.
            let reference = reference.as_str().ok_or("a $ref that is no text")?;
            resolve(self.document, reference)?;
            return Ok(self.refer(reference.trim_start_matches('#'), false));
        }
        let mut out = Map::new();
        let mut all = Vec::new();
        for (keyword, value) in fields {
            match keyword.as_str() {
                "type" => {
                    let nullable = fields.get("nullable") == Some(&Value::Bool(true));
                    out.insert("type".into(), if nullable { json!([value, "null"]) } else { value.clone() });
                }
                "format" => Self::format(value, &mut out, &mut all)?,
                "properties" => {
                    let properties = value.as_object().ok_or("properties that are no object")?;
                    let converted = properties.iter().map(|(name, property)| {
                        let converted = if self.withheld(property)? { Ok(json!(false)) } else { self.place(property) };
                        Ok((name.clone(), converted.map_err(|why| format!("{name}: {why}"))?))
                    });
                    let converted: Map<String, Value> = converted.collect::<Result<_, String>>()?;
                    out.insert("properties".into(), Value::Object(converted));
                }
                "items" => {
                    out.insert(keyword.clone(), self.place(value)?);
                }
                "not" => {
                    out.insert(keyword.clone(), self.schema(value, None)?);
                }
                "additionalProperties" => {
                    let value = if value.is_boolean() { value.clone() } else { self.schema(value, None)? };
                    out.insert(keyword.clone(), value);
                }
                "allOf" => all.extend(self.all_of(value, of)?),
                "oneOf" | "anyOf" => {
                    let list = value.as_array().ok_or("a list of schemas that is none")?;
                    let list = list.iter().map(|schema| self.schema(schema, None)).collect::<Result<_, _>>()?;
                    out.insert(keyword.clone(), list);
                }
                "discriminator" => all.extend(self.dispatch(schema, value, of)?),
                "exclusiveMinimum" | "exclusiveMaximum" | "nullable" | "readOnly" | "writeOnly" if value.is_boolean() => {}
                known if SAME.contains(&known) => {
                    out.insert(keyword.clone(), value.clone());
                }
                known if ANNOTATIONS.contains(&known) || known.starts_with("x-") => {}
                unknown => return Err(format!("the keyword {unknown} is not known")),
            }
        }
        for (flag, limit, strict) in
            [("exclusiveMinimum", "minimum", "exclusiveMinimum"), ("exclusiveMaximum", "maximum", "exclusiveMaximum")]
        {
            if fields.get(flag) == Some(&Value::Bool(true))
                && let Some(value) = out.remove(limit)
            {
                out.insert(strict.into(), value);
            }
        }
        self.drop_withheld(fields, &mut out)?;
        if !all.is_empty() {
            out.insert("allOf".into(), Value::Array(all));
        }
        Ok(Value::Object(out))
    }

    fn format(format: &Value, out: &mut Map<String, Value>, all: &mut Vec<Value>) -> Result<(), String> {
        let format = format.as_str().ok_or("a format that is no text")?;
        match format {
            // Some documents call a URI so.
            "url" => drop(out.insert("format".into(), json!("uri"))),
            "int32" => all.push(json!({"minimum": i32::MIN, "maximum": i32::MAX})),
            "int64" => all.push(json!({"minimum": i64::MIN, "maximum": i64::MAX})),
            known if ASSERTED_FORMATS.contains(&known) => drop(out.insert("format".into(), json!(format))),
            known if FREE_FORMATS.contains(&known) => {}
            unknown => return Err(format!("the format {unknown} is not known")),
        }
        Ok(())
    }

    /// Whether a property is not for this direction.
    fn withheld(&self, property: &Value) -> Result<bool, String> {
        let property = followed(self.document, property)?;
        let flag = match self.direction {
            Direction::Request => "readOnly",
            Direction::Response => "writeOnly",
        };
        Ok(property.get(flag) == Some(&Value::Bool(true)))
    }

    /// What is not for this direction is not required in it.
    fn drop_withheld(&self, fields: &Map<String, Value>, out: &mut Map<String, Value>) -> Result<(), String> {
        let Some(Value::Array(required)) = out.get("required") else { return Ok(()) };
        let mut left = Vec::new();
        for name in required {
            let property = name.as_str().and_then(|name| fields.get("properties")?.get(name));
            if !property.map_or(Ok(false), |property| self.withheld(property))? {
                left.push(name.clone());
            }
        }
        out.insert("required".into(), Value::Array(left));
        Ok(())
    }

    fn all_of(&mut self, list: &Value, of: Option<&str>) -> Result<Vec<Value>, String> {
        let list = list.as_array().ok_or("a list of schemas that is none")?;
        let one = |schema: &Value| {
            let parent = schema.get("$ref").and_then(Value::as_str).map(|reference| reference.trim_start_matches('#'));
            match (parent, of) {
                (Some(parent), Some(of)) if self.is_heir(of, parent)? => Ok(self.refer(parent, true)),
                _ => self.schema(schema, None),
            }
        };
        list.iter().map(one).collect()
    }

    /// Whether the discriminator of `parent` leads to `of`, at once or by way of a schema that inherits from `of`. Then `of` has
    /// what `parent` says, without its discriminator, which would lead back to `of` and never end.
    fn is_heir(&self, of: &str, parent: &str) -> Result<bool, String> {
        let parent = resolve(self.document, &format!("#{parent}"))?;
        let Some(discriminator) = parent.get("discriminator") else { return Ok(false) };
        let mut open: Vec<String> = self.mapping(discriminator, parent)?.into_values().collect();
        let mut seen = BTreeSet::new();
        while let Some(pointer) = open.pop() {
            if pointer == of {
                return Ok(true);
            }
            if !seen.insert(pointer.clone()) {
                continue;
            }
            let heir = resolve(self.document, &format!("#{pointer}"))?;
            let parents = heir.get("allOf").and_then(Value::as_array).into_iter().flatten();
            open.extend(
                parents.filter_map(|parent| parent.get("$ref")?.as_str()).map(|parent| parent.trim_start_matches('#').to_owned()),
            );
        }
        Ok(false)
    }

    /// From the discriminator's values to the schemas that they stand for: the mapping, or by the schemas' names.
    fn mapping(&self, discriminator: &Value, schema: &Value) -> Result<BTreeMap<String, String>, String> {
        if let Some(mapping) = discriminator.get("mapping").and_then(Value::as_object) {
            let pointer = |(value, reference): (&String, &Value)| {
                let reference = reference.as_str().ok_or("a mapping that is no text")?;
                // A bare name is one of a schema.
                let pointer = match reference.strip_prefix('#') {
                    Some(pointer) => pointer.to_owned(),
                    None => format!("/components/schemas/{reference}"),
                };
                resolve(self.document, &format!("#{pointer}"))?;
                Ok((value.clone(), pointer))
            };
            return mapping.iter().map(pointer).collect();
        }
        let alternatives = ["oneOf", "anyOf"].iter().filter_map(|list| schema.get(list)?.as_array()).flatten();
        let pointers = alternatives.filter_map(|alternative| alternative.get("$ref")?.as_str()?.strip_prefix('#'));
        let named = |pointer: &str| Some((pointer.rsplit('/').next()?.to_owned(), pointer.to_owned()));
        Ok(pointers.filter_map(named).collect())
    }

    /// The discriminator as rules: its property is there, has one of the known values, and the rest is as that value's schema says.
    fn dispatch(&mut self, schema: &Value, discriminator: &Value, of: Option<&str>) -> Result<Vec<Value>, String> {
        let name = discriminator.get("propertyName").and_then(Value::as_str).ok_or("a discriminator without a property")?;
        let mapping = self.mapping(discriminator, schema)?;
        let mut rules = vec![json!({"required": [name]})];
        if !mapping.is_empty() {
            let values: Vec<&String> = mapping.keys().collect();
            rules.push(json!({"properties": {name: {"enum": values}}}));
        }
        for (value, pointer) in &mapping {
            if Some(pointer.as_str()) == of {
                continue;
            }
            let then = self.refer(pointer, false);
            rules.push(json!({"if": {"properties": {name: {"const": value}}, "required": [name]}, "then": then}));
        }
        Ok(rules)
    }
}
