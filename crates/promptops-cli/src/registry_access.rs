//! The registry of a project, whose rules hold in it, and what its failures mean for the command.

use std::path::Path;

use promptops_prompt::Lock;
use promptops_prompt::finding::Severity;
use promptops_prompt::owners::Owners;
use promptops_registry::record::repository_name;
use promptops_registry::{Authority, ErrorKind, Policy, Registry, RegistryError, SigningKey};
use promptops_server::HeldRules;
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

/// Reads the private key that something is to be signed with.
pub fn read_signing_key(context: &Context, path: &Path) -> Outcome<SigningKey> {
    let path = context.directory.join(path);
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, error))?;
    SigningKey::from_openssh(&text).map_err(failure)
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
    let title = match &error {
        RegistryError::Withdrawn { place, .. } => format!("{place} cannot pin what is withdrawn"),
        error => error.to_string(),
    };
    let failure = match reasons(&error).as_slice() {
        [] => Failure::from_error(exit, error),
        reasons => Failure::new(exit, format!("{title}:{}", listed(reasons))),
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Returns every reason of a refusal that has several.
pub fn reasons(error: &RegistryError) -> Vec<String> {
    match error {
        RegistryError::Refused { unmet, .. } => unmet.iter().map(ToString::to_string).collect(),
        RegistryError::Incompatible { breaks, .. } => breaks.iter().map(ToString::to_string).collect(),
        RegistryError::Withdrawn { statuses, .. } => statuses.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// Writes each of several reasons on a line of its own.
pub fn listed(reasons: &[String]) -> String {
    reasons.iter().map(|reason| format!("\n  - {reason}")).collect()
}

/// Reads the policy as it stands at a revision, or at the first of the default branch of `origin`, the local default branch
/// and `HEAD` that there is. Where nothing is committed, or no file, the default policy holds.
pub fn policy_at(project: &Project, revision: Option<&str>) -> Outcome<Policy> {
    let repository = match Repository::discover(&project.root) {
        Ok(repository) => repository,
        Err(_) if revision.is_none() => return Ok(Policy::default()),
        Err(error) => return Err(git_failure(error)),
    };
    let commit = match revision {
        Some(name) => repository.resolve(name).map_err(git_failure)?,
        None => match RULE_REVISIONS.iter().find_map(|name| repository.resolve(name).ok()) {
            Some(commit) => commit,
            None => return Ok(Policy::default()),
        },
    };
    let path = repository.relative(&project.root.join(CONFIG_FILE)).map_err(git_failure)?;
    let file = repository.file_at(commit, &path).map_err(git_failure)?;
    let text = file.map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).unwrap_or_default();
    Policy::from_toml(&text).map_err(failure)
}

/// Whose rules hold: policy and roster, as a revision has them.
#[derive(Debug)]
pub struct Rules {
    policy: Policy,
    owners: Owners,
    revision: String,
    /// What names the revision.
    name: String,
    /// Whether the revision has a configuration at all.
    has_config: bool,
}

impl Rules {
    /// Reads the rules from Git, never from the working tree: a proposal must not bring its own.
    ///
    /// `revision` names where from; without it the first of the default branch of `origin`, the local default branch, and
    /// `HEAD` that there is.
    pub fn read(context: &Context, project: &Project, revision: Option<&str>) -> Outcome<Self> {
        let rules = Self::find(project, revision)?;
        let name = &rules.name;
        if !rules.has_config {
            context.printer.warning(format!("{name} has no `{CONFIG_FILE}`, so no policy holds"));
        }
        let is_remote = context.registry_url(project).split_once("://").is_some_and(|(scheme, _)| scheme.starts_with("http"));
        let decides = if is_remote { "; what is written is decided by those of the server" } else { "" };
        let revision = &rules.revision[..10];
        context.printer.notice(format!("rules: {CONFIG_FILE} and {OWNERS_FILE} as of {name} ({revision}){decides}"));
        Ok(rules)
    }

    /// Reads the rules as [`Rules::read`] does, and says nothing.
    pub fn find(project: &Project, revision: Option<&str>) -> Outcome<Self> {
        let repository = Repository::discover(&project.root).map_err(git_failure)?;
        let (name, commit) = match revision {
            Some(name) => (name, repository.resolve(name).map_err(git_failure)?),
            None => RULE_REVISIONS
                .iter()
                .find_map(|name| repository.resolve(name).ok().map(|commit| (*name, commit)))
                .ok_or_else(|| Failure::new(Exit::NotFound, "nothing is committed yet, so there are no rules"))?,
        };
        let read = |file: &str| -> Outcome<Option<String>> {
            let path = repository.relative(&project.root.join(file)).map_err(git_failure)?;
            let found = repository.file_at(commit, &path).map_err(git_failure)?;
            Ok(found.map(|file| String::from_utf8_lossy(&file.bytes).into_owned()))
        };
        let (owners, findings) = Owners::parse(OWNERS_FILE, &read(OWNERS_FILE)?.unwrap_or_default());
        if let Some(finding) = findings.iter().find(|finding| finding.severity == Severity::Error) {
            let message = format!("`{OWNERS_FILE}` at {name} is not valid: {}", finding.message);
            return Err(Failure::new(Exit::Usage, message).hint("`promptops check` shows the place"));
        }
        let config = read(CONFIG_FILE)?;
        let policy = Policy::from_toml(config.as_deref().unwrap_or_default()).map_err(failure)?;
        Ok(Self { policy, owners, revision: commit.to_string(), name: name.to_owned(), has_config: config.is_some() })
    }

    /// Returns the rules as a server holds them.
    pub fn into_held(self) -> HeldRules {
        HeldRules { policy: self.policy, owners: self.owners, revision: self.revision }
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
