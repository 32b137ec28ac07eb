//! `promptops lock`: what an application takes along.

use std::path::{Path, PathBuf};

use clap::Args;
use promptops_prompt::{Lock, PromptRef};
use promptops_registry::EnvironmentName;

use crate::context::Context;
use crate::evaluations::write_file;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::registry_access::{Rules, failure, open};
use crate::status_view;

/// Write `promptops.lock`: which version of which prompt an application runs, by digest.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Versions to lock, instead of what is live.
    #[arg(value_name = "ID@VERSION", required_unless_present = "env", conflicts_with = "env")]
    versions: Vec<PromptRef>,
    /// Lock what is live in this environment.
    #[arg(long, value_name = "NAME")]
    env: Option<EnvironmentName>,
    /// Where to write it.
    #[arg(short, long, default_value = "promptops.lock", value_name = "FILE")]
    out: PathBuf,
    /// Lock versions that are withdrawn; `policy.withdrawn.force` must be `["*"]`.
    #[arg(long, conflicts_with = "env")]
    force: bool,
    /// The revision whose policy holds when it is forced [default: the default branch].
    #[arg(long, value_name = "REVISION", requires = "force")]
    rules: Option<String>,
}

/// Writes it.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let project = context.project()?;
    let path = context.directory.join(&arguments.out);
    let url = url_from(&context.registry_url(&project), &project, &path);
    let rules = arguments.force.then(|| Rules::read(context, &project, arguments.rules.as_deref())).transpose()?;
    // What the lock pins already is no new use of a version. One that cannot be read pins nothing, and is replaced.
    let replaced = read(&path).map(|lock| lock.prompts).unwrap_or_default();
    let (lock, statuses) = context.block_on(async {
        let registry = open(context, &project).await?;
        match &arguments.env {
            Some(environment) => {
                let lock = registry.lock_environment(environment, &url).await.map_err(failure)?;
                let statuses = registry.lock_statuses(&lock.prompts).await.map_err(failure)?;
                Ok::<_, Failure>((lock, statuses))
            }
            None => {
                let lock = registry.lock_versions(&arguments.versions, &url).await.map_err(failure)?;
                let policy = rules.as_ref().map(|rules| rules.authority().policy);
                let checked = registry.check_lock(&lock.prompts, &replaced, policy, context.now()).await;
                Ok((lock, checked.map_err(failure)?))
            }
        }
    })??;
    status_view::warn(context, &statuses);
    write_file(&path, lock.to_bytes())?;
    let origin = lock
        .release
        .as_ref()
        .map_or_else(String::new, |release| format!(" of release {} of {}", release.sequence, release.environment));
    context.printer.line(format!("locked {}{origin} in {}", prompts(lock.prompts.len()), arguments.out.display()));
    Ok(Exit::Success)
}

/// Returns the registry's URL as it reads from the folder of the lock: a relative path is meant from there.
fn url_from(url: &str, project: &Project, lock: &Path) -> String {
    let Some(path) = url.strip_prefix("file://").filter(|path| !path.starts_with('/')) else { return url.to_owned() };
    let is_beside = lock.parent().and_then(|folder| folder.canonicalize().ok()) == project.root.canonicalize().ok();
    if is_beside { url.to_owned() } else { format!("file://{}", project.root.join(path).display()) }
}

/// Says how many prompts.
pub fn prompts(count: usize) -> String {
    if count == 1 { "1 prompt".to_owned() } else { format!("{count} prompts") }
}

/// Reads a lock and checks the log proofs in it.
pub fn read(path: &Path) -> Outcome<Lock> {
    let bytes = std::fs::read(path).map_err(|error| Failure::io("read", path, error))?;
    let lock = Lock::from_bytes(&bytes).map_err(|error| {
        Failure::from_error(Exit::Usage, error).hint(format!("`{}` is not a lock of this version", path.display()))
    })?;
    lock.check_proofs().map_err(|error| {
        let hint = "the lock was altered since it was made: make it again with `promptops lock`, or take it from Git";
        Failure::new(Exit::Corrupt, format!("`{}` does not fit its log proof: {error}", path.display())).hint(hint)
    })?;
    Ok(lock)
}
