//! `search_prompts`: which released prompts have some words, a tag or an owner.

use promptops_registry::inventory::{self, Hit, Search};
use rmcp::model::{Tool, ToolAnnotations};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Call, ToolFailure, answer, described};
use crate::mcp::pinned_prompt::PinnedPrompt;

pub(super) const NAME: &str = "search_prompts";

/// Prompts that an answer shows unless more are asked for.
const SHOWN: usize = 20;
/// Prompts that an answer shows at most.
const MAX_SHOWN: usize = 100;

#[derive(Deserialize)]
pub(super) struct Arguments {
    #[serde(default)]
    text: String,
    #[serde(default)]
    tags: Vec<String>,
    owner: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Found<'a> {
    environment: Option<&'a str>,
    release: Option<u64>,
    /// How many fit, of which the best are shown.
    total: usize,
    prompts: Vec<FoundPrompt<'a>>,
}

#[derive(Serialize)]
struct FoundPrompt<'a> {
    name: &'a str,
    version: u32,
    owner: &'a str,
    purpose: Option<&'a str>,
    tags: &'a [String],
    model: &'a str,
    /// The arguments that must be given.
    required: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    found_in: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<&'a str>,
}

pub(super) fn tool() -> (&'static str, Tool) {
    let description = "Search the prompts that are released here: by words in id, tags, owner, purpose, model and text, all of which \
        must be found; by tags; by owner. Without any, lists what is released. The best come first.";
    let input = json!({
        "type": "object",
        "properties": {
            "text": {"type": "string", "maxLength": 1_000, "description": "Words, in any case"},
            "tags": {"type": "array", "maxItems": 50, "items": {"type": "string"}, "description": "Tags, all of which a prompt must have"},
            "owner": {"type": "string", "description": "The person or team that answers for it"},
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_SHOWN, "default": SHOWN},
        },
        "additionalProperties": false,
    });
    let annotations = ToolAnnotations::new().read_only(true).open_world(false);
    (NAME, described(NAME, "Search prompts", description, input, annotations))
}

pub(super) async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Value, ToolFailure> {
    let prompts = call.visitor.followed.prompts(call.live.pins.iter()).await?;
    let search = Search::new(&arguments.text);
    let mut hits: Vec<(Option<Hit>, &PinnedPrompt)> = Vec::new();
    for prompt in &prompts {
        let metadata = &prompt.record().metadata;
        let is_wanted = arguments.owner.as_ref().is_none_or(|owner| metadata.owner == *owner)
            && arguments.tags.iter().all(|tag| metadata.tags.contains(tag));
        if !is_wanted {
            continue;
        }
        match &search {
            None => hits.push((None, prompt)),
            Some(search) => {
                let hit = search.rank_version(prompt.id(), metadata, &prompt.content().model, Some(&prompt.text()));
                hits.extend(hit.map(|hit| (Some(hit), prompt.as_ref())));
            }
        }
    }
    let score = |hit: &Option<Hit>| hit.as_ref().map_or(0, |hit| hit.score);
    // Equal ones stay in the order of their ids.
    hits.sort_by_key(|(hit, _)| std::cmp::Reverse(score(hit)));
    let shown = arguments.limit.unwrap_or(SHOWN).min(MAX_SHOWN);
    answer(&Found {
        environment: call.visitor.followed.environment_name(),
        release: call.live.release,
        total: hits.len(),
        prompts: hits.iter().take(shown).map(|(hit, prompt)| found(hit.as_ref(), prompt)).collect(),
    })
}

fn found<'a>(hit: Option<&'a Hit>, prompt: &'a PinnedPrompt) -> FoundPrompt<'a> {
    let metadata = &prompt.record().metadata;
    let required = prompt.arguments().iter().filter(|argument| argument.is_required());
    FoundPrompt {
        name: prompt.id().as_str(),
        version: prompt.record().version.number(),
        owner: &metadata.owner,
        purpose: metadata.purpose.as_deref(),
        tags: &metadata.tags,
        model: &prompt.content().model,
        required: required.map(|argument| argument.name.as_str()).collect(),
        found_in: hit.into_iter().flat_map(|hit| &hit.found_in).map(|place: &inventory::Place| place.name()).collect(),
        line: hit.and_then(|hit| hit.line.as_deref()),
    }
}
