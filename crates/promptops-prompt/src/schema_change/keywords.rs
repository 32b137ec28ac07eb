//! Keywords about values of one kind: types, listed values, bounds, arrays, and whatever is left.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::flat::{accepts_everything, is_annotation};
use super::{Comparison, Step};

/// Keywords whose larger value accepts more.
const UPPER_BOUNDS: [&str; 3] = ["maxLength", "maxItems", "maxProperties"];
/// Keywords whose larger value accepts less.
const LOWER_BOUNDS: [&str; 3] = ["minLength", "minItems", "minProperties"];
/// Keywords that bound numbers.
const NUMBER_BOUNDS: [&str; 4] = ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"];
/// Keywords that are compared one by one.
const COMPARED: [&str; 10] = [
    "type",
    "enum",
    "const",
    "properties",
    "patternProperties",
    "required",
    "additionalProperties",
    "items",
    "prefixItems",
    "multipleOf",
];
/// Keywords that each demand something on their own, so that adding one accepts less and dropping it more.
const CONJUNCTS: [&str; 14] = [
    "pattern",
    "format",
    "uniqueItems",
    "not",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "contains",
    "then",
    "else",
    "anyOf",
    "oneOf",
    "contentSchema",
    "dependencies",
];
/// Every type of JSON.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

impl Comparison<'_, '_> {
    pub(super) fn types(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        // Listed values on both sides are compared one by one.
        if allowed(old).is_some() && allowed(new).is_some() && old.get("type") == new.get("type") {
            return;
        }
        let (before, after) = (types(old), types(new));
        for name in after.difference(&before) {
            self.wider(format!("type `{name}` allowed"));
        }
        for name in before.difference(&after) {
            self.narrower(format!("type `{name}` no longer allowed"));
        }
    }

    pub(super) fn values(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        match (allowed(old), allowed(new)) {
            (None, None) => {}
            (None, Some(_)) => self.narrower("limited to listed values"),
            (Some(_), None) => self.wider("no longer limited to listed values"),
            (Some(before), Some(after)) => {
                for value in after.iter().filter(|value| !before.contains(value)) {
                    self.wider(format!("value {value} allowed"));
                }
                for value in before.iter().filter(|value| !after.contains(value)) {
                    self.narrower(format!("value {value} no longer allowed"));
                }
            }
        }
    }

    pub(super) fn bounds(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let upper = UPPER_BOUNDS.iter().map(|keyword| (keyword, true));
        for (keyword, is_upper) in upper.chain(LOWER_BOUNDS.iter().map(|keyword| (keyword, false))) {
            if self.is_readable(old, new, keyword) {
                let bound = |map: &Map<String, Value>| Some((map.get(*keyword)?.as_f64()?, false));
                self.bound(keyword, bound(old), bound(new), is_upper);
            }
        }
        self.multiples(old, new);
        if !NUMBER_BOUNDS.iter().all(|keyword| self.is_readable(old, new, keyword)) {
            return;
        }
        for (inclusive, exclusive, is_upper) in [("minimum", "exclusiveMinimum", false), ("maximum", "exclusiveMaximum", true)] {
            let tightest = |map: &Map<String, Value>| {
                let number = |keyword: &str| map.get(keyword).and_then(Value::as_f64);
                match (number(inclusive), number(exclusive)) {
                    (Some(one), Some(other)) if (other < one) == is_upper || other == one => Some((other, true)),
                    (Some(one), _) => Some((one, false)),
                    (None, other) => other.map(|other| (other, true)),
                }
            };
            self.bound(inclusive, tightest(old), tightest(new), is_upper);
        }
    }

    /// Tells whether a bound is a number on both sides, and says so when it is not.
    fn is_readable(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, keyword: &str) -> bool {
        let number = |map: &Map<String, Value>| map.get(keyword).and_then(Value::as_f64);
        let is_odd = |map: &Map<String, Value>| map.contains_key(keyword) && number(map).is_none();
        // Beyond 2^53 two numbers may look alike.
        let is_blurred = old.get(keyword) != new.get(keyword) && number(old).is_some() && number(old) == number(new);
        if is_odd(old) || is_odd(new) || is_blurred {
            // As `exclusiveMinimum: true` of draft 4, which depends on another keyword.
            if old.get(keyword) != new.get(keyword) {
                self.unknown(format!("`{keyword}` changed, which is not understood"));
            }
            return false;
        }
        true
    }

    fn bound(&mut self, keyword: &str, old: Option<(f64, bool)>, new: Option<(f64, bool)>, is_upper: bool) {
        let show =
            |(bound, is_exclusive): (f64, bool)| if is_exclusive { format!("{bound} (exclusive)") } else { bound.to_string() };
        match (old, new) {
            (None, Some(bound)) => self.narrower(format!("`{keyword}: {}` added", show(bound))),
            (Some(bound), None) => self.wider(format!("`{keyword}: {}` dropped", show(bound))),
            (Some(before), Some(after)) if before != after => {
                let what = format!("`{keyword}`: {} → {}", show(before), show(after));
                let is_wider = if before.0 == after.0 { before.1 } else { (after.0 > before.0) == is_upper };
                if is_wider { self.wider(what) } else { self.narrower(what) }
            }
            _ => {}
        }
    }

    fn multiples(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        match (old.get("multipleOf"), new.get("multipleOf")) {
            (before, after) if before == after => {}
            (None, Some(divisor)) => self.narrower(format!("`multipleOf: {divisor}` added")),
            (Some(divisor), None) => self.wider(format!("`multipleOf: {divisor}` dropped")),
            (Some(before), Some(after)) => {
                let what = format!("`multipleOf`: {before} → {after}");
                match (before.as_u64(), after.as_u64()) {
                    (Some(old), Some(new)) if old != 0 && new % old == 0 => self.narrower(what),
                    (Some(old), Some(new)) if new != 0 && old % new == 0 => self.wider(what),
                    _ => self.unknown(what),
                }
            }
            (None, None) => {}
        }
    }

    /// Compares the elements of arrays: those at a position, then all others.
    pub(super) fn items(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let is_list = |map: &Map<String, Value>| map.get("prefixItems").is_none_or(Value::is_array);
        if is_malformed(old, "items") || is_malformed(new, "items") || !is_list(old) || !is_list(new) {
            // Told by `others`.
            return;
        }
        let open = Value::Bool(true);
        let rest = |map: &Map<String, Value>| map.get("items").cloned().unwrap_or_else(|| open.clone());
        let prefix = |map: &Map<String, Value>| map.get("prefixItems").and_then(Value::as_array).cloned().unwrap_or_default();
        let ((before, before_rest), (after, after_rest)) = ((prefix(old), rest(old)), (prefix(new), rest(new)));
        for index in 0..before.len().max(after.len()) {
            let (before, after) = (before.get(index).unwrap_or(&before_rest), after.get(index).unwrap_or(&after_rest));
            self.inside(Step::Position(index), |inner| inner.schema(before, after));
        }
        match (accepts_everything(&before_rest), accepts_everything(&after_rest)) {
            (true, true) => {}
            (true, false) => self.narrower("a schema of the items added"),
            (false, true) => self.wider("the schema of the items dropped"),
            (false, false) => self.inside(Step::Item, |inner| inner.schema(&before_rest, &after_rest)),
        }
    }

    /// Keywords that are not compared: added accepts less, dropped accepts more, changed cannot be told.
    pub(super) fn others(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        for keyword in COMPARED.into_iter().filter(|keyword| is_malformed(old, keyword) || is_malformed(new, keyword)) {
            if old.get(keyword) != new.get(keyword) {
                self.unknown(format!("`{keyword}` changed, which is not understood"));
            }
        }
        let is_compared = |keyword: &str| {
            COMPARED.contains(&keyword)
                || UPPER_BOUNDS.contains(&keyword)
                || LOWER_BOUNDS.contains(&keyword)
                || NUMBER_BOUNDS.contains(&keyword)
                || is_annotation(keyword)
        };
        let keywords: BTreeSet<&String> = old.keys().chain(new.keys()).filter(|keyword| !is_compared(keyword)).collect();
        for keyword in keywords {
            match (old.get(keyword), new.get(keyword)) {
                (Some(before), Some(after)) if self.roots.are_equal(before, after) => {}
                // Demanding nothing.
                (None, Some(Value::Bool(false))) | (Some(Value::Bool(false)), None) if keyword == "uniqueItems" => {}
                (Some(Value::Bool(true)), Some(Value::Bool(false))) if keyword == "uniqueItems" => {
                    self.wider("items may be equal now");
                }
                (Some(Value::Bool(false)), Some(Value::Bool(true))) if keyword == "uniqueItems" => {
                    self.narrower("items may no longer be equal");
                }
                // How often it must be contained is another keyword.
                (None, Some(_)) if is_conjunct(keyword) && !new.contains_key("minContains") => {
                    self.narrower(format!("`{keyword}` added"));
                }
                (Some(_), None) if is_conjunct(keyword) && !old.contains_key("minContains") => {
                    self.wider(format!("`{keyword}` dropped"));
                }
                _ => self.unknown(format!("`{keyword}` changed, which is not understood")),
            }
        }
    }
}

fn is_conjunct(keyword: &str) -> bool {
    CONJUNCTS.contains(&keyword)
}

/// Tells whether a keyword holds what JSON Schema does not give it, so that the comparison cannot read it.
pub(super) fn is_malformed(schema: &Map<String, Value>, keyword: &str) -> bool {
    let Some(value) = schema.get(keyword) else { return false };
    match keyword {
        "type" => !(value.is_string() || value.is_array()),
        "enum" | "required" | "prefixItems" => !value.is_array(),
        "properties" | "patternProperties" => !value.is_object(),
        "additionalProperties" | "items" => !(value.is_object() || value.is_boolean()),
        _ => false,
    }
}

/// The accepted types, with `number` counted as `number` and `integer`, as far as the listed values leave them.
pub(super) fn types(schema: &Map<String, Value>) -> BTreeSet<&str> {
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

/// The values that a schema lists; nothing when it lists none.
pub(super) fn allowed(schema: &Map<String, Value>) -> Option<Vec<Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(value), Some(Value::Array(values))) => Some(values.iter().filter(|one| *one == value).cloned().collect()),
        (Some(value), _) => Some(vec![value.clone()]),
        (None, Some(Value::Array(values))) => Some(values.clone()),
        _ => None,
    }
}
