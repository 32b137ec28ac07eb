//! Changes of the tools: the program that runs them consumes their arguments, as consumers do an answer.

use serde_json::Value;

use super::{Change, Class, Part, Rule, SchemaName, schema_changes};
use crate::content::Content;
use crate::schema_change::Side;

/// Tools by name, with the schema of their arguments, in the forms of OpenAI and Anthropic.
pub(super) fn named(tools: Option<&Value>) -> Option<Vec<(String, Value)>> {
    let Some(tools) = tools else { return Some(Vec::new()) };
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

pub(super) fn changes(old: &Content, new: &Content, changes: &mut Vec<Change>) {
    if old.tools == new.tools {
        return;
    }
    let push = |class: Class, rule: Rule, reason: String| Change::new(Part::Tools, class, rule, reason);
    let (Some(before), Some(after)) = (named(old.tools.as_ref()), named(new.tools.as_ref())) else {
        let reason = "the tools changed in a form that is not understood".to_owned();
        return changes.push(push(Class::Breaking, Rule::NotUnderstood, reason));
    };
    let mut found = Vec::new();
    for (name, schema) in &after {
        let node = format!("tools.{name}");
        match before.iter().find(|(known, _)| known == name) {
            None => found.push(push(Class::Behavioural, Rule::ToolAdded, format!("tool `{name}` added")).at(node)),
            Some((_, known)) => {
                let label = format!("tool `{name}`");
                let within = Some((SchemaName::Tool(name.clone()), Vec::new()));
                found.extend(schema_changes(Part::Tools, (known, schema, Side::Output), (&label, &node), within));
            }
        }
    }
    for (name, _) in before.iter().filter(|(name, _)| after.iter().all(|(known, _)| known != name)) {
        let change = push(Class::Behavioural, Rule::ToolRemoved, format!("tool `{name}` removed"));
        found.push(change.at(format!("tools.{name}")));
    }
    if found.is_empty() {
        let reason = "the description or order of the tools changed".to_owned();
        found.push(push(Class::Behavioural, Rule::DescriptionChanged, reason));
    }
    changes.extend(found);
}
