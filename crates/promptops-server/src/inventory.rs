//! Which prompts there are, from the index of the registry. The one place that decides how they are found.

use std::ops::Bound;

use promptops_prompt::PromptId;
use promptops_registry::index::{Catalogue, PromptEntry};
use promptops_registry::inventory::{Filter, Search};
use promptops_registry::{Registry, RegistryError};

use crate::schema::{PromptPage, PromptSummary};

/// Returns prompts after an id, at most `limit` of them, in the order of their ids.
///
/// Reads the index: its latest snapshot, and what was logged since.
pub(crate) async fn page(
    registry: &Registry,
    filter: &Filter,
    search: Option<&Search>,
    after: Option<&PromptId>,
    limit: usize,
) -> Result<PromptPage, RegistryError> {
    let catalogue = read(registry).await?;
    let rest = catalogue.range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
    let is_wanted = |id: &PromptId, prompt: &PromptEntry| {
        filter.keeps(id, prompt) && search.is_none_or(|search| search.rank(id, prompt, None).is_some())
    };
    let mut found = rest.filter(|(id, prompt)| is_wanted(id, prompt));
    let prompts: Vec<PromptSummary> = found.by_ref().take(limit).map(|(id, prompt)| summary(id, prompt)).collect();
    let next = found.next().and_then(|_| prompts.last().map(|prompt| prompt.id.clone()));
    Ok(PromptPage { prompts, next })
}

/// Returns one prompt.
pub(crate) async fn one(registry: &Registry, id: &PromptId) -> Result<PromptSummary, RegistryError> {
    let catalogue = read(registry).await?;
    catalogue.get(id).map(|prompt| summary(id, prompt)).ok_or_else(|| RegistryError::PromptNotFound { id: id.clone() })
}

async fn read(registry: &Registry) -> Result<Catalogue, RegistryError> {
    let index = registry.index().await?;
    let catalogue = index.catalogue().await?;
    for notice in index.notices() {
        tracing::warn!(notice, "the index is not as it should be");
    }
    Ok(catalogue)
}

fn summary(id: &PromptId, prompt: &PromptEntry) -> PromptSummary {
    let latest = &prompt.latest;
    PromptSummary {
        id: id.to_string(),
        versions: prompt.versions.iter().map(|version| version.number()).collect(),
        latest: prompt.versions.last().map_or(0, |version| version.number()),
        digest: latest.digest.to_string(),
        model: latest.model.clone(),
        metadata: latest.metadata.clone(),
        published: latest.published.time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        published_by: latest.published.by.clone(),
    }
}
