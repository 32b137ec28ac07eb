//! `promptops show ID@VERSION`: an old version as it was written.

use std::time::Duration;

use clap::Args;
use promptops_prompt::PromptRef;
use promptops_prompt::status::StatusRecord;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::prompt_history::{CommittedVersion, PromptHistory};
use crate::registry_access::open;
use crate::status_view;

/// Print a version as it was written, from Git.
///
/// Warns when the registry has the version deprecated or yanked.
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
    if let Some(status) = published_status(&arguments.reference, context, &project) {
        status_view::warn(context, [&status]);
    }
    Ok(Exit::Success)
}

/// How long the registry is waited for: what is shown comes from Git and stands without it.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(2);

/// Returns what the registry says of the version, when there is one that answers.
fn published_status(reference: &PromptRef, context: &Context, project: &Project) -> Option<StatusRecord> {
    let asked = async { open(context, project).await.ok()?.status(reference).await.ok()? };
    context.block_on(async { tokio::time::timeout(REGISTRY_PATIENCE, asked).await.ok()? }).ok()?
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
