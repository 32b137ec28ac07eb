//! What can go wrong with a Git repository, by what the reader can do about it.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::Cause;

/// A failure of a [`Repository`](crate::Repository).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GitError {
    /// Neither the folder nor one above it is a Git repository. Go to one, or make one.
    #[error("not in a Git repository: `{}`", path.display())]
    NotARepository {
        /// The folder the search began in.
        path: PathBuf,
    },
    /// The repository is bare: it has history, but no files. Use a clone with a working tree.
    #[error("the Git repository has no working tree: `{}`", path.display())]
    NoWorkingTree {
        /// The repository.
        path: PathBuf,
    },
    /// Nothing has been committed yet. Commit first.
    #[error("the Git repository has no commits yet: `{}`", path.display())]
    NoCommits {
        /// Root of the repository.
        path: PathBuf,
    },
    /// No commit goes by this name. Fix the name, or fetch it.
    #[error("no such revision: `{revision}`")]
    UnknownRevision {
        /// The revision as given.
        revision: String,
        /// Whether the clone is shallow, so that the revision may exist where it was cloned from.
        shallow: bool,
        /// Git's own account.
        source: Cause,
    },
    /// The clone lacks older commits, so the history it could tell would be wrong. Fetch the rest.
    #[error("the clone is shallow and its history incomplete: `{}`", path.display())]
    Shallow {
        /// Root of the repository.
        path: PathBuf,
    },
    /// The path does not name something inside the repository. Fix the path.
    #[error("{reason}: `{path}`")]
    InvalidPath {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A committed file is larger than [`MAX_BLOB_BYTES`](crate::MAX_BLOB_BYTES). Take it out.
    #[error("file of {bytes} bytes is larger than the limit of {limit} bytes: `{path}`")]
    TooLarge {
        /// Path of the file from the root of the repository.
        path: String,
        /// Its size.
        bytes: u64,
        /// The largest size allowed.
        limit: u64,
    },
    /// Git objects or files are missing, damaged or not readable. Repair the clone.
    #[error("the Git repository cannot be read: `{}`", path.display())]
    Unreadable {
        /// The repository, or the file in its working tree.
        path: PathBuf,
        /// The account of whoever failed.
        source: Cause,
    },
}

impl GitError {
    /// Returns what to do next, as one sentence for a `hint:` line.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotARepository { .. } => Some("run this inside a Git repository, or `git init` and commit first"),
            Self::NoWorkingTree { .. } => Some("run this in a clone that is not bare"),
            Self::NoCommits { .. } => Some("commit the prompts first: `git add . && git commit`"),
            Self::UnknownRevision { shallow: false, .. } => {
                Some("`git fetch` it, or name a commit, branch or tag that `git log` knows")
            }
            Self::UnknownRevision { shallow: true, .. } | Self::Shallow { .. } => {
                Some("run `git fetch --unshallow` (in GitHub Actions: `fetch-depth: 0` of `actions/checkout`)")
            }
            Self::InvalidPath { .. } => Some("name a file or folder inside the repository"),
            Self::TooLarge { .. } => Some("a file of this size is no prompt: move it out of the prompts folder"),
            Self::Unreadable { .. } => {
                Some("`git fsck` names what is damaged; a clone made with `--filter` has to fetch the missing objects")
            }
        }
    }
}
