//! `promptops explain CHECK`: why a check is there, and what to do about its findings.

use clap::Args;
use promptops_prompt::check::{CHECKS, Check, Example, FoundBy, Place};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::printer::{BOLD, DIM, RED, YELLOW};

/// Say why a check is there, with an example and what to do; without a check, list them all.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The check, as `undeclared-variable`.
    check: Option<String>,
}

/// Shows a check or the list of them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let Some(id) = &arguments.check else {
        context.printer.answer(&list(context));
        return Ok(Exit::Success);
    };
    let Some(check) = Check::find(id) else {
        let failure = Failure::new(Exit::NotFound, format!("there is no check `{id}`"));
        let near: Vec<String> = Check::near(id).iter().map(|near| format!("`{near}`")).collect();
        return Err(if near.is_empty() {
            failure.hint("`promptops explain` lists all checks")
        } else {
            failure.hint(format!("did you mean {}? `promptops explain` lists all checks", near.join(" or ")))
        });
    };
    context.printer.answer(&page(check, context));
    Ok(Exit::Success)
}

fn list(context: &Context) -> String {
    let width = CHECKS.iter().map(|check| check.id.len()).max().unwrap_or_default();
    let line = |check: &Check| {
        let name = context.printer.paint(BOLD, &format!("{:width$}", check.id));
        format!("{name}  {:7}  {}\n", check.severity.name(), check.summary)
    };
    CHECKS.iter().map(line).collect()
}

fn page(check: &Check, context: &Context) -> String {
    let printer = &context.printer;
    let style = if check.severity == promptops_prompt::Severity::Error { RED } else { YELLOW };
    let title = |text: &str| format!("\n{}\n", printer.paint(BOLD, text));
    let mut text = format!("{}[{}]: {}\n", printer.paint(style, check.severity.name()), check.id, check.summary);
    if check.found_by == FoundBy::Eval {
        text.push_str("\n  Found by `promptops eval`, before it calls a model.\n");
    }
    text.push_str(&title("Why"));
    text.push_str(&paragraph(check.why));
    text.push_str(&title("What it finds"));
    text.push_str(&example(check.bad, context));
    text.push_str(&title("What it lets pass"));
    text.push_str(&example(check.good, context));
    text.push_str(&title("What to do"));
    text.push_str(&paragraph(check.fix));
    if !check.limits().is_empty() {
        text.push('\n');
        text.push_str(&paragraph(check.limits().trim()));
    }
    text.push_str(&format!("\n{}\n", printer.paint(DIM, &check.url())));
    text
}

/// Columns of a paragraph.
const WIDTH: usize = 96;

/// Breaks a paragraph into indented lines.
fn paragraph(prose: &str) -> String {
    let mut lines = vec![String::new()];
    for word in prose.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

fn example(text: &'static str, context: &Context) -> String {
    let mut shown = String::new();
    for (index, file) in Example::parse(text).files.iter().enumerate() {
        let name = match file.place {
            Place::Tree => file.path.to_owned(),
            Place::Base => format!("{} at the base", file.path),
            Place::Folder => format!("a folder named {}", file.path),
        };
        if index > 0 {
            shown.push('\n');
        }
        shown.push_str(&format!("  {}\n", context.printer.paint(DIM, &format!("# {name}"))));
        shown.extend(file.text.lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n"));
    }
    shown
}
