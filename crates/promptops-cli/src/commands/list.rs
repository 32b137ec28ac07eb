//! `promptops list`: what is published.

use clap::{Args, ValueEnum};
use promptops_prompt::{Metadata, Version};
use promptops_registry::VersionRecord;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Table};
use crate::registry_access::{failure, open};

/// List every published prompt with its versions and owner.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only prompts with this tag.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// How something is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs; versioned.
    Json,
}

#[derive(Debug, Serialize)]
struct ListV1<'a> {
    version: u32,
    prompts: Vec<PromptV1<'a>>,
}

#[derive(Debug, Serialize)]
struct PromptV1<'a> {
    id: &'a str,
    versions: Vec<u32>,
    latest: LatestV1<'a>,
}

#[derive(Debug, Serialize)]
struct LatestV1<'a> {
    version: u32,
    digest: String,
    owner: &'a str,
    tags: &'a [String],
    purpose: Option<&'a str>,
    author: &'a str,
    published: String,
    published_by: &'a str,
}

/// A prompt with its latest version.
struct Entry {
    versions: Vec<Version>,
    record: VersionRecord,
    metadata: Metadata,
}

/// Lists them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let mut entries = context.block_on(async {
        let registry = open(context, &project).await?;
        let mut entries = Vec::new();
        for (id, versions) in registry.list().await.map_err(failure)? {
            let record = registry.latest(&id).await.map_err(failure)?;
            let metadata = registry.metadata(&record).await.map_err(failure)?;
            entries.push(Entry { versions, record, metadata });
        }
        Ok::<_, Failure>(entries)
    })??;
    if let Some(tag) = &arguments.tag {
        entries.retain(|entry| entry.metadata.tags.contains(tag));
    }
    match arguments.format {
        Format::Human => context.printer.answer(&table(&entries, context)),
        Format::Json => {
            let document = ListV1 { version: 1, prompts: entries.iter().map(prompt).collect() };
            let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))?;
            context.printer.line(text);
        }
    }
    Ok(Exit::Success)
}

fn table(entries: &[Entry], context: &Context) -> String {
    let mut table = Table::new(&[
        ("prompt", Align::Left),
        ("latest", Align::Right),
        ("versions", Align::Right),
        ("digest", Align::Left),
        ("owner", Align::Left),
        ("tags", Align::Left),
    ]);
    for Entry { versions, record, metadata } in entries {
        table.row(vec![
            record.id.to_string(),
            record.version.to_string(),
            versions.len().to_string(),
            record.digest.short(),
            metadata.owner.clone(),
            metadata.tags.join(", "),
        ]);
    }
    table.render(&context.printer)
}

fn prompt(entry: &Entry) -> PromptV1<'_> {
    let Entry { versions, record, metadata } = entry;
    PromptV1 {
        id: record.id.as_str(),
        versions: versions.iter().map(|version| version.number()).collect(),
        latest: LatestV1 {
            version: record.version.number(),
            digest: record.digest.to_string(),
            owner: &metadata.owner,
            tags: &metadata.tags,
            purpose: metadata.purpose.as_deref(),
            author: &record.provenance.author,
            published: record.published.time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            published_by: &record.published.by,
        },
    }
}
