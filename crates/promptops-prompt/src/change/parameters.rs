//! Changes of the parameters of a call. What a provider makes of them an evaluation shows, except where it enforces the
//! form of the answer.

use serde_json::{Map, Value};

use super::{Change, Class, Part, Rule, changed_keys, schema_changes};
use crate::content::Content;
use crate::schema_change::Side;

/// The parameter that says in which form a provider has to answer.
pub(super) const RESPONSE_FORMAT: &str = "response_format";

pub(super) fn changes(old: &Content, new: &Content, changes: &mut Vec<Change>) {
    for key in changed_keys(&old.parameters, &new.parameters) {
        let (before, after) = (old.parameters.get(&key), new.parameters.get(&key));
        if key == RESPONSE_FORMAT {
            response_format(before, after, changes);
            continue;
        }
        let show = |value: Option<&Value>| value.map_or_else(|| "unset".to_owned(), ToString::to_string);
        let mut reason = format!("`{key}`: {} → {}", show(before), show(after));
        let is_limit = is_limit(&key);
        let is_lowered = match (before.and_then(Value::as_f64), after.and_then(Value::as_f64)) {
            (Some(before), Some(after)) => after < before,
            (None, Some(_)) => true,
            _ => false,
        };
        let may_cut = (is_limit && is_lowered) || matches!(key.as_str(), "stop" | "stop_sequences");
        if may_cut {
            reason.push_str(" (answers may be cut off)");
        }
        let rule = if may_cut { Rule::AnswerCut } else { Rule::ParameterChanged };
        changes.push(Change::new(Part::Parameters, Class::Behavioural, rule, reason).at(format!("parameters.{key}")));
    }
}

/// Tells whether a parameter limits the length of an answer.
pub(super) fn is_limit(key: &str) -> bool {
    matches!(key, "max_tokens" | "max_completion_tokens" | "max_output_tokens")
}

/// What a provider enforces about an answer, as far as it is understood.
enum Enforced {
    Nothing,
    Json,
    Schema(Value),
}

fn enforced(format: Option<&Value>) -> Option<Enforced> {
    let Some(format) = format else { return Some(Enforced::Nothing) };
    match format.get("type")?.as_str()? {
        "text" => Some(Enforced::Nothing),
        "json_object" => Some(Enforced::Json),
        "json_schema" => format.get("json_schema")?.get("schema").cloned().map(Enforced::Schema),
        _ => None,
    }
}

fn response_format(before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<Change>) {
    let node = format!("parameters.{RESPONSE_FORMAT}");
    let push = |class: Class, rule: Rule, reason: &str| Change::new(Part::Parameters, class, rule, reason).at(&node);
    let (Some(old), Some(new)) = (enforced(before), enforced(after)) else {
        let reason = "`response_format` changed in a form that is not understood";
        return changes.push(push(Class::Breaking, Rule::NotUnderstood, reason));
    };
    let object = |schema: &Map<String, Value>| schema.get("type").and_then(Value::as_str) == Some("object");
    match (old, new) {
        (Enforced::Schema(old), Enforced::Schema(new)) => {
            let mut found = schema_changes(Part::Parameters, (&old, &new, Side::Output), ("`response_format`", &node), None);
            if found.is_empty() {
                found.push(push(Class::Behavioural, Rule::ParameterChanged, "`response_format` is written otherwise"));
            }
            changes.extend(found);
        }
        (Enforced::Nothing, Enforced::Nothing) | (Enforced::Json, Enforced::Json) => {
            changes.push(push(Class::Behavioural, Rule::ParameterChanged, "`response_format` is written otherwise"));
        }
        (Enforced::Nothing, _) => {
            changes.push(push(
                Class::Behavioural,
                Rule::ParameterChanged,
                "`response_format` enforces the form of the answer now",
            ));
        }
        (Enforced::Json, Enforced::Schema(schema)) if schema.as_object().is_some_and(object) => {
            changes.push(push(Class::Behavioural, Rule::ParameterChanged, "`response_format` enforces a schema now"));
        }
        (Enforced::Schema(_), _) | (Enforced::Json, _) => {
            let reason = "`response_format` no longer enforces the form of the answer that it did";
            changes.push(push(Class::Breaking, Rule::ResponseFormat, reason));
        }
    }
}
