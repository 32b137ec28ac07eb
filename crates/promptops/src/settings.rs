//! What a loader needs to know, as one value.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use promptops_telemetry::sink::{BatchLimits, Sink, SpoolLimits};

use crate::destination::Destination;
use crate::warning::Warn;

/// Tells the present time, UTC.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Settings of a [`Loader`](crate::Loader).
///
/// The first source that is set serves every prompt, in this order: `bundle`, `lock` with its registry, `registry`
/// alone, `folder`. Sources are never mixed: a prompt that is missing from the lock is an error, even where a folder
/// has it, since otherwise a forgotten pin would go unnoticed.
///
/// | | `load(id)` | `load(id, version)` |
/// |---|---|---|
/// | bundle | the pinned version | only the pinned version |
/// | lock + registry, strict | the pinned version | only the pinned version |
/// | lock + registry, not strict | the pinned version | any published version, with a warning |
/// | registry alone | refused | any published version, with a warning; refused when strict |
/// | folder | the file's version, with a warning; refused when strict | only the file's version |
/// | followed environment | the version that its latest release pins | only that version; when not strict, any published one, with a warning |
///
/// Where `follow` names an environment, its releases say what is pinned, not the lock or bundle: these are where a process
/// starts whose registry does not answer, and say where the registry is.
///
/// Unless set, `strict` is true where a bundle, a lock or `follow` is configured and false elsewhere, so that nothing unpinned
/// runs outside development.
#[derive(Clone)]
pub struct Settings {
    /// Bundle: one file with a lock and everything in it. Needs no network.
    pub bundle: Option<PathBuf>,
    /// Lock file. Beside a bundle it replaces the bundle's own lock, so that the bundle must hold what it pins.
    pub lock: Option<PathBuf>,
    /// URL of the registry. Beside a lock it replaces the lock's own, as for a mirror.
    pub registry: Option<String>,
    /// Folder of prompt files, for development.
    pub folder: Option<PathBuf>,
    /// Environment of the registry whose releases are followed.
    pub follow: Option<String>,
    /// After how long the registry is asked for the next release of a followed environment, by the first load that comes. That
    /// load does not wait.
    pub refresh: Duration,
    /// How old, by the wall clock, what is known of a followed environment may be before a load waits for the registry, for a
    /// few seconds at most.
    pub max_stale: Duration,
    /// Whether a load fails when what is known is that old and the registry does not answer. Otherwise it gets the last release
    /// that was seen, with a warning.
    pub refuse_stale: bool,
    /// Whether only pinned versions load; see above for what unset means.
    pub strict: Option<bool>,
    /// Absolute folder that relative paths and `file://` URLs start from. That of a lock starts from the lock's folder.
    pub base_dir: PathBuf,
    /// Folder for what came from a remote registry, by digest. Without one, every start of a process needs the registry.
    pub cache_dir: Option<PathBuf>,
    /// Settings of the object store, named like the environment variables of its cloud.
    pub store_settings: BTreeMap<String, String>,
    /// Environment that is recorded with invocations; unset, the one that is followed, or that of the lock's release.
    pub environment: Option<String>,
    /// Service that is recorded with invocations.
    pub service: Option<String>,
    /// Kind of process that is recorded with invocations, as `lambda`.
    pub runtime: Option<String>,
    /// File that invocations are appended to as JSON lines.
    pub invocations: Option<PathBuf>,
    /// Whether invocations are written to standard output in CloudWatch's embedded metric format.
    pub emf: bool,
    /// Where invocations are sent besides.
    pub destinations: Vec<Destination>,
    /// Folder that keeps what a server does not take, until it does. Without one the most recent are lost when an outage lasts.
    pub spill: Option<PathBuf>,
    /// The most bytes of closed files in `spill` and in each spool; beyond that the oldest are removed and counted as dropped.
    pub spool_bytes: u64,
    /// How long flushing, and the end of the process, wait for each sink at most.
    pub flush_limit: Duration,
    /// OpenTelemetry's own settings, named like its environment variables.
    pub otel_settings: BTreeMap<String, String>,
    /// Further sinks.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// Takes warnings.
    pub warn: Warn,
    /// Tells the time that invocations are recorded with.
    pub clock: Clock,
}

impl Settings {
    /// Creates settings without a source, which says nothing and records nothing.
    pub fn new(base_dir: impl Into<PathBuf>, clock: Clock) -> Self {
        Self {
            bundle: None,
            lock: None,
            registry: None,
            folder: None,
            follow: None,
            refresh: Duration::from_secs(60),
            max_stale: Duration::from_secs(600),
            refuse_stale: false,
            strict: None,
            base_dir: base_dir.into(),
            cache_dir: None,
            store_settings: BTreeMap::new(),
            environment: None,
            service: None,
            runtime: None,
            invocations: None,
            emf: false,
            destinations: Vec::new(),
            spill: None,
            spool_bytes: SpoolLimits::default().total_bytes,
            flush_limit: BatchLimits::default().flush,
            otel_settings: BTreeMap::new(),
            sinks: Vec::new(),
            warn: Arc::new(|_| {}),
            clock,
        }
    }

    /// Says whether any source is set.
    #[must_use]
    pub fn has_source(&self) -> bool {
        self.bundle.is_some() || self.lock.is_some() || self.registry.is_some() || self.folder.is_some()
    }

    /// Says whether only pinned versions load.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.strict.unwrap_or(self.bundle.is_some() || self.lock.is_some() || self.follow.is_some())
    }

    /// Searches for a source when none is set: `promptops.lock`, else a folder `prompts`, in `base_dir` or the nearest
    /// folder above it within the same project. Where `registry` is set, only the lock is searched for, and nothing when an
    /// environment of it is followed.
    ///
    /// A project ends at the folder that has `promptops.toml` or `.git`; without either only `base_dir` is searched.
    pub fn discover_source(&mut self) {
        let follows_registry = self.follow.is_some() && self.registry.is_some();
        if self.bundle.is_some() || self.lock.is_some() || self.folder.is_some() || follows_registry {
            return;
        }
        let is_root = |folder: &std::path::Path| folder.join("promptops.toml").exists() || folder.join(".git").exists();
        let depth = self.base_dir.ancestors().position(is_root).unwrap_or(0);
        for folder in self.base_dir.ancestors().take(depth + 1) {
            let lock = folder.join("promptops.lock");
            let prompts = folder.join("prompts");
            if lock.is_file() {
                self.lock = Some(lock);
                return;
            }
            if self.registry.is_none() && prompts.is_dir() {
                self.folder = Some(prompts);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base_dir: PathBuf) -> Settings {
        Settings::new(base_dir, Arc::new(|| DateTime::UNIX_EPOCH))
    }

    #[test]
    fn strict_follows_the_source_unless_set() {
        let mut one = settings("/".into());
        assert!(!one.is_strict());
        one.lock = Some("promptops.lock".into());
        assert!(one.is_strict());
        one.strict = Some(false);
        assert!(!one.is_strict());
    }

    #[test]
    fn discovery_prefers_the_lock_and_stays_in_the_project() {
        let root = tempfile::tempdir().unwrap();
        let service = root.path().join("project/service");
        std::fs::create_dir_all(&service).unwrap();
        std::fs::create_dir(root.path().join("prompts")).unwrap();

        let mut outside = settings(service.clone());
        outside.discover_source();
        assert!(!outside.has_source(), "without a project only the folder itself is searched");

        std::fs::create_dir(root.path().join("project/.git")).unwrap();
        let mut above = settings(service.clone());
        above.discover_source();
        assert!(!above.has_source(), "the folder above the project is not searched");

        std::fs::create_dir(root.path().join("project/prompts")).unwrap();
        let mut registry = settings(service.clone());
        registry.registry = Some("s3://bucket".into());
        registry.discover_source();
        assert_eq!(registry.folder, None, "a registry that is set is not replaced by a folder");
        let mut folder = settings(service.clone());
        folder.discover_source();
        assert_eq!(folder.folder, Some(root.path().join("project/prompts")));

        std::fs::write(root.path().join("project/promptops.lock"), "{}").unwrap();
        let mut lock = settings(service.clone());
        lock.discover_source();
        assert_eq!((lock.lock, lock.folder), (Some(root.path().join("project/promptops.lock")), None));

        let mut mirror = settings(service.clone());
        mirror.registry = Some("s3://mirror".into());
        mirror.discover_source();
        assert!(mirror.lock.is_some(), "the registry of a lock may be replaced without naming the lock");

        let mut explicit = settings(service);
        explicit.folder = Some("mine".into());
        explicit.discover_source();
        assert_eq!(explicit.lock, None, "a source that is set ends the search");
    }
}
