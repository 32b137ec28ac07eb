//! The prompts that dashboards, alarms and saved queries are generated for, and what their files say of how they usually do.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use promptops_prompt::draft::Draft;
use promptops_prompt::{Metadata, PromptId};
use promptops_registry::EnvironmentName;

use crate::closure::direct_includes;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::inventory_access::catalogue;
use crate::project::{CONFIG_FILE, Project};
use crate::registry_access::{failure, open};
use crate::working_tree::WorkingTree;

/// Which prompts are watched, and where.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which prompts")]
pub struct WatchedArguments {
    /// Only this prompt; several may be given. One that others include is there only when it is named.
    #[arg(long, value_name = "ID")]
    pub prompt: Vec<PromptId>,
    /// Only prompts of this owner.
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// Only prompts with this tag; with all of them when several are given.
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// In this environment; several may be given [default: `[environments]` of promptops.toml].
    #[arg(long, value_name = "NAME")]
    pub env: Vec<EnvironmentName>,
    /// Only what is live in each environment, as the registry has it, in place of the prompt files.
    #[arg(long)]
    pub released: bool,
}

/// A prompt that is watched.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedPrompt {
    /// Its id.
    pub id: PromptId,
    /// Who answers for it.
    pub owner: String,
    /// What it is for.
    pub purpose: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The model it is written for.
    pub model: String,
    /// How it usually does.
    pub baseline: Baseline,
    /// Where it is watched.
    pub environments: BTreeSet<EnvironmentName>,
}

/// What `metrics` in a prompt file says of how calls usually go; what it does not say is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Baseline {
    /// `baseline_error_share`, from 0 to 1.
    pub error_share: Option<f64>,
    /// `baseline_latency_p95_ms`.
    pub latency_p95_ms: Option<f64>,
    /// `cost_per_call_usd`.
    pub cost_per_call_usd: Option<f64>,
    /// `calls_per_hour`, when fewest are expected.
    pub calls_per_hour: Option<f64>,
}

impl Baseline {
    /// Reads the numbers that are there; a warning for each that is none.
    fn of(metadata: &Metadata, id: &PromptId, context: &Context) -> Self {
        let number = |name: &str, most: f64| {
            let value = metadata.metrics.get(name)?;
            let number = value.as_f64().filter(|number| (0.0..=most).contains(number));
            if number.is_none() {
                context
                    .printer
                    .warning(format!("`metrics.{name}` of `{id}` is not a number that it can be, and is not used: `{value}`"));
            }
            number
        };
        Self {
            error_share: number("baseline_error_share", 1.0),
            latency_p95_ms: number("baseline_latency_p95_ms", f64::MAX),
            cost_per_call_usd: number("cost_per_call_usd", f64::MAX),
            calls_per_hour: number("calls_per_hour", f64::MAX),
        }
    }
}

impl WatchedPrompt {
    /// Returns the first word of the id, by which prompts are put together.
    pub fn namespace(&self) -> &str {
        self.id.as_str().split('.').next().unwrap_or_default()
    }
}

/// Returns the prompts that are watched, sorted by id, and every environment that one of them is watched in.
pub fn watched(
    arguments: &WatchedArguments,
    context: &Context,
    project: &Project,
) -> Outcome<(Vec<WatchedPrompt>, BTreeSet<EnvironmentName>)> {
    let mut prompts = if arguments.released {
        context.block_on(released(arguments, context, project))??
    } else {
        written(arguments, context, project)?
    };
    if let Some(missing) = arguments.prompt.iter().find(|id| !prompts.iter().any(|prompt| prompt.id == **id)) {
        let place = if arguments.released { "live" } else { "in the prompt files" };
        return Err(Failure::new(Exit::NotFound, format!("no prompt `{missing}` is {place}")));
    }
    prompts.retain(|prompt| {
        (arguments.prompt.is_empty() || arguments.prompt.contains(&prompt.id))
            && arguments.owner.as_ref().is_none_or(|owner| prompt.owner == *owner)
            && arguments.tag.iter().all(|tag| prompt.tags.contains(tag))
    });
    if prompts.is_empty() {
        return Err(Failure::new(Exit::NotFound, "no prompt is to be watched").hint("`promptops list` shows what there is"));
    }
    let environments = prompts.iter().flat_map(|prompt| prompt.environments.iter().cloned()).collect();
    Ok((prompts, environments))
}

/// Reads the prompt files.
fn written(arguments: &WatchedArguments, context: &Context, project: &Project) -> Outcome<Vec<WatchedPrompt>> {
    let environments = environments(arguments, project)?;
    let tree = WorkingTree::read(project)?;
    let (mut prompts, mut unreadable) = (Vec::new(), Vec::new());
    for file in &tree.files {
        match Draft::parse(&file.path, &file.text).0.prompt() {
            Some(prompt) => prompts.push(prompt),
            None => unreadable.push(file.path.as_str()),
        }
    }
    if !unreadable.is_empty() {
        let files: String = unreadable.iter().map(|path| format!("\n  - {path}")).collect();
        return Err(Failure::new(Exit::Refused, format!("these files are no valid prompts:{files}"))
            .hint("`promptops check` shows what is wrong with them"));
    }
    // What others include is seldom called by itself, and would look silent.
    let included: BTreeSet<PromptId> = prompts.iter().flat_map(direct_includes).map(|include| include.id).collect();
    let mut watched: Vec<WatchedPrompt> = prompts
        .into_iter()
        .filter(|prompt| !included.contains(&prompt.id) || arguments.prompt.contains(&prompt.id))
        .map(|prompt| of(prompt.id, &prompt.metadata, prompt.model, environments.clone(), context))
        .collect();
    watched.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(watched)
}

/// Reads what is live from the registry.
async fn released(arguments: &WatchedArguments, context: &Context, project: &Project) -> Outcome<Vec<WatchedPrompt>> {
    let registry = open(context, project).await?;
    let environments =
        if arguments.env.is_empty() { registry.environments().await.map_err(failure)? } else { arguments.env.clone() };
    let mut live: BTreeMap<PromptId, BTreeSet<EnvironmentName>> = BTreeMap::new();
    for environment in environments {
        for id in registry.live(&environment).await.map_err(failure)?.into_keys() {
            live.entry(id).or_default().insert(environment.clone());
        }
    }
    let catalogue = catalogue(&registry, context).await?;
    let included: BTreeSet<&PromptId> =
        catalogue.values().flat_map(|prompt| &prompt.latest.includes).map(|include| &include.id).collect();
    let is_watched = |id: &PromptId| !included.contains(id) || arguments.prompt.contains(id);
    Ok(live
        .into_iter()
        .filter(|(id, _)| is_watched(id))
        .filter_map(|(id, environments)| Some((catalogue.get(&id)?, id, environments)))
        .map(|(prompt, id, environments)| of(id, &prompt.latest.metadata, prompt.latest.model.clone(), environments, context))
        .collect())
}

fn of(
    id: PromptId,
    metadata: &Metadata,
    model: String,
    environments: BTreeSet<EnvironmentName>,
    context: &Context,
) -> WatchedPrompt {
    WatchedPrompt {
        baseline: Baseline::of(metadata, &id, context),
        owner: metadata.owner.clone(),
        purpose: metadata.purpose.clone(),
        tags: metadata.tags.clone(),
        id,
        model,
        environments,
    }
}

fn environments(arguments: &WatchedArguments, project: &Project) -> Outcome<BTreeSet<EnvironmentName>> {
    if !arguments.env.is_empty() {
        return Ok(arguments.env.iter().cloned().collect());
    }
    let mut named = BTreeSet::new();
    for name in project.config.environments.keys() {
        let name = name.parse().map_err(|error| Failure::from_error(Exit::Usage, error))?;
        named.insert(name);
    }
    if named.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("no environment is named in `{CONFIG_FILE}`"))
            .hint("give `--env prod`, or add a table `[environments.prod]`"));
    }
    Ok(named)
}
