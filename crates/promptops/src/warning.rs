//! What a loader says without failing.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

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
    /// The disk cache cannot be written, so an outage of the registry would be felt.
    Cache {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Invocations cannot be written, so they are lost.
    Sink {
        /// The file.
        path: PathBuf,
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
            Self::Cache { folder, reason } => {
                write!(
                    out,
                    "the prompt cache cannot be used, so an outage of the registry would be felt ({reason}): `{}`",
                    folder.display()
                )
            }
            Self::Sink { path, reason } => write!(out, "invocations cannot be recorded ({reason}): `{}`", path.display()),
            Self::Reply => out.write_str("a reply is of no known shape, so its tokens and answer are not recorded"),
            Self::Variable { name, value } => write!(out, "{name} is ignored, since it has a value without meaning: `{value}`"),
        }
    }
}

/// Takes warnings. Called on the thread that loads, at most once for equal warnings of one loader.
pub type Warn = Arc<dyn Fn(&Warning) + Send + Sync>;

/// Says each warning once.
pub(crate) struct Warnings {
    warn: Warn,
    said: Mutex<HashSet<Warning>>,
}

impl Warnings {
    pub(crate) fn new(warn: Warn) -> Self {
        Self { warn, said: Mutex::default() }
    }

    pub(crate) fn say(&self, warning: Warning) {
        // The lock is free again before the callback runs, which may load prompts itself.
        let is_new = self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.clone());
        if is_new {
            (self.warn)(&warning);
        }
    }
}
