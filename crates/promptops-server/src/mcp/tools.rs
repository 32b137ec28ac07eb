//! The tools that agents are offered: one file each.

mod report_outcome;
mod search_prompts;
mod show_lineage;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode, Tool, ToolAnnotations};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Agents;
use super::arguments::shortened;
use super::live::Live;
use super::visitor::Visitor;

/// A call of a tool under way.
pub(crate) struct Call<'a> {
    pub(crate) agents: &'a Agents,
    pub(crate) visitor: &'a Visitor,
    pub(crate) live: &'a Live,
}

/// What may go wrong in a tool.
enum ToolFailure {
    /// The agent asked for what is not there, and can ask again.
    Said(String),
    /// The server cannot answer.
    Failed(ErrorData),
}

impl From<promptops_registry::RegistryError> for ToolFailure {
    fn from(error: promptops_registry::RegistryError) -> Self {
        Self::Failed(super::handler::failed(error))
    }
}

/// A tool as it is offered, and what its arguments are held against.
struct Offer {
    tool: Tool,
    arguments: Validator,
}

static OFFERS: LazyLock<BTreeMap<&'static str, Offer>> = LazyLock::new(|| {
    let all = [search_prompts::tool(), show_lineage::tool(), report_outcome::tool()];
    let offers = all.map(|(name, tool)| {
        let schema = Value::Object(tool.input_schema.as_ref().clone());
        let arguments = jsonschema::validator_for(&schema).expect("the schemas here are schemas, as the tests show");
        (name, Offer { tool, arguments })
    });
    offers.into()
});

/// Returns what a caller is offered.
pub(crate) fn offered(agents: &Agents, visitor: &Visitor) -> Vec<Tool> {
    let reports = agents.invocations.are_recorded() && visitor.may_report();
    OFFERS.values().map(|offer| offer.tool.clone()).filter(|tool| reports || tool.name != report_outcome::NAME).collect()
}

/// Finds a tool by its name.
pub(crate) fn find(name: &str) -> Option<Tool> {
    OFFERS.get(name).map(|offer| offer.tool.clone())
}

impl Call<'_> {
    /// Calls a tool. What the agent can mend is a result that says so, as the protocol wants it.
    ///
    /// # Errors
    /// When there is no such tool, or the server cannot answer.
    pub(crate) async fn run(&self, name: &str, arguments: Map<String, Value>) -> Result<CallToolResult, ErrorData> {
        let offer = OFFERS.get_key_value(name);
        let is_offered = name != report_outcome::NAME || (self.agents.invocations.are_recorded() && self.visitor.may_report());
        let Some((name, offer)) = offer.filter(|_| is_offered) else {
            let names: Vec<String> = offered(self.agents, self.visitor).iter().map(|tool| format!("`{}`", tool.name)).collect();
            let message = format!("there is no tool `{}`; there are {}", shortened(name), names.join(", "));
            return Err(ErrorData::new(ErrorCode::INVALID_PARAMS, message, None));
        };
        let arguments = Value::Object(arguments);
        if let Some(error) = offer.arguments.iter_errors(&arguments).next() {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { String::new() } else { format!(" at `{}`", shortened(&place)) };
            return Ok(said(format!("the arguments of `{name}` do not fit{place}: {}", shortened(&error.to_string()))));
        }
        let ran = match *name {
            search_prompts::NAME => search_prompts::run(self, read(arguments)?).await,
            show_lineage::NAME => show_lineage::run(self, read(arguments)?).await,
            _ => report_outcome::run(self, read(arguments)?),
        };
        match ran {
            Ok(value) => Ok(CallToolResult::structured(value)),
            Err(ToolFailure::Said(message)) => Ok(said(message)),
            Err(ToolFailure::Failed(error)) => Err(error),
        }
    }
}

fn said(message: String) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(message)])
}

/// Reads arguments that fit the schema of their tool.
fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, ErrorData> {
    serde_json::from_value(arguments)
        .map_err(|error| ErrorData::invalid_params(format!("the arguments cannot be read: {error}"), None))
}

fn answer(value: &impl Serialize) -> Result<Value, ToolFailure> {
    serde_json::to_value(value).map_err(|error| ToolFailure::Failed(ErrorData::internal_error(error.to_string(), None)))
}

/// Describes a tool; `input` is its JSON Schema.
fn described(name: &'static str, title: &str, description: &'static str, input: Value, annotations: ToolAnnotations) -> Tool {
    let Value::Object(input) = input else { unreachable!("every schema here is an object") };
    Tool::new(name, description, input).with_title(title).with_annotations(annotations)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_tool_has_a_schema_that_takes_no_other_arguments() {
        assert_eq!(OFFERS.keys().copied().collect::<Vec<_>>(), ["report_outcome", "search_prompts", "show_lineage"]);
        for offer in OFFERS.values() {
            assert!(!offer.arguments.is_valid(&json!({"no such argument": 1})), "{}", offer.tool.name);
            assert!(offer.tool.description.as_ref().is_some_and(|text| !text.is_empty()));
        }
    }
}
