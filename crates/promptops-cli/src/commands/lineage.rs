//! `promptops lineage`: where a prompt came from, what came from it, what it includes and what includes it.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use promptops_prompt::id::NameError;
use promptops_prompt::{PromptId, PromptRef, Version};
use promptops_registry::lineage::Lineage;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::inventory_access::{index, say_notices};
use crate::output::lineage;
use crate::registry_access::{failure, open};

/// Show where a prompt came from, what came from it, what it includes and what includes it.
///
/// Parents and forks are followed into other prompts, includes and dependants to the end. With a version, what is shown is
/// connected with that version.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The prompt, or one of its versions.
    #[arg(value_name = "ID[@VERSION]")]
    prompt: PromptOrVersion,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: LineageFormat,
}

/// How a lineage is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum LineageFormat {
    /// A tree, for people.
    #[default]
    Text,
    /// For programs; versioned.
    Json,
    /// For Graphviz.
    Dot,
    /// For Mermaid, as in Markdown on GitHub.
    Mermaid,
}

#[derive(Debug, Clone)]
struct PromptOrVersion {
    id: PromptId,
    version: Option<Version>,
}

impl FromStr for PromptOrVersion {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.contains('@') {
            let PromptRef { id, version } = text.parse()?;
            return Ok(Self { id, version: Some(version) });
        }
        Ok(Self { id: text.parse()?, version: None })
    }
}

/// Shows it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let found: Lineage = context.block_on(async {
        let registry = open(context, &project).await?;
        let index = index(&registry).await?;
        let PromptOrVersion { id, version } = &arguments.prompt;
        let lineage = registry.lineage(&index, id, *version).await.map_err(failure)?;
        say_notices(&index, context);
        Ok::<_, Failure>(lineage)
    })??;
    match arguments.format {
        LineageFormat::Text => context.printer.answer(&lineage::text(&found, &context.printer)),
        LineageFormat::Json => context.printer.line(lineage::json(&found)),
        LineageFormat::Dot => context.printer.answer(&lineage::dot(&found)),
        LineageFormat::Mermaid => context.printer.answer(&lineage::mermaid(&found)),
    }
    Ok(Exit::Success)
}
