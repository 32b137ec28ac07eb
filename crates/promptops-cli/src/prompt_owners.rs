//! Who owns the prompts that the lake has records of.
//!
//! A record names a version, and the version's metadata its owner: in the registry, and for what is not published in the
//! working tree. So a prompt that went from one team to another with a new version counts for each as long as it was theirs.

use std::collections::BTreeSet;

use promptops_lake::{Filter, GroupBy, Lake, PromptOwners};
use promptops_prompt::PromptId;
use promptops_prompt::draft::Draft;
use promptops_registry::Registry;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::lake_access;
use crate::project::Project;
use crate::registry_access;
use crate::working_tree::WorkingTree;

/// Tells the lake who owns the prompts of the records that fit, and says where that is from.
pub async fn with_owners(lake: Lake, filter: &Filter, context: &Context, project: &Project) -> Outcome<Lake> {
    let any_owner = Filter { owner: None, ..filter.clone() };
    let rows = lake.statistics(&any_owner, &[GroupBy::Prompt]).await.map_err(lake_access::failure)?;
    let ids: BTreeSet<PromptId> = rows.iter().filter_map(|row| row.group.first()?.as_ref()?.parse().ok()).collect();
    if ids.is_empty() {
        return Ok(lake);
    }
    let mut owners = PromptOwners::default();
    let published = match registry_access::open(context, project).await {
        Ok(registry) => add_published(&mut owners, &ids, &registry, context).await,
        Err(failure) => Err(failure),
    };
    let url = context.registry_url(project);
    let unpublished: BTreeSet<&PromptId> = ids.iter().filter(|id| owners.owner(id.as_str(), None).is_none()).collect();
    if !unpublished.is_empty() {
        add_written(&mut owners, &unpublished, project);
    }
    context.printer.notice(match (published, unpublished.len() == ids.len()) {
        (Err(failure), _) => {
            format!("owners: as the working tree has them, since the registry does not say ({:#})", failure.error)
        }
        (Ok(()), true) => format!("owners: as the working tree has them, since none of these prompts is published in `{url}`"),
        (Ok(()), false) if unpublished.is_empty() => format!("owners: as `{url}` has them for each version"),
        (Ok(()), false) => format!(
            "owners: as `{url}` has them for each version, and as the working tree has those of {} that it has not",
            unpublished.len()
        ),
    });
    Ok(lake.with_owners(owners))
}

async fn add_published(
    owners: &mut PromptOwners,
    ids: &BTreeSet<PromptId>,
    registry: &Registry,
    context: &Context,
) -> Result<(), Failure> {
    let index = registry.index().await.map_err(registry_access::failure)?;
    let catalogue = index.catalogue().await.map_err(registry_access::failure)?;
    for (id, prompt) in catalogue.iter().filter(|(id, _)| ids.contains(id)) {
        if prompt.versions.len() == 1 {
            owners.insert(id.as_str(), prompt.latest_version().number(), &prompt.latest.metadata.owner);
            continue;
        }
        for (version, entry) in index.versions(id).await.map_err(registry_access::failure)? {
            owners.insert(id.as_str(), version.number(), &entry.metadata.owner);
        }
    }
    crate::inventory_access::say_notices(&index, context);
    Ok(())
}

/// Adds what prompt files say. One that cannot be read says nothing.
fn add_written(owners: &mut PromptOwners, wanted: &BTreeSet<&PromptId>, project: &Project) {
    let Ok(tree) = WorkingTree::read(project) else { return };
    for file in &tree.files {
        let Some(prompt) = Draft::parse(&file.path, &file.text).0.prompt() else { continue };
        if wanted.contains(&prompt.id) {
            owners.insert(prompt.id.as_str(), prompt.version.number(), &prompt.metadata.owner);
        }
    }
}
