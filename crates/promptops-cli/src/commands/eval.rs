//! `promptops eval`: how a version behaves, beside the version it came from.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use promptops_eval::evidence;
use promptops_eval::report::v1::Report;
use promptops_prompt::PromptId;
use serde::Serialize;

use crate::context::Context;
use crate::evaluations::{self, EvalOptions, write_file};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::a_a_report::AaV1;
use crate::output::eval_plan::PlanV1;
use crate::output::markdown::fence;
use crate::output::{eval_human, eval_markdown};
use crate::project::Project;
use crate::promptfoo;
use crate::proposal::Proposal;
use crate::selection::Selection;

/// Evaluate prompts beside the versions they came from: same cases, paired, with an interval and a three-way verdict.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The prompts; otherwise all that name an eval file.
    ids: Vec<PromptId>,
    /// Hold them against the versions at this revision, instead of against their stated parents [e.g. origin/main].
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// Evaluate what this configuration of promptfoo asks for, without importing it [e.g. promptfooconfig.yaml].
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ids", "base", "select", "exclude"])]
    from: Option<PathBuf>,
    #[command(flatten)]
    selection: Selection,
    /// Say what the datasets can show and how many cases it takes, and ask no model.
    #[arg(long, conflicts_with_all = ["aa", "evidence"])]
    plan: bool,
    /// With --plan: the share of cases on which two versions are taken to differ [default: what recorded answers show, else 0.1].
    #[arg(long, requires = "plan", value_name = "SHARE", value_parser = share)]
    discordance: Option<f64>,
    /// Hold each version against itself, split at random this many times, and count how often it is called regressed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "evidence")]
    aa: Option<u32>,
    #[command(flatten)]
    options: EvalOptions,
    #[command(flatten)]
    report: ReportArguments,
}

/// Where the report and its evidence go.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// How the report is shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ReportFormat,
    /// Write the report to this file and show it to people as well.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write one statement per evaluation into this folder: evidence that a registry can demand.
    #[arg(long, value_name = "FOLDER")]
    pub evidence: Option<PathBuf>,
}

/// The format of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    #[default]
    Human,
    /// For programs; versioned.
    Json,
    /// For a pull request.
    Markdown,
}

/// Every report of one run.
#[derive(Debug, Serialize)]
struct ReportsV1<'a> {
    version: u32,
    verdict: &'static str,
    reports: &'a [Report],
}

/// Reads a share above 0 and below 1.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if share > 0.0 && share < 1.0 { Ok(share) } else { Err(format!("`{text}` is not between 0 and 1")) }
}

/// Every plan of one run.
#[derive(Debug, Serialize)]
struct PlansV1 {
    version: u32,
    plans: Vec<PlanV1>,
}

/// Every comparison of versions with themselves of one run.
#[derive(Debug, Serialize)]
struct AasV1 {
    version: u32,
    comparisons: Vec<AaV1>,
}

/// Runs the evaluations and shows what they found.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    arguments.selection.check()?;
    let (project, proposal, selected) = match &arguments.from {
        Some(file) => {
            let (project, selected) = promptfoo::project(context, file)?;
            let proposal = Proposal::read(&project, None)?;
            (project, proposal, selected)
        }
        None => {
            let project = context.project()?;
            let proposal = Proposal::read(&project, arguments.base.as_deref())?;
            let selected = arguments.selected(&proposal)?;
            (project, proposal, selected)
        }
    };
    if selected.is_empty() {
        context.printer.notice("no prompt with an eval file is selected: there is nothing to evaluate");
    }
    if arguments.plan {
        return plan(arguments, context, &project, &proposal, &selected);
    }
    if let Some(comparisons) = arguments.aa {
        return hold_against_itself(arguments, context, &project, &proposal, (&selected, comparisons));
    }
    let mut reports = Vec::new();
    for (id, path) in &selected {
        let candidate = proposal.candidate(id)?;
        let baseline = proposal.baseline(&candidate)?;
        let evaluated = evaluations::run(context, &project, &arguments.options, path, &proposal, &candidate, baseline.as_ref())
            .map_err(|stopped| stopped.into_failure(context))?;
        context.printer.notice(evaluated.notice());
        reports.push(evaluated.report);
    }
    let exit = exit_of(&reports);
    let human = || reports.iter().map(|report| eval_human::render(report, &context.printer)).collect::<Vec<_>>().join("\n");
    let text = match arguments.report.format {
        ReportFormat::Human => human(),
        ReportFormat::Markdown => reports.iter().map(eval_markdown::render).collect::<Vec<_>>().join("\n"),
        ReportFormat::Json => {
            let document = ReportsV1 { version: 1, verdict: verdict_of(&reports), reports: &reports };
            serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))? + "\n"
        }
    };
    match &arguments.report.output {
        Some(file) => {
            write_file(&context.directory.join(file), &text)?;
            context.printer.answer(&human());
        }
        None => context.printer.answer(&text),
    }
    if let Some(folder) = &arguments.report.evidence {
        write_evidence(context, folder, &reports)?;
    }
    Ok(exit)
}

impl Arguments {
    /// Returns the prompts to evaluate, each with one of its eval files.
    fn selected(&self, proposal: &Proposal) -> Outcome<Vec<(PromptId, String)>> {
        if self.selection.is_empty() {
            return selected(proposal, &self.ids);
        }
        if !self.ids.is_empty() {
            return Err(Failure::new(Exit::Usage, "prompts are either named or selected, not both")
                .hint("`--select` takes ids as well, with `*` for any letters"));
        }
        let mut found = Vec::new();
        for id in self.selection.of(proposal)? {
            let candidate = proposal.candidate(&id)?;
            found.extend(candidate.prompt.metadata.evals.iter().map(|path| (id.clone(), path.clone())));
        }
        Ok(found)
    }

    /// Shows what was found in the format that was asked for.
    fn show(&self, context: &Context, human: &str, json: &impl Serialize) -> Outcome<()> {
        let text = match self.report.format {
            ReportFormat::Json => {
                serde_json::to_string_pretty(json).map_err(|error| Failure::from_error(Exit::Io, error))? + "\n"
            }
            ReportFormat::Human => human.to_owned(),
            ReportFormat::Markdown => fence(human),
        };
        match &self.report.output {
            Some(file) => {
                write_file(&context.directory.join(file), &text)?;
                context.printer.answer(human);
            }
            None => context.printer.answer(&text),
        }
        Ok(())
    }
}

/// Says what the datasets can show.
fn plan(
    arguments: &Arguments,
    context: &Context,
    project: &Project,
    proposal: &Proposal,
    selected: &[(PromptId, String)],
) -> Outcome<Exit> {
    let mut plans = Vec::new();
    for (id, path) in selected {
        let candidate = proposal.candidate(id)?;
        let baseline = proposal.baseline(&candidate)?;
        let (options, discordance) = (&arguments.options, arguments.discordance);
        let plan = evaluations::plan(context, project, options, path, proposal, (&candidate, baseline.as_ref()), discordance);
        plans.push(plan.map_err(|stopped| stopped.into_failure(context))?);
    }
    let human: Vec<String> = plans.iter().map(|plan| plan.render(&context.printer)).collect();
    arguments.show(context, &human.join("\n"), &PlansV1 { version: 1, plans })?;
    Ok(Exit::Success)
}

/// Measures the gate's own false alarms. More of them than it promises, beyond doubt, is an answer of no.
fn hold_against_itself(
    arguments: &Arguments,
    context: &Context,
    project: &Project,
    proposal: &Proposal,
    (selected, comparisons): (&[(PromptId, String)], u32),
) -> Outcome<Exit> {
    let mut found = Vec::new();
    for (id, path) in selected {
        let version = proposal.candidate(id)?;
        let measured =
            evaluations::compare_with_itself(context, project, &arguments.options, path, proposal, (&version, comparisons));
        found.push(measured.map_err(|stopped| stopped.into_failure(context))?);
    }
    let is_kept = found.iter().all(|found| found.kept);
    let human: Vec<String> = found.iter().map(|found| found.render(&context.printer)).collect();
    arguments.show(context, &human.join("\n"), &AasV1 { version: 1, comparisons: found })?;
    Ok(if is_kept { Exit::Success } else { Exit::Refused })
}

/// Returns the prompts to evaluate, each with one of its eval files.
fn selected(proposal: &Proposal, ids: &[PromptId]) -> Outcome<Vec<(PromptId, String)>> {
    let mut selected = Vec::new();
    let ids: Vec<PromptId> = if ids.is_empty() { proposal.prompts.keys().cloned().collect() } else { ids.to_vec() };
    let is_asked_for = |id: &PromptId| ids.len() == 1 && ids[0] == *id;
    for id in &ids {
        let candidate = proposal.candidate(id)?;
        let evals = &candidate.prompt.metadata.evals;
        if evals.is_empty() && is_asked_for(id) {
            return Err(Failure::new(Exit::NotFound, format!("`{id}` names no eval file"))
                .hint("add `evals: [evals/<name>.yaml]` to the prompt"));
        }
        selected.extend(evals.iter().map(|path| (id.clone(), path.clone())));
    }
    if selected.is_empty() {
        return Err(Failure::new(Exit::NotFound, "no prompt names an eval file").hint(
            "add `evals: [evals/<name>.yaml]` to the prompts that have one; `promptops check` tells which cannot be read",
        ));
    }
    Ok(selected)
}

/// Returns the exit code of the worst verdict.
pub fn exit_of(reports: &[Report]) -> Exit {
    let is_any = |verdict: &str| reports.iter().any(|report| report.verdict == verdict);
    if is_any("refused") {
        Exit::Refused
    } else if is_any("inconclusive") {
        Exit::Inconclusive
    } else {
        Exit::Success
    }
}

/// Returns the worst verdict of all reports. Where one has nothing to be held against, that is no pass, and neither is nothing.
fn verdict_of(reports: &[Report]) -> &'static str {
    let is_any = |verdict: &str| reports.iter().any(|report| report.verdict == verdict);
    match exit_of(reports) {
        Exit::Inconclusive => "inconclusive",
        Exit::Success if reports.is_empty() => "nothing-evaluated",
        Exit::Success if is_any("no-baseline") => "no-baseline",
        Exit::Success => "pass",
        _ => "refused",
    }
}

/// Writes one statement per report into a folder.
pub fn write_evidence(context: &Context, folder: &Path, reports: &[Report]) -> Outcome<()> {
    for (report, name) in reports.iter().zip(evidence_names(reports)) {
        let file = context.directory.join(folder).join(name);
        let statement = String::from_utf8_lossy(&evidence::statement(report).to_bytes()).into_owned();
        write_file(&file, &statement)?;
        context.printer.notice(format!("evidence written to {}", file.display()));
    }
    Ok(())
}

/// Returns a name for the evidence of each report: by the name of its eval file, and by its whole path where two have the same name,
/// so that no statement takes the place of another.
fn evidence_names(reports: &[Report]) -> Vec<String> {
    let short = |report: &Report| report.eval.rsplit('/').next().unwrap_or(&report.eval).to_owned();
    let is_other = |one: &Report, other: &Report| one.candidate.prompt == other.candidate.prompt && one.eval != other.eval;
    let name = |report: &Report| {
        let has_twin = reports.iter().any(|other| is_other(report, other) && stem(&short(report)) == stem(&short(other)));
        let eval = if has_twin { whole_name(&report.eval) } else { stem(&short(report)).to_owned() };
        format!("{}.{eval}.json", report.candidate.prompt)
    };
    reports.iter().map(name).collect()
}

/// Returns a path without its ending.
fn stem(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem)
}

/// Makes a path a name that no other path has. Percent signs are written out, so that nothing else becomes one.
fn whole_name(path: &str) -> String {
    path.replace('%', "%25").replace('/', "%2F")
}
