//! `promptops init`: a project to begin with.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Begin a project: configuration, owners, an example of a prompt with its eval, and the pipeline that holds every proposal
/// against its base. Nothing that is there is changed.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder [default: the working directory].
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Write the pipeline of this forge as well.
    #[arg(long, value_enum, value_name = "FORGE")]
    ci: Option<Forge>,
    /// Write the pipeline alone: the project is there.
    #[arg(long, requires = "ci")]
    ci_only: bool,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Where pull requests are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Forge {
    /// GitHub Actions: .github/workflows/prompts.yml.
    Github,
    /// GitLab CI: .gitlab-ci.yml.
    Gitlab,
}

/// The files of a new project, by their paths. They lie beside this file as they are written.
const PROJECT: [(&str, &str); 6] = [
    ("promptops.toml", include_str!("init/promptops.toml")),
    ("owners.yaml", include_str!("init/owners.yaml")),
    ("prompts/support/intent.yaml", include_str!("init/intent.yaml")),
    ("evals/intent.yaml", include_str!("init/eval.yaml")),
    ("datasets/intents.csv", include_str!("init/intents.csv")),
    (".gitattributes", include_str!("init/gitattributes")),
];

/// What stands for the version of this binary in a template.
const VERSION: &str = "{version}";

/// Writes the files, or none of them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let root = arguments.folder.as_ref().map_or_else(|| context.directory.clone(), |folder| context.directory.join(folder));
    let mut files: Vec<(&str, String)> = Vec::new();
    if !arguments.ci_only {
        files.extend(PROJECT.map(|(path, text)| (path, text.to_owned())));
    }
    let pipeline = match arguments.ci {
        Some(Forge::Github) => Some((".github/workflows/prompts.yml", include_str!("init/github.yml"))),
        Some(Forge::Gitlab) => Some((".gitlab-ci.yml", include_str!("init/gitlab.yml"))),
        None => None,
    };
    files.extend(pipeline.map(|(path, text)| (path, text.replace(VERSION, env!("CARGO_PKG_VERSION")))));
    refuse_overwriting(&root, &files)?;
    for (path, text) in &files {
        if !arguments.dry_run {
            write_file(&root.join(path), text)?;
        }
        context.printer.line(path);
    }
    if arguments.dry_run {
        context.printer.notice("nothing was written");
        return Ok(Exit::Success);
    }
    if !arguments.ci_only {
        context.printer.notice(
            "next: write your team into owners.yaml, then `promptops check`; \
             `promptops offline-model serve` answers the example while you run `promptops eval`",
        );
    }
    if arguments.ci.is_some() {
        context.printer.notice("docs/guides/ci.md of PromptOps says what the pipeline needs");
    }
    Ok(Exit::Success)
}

/// Stops before anything is written if a file is there already, whatever it holds.
fn refuse_overwriting(root: &Path, files: &[(&str, String)]) -> Outcome<()> {
    let there: Vec<&str> =
        files.iter().map(|(path, _)| *path).filter(|path| root.join(path).symlink_metadata().is_ok()).collect();
    if there.is_empty() {
        return Ok(());
    }
    let verb = if there.len() == 1 { "is" } else { "are" };
    let message = format!("`{}` {verb} there already; nothing was written", there.join("`, `"));
    let is_pipeline_missing = there.iter().all(|path| !path.starts_with('.') || *path == ".gitattributes");
    let hint = match is_pipeline_missing {
        true => "name another folder; `--ci FORGE --ci-only` writes the pipeline alone",
        false => "add the job to the pipeline that is there: docs/guides/ci.md of PromptOps shows it",
    };
    Err(Failure::new(Exit::Conflict, message).hint(hint))
}
