//! Keywords about objects: what a property must be, whether it must be there, and what else may be.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::flat::accepts_everything;
use super::{Comparison, Effect, Side, Step};

impl Comparison<'_, '_> {
    /// Compares every property that either schema names. One that a schema does not name is what it says of further ones.
    pub(super) fn properties(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let (before, after) = (object(old, "properties"), object(new, "properties"));
        let (before_patterns, after_patterns) = (object(old, "patternProperties"), object(new, "patternProperties"));
        let has_patterns = !before_patterns.is_empty() || !after_patterns.is_empty();
        let (before_rest, after_rest) = (rest(old), rest(new));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            self.inside(Step::Property(name.clone()), |inner| match (before.get(name), after.get(name)) {
                (Some(known), Some(schema)) => inner.schema(known, schema),
                _ if has_patterns => {
                    inner.unknown("property added or removed beside `patternProperties`, which is not understood")
                }
                (None, Some(schema)) => inner.property_added(&before_rest, schema, required(new).contains(name.as_str())),
                (Some(known), None) => inner.property_removed(known, &after_rest),
                (None, None) => {}
            });
        }
        let patterns: BTreeSet<&String> = before_patterns.keys().chain(after_patterns.keys()).collect();
        for pattern in patterns {
            match (before_patterns.get(pattern), after_patterns.get(pattern)) {
                (Some(known), Some(schema)) => self.inside(Step::Further, |inner| inner.schema(known, schema)),
                _ => self.unknown(format!("properties like `{pattern}` added or removed, which is not understood")),
            }
        }
    }

    fn property_added(&mut self, before: &Value, schema: &Value, is_required: bool) {
        let what = if is_required { "property added" } else { "optional property added" };
        match before {
            Value::Bool(false) if self.side == Side::Output => {
                self.wider(format!("{what}, which the old schema refuses (`additionalProperties: false`)"));
            }
            Value::Bool(false) => self.wider(what),
            before => {
                let (is_wider, is_narrower) = (!self.new_is_within_old(before, schema), !self.old_is_within_new(before, schema));
                match (is_wider, is_narrower) {
                    (true, true) => self.unknown(format!("{what}, and other values may come under its name than before")),
                    (true, false) => self.wider(what),
                    (false, true) if self.side == Side::Input => self.narrower(format!(
                        "{what}, so a caller that passes another value under its name is refused (`additionalProperties: false` \
                         in the old schema would have ruled that out)"
                    )),
                    (false, true) => self.narrower(what),
                    // Whatever came under the name may still come.
                    (false, false) => self.push(Effect::Same, what),
                }
            }
        }
    }

    fn property_removed(&mut self, known: &Value, after: &Value) {
        if self.side == Side::Output {
            return self.push(Effect::Removed, "property removed");
        }
        if *after == Value::Bool(false) {
            return self.narrower("property removed, so a caller that passes it is refused");
        }
        let (is_wider, is_narrower) = (!self.new_is_within_old(known, after), !self.old_is_within_new(known, after));
        match (is_wider, is_narrower) {
            (true, true) => self.unknown("property removed, and other values may come under its name than before"),
            (false, true) => self.narrower("property removed, and fewer values may come under its name than before"),
            (true, false) => self.wider("property removed"),
            (false, false) => self.push(Effect::Same, "property removed"),
        }
    }

    pub(super) fn required(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let (before, after) = (required(old), required(new));
        for name in after.difference(&before) {
            self.narrower(format!("property `{name}` became required"));
        }
        for name in before.difference(&after) {
            self.wider(format!("property `{name}` is no longer required"));
        }
    }

    /// Compares what is said of properties that are not named.
    pub(super) fn further(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let (before, after) = (rest(old), rest(new));
        match (&before, &after) {
            (before, after) if self.roots.are_equal(before, after) => {}
            (Value::Bool(false), _) => self.wider("further properties allowed"),
            (_, Value::Bool(false)) => self.narrower("further properties no longer allowed"),
            (before, after) if accepts_everything(before) && !accepts_everything(after) => {
                self.narrower("further properties limited");
            }
            (before, after) if accepts_everything(after) && !accepts_everything(before) => {
                self.wider("further properties no longer limited");
            }
            (before, after) => self.inside(Step::Further, |inner| inner.schema(before, after)),
        }
    }
}

/// What a schema says of properties that it does not name.
fn rest(schema: &Map<String, Value>) -> Value {
    match schema.get("additionalProperties") {
        Some(rest @ (Value::Bool(_) | Value::Object(_))) => rest.clone(),
        _ => Value::Bool(true),
    }
}

pub(super) fn required(schema: &Map<String, Value>) -> BTreeSet<&str> {
    schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

pub(super) fn object(schema: &Map<String, Value>, keyword: &str) -> Map<String, Value> {
    schema.get(keyword).and_then(Value::as_object).cloned().unwrap_or_default()
}
