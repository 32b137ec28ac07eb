//! `promptops export`: what a data catalog reads about prompts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use promptops_prompt::owners::Owners;
use promptops_prompt::{PromptId, PromptRef};
use promptops_registry::catalog::{CatalogVersion, odcs, openlineage};
use promptops_registry::index::VersionEntry;
use promptops_registry::{EnvironmentName, Policy, Registry};

use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::inventory_access::{FilterArguments, Inventory, index, say_notices};
use crate::project::Project;
use crate::registry_access::{Rules, failure, open};
use crate::time_argument::TimeArgument;

/// Write what a data catalog reads about the published prompts: OpenLineage events, or ODCS data contracts.
///
/// With `--openlineage` each publish of a version and each release of an environment is one run event, a line of JSON each,
/// oldest first. The same publish has the same run id every time, so an export may be repeated. With `--odcs` the latest
/// version of each prompt is one contract in YAML.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("kind").required(true)))]
pub struct Arguments {
    /// Write OpenLineage run events.
    #[arg(long, group = "kind")]
    openlineage: bool,
    /// Write contracts of the Open Data Contract Standard, version 3.1.0.
    #[arg(long, group = "kind")]
    odcs: bool,
    /// Write one file each into this folder instead of to stdout.
    #[arg(short, long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Only events since this time: `7d`, `2026-11-01`.
    #[arg(long, value_name = "TIME", conflicts_with = "odcs")]
    since: Option<TimeArgument>,
    /// The name of the registry in the catalog [default: its URL without the scheme, or the project's folder].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    filter: FilterArguments,
}

/// One exported document.
struct Document {
    file: String,
    text: String,
}

/// Writes them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let name = arguments.name.clone().unwrap_or_else(|| registry_name(&context.registry_url(&project), &project));
    let documents = context.block_on(async {
        let registry = open(context, &project).await?;
        let inventory = arguments.filter.read(&registry, context).await?;
        if arguments.odcs {
            contracts(&registry, &inventory, &name, &project, context).await
        } else {
            events(&registry, &inventory, &name, arguments, context).await
        }
    })??;
    let Some(folder) = &arguments.out else {
        let separator = if arguments.odcs { "---\n" } else { "" };
        for document in &documents {
            context.printer.answer(&format!("{separator}{}", document.text));
        }
        return Ok(Exit::Success);
    };
    for Document { file, text } in &documents {
        write_file(&context.directory.join(folder).join(file), text)?;
    }
    context.printer.notice(format!("{} files written to {}", documents.len(), folder.display()));
    Ok(Exit::Success)
}

/// Returns a name that others would recognise: a local path says little outside its machine.
fn registry_name(url: &str, project: &Project) -> String {
    let folder = || project.root.file_name().map(|name| name.to_string_lossy().into_owned());
    match url.split_once("://") {
        Some(("file" | "memory", _)) | None => folder().unwrap_or_else(|| "registry".to_owned()),
        Some((_, rest)) => rest.trim_end_matches('/').to_owned(),
    }
}

async fn contracts(
    registry: &Registry,
    inventory: &Inventory,
    name: &str,
    project: &Project,
    context: &Context,
) -> Outcome<Vec<Document>> {
    let rules = match Rules::read(context, project, None) {
        Ok(rules) => Some(rules),
        Err(failure) => {
            context.printer.warning(format!("contracts are without teams and approvers: {}", failure.error));
            None
        }
    };
    let (no_owners, no_policy) = (Owners::default(), Policy::default());
    let (owners, policy) = match &rules {
        Some(rules) => (rules.authority().owners, rules.authority().policy),
        None => (&no_owners, &no_policy),
    };
    let mut live = BTreeMap::new();
    for environment in registry.environments().await.map_err(failure)? {
        let pins = registry.live(&environment).await.map_err(failure)?;
        live.insert(environment, pins);
    }
    let latest: Vec<(PromptRef, VersionEntry)> =
        inventory.catalogue.iter().map(|(id, prompt)| (id.at(prompt.latest_version()), prompt.latest.clone())).collect();
    let versions = registry.catalog_versions(&latest).await.map_err(failure)?;
    let contract = |version: &CatalogVersion| {
        let id = &version.record.id;
        let is_live = |pins: &&BTreeMap<PromptId, _>| {
            pins.get(id).is_some_and(|pin: &promptops_prompt::lock::LockedPrompt| pin.has(version.record.version))
        };
        let demands =
            |environment: &EnvironmentName| policy.demands(environment, id, &version.entry.metadata, &[&version.record.metadata]);
        let said = odcs::Context {
            registry: name,
            url: registry.url(),
            owners,
            demands: live.keys().map(|environment| (environment.clone(), demands(environment))).collect(),
            live: live.iter().filter(|(_, pins)| is_live(pins)).map(|(environment, _)| environment.clone()).collect(),
        };
        Document { file: format!("{id}.odcs.yaml"), text: odcs::contract_text(version, &said) }
    };
    Ok(versions.iter().map(contract).collect())
}

async fn events(
    registry: &Registry,
    inventory: &Inventory,
    name: &str,
    arguments: &Arguments,
    context: &Context,
) -> Outcome<Vec<Document>> {
    let since = arguments.since.map(|time| time.resolve(context.now()));
    let is_wanted = |time: chrono::DateTime<chrono::Utc>| since.is_none_or(|since| time >= since);
    let mut wanted: Vec<(PromptRef, VersionEntry)> = Vec::new();
    let index = index(registry).await?;
    for id in inventory.catalogue.keys() {
        for (version, entry) in index.versions(id).await.map_err(failure)? {
            if is_wanted(entry.published.time) {
                wanted.push((id.at(version), entry));
            }
        }
    }
    say_notices(&index, context);
    let mut events = Vec::new();
    for version in registry.catalog_versions(&wanted).await.map_err(failure)? {
        let file = format!("publish-{}.json", version.reference());
        events.push((version.record.published.time, file, openlineage::publication(&version, name)));
    }
    for environment in registry.environments().await.map_err(failure)? {
        let history = registry.history(&environment).await.map_err(failure)?;
        let before = std::iter::once(None).chain(history.iter().map(Some));
        for (release, before) in history.iter().zip(before).filter(|(release, _)| is_wanted(release.time)) {
            let changes = registry.release_changes(release, before).await.map_err(failure)?;
            let file = format!("release-{environment}-{}.json", release.sequence);
            events.push((release.time, file, openlineage::release(release, &changes, name)));
        }
    }
    events.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    let document = |(_, file, event)| {
        let text = serde_json::to_string(&event).map_err(|error| Failure::from_error(Exit::Io, error))?;
        Ok(Document { file, text: format!("{text}\n") })
    };
    events.into_iter().map(document).collect()
}
