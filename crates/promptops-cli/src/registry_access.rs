//! The registry of a project, whose rules hold in it, and what its failures mean for the command.

use std::path::Path;

use promptops_prompt::Lock;
use promptops_prompt::finding::Severity;
use promptops_prompt::owners::Owners;
use promptops_registry::record::repository_name;
use promptops_registry::{Authority, ErrorKind, Policy, Registry, RegistryError};
use promptops_store::{Repository, Store, StoreError, StoreOptions};

use crate::checks::{OWNERS_FILE, git_failure};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::{CONFIG_FILE, Project};

/// The revisions that rules are read from when none is named: what others have agreed to, before what lies here.
const RULE_REVISIONS: [&str; 6] = ["origin/HEAD", "origin/main", "origin/master", "main", "master", "HEAD"];

/// Opens the store of the project's registry. Makes no call.
pub fn store(context: &Context, project: &Project) -> Outcome<Store> {
    store_at(context, &context.registry_url(project), &project.root)
}

/// Opens the project's registry.
pub async fn open(context: &Context, project: &Project) -> Outcome<Registry> {
    Registry::open(store(context, project)?).await.map_err(failure)
}

/// Opens the registry that a lock names; a relative URL is meant from the folder of the lock.
pub async fn open_for_lock(context: &Context, lock: &Lock, folder: &Path) -> Outcome<Registry> {
    let url = context.chosen_registry().unwrap_or_else(|| lock.registry.clone());
    Registry::open(store_at(context, &url, folder)?).await.map_err(failure)
}

fn store_at(context: &Context, url: &str, folder: &Path) -> Outcome<Store> {
    let options = StoreOptions { base_dir: folder.to_owned(), settings: context.environment.clone() };
    Store::open(url, &options).map_err(|error: StoreError| failure(error.into()))
}

/// Turns a failure of the registry into one of the command.
pub fn failure(error: RegistryError) -> Failure {
    let exit = match error.kind() {
        ErrorKind::Usage => Exit::Usage,
        ErrorKind::Refused => Exit::Refused,
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::Conflict => Exit::Conflict,
        ErrorKind::Unavailable => Exit::Unavailable,
        ErrorKind::Corrupt => Exit::Corrupt,
        ErrorKind::Full => Exit::Io,
    };
    let hint = error.hint();
    let failure = match &error {
        RegistryError::Refused { unmet, .. } => {
            let demands: Vec<String> = unmet.iter().map(|unmet| format!("\n  - {unmet}")).collect();
            Failure::new(exit, format!("{error}:{}", demands.concat()))
        }
        _ => Failure::from_error(exit, error),
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Whose rules hold: policy and roster, as a revision has them.
#[derive(Debug)]
pub struct Rules {
    policy: Policy,
    owners: Owners,
    revision: String,
}

impl Rules {
    /// Reads the rules from Git, never from the working tree: a proposal must not bring its own.
    ///
    /// `revision` names where from; without it the first of the default branch of `origin`, the local default branch, and
    /// `HEAD` that there is.
    pub fn read(context: &Context, project: &Project, revision: Option<&str>) -> Outcome<Self> {
        let repository = Repository::discover(&project.root).map_err(git_failure)?;
        let (name, commit) = match revision {
            Some(name) => (name, repository.resolve(name).map_err(git_failure)?),
            None => RULE_REVISIONS
                .iter()
                .find_map(|name| repository.resolve(name).ok().map(|commit| (*name, commit)))
                .ok_or_else(|| Failure::new(Exit::NotFound, "nothing is committed yet, so there are no rules"))?,
        };
        let read = |file: &str| -> Outcome<String> {
            let path = repository.relative(&project.root.join(file)).map_err(git_failure)?;
            let found = repository.file_at(commit, &path).map_err(git_failure)?;
            if found.is_none() && file == CONFIG_FILE {
                context.printer.warning(format!("{name} has no `{file}`, so no policy holds"));
            }
            Ok(found.map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).unwrap_or_default())
        };
        let (owners, findings) = Owners::parse(OWNERS_FILE, &read(OWNERS_FILE)?);
        if let Some(finding) = findings.iter().find(|finding| finding.severity == Severity::Error) {
            let message = format!("`{OWNERS_FILE}` at {name} is not valid: {}", finding.message);
            return Err(Failure::new(Exit::Usage, message).hint("`promptops check` shows the place"));
        }
        let policy = Policy::from_toml(&read(CONFIG_FILE)?).map_err(failure)?;
        let revision = commit.to_string();
        context.printer.notice(format!("rules: {CONFIG_FILE} and {OWNERS_FILE} as of {name} ({})", &revision[..10]));
        Ok(Self { policy, owners, revision })
    }

    /// Returns the rules as the registry takes them.
    pub fn authority(&self) -> Authority<'_> {
        Authority { policy: &self.policy, owners: &self.owners, revision: &self.revision }
    }
}

/// Returns the name of the project's source repository: that of `origin`, else of its first commit, which every clone has.
pub fn source_repository(project: &Project) -> Outcome<String> {
    if let Some(url) = git(project, &["config", "--get", "remote.origin.url"]) {
        return Ok(repository_name(&url));
    }
    let roots = git(project, &["rev-list", "--max-parents=0", "HEAD"]);
    let first = roots.as_deref().and_then(|roots| roots.lines().last());
    first.map(|commit| format!("first-commit:{commit}")).ok_or_else(|| {
        Failure::new(Exit::NotFound, "cannot tell which repository this is").hint("commit first, or add a remote `origin`")
    })
}

/// Runs `git` and returns what it prints, or nothing when it fails or prints nothing.
fn git(project: &Project, arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new("git").args(arguments).current_dir(&project.root).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
