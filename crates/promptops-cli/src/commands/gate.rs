//! `promptops gate`: all that a pull request needs, and one answer.

use clap::Args;
use promptops_prompt::PromptId;
use promptops_prompt::change::Class;
use promptops_prompt::compatibility::Level;
use promptops_prompt::finding::Severity;
use promptops_registry::Policy;
use promptops_registry::compatibility::Acceptance;

use super::eval::{ReportArguments, ReportFormat, write_evidence};
use crate::allowances;
use crate::base_revision::BaseRevision;
use crate::checks::{self, CheckOptions, Checked};
use crate::context::Context;
use crate::evaluations::{self, EvalOptions, ReplayChoice, Stopped, write_file};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::gate::{self, Changed, CheckV1, GateV1};
use crate::output::{gate as output, human, json};
use crate::project::{CONFIG_FILE, Config, Project};
use crate::proposal::{Proposal, Version};
use crate::registry_access::policy_at;
use crate::selection::Selection;
use crate::yardstick::{self, Differences};

/// Decide about a proposal: structure, compatibility, and how every changed prompt behaves beside its parent.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The revision that the proposal would be merged into.
    #[arg(long, default_value = "origin/main", value_name = "REVISION")]
    base: String,
    /// Let this prompt be removed.
    #[arg(long, value_name = "ID")]
    allow_removal: Vec<PromptId>,
    /// Let eval files and datasets ask less, or otherwise, than they do at the base.
    #[arg(long)]
    allow_weaker_evals: bool,
    /// Let the checks ask less than they do at the base: levels in promptops.toml, and findings in the baseline.
    #[arg(long)]
    allow_weaker_checks: bool,
    /// Refuse warnings of the checks as well.
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    options: EvalOptions,
    #[command(flatten)]
    report: ReportArguments,
}

/// Why the gate does not let a proposal pass, as it is found.
#[derive(Debug, Default)]
struct Decision {
    refused: Vec<String>,
    inconclusive: Vec<String>,
    notes: Vec<String>,
    /// The exit code of an evaluation that could not run at all.
    failure: Option<Exit>,
}

/// Runs everything and gives one answer.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    arguments.selection.check()?;
    let base = BaseRevision::open(&project, &arguments.base)?;
    base.refuse_another_root(&context.directory)?;
    // What earlier runs came to may have come with the proposal: whoever commits `.promptops` would write his own results.
    let check_options = CheckOptions { base: Some(arguments.base.clone()), without_cache: true, ..CheckOptions::default() };
    let checked = checks::run(&project, &check_options)?;
    let mut decision = Decision::default();
    let (errors, warnings) = (checked.count(Severity::Error), checked.count(Severity::Warning));
    if errors > 0 || (arguments.deny_warnings && warnings > 0) {
        let found = (output::counted(errors, "error"), output::counted(warnings, "warning"));
        decision.refused.push(format!("the checks found {} and {}", found.0, found.1));
    }
    judge_checks(arguments, &project, &base, &checked, &mut decision)?;
    let proposal = Proposal::read(&project, Some(&arguments.base))?;
    let policy = policy_at(&project, Some(&arguments.base))?;
    let changed = match gate::changed(&project, &proposal, &policy) {
        Ok(changed) => changed,
        // The checks say where, with the source; the gate must not hide that behind a failure of its own.
        Err(_) if errors > 0 => Vec::new(),
        Err(failure) => return Err(failure),
    };
    let changed = only_selected(arguments, &proposal, changed, &mut decision)?;
    judge_changes(arguments, &policy, &changed, &mut decision);
    let uses_recordings = arguments.options.replay(context) != ReplayChoice::Off;
    judge_evals(arguments, yardstick::compare(&project, &base, &proposal, uses_recordings)?, &mut decision);
    let project = asking_as_base(arguments, context, project, &base, &mut decision)?;
    let mut reports = Vec::new();
    if errors > 0 {
        decision.notes.push("nothing was evaluated: a prompt that is not well-formed is not worth the calls".to_owned());
    } else {
        for changed in changed.iter().filter(|changed| changed.needs_eval()) {
            reports.extend(evaluate(arguments, context, &project, &proposal, changed, &mut decision)?);
        }
    }
    let verdict = match (decision.refused.is_empty(), decision.inconclusive.is_empty()) {
        (false, _) => "refused",
        (true, false) => "inconclusive",
        (true, true) => "passed",
    };
    let document = json::document(&checked);
    let document = serde_json::to_value(document).map_err(|error| Failure::from_error(Exit::Io, error))?;
    let report = GateV1 {
        version: 1,
        base: arguments.base.clone(),
        verdict,
        reasons: [decision.refused, decision.inconclusive].concat(),
        notes: decision.notes,
        check: CheckV1 { files: checked.file_count, errors, warnings, document },
        prompts: changed.into_iter().map(|changed| changed.report).collect(),
        reports,
    };
    show(arguments, context, &checked, &report)?;
    Ok(match (verdict, decision.failure) {
        ("inconclusive", Some(exit)) => exit,
        _ => gate::exit_of(verdict),
    })
}

/// Leaves out what is not selected, and says so: whoever reads the report must know what nobody looked at.
fn only_selected(
    arguments: &Arguments,
    proposal: &Proposal,
    changed: Vec<Changed>,
    decision: &mut Decision,
) -> Outcome<Vec<Changed>> {
    if arguments.selection.is_empty() {
        return Ok(changed);
    }
    let selected = arguments.selection.of(proposal)?;
    // What is removed is no prompt any more that could be selected, and breaks whoever uses it.
    let (taken, left): (Vec<Changed>, Vec<Changed>) =
        changed.into_iter().partition(|changed| changed.candidate.is_none() || selected.contains(&changed.report.id));
    if !left.is_empty() {
        let names: Vec<String> = left.iter().map(|changed| format!("`{}`", changed.report.id)).collect();
        decision.notes.push(format!("changed and not selected, so neither compared nor evaluated: {}", names.join(", ")));
    }
    Ok(taken)
}

/// Holds every changed prompt to the promise of its namespace. A break passes when it is accepted where everybody can read it.
fn judge_changes(arguments: &Arguments, policy: &Policy, changed: &[Changed], decision: &mut Decision) {
    for changed in changed.iter().map(|changed| &changed.report) {
        let id = &changed.id;
        if changed.to.is_none() && policy.compatibility(id).level != Level::None {
            let text = format!("`{id}` is removed");
            if arguments.allow_removal.contains(id) {
                decision.notes.push(format!("{text} (allowed)"));
            } else {
                decision.refused.push(format!("{text} (`--allow-removal {id}` lets it pass)"));
            }
        }
        let (Some(compatibility), Some(to)) = (&changed.compatibility, &changed.to) else { continue };
        if compatibility.breaks.is_empty() {
            if changed.class == Class::Breaking && compatibility.level == Level::None {
                decision.notes.push(format!("`{to}` breaks its callers, and the level of its namespace is `none`"));
            }
            continue;
        }
        let breaks: Vec<String> = compatibility.breaks.iter().map(ToString::to_string).collect();
        let text = format!("`{to}` breaks what its namespace promises (level `{}`): {}", compatibility.level, breaks.join("; "));
        match (compatibility.accepted_by, &compatibility.reason) {
            (Some(Acceptance::Version), Some(reason)) => decision.notes.push(format!("{text} (its file says: {reason})")),
            (Some(_), _) => decision.notes.push(format!("{text} (accepted by the policy)")),
            (None, _) => {
                let way = format!("to break it on purpose, write `breaking: {{{}: …}}` into its file", to.version);
                decision.refused.push(format!("{text} ({way})"));
            }
        }
    }
}

/// Whoever proposes a change must not let its findings pass unseen.
fn judge_checks(
    arguments: &Arguments,
    project: &Project,
    base: &BaseRevision,
    checked: &Checked,
    decision: &mut Decision,
) -> Outcome<()> {
    for text in allowances::weakened(project, base)? {
        if arguments.allow_weaker_checks {
            decision.notes.push(format!("{text} (allowed)"));
        } else {
            decision.refused.push(format!("{text} (`--allow-weaker-checks` lets it pass)"));
        }
    }
    for one in &checked.suppressed {
        let finding = &one.finding;
        let (path, check, reason) = (&finding.primary.location.path, &finding.check, &one.reason);
        decision.notes.push(format!("{path}: a finding of `{check}` is suppressed: {reason}"));
    }
    Ok(())
}

/// Whoever proposes a version must not lower the bar for it unseen.
fn judge_evals(arguments: &Arguments, differences: Differences, decision: &mut Decision) {
    decision.notes.extend(differences.notes);
    for text in differences.weaker {
        if arguments.allow_weaker_evals {
            decision.notes.push(format!("{text} (allowed)"));
        } else {
            decision.refused.push(format!("{text} (`--allow-weaker-evals` lets it pass)"));
        }
    }
}

/// Returns the project with the providers of the base, where a model may be asked, and with the patterns that it redacts by: whoever
/// proposes a change must not choose which key is sent to which address.
fn asking_as_base(
    arguments: &Arguments,
    context: &Context,
    mut project: Project,
    base: &BaseRevision,
    decision: &mut Decision,
) -> Outcome<Project> {
    let Config { providers, recordings, .. } = base.config()?;
    // Answers come into the report: what must not be seen there is what either of both says.
    let patterns = recordings.redact.into_iter().filter(|pattern| !project.config.recordings.redact.contains(pattern));
    let patterns: Vec<String> = patterns.collect();
    project.config.recordings.redact.extend(patterns);
    if providers == project.config.providers {
        return Ok(project);
    }
    if arguments.options.replay(context) == ReplayChoice::Only {
        decision.notes.push(format!("the providers in `{CONFIG_FILE}`, with their prices, are not those at the base"));
    } else {
        decision.notes.push(format!("the providers in `{CONFIG_FILE}` are not those at the base: those of the base are asked"));
        project.config.providers = providers;
    }
    Ok(project)
}

fn evaluate(
    arguments: &Arguments,
    context: &Context,
    project: &Project,
    proposal: &Proposal,
    changed: &Changed,
    decision: &mut Decision,
) -> Outcome<Vec<promptops_eval::report::v1::Report>> {
    let Some(candidate) = &changed.candidate else { return Ok(Vec::new()) };
    let reference = candidate.prompt.reference();
    if changed.report.evals.is_empty() {
        decision.notes.push(format!("`{reference}` names no eval file: how it behaves was not measured"));
    }
    let baseline = proposal.baseline(candidate)?;
    let options = EvalOptions { without_results: true, ..arguments.options.clone() };
    let mut reports = Vec::new();
    for path in &changed.report.evals {
        match evaluations::run(context, project, &options, path, proposal, candidate, baseline.as_ref()) {
            Ok(evaluated) => {
                context.printer.notice(evaluated.notice());
                judge_report(&evaluated.report, baseline.as_ref(), decision);
                reports.push(evaluated.report);
            }
            Err(Stopped::Problems(problems)) => {
                context.printer.warning(format!("{path} cannot run\n{}", problems.render(false).trim_end()));
                decision.refused.push(format!("{path} has {} to correct", output::counted(problems.findings.len(), "problem")));
            }
            Err(Stopped::Failure(failure)) => {
                decision.failure.get_or_insert(failure.exit);
                let cause = failure.error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
                let hint = failure.hint.map_or_else(String::new, |hint| format!(" ({hint})"));
                decision.inconclusive.push(format!("{path} could not run: {cause}{hint}"));
            }
        }
    }
    Ok(reports)
}

fn judge_report(report: &promptops_eval::report::v1::Report, baseline: Option<&Version>, decision: &mut Decision) {
    let prompt = &report.candidate.prompt;
    let lines = report.reasons.iter().map(|reason| format!("`{prompt}`: {reason}"));
    match (report.verdict.as_str(), baseline) {
        ("refused", _) => decision.refused.extend(lines),
        ("inconclusive", _) => decision.inconclusive.extend(lines),
        // Limits alone say nothing about what stands at the base, and whoever proposes a change can bring it about that nothing
        // can be compared.
        (_, Some(baseline)) if report.parent.is_none() => {
            decision.inconclusive.extend(lines);
            let (baseline, dataset) = (baseline.prompt.reference(), &report.dataset.path);
            decision.inconclusive.push(format!(
                "`{prompt}` was not compared with `{baseline}`: keep the columns that `{baseline}` takes in `{dataset}`, beside new ones"
            ));
        }
        _ => decision.notes.extend(lines),
    }
}

fn show(arguments: &Arguments, context: &Context, checked: &Checked, report: &GateV1) -> Outcome<()> {
    let printer = &context.printer;
    let findings = |is_coloured| -> String {
        let shown = checked.findings.iter().filter(|finding| finding.severity > Severity::Note);
        shown.map(|finding| human::render(finding, &checked.texts, is_coloured) + "\n\n").collect()
    };
    let text = match arguments.report.format {
        ReportFormat::Human => findings(printer.stdout_is_coloured()) + &output::human(report, printer),
        ReportFormat::Markdown => output::markdown(report, &findings(false)),
        ReportFormat::Json => serde_json::to_string_pretty(report).map_err(|error| Failure::from_error(Exit::Io, error))? + "\n",
    };
    match &arguments.report.output {
        Some(file) => {
            write_file(&context.directory.join(file), &text)?;
            printer.answer(&(findings(printer.stdout_is_coloured()) + &output::human(report, printer)));
        }
        None => printer.answer(&text),
    }
    match &arguments.report.evidence {
        Some(folder) => write_evidence(context, folder, &report.reports),
        None => Ok(()),
    }
}
