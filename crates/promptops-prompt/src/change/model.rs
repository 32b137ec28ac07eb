//! A change of the model: another snapshot, another family, or one that lacks what the prompt or its callers use.

use serde_json::Value;

use super::parameters::RESPONSE_FORMAT;
use super::{Change, Class, Part, Rule, tools};
use crate::content::Content;

/// What is known of a family of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Capabilities {
    /// Tokens of prompt and answer together, without what a provider gives on request only.
    context_tokens: u32,
    /// Whether it takes tools.
    tools: bool,
    /// Whether it takes a `response_format` of JSON; nothing where the provider has no such parameter.
    json: Option<bool>,
}

const fn known(family: &'static str, context_tokens: u32, tools: bool, json: Option<bool>) -> (&'static str, Capabilities) {
    (family, Capabilities { context_tokens, tools, json })
}

/// Families of models by their names without snapshot. A model that is not here is not judged: nothing is guessed.
///
/// The figures are those that the providers document for each model.
const FAMILIES: &[(&str, Capabilities)] = &[
    known("gpt-3.5-turbo", 16_385, true, Some(true)),
    known("gpt-4", 8_192, true, Some(false)),
    known("gpt-4-turbo", 128_000, true, Some(true)),
    known("gpt-4o", 128_000, true, Some(true)),
    known("gpt-4o-mini", 128_000, true, Some(true)),
    known("gpt-4.1", 1_047_576, true, Some(true)),
    known("gpt-4.1-mini", 1_047_576, true, Some(true)),
    known("gpt-4.1-nano", 1_047_576, true, Some(true)),
    known("gpt-5", 400_000, true, Some(true)),
    known("gpt-5-mini", 400_000, true, Some(true)),
    known("gpt-5-nano", 400_000, true, Some(true)),
    known("o1", 200_000, true, Some(true)),
    known("o1-mini", 128_000, false, Some(false)),
    known("o1-preview", 128_000, false, Some(false)),
    known("o3", 200_000, true, Some(true)),
    known("o3-mini", 200_000, true, Some(true)),
    known("o4-mini", 200_000, true, Some(true)),
    known("claude-instant-1.2", 100_000, false, None),
    known("claude-2.0", 100_000, false, None),
    known("claude-2.1", 200_000, false, None),
    known("claude-3-haiku", 200_000, true, None),
    known("claude-3-sonnet", 200_000, true, None),
    known("claude-3-opus", 200_000, true, None),
    known("claude-3-5-haiku", 200_000, true, None),
    known("claude-3-5-sonnet", 200_000, true, None),
    known("claude-3-7-sonnet", 200_000, true, None),
    known("claude-sonnet-4", 200_000, true, None),
    known("claude-sonnet-4-5", 200_000, true, None),
    known("claude-sonnet-5", 1_000_000, true, None),
    known("claude-opus-4", 200_000, true, None),
    known("claude-opus-4-1", 200_000, true, None),
    known("claude-haiku-4-5", 200_000, true, None),
    known("gemini-1.5-flash", 1_048_576, true, None),
    known("gemini-1.5-pro", 2_097_152, true, None),
    known("gemini-2.0-flash", 1_048_576, true, None),
    known("gemini-2.5-flash", 1_048_576, true, None),
    known("gemini-2.5-pro", 1_048_576, true, None),
];

/// Snapshots that had less than their family has today.
const OTHER_SNAPSHOTS: [&str; 3] = ["gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "gpt-4-0314"];

pub(super) fn change(old: &Content, new: &Content) -> Change {
    let names = format!("`{}` → `{}`", old.model, new.model);
    let lost = lost(old, new);
    if !lost.is_empty() {
        let reason = format!("{names}: {}", lost.join("; "));
        return Change::new(Part::Model, Class::Breaking, Rule::ModelCapabilityLost, reason);
    }
    if family(&old.model) == family(&new.model) {
        let reason = format!("another snapshot of the same family: {names}");
        return Change::new(Part::Model, Class::Behavioural, Rule::ModelSnapshot, reason);
    }
    let advice = match (capabilities(&old.model), capabilities(&new.model)) {
        (Some(_), Some(_)) => "nothing that is known of it is missing",
        _ => "check tools, JSON mode and context length as well",
    };
    let reason = format!("another family of models: {names}; {advice}");
    Change::new(Part::Model, Class::Behavioural, Rule::ModelFamily, reason)
}

/// Says what the new model is known to lack of what the prompt or its callers use.
fn lost(old: &Content, new: &Content) -> Vec<String> {
    let Some(after) = capabilities(&new.model) else { return Vec::new() };
    let mut lost = Vec::new();
    if !after.tools && !tools::named(new.tools.as_ref()).is_some_and(|tools| tools.is_empty()) {
        lost.push("the new model takes no tools, which the prompt offers".to_owned());
    }
    let format = new.parameters.get(RESPONSE_FORMAT).and_then(|format| format.get("type")).and_then(Value::as_str);
    if after.json == Some(false) && format.is_some_and(|kind| kind.starts_with("json")) {
        lost.push("the new model takes no `response_format` of JSON, which the prompt asks for".to_owned());
    }
    if let Some(before) = capabilities(&old.model).filter(|before| before.context_tokens > after.context_tokens) {
        let (before, after) = (before.context_tokens, after.context_tokens);
        lost.push(format!("its context is {after} tokens, not {before}, so a long input that was taken is refused"));
    }
    lost
}

fn capabilities(model: &str) -> Option<Capabilities> {
    // As `openai/gpt-4o` at gateways.
    let name = model.rsplit('/').next().unwrap_or(model);
    if OTHER_SNAPSHOTS.contains(&name) {
        return None;
    }
    let family = family(name);
    FAMILIES.iter().find(|(known, _)| *known == family).map(|(_, capabilities)| *capabilities)
}

/// The name of a model without what looks like a date or a snapshot number.
fn family(model: &str) -> String {
    let is_digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() >= 2;
    model.split('-').filter(|part| !is_digits(part) && *part != "latest").collect::<Vec<_>>().join("-")
}
