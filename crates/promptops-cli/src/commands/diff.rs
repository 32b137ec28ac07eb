//! `promptops diff ID@1 ID@2`: the text word by word, and what the change means.

use std::collections::BTreeSet;

use clap::Args;
use promptops_prompt::change::{self, Change, Class, Part};
use promptops_prompt::{Body, Content, PromptRef};
use similar::{ChangeTag, TextDiff};

use super::show::find;
use crate::compatibility::known_inputs;
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
    let (old_closure, new_closure) = (history.closure(&arguments.old)?, history.closure(&arguments.new)?);
    let known = known_inputs(&project, &new.prompt.metadata.evals, &old_closure.root);
    let mut changes = change::classify_with(&old_closure, &new_closure, &known);
    changes.extend(change::classify_metadata(&old.prompt.metadata, &new.prompt.metadata));
    let printer = &context.printer;
    printer.line(printer.paint(BOLD, &format!("{} → {}", arguments.old, arguments.new)));
    printer.line(summary(&changes, printer));
    let (old_content, new_content) = (&old_closure.root, &new_closure.root);
    if old_content.body != new_content.body {
        printer.line("");
        printer.answer(&text(old_content, new_content, printer));
    }
    Ok(Exit::Success)
}

/// One line per change: its class, its part and the reason.
pub fn summary(changes: &[Change], printer: &Printer) -> String {
    if changes.is_empty() {
        return "nothing changed".to_owned();
    }
    let lines = changes.iter().map(|change| line(change.class, change.part, &change.reason, printer));
    lines.collect::<Vec<_>>().join("\n")
}

/// One change: its class, its part and the reason.
pub fn line(class: Class, part: Part, reason: &str, printer: &Printer) -> String {
    let style = match class {
        Class::Breaking => RED,
        Class::Behavioural => YELLOW,
        Class::Compatible => GREEN,
        Class::Metadata => DIM,
    };
    format!("  {:<11} {part}: {reason}", printer.paint(style, class.name()))
}

/// The bodies word by word. Without colour, removed words stand in `[-…-]` and added ones in `{+…+}`, as in git.
pub fn text(old: &Content, new: &Content, printer: &Printer) -> String {
    marked(old, new, printer).text
}

/// Lines shown before and after one that changed.
const CONTEXT_LINES: usize = 2;

/// The same without the lines that are far from every change; where some are left out it says how many.
pub fn changed_text(old: &Content, new: &Content, printer: &Printer) -> String {
    let marked = marked(old, new, printer);
    let is_near = |line: usize| marked.changed.iter().any(|changed| changed.abs_diff(line) <= CONTEXT_LINES);
    let mut shown = String::new();
    let mut left_out = Vec::new();
    for (number, line) in marked.text.lines().enumerate() {
        if is_near(number) {
            close_gap(&mut left_out, printer, &mut shown);
            shown.push_str(&format!("{line}\n"));
        } else {
            left_out.push(line);
        }
    }
    close_gap(&mut left_out, printer, &mut shown);
    shown
}

/// Says how many lines are left out; a single one is shown, since saying so would take as much room.
fn close_gap(left_out: &mut Vec<&str>, printer: &Printer, shown: &mut String) {
    match left_out.as_slice() {
        [] => {}
        [line] => shown.push_str(&format!("{line}\n")),
        lines => shown.push_str(&format!("{}\n", printer.paint(DIM, &format!("… {} lines alike", lines.len())))),
    }
    left_out.clear();
}

/// A text with its changes marked, and the numbers of the lines, from 0, that have any.
#[derive(Default)]
struct Marked {
    text: String,
    changed: BTreeSet<usize>,
}

fn marked(old: &Content, new: &Content, printer: &Printer) -> Marked {
    let (old, new) = (body(&old.body), body(&new.body));
    let difference = TextDiff::from_words(&old, &new);
    let mut marked = Marked::default();
    let mut run: Option<(ChangeTag, String)> = None;
    for change in difference.iter_all_changes() {
        match &mut run {
            Some((tag, words)) if *tag == change.tag() => words.push_str(change.value()),
            _ => {
                flush(run.take(), printer, &mut marked);
                run = Some((change.tag(), change.value().to_owned()));
            }
        }
    }
    flush(run, printer, &mut marked);
    if !marked.text.ends_with('\n') {
        marked.text.push('\n');
    }
    marked
}

fn flush(run: Option<(ChangeTag, String)>, printer: &Printer, shown: &mut Marked) {
    let Some((tag, words)) = run else { return };
    if tag != ChangeTag::Equal {
        let lines = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
        let first = lines(&shown.text);
        shown.changed.extend(first..=first + lines(&words));
    }
    let marked = match (tag, printer.stdout_is_coloured()) {
        (ChangeTag::Equal, _) => words,
        (ChangeTag::Delete, true) => printer.paint(RED, &words),
        (ChangeTag::Insert, true) => printer.paint(GREEN, &words),
        (ChangeTag::Delete, false) => format!("[-{words}-]"),
        (ChangeTag::Insert, false) => format!("{{+{words}+}}"),
    };
    shown.text.push_str(&marked);
}

/// The whole body, without marks.
pub fn whole(content: &Content) -> String {
    body(&content.body)
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
