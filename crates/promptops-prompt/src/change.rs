//! What a change is: which parts changed, and what that means for callers and consumers.
//!
//! The rule (research on schema registries): inputs are consumed by the prompt, so they must stay *backward* compatible;
//! outputs are consumed by others, so they must stay *forward* compatible. What cannot be determined is breaking.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::content::Content;
use crate::prompt::{Body, Metadata};
use crate::schema_change::{self, Side};

/// A part of a prompt, as selectors name it: `state:modified.text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Owner, tags, purpose, metrics, dates.
    Metadata,
    /// The template or messages.
    Text,
    /// The model.
    Model,
    /// Parameters of the call.
    Parameters,
    /// The variables.
    Inputs,
    /// The schema of the answer.
    Output,
    /// The tools.
    Tools,
    /// What is included.
    Includes,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 8] =
        [Self::Metadata, Self::Text, Self::Model, Self::Parameters, Self::Inputs, Self::Output, Self::Tools, Self::Includes];

    /// Returns the name that selectors use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Text => "text",
            Self::Model => "model",
            Self::Parameters => "parameters",
            Self::Inputs => "inputs",
            Self::Output => "output",
            Self::Tools => "tools",
            Self::Includes => "includes",
        }
    }
}

/// What a change means, from harmless to harmful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Nothing that reaches the model or a caller.
    Metadata,
    /// Callers and consumers need no change, and the model sees the same.
    Compatible,
    /// The model sees something else: an evaluation decides.
    Behavioural,
    /// Callers or consumers must change with it, or it cannot be told.
    Breaking,
}

impl Class {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Compatible => "compatible",
            Self::Behavioural => "behavioural",
            Self::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// One change with its class and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The part that changed.
    pub part: Part,
    /// What it means.
    pub class: Class,
    /// Why, as a fragment.
    pub reason: String,
}

impl Change {
    pub(crate) fn new(part: Part, class: Class, reason: impl Into<String>) -> Self {
        Self { part, class, reason: reason.into() }
    }
}

/// Returns the worst class of `changes`, or nothing when there are none.
pub fn worst(changes: &[Change]) -> Option<Class> {
    changes.iter().map(|change| change.class).max()
}

/// Says what changed between two contents, part by part.
pub fn classify(old: &Content, new: &Content) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.body != new.body {
        changes.push(Change::new(Part::Text, Class::Behavioural, text_reason(&old.body, &new.body)));
    }
    if old.model != new.model {
        changes.push(model(&old.model, &new.model));
    }
    parameters(&old.parameters, &new.parameters, &mut changes);
    inputs(old, new, &mut changes);
    output(old.output.as_ref(), new.output.as_ref(), &mut changes);
    tools(old.tools.as_ref(), new.tools.as_ref(), &mut changes);
    includes(old, new, &mut changes);
    changes
}

/// Says whether metadata changed, and which fields.
pub fn classify_metadata(old: &Metadata, new: &Metadata) -> Option<Change> {
    let json = |metadata: &Metadata| match serde_json::to_value(metadata) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let fields = changed_keys(&json(old), &json(new));
    (!fields.is_empty()).then(|| Change::new(Part::Metadata, Class::Metadata, format!("{} changed", quoted(&fields))))
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn changed_keys(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).cloned().collect()
}

fn text_reason(old: &Body, new: &Body) -> &'static str {
    let only_white_space = |one: &str, other: &str| one.split_whitespace().eq(other.split_whitespace());
    match (old, new) {
        (Body::Template(_), Body::Messages(_)) | (Body::Messages(_), Body::Template(_)) => {
            "the form changed between `template` and `messages`"
        }
        _ if old.templates().count() != new.templates().count() => "the number of messages changed",
        _ if old.templates().zip(new.templates()).all(|(old, new)| only_white_space(old, new)) => {
            "only white space or roles changed, which the model sees too"
        }
        _ => "the wording changed",
    }
}

fn model(old: &str, new: &str) -> Change {
    let reason = if family(old) == family(new) {
        format!("another snapshot of the same family: `{old}` → `{new}`")
    } else {
        format!("another family of models: `{old}` → `{new}`; check tools, JSON mode and context length as well")
    };
    Change::new(Part::Model, Class::Behavioural, reason)
}

/// The name of a model without what looks like a date or a snapshot number.
fn family(model: &str) -> String {
    let is_digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() >= 2;
    model.split('-').filter(|part| !is_digits(part) && *part != "latest").collect::<Vec<_>>().join("-")
}

fn parameters(old: &Map<String, Value>, new: &Map<String, Value>, changes: &mut Vec<Change>) {
    for key in changed_keys(old, new) {
        let show = |value: Option<&Value>| value.map_or_else(|| "unset".to_owned(), ToString::to_string);
        let (before, after) = (old.get(&key), new.get(&key));
        let mut reason = format!("`{key}`: {} → {}", show(before), show(after));
        let is_limit = matches!(key.as_str(), "max_tokens" | "max_completion_tokens" | "max_output_tokens");
        let is_lowered = match (before.and_then(Value::as_f64), after.and_then(Value::as_f64)) {
            (Some(before), Some(after)) => after < before,
            (None, Some(_)) => true,
            _ => false,
        };
        if (is_limit && is_lowered) || matches!(key.as_str(), "stop" | "stop_sequences") {
            reason.push_str(" (answers may be cut off)");
        }
        changes.push(Change::new(Part::Parameters, Class::Behavioural, reason));
    }
}

fn inputs(old: &Content, new: &Content, changes: &mut Vec<Change>) {
    let names: BTreeSet<&String> = old.inputs.keys().chain(new.inputs.keys()).collect();
    for name in names {
        let mut push = |class: Class, reason: String| changes.push(Change::new(Part::Inputs, class, reason));
        match (old.inputs.get(name), new.inputs.get(name)) {
            (None, Some(schema)) if schema.get("default").is_some() => {
                push(Class::Compatible, format!("optional variable `{name}` added"))
            }
            (None, Some(_)) => push(Class::Breaking, format!("required variable `{name}` added")),
            (Some(_), None) => push(Class::Breaking, format!("variable `{name}` removed, so a caller that passes it is refused")),
            (Some(before), Some(after)) if before != after => {
                input(name, before, after, &mut push);
            }
            _ => {}
        }
    }
}

fn input(name: &str, before: &Value, after: &Value, push: &mut dyn FnMut(Class, String)) {
    match (before.get("default"), after.get("default")) {
        (None, Some(_)) => push(Class::Compatible, format!("variable `{name}` became optional")),
        (Some(_), None) => push(Class::Breaking, format!("variable `{name}` became required")),
        (Some(old), Some(new)) if old != new => push(Class::Behavioural, format!("default of `{name}`: {old} → {new}")),
        _ => {}
    }
    let found = schema_change::compare(before, after, Side::Input, name);
    // No caller and no model sees what only describes, but the content is another.
    if found.is_empty() && before.get("default") == after.get("default") {
        push(Class::Compatible, format!("the description of `{name}` changed"));
    }
    found.into_iter().for_each(|(class, reason)| push(class, reason));
}

fn output(old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change>) {
    match (old, new) {
        (Some(_), None) => changes.push(Change::new(Part::Output, Class::Breaking, "the schema of the answer was dropped")),
        (None, Some(_)) => changes.push(Change::new(Part::Output, Class::Compatible, "a schema of the answer was added")),
        (Some(old), Some(new)) if old != new => {
            let found = schema_change::compare(old, new, Side::Output, "the answer");
            if found.is_empty() {
                let reason = "descriptions in the schema changed, which the model sees where it is sent along";
                changes.push(Change::new(Part::Output, Class::Behavioural, reason));
            }
            changes.extend(found.into_iter().map(|(class, reason)| Change::new(Part::Output, class, reason)));
        }
        _ => {}
    }
}

/// Tools by name, with the schema of their arguments, in the forms of OpenAI and Anthropic.
fn named_tools(tools: &Value) -> Option<Vec<(String, Value)>> {
    tools
        .as_array()?
        .iter()
        .map(|tool| {
            let function = tool.get("function").unwrap_or(tool);
            let schema = function.get("parameters").or_else(|| function.get("input_schema")).cloned();
            Some((function.get("name")?.as_str()?.to_owned(), schema.unwrap_or(Value::Bool(true))))
        })
        .collect()
}

fn tools(old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let mut push = |class: Class, reason: String| changes.push(Change::new(Part::Tools, class, reason));
    let empty = Value::Array(Vec::new());
    let (Some(before), Some(after)) = (named_tools(old.unwrap_or(&empty)), named_tools(new.unwrap_or(&empty))) else {
        return push(Class::Breaking, "the tools changed in a form that is not understood".to_owned());
    };
    let mut found = false;
    for (name, schema) in &after {
        match before.iter().find(|(known, _)| known == name) {
            None => push(Class::Behavioural, format!("tool `{name}` added")),
            // The program that runs the tool consumes its arguments, as consumers do an answer.
            Some((_, known)) => {
                for (class, reason) in schema_change::compare(known, schema, Side::Output, &format!("tool `{name}`")) {
                    found = true;
                    push(class, reason);
                }
                continue;
            }
        }
        found = true;
    }
    for (name, _) in before.iter().filter(|(name, _)| after.iter().all(|(known, _)| known != name)) {
        found = true;
        push(Class::Behavioural, format!("tool `{name}` removed"));
    }
    if !found {
        push(Class::Behavioural, "the description or order of the tools changed".to_owned());
    }
}

fn includes(old: &Content, new: &Content, changes: &mut Vec<Change>) {
    for (reference, digest) in &new.includes {
        if old.includes.get(reference) == Some(digest) {
            continue;
        }
        let before = old.includes.keys().find(|known| known.id == reference.id && !new.includes.contains_key(known));
        let reason = match before {
            _ if old.includes.contains_key(reference) => format!("the content of include `{reference}` changed"),
            Some(before) => format!("include `{before}` → `{reference}`"),
            None => format!("include `{reference}` added"),
        };
        changes.push(Change::new(Part::Includes, Class::Behavioural, reason));
    }
    for reference in old.includes.keys().filter(|reference| !new.includes.contains_key(reference)) {
        let is_replaced = new.includes.keys().any(|known| known.id == reference.id && !old.includes.contains_key(known));
        if !is_replaced {
            changes.push(Change::new(Part::Includes, Class::Behavioural, format!("include `{reference}` removed")));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(json: Value) -> Content {
        let mut full = json!({"model": "m-2026-01-01", "template": "t"});
        full.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        Content::from_bytes(full.to_string().as_bytes()).unwrap()
    }

    fn shown(old: Value, new: Value) -> Vec<String> {
        let changes = classify(&content(old), &content(new));
        changes.into_iter().map(|change| format!("{} {}: {}", change.part, change.class, change.reason)).collect()
    }

    #[test]
    fn follows_the_table_for_inputs() {
        let optional = json!({"inputs": {"a": {"type": "string", "default": "x"}}});
        let required = json!({"inputs": {"a": {"type": "string"}}});
        assert_eq!(shown(json!({}), required.clone()), ["inputs breaking: required variable `a` added"]);
        assert_eq!(shown(json!({}), optional.clone()), ["inputs compatible: optional variable `a` added"]);
        assert_eq!(shown(optional.clone(), required.clone()), ["inputs breaking: variable `a` became required"]);
        assert_eq!(shown(required.clone(), optional), ["inputs compatible: variable `a` became optional"]);
        assert_eq!(
            shown(required.clone(), json!({})),
            ["inputs breaking: variable `a` removed, so a caller that passes it is refused"]
        );
        let wider = json!({"inputs": {"a": {"type": ["string", "null"]}}});
        assert_eq!(shown(required.clone(), wider.clone()), ["inputs compatible: a: type `null` allowed"]);
        assert_eq!(shown(wider, required), ["inputs breaking: a: type `null` no longer allowed"]);
    }

    #[test]
    fn follows_the_table_for_outputs() {
        let labels = |labels: &[&str]| json!({"output": {"enum": labels}});
        assert_eq!(shown(labels(&["a", "b"]), labels(&["a", "b", "c"])), ["output breaking: the answer: value \"c\" allowed"]);
        assert_eq!(shown(labels(&["a", "b"]), labels(&["a"])), ["output compatible: the answer: value \"b\" no longer allowed"]);
        assert_eq!(shown(labels(&["a"]), json!({})), ["output breaking: the schema of the answer was dropped"]);
        let object = |properties: Value, required: Value| json!({"output": {"type": "object", "properties": properties, "required": required}});
        let one = object(json!({"a": {"type": "string"}}), json!(["a"]));
        assert_eq!(shown(one.clone(), object(json!({}), json!([]))).len(), 2);
        assert!(shown(one.clone(), object(json!({}), json!([]))).iter().all(|line| line.starts_with("output breaking: ")));
        assert_eq!(
            shown(one.clone(), object(json!({"a": {"type": "string"}, "b": {}}), json!(["a"]))),
            ["output compatible: the answer.b: optional property added"]
        );
        assert_eq!(
            shown(one, object(json!({"a": {"type": "integer"}}), json!(["a"]))),
            [
                "output breaking: the answer.a: type `integer` allowed",
                "output compatible: the answer.a: type `string` no longer allowed"
            ]
        );
    }

    #[test]
    fn every_other_content_is_a_change() {
        let described = |text: &str| json!({"description": text, "type": "string"});
        assert_eq!(
            shown(json!({"inputs": {"a": described("x")}}), json!({"inputs": {"a": described("y")}})),
            ["inputs compatible: the description of `a` changed"]
        );
        assert_eq!(
            shown(json!({"output": described("x")}), json!({"output": described("y")})),
            ["output behavioural: descriptions in the schema changed, which the model sees where it is sent along"]
        );
        let includes = |names: &[&str]| {
            let digest = crate::Digest::of(b"").to_string();
            json!({"includes": names.iter().map(|name| ((*name).to_owned(), json!(digest))).collect::<Map<_, _>>()})
        };
        assert_eq!(shown(includes(&["a@1", "a@2"]), includes(&["a@1"])), ["includes behavioural: include `a@2` removed"]);
        assert_eq!(shown(includes(&["a@1"]), includes(&["a@2"])), ["includes behavioural: include `a@1` → `a@2`"]);
        assert_eq!(shown(includes(&["a@1"]), includes(&["a@1", "a@2"])), ["includes behavioural: include `a@2` added"]);
    }

    /// Any JSON that a schema may hold, of few words, so that two of them often differ in one.
    fn any_schema() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let names = || prop::sample::select(vec!["string", "integer", "number", "null", "object", "array"]);
        let value = prop_oneof![Just(json!(1)), Just(json!("a")), Just(json!(null)), Just(json!(2.5)), Just(json!(true))];
        let keyword = prop_oneof![
            names().prop_map(|name| ("type", json!(name))),
            prop::collection::vec(names(), 1..3).prop_map(|names| ("type", json!(names))),
            prop::collection::vec(value.clone(), 0..3).prop_map(|values| ("enum", json!(values))),
            value.clone().prop_map(|value| ("const", value)),
            value.clone().prop_map(|value| ("default", value)),
            value.clone().prop_map(|value| ("exclusiveMinimum", value)),
            value.clone().prop_map(|value| ("maxLength", value)),
            value.prop_map(|value| ("description", value)),
            Just(("additionalProperties", json!(false))),
            Just(("pattern", json!("x"))),
            prop::collection::vec(prop::sample::select(vec!["p", "q"]), 0..3).prop_map(|names| ("required", json!(names))),
        ];
        let leaf = prop::collection::vec(keyword, 0..3)
            .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
        let leaf = prop_oneof![8 => leaf, 1 => any::<bool>().prop_map(Value::Bool)];
        leaf.prop_recursive(2, 8, 2, |inner| {
            prop_oneof![
                inner.clone().prop_map(|schema| json!({"items": schema})),
                (inner.clone(), inner).prop_map(|(p, q)| json!({"properties": {"p": p, "q": q}})),
            ]
        })
    }

    proptest::proptest! {
        /// Nothing is a change exactly when the digest stays: no change is overlooked and none is made up.
        #[test]
        fn sees_a_change_exactly_when_the_digest_changes(
            old in proptest::collection::vec(any_schema(), 3),
            new in proptest::collection::vec(any_schema(), 3),
            parts in proptest::collection::vec(proptest::bool::ANY, 3),
        ) {
            let names = ["inputs", "output", "tools"];
            let part = |index: usize, schema: &Value| match index {
                0 => json!({"a": schema}),
                1 => schema.clone(),
                _ => json!([{"name": "f", "input_schema": schema}]),
            };
            let make = |schemas: &[Value]| {
                let pairs = (0..3).map(|index| (names[index].to_owned(), part(index, &schemas[index])));
                content(Value::Object(pairs.collect()))
            };
            let new: Vec<Value> = (0..3).map(|at| if parts[at] { new[at].clone() } else { old[at].clone() }).collect();
            let (old, new) = (make(&old), make(&new));
            let changes = classify(&old, &new);
            proptest::prop_assert_eq!(changes.is_empty(), old.digest() == new.digest(), "{:?}", changes);
        }
    }

    #[test]
    fn what_reaches_only_the_model_is_behavioural() {
        assert_eq!(
            shown(json!({}), json!({"template": "t "})),
            ["text behavioural: only white space or roles changed, which the model sees too"]
        );
        assert_eq!(
            shown(json!({}), json!({"model": "m-2026-02-01"})),
            ["model behavioural: another snapshot of the same family: `m-2026-01-01` → `m-2026-02-01`"]
        );
        assert_eq!(
            shown(json!({"parameters": {"max_tokens": 16}}), json!({"parameters": {"max_tokens": 8}})),
            ["parameters behavioural: `max_tokens`: 16 → 8 (answers may be cut off)"]
        );
        assert_eq!(shown(json!({}), json!({})), Vec::<String>::new());
    }

    #[test]
    fn tools_are_consumed_by_the_program_that_runs_them() {
        let tool = |schema: Value| json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]});
        let (narrow, wide) = (tool(json!({"enum": [1]})), tool(json!({"enum": [1, 2]})));
        assert_eq!(shown(narrow, wide), ["tools breaking: tool `f`: value 2 allowed"]);
        assert_eq!(
            shown(json!({"tools": "x"}), json!({"tools": "y"})),
            ["tools breaking: the tools changed in a form that is not understood"]
        );
    }
}
