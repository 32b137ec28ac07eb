use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn classes(old: &Value, new: &Value, side: Side) -> Vec<Class> {
    compare(old, new, side).into_iter().map(|difference| difference.class).collect()
}

/// Every difference as a person reads it.
fn shown(old: &Value, new: &Value, side: Side) -> Vec<String> {
    let line = |difference: Difference| format!("{} {}: {}", difference.class, place("x", &difference.steps), difference.what);
    compare(old, new, side).into_iter().map(line).collect()
}

fn is_safe(old: &Value, new: &Value, side: Side) -> bool {
    !classes(old, new, side).contains(&Class::Breaking)
}

#[test]
fn integer_is_a_number() {
    assert_eq!(classes(&json!({"type": "integer"}), &json!({"type": "number"}), Side::Input), [Class::Compatible]);
    assert_eq!(classes(&json!({"type": "number"}), &json!({"type": "integer"}), Side::Input), [Class::Breaking]);
}

#[test]
fn listed_values_say_their_types() {
    let (open, closed) = (json!({"type": "string"}), json!({"enum": ["a", "b"]}));
    assert_eq!(classes(&open, &closed, Side::Output), [Class::Compatible]);
    assert_eq!(classes(&closed, &open, Side::Input), [Class::Compatible]);
    assert_eq!(classes(&closed, &json!({"type": "string", "enum": ["a"]}), Side::Output), [Class::Compatible]);
    assert_eq!(classes(&closed, &json!({"const": "a"}), Side::Output), [Class::Compatible]);
    assert!(classes(&closed, &json!({"enum": ["a", "b", null]}), Side::Output).contains(&Class::Breaking));
}

#[test]
fn bounds_of_both_forms_are_one() {
    let (from_one, above_zero, above_one) =
        (json!({"minimum": 1}), json!({"exclusiveMinimum": 0}), json!({"exclusiveMinimum": 1}));
    assert_eq!(shown(&above_zero, &from_one, Side::Input), ["breaking x: `minimum`: 0 (exclusive) → 1"]);
    assert_eq!(shown(&from_one, &above_one, Side::Input), ["breaking x: `minimum`: 1 → 1 (exclusive)"]);
    assert_eq!(shown(&json!({"maximum": 5, "exclusiveMaximum": 5}), &json!({"exclusiveMaximum": 5}), Side::Input), [""; 0]);
    assert_eq!(classes(&json!({"multipleOf": 2}), &json!({"multipleOf": 4}), Side::Input), [Class::Breaking]);
    assert_eq!(classes(&json!({"multipleOf": 4}), &json!({"multipleOf": 2}), Side::Input), [Class::Compatible]);
}

#[test]
fn a_bound_that_is_no_number_is_not_understood() {
    let bound = |is_exclusive: bool| json!({"minimum": 0, "exclusiveMinimum": is_exclusive});
    assert_eq!(classes(&bound(true), &bound(false), Side::Output), [Class::Breaking]);
    let huge: Value = serde_json::from_str(r#"{"maximum": 9007199254740993}"#).unwrap();
    assert_eq!(classes(&huge, &json!({"maximum": 9_007_199_254_740_992_u64}), Side::Input), [Class::Breaking]);
}

#[test]
fn a_property_of_an_open_object_took_any_value_before() {
    let open = json!({"type": "object"});
    let closed = json!({"type": "object", "additionalProperties": false});
    let with = |schema: &Value| {
        let mut more = schema.clone();
        more["properties"] = json!({"tier": {"type": "string"}});
        more
    };
    assert_eq!(shown(&open, &with(&open), Side::Output), ["compatible x.tier: optional property added"]);
    assert_eq!(classes(&open, &with(&open), Side::Input), [Class::Breaking]);
    assert_eq!(shown(&closed, &with(&closed), Side::Input), ["compatible x.tier: optional property added"]);
    assert_eq!(
        shown(&closed, &with(&closed), Side::Output),
        ["breaking x.tier: optional property added, which the old schema refuses (`additionalProperties: false`)"]
    );
    assert_eq!(shown(&with(&open), &open, Side::Input), ["compatible x.tier: property removed"]);
    assert_eq!(classes(&with(&closed), &closed, Side::Input), [Class::Breaking]);
    assert_eq!(shown(&with(&closed), &closed, Side::Output), ["breaking x.tier: property removed"]);
}

#[test]
fn references_are_followed_also_around_a_circle() {
    let tree = |value: Value| {
        json!({
            "$ref": "#/$defs/Node",
            "$defs": {"Node": {
                "type": "object",
                "properties": {"value": value, "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
                "required": ["value"],
            }},
        })
    };
    let (narrow, wide) = (tree(json!({"type": "integer"})), tree(json!({"type": "number"})));
    assert_eq!(shown(&narrow, &wide, Side::Input), ["compatible x.value: type `number` allowed"]);
    assert_eq!(shown(&wide, &narrow, Side::Input), ["breaking x.value: type `number` no longer allowed"]);
    let inline = json!({"properties": {"a": {"type": "string"}}});
    let named = json!({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}});
    assert_eq!(shown(&inline, &named, Side::Output), [""; 0], "written otherwise, and the same");
    let elsewhere = json!({"properties": {"a": {"$ref": "https://example.com/a"}}});
    assert_eq!(classes(&inline, &elsewhere, Side::Output), [Class::Breaking], "what cannot be looked up cannot be told");
}

#[test]
fn a_definition_that_moves_moves_what_refers_to_it() {
    let with = |schema: Value| json!({"items": {"$ref": "#/$defs/A"}, "not": {"$ref": "#/$defs/A"}, "$defs": {"A": schema}});
    let found = shown(&with(json!({"enum": [1]})), &with(json!({"enum": [1, 2]})), Side::Input);
    assert_eq!(found, ["compatible x[]: value 2 allowed", "breaking x: `not` changed, which is not understood"]);
}

#[test]
fn alternatives_are_compared_branch_by_branch() {
    let optional = json!({"anyOf": [{"type": "string"}, {"type": "null"}], "default": null});
    let text = json!({"type": "string"});
    assert_eq!(shown(&text, &optional, Side::Input), ["compatible x: alternative `null` allowed"]);
    assert_eq!(shown(&optional, &text, Side::Input), ["breaking x: alternative `null` no longer allowed"]);
    assert_eq!(shown(&json!({"type": ["string", "null"]}), &optional, Side::Output), [""; 0], "two ways to write one thing");
    let shape = |radius: Value| {
        json!({"oneOf": [
            {"type": "object", "properties": {"kind": {"const": "circle"}, "radius": radius}, "required": ["kind"]},
            {"type": "object", "properties": {"kind": {"const": "square"}}, "required": ["kind"]},
        ]})
    };
    assert_eq!(
        shown(&shape(json!({"type": "number"})), &shape(json!({"type": "integer"})), Side::Input),
        ["breaking x.radius: type `number` no longer allowed"]
    );
    let overlapping = |bound: u8| json!({"oneOf": [{"minimum": bound}, {"multipleOf": 2}]});
    assert_eq!(classes(&overlapping(1), &overlapping(2), Side::Input), [Class::Breaking], "one more match is one match too many");
}

#[test]
fn what_is_joined_is_compared_as_one() {
    let joined = json!({"allOf": [{"type": "string"}, {"maxLength": 5}]});
    assert_eq!(shown(&joined, &json!({"type": "string", "maxLength": 5}), Side::Output), [""; 0]);
    assert_eq!(shown(&joined, &json!({"type": "string", "maxLength": 6}), Side::Output), ["breaking x: `maxLength`: 5 → 6"]);
    let closed_elsewhere = json!({"allOf": [{"properties": {"a": {}}}, {"additionalProperties": false}]});
    assert_eq!(classes(&closed_elsewhere, &json!({"properties": {"a": {}}}), Side::Input), [Class::Breaking]);
}

#[test]
fn elements_at_a_position_have_schemas_of_their_own() {
    let pair = |second: Value| json!({"prefixItems": [{"type": "string"}, second]});
    assert_eq!(
        shown(&pair(json!({"enum": [1]})), &pair(json!({"enum": [1, 2]})), Side::Input),
        ["compatible x[1]: value 2 allowed"]
    );
    let shorter = json!({"prefixItems": [{"type": "string"}]});
    assert!(is_safe(&pair(json!({"enum": [1]})), &shorter, Side::Input), "any element may follow now");
    assert!(!is_safe(&pair(json!({"enum": [1]})), &shorter, Side::Output));
}

#[test]
fn what_is_not_understood_is_breaking() {
    for (old, new) in [
        (json!({"if": {}}), json!({"if": {"type": "string"}})),
        (json!({"oneOf": [{}, {"type": "null"}]}), json!({"oneOf": [{}]})),
        (json!({"$schema": "http://json-schema.org/draft-07/schema#"}), json!({})),
        (json!({"unevaluatedProperties": false}), json!({"unevaluatedProperties": false, "properties": {"a": {}}})),
        (json!({"patternProperties": {"a": {}}}), json!({"patternProperties": {"b": {}}})),
        (json!({"nullable": true}), json!({})),
    ] {
        for side in [Side::Input, Side::Output] {
            assert!(!is_safe(&old, &new, side), "{old} → {new}");
        }
    }
    assert_eq!(classes(&json!({"description": "a"}), &json!({"description": "b", "x-order": 1}), Side::Output), []);
}

/// Schemas of few words, so that two of them are often alike.
fn any_schema() -> impl Strategy<Value = Value> {
    let types = || prop::sample::select(vec!["string", "integer", "number", "null", "boolean", "object", "array"]);
    let value = || {
        let values = vec![json!(1), json!(2), json!(2.5), json!("a"), json!("bcd"), json!(null), json!(true), json!([1])];
        prop::sample::select(values)
    };
    let keyword = prop_oneof![
        3 => types().prop_map(|name| ("type", json!(name))),
        2 => prop::collection::btree_set(types(), 1..4).prop_map(|names| ("type", json!(names))),
        2 => prop::collection::vec(value(), 0..4).prop_map(|values| ("enum", json!(values))),
        1 => value().prop_map(|value| ("const", value)),
        1 => (0..4).prop_map(|bound| ("minimum", json!(bound))),
        1 => (0..4).prop_map(|bound| ("exclusiveMinimum", json!(bound))),
        1 => (0..4).prop_map(|bound| ("exclusiveMaximum", json!(bound))),
        1 => (1..4).prop_map(|divisor| ("multipleOf", json!(divisor))),
        1 => (0..4).prop_map(|bound| ("maxLength", json!(bound))),
        1 => (0..3).prop_map(|bound| ("minItems", json!(bound))),
        1 => prop::bool::ANY.prop_map(|unique| ("uniqueItems", json!(unique))),
        1 => prop::sample::select(vec!["A", "B"]).prop_map(|name| ("$ref", json!(format!("#/$defs/{name}")))),
        1 => Just(("description", json!("x"))),
    ];
    let leaf = prop::collection::vec(keyword, 0..3)
        .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
    let leaf = prop_oneof![9 => leaf.boxed(), 1 => Just(json!(true)).boxed(), 1 => Just(json!(false)).boxed()];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let further = prop_oneof![3 => Just(json!(true)), 2 => Just(json!(false)), 1 => inner.clone()];
        let names = || prop::collection::btree_set(prop::sample::select(vec!["p", "q"]), 0..3);
        let some = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            2 => inner.clone().prop_map(|schema| json!({"items": schema})),
            1 => (some(), inner.clone()).prop_map(|(prefix, rest)| json!({"prefixItems": prefix, "items": rest})),
            4 => (inner.clone(), inner.clone(), names(), further, names()).prop_map(|(p, q, named, further, required)| {
                let mut properties = json!({"p": p, "q": q});
                properties.as_object_mut().unwrap().retain(|name, _| named.contains(name.as_str()));
                json!({"properties": properties, "additionalProperties": further, "required": required})
            }),
            2 => some().prop_map(|branches| json!({"anyOf": branches})),
            1 => some().prop_map(|branches| json!({"oneOf": branches})),
            1 => some().prop_map(|parts| json!({"allOf": parts})),
            1 => inner.clone().prop_map(|schema| json!({"not": schema})),
            1 => inner.clone().prop_map(|schema| json!({"patternProperties": {"^p": schema}})),
            1 => inner.clone().prop_map(|schema| json!({"contains": schema})),
            1 => inner.clone().prop_map(|schema| json!({"propertyNames": schema})),
            1 => inner.clone().prop_map(|schema| json!({"if": schema, "then": {"type": "string"}})),
            1 => (inner.clone(), inner.clone()).prop_map(|(p, q)| json!({"properties": {"p": p}, "unevaluatedProperties": q})),
        ]
    })
}

/// A schema whose references lead somewhere. The definitions do not refer to each other, so that every validator ends.
fn any_root() -> impl Strategy<Value = Value> {
    let definition = || {
        prop::sample::select(vec![
            json!({"type": "string"}),
            json!({"type": ["string", "null"]}),
            json!({"enum": [1, 2]}),
            json!({"type": "object", "properties": {"p": {"type": "integer"}}, "required": ["p"]}),
            json!(true),
        ])
    };
    (any_schema(), definition(), definition()).prop_map(|(mut schema, a, b)| {
        if let Some(map) = schema.as_object_mut() {
            map.insert("$defs".to_owned(), json!({"A": a, "B": b}));
        }
        schema
    })
}

/// Two schemas that often differ in one place only.
fn any_pair() -> impl Strategy<Value = (Value, Value)> {
    let changed = (any_root(), any_schema(), any::<prop::sample::Index>()).prop_map(|(old, part, at)| {
        let mut new = old.clone();
        let mut places = Vec::new();
        collect(&old, String::new(), &mut places);
        let place = &places[at.index(places.len())];
        *new.pointer_mut(place).unwrap() = part;
        (old, new)
    });
    prop_oneof![2 => changed, 1 => (any_root(), any_root())]
}

/// The pointers of every schema inside a schema.
fn collect(schema: &Value, at: String, places: &mut Vec<String>) {
    let Some(map) = schema.as_object() else { return places.push(at) };
    for (keyword, value) in map {
        let inner = format!("{at}/{keyword}");
        match keyword.as_str() {
            "items" | "additionalProperties" | "not" | "contains" | "propertyNames" | "unevaluatedProperties" => {
                collect(value, inner, places);
            }
            "properties" | "$defs" => {
                for (name, schema) in value.as_object().unwrap() {
                    // A definition must not come to refer to itself.
                    if keyword == "properties" {
                        collect(schema, format!("{inner}/{name}"), places);
                    }
                }
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                for (index, schema) in value.as_array().unwrap().iter().enumerate() {
                    collect(schema, format!("{inner}/{index}"), places);
                }
            }
            _ => {}
        }
    }
    if !at.is_empty() || places.is_empty() {
        places.push(at);
    }
}

fn samples() -> Vec<Value> {
    let scalars = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(2),
        json!(3),
        json!(2.5),
        json!(-1),
        json!(""),
        json!("a"),
        json!("bcd"),
    ];
    let mut all = scalars.to_vec();
    all.extend([json!([]), json!({}), json!([1, 1]), json!(["a", null]), json!([[1]]), json!(["a", 1, 2]), json!([null, 2.5])]);
    all.extend(scalars.iter().map(|value| json!([value])));
    all.extend(scalars.iter().map(|value| json!({"p": value})));
    all.extend(scalars.iter().map(|value| json!({"p": value, "q": 1})));
    all.extend(scalars.iter().map(|value| json!({"q": value, "r": "a"})));
    all.extend([json!({"p": {"p": 1, "q": "a"}}), json!({"p": [1, "a"]}), json!([{"p": null}]), json!({"r": 1})]);
    all.extend([json!({"p": {"q": "a"}}), json!({"p": {"r": 1}}), json!({"q": {"p": 1}}), json!([{"p": 1}]), json!({"q": []})]);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    /// Against another implementation of JSON Schema: what is not called breaking breaks nobody, whatever the keywords.
    #[test]
    fn what_is_not_breaking_breaks_nothing((old, new) in any_pair()) {
        let (Ok(before), Ok(after)) = (jsonschema::validator_for(&old), jsonschema::validator_for(&new)) else {
            // A place was taken out that something refers to.
            return Ok(());
        };
        let (inputs, outputs) = (is_safe(&old, &new, Side::Input), is_safe(&old, &new, Side::Output));
        for value in samples() {
            prop_assert!(!inputs || !before.is_valid(&value) || after.is_valid(&value), "no longer accepted: {value}");
            prop_assert!(!outputs || before.is_valid(&value) || !after.is_valid(&value), "may come now: {value}");
        }
    }

    /// Nothing is found in what did not change, and a change there is one back.
    #[test]
    fn a_schema_is_compatible_with_itself((old, new) in any_pair()) {
        prop_assert_eq!(compare(&old, &old, Side::Input), vec![]);
        let effects = |old: &Value, new: &Value| compare(old, new, Side::Input).iter().map(|one| one.effect).collect::<Vec<_>>();
        let (there, back) = (effects(&old, &new), effects(&new, &old));
        prop_assert_eq!(there.iter().all(|effect| *effect == Effect::Same), back.iter().all(|effect| *effect == Effect::Same));
    }

    /// What is narrower for the one side is wider for the other: a breaking change there and back, unless equal.
    #[test]
    fn sides_mirror_each_other(old in prop::collection::btree_set(0..6_u8, 1..5), new in prop::collection::btree_set(0..6_u8, 1..5)) {
        let schema = |values: &BTreeSet<u8>| json!({"enum": values});
        let forward = classes(&schema(&old), &schema(&new), Side::Input);
        let backward = classes(&schema(&new), &schema(&old), Side::Output);
        prop_assert_eq!(forward.contains(&Class::Breaking), !old.is_subset(&new));
        prop_assert_eq!(backward.contains(&Class::Breaking), !old.is_subset(&new));
    }
}
