//! `show_lineage`: where a released prompt came from, what it includes and what includes it.

use std::collections::BTreeSet;

use promptops_prompt::{Digest, PromptId, PromptRef};
use rmcp::model::{Tool, ToolAnnotations};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Call, ToolFailure, answer, described};
use crate::mcp::handler::unknown_prompt;

pub(super) const NAME: &str = "show_lineage";

/// Versions that a lineage goes back.
const MAX_ANCESTORS: usize = 100;

#[derive(Deserialize)]
pub(super) struct Arguments {
    name: String,
}

#[derive(Serialize)]
struct LineageOf<'a> {
    name: &'a str,
    version: u32,
    digest: Digest,
    owner: &'a str,
    environment: Option<&'a str>,
    release: Option<u64>,
    origin: Origin,
    /// What the version came from, the nearest first.
    ancestors: Vec<Ancestor>,
    /// What it includes, directly or not.
    includes: Vec<Included>,
    /// The released prompts that include some version of it, directly or not.
    dependants: Vec<Dependant>,
}

/// Who wrote and published a version, where and when.
#[derive(Serialize)]
struct Origin {
    author: String,
    commit: Option<String>,
    published: String,
    published_by: String,
}

#[derive(Serialize)]
struct Ancestor {
    version: PromptRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

#[derive(Serialize)]
struct Included {
    version: PromptRef,
    digest: Digest,
    is_direct: bool,
}

#[derive(Serialize)]
struct Dependant {
    version: PromptRef,
    owner: String,
    includes: PromptRef,
}

pub(super) fn tool() -> (&'static str, Tool) {
    let description = "Show where the released version of a prompt came from (parents, authors, commits), who owns it, what it \
        includes, and which released prompts include it.";
    let input = json!({
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 200, "description": "The id of the prompt, as `prompts/list` shows it"}},
        "required": ["name"],
        "additionalProperties": false,
    });
    (NAME, described(NAME, "Show lineage", description, input, ToolAnnotations::new().read_only(true).open_world(false)))
}

pub(super) async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Value, ToolFailure> {
    let followed = &call.visitor.followed;
    let found = arguments.name.parse::<PromptId>().ok().and_then(|id| call.live.pins.get_key_value(&id));
    let Some((id, pin)) = found else {
        return Err(ToolFailure::Said(unknown_prompt(&arguments.name, call.live).message.into_owned()));
    };
    let prompt = followed.prompt(id, pin).await?;
    let record = prompt.record();
    let mut includes: Vec<Included> = Vec::new();
    let closure = prompt.closure();
    for content in std::iter::once(&closure.root).chain(closure.includes.values()) {
        for (version, digest) in &content.includes {
            if !includes.iter().any(|known| known.version == *version) {
                let is_direct = closure.root.includes.contains_key(version);
                includes.push(Included { version: version.clone(), digest: *digest, is_direct });
            }
        }
    }
    includes.sort_by(|one, other| (!one.is_direct, &one.version).cmp(&(!other.is_direct, &other.version)));
    answer(&LineageOf {
        name: id.as_str(),
        version: record.version.number(),
        digest: record.digest,
        owner: &record.metadata.owner,
        environment: followed.environment_name(),
        release: call.live.release,
        origin: origin(record),
        ancestors: ancestors(call, record.parent.clone()).await?,
        includes,
        dependants: dependants(call, id).await?,
    })
}

/// Follows the parents, as far as their records are at hand; the first that is not ends the line, by name.
async fn ancestors(call: &Call<'_>, parent: Option<PromptRef>) -> Result<Vec<Ancestor>, ToolFailure> {
    let mut line = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = parent;
    while let Some(version) = next.take() {
        // A version comes from an earlier one, so there is no circle unless somebody made one.
        if line.len() >= MAX_ANCESTORS || !seen.insert(version.clone()) {
            break;
        }
        match call.visitor.followed.objects().find_version(&version).await? {
            Some(record) => {
                let owner = Some(record.metadata.owner.clone());
                line.push(Ancestor { version, digest: Some(record.digest), owner, origin: Some(origin(&record)) });
                next = record.parent;
            }
            None => line.push(Ancestor { version, digest: None, owner: None, origin: None }),
        }
    }
    Ok(line)
}

async fn dependants(call: &Call<'_>, id: &PromptId) -> Result<Vec<Dependant>, ToolFailure> {
    let prompts = call.visitor.followed.prompts(call.live.pins.iter()).await?;
    let mut dependants = Vec::new();
    for prompt in &prompts {
        let included = prompt.closure().includes.keys().find(|included| included.id == *id);
        dependants.extend(included.map(|included| Dependant {
            version: prompt.reference(),
            owner: prompt.record().metadata.owner.clone(),
            includes: included.clone(),
        }));
    }
    Ok(dependants)
}

fn origin(record: &promptops_registry::VersionRecord) -> Origin {
    Origin {
        author: record.provenance.author.clone(),
        commit: record.provenance.commit.clone(),
        published: record.published.time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        published_by: record.published.by.clone(),
    }
}
