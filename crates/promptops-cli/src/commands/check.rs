//! `promptops check`: the structure of every prompt.

use std::path::PathBuf;

use clap::Args;
use promptops_prompt::baseline::BaselineV1;
use promptops_prompt::finding::{Finding, Severity};
use promptops_store::Repository;

use crate::allowances::{BaselineChoice, baseline_path};
use crate::base_revision::BaseRevision;
use crate::checks::{self, CheckOptions, Checked};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::fixes;
use crate::output::{FindingFormat, findings_markdown, github, human, json, junit, sarif};
use crate::printer::{GREEN, RED, YELLOW};
use crate::project::Project;
use crate::proposal::Proposal;
use crate::selection::{Selection, other_files};
use crate::watch;

/// Check the structure of every prompt: fields, versions, templates, includes, owners, secrets.
///
/// `promptops explain CHECK` says why a check is there and what to do. `[checks]` in promptops.toml sets how much its findings
/// matter; a comment `# promptops: allow CHECK -- reason` in a file lets one pass.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Compare with this revision: a version that stands there must not change, and a new one must not break what its namespace
    /// promises [e.g. origin/main].
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// How findings are shown.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: FindingFormat,
    /// Refuse warnings as well.
    #[arg(long)]
    deny_warnings: bool,
    /// Mend what everybody would mend in the same way; comments stay.
    #[arg(long, conflicts_with = "write_baseline")]
    fix: bool,
    /// With --fix: show what would be changed, and change nothing; exit with 1 if there is something.
    #[arg(long, requires = "fix")]
    dry_run: bool,
    /// The findings that are known already [default: promptops-baseline.json beside promptops.toml].
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Let no finding pass because it is known.
    #[arg(long, conflicts_with_all = ["baseline", "write_baseline"])]
    no_baseline: bool,
    /// Write the findings there are into the baseline, so that only new ones are refused from now on.
    #[arg(long)]
    write_baseline: bool,
    #[command(flatten)]
    selection: Selection,
    /// Check again whenever a prompt, `promptops.toml`, `owners.yaml` or the baseline changes, until it is stopped.
    #[arg(long, conflicts_with_all = ["fix", "write_baseline"])]
    watch: bool,
    /// Neither use nor keep results of earlier runs.
    #[arg(long)]
    no_cache: bool,
}

/// Runs the checks and shows what they found.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    arguments.selection.check()?;
    if let Some(base) = &arguments.base {
        BaseRevision::open(&project, base)?.refuse_another_root(&context.directory)?;
    }
    let options = arguments.options(context);
    if arguments.write_baseline {
        return write_baseline(&project, &options, context);
    }
    if arguments.fix {
        let mended = fixes::mend(&project, &options)?;
        if arguments.dry_run {
            context.printer.answer(&mended.diff());
            context.printer.notice(mended.summary("would be"));
            let is_refused = !mended.is_empty() || arguments.refuses_any(&mended.left);
            return Ok(if is_refused { Exit::Refused } else { Exit::Success });
        }
        mended.write(&project)?;
        mended.titles().for_each(|title| context.printer.notice(title));
        context.printer.notice(mended.summary("were"));
    }
    if arguments.watch {
        return watch::watch(&project, |changed| arguments.check_again(&options, changed, context));
    }
    let mut checked = checks::run(&project, &options)?;
    arguments.leave_out(&project, &mut checked)?;
    arguments.show(&project, &checked, context)
}

impl Arguments {
    fn options(&self, context: &Context) -> CheckOptions {
        let baseline = match (&self.baseline, self.no_baseline) {
            (Some(path), _) => BaselineChoice::File(context.directory.join(path)),
            (None, true) => BaselineChoice::None,
            (None, false) => BaselineChoice::OfProject,
        };
        CheckOptions {
            base: self.base.clone(),
            with_compatibility: true,
            // What lies in the folder of a pipeline may have come with the proposal.
            without_cache: self.no_cache || context.is_in_pipeline(),
            baseline,
            ..CheckOptions::default()
        }
    }

    /// Takes out what was found in the files of prompts that are not selected.
    fn leave_out(&self, project: &Project, checked: &mut Checked) -> Outcome<()> {
        if self.selection.is_empty() {
            return Ok(());
        }
        let selected = self.selection.of(&Proposal::read(project, self.base.as_deref())?)?;
        let others = other_files(project, &selected)?;
        checked.findings.retain(|finding| !others.contains(finding.primary.location.path.as_str()));
        Ok(())
    }

    /// One look while watching. What stops one, as a configuration that is half written, does not stop the next.
    fn check_again(&self, options: &CheckOptions, changed: &[String], context: &Context) {
        if !changed.is_empty() {
            context.printer.notice(format!("\nchecking again: {} changed", changed.join(", ")));
        }
        let looked = context.project().and_then(|project| {
            let mut checked = checks::run(&project, &CheckOptions { goes_on: true, ..options.clone() })?;
            self.leave_out(&project, &mut checked)?;
            self.show(&project, &checked, context)
        });
        if let Err(failure) = looked {
            context.printer.failure(&failure);
        }
    }

    fn refuses(&self, severity: Severity) -> bool {
        severity == Severity::Error || (self.deny_warnings && severity == Severity::Warning)
    }

    fn refuses_any(&self, checked: &Checked) -> bool {
        checked.findings.iter().any(|finding| self.refuses(finding.severity))
    }

    /// Shows what was found and says how the run ends.
    fn show(&self, project: &Project, checked: &Checked, context: &Context) -> Outcome<Exit> {
        let printer = &context.printer;
        match self.format {
            FindingFormat::Human => {
                let shown = |finding: &Finding| human::render(finding, &checked.texts, printer.stdout_is_coloured()) + "\n\n";
                let mut text: String = checked.findings.iter().map(shown).collect();
                text.push_str(&vanished(checked));
                text.push_str(&summary(checked, context));
                printer.line(text);
            }
            FindingFormat::Json => printer.line(pretty(&json::document(checked))?),
            FindingFormat::Sarif => printer.line(pretty(&sarif::document(checked, &path_in_repository(project)))?),
            FindingFormat::Junit => {
                let document = junit::document(checked, |severity| self.refuses(severity));
                printer.answer(&document.map_err(|error| Failure::from_error(Exit::Io, error))?);
            }
            FindingFormat::Github => {
                let prefix = path_in_repository(project);
                let line = |finding: &Finding| github::render(finding, &checked.texts, &prefix) + "\n";
                printer.answer(&checked.findings.iter().map(line).collect::<String>());
                printer.notice(summary(checked, context));
            }
            FindingFormat::Markdown => {
                printer.answer(&findings_markdown::document(checked, &summary_words(checked)));
            }
        }
        if let Some(error) = &checked.cache_failure {
            let folder = project.cache_folder();
            printer.notice(format!("results were not kept in `{}` for the next run: {error}", folder.display()));
        }
        Ok(if self.refuses_any(checked) { Exit::Refused } else { Exit::Success })
    }
}

fn pretty(document: &impl serde::Serialize) -> Outcome<String> {
    serde_json::to_string_pretty(document).map_err(|error| Failure::from_error(Exit::Io, error))
}

/// Returns what leads from the repository to the project, empty or ending in `/`: services that show findings in a repository know
/// no project.
fn path_in_repository(project: &Project) -> String {
    let path = Repository::discover(&project.root).and_then(|repository| repository.relative(&project.root));
    match path {
        Ok(path) if !path.is_empty() && path != "." => format!("{path}/"),
        _ => String::new(),
    }
}

fn write_baseline(project: &Project, options: &CheckOptions, context: &Context) -> Outcome<Exit> {
    let path = baseline_path(project, &options.baseline).unwrap_or_default();
    let checked = checks::run(project, &CheckOptions { baseline: BaselineChoice::None, ..options.clone() })?;
    // A note never fails a run, so there is nothing to let pass.
    let findings: Vec<Finding> = checked.findings.into_iter().filter(|finding| finding.severity > Severity::Note).collect();
    let baseline = BaselineV1::of(&findings, &checked.texts);
    let text = pretty(&baseline)? + "\n";
    std::fs::write(&path, text).map_err(|error| Failure::io("write", &path, error))?;
    let count = counted(findings.len(), "finding");
    context.printer.line(format!("{count} written to `{}`: from now on only others are refused", path.display()));
    Ok(Exit::Success)
}

/// Names what is in the baseline and was not found again.
fn vanished(checked: &Checked) -> String {
    if checked.vanished.is_empty() {
        return String::new();
    }
    let lines: String = checked
        .vanished
        .iter()
        .map(|known| format!("  {}[{}]: {}\n", known.path, known.check, known.message.lines().next().unwrap_or_default()))
        .collect();
    format!("gone since the baseline was written; `promptops check --write-baseline` takes them out of it:\n{lines}\n")
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Says what was found, and what was let pass.
fn found(checked: &Checked) -> (String, String) {
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counts = counts.into_iter().map(|(severity, name)| (checked.count(severity), name)).filter(|(count, _)| *count > 0);
    let parts: Vec<String> = counts.map(|(count, name)| counted(count, name)).collect();
    let found = if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") };
    let passed = [(checked.suppressed.len(), "suppressed"), (checked.known.len(), "in the baseline")];
    let passed: Vec<String> =
        passed.into_iter().filter(|(count, _)| *count > 0).map(|(count, how)| format!("{count} {how}")).collect();
    (found, if passed.is_empty() { String::new() } else { format!(" ({})", passed.join(", ")) })
}

/// One line that says how it went.
pub fn summary(checked: &Checked, context: &Context) -> String {
    let (found, passed) = found(checked);
    let style = match (checked.count(Severity::Error), checked.findings.is_empty()) {
        (0, true) => GREEN,
        (0, false) => YELLOW,
        _ => RED,
    };
    format!("{} checked: {}{passed}", counted(checked.file_count, "prompt"), context.printer.paint(style, &found))
}

fn summary_words(checked: &Checked) -> String {
    let (found, passed) = found(checked);
    format!("{} checked: {found}{passed}", counted(checked.file_count, "prompt"))
}
