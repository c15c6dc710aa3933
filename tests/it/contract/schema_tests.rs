//! The converter on small documents: what must pass, and what must not.

use serde_json::{Value, json};

use super::schema::{Direction, convert};

fn validator(document: &Value, schema: &Value, direction: Direction) -> jsonschema::Validator {
    let converted = convert(document, schema, direction, false).unwrap();
    super::document::compiled(&converted).unwrap()
}

/// Whether `schema`, alone in its document, takes `value` as a request.
fn takes(schema: &Value, value: &Value) -> bool {
    validator(&json!({}), schema, Direction::Request).is_valid(value)
}

#[test]
fn null_is_taken_only_where_a_type_is_nullable() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "nullable": true}, "b": {"type": "string"}}});
    assert!(takes(&schema, &json!({"a": null})));
    assert!(takes(&schema, &json!({"a": "text"})));
    assert!(!takes(&schema, &json!({"a": 1})));
    assert!(!takes(&schema, &json!({"b": null})));
}

#[test]
fn a_boolean_exclusive_limit_excludes_the_limit_itself() {
    let schema = json!({"type": "integer", "minimum": 1, "exclusiveMinimum": true, "maximum": 5, "exclusiveMaximum": false});
    for (value, good) in [(1, false), (2, true), (5, true), (6, false)] {
        assert_eq!(takes(&schema, &json!(value)), good, "{value}");
    }
}

#[test]
fn formats_are_rules() {
    for (format, good, bad) in [
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"),
        ("date-time", "2026-11-25T08:00:00Z", "2026-11-25T08:00:00"),
        ("ipv4", "192.0.2.1", "192.0.2.0/24"),
        ("ipv6", "2001:db8::1", "2001:db8::/64"),
        ("uri", "https://example.com/a", "example.com/a"),
        ("url", "https://example.com/a", "example.com/a"),
        ("uri-reference", "/a/b", "a b"),
    ] {
        let schema = json!({"type": "string", "format": format});
        assert!(takes(&schema, &json!(good)), "{format} {good}");
        assert!(!takes(&schema, &json!(bad)), "{format} {bad}");
    }
    let schema = json!({"type": "integer", "format": "int32"});
    assert!(takes(&schema, &json!(2_147_483_647)));
    assert!(!takes(&schema, &json!(2_147_483_648_i64)));
}

#[test]
fn what_is_not_understood_is_refused_and_not_passed_over() {
    let refused = |schema: Value| convert(&json!({}), &schema, Direction::Request, false).unwrap_err();
    assert_eq!(refused(json!({"type": "string", "format": "phone"})), "the format phone is not known");
    assert_eq!(refused(json!({"minimun": 1})), "the keyword minimun is not known");
    assert_eq!(refused(json!({"$ref": "#/components/schemas/A"})), "#/components/schemas/A does not exist");
    assert_eq!(refused(json!({"$ref": "other.yaml#/A"})), "other.yaml#/A is outside of the document");
}

#[test]
fn examples_and_descriptions_are_no_rules() {
    let schema = json!({"type": "string", "example": 5, "default": "x", "description": "d", "x-own": {"a": 1}});
    assert!(takes(&schema, &json!("anything")));
}

#[test]
fn references_are_followed_also_in_a_circle_and_nothing_beside_them_counts() {
    let document = json!({"components": {"schemas": {
        "Tree": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
            "name": {"type": "string"},
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree", "maxProperties": 0}},
        }},
    }}});
    let tree = validator(&document, &json!({"$ref": "#/components/schemas/Tree"}), Direction::Request);
    assert!(tree.is_valid(&json!({"name": "a", "children": [{"name": "b", "children": []}]})));
    assert!(!tree.is_valid(&json!({"name": "a", "children": [{"children": []}]})));
    assert!(!tree.is_valid(&json!({"name": "a", "children": [{"name": "b", "more": 1}]})));
}

fn events() -> Value {
    json!({"components": {"schemas": {
        "Event": {
            "type": "object",
            "required": ["id", "type"],
            "properties": {"id": {"type": "string"}, "type": {"type": "string"}},
            "discriminator": {"propertyName": "type", "mapping": {
                "started": "#/components/schemas/Started",
                "ended": "#/components/schemas/Ended",
            }},
        },
        "Started": {"allOf": [{"$ref": "#/components/schemas/Event"}, {"required": ["at"], "properties": {"at": {"type": "integer"}}}]},
        "Timed": {"allOf": [{"$ref": "#/components/schemas/Event"}]},
        "Ended": {"allOf": [{"$ref": "#/components/schemas/Timed"}, {"required": ["why"]}]},
        "Wrapped": {"type": "object", "properties": {"event": {"allOf": [{"$ref": "#/components/schemas/Event"}]}}},
    }}})
}

#[test]
fn a_discriminator_of_a_base_schema_leads_to_the_heir_that_its_value_names() {
    let event = validator(&events(), &json!({"$ref": "#/components/schemas/Event"}), Direction::Request);
    assert!(event.is_valid(&json!({"id": "1", "type": "started", "at": 5})));
    assert!(event.is_valid(&json!({"id": "1", "type": "ended", "why": "x"})));
    assert!(!event.is_valid(&json!({"id": "1", "type": "started"})), "what the heir requires is missing");
    assert!(!event.is_valid(&json!({"type": "started", "at": 5})), "what the base requires is missing");
    assert!(!event.is_valid(&json!({"id": "1", "type": "ended", "at": 5})), "an heir of an heir");
    assert!(!event.is_valid(&json!({"id": "1", "type": "other"})), "a value that stands for nothing");
    assert!(!event.is_valid(&json!({"id": "1"})), "no value");
}

#[test]
fn a_discriminator_counts_behind_an_all_of_that_only_wraps() {
    let wrapped = validator(&events(), &json!({"$ref": "#/components/schemas/Wrapped"}), Direction::Request);
    assert!(wrapped.is_valid(&json!({"event": {"id": "1", "type": "started", "at": 5}})));
    assert!(!wrapped.is_valid(&json!({"event": {"id": "1", "type": "started"}})));
}

#[test]
fn a_discriminator_of_alternatives_leads_to_the_one_that_its_value_names() {
    let document = json!({"components": {"schemas": {
        "Cat": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}, "lives": {"type": "integer"}}},
        "Dog": {"type": "object", "required": ["kind", "bark"], "properties": {"kind": {"type": "string"}, "bark": {"type": "string"}}},
    }}});
    let alternatives = json!([{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]);
    let pet = json!({"anyOf": alternatives, "discriminator": {"propertyName": "kind"}});
    let pet = validator(&document, &pet, Direction::Request);
    assert!(pet.is_valid(&json!({"kind": "Cat", "lives": 9})));
    assert!(pet.is_valid(&json!({"kind": "Dog", "bark": "wau"})));
    assert!(!pet.is_valid(&json!({"kind": "Dog", "lives": 9})), "it would be a Cat, but says that it is a Dog");
    assert!(!pet.is_valid(&json!({"kind": "Bird"})));
}

#[test]
fn what_is_required_depends_on_the_direction() {
    let schema = json!({
        "type": "object",
        "required": ["id", "secret", "name"],
        "properties": {
            "id": {"type": "string", "readOnly": true},
            "secret": {"type": "string", "writeOnly": true},
            "name": {"type": "string"},
        },
    });
    let request = validator(&json!({}), &schema, Direction::Request);
    let answer = validator(&json!({}), &schema, Direction::Response);
    let (sent, told) = (json!({"secret": "s", "name": "n"}), json!({"id": "1", "name": "n"}));
    assert!(request.is_valid(&sent) && answer.is_valid(&told));
    assert!(!request.is_valid(&told), "what is writeOnly is required in a request");
    assert!(!answer.is_valid(&sent), "what is readOnly is required in an answer");
    assert!(!answer.is_valid(&json!({"id": "1", "name": "n", "secret": "s"})), "a secret must not come back");
}

#[test]
fn a_closed_body_has_no_property_that_is_not_declared_at_any_depth() {
    let document = json!({"components": {"schemas": {
        "Base": {"type": "object", "properties": {"a": {"type": "string"}}},
        "Heir": {"allOf": [
            {"$ref": "#/components/schemas/Base"},
            {"properties": {"list": {"type": "array", "items": {"$ref": "#/components/schemas/Base"}}}},
        ]},
    }}});
    let schema = json!({"$ref": "#/components/schemas/Heir"});
    let closed = super::document::compiled(&convert(&document, &schema, Direction::Request, true).unwrap()).unwrap();
    let open = validator(&document, &schema, Direction::Request);
    assert!(closed.is_valid(&json!({"a": "x", "list": [{"a": "y"}]})));
    for more in [json!({"a": "x", "b": 1}), json!({"list": [{"a": "y", "b": 1}]})] {
        assert!(open.is_valid(&more) && !closed.is_valid(&more), "{more}");
    }
}
