//! `promptops plan`: what a deploy would change, and what is missing for it.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use promptops_prompt::{PromptId, PromptRef};
use promptops_registry::{EnvironmentName, Plan, Registry, Targets};

use super::list::Format;
use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::registry_access::{Rules, failure, open};
use crate::release_view;

/// Show what a deploy would change in an environment, with what evidence and whose approval, and write it to a file.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The environment.
    #[arg(long, value_name = "NAME")]
    env: EnvironmentName,
    #[command(flatten)]
    targets: TargetArguments,
    /// Write the plan to this file, for `promptops deploy`.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not show texts word by word.
    #[arg(long)]
    no_text: bool,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// The revision whose policy and owners hold [default: the default branch].
    #[arg(long, value_name = "REVISION")]
    rules: Option<String>,
}

/// What an environment is to run.
#[derive(Debug, Clone, Args)]
pub struct TargetArguments {
    /// Versions to run, or prompts whose latest version is to run; otherwise the latest version of every prompt.
    #[arg(value_name = "ID[@VERSION]")]
    targets: Vec<TargetArgument>,
    /// Take this prompt out of the environment.
    #[arg(long, value_name = "ID")]
    remove: Vec<PromptId>,
}

/// A version, or a prompt whose latest version is meant.
#[derive(Debug, Clone)]
enum TargetArgument {
    Version(PromptRef),
    Latest(PromptId),
}

impl FromStr for TargetArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            text.parse().map(Self::Version).map_err(|error: promptops_prompt::id::NameError| error.to_string())
        } else {
            text.parse().map(Self::Latest).map_err(|error: promptops_prompt::id::NameError| error.to_string())
        }
    }
}

impl TargetArguments {
    /// Means the latest version of every prompt.
    pub fn all_latest() -> Self {
        Self { targets: Vec::new(), remove: Vec::new() }
    }

    /// Looks up what is meant.
    pub async fn resolve(&self, registry: &Registry) -> Outcome<Targets> {
        let mut versions = Vec::new();
        for target in &self.targets {
            versions.push(match target {
                TargetArgument::Version(reference) => reference.clone(),
                TargetArgument::Latest(id) => registry.latest(id).await.map_err(failure)?.reference(),
            });
        }
        if self.targets.is_empty() && self.remove.is_empty() {
            let prompts = registry.list().await.map_err(failure)?;
            versions.extend(prompts.iter().filter_map(|(id, versions)| Some(id.at(*versions.last()?))));
        }
        Ok(Targets { versions, removals: self.remove.clone() })
    }
}

/// Shows the plan.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let rules = Rules::read(context, &project, arguments.rules.as_deref())?;
    let actor = context.actor(&project)?;
    let (plan, shown): (Plan, String) = context.block_on(async {
        let registry = open(context, &project).await?;
        let targets = arguments.targets.resolve(&registry).await?;
        let plan = registry.plan(&arguments.env, &targets, rules.authority(), &actor, context.now()).await.map_err(failure)?;
        let shown = match arguments.format {
            Format::Human => release_view::plan(&plan, &registry, &context.printer, !arguments.no_text).await?,
            Format::Json => String::from_utf8_lossy(&plan.to_bytes()).into_owned(),
        };
        Ok::<_, crate::failure::Failure>((plan, shown))
    })??;
    context.printer.answer(&shown);
    if let Some(file) = &arguments.out {
        write_file(&context.directory.join(file), &String::from_utf8_lossy(&plan.to_bytes()))?;
        context.printer.notice(format!("plan written to {}; apply it with `promptops deploy {0}`", file.display()));
    }
    Ok(Exit::Success)
}
