//! Lists of prompts: as JSON and CSV, versioned.

use promptops_prompt::PromptId;
use promptops_prompt::status::State;
use promptops_registry::index::PromptEntry;
use serde::Serialize;

use crate::inventory_access::Inventory;
use crate::output::csv;

/// The columns of a list in CSV. New ones are added at the end.
const COLUMNS: [&str; 14] = [
    "id",
    "latest",
    "versions",
    "live",
    "owner",
    "model",
    "tags",
    "purpose",
    "digest",
    "author",
    "published",
    "published_by",
    "parent",
    "status",
];

/// One prompt in JSON.
#[derive(Debug, Serialize)]
pub struct PromptV1<'a> {
    id: &'a str,
    versions: Vec<u32>,
    /// The version that is live in the environment that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<u32>,
    latest: LatestV1<'a>,
}

#[derive(Debug, Serialize)]
struct LatestV1<'a> {
    version: u32,
    digest: String,
    parent: Option<String>,
    includes: Vec<String>,
    owner: &'a str,
    model: &'a str,
    tags: &'a [String],
    purpose: Option<&'a str>,
    evals: &'a [String],
    author: &'a str,
    commit: Option<&'a str>,
    published: String,
    published_by: &'a str,
    /// That the version is deprecated or yanked.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusV1<'a>>,
}

#[derive(Debug, Serialize)]
struct StatusV1<'a> {
    state: &'static str,
    date: Option<String>,
    replacement: Option<String>,
    reason: &'a str,
}

/// Returns the state of a prompt's latest version that is deprecated or yanked.
pub fn state(prompt: &PromptEntry) -> Option<&'static str> {
    match prompt.latest.withdrawal()?.state {
        State::Yanked => Some("yanked"),
        State::Deprecated => Some("deprecated"),
        State::Restored => None,
    }
}

fn status(prompt: &PromptEntry) -> Option<StatusV1<'_>> {
    let record = prompt.latest.withdrawal()?;
    Some(StatusV1 {
        state: state(prompt)?,
        date: record.date.map(|date| date.to_string()),
        replacement: record.replacement.as_ref().map(ToString::to_string),
        reason: &record.reason,
    })
}

/// Returns the prompt as JSON has it.
pub fn prompt<'a>(id: &'a PromptId, prompt: &'a PromptEntry, inventory: &Inventory) -> PromptV1<'a> {
    let latest = &prompt.latest;
    PromptV1 {
        id: id.as_str(),
        versions: prompt.versions.iter().map(|version| version.number()).collect(),
        live: inventory.live_version(id),
        latest: LatestV1 {
            version: prompt.latest_version().number(),
            digest: latest.digest.to_string(),
            parent: latest.parent.as_ref().map(ToString::to_string),
            includes: latest.includes.iter().map(ToString::to_string).collect(),
            owner: &latest.metadata.owner,
            model: &latest.model,
            tags: &latest.metadata.tags,
            purpose: latest.metadata.purpose.as_deref(),
            evals: &latest.metadata.evals,
            author: &latest.author,
            commit: latest.commit.as_deref(),
            published: time(latest.published.time),
            published_by: &latest.published.by,
            status: status(prompt),
        },
    }
}

/// Returns the header of a list in CSV.
pub fn csv_header() -> Vec<String> {
    COLUMNS.map(str::to_owned).to_vec()
}

/// Returns the prompt as a row of CSV.
pub fn csv_cells(id: &PromptId, prompt: &PromptEntry, inventory: &Inventory) -> Vec<String> {
    let latest = &prompt.latest;
    vec![
        id.to_string(),
        prompt.latest_version().to_string(),
        prompt.versions.len().to_string(),
        inventory.live_version(id).map(|version| version.to_string()).unwrap_or_default(),
        latest.metadata.owner.clone(),
        latest.model.clone(),
        latest.metadata.tags.join(" "),
        latest.metadata.purpose.clone().unwrap_or_default(),
        latest.digest.to_string(),
        latest.author.clone(),
        time(latest.published.time),
        latest.published.by.clone(),
        latest.parent.as_ref().map(ToString::to_string).unwrap_or_default(),
        state(prompt).unwrap_or_default().to_owned(),
    ]
}

/// Returns a whole list as CSV.
pub fn csv(inventory: &Inventory) -> String {
    let mut text = csv::row(&csv_header());
    for (id, prompt) in &inventory.catalogue {
        text.push_str(&csv::row(&csv_cells(id, prompt, inventory)));
    }
    text
}

fn time(time: chrono::DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
