//! Changes of the variables: callers give them, the prompt consumes them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Change, Class, Part, Rule, SchemaName, schema_changes};
use crate::content::Content;
use crate::schema_change::{Effect, Side, Step};

pub(super) fn changes(old: &Content, new: &Content, changes: &mut Vec<Change>) {
    let names: BTreeSet<&String> = old.inputs.keys().chain(new.inputs.keys()).collect();
    for name in names {
        let mut push = |class: Class, rule: Rule, effect: Effect, reason: String| {
            let change = Change::new(Part::Inputs, class, rule, reason).at(format!("inputs.{name}"));
            changes.push(change.in_schema(SchemaName::Inputs, vec![Step::Property(name.clone())], effect));
        };
        match (old.inputs.get(name), new.inputs.get(name)) {
            (None, Some(schema)) if schema.get("default").is_some() => {
                let reason = format!("optional variable `{name}` added");
                push(Class::Compatible, Rule::OptionalVariableAdded, Effect::Wider, reason);
            }
            (None, Some(_)) => {
                let reason = format!("required variable `{name}` added");
                push(Class::Breaking, Rule::RequiredVariableAdded, Effect::Narrower, reason);
            }
            (Some(_), None) => {
                let reason = format!("variable `{name}` removed, so a caller that passes it is refused");
                push(Class::Breaking, Rule::VariableRemoved, Effect::Narrower, reason);
            }
            (Some(before), Some(after)) if before != after => {
                input(name, before, after, changes);
            }
            _ => {}
        }
    }
}

fn input(name: &str, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    let node = format!("inputs.{name}");
    let mut push = |class: Class, rule: Rule, reason: String, effect: Option<Effect>| {
        let mut change = Change::new(Part::Inputs, class, rule, reason).at(&node);
        if let Some(effect) = effect {
            change = change.in_schema(SchemaName::Inputs, vec![Step::Property(name.to_owned())], effect);
        }
        changes.push(change);
    };
    match (before.get("default"), after.get("default")) {
        (None, Some(_)) => {
            let reason = format!("variable `{name}` became optional");
            push(Class::Compatible, Rule::VariableBecameOptional, reason, Some(Effect::Wider));
        }
        (Some(_), None) => {
            let reason = format!("variable `{name}` became required");
            push(Class::Breaking, Rule::VariableBecameRequired, reason, Some(Effect::Narrower));
        }
        (Some(old), Some(new)) if old != new => {
            push(Class::Behavioural, Rule::DefaultChanged, format!("default of `{name}`: {old} → {new}"), None);
        }
        _ => {}
    }
    let within = Some((SchemaName::Inputs, vec![Step::Property(name.to_owned())]));
    let found = schema_changes(Part::Inputs, (before, after, Side::Input), (name, &node), within);
    // No caller and no model sees what only describes, but the content is another.
    if found.is_empty() && before.get("default") == after.get("default") {
        push(Class::Compatible, Rule::DescriptionChanged, format!("the description of `{name}` changed"), None);
    }
    changes.extend(found);
}
