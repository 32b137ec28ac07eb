//! `promptops plan`: what a deploy would change, and what is missing for it.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use promptops_prompt::rollout::Share;
use promptops_prompt::{PromptId, PromptRef, Version};
use promptops_registry::{EnvironmentName, Plan, Registry, Split, Targets};

use super::list::Format;
use crate::callers::Callers;
use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::{DetailedExit, Exit};
use crate::failure::Outcome;
use crate::plan_view::{Verbosity, View, Wanted};
use crate::registry_access::{Rules, failure, open};

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
    /// How much is shown.
    #[command(flatten)]
    verbosity: Verbosity,
    /// Say why each change is planned, why it has its class, and why each demand is made.
    #[arg(long)]
    explain: bool,
    /// Tells by its exit code whether anything changes.
    #[command(flatten)]
    exit: DetailedExit,
    /// How it is shown. JSON holds everything, reasons included, and is what `--out` writes.
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
    /// Split a prompt between two versions, in percent: `support.reply=2:90,3:10`. The first is the control, which callers
    /// without a key get; the second is the candidate.
    #[arg(long, value_name = "ID=CONTROL:PERCENT,CANDIDATE:PERCENT")]
    split: Vec<SplitArgument>,
    /// Take this prompt out of the environment.
    #[arg(long, value_name = "ID")]
    remove: Vec<PromptId>,
}

/// A prompt and how it is split.
#[derive(Debug, Clone)]
pub struct SplitArgument(Split);

impl FromStr for SplitArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || "write it as `support.reply=2:90,3:10`".to_owned();
        let (id, arms) = text.split_once('=').ok_or_else(shape)?;
        let (control, candidate) = arms.split_once(',').ok_or_else(shape)?;
        let id: PromptId = id.parse().map_err(|error: promptops_prompt::id::NameError| error.to_string())?;
        let arm = |text: &str| -> Result<(Version, Share), String> {
            let (version, percent) = text.trim().split_once(':').ok_or_else(shape)?;
            let version = version.parse().map_err(|error: promptops_prompt::id::NameError| error.to_string())?;
            let share = percent.parse().map_err(|error: promptops_prompt::rollout::ShareError| error.to_string())?;
            Ok((version, share))
        };
        let ((control, rest), (candidate, share)) = (arm(control)?, arm(candidate)?);
        if rest != share.rest() {
            return Err(format!("{rest} and {share} are not 100% together"));
        }
        Ok(Self(Split { control: id.at(control), candidate, share }))
    }
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
    /// Means these splits and nothing else; without any, the latest version of every prompt.
    pub fn splits(split: Vec<SplitArgument>) -> Self {
        Self { targets: Vec::new(), split, remove: Vec::new() }
    }

    /// Looks up what is meant, and says why each of it is wanted.
    pub async fn resolve(&self, registry: &Registry) -> Outcome<(Targets, Wanted)> {
        let (mut versions, mut wanted) = (Vec::new(), Wanted::default());
        for target in &self.targets {
            let (reference, because) = match target {
                TargetArgument::Version(reference) => (reference.clone(), format!("{reference} was asked for")),
                TargetArgument::Latest(id) => {
                    let latest = registry.latest(id).await.map_err(failure)?.reference();
                    let because = format!("the latest version of {id} was asked for, which is {latest}");
                    (latest, because)
                }
            };
            wanted.because.insert(reference.id.clone(), because);
            versions.push(reference);
        }
        for SplitArgument(split) in &self.split {
            let because =
                format!("a split between version {} and version {} was asked for", split.control.version, split.candidate);
            wanted.because.insert(split.control.id.clone(), because);
        }
        if self.targets.is_empty() && self.split.is_empty() && self.remove.is_empty() {
            let prompts = registry.list().await.map_err(failure)?;
            for latest in prompts.iter().filter_map(|(id, versions)| Some(id.at(*versions.last()?))) {
                let because = format!("no prompt was named, so the latest version of each is wanted, which is {latest}");
                wanted.because.insert(latest.id.clone(), because);
                versions.push(latest);
            }
        }
        for id in &self.remove {
            wanted.because.insert(id.clone(), "its removal was asked for".to_owned());
        }
        let splits = self.split.iter().map(|argument| argument.0.clone()).collect();
        Ok((Targets { versions, splits, removals: self.remove.clone() }, wanted))
    }
}

/// Shows the plan.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let rules = Rules::read(context, &project, arguments.rules.as_deref())?;
    let actor = context.actor(&project)?;
    let (plan, shown): (Plan, String) = context.block_on(async {
        let registry = open(context, &project).await?;
        let (targets, wanted) = arguments.targets.resolve(&registry).await?;
        let plan = registry.plan(&arguments.env, &targets, rules.authority(), &actor, context.now()).await.map_err(failure)?;
        let shown = match arguments.format {
            Format::Human => {
                let explained = arguments.explain.then_some(&wanted);
                let (printer, verbosity) = (&context.printer, arguments.verbosity);
                let callers = match verbosity.summary {
                    true => Callers::default(),
                    false => Callers::lately(context, &project, &plan).await,
                };
                View { registry: &registry, printer, verbosity, explained, callers: &callers }.plan(&plan).await?
            }
            Format::Json => String::from_utf8_lossy(&plan.to_bytes()).into_owned(),
        };
        Ok::<_, crate::failure::Failure>((plan, shown))
    })??;
    context.printer.answer(&shown);
    if let Some(file) = &arguments.out {
        write_file(&context.directory.join(file), plan.to_bytes())?;
        let file = file.display();
        context.printer.notice(match plan.changes.is_empty() {
            true => format!("plan written to {file}; it changes nothing"),
            false => format!("plan written to {file}; apply it with `promptops deploy {file}`"),
        });
    }
    Ok(arguments.exit.exit(!plan.changes.is_empty()))
}
