//! How a JSON Schema changed, seen from the side that depends on it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::change::Class;

/// Who depends on the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The prompt consumes the value: what was accepted must stay accepted.
    Input,
    /// Others consume the value: what may come must not grow.
    Output,
}

/// Keywords that only describe.
const ANNOTATIONS: [&str; 7] = ["title", "description", "examples", "default", "$comment", "deprecated", "$schema"];
/// Keywords whose larger value accepts more.
const UPPER_BOUNDS: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// Keywords whose larger value accepts less.
const LOWER_BOUNDS: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
/// Every type of JSON.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// Says what changed from `old` to `new`, with the class for `side`. `path` names the value in reasons.
///
/// Everything that the comparison does not understand is [`Class::Breaking`].
pub fn compare(old: &Value, new: &Value, side: Side, path: &str) -> Vec<(Class, String)> {
    let mut found = Comparison { side, changes: Vec::new() };
    found.schema(old, new, path);
    found.changes
}

struct Comparison {
    side: Side,
    changes: Vec<(Class, String)>,
}

impl Comparison {
    fn push(&mut self, class: Class, path: &str, what: &str) {
        self.changes.push((class, format!("{path}: {what}")));
    }

    /// More values are accepted than before.
    fn widened(&mut self, path: &str, what: &str) {
        self.push(if self.side == Side::Input { Class::Compatible } else { Class::Breaking }, path, what);
    }

    /// Fewer values are accepted than before.
    fn narrowed(&mut self, path: &str, what: &str) {
        self.push(if self.side == Side::Input { Class::Breaking } else { Class::Compatible }, path, what);
    }

    fn schema(&mut self, old: &Value, new: &Value, path: &str) {
        let empty = Map::new();
        let (old, new) = match (old, new) {
            (old, new) if old == new => return,
            (Value::Bool(true), Value::Object(new)) => (&empty, new),
            (Value::Object(old), Value::Bool(true)) => (old, &empty),
            (Value::Object(old), Value::Object(new)) => (old, new),
            _ => return self.push(Class::Breaking, path, "changed in a way that is not understood"),
        };
        self.types(old, new, path);
        self.values(old, new, path);
        self.bounds(old, new, path);
        self.properties(old, new, path);
        self.required(old, new, path);
        self.additional(old, new, path);
        match (old.get("items"), new.get("items")) {
            (None, Some(_)) => self.narrowed(path, "a schema of the items added"),
            (Some(_), None) => self.widened(path, "the schema of the items dropped"),
            (Some(old), Some(new)) => self.schema(old, new, &format!("{path}[]")),
            (None, None) => {}
        }
        self.others(old, new, path);
    }

    fn types(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        // Listed values on both sides are compared one by one.
        if allowed(old).is_some() && allowed(new).is_some() && old.get("type") == new.get("type") {
            return;
        }
        let (before, after) = (types(old), types(new));
        for name in after.difference(&before) {
            self.widened(path, &format!("type `{name}` allowed"));
        }
        for name in before.difference(&after) {
            self.narrowed(path, &format!("type `{name}` no longer allowed"));
        }
    }

    fn values(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        match (allowed(old), allowed(new)) {
            (None, None) => {}
            (None, Some(_)) => self.narrowed(path, "limited to listed values"),
            (Some(_), None) => self.widened(path, "no longer limited to listed values"),
            (Some(before), Some(after)) => {
                for value in after.iter().filter(|value| !before.contains(value)) {
                    self.widened(path, &format!("value {value} allowed"));
                }
                for value in before.iter().filter(|value| !after.contains(value)) {
                    self.narrowed(path, &format!("value {value} no longer allowed"));
                }
            }
        }
    }

    fn bounds(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        let upper = UPPER_BOUNDS.iter().map(|keyword| (keyword, true));
        for (keyword, is_upper) in upper.chain(LOWER_BOUNDS.iter().map(|keyword| (keyword, false))) {
            let number = |map: &Map<String, Value>| map.get(*keyword).and_then(Value::as_f64);
            let is_odd = |map: &Map<String, Value>| map.contains_key(*keyword) && number(map).is_none();
            if is_odd(old) || is_odd(new) {
                // As `exclusiveMinimum: true` of draft 4, which depends on another keyword.
                if old.get(*keyword) != new.get(*keyword) {
                    self.push(Class::Breaking, path, &format!("`{keyword}` changed, which is not understood"));
                }
                continue;
            }
            match (number(old), number(new)) {
                (None, Some(bound)) => self.narrowed(path, &format!("`{keyword}: {bound}` added")),
                (Some(bound), None) => self.widened(path, &format!("`{keyword}: {bound}` dropped")),
                (Some(before), Some(after)) if before != after => {
                    let what = format!("`{keyword}`: {before} → {after}");
                    if (after > before) == is_upper { self.widened(path, &what) } else { self.narrowed(path, &what) }
                }
                _ => {}
            }
        }
    }

    fn properties(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        let (before, after) = (object(old, "properties"), object(new, "properties"));
        let required = required(new);
        for (name, schema) in &after {
            let inner = format!("{path}.{name}");
            match before.get(name) {
                Some(known) => self.schema(known, schema, &inner),
                // A required one is told by `required`.
                None if required.contains(name.as_str()) => {}
                None => self.push(Class::Compatible, &inner, "optional property added"),
            }
        }
        let is_closed = new.get("additionalProperties") == Some(&Value::Bool(false));
        for name in before.keys().filter(|name| !after.contains_key(*name)) {
            let inner = format!("{path}.{name}");
            match self.side {
                Side::Output => self.push(Class::Breaking, &inner, "property removed"),
                Side::Input if is_closed => {
                    self.push(Class::Breaking, &inner, "property removed, so a caller that passes it is refused")
                }
                Side::Input => self.push(Class::Compatible, &inner, "property removed"),
            }
        }
    }

    fn required(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        let (before, after) = (required(old), required(new));
        for name in after.difference(&before) {
            self.narrowed(path, &format!("property `{name}` became required"));
        }
        for name in before.difference(&after) {
            self.widened(path, &format!("property `{name}` is no longer required"));
        }
    }

    fn additional(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        let open = Value::Bool(true);
        let (before, after) =
            (old.get("additionalProperties").unwrap_or(&open), new.get("additionalProperties").unwrap_or(&open));
        match (before, after) {
            (before, after) if before == after => {}
            (Value::Bool(false), _) => self.widened(path, "further properties allowed"),
            (_, Value::Bool(false)) => self.narrowed(path, "further properties no longer allowed"),
            (Value::Bool(true), _) => self.narrowed(path, "further properties limited"),
            (_, Value::Bool(true)) => self.widened(path, "further properties no longer limited"),
            (before, after) => self.schema(before, after, &format!("{path}.*")),
        }
    }

    /// Keywords that are not compared: added accepts less, dropped accepts more, changed cannot be told.
    fn others(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, path: &str) {
        let compared = ["type", "enum", "const", "properties", "required", "additionalProperties", "items"];
        let is_compared = |keyword: &str| {
            compared.contains(&keyword)
                || ANNOTATIONS.contains(&keyword)
                || UPPER_BOUNDS.contains(&keyword)
                || LOWER_BOUNDS.contains(&keyword)
        };
        for keyword in compared.into_iter().filter(|keyword| is_malformed(old, keyword) || is_malformed(new, keyword)) {
            if old.get(keyword) != new.get(keyword) {
                self.push(Class::Breaking, path, &format!("`{keyword}` changed, which is not understood"));
            }
        }
        let keywords: BTreeSet<&String> = old.keys().chain(new.keys()).filter(|keyword| !is_compared(keyword)).collect();
        for keyword in keywords {
            match (old.get(keyword), new.get(keyword)) {
                (before, after) if before == after => {}
                (None, Some(_)) if matches!(keyword.as_str(), "pattern" | "format" | "uniqueItems" | "multipleOf") => {
                    self.narrowed(path, &format!("`{keyword}` added"));
                }
                (Some(_), None) if matches!(keyword.as_str(), "pattern" | "format" | "uniqueItems" | "multipleOf") => {
                    self.widened(path, &format!("`{keyword}` dropped"));
                }
                _ => self.push(Class::Breaking, path, &format!("`{keyword}` changed, which is not understood")),
            }
        }
    }
}

/// Tells whether a keyword holds what JSON Schema does not give it, so that the comparison cannot read it.
fn is_malformed(schema: &Map<String, Value>, keyword: &str) -> bool {
    let Some(value) = schema.get(keyword) else { return false };
    match keyword {
        "type" => !(value.is_string() || value.is_array()),
        "enum" | "required" => !value.is_array(),
        "properties" => !value.is_object(),
        "additionalProperties" | "items" => !(value.is_object() || value.is_boolean()),
        _ => false,
    }
}

/// The accepted types, with `number` counted as `number` and `integer`, as far as the listed values leave them.
fn types(schema: &Map<String, Value>) -> BTreeSet<&str> {
    let declared = declared_types(schema);
    let Some(values) = allowed(schema) else { return declared };
    let listed: BTreeSet<&str> = values.iter().flat_map(types_of).copied().collect();
    declared.intersection(&listed).copied().collect()
}

/// The types that a value is of. A whole number is one of both.
fn types_of(value: &Value) -> &'static [&'static str] {
    match value {
        Value::Null => &["null"],
        Value::Bool(_) => &["boolean"],
        Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => &["integer", "number"],
        Value::Number(_) => &["number"],
        Value::String(_) => &["string"],
        Value::Array(_) => &["array"],
        Value::Object(_) => &["object"],
    }
}

fn declared_types(schema: &Map<String, Value>) -> BTreeSet<&str> {
    let mut types: BTreeSet<&str> = match schema.get("type") {
        Some(Value::String(name)) => [name.as_str()].into(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => TYPES.into(),
    };
    if types.contains("number") {
        types.insert("integer");
    }
    types
}

fn allowed(schema: &Map<String, Value>) -> Option<Vec<Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(value), Some(Value::Array(values))) => Some(values.iter().filter(|one| *one == value).cloned().collect()),
        (Some(value), _) => Some(vec![value.clone()]),
        (None, Some(Value::Array(values))) => Some(values.clone()),
        _ => None,
    }
}

fn required(schema: &Map<String, Value>) -> BTreeSet<&str> {
    schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

fn object(schema: &Map<String, Value>, keyword: &str) -> Map<String, Value> {
    schema.get(keyword).and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn classes(old: &Value, new: &Value, side: Side) -> Vec<Class> {
        compare(old, new, side, "x").into_iter().map(|(class, _)| class).collect()
    }

    /// Apicurio's checker lets these pass (its source, PromptTemplateCompatibilityChecker); ours must not.
    #[test]
    fn sees_what_another_checker_misses() {
        let nested =
            |kind: &str| json!({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": kind}}}}});
        assert!(classes(&nested("string"), &nested("integer"), Side::Output).contains(&Class::Breaking));
        assert_eq!(
            classes(&json!({"type": "string"}), &json!({"type": "string", "enum": ["a"]}), Side::Input),
            [Class::Breaking]
        );
        assert_eq!(classes(&json!({"minimum": 0}), &json!({"minimum": 1}), Side::Input), [Class::Breaking]);
        assert_eq!(classes(&json!({"required": ["a"]}), &json!({}), Side::Output), [Class::Breaking]);
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
    fn a_bound_that_is_no_number_is_not_understood() {
        let bound = |is_exclusive: bool| json!({"minimum": 0, "exclusiveMinimum": is_exclusive});
        assert_eq!(classes(&bound(true), &bound(false), Side::Output), [Class::Breaking]);
    }

    #[test]
    fn what_is_not_understood_is_breaking() {
        assert_eq!(classes(&json!({"anyOf": [{}]}), &json!({"anyOf": [{}, {}]}), Side::Input), [Class::Breaking]);
        assert_eq!(classes(&json!(true), &json!(false), Side::Output), [Class::Breaking]);
        assert_eq!(classes(&json!({"description": "a"}), &json!({"description": "b"}), Side::Output), []);
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
            1 => (0..4).prop_map(|bound| ("exclusiveMaximum", json!(bound))),
            1 => (0..4).prop_map(|bound| ("maxLength", json!(bound))),
            1 => (0..3).prop_map(|bound| ("minItems", json!(bound))),
            1 => prop::bool::ANY.prop_map(|unique| ("uniqueItems", json!(unique))),
            1 => Just(("description", json!("x"))),
        ];
        let leaf = prop::collection::vec(keyword, 0..3)
            .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
        let leaf = prop_oneof![9 => leaf.boxed(), 1 => Just(json!(true)).boxed()];
        leaf.prop_recursive(2, 12, 3, |inner| {
            let further = prop_oneof![2 => Just(json!(true)), 1 => Just(json!(false)), 1 => inner.clone()];
            let required = prop::collection::btree_set(prop::sample::select(vec!["p", "q"]), 0..3);
            prop_oneof![
                inner.clone().prop_map(|schema| json!({"items": schema})),
                (inner.clone(), inner, further, required).prop_map(|(p, q, further, required)| {
                    json!({"properties": {"p": p, "q": q}, "additionalProperties": further, "required": required})
                }),
            ]
        })
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
        all.extend([json!([]), json!({}), json!([1, 1]), json!(["a", null]), json!([[1]])]);
        all.extend(scalars.iter().map(|value| json!([value])));
        all.extend(scalars.iter().map(|value| json!({"p": value})));
        all.extend(scalars.iter().map(|value| json!({"p": value, "q": 1})));
        all.extend(scalars.iter().map(|value| json!({"q": value, "r": "a"})));
        all.extend([json!({"p": {"p": 1, "q": "a"}}), json!({"p": [1, "a"]}), json!([{"p": null}]), json!({"r": 1})]);
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        /// Against another implementation of JSON Schema: what is not called breaking breaks nobody.
        #[test]
        fn what_is_not_breaking_breaks_nothing(old in any_schema(), new in any_schema()) {
            let (before, after) = (jsonschema::validator_for(&old).unwrap(), jsonschema::validator_for(&new).unwrap());
            // An optional property may come or go although an open schema takes anything under its name.
            let is_open = |reason: &str| reason.ends_with("optional property added") || reason.ends_with("property removed");
            let is_safe = |side: Side| {
                compare(&old, &new, side, "x").iter().all(|(class, why)| *class != Class::Breaking && !is_open(why))
            };
            let (inputs, outputs) = (is_safe(Side::Input), is_safe(Side::Output));
            for value in samples() {
                prop_assert!(!inputs || !before.is_valid(&value) || after.is_valid(&value), "no longer accepted: {value}");
                prop_assert!(!outputs || before.is_valid(&value) || !after.is_valid(&value), "may come now: {value}");
            }
        }
    }

    proptest! {
        /// What is narrower for the one side is wider for the other: a breaking change there and back, unless equal.
        #[test]
        fn sides_mirror_each_other(old in proptest::collection::btree_set(0..6_u8, 1..5), new in proptest::collection::btree_set(0..6_u8, 1..5)) {
            let schema = |values: &BTreeSet<u8>| json!({"enum": values});
            let forward = classes(&schema(&old), &schema(&new), Side::Input);
            let backward = classes(&schema(&new), &schema(&old), Side::Output);
            prop_assert_eq!(forward.contains(&Class::Breaking), !old.is_subset(&new));
            prop_assert_eq!(backward.contains(&Class::Breaking), !old.is_subset(&new));
        }
    }
}
