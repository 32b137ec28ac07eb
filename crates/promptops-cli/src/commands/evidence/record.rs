//! `promptops evidence record`: stores eval statements.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use promptops_prompt::evidence::Statement;
use promptops_registry::Registry;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::registry_access::{failure, open};

/// Store statements that `promptops eval --evidence FOLDER` wrote, about published versions.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Statements, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Say what would be stored, and store nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Stores them.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let actor = context.actor(&project)?;
    let statements = read_files(context, &arguments.paths)?;
    if arguments.dry_run {
        statements.iter().for_each(|(path, statement)| context.printer.line(format!("would store {}", line(path, statement))));
        return Ok(Exit::Success);
    }
    context.block_on(async {
        let registry = open(context, &project).await?;
        store(&registry, &statements, &actor, context).await
    })??;
    Ok(Exit::Success)
}

/// Stores the statements of files and folders.
pub async fn record_files(registry: &Registry, paths: &[PathBuf], actor: &str, context: &Context) -> Outcome<()> {
    store(registry, &read_files(context, paths)?, actor, context).await
}

async fn store(registry: &Registry, statements: &[(PathBuf, Statement)], actor: &str, context: &Context) -> Outcome<()> {
    let now: DateTime<Utc> = context.now();
    for (path, statement) in statements {
        registry.record_evidence(statement, actor, now).await.map_err(failure)?;
        context.printer.line(format!("stored {}", line(path, statement)));
    }
    Ok(())
}

fn line(path: &Path, statement: &Statement) -> String {
    let name = statement.subject.first().map_or_else(|| "nothing".to_owned(), |subject| subject.name.to_string());
    let verdict = statement.predicate.get("verdict").and_then(serde_json::Value::as_str).unwrap_or("no verdict");
    format!("{verdict} about {name} from {}", path.display())
}

fn read_files(context: &Context, paths: &[PathBuf]) -> Outcome<Vec<(PathBuf, Statement)>> {
    let mut files = Vec::new();
    for path in paths {
        let path = context.directory.join(path);
        if !path.is_dir() {
            files.push(path);
            continue;
        }
        let entries = std::fs::read_dir(&path).map_err(|error| Failure::io("read the folder", &path, error))?;
        for entry in entries {
            let file = entry.map_err(|error| Failure::io("read the folder", &path, error))?.path();
            if file.extension().is_some_and(|extension| extension == "json") {
                files.push(file);
            }
        }
    }
    files.sort();
    let mut statements = Vec::new();
    for file in files {
        let bytes = std::fs::read(&file).map_err(|error| Failure::io("read", &file, error))?;
        let statement = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::new(Exit::Usage, format!("`{}` is not a statement: {error}", file.display())))?;
        statements.push((file, statement));
    }
    Ok(statements)
}
