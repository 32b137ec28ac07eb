//! Values to try a change with: one that the one version takes and the other refuses shows what breaks.
//!
//! Nothing is proven here. Whoever has a validator tries the values, and shows the first that does what it should.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Change, SchemaName, tools};
use crate::content::Content;
use crate::schema_change::{Effect, Step, flattened};

/// Two schemas, and values of which one may be accepted by the first alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The schema that accepts the value.
    pub accepts: Value,
    /// The schema that refuses it.
    pub refuses: Value,
    /// Whether the old version is the one that accepts.
    pub old_accepts: bool,
    /// Values to try, likeliest first.
    pub candidates: Vec<Value>,
    /// The way to what changed.
    steps: Vec<Step>,
}

impl Trial {
    /// Chooses an example with the help of a validator: `accepts` says whether the first schema accepts a value, `errors`
    /// where the second refuses it, as JSON pointers into the value.
    ///
    /// One that is refused at the very place that changed, and nowhere else, says most.
    pub fn choose(&self, accepts: impl Fn(&Value) -> bool, errors: impl Fn(&Value) -> Vec<String>) -> Option<&Value> {
        let mut best: Option<(usize, &Value)> = None;
        for value in self.candidates.iter().filter(|value| accepts(value)) {
            let places = errors(value);
            let there = places.iter().filter(|pointer| self.is_there(pointer)).count();
            let rank = match (there, places.len()) {
                (_, 0) => continue,
                (there, all) if there == all => return Some(value),
                (0, _) => 1,
                _ => 0,
            };
            if best.is_none_or(|(known, _)| rank < known) {
                best = Some((rank, value));
            }
        }
        best.map(|(_, value)| value)
    }

    /// Tells whether a JSON pointer leads to the place that changed, or below it.
    fn is_there(&self, pointer: &str) -> bool {
        let mut parts = pointer.split('/').skip(1);
        self.steps.iter().all(|step| {
            let part = parts.next().map(|part| part.replace("~1", "/").replace("~0", "~"));
            match (step, part) {
                (_, None) => false,
                (Step::Property(name), Some(part)) => *name == part,
                (Step::Position(index), Some(part)) => index.to_string() == part,
                (Step::Further | Step::Item, Some(_)) => true,
            }
        })
    }
}

/// Values that are tried at most.
const MAX_CANDIDATES: usize = 400;
/// The deepest nesting that a value is made for.
const MAX_DEPTH: usize = 12;
/// The longest text that is made.
const MAX_TEXT: u64 = 200;
/// The longest array that is made.
const MAX_ITEMS: u64 = 20;

/// Returns what may show a change: values at the place that changed, in an otherwise usual value. Nothing for what is no
/// change of a set of values.
///
/// For a variable the value is the whole of what a caller gives.
pub fn trial(change: &Change, old: &Content, new: &Content) -> Option<Trial> {
    let place = change.place.as_ref()?;
    let whole = |content: &Content| match &place.schema {
        SchemaName::Inputs => Some(inputs(content)),
        SchemaName::Output => Some(content.output.clone().unwrap_or(Value::Bool(true))),
        SchemaName::Tool(name) => {
            tools::named(content.tools.as_ref())?.into_iter().find(|(known, _)| known == name).map(|(_, schema)| schema)
        }
    };
    let (before, after) = (whole(old)?, whole(new)?);
    let old_accepts = match place.effect {
        Effect::Narrower => true,
        Effect::Wider => false,
        Effect::Same | Effect::Removed | Effect::Unknown => return None,
    };
    let (accepts, refuses) = if old_accepts { (before, after) } else { (after, before) };
    let mut candidates = values_at(&accepts, &accepts, &refuses, &refuses, &place.steps, 0);
    let mut seen = BTreeSet::new();
    candidates.retain(|value| seen.insert(value.to_string()));
    candidates.truncate(MAX_CANDIDATES);
    Some(Trial { accepts, refuses, old_accepts, candidates, steps: place.steps.clone() })
}

/// The schema of all that a caller gives.
fn inputs(content: &Content) -> Value {
    let required: Vec<&String> =
        content.inputs.iter().filter(|(_, schema)| schema.get("default").is_none()).map(|(name, _)| name).collect();
    let properties: Map<String, Value> = content.inputs.clone().into_iter().collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// Usual values of `accepts` that hold, below `steps`, what is usual or just beyond for one of the schemas there.
fn values_at(accepts: &Value, root: &Value, refuses: &Value, other: &Value, steps: &[Step], depth: usize) -> Vec<Value> {
    let Some((step, rest)) = steps.split_first().filter(|_| depth < MAX_DEPTH) else {
        let mut values = extremes(accepts, root);
        values.extend(extremes(refuses, other));
        return values;
    };
    let (taken, refused) = (inside(accepts, root, step), inside(refuses, other, step));
    let inner = values_at(&taken, root, &refused, other, rest, depth + 1);
    let usual = usual(accepts, root, depth);
    let mut values: Vec<Value> = inner
        .into_iter()
        .map(|value| match step {
            Step::Property(name) => with(&usual, name, value),
            Step::Further => with(&usual, "further", value),
            Step::Item | Step::Position(_) => {
                let mut items = usual.as_array().cloned().unwrap_or_default();
                let index = if let Step::Position(index) = step { *index } else { 0 };
                while items.len() <= index {
                    let usual = self::usual(&inside(accepts, root, &Step::Position(items.len())), root, depth + 1);
                    items.push(usual);
                }
                items[index] = value;
                Value::Array(items)
            }
        })
        .collect();
    if let Step::Property(name) = step {
        // What is there or not there, rather than what it is.
        values.extend([usual.clone(), without(&usual, name)]);
    }
    values
}

/// The schema of what is one step inside.
fn inside(schema: &Value, root: &Value, step: &Step) -> Value {
    let open = || Value::Bool(true);
    let Some(map) = flattened(schema, root) else { return open() };
    // Below alternatives, that of the first one that says something.
    let branches = ["anyOf", "oneOf"].iter().filter_map(|keyword| map.get(*keyword)?.as_array()).flatten();
    let further = || map.get("additionalProperties").cloned();
    let items = || map.get("items").cloned();
    let own = match step {
        Step::Property(name) => map.get("properties").and_then(|all| all.get(name)).cloned().or_else(further),
        Step::Further => further(),
        Step::Item => items(),
        Step::Position(index) => map.get("prefixItems").and_then(|all| all.get(index)).cloned().or_else(items),
    };
    own.or_else(|| branches.map(|branch| inside(branch, root, step)).find(|schema| *schema != open())).unwrap_or_else(open)
}

fn with(value: &Value, name: &str, inner: Value) -> Value {
    let mut map = value.as_object().cloned().unwrap_or_default();
    map.insert(name.to_owned(), inner);
    Value::Object(map)
}

fn without(value: &Value, name: &str) -> Value {
    let mut map = value.as_object().cloned().unwrap_or_default();
    map.remove(name);
    Value::Object(map)
}

/// One value that a schema accepts, as far as its usual keywords say.
fn usual(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(map) = flattened(schema, root).filter(|_| depth < MAX_DEPTH) else { return Value::Null };
    let listed = |keyword: &str| map.get(keyword).and_then(Value::as_array).and_then(|values| values.first());
    let written = [map.get("const"), listed("enum"), listed("examples"), map.get("default")];
    if let Some(value) = written.into_iter().flatten().next() {
        return value.clone();
    }
    if let Some(branch) = listed("anyOf").or_else(|| listed("oneOf")) {
        return usual(branch, root, depth + 1);
    }
    let kind = match map.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(Value::Array(names)) => names.first().and_then(Value::as_str).unwrap_or("string"),
        _ if map.contains_key("properties") || map.contains_key("required") => "object",
        _ if map.contains_key("items") || map.contains_key("prefixItems") => "array",
        _ if map.contains_key("minimum") || map.contains_key("maximum") => "integer",
        _ => "string",
    };
    match kind {
        "object" => object(&map, root, depth),
        "array" => {
            let count = size(&map, "minItems").unwrap_or(0).min(MAX_ITEMS) as usize;
            let item = |index: usize| usual(&inside(schema, root, &Step::Position(index)), root, depth + 1);
            Value::Array((0..count).map(item).collect())
        }
        "integer" | "number" => number(&map),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => text(size(&map, "minLength").unwrap_or(1).max(1)),
    }
}

fn object(map: &Map<String, Value>, root: &Value, depth: usize) -> Value {
    let names = map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let whole = Value::Object(map.clone());
    let property = |name: &str| {
        let schema = inside(&whole, root, &Step::Property(name.to_owned()));
        (name.to_owned(), usual(&schema, root, depth + 1))
    };
    Value::Object(names.map(property).collect())
}

fn number(map: &Map<String, Value>) -> Value {
    let bound = |keyword: &str| map.get(keyword).and_then(Value::as_f64);
    let lowest = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound.floor() + 1.0));
    let highest = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound.ceil() - 1.0));
    let value = lowest.or(highest.map(|highest| highest.min(1.0))).unwrap_or(1.0);
    match map.get("multipleOf").and_then(Value::as_f64) {
        Some(step) if step > 0.0 => plain((value / step).ceil() * step),
        _ => plain(value),
    }
}

/// Writes a whole number without a fraction.
#[expect(clippy::cast_possible_truncation, reason = "the value was seen to be whole and small")]
fn plain(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

fn text(length: u64) -> Value {
    Value::String("x".repeat(usize::try_from(length.min(MAX_TEXT)).unwrap_or(0)))
}

fn size(map: &Map<String, Value>, keyword: &str) -> Option<u64> {
    map.get(keyword)?.as_u64()
}

/// Values around what a schema says: listed ones, one of each type, and those at and beside every bound.
fn extremes(schema: &Value, root: &Value) -> Vec<Value> {
    let Some(map) = flattened(schema, root) else { return vec![json!("x"), json!(1), Value::Null, json!({}), json!([])] };
    let mut values = vec![usual(schema, root, 0)];
    values.extend(map.get("const").cloned());
    for keyword in ["enum", "examples"] {
        values.extend(map.get(keyword).and_then(Value::as_array).into_iter().flatten().cloned());
    }
    for keyword in ["anyOf", "oneOf"] {
        values.extend(map.get(keyword).and_then(Value::as_array).into_iter().flatten().map(|branch| usual(branch, root, 0)));
    }
    for keyword in ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"] {
        if let Some(bound) = map.get(keyword).and_then(Value::as_f64) {
            values.extend([bound, bound - 1.0, bound + 1.0, bound - 0.5, bound + 0.5, bound * 3.0].map(plain));
        }
    }
    for keyword in ["minLength", "maxLength"] {
        if let Some(bound) = size(&map, keyword) {
            values.extend([bound, bound.saturating_sub(1), bound + 1].map(text));
        }
    }
    for keyword in ["minItems", "maxItems"] {
        if let Some(bound) = size(&map, keyword).filter(|bound| *bound <= MAX_ITEMS) {
            for count in [bound, bound.saturating_sub(1), bound + 1] {
                let item = |index| usual(&inside(schema, root, &Step::Position(index)), root, 1);
                values.push(Value::Array((0..count as usize).map(item).collect()));
            }
        }
    }
    let whole = object(&map, root, 0);
    if let Some(names) = whole.as_object() {
        values.extend(names.keys().map(|name| without(&whole, name)));
    }
    for name in map.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name) {
        let inner = usual(&inside(schema, root, &Step::Property(name.clone())), root, 1);
        values.push(with(&whole, name, inner));
    }
    values.extend([with(&whole, "further", json!("x")), whole]);
    let item = usual(&inside(schema, root, &Step::Item), root, 1);
    values.extend([json!([item, item]), json!([item]), json!([]), json!([1, "x"])]);
    values.extend([json!("x"), json!("other"), json!(1), json!(0), json!(-1), json!(1.5), json!(true), Value::Null, json!({})]);
    values
}
