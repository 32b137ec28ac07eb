//! Schemas without `$ref` and `allOf`: what they say put into one mapping.

use serde_json::{Map, Value};

/// Keywords that only describe.
pub(super) const ANNOTATIONS: [&str; 15] = [
    "title",
    "description",
    "examples",
    "default",
    "$comment",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentEncoding",
    "contentMediaType",
    "$schema",
    "$id",
    "$anchor",
    // What they define counts where it is referred to.
    "$defs",
    "definitions",
];
/// Keywords whose meaning depends on each other: from two schemas they cannot be put into one.
const GROUPS: [&[&str]; 5] = [
    &["properties", "patternProperties", "additionalProperties", "unevaluatedProperties"],
    &["items", "prefixItems", "additionalItems", "unevaluatedItems"],
    &["contains", "minContains", "maxContains"],
    &["if", "then", "else"],
    &["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"],
];
/// The longest chain of references and `allOf` that is followed.
const MAX_DEPTH: usize = 32;
/// The dialect of a schema that names none.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Tells whether a keyword only describes. Names that begin with `x-` are extensions.
pub(super) fn is_annotation(keyword: &str) -> bool {
    ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-")
}

/// Tells whether a schema plainly accepts every value.
pub(super) fn accepts_everything(schema: &Value) -> bool {
    match schema {
        Value::Bool(accepts) => *accepts,
        Value::Object(map) => map.keys().all(|keyword| is_annotation(keyword)),
        _ => false,
    }
}

/// Returns the dialect of JSON Schema that a schema is written in.
pub(super) fn dialect(root: &Value) -> &str {
    root.get("$schema").and_then(Value::as_str).unwrap_or(DIALECT).trim_end_matches('#')
}

/// Tells whether something in a schema refers to another place of its root.
pub(super) fn has_reference(schema: &Map<String, Value>) -> bool {
    schema.iter().any(|(keyword, value)| {
        matches!(keyword.as_str(), "$ref" | "$dynamicRef" | "$recursiveRef") || any_value(value, &has_reference)
    })
}

fn any_value(value: &Value, test: &dyn Fn(&Map<String, Value>) -> bool) -> bool {
    match value {
        Value::Object(map) => test(map),
        Value::Array(values) => values.iter().any(|value| any_value(value, test)),
        _ => false,
    }
}

/// The two whole schemas that a comparison is about, since references are resolved against them.
#[derive(Clone, Copy)]
pub(super) struct Roots<'schema> {
    pub(super) old: Flat<'schema>,
    pub(super) new: Flat<'schema>,
}

impl<'schema> Roots<'schema> {
    pub(super) fn new(old: &'schema Value, new: &'schema Value) -> Self {
        Self { old: Flat::new(old), new: Flat::new(new) }
    }

    /// Tells whether two schemas are the same text and mean the same.
    pub(super) fn are_equal(&self, old: &Value, new: &Value) -> bool {
        old == new && (self.old.root == self.new.root || !any_value(old, &has_reference))
    }
}

/// A whole schema, for resolving references.
#[derive(Clone, Copy)]
pub(super) struct Flat<'schema> {
    root: &'schema Value,
    /// Whether a part has a name of its own, which other rules of resolving belong to.
    has_names: bool,
}

impl<'schema> Flat<'schema> {
    pub(super) fn new(root: &'schema Value) -> Self {
        let is_named = |map: &Map<String, Value>| ["$id", "$anchor", "$dynamicAnchor"].iter().any(|name| map.contains_key(*name));
        fn below(value: &Value, test: &dyn Fn(&Map<String, Value>) -> bool) -> bool {
            any_value(value, &|map| test(map) || map.values().any(|value| below(value, test)))
        }
        let has_names = root.as_object().is_some_and(|map| map.values().any(|value| below(value, &is_named)));
        Self { root, has_names }
    }

    /// Puts what a schema says, with what it refers to and joins, into one mapping. Nothing where that is not understood.
    pub(super) fn flatten(&self, schema: &Value) -> Option<Map<String, Value>> {
        self.flatten_to(schema, 0)
    }

    fn flatten_to(&self, schema: &Value, depth: usize) -> Option<Map<String, Value>> {
        let map = match schema {
            Value::Bool(true) => return Some(Map::new()),
            Value::Object(map) => map,
            _ => return None,
        };
        if depth > MAX_DEPTH || map.contains_key("$dynamicRef") || map.contains_key("$recursiveRef") {
            return None;
        }
        if !map.contains_key("$ref") && !map.contains_key("allOf") {
            return Some(map.clone());
        }
        let mut joined = map.clone();
        let reference = joined.remove("$ref");
        let parts = joined.remove("allOf");
        if let Some(reference) = reference {
            // Before draft 2019-09 what stands beside a reference is ignored.
            let is_alone = joined.keys().all(|keyword| is_annotation(keyword)) && parts.is_none();
            if !is_alone && dialect(self.root) != DIALECT {
                return None;
            }
            let target = self.flatten_to(self.resolve(reference.as_str()?)?, depth + 1)?;
            join(&mut joined, target)?;
        }
        for part in parts.iter().flat_map(|parts| parts.as_array().into_iter().flatten()) {
            join(&mut joined, self.flatten_to(part, depth + 1)?)?;
        }
        Some(joined)
    }

    /// Follows a reference into the same schema.
    fn resolve(&self, reference: &str) -> Option<&'schema Value> {
        let pointer = reference.strip_prefix('#').filter(|_| !self.has_names)?;
        // An escaped pointer is rare, and a wrong guess would be silent.
        (!pointer.contains('%')).then(|| self.root.pointer(pointer)).flatten()
    }
}

/// Adds what `more` says to `joined`, when both can stand side by side in one mapping.
pub(super) fn join(joined: &mut Map<String, Value>, more: Map<String, Value>) -> Option<()> {
    let asserted = |map: &Map<String, Value>, group: &[&str]| group.iter().any(|keyword| map.contains_key(*keyword));
    if GROUPS.iter().any(|group| asserted(joined, group) && asserted(&more, group)) {
        return None;
    }
    for (keyword, value) in more {
        match joined.get_mut(&keyword) {
            None => {
                joined.insert(keyword, value);
            }
            Some(Value::Array(known)) if keyword == "required" && value.is_array() => {
                known.extend(value.as_array().into_iter().flatten().cloned());
            }
            Some(known) if *known == value || is_annotation(&keyword) => {}
            Some(_) => return None,
        }
    }
    Some(())
}
