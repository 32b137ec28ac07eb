//! What a change is: which parts changed, and what that means for callers and consumers.
//!
//! The rule (research on schema registries): inputs are consumed by the prompt, so they must stay *backward* compatible;
//! outputs are consumed by others, so they must stay *forward* compatible. What cannot be determined is breaking.

mod example;
mod includes;
mod inputs;
mod model;
mod output;
mod parameters;
mod rule;
mod tools;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::example::{Trial, trial};
pub use self::rule::Rule;
use crate::content::Closure;
use crate::prompt::{Body, Metadata};
use crate::render::Renderer;
use crate::schema_change::{self, Difference, Effect, Side, Step};

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
    /// The rule that gave the class.
    pub rule: Rule,
    /// Where, from the root of the prompt: `inputs.customer.tags[]`.
    pub node: String,
    /// The schema that changed and the way into it, for looking for an example. Not kept.
    #[serde(skip)]
    place: Option<Place>,
}

/// A place in a schema of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    schema: SchemaName,
    steps: Vec<Step>,
    effect: Effect,
}

/// A schema of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SchemaName {
    /// That of all variables together.
    Inputs,
    /// That of the answer.
    Output,
    /// That of a tool's arguments.
    Tool(String),
}

impl Change {
    /// Returns a change of a whole part.
    pub fn new(part: Part, class: Class, rule: Rule, reason: impl Into<String>) -> Self {
        Self { part, class, reason: reason.into(), rule, node: part.name().to_owned(), place: None }
    }

    fn at(mut self, node: impl Into<String>) -> Self {
        self.node = node.into();
        self
    }

    fn in_schema(mut self, schema: SchemaName, steps: Vec<Step>, effect: Effect) -> Self {
        self.place = Some(Place { schema, steps, effect });
        self
    }

    /// Returns who depends on what changed.
    pub fn affects(&self) -> &'static str {
        match (self.part, self.rule) {
            (_, Rule::ModelCapabilityLost) => "callers",
            (Part::Metadata, _) => "people",
            (Part::Inputs, _) => "callers",
            (Part::Output, _) => "consumers of the answer",
            (Part::Tools, _) => "the program that runs the tools",
            (_, Rule::ResponseFormat) => "consumers of the answer",
            _ => "the model",
        }
    }
}

/// Returns the worst class of `changes`, or nothing when there are none.
pub fn worst(changes: &[Change]) -> Option<Class> {
    changes.iter().map(|change| change.class).max()
}

/// Says what changed between two versions, part by part: what it means that the new one takes the place of the old one.
///
/// An include that moved is judged by what changed between the two versions of it, as far as both closures hold them.
pub fn classify(old: &Closure, new: &Closure) -> Vec<Change> {
    classify_with(old, new, &[])
}

/// Says the same, with values that callers are known to give, as a dataset has them.
///
/// Where a variable that callers need not give came with another text, and the known values render byte for byte the same,
/// the change is compatible for those who give nothing else. Known values that the old version refuses count for nothing.
pub fn classify_with(old: &Closure, new: &Closure, known: &[Map<String, Value>]) -> Vec<Change> {
    let (before, after) = (&old.root, &new.root);
    let mut changes = Vec::new();
    let mut variables = Vec::new();
    inputs::changes(before, after, &mut variables);
    let has_new_text = before.body != after.body || before.includes != after.includes;
    let is_optional_added = |change: &Change| change.rule == Rule::OptionalVariableAdded;
    let rendering = if has_new_text && variables.iter().any(is_optional_added) { renders_alike(old, new, known) } else { None };
    for change in variables.iter_mut().filter(|change| is_optional_added(change)) {
        if has_new_text {
            prove(change, rendering);
        }
    }
    if before.body != after.body {
        let mut change = Change::new(Part::Text, Class::Behavioural, Rule::TextChanged, text_reason(&before.body, &after.body));
        if let Some(Rendering::Alike(_)) = rendering {
            prove(&mut change, rendering);
        }
        changes.push(change);
    }
    if before.model != after.model {
        changes.push(model::change(before, after));
    }
    parameters::changes(before, after, &mut changes);
    changes.append(&mut variables);
    output::changes(before, after, &mut changes);
    tools::changes(before, after, &mut changes);
    includes::changes(old, new, &mut changes);
    changes
}

/// What rendering the known values with both versions showed.
#[derive(Debug, Clone, Copy)]
enum Rendering {
    /// All of them, so many, give the same bytes.
    Alike(usize),
    /// One gives other bytes, or none any more.
    Different,
}

fn prove(change: &mut Change, rendering: Option<Rendering>) {
    let proof = match rendering {
        Some(Rendering::Alike(count)) => {
            change.class = Class::Compatible;
            format!("the {count} known inputs render byte for byte as before")
        }
        Some(Rendering::Different) => {
            change.class = Class::Behavioural;
            "known inputs render otherwise than before".to_owned()
        }
        None => {
            change.class = Class::Behavioural;
            "the text changed with it, and no inputs are known that would show what it renders without".to_owned()
        }
    };
    change.reason.push_str("; ");
    change.reason.push_str(&proof);
}

fn renders_alike(old: &Closure, new: &Closure, known: &[Map<String, Value>]) -> Option<Rendering> {
    let (before, after) = (Renderer::new(old).ok()?, Renderer::new(new).ok()?);
    let rendered: Vec<_> = known.iter().filter_map(|values| Some((values, before.render(values).ok()?))).collect();
    if rendered.is_empty() {
        return None;
    }
    let is_same = rendered.iter().all(|(values, messages)| after.render(values).is_ok_and(|new| new == *messages));
    Some(if is_same { Rendering::Alike(rendered.len()) } else { Rendering::Different })
}

/// Says whether metadata changed, and which fields.
pub fn classify_metadata(old: &Metadata, new: &Metadata) -> Option<Change> {
    let json = |metadata: &Metadata| match serde_json::to_value(metadata) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let fields = changed_keys(&json(old), &json(new));
    let reason = || format!("{} changed", quoted(&fields));
    (!fields.is_empty()).then(|| Change::new(Part::Metadata, Class::Metadata, Rule::MetadataChanged, reason()))
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

/// Turns a difference of a schema into a change. `label` names the value in the reason, `node` in the prompt.
fn of_schema(part: Part, difference: Difference, label: &str, node: &str) -> Change {
    let Difference { class, effect, steps, what } = difference;
    let rule = match effect {
        Effect::Wider => Rule::SchemaWidened,
        Effect::Narrower => Rule::SchemaNarrowed,
        Effect::Same => Rule::SchemaRewritten,
        Effect::Removed => Rule::PropertyRemoved,
        Effect::Unknown => Rule::NotUnderstood,
    };
    let reason = format!("{}: {what}", schema_change::place(label, &steps));
    Change::new(part, class, rule, reason).at(schema_change::place(node, &steps))
}

/// Compares two schemas for one side. `within` names the schema and the way to its root, for looking for an example.
fn schema_changes(
    part: Part,
    (old, new, side): (&Value, &Value, Side),
    (label, node): (&str, &str),
    within: Option<(SchemaName, Vec<Step>)>,
) -> Vec<Change> {
    let found = schema_change::compare(old, new, side);
    let change = |difference: Difference| {
        let (effect, steps) = (difference.effect, difference.steps.clone());
        let change = of_schema(part, difference, label, node);
        match &within {
            Some((schema, root)) => change.in_schema(schema.clone(), [root.clone(), steps].concat(), effect),
            None => change,
        }
    };
    found.into_iter().map(change).collect()
}

#[cfg(test)]
mod tests;
