//! Schemas that offer alternatives: `anyOf`, and `oneOf` where no value can be of two branches.

use serde_json::{Map, Value};

use super::Comparison;
use super::flat::{Flat, is_annotation, join};
use super::keywords::{allowed, types};
use super::objects::{object, required};

/// Alternatives that are compared; more cannot be told.
const MAX_BRANCHES: usize = 64;

impl Comparison<'_, '_> {
    /// Tells whether two schemas have to be compared alternative by alternative.
    pub(super) fn are_alternatives(&self, old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
        let offers = |map: &Map<String, Value>| map.contains_key("anyOf") || map.contains_key("oneOf");
        offers(old) || offers(new)
    }

    /// Compares two schemas as unions. A union grew unless each of its branches lies within one that was there.
    pub(super) fn alternatives(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let branches = (branches(&self.roots.old, old), branches(&self.roots.new, new));
        let (Some(before), Some(mut after)) = branches else {
            return self.unknown("alternatives changed in a way that is not understood");
        };
        // What stands on both sides is a pair: it changes nothing, or only as far as what it refers to does.
        let mut unpaired = Vec::new();
        for one in before {
            match after.iter().position(|other| one == *other) {
                Some(index) => {
                    let other = after.remove(index);
                    self.schema(&one, &other);
                }
                None => unpaired.push(one),
            }
        }
        let before = unpaired;
        if let ([old], [new]) = (before.as_slice(), after.as_slice()) {
            // The one branch that differs says best what changed.
            return self.schema(old, new);
        }
        let all_before = branches_or_none(&self.roots.old, old);
        let all_after = branches_or_none(&self.roots.new, new);
        for one in &after {
            if !all_before.iter().any(|known| self.new_is_within_old(known, one)) {
                self.wider(format!("alternative {} allowed", shown(one)));
            }
        }
        for one in &before {
            if !all_after.iter().any(|known| self.old_is_within_new(one, known)) {
                self.narrower(format!("alternative {} no longer allowed", shown(one)));
            }
        }
    }
}

fn branches_or_none(root: &Flat<'_>, schema: &Map<String, Value>) -> Vec<Value> {
    branches(root, schema).unwrap_or_default()
}

/// Takes a schema apart into alternatives, each with all that the schema demands beside them, and one for each type.
fn branches(root: &Flat<'_>, schema: &Map<String, Value>) -> Option<Vec<Value>> {
    let mut rest = schema.clone();
    let any = rest.remove("anyOf");
    let one = rest.remove("oneOf");
    rest.retain(|keyword, _| !is_annotation(keyword));
    let is_exclusive = one.is_some();
    let written = match (any, one) {
        (None, None) => vec![Value::Bool(true)],
        (Some(offered), None) | (None, Some(offered)) => offered.as_array()?.clone(),
        (Some(_), Some(_)) => return None,
    };
    let offered = written.iter().map(|branch| root.flatten(branch)).collect::<Option<Vec<_>>>()?;
    if is_exclusive && !are_disjoint(&offered) {
        return None;
    }
    let mut found = Vec::new();
    for (branch, written) in offered.into_iter().zip(written) {
        if ["anyOf", "oneOf", "unevaluatedProperties", "unevaluatedItems"].iter().any(|keyword| branch.contains_key(*keyword)) {
            return None;
        }
        let mut whole = rest.clone();
        join(&mut whole, branch)?;
        whole.retain(|keyword, _| !is_annotation(keyword));
        match whole.get("type") {
            Some(Value::Array(names)) => {
                for name in names.clone() {
                    let mut of_type = whole.clone();
                    of_type.insert("type".to_owned(), name);
                    found.push(Value::Object(of_type));
                }
            }
            // A reference stays one, so that a schema that contains itself is followed once.
            _ if rest.is_empty() && written.get("$ref").is_some() => found.push(written),
            _ => found.push(Value::Object(whole)),
        }
    }
    (found.len() <= MAX_BRANCHES).then_some(found)
}

/// Tells whether plainly no value is of two branches: they differ in type, or in the listed values of a property that both
/// demand.
fn are_disjoint(branches: &[Map<String, Value>]) -> bool {
    let differ = |one: &Map<String, Value>, other: &Map<String, Value>| {
        if types(one).is_disjoint(&types(other)) {
            return true;
        }
        let (first, second) = (object(one, "properties"), object(other, "properties"));
        let are_objects = types(one).iter().all(|name| *name == "object") && types(other).iter().all(|name| *name == "object");
        are_objects
            && required(one).intersection(&required(other)).any(|name| {
                let listed = |properties: &Map<String, Value>| properties.get(*name)?.as_object().and_then(allowed);
                matches!((listed(&first), listed(&second)), (Some(first), Some(second)) if !first.iter().any(|value| second.iter().any(|other| is_same(value, other))))
            })
    };
    branches.iter().enumerate().all(|(index, one)| branches[index + 1..].iter().all(|other| differ(one, other)))
}

/// Tells whether two listed values may be the same: `1` and `1.0` are.
fn is_same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && other.is_number() && one.as_f64() == other.as_f64())
}

/// Names a branch as shortly as it can be.
fn shown(branch: &Value) -> String {
    let text = branch.to_string();
    match branch.as_object().and_then(|map| map.get("type")).and_then(Value::as_str) {
        Some(name) if branch.as_object().is_some_and(|map| map.len() == 1) => format!("`{name}`"),
        _ if text.chars().count() > 80 => format!("`{}…`", text.chars().take(80).collect::<String>()),
        _ => format!("`{text}`"),
    }
}
