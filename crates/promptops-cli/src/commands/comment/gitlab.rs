//! `promptops comment gitlab`: on a merge request of GitLab.

use clap::Args;
use promptops_forge::GitLab;

use super::{CommentArguments, failure, say, setting};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Comment on a merge request of GitLab. In a pipeline everything but the report is known, and GITLAB_TOKEN has to be given: a
/// project access token with the scope `api`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    comment: CommentArguments,
    /// The project, by its number or path [default: CI_PROJECT_ID].
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// The number of the merge request [default: CI_MERGE_REQUEST_IID].
    #[arg(long, value_name = "NUMBER")]
    number: Option<u64>,
}

/// Where GitLab's API is, unless the environment says otherwise.
const API: &str = "https://gitlab.com/api/v4";

/// Writes or changes the comment.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let report = arguments.comment.report(context)?;
    let token = context.variable("GITLAB_TOKEN").ok_or_else(|| {
        Failure::new(Exit::Unavailable, "GITLAB_TOKEN is not set")
            .hint("make a project access token with the scope `api`, and a masked variable GITLAB_TOKEN of it")
    })?;
    let project = setting(arguments.project.as_ref(), "CI_PROJECT_ID", "--project", context)?;
    let number = match arguments.number {
        Some(number) => number,
        None => {
            let number = setting(None, "CI_MERGE_REQUEST_IID", "--number", context)?;
            number.parse().map_err(|_| Failure::new(Exit::Usage, format!("`{number}` is no number of a merge request")))?
        }
    };
    let api = context.variable("CI_API_V4_URL").unwrap_or(API);
    let gitlab = GitLab::new(api, &project, number, token).map_err(failure)?;
    let posted = context.block_on(arguments.comment.post(&gitlab, &report))?;
    Ok(say(&posted.map_err(failure)?, context))
}
