//! What a loader says without failing.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Something that works now and deserves attention. A loader says each one once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Warning {
    /// Prompts come from a folder of files that nothing pins.
    Folder(PathBuf),
    /// A version was loaded that no lock pins.
    Unpinned(String),
    /// A version was loaded, directly or by an include, that is yanked: nothing new may begin to use it.
    Yanked {
        /// The version.
        reference: String,
        /// Why it was yanked.
        reason: String,
    },
    /// A version was loaded, directly or by an include, that must not be used from a day on.
    Deprecated {
        /// The version.
        reference: String,
        /// The day, UTC, as `2026-12-01`.
        date: String,
        /// What to use in its place, when there is something.
        replacement: Option<String>,
        /// Why it was deprecated.
        reason: String,
    },
    /// A prompt under a rollout was loaded without a key, so that the control was taken.
    Unkeyed(String),
    /// A followed environment could not be asked for its next release, or that release cannot be used; what is known of it is
    /// served on.
    Refresh {
        /// The environment.
        environment: String,
        /// The number of the release that is served.
        release: u64,
        /// Why.
        reason: String,
    },
    /// The disk cache cannot be written, so an outage of the registry would be felt.
    Cache {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Invocations are not taken, so they wait or are lost.
    Sink {
        /// Where they go: a file, a URL, `stdout`.
        sink: String,
        /// Why not.
        reason: String,
    },
    /// A reply had none of the known shapes, so only its latency was recorded.
    Reply,
    /// An environment variable has a value that means nothing, so it was ignored.
    Variable {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => {
                write!(
                    out,
                    "prompts are read from a folder and are not pinned; this is for development only: `{}`",
                    folder.display()
                )
            }
            Self::Unpinned(reference) => write!(out, "a version is loaded that no lock pins: `{reference}`"),
            Self::Yanked { reference, reason } => write!(out, "a version is loaded that is yanked ({reason}): `{reference}`"),
            Self::Deprecated { reference, date, replacement, reason } => {
                write!(out, "a version is loaded that must not be used from {date} on")?;
                if let Some(replacement) = replacement {
                    write!(out, ", use `{replacement}` instead")?;
                }
                write!(out, " ({reason}): `{reference}`")
            }
            Self::Unkeyed(id) => {
                write!(out, "a prompt under a rollout is loaded without a key, so the control is used: `{id}`")
            }
            Self::Refresh { environment, release, reason } => {
                write!(out, "environment `{environment}` could not be refreshed, so release {release} is used on: {reason}")
            }
            Self::Cache { folder, reason } => {
                write!(
                    out,
                    "the prompt cache cannot be used, so an outage of the registry would be felt ({reason}): `{}`",
                    folder.display()
                )
            }
            Self::Sink { sink, reason } => write!(out, "invocations cannot be recorded ({reason}): `{sink}`"),
            Self::Reply => out.write_str("a reply is of no known shape, so its tokens and answer are not recorded"),
            Self::Variable { name, value } => write!(out, "{name} is ignored, since it has a value without meaning: `{value}`"),
        }
    }
}

/// Takes warnings, each once for one loader; that a followed environment cannot be refreshed once for each outage. Called on the
/// thread that loads, or on the one that refreshes.
pub type Warn = Arc<dyn Fn(&Warning) + Send + Sync>;

/// Says each warning once. Nobody waits for another here, see `kept.rs`.
pub(crate) struct Warnings {
    warn: Warn,
    said: ArcSwap<HashSet<Warning>>,
}

impl Warnings {
    pub(crate) fn new(warn: Warn) -> Self {
        Self { warn, said: ArcSwap::default() }
    }

    pub(crate) fn say(&self, warning: Warning) {
        loop {
            let said = self.said.load();
            if said.contains(&warning) {
                return;
            }
            let mut more = HashSet::clone(&said);
            more.insert(warning.clone());
            let before = self.said.compare_and_swap(&*said, Arc::new(more));
            if Arc::ptr_eq(&before, &said) {
                return (self.warn)(&warning);
            }
        }
    }

    /// Forgets that warnings were said, so that they are said again.
    pub(crate) fn forget(&self, which: impl Fn(&Warning) -> bool) {
        self.said.rcu(|said| said.iter().filter(|warning| !which(warning)).cloned().collect::<HashSet<_>>());
    }
}
