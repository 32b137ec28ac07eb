//! `promptops history ID`: every version of a prompt, from Git.

use chrono::DateTime;
use clap::Args;
use promptops_prompt::PromptId;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::prompt_history::{CommittedVersion, PromptHistory};

/// Show every version of a prompt with author, date, commit and parent, wherever its file lay.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The prompt.
    id: PromptId,
    /// Look back from this revision.
    #[arg(long, default_value = "HEAD", value_name = "REVISION")]
    from: String,
    /// Show it as JSON (versioned).
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct HistoryV1<'a> {
    version: u32,
    id: &'a PromptId,
    versions: Vec<EntryV1>,
}

#[derive(Debug, Serialize)]
struct EntryV1 {
    version: u32,
    parent: Option<String>,
    digest: Option<String>,
    commit: String,
    author_name: String,
    author_email: String,
    time: String,
    path: String,
    summary: String,
}

/// Prints the versions, oldest first.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let history = PromptHistory::read(&project, &arguments.from, None)?;
    let entries: Vec<EntryV1> =
        history.versions().filter(|version| version.prompt.id == arguments.id).map(|version| entry(version, &history)).collect();
    if entries.is_empty() {
        return Err(Failure::new(Exit::NotFound, format!("no commit has a prompt `{}`", arguments.id))
            .hint("`promptops check` looks at files that are not committed yet"));
    }
    if arguments.json {
        let document = HistoryV1 { version: 1, id: &arguments.id, versions: entries };
        let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::from_error(Exit::Io, error))?;
        context.printer.line(text);
        return Ok(Exit::Success);
    }
    for entry in entries {
        let parent = entry
            .parent
            .map_or_else(|| "-".to_owned(), |parent| parent.trim_start_matches(&format!("{}@", arguments.id)).to_owned());
        context.printer.line(format!(
            "{:<4} parent {:<4} {}  {}  {} <{}>  {}  {}",
            format!("@{}", entry.version),
            parent,
            entry.time,
            &entry.commit[..10],
            entry.author_name,
            entry.author_email,
            entry.path,
            entry.summary
        ));
    }
    Ok(Exit::Success)
}

fn entry(version: &CommittedVersion, history: &PromptHistory) -> EntryV1 {
    let commit = &version.commit;
    let time = DateTime::from_timestamp(commit.author_time_s, 0);
    let reference = version.prompt.reference();
    EntryV1 {
        version: version.prompt.version.number(),
        parent: version.prompt.parent.as_ref().map(ToString::to_string),
        digest: history.digest(&reference).ok().map(|digest| digest.to_string()),
        commit: commit.id.to_string(),
        author_name: commit.author_name.clone(),
        author_email: commit.author_email.clone(),
        time: time.map_or_else(|| "-".to_owned(), |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        path: version.path.clone(),
        summary: commit.summary.clone(),
    }
}
