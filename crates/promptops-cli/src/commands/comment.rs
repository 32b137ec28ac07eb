//! `promptops comment`: a report as a comment on a pull request.

mod github;
mod gitlab;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use promptops_forge::{Forge, ForgeError, Marker, Posted, upsert};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::text_file;

/// Put a report into a comment on a pull request: written the first time, changed from then on.
#[derive(Debug, Subcommand)]
pub enum Command {
    Github(github::Arguments),
    Gitlab(gitlab::Arguments),
}

/// What is said, and which comment says it.
#[derive(Debug, Args)]
pub struct CommentArguments {
    /// The report, in Markdown: what `promptops gate --format markdown --output FILE` writes.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Tells the comments of several gates on one pull request apart.
    #[arg(long, default_value = "prompts", value_name = "KEY")]
    key: String,
}

/// Waits between tries: a forge that limits requests or restarts is back after a few seconds.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(15)];

/// Runs one of them.
pub fn run(command: &Command, context: &Context) -> Outcome<Exit> {
    match command {
        Command::Github(arguments) => github::run(arguments, context),
        Command::Gitlab(arguments) => gitlab::run(arguments, context),
    }
}

impl CommentArguments {
    fn report(&self, context: &Context) -> Outcome<String> {
        let path = context.directory.join(&self.file);
        text_file::read(&path).map_err(|error| Failure::io("read the report", &path, error))
    }

    async fn post(&self, forge: &impl Forge, report: &str) -> Result<Posted, ForgeError> {
        upsert(forge, &Marker::new(&self.key), report, &PAUSES).await
    }
}

fn say(posted: &Posted, context: &Context) -> Exit {
    let (what, url) = match posted {
        Posted::Created(url) => ("written", url),
        Posted::Updated(url) => ("changed", url),
        Posted::Unchanged(url) => ("there already", url),
    };
    context.printer.line(format!("the comment is {what}{}{url}", if url.is_empty() { "" } else { ": " }));
    Exit::Success
}

fn failure(error: ForgeError) -> Failure {
    let exit = match error {
        ForgeError::Denied { .. } | ForgeError::Unavailable { .. } => Exit::Unavailable,
        ForgeError::Refused { .. } | ForgeError::Malformed { .. } | ForgeError::Client(_) => Exit::Io,
    };
    let hint = error.hint();
    Failure::from_error(exit, error).hint(hint)
}

/// Returns a setting of the command line or of the pipeline's environment.
fn setting(given: Option<&String>, variable: &str, option: &str, context: &Context) -> Outcome<String> {
    let value = given.map(String::as_str).or_else(|| context.variable(variable));
    value.map(str::to_owned).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("neither `{option}` nor {variable} is given"))
            .hint("a pipeline of the forge sets the variable by itself")
    })
}

/// Reads the event that started a pipeline.
fn event(path: &Path) -> Outcome<serde_json::Value> {
    let text = text_file::read(path).map_err(|error| Failure::io("read the event", path, error))?;
    serde_json::from_str(&text).map_err(|error| Failure::new(Exit::Usage, format!("`{}` is no JSON: {error}", path.display())))
}
