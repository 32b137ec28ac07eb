//! `promptops show ID@VERSION`: an old version as it was written.

use clap::Args;
use promptops_prompt::PromptRef;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::prompt_history::{CommittedVersion, PromptHistory};

/// Print a version as it was written, from Git.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The version, as `customer-support.intent-classifier@1`.
    reference: PromptRef,
    /// Look back from this revision.
    #[arg(long, default_value = "HEAD", value_name = "REVISION")]
    from: String,
}

/// Prints the file.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let history = PromptHistory::read(&project, &arguments.from, None)?;
    let version = find(&history, &arguments.reference)?;
    context.printer.notice(format!(
        "{} · {} · {} · {}",
        arguments.reference,
        history.digest(&arguments.reference)?,
        &version.commit.id.to_string()[..10],
        version.path
    ));
    context.printer.answer(&version.text);
    Ok(Exit::Success)
}

/// Returns a version, or says which there are.
pub fn find<'a>(history: &'a PromptHistory, reference: &PromptRef) -> Outcome<&'a CommittedVersion> {
    history.get(reference).ok_or_else(|| {
        let failure = Failure::new(Exit::NotFound, format!("no commit has `{reference}`"));
        match history.newest(&reference.id) {
            Some(newest) => failure.hint(format!("the newest version is {}", newest.prompt.version)),
            None => failure.hint("no version of this prompt is committed; check the id"),
        }
    })
}
