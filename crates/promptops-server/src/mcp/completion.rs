//! Completion: what an argument of a prompt may be, as far as its schema says.

use rmcp::ErrorData;
use rmcp::model::{CompleteResult, CompletionInfo};

use super::arguments::{shortened, undeclared};
use super::pinned_prompt::PinnedPrompt;

/// Returns the values of an argument that begin with what was typed, in any case: those that the schema allows, else those
/// that it shows as examples.
///
/// # Errors
/// Invalid params when the prompt does not declare the argument.
pub(crate) fn complete(prompt: &PinnedPrompt, name: &str, typed: &str) -> Result<CompleteResult, ErrorData> {
    let argument = prompt.arguments().iter().find(|argument| argument.name == name);
    let argument = argument.ok_or_else(|| undeclared(prompt, name))?;
    let allowed = argument.allowed();
    let typed = typed.to_lowercase();
    let mut values = if allowed.is_empty() { argument.examples() } else { allowed };
    values.retain(|value| value.to_lowercase().starts_with(&typed));
    result(values)
}

fn result(mut values: Vec<String>) -> Result<CompleteResult, ErrorData> {
    let total = u32::try_from(values.len()).unwrap_or(u32::MAX);
    values.truncate(CompletionInfo::MAX_VALUES);
    let has_more = values.len() < total as usize;
    let info = CompletionInfo::with_pagination(values, Some(total), has_more);
    info.map(CompleteResult::new).map_err(|error| ErrorData::internal_error(shortened(&error), None))
}
