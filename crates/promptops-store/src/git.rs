//! A Git repository, read only.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gix::bstr::ByteSlice;
use gix::object::Kind;

use crate::error::Cause;
use crate::git_error::GitError;
use crate::location::absolute;

/// Largest file that is read from a commit or the working tree, in bytes.
pub const MAX_BLOB_BYTES: u64 = 16 * 1024 * 1024;

/// Memory for decoded objects, in bytes: trees and commits are read again and again on a walk through history.
const OBJECT_CACHE_BYTES: usize = 32 * 1024 * 1024;

/// The name of a commit; prints as its full hexadecimal id.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CommitId(pub(crate) gix::ObjectId);

/// The name of a file's content; prints as its full hexadecimal id. Equal ids mean equal bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BlobId(pub(crate) gix::ObjectId);

impl fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// What a commit says about itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commit {
    /// Its name.
    pub id: CommitId,
    /// Who wrote the change, as the commit has it; a `.mailmap` is not applied.
    pub author_name: String,
    /// The author's address.
    pub author_email: String,
    /// When the change was written: seconds since 1970-01-01T00:00:00Z, negative before.
    pub author_time_s: i64,
    /// The first paragraph of the message on one line.
    pub summary: String,
}

/// A file as a commit has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommittedFile {
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// The name of its content.
    pub blob: BlobId,
    /// Its content as committed, without the conversions of a checkout.
    pub bytes: Bytes,
}

/// A Git repository with a working tree.
///
/// Reads commits and never writes. Independent of the user's surroundings: neither `~/.gitconfig` and the system's
/// configuration nor `GIT_*` variables change what it answers. Calls block; a repository can be moved to another thread
/// but not be shared, so open one for each.
#[derive(Debug)]
pub struct Repository {
    pub(crate) inner: gix::Repository,
    root: PathBuf,
}

impl Repository {
    /// Opens the repository that a folder is part of, looking upwards from it; linked working trees are fine.
    ///
    /// # Errors
    ///
    /// [`GitError::NotARepository`] when there is none, [`GitError::NoWorkingTree`] when it is bare.
    pub fn discover(folder: &Path) -> Result<Self, GitError> {
        let none = || GitError::NotARepository { path: folder.to_owned() };
        let start = folder.canonicalize().map_err(|_| none())?;
        let surroundings = gix::open::Options::isolated();
        let mut inner = match gix::discover_opts(&start, Default::default(), surroundings) {
            Ok(inner) => inner,
            Err(error) if error.downcast_any_ref::<gix::discover::upwards::Error>().is_some() => return Err(none()),
            Err(error) => return Err(GitError::Unreadable { path: folder.to_owned(), source: Cause::new(error) }),
        };
        inner.object_cache_size_if_unset(OBJECT_CACHE_BYTES);
        let root = match inner.workdir().map(Path::canonicalize) {
            Some(Ok(root)) => root,
            _ => return Err(GitError::NoWorkingTree { path: inner.git_dir().to_owned() }),
        };
        Ok(Self { inner, root })
    }

    /// Returns the root of the working tree, absolute and without symbolic links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Says how Git calls a path of the file system: from the root, with `/`; the root itself is empty.
    ///
    /// The path has to be absolute. It need not exist.
    ///
    /// # Errors
    ///
    /// [`GitError::InvalidPath`] when it is relative, not UTF-8 or not in this working tree.
    pub fn relative(&self, path: &Path) -> Result<String, GitError> {
        let invalid = |reason| GitError::InvalidPath { path: path.display().to_string(), reason };
        let resolved = absolute(path).map_err(|_| invalid("the path cannot be resolved"))?;
        let inside = resolved.strip_prefix(&self.root).map_err(|_| invalid("the path is not in this Git repository"))?;
        let parts: Option<Vec<&str>> = inside.components().map(|part| part.as_os_str().to_str()).collect();
        Ok(parts.ok_or_else(|| invalid("the path is not UTF-8"))?.join("/"))
    }

    /// Says whether the clone was made without its older commits.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        // When even that cannot be read, every commit will say so better.
        self.inner.is_shallow().unwrap_or(false)
    }

    /// Returns the commit that is checked out.
    ///
    /// # Errors
    ///
    /// [`GitError::NoCommits`] in a repository in which nothing has been committed yet.
    pub fn head(&self) -> Result<CommitId, GitError> {
        self.resolve("HEAD")
    }

    /// Finds the commit a revision names, in Git's notation: `HEAD~1`, `origin/main`, `v1.2`, the start of an id.
    ///
    /// # Errors
    ///
    /// [`GitError::UnknownRevision`] when it names no commit; [`GitError::NoCommits`] when there is none at all.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, GitError> {
        if self.inner.head().is_ok_and(|head| head.is_unborn()) && revision.starts_with("HEAD") {
            return Err(GitError::NoCommits { path: self.root.clone() });
        }
        let commit =
            self.inner.rev_parse_single(revision).and_then(|id| id.object()).and_then(gix::Object::peel_to_commit).map_err(
                |error| GitError::UnknownRevision {
                    revision: revision.to_owned(),
                    shallow: self.is_shallow(),
                    source: Cause::new(error),
                },
            )?;
        Ok(CommitId(commit.id))
    }

    /// Finds the commit from which two have parted; `None` when their histories have nothing in common.
    ///
    /// Of several such commits, one.
    ///
    /// # Errors
    ///
    /// [`GitError::Shallow`] when there is none in a shallow clone, where it may only be missing.
    pub fn merge_base(&self, one: CommitId, other: CommitId) -> Result<Option<CommitId>, GitError> {
        let bases = self.inner.merge_bases_many(one.0, &[other.0]).map_err(|error| self.unreadable(error))?;
        match bases.first() {
            Some(base) => Ok(Some(CommitId(base.detach()))),
            None if self.is_shallow() => Err(GitError::Shallow { path: self.root.clone() }),
            None => Ok(None),
        }
    }

    /// Reads what a commit says about itself.
    ///
    /// # Errors
    ///
    /// [`GitError::Unreadable`] when it is missing or damaged.
    pub fn commit(&self, id: CommitId) -> Result<Commit, GitError> {
        let commit = self.inner.find_commit(id.0).map_err(|error| self.unreadable(error))?;
        let author = commit.author().map_err(|error| self.unreadable(error))?.trim();
        let message = commit.message().map_err(|error| self.unreadable(error))?;
        Ok(Commit {
            id,
            author_name: author.name.to_str_lossy().into_owned(),
            author_email: author.email.to_str_lossy().into_owned(),
            author_time_s: author.seconds(),
            summary: message.summary().to_str_lossy().into_owned(),
        })
    }

    /// Reads the files below a folder that have an extension, at any depth, as a commit has them; sorted by path.
    ///
    /// `folder` is from the root of the repository, with `/`; the empty one is the root. `extension` is without its dot.
    /// A folder the commit does not have is empty. Symbolic links and submodules are no files.
    ///
    /// # Errors
    ///
    /// [`GitError::TooLarge`] for a file above [`MAX_BLOB_BYTES`]; [`GitError::InvalidPath`] for a folder such as `../a`.
    pub fn files_at(&self, commit: CommitId, folder: &str, extension: &str) -> Result<Vec<CommittedFile>, GitError> {
        let folder = Folder::new(folder)?;
        let mut files = Vec::new();
        for (path, blob) in self.blobs_at(commit, &folder, extension)? {
            let bytes = self.blob(blob, &path)?;
            files.push(CommittedFile { path, blob, bytes });
        }
        Ok(files)
    }

    /// Reads one file as a commit has it; `None` when the commit does not have it.
    ///
    /// # Errors
    ///
    /// As [`Repository::files_at`].
    pub fn file_at(&self, commit: CommitId, path: &str) -> Result<Option<CommittedFile>, GitError> {
        let wanted = Folder::new(path)?;
        let root = self.tree_of(commit.0)?;
        let root = self.inner.find_tree(root).map_err(|error| self.unreadable(error))?;
        let entry = root.lookup_entry(wanted.segments()).map_err(|error| self.unreadable(error))?;
        let Some(entry) = entry.filter(|entry| entry.mode().is_blob()) else {
            return Ok(None);
        };
        let blob = BlobId(entry.object_id());
        let bytes = self.blob(blob, path)?;
        Ok(Some(CommittedFile { path: wanted.path, blob, bytes }))
    }

    /// Lists the files below a folder that differ between the working tree and a commit: changed, added and deleted ones,
    /// sorted by path.
    ///
    /// Compares bytes, so a checkout that converts line ends makes files differ; ignored and untracked files count. Reads
    /// every such file of the working tree once and none from the commit.
    ///
    /// # Errors
    ///
    /// [`GitError::Unreadable`] when a file cannot be read.
    pub fn differing_files(&self, commit: CommitId, folder: &str, extension: &str) -> Result<Vec<String>, GitError> {
        let folder = Folder::new(folder)?;
        let mut committed: BTreeMap<String, BlobId> = self.blobs_at(commit, &folder, extension)?.into_iter().collect();
        let mut differing = Vec::new();
        for path in self.working_files(&folder, extension)? {
            let file = self.root.join(&path);
            let unreadable = |source: Cause| GitError::Unreadable { path: file.clone(), source };
            let bytes = std::fs::read(&file).map_err(|error| unreadable(Cause::new(error)))?;
            let blob = gix::objs::compute_hash(self.inner.object_hash(), Kind::Blob, &bytes)
                .map_err(|error| unreadable(Cause::new(error)))?;
            if committed.remove(&path) != Some(BlobId(blob)) {
                differing.push(path);
            }
        }
        differing.extend(committed.into_keys());
        differing.sort_unstable();
        Ok(differing)
    }

    /// The files of the working tree below a folder, as paths from the root.
    fn working_files(&self, folder: &Folder, extension: &str) -> Result<Vec<String>, GitError> {
        let mut files = Vec::new();
        let mut folders = vec![folder.path.clone()];
        while let Some(folder) = folders.pop() {
            let path = self.root.join(&folder);
            let unreadable = |error| GitError::Unreadable { path: path.clone(), source: Cause::new(error) };
            let entries = match path.read_dir() {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                entries => entries.map_err(unreadable)?,
            };
            for entry in entries {
                let entry = entry.map_err(unreadable)?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                let kind = entry.file_type().map_err(unreadable)?;
                if kind.is_dir() && name != ".git" {
                    folders.push(path);
                } else if kind.is_file() && has_extension(&path, extension) {
                    files.push(path);
                }
            }
        }
        Ok(files)
    }

    /// The files below a folder as a commit has them, sorted by path, without reading them.
    fn blobs_at(&self, commit: CommitId, folder: &Folder, extension: &str) -> Result<Vec<(String, BlobId)>, GitError> {
        let Some(tree) = self.folder_in(self.tree_of(commit.0)?, folder)? else {
            return Ok(Vec::new());
        };
        let tree = self.inner.find_tree(tree).map_err(|error| self.unreadable(error))?;
        let entries = tree.traverse().breadthfirst.files().map_err(|error| self.unreadable(error))?;
        let mut blobs: Vec<(String, BlobId)> = entries
            .into_iter()
            .filter(|entry| entry.mode.is_blob())
            .map(|entry| (folder.join(&entry.filepath.to_str_lossy()), BlobId(entry.oid)))
            .filter(|(path, _)| has_extension(path, extension))
            .collect();
        blobs.sort_unstable();
        Ok(blobs)
    }

    /// The tree of a commit.
    pub(crate) fn tree_of(&self, commit: gix::ObjectId) -> Result<gix::ObjectId, GitError> {
        let commit = self.inner.find_commit(commit).map_err(|error| self.unreadable(error))?;
        Ok(commit.tree_id().map_err(|error| self.unreadable(error))?.detach())
    }

    /// The tree of a folder in the tree of a commit; `None` when there is no such folder.
    pub(crate) fn folder_in(&self, root: gix::ObjectId, folder: &Folder) -> Result<Option<gix::ObjectId>, GitError> {
        if folder.path.is_empty() {
            return Ok(Some(root));
        }
        let root = self.inner.find_tree(root).map_err(|error| self.unreadable(error))?;
        let entry = root.lookup_entry(folder.segments()).map_err(|error| self.unreadable(error))?;
        Ok(entry.filter(|entry| entry.mode().is_tree()).map(|entry| entry.object_id()))
    }

    /// The size of a file's content in bytes.
    pub(crate) fn blob_size(&self, blob: BlobId) -> Result<u64, GitError> {
        Ok(self.inner.find_header(blob.0).map_err(|error| self.unreadable(error))?.size())
    }

    /// The content of a file; `path` is for the error.
    pub(crate) fn blob(&self, blob: BlobId, path: &str) -> Result<Bytes, GitError> {
        let bytes = self.blob_size(blob)?;
        if bytes > MAX_BLOB_BYTES {
            return Err(GitError::TooLarge { path: path.to_owned(), bytes, limit: MAX_BLOB_BYTES });
        }
        let mut blob = self.inner.find_blob(blob.0).map_err(|error| self.unreadable(error))?;
        Ok(Bytes::from(blob.take_data()))
    }

    pub(crate) fn unreadable(&self, error: impl Error + Send + Sync + 'static) -> GitError {
        GitError::Unreadable { path: self.root.clone(), source: Cause::new(error) }
    }
}

/// A checked path of a folder or file from the root of a repository.
pub(crate) struct Folder {
    path: String,
}

impl Folder {
    pub(crate) fn new(path: &str) -> Result<Self, GitError> {
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        let plain = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains(['\\', '\0']);
        if !trimmed.is_empty() && !trimmed.split('/').all(plain) {
            let reason = "not a path from the root of the Git repository";
            return Err(GitError::InvalidPath { path: path.to_owned(), reason });
        }
        Ok(Self { path: trimmed.to_owned() })
    }

    pub(crate) fn join(&self, path: &str) -> String {
        if self.path.is_empty() { path.to_owned() } else { format!("{}/{path}", self.path) }
    }

    fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.path.split('/').map(str::as_bytes)
    }
}

/// Whether a path ends with a dot and the extension.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    path.strip_suffix(extension).is_some_and(|stem| stem.ends_with('.'))
}
