//! `promptops comment github`: on a pull request of GitHub.

use std::path::Path;

use clap::Args;
use promptops_forge::GitHub;

use super::{CommentArguments, event, failure, say, setting};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Comment on a pull request of GitHub. In GitHub Actions everything but the report is known, and GITHUB_TOKEN has to be given.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    comment: CommentArguments,
    /// The repository, as owner/name [default: GITHUB_REPOSITORY].
    #[arg(long, value_name = "REPOSITORY")]
    repository: Option<String>,
    /// The number of the pull request [default: that of the event in GITHUB_EVENT_PATH].
    #[arg(long, value_name = "NUMBER")]
    number: Option<u64>,
    /// Who the token comments as.
    #[arg(long, default_value = "github-actions[bot]", value_name = "LOGIN")]
    author: String,
}

/// Where GitHub's API is, unless the environment says otherwise.
const API: &str = "https://api.github.com";

/// Writes or changes the comment.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let report = arguments.comment.report(context)?;
    let token = context.variable("GITHUB_TOKEN").ok_or_else(|| {
        Failure::new(Exit::Unavailable, "GITHUB_TOKEN is not set")
            .hint("in a workflow: `env: {GITHUB_TOKEN: ${{ github.token }}}` and `permissions: {pull-requests: write}`")
    })?;
    let repository = setting(arguments.repository.as_ref(), "GITHUB_REPOSITORY", "--repository", context)?;
    let is_name =
        |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
    if repository.split_once('/').is_none_or(|(owner, name)| !is_name(owner) || !is_name(name)) {
        return Err(Failure::new(Exit::Usage, format!("`{repository}` is no repository, as owner/name")));
    }
    let number = match arguments.number {
        Some(number) => number,
        None => number_of_event(context)?,
    };
    let api = context.variable("GITHUB_API_URL").unwrap_or(API);
    let github = GitHub::new(api, &repository, number, &arguments.author, token).map_err(failure)?;
    let posted = context.block_on(arguments.comment.post(&github, &report))?.map_err(failure)?;
    Ok(say(&posted, context))
}

fn number_of_event(context: &Context) -> Outcome<u64> {
    let path = setting(None, "GITHUB_EVENT_PATH", "--number", context)?;
    let event = event(Path::new(&path))?;
    let places = ["/pull_request/number", "/issue/number", "/number"];
    places.iter().find_map(|place| event.pointer(place)?.as_u64()).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("the event in `{path}` is about no pull request"))
            .hint("name the pull request with `--number`")
    })
}
