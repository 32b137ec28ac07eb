//! `promptops check`: the structure of every prompt.

use clap::Args;
use promptops_prompt::finding::Severity;

use crate::checks::{self, CheckOptions, Checked};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{FindingFormat, github, human, json};
use crate::printer::{GREEN, RED, YELLOW};

/// Check the structure of every prompt: fields, versions, templates, includes, owners, secrets.
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
    /// Neither use nor keep results of earlier runs.
    #[arg(long)]
    no_cache: bool,
}

/// Runs the checks and shows what they found.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let options = CheckOptions { base: arguments.base.clone(), with_compatibility: true, without_cache: arguments.no_cache };
    let checked = checks::run(&project, &options)?;
    show(&checked, arguments.format, context)?;
    if let Some(error) = &checked.cache_failure {
        let folder = project.cache_folder();
        context.printer.notice(format!("results were not kept in `{}` for the next run: {error}", folder.display()));
    }
    let is_refused = checked.count(Severity::Error) > 0 || (arguments.deny_warnings && checked.count(Severity::Warning) > 0);
    Ok(if is_refused { Exit::Refused } else { Exit::Success })
}

fn show(checked: &Checked, format: FindingFormat, context: &Context) -> Outcome<()> {
    let printer = &context.printer;
    match format {
        FindingFormat::Human => {
            let mut text = String::new();
            for finding in &checked.findings {
                text.push_str(&human::render(finding, &checked.texts, printer.stdout_is_coloured()));
                text.push_str("\n\n");
            }
            text.push_str(&summary(checked, context));
            printer.line(text);
        }
        FindingFormat::Json => {
            let document = json::document(&checked.findings, &checked.texts, checked.file_count);
            let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))?;
            printer.line(text);
        }
        FindingFormat::Github => {
            let lines: String = checked.findings.iter().map(|finding| github::render(finding, &checked.texts) + "\n").collect();
            printer.answer(&lines);
            printer.notice(summary(checked, context));
        }
    }
    Ok(())
}

/// One line that says how it went.
pub fn summary(checked: &Checked, context: &Context) -> String {
    let count = |severity: Severity, name: &str| match checked.count(severity) {
        0 => None,
        1 => Some(format!("1 {name}")),
        many => Some(format!("{many} {name}s")),
    };
    let parts: Vec<String> =
        [count(Severity::Error, "error"), count(Severity::Warning, "warning"), count(Severity::Note, "note")]
            .into_iter()
            .flatten()
            .collect();
    let (style, found) = match (checked.count(Severity::Error), parts.is_empty()) {
        (0, true) => (GREEN, "no findings".to_owned()),
        (0, false) => (YELLOW, parts.join(", ")),
        _ => (RED, parts.join(", ")),
    };
    let prompts = if checked.file_count == 1 { "1 prompt".to_owned() } else { format!("{} prompts", checked.file_count) };
    format!("{prompts} checked: {}", context.printer.paint(style, &found))
}
