//! `promptops diff ID@1 ID@2`: the text word by word, and what the change means.

use clap::Args;
use promptops_prompt::change::{self, Change, Class};
use promptops_prompt::{Body, Content, PromptRef};
use similar::{ChangeTag, TextDiff};

use super::show::find;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::printer::{BOLD, DIM, GREEN, Printer, RED, YELLOW};
use crate::prompt_history::PromptHistory;

/// Show what changed between two versions: the text word by word, and the class of every change.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The older version, as `customer-support.intent-classifier@1`.
    old: PromptRef,
    /// The newer version.
    new: PromptRef,
    /// Look back from this revision.
    #[arg(long, default_value = "HEAD", value_name = "REVISION")]
    from: String,
}

/// Prints the difference.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let history = PromptHistory::read(&project, &arguments.from, None)?;
    let (old, new) = (find(&history, &arguments.old)?, find(&history, &arguments.new)?);
    let (old_content, new_content) = (history.closure(&arguments.old)?.root, history.closure(&arguments.new)?.root);
    let mut changes = change::classify(&old_content, &new_content);
    changes.extend(change::classify_metadata(&old.prompt.metadata, &new.prompt.metadata));
    let printer = &context.printer;
    printer.line(printer.paint(BOLD, &format!("{} → {}", arguments.old, arguments.new)));
    printer.line(summary(&changes, printer));
    if old_content.body != new_content.body {
        printer.line("");
        printer.answer(&text(&old_content, &new_content, printer));
    }
    Ok(Exit::Success)
}

/// One line per change: its class, its part and the reason.
pub fn summary(changes: &[Change], printer: &Printer) -> String {
    if changes.is_empty() {
        return "nothing changed".to_owned();
    }
    let lines = changes.iter().map(|change| {
        let style = match change.class {
            Class::Breaking => RED,
            Class::Behavioural => YELLOW,
            Class::Compatible => GREEN,
            Class::Metadata => DIM,
        };
        format!("  {:<11} {}: {}", printer.paint(style, change.class.name()), change.part, change.reason)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The bodies word by word. Without colour, removed words stand in `[-…-]` and added ones in `{+…+}`, as in git.
pub fn text(old: &Content, new: &Content, printer: &Printer) -> String {
    let (old, new) = (body(&old.body), body(&new.body));
    let difference = TextDiff::from_words(&old, &new);
    let mut shown = String::new();
    let mut run: Option<(ChangeTag, String)> = None;
    for change in difference.iter_all_changes() {
        match &mut run {
            Some((tag, words)) if *tag == change.tag() => words.push_str(change.value()),
            _ => {
                flush(run.take(), printer, &mut shown);
                run = Some((change.tag(), change.value().to_owned()));
            }
        }
    }
    flush(run, printer, &mut shown);
    if !shown.ends_with('\n') {
        shown.push('\n');
    }
    shown
}

fn flush(run: Option<(ChangeTag, String)>, printer: &Printer, shown: &mut String) {
    let Some((tag, words)) = run else { return };
    let marked = match (tag, printer.stdout_is_coloured()) {
        (ChangeTag::Equal, _) => words,
        (ChangeTag::Delete, true) => printer.paint(RED, &words),
        (ChangeTag::Insert, true) => printer.paint(GREEN, &words),
        (ChangeTag::Delete, false) => format!("[-{words}-]"),
        (ChangeTag::Insert, false) => format!("{{+{words}+}}"),
    };
    shown.push_str(&marked);
}

fn body(body: &Body) -> String {
    match body {
        Body::Template(template) => template.clone(),
        Body::Messages(messages) => messages
            .iter()
            .map(|message| format!("{}:\n{}\n", message.role.name(), message.content.trim_end_matches('\n')))
            .collect(),
    }
}
