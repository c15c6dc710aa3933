//! The reference of a kind, from its definition: a table for each level of the object.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use qos_operator::crds;
use serde_json::Value;

use super::{ORIGIN, table};
use crate::docs::links::slug;

const HEAD: [&str; 5] = ["field", "type", "default", "limits", "meaning"];

/// The page of a kind.
pub(super) fn page(kind: &str) -> String {
    let documents = crds::documents().unwrap();
    let mut definitions = documents.iter().map(|document| serde_saphyr::from_str::<Value>(&document.yaml).unwrap());
    let definition = definitions.find(|definition| definition["spec"]["names"]["kind"] == kind).unwrap();
    let (names, version) = (&definition["spec"]["names"], &definition["spec"]["versions"][0]);
    let schema = &version["schema"]["openAPIV3Schema"];
    let scope = if definition["spec"]["scope"] == "Cluster" { "cluster-wide" } else { "in a namespace" };
    let (group, version_name) = (text(&definition["spec"]["group"]), text(&version["name"]));
    let short = strings(&names["shortNames"]).join("`, `");
    let category = strings(&names["categories"]).join("`, `");
    let mut page = format!(
        "# {kind}\n\n{ORIGIN}\n\n`apiVersion: {group}/{version_name}`, {scope}. For `kubectl` it is `{short}`, and `{category}` is both \
         kinds.\n\n{}\n\nHow to read the tables: *required* fields must be there, all others may be left out; what that means is told \
         by the default or with the field. `null` is the same as leaving out. Conditions and their reasons: \
         [reasons.md](../reasons.md).\n",
        text(&schema["description"]),
    );
    page.push_str(&columns(version));
    let mut levels = Levels { root: rules(schema), seen: Vec::new(), text: String::new() };
    for top in ["spec", "status"] {
        levels.level(top, &schema["properties"][top]);
    }
    assert!(levels.root.is_empty(), "rules of the whole object that belong to no field: {:?}", levels.root);
    page + &levels.text
}

fn columns(version: &Value) -> String {
    let rows: Vec<_> = list(&version["additionalPrinterColumns"])
        .map(|column| {
            let wide = if column["priority"].as_u64().unwrap_or_default() > 0 { "with `-o wide`" } else { "always" };
            let path = format!("`{}`", text(&column["jsonPath"]));
            vec![text(&column["name"]).to_uppercase(), wide.to_owned(), path, text(&column["description"]).to_owned()]
        })
        .collect();
    let mut page = format!("\n## Columns of `kubectl get`\n\n{}", table(&["column", "shown", "from", "meaning"], &rows));
    let selectable: Vec<_> = list(&version["selectableFields"]).map(|field| text(&field["jsonPath"])[1..].to_owned()).collect();
    if !selectable.is_empty() {
        write!(page, "\n`--field-selector` takes `{}`.\n", selectable.join("`, `")).unwrap();
    }
    page
}

/// The sections, written one after the other.
struct Levels {
    /// Rules of the whole object that no field has had yet.
    root: Vec<Rule>,
    /// Levels that are there already: what they are, and their path.
    seen: Vec<(Value, String)>,
    text: String,
}

/// A rule of the API server on an object.
#[derive(Clone, Debug)]
struct Rule {
    /// The field that it is about, from the object that has the rule; empty for the object itself.
    field: String,
    message: String,
}

fn rules(schema: &Value) -> Vec<Rule> {
    let rule = |rule: &Value| Rule {
        field: text(&rule["fieldPath"]).trim_start_matches('.').to_owned(),
        message: text(&rule["message"]).to_owned(),
    };
    list(&schema["x-kubernetes-validations"]).map(rule).collect()
}

impl Levels {
    /// Writes the section of an object, then those of the objects in it.
    fn level(&mut self, path: &str, schema: &Value) {
        let depth = "#".repeat(if path.contains('.') { 3 } else { 2 });
        let mut own = rules(schema);
        let (mut rows, mut inner) = (Vec::new(), Vec::new());
        self.rows(path, "", schema, &mut own, &mut rows, &mut inner);
        let default = match &schema["default"] {
            Value::Null => String::new(),
            default => format!(" Default: `{default}`."),
        };
        let description = text(&schema["description"]);
        write!(self.text, "\n{depth} `{path}`\n\n{description}{default}\n\n{}", table(&HEAD, &rows)).unwrap();
        let whole: Vec<_> = own.iter().map(|rule| format!("- {}\n", rule.message)).collect();
        assert!(own.iter().all(|rule| rule.field.is_empty()), "{path}: rules of fields that are not there: {own:?}");
        if !whole.is_empty() {
            write!(self.text, "\nThe API server checks:\n\n{}", whole.concat()).unwrap();
        }
        for (path, schema) in inner {
            self.level(&path, &schema);
        }
    }

    /// The rows of an object's fields. What has but one field itself is told in the same table.
    fn rows(
        &mut self,
        path: &str,
        before: &str,
        schema: &Value,
        own: &mut Vec<Rule>,
        rows: &mut Vec<Vec<String>>,
        inner: &mut Vec<(String, Value)>,
    ) {
        let required: BTreeSet<_> = strings(&schema["required"]).into_iter().collect();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let (name, path) = (format!("{before}{name}"), format!("{path}.{name}"));
            let described = Described::of(field);
            let mut limits = described.limits();
            limits.extend(take(own, &name));
            limits.extend(take(&mut self.root, &path));
            let required = required.contains(name.rsplit('.').next().unwrap());
            let default = match &field["default"] {
                Value::Null if required => "*required*".to_owned(),
                Value::Null => String::new(),
                default => format!("`{default}`"),
            };
            let mut kind = described.kind();
            if let Some(object) = described.object().filter(|object| !is_small(object)) {
                let path = format!("{path}{}", described.suffix());
                let shape = (object["properties"].clone(), path.clone());
                let known = self.seen.iter().find(|(properties, _)| *properties == shape.0).map(|(_, path)| path.clone());
                kind = format!("[{kind}](#{})", slug(known.as_deref().unwrap_or(&path)));
                if known.is_none() {
                    self.seen.push(shape);
                    inner.push((path, object.clone()));
                }
            }
            rows.push(vec![format!("`{name}`"), kind, default, limits.join("; "), text(&field["description"]).to_owned()]);
            if let Some(object) = described.object().filter(|object| is_small(object)) {
                let mut below = rules(object);
                self.rows(&path, &format!("{name}{}.", described.suffix()), object, &mut below, rows, inner);
                assert!(below.is_empty(), "{path}: {below:?}");
            }
        }
    }
}

/// Takes the rules about a field from `rules`, as its limits.
fn take(rules: &mut Vec<Rule>, field: &str) -> Vec<String> {
    let (of_field, rest): (Vec<_>, Vec<_>) = rules.drain(..).partition(|rule| rule.field == field);
    *rules = rest;
    of_field.into_iter().map(|rule| rule.message).collect()
}

fn is_small(object: &Value) -> bool {
    object["properties"].as_object().is_some_and(|fields| fields.len() == 1)
}

/// What a field is.
struct Described<'a> {
    schema: &'a Value,
    /// Its entries, where it is a list.
    items: Option<&'a Value>,
}

impl<'a> Described<'a> {
    fn of(schema: &'a Value) -> Self {
        Self { schema, items: schema.get("items") }
    }

    /// What is between the field's name and those of its parts.
    fn suffix(&self) -> &'static str {
        if self.items.is_some() { "[]" } else { "" }
    }

    /// The object that it holds, unless that is a type of Kubernetes with a page of its own.
    fn object(&self) -> Option<&'a Value> {
        let object = self.items.unwrap_or(self.schema);
        (object["properties"].is_object() && self.of_kubernetes().is_none()).then_some(object)
    }

    fn of_kubernetes(&self) -> Option<&'static str> {
        let has = |object: &Value, names: &[&str]| names.iter().all(|name| object["properties"][name].is_object());
        if has(self.schema, &["matchLabels", "matchExpressions"]) {
            return Some("label selector");
        }
        let items = self.items.filter(|items| has(items, &["lastTransitionTime", "reason", "status", "type"]));
        items.map(|_| "list of conditions")
    }

    fn kind(&self) -> String {
        if let Some(known) = self.of_kubernetes() {
            return known.to_owned();
        }
        match self.items {
            Some(items) => format!("list of {}", plural(&plain_kind(items))),
            None => plain_kind(self.schema),
        }
    }

    fn limits(&self) -> Vec<String> {
        let mut limits = limits_of(self.schema);
        if let Some(items) = self.items.filter(|_| self.of_kubernetes().is_none()) {
            limits.extend(limits_of(items).into_iter().map(|limit| format!("each: {limit}")));
        }
        limits
    }
}

fn plain_kind(schema: &Value) -> String {
    match (text(&schema["type"]), text(&schema["format"])) {
        ("string", "date-time") => "time".to_owned(),
        ("string", "byte") => "base64".to_owned(),
        ("object", _) if schema["additionalProperties"].is_object() => "map".to_owned(),
        ("string" | "integer" | "boolean" | "object", _) => text(&schema["type"]).to_owned(),
        other => panic!("a type that the page has no word for: {other:?}"),
    }
}

fn plural(kind: &str) -> String {
    format!("{kind}s")
}

/// The limits of a value, in words.
fn limits_of(schema: &Value) -> Vec<String> {
    let span = |least: &Value, most: &Value, unit: &str| match (least.as_u64().filter(|least| *least > 0), most.as_u64()) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (None, None) => None,
    };
    let choice = strings(&schema["enum"]);
    let mut limits = Vec::new();
    if !choice.is_empty() {
        limits.push(format!("`{}`", choice.join("`, `")));
    }
    let not_negative = schema["minimum"] == 0 && schema["maximum"].is_null();
    limits.extend(not_negative.then(|| "not negative".to_owned()));
    limits.extend(span(&schema["minimum"], &schema["maximum"], ""));
    limits.extend(span(&schema["minLength"], &schema["maxLength"], " characters"));
    limits.extend(span(&schema["minItems"], &schema["maxItems"], " entries"));
    limits.extend(schema["pattern"].as_str().map(|pattern| format!("`{pattern}`")));
    limits.extend(rules(schema).into_iter().filter(|_| !schema["properties"].is_object()).map(|rule| rule.message));
    limits
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value) -> Vec<&str> {
    list(value).filter_map(Value::as_str).collect()
}
