//! The inventory of a project's registry: which prompts a command is about, and how a list of them is asked for.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clap::Args;
use promptops_prompt::PromptId;
use promptops_prompt::lock::LockedPrompt;
use promptops_registry::index::{Catalogue, Index, SNAPSHOT_BOUND};
use promptops_registry::inventory::Filter;
use promptops_registry::{EnvironmentName, Registry};

use crate::context::Context;
use crate::failure::Outcome;
#[cfg(feature = "lake")]
use crate::project::Project;
use crate::registry_access::failure;
use crate::time_argument::TimeArgument;

/// Which prompts are meant.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which prompts")]
pub struct FilterArguments {
    /// Only prompts of this owner.
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// Only prompts with this tag; with all of them when several are given.
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Only prompts whose latest version is written for this model; a trailing `*` stands for any ending.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Only prompts that are live in this environment.
    #[arg(long, value_name = "NAME")]
    pub env: Option<EnvironmentName>,
    /// Only prompts without a new version since this time: `180d`, `2026-05-01`.
    #[arg(long, value_name = "TIME")]
    pub stale: Option<TimeArgument>,
    /// Only prompts whose latest version is deprecated or yanked.
    #[arg(long)]
    pub deprecated: bool,
    /// Only prompts without a recorded invocation since this time: `30d`, `2026-11-01`.
    #[cfg(feature = "lake")]
    #[arg(long, value_name = "TIME")]
    pub unused_since: Option<TimeArgument>,
}

/// The prompts that were asked for.
#[derive(Debug)]
pub struct Inventory {
    /// The prompts.
    pub catalogue: Catalogue,
    /// What is live in the environment that was asked for, if one was.
    pub live: Option<BTreeMap<PromptId, LockedPrompt>>,
}

impl Inventory {
    /// Returns what is live of a prompt in the environment that was asked for, as `2`, or `2 90% and 3 10%` during a rollout.
    pub fn live_text(&self, id: &PromptId) -> Option<String> {
        Some(self.live.as_ref()?.get(id)?.to_string().replace('@', ""))
    }

    /// Returns the version of a prompt that is live in the environment that was asked for.
    pub fn live_version(&self, id: &PromptId) -> Option<u32> {
        Some(self.live.as_ref()?.get(id)?.version.number())
    }
}

impl FilterArguments {
    /// Reads what is asked for from the index of the registry.
    pub async fn read(&self, registry: &Registry, context: &Context) -> Outcome<Inventory> {
        let now = context.now();
        let live = match &self.env {
            Some(environment) => Some(registry.live(environment).await.map_err(failure)?),
            None => None,
        };
        let filter = Filter {
            owner: self.owner.clone(),
            tags: self.tag.clone(),
            model: self.model.clone(),
            live: live.clone(),
            stale_since: self.stale.map(|time| time.resolve(now)),
            withdrawn: self.deprecated,
        };
        let catalogue = filter.apply(catalogue(registry, context).await?);
        let catalogue = self.without_used(catalogue, now, context).await?;
        Ok(Inventory { catalogue, live })
    }

    #[cfg(feature = "lake")]
    async fn without_used(&self, mut catalogue: Catalogue, now: DateTime<Utc>, context: &Context) -> Outcome<Catalogue> {
        let Some(since) = self.unused_since.map(|time| time.resolve(now)) else { return Ok(catalogue) };
        let used = used_since(since, &context.project()?, context).await?;
        catalogue.retain(|id, _| !used.contains(id.as_str()));
        Ok(catalogue)
    }

    #[cfg(not(feature = "lake"))]
    async fn without_used(&self, catalogue: Catalogue, _: DateTime<Utc>, _: &Context) -> Outcome<Catalogue> {
        Ok(catalogue)
    }
}

/// Returns the prompts that have a recorded invocation since a time, in any environment.
#[cfg(feature = "lake")]
async fn used_since(since: DateTime<Utc>, project: &Project, context: &Context) -> Outcome<std::collections::BTreeSet<String>> {
    use crate::lake_access;

    let lake = lake_access::open(context, project)?;
    let filter = promptops_lake::Filter { since: Some(since), ..promptops_lake::Filter::default() };
    let rows = lake.statistics(&filter, &[promptops_lake::GroupBy::Prompt]).await.map_err(lake_access::failure)?;
    if rows.is_empty() {
        context.printer.warning(format!(
            "`{}` has no invocation since {}, so every prompt counts as unused",
            lake.name(),
            since.format("%Y-%m-%dT%H:%M:%SZ")
        ));
    }
    Ok(rows.into_iter().filter_map(|row| row.group.into_iter().next().flatten()).collect())
}

/// Opens the index of a registry.
pub async fn index<'a>(registry: &'a Registry) -> Outcome<Index<'a>> {
    registry.index().await.map_err(failure)
}

/// Says what a person should know about the index, after it was read.
pub fn say_notices(index: &Index<'_>, context: &Context) {
    for notice in index.notices() {
        context.printer.warning(notice);
    }
}

/// Reads every prompt from the index.
pub async fn catalogue(registry: &Registry, context: &Context) -> Outcome<Catalogue> {
    let index = index(registry).await?;
    let catalogue = index.catalogue().await.map_err(failure)?;
    say_notices(&index, context);
    Ok(catalogue)
}

/// Writes the next snapshot of the index when it is due, after a command that wrote to the registry.
///
/// What the command did stands whether or not this succeeds, so a failure is only said.
pub async fn keep_index(registry: &Registry, context: &Context) {
    if let Err(error) = registry.refresh_index(SNAPSHOT_BOUND).await {
        context.printer.warning(format!("the index was not brought up to date ({error}); run `promptops registry reindex`"));
    }
}

/// How a list of prompts is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum InventoryFormat {
    /// For people.
    #[default]
    Table,
    /// For programs; versioned.
    Json,
    /// With a header row.
    Csv,
}
