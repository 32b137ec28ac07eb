//! Every content a folder of a Git repository ever had, and which commit brought it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use gix::bstr::ByteSlice;
use gix::objs::TreeRefIter;
use gix::traverse::commit::topo;

use crate::git::{BlobId, Commit, CommitId, Folder, MAX_BLOB_BYTES, Repository, has_extension};
use crate::git_error::GitError;

/// A file's content and the commit that brought it to this path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HistoryEntry {
    /// The commit.
    pub commit: Arc<Commit>,
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// The name of the content.
    pub blob: BlobId,
    /// The content as committed.
    pub bytes: Bytes,
}

impl Repository {
    /// Lists every content that files below a folder have had at a path, up to a commit, oldest first.
    ///
    /// Each pair of path and content comes once, with the first commit that had it: on a merged branch the commit made
    /// there, and the merge itself only for what it alone brought. A file that moves appears under its new path, with the
    /// same blob; one that is deleted just has no more entries; one that returns to an earlier content has none either.
    /// A commit comes after all its ancestors, unrelated ones in the order of their commit times; entries of one commit
    /// are sorted by path.
    ///
    /// `folder` and `extension` are as in [`Repository::files_at`]. `wanted` is asked once for each distinct content;
    /// what it does not want is dropped. So are files above [`MAX_BLOB_BYTES`], unasked: they could not be taken out of
    /// the past.
    ///
    /// Reads each commit, the trees on the way to the folder, those below it that changed, and each distinct content once.
    ///
    /// # Errors
    ///
    /// [`GitError::Shallow`] in a shallow clone, whose oldest commit would seem to have brought everything.
    pub fn history(
        &self,
        tip: CommitId,
        folder: &str,
        extension: &str,
        wanted: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Vec<HistoryEntry>, GitError> {
        if self.is_shallow() {
            return Err(GitError::Shallow { path: self.root().to_owned() });
        }
        let mut walk = Walk {
            repository: self,
            folder: Folder::new(folder)?,
            extension,
            wanted,
            folder_of_root: HashMap::new(),
            folder_of_commit: HashMap::new(),
            contents: HashMap::new(),
            seen: HashSet::new(),
            entries: Vec::new(),
        };
        for (commit, first_parent) in self.oldest_first(tip)? {
            walk.visit(commit, first_parent)?;
        }
        Ok(walk.entries)
    }

    /// A commit and its ancestors, each with its first parent and after all its parents.
    fn oldest_first(&self, tip: CommitId) -> Result<Vec<(gix::ObjectId, Option<gix::ObjectId>)>, GitError> {
        let newest_first = topo::Builder::new(&self.inner.objects)
            .with_tips([tip.0])
            .sorting(topo::Sorting::DateOrder)
            .build()
            .map_err(|error| self.unreadable(error))?;
        let mut commits = Vec::new();
        for commit in newest_first {
            let commit = commit.map_err(|error| self.unreadable(error))?;
            commits.push((commit.id, commit.parent_ids.first().copied()));
        }
        commits.reverse();
        Ok(commits)
    }
}

/// The state of one walk through history.
struct Walk<'a> {
    repository: &'a Repository,
    folder: Folder,
    extension: &'a str,
    wanted: &'a dyn Fn(&[u8]) -> bool,
    /// Tree of the folder by tree of the whole: neighbouring commits often share it.
    folder_of_root: HashMap<gix::ObjectId, Option<gix::ObjectId>>,
    folder_of_commit: HashMap<gix::ObjectId, Option<gix::ObjectId>>,
    /// Contents read so far; `None` for those that are not wanted.
    contents: HashMap<BlobId, Option<Bytes>>,
    seen: HashSet<(String, BlobId)>,
    entries: Vec<HistoryEntry>,
}

impl Walk<'_> {
    /// Adds what a commit has below the folder and its first parent has not.
    ///
    /// What a merge took from its other parents was seen when they were visited, which was before.
    fn visit(&mut self, commit: gix::ObjectId, first_parent: Option<gix::ObjectId>) -> Result<(), GitError> {
        let after = self.folder_at(commit)?;
        self.folder_of_commit.insert(commit, after);
        let before = first_parent.and_then(|parent| self.folder_of_commit.get(&parent).copied().flatten());
        let Some(after) = after.filter(|after| Some(*after) != before) else {
            return Ok(());
        };
        let mut description = None;
        for (path, blob) in self.changes(before, after)? {
            if self.seen.contains(&(path.clone(), blob)) {
                continue;
            }
            self.seen.insert((path.clone(), blob));
            let Some(bytes) = self.content(blob, &path)? else { continue };
            let commit = match &description {
                Some(commit) => Arc::clone(commit),
                None => Arc::clone(description.insert(Arc::new(self.repository.commit(CommitId(commit))?))),
            };
            self.entries.push(HistoryEntry { commit, path, blob, bytes });
        }
        Ok(())
    }

    fn folder_at(&mut self, commit: gix::ObjectId) -> Result<Option<gix::ObjectId>, GitError> {
        let root = self.repository.tree_of(commit)?;
        if let Some(folder) = self.folder_of_root.get(&root) {
            return Ok(*folder);
        }
        let folder = self.repository.folder_in(root, &self.folder)?;
        self.folder_of_root.insert(root, folder);
        Ok(folder)
    }

    /// The files that were added or changed from one tree of the folder to another, sorted by path.
    fn changes(&self, before: Option<gix::ObjectId>, after: gix::ObjectId) -> Result<Vec<(String, BlobId)>, GitError> {
        use gix::diff::tree::recorder::Change;

        let inner = &self.repository.inner;
        let find = |tree| inner.find_tree(tree).map_err(|error| self.repository.unreadable(error));
        let before = before.map(find).transpose()?;
        let after = find(after)?;
        let before = before.as_ref().map_or(&[][..], |tree| &tree.data);
        let mut recorder = gix::diff::tree::Recorder::default();
        gix::diff::tree(
            TreeRefIter::from_bytes(before, inner.object_hash()),
            TreeRefIter::from_bytes(&after.data, inner.object_hash()),
            gix::diff::tree::State::default(),
            &inner.objects,
            &mut recorder,
        )
        .map_err(|error| self.repository.unreadable(error))?;

        let mut changes: Vec<(String, BlobId)> = recorder
            .records
            .into_iter()
            .filter_map(|change| match change {
                Change::Addition { entry_mode, oid, path, .. } | Change::Modification { entry_mode, oid, path, .. } => {
                    let path = self.folder.join(&path.to_str_lossy());
                    (entry_mode.is_blob() && has_extension(&path, self.extension)).then_some((path, BlobId(oid)))
                }
                Change::Deletion { .. } => None,
            })
            .collect();
        changes.sort_unstable();
        Ok(changes)
    }

    /// The content of a blob, read and judged once; `None` when it is not wanted.
    fn content(&mut self, blob: BlobId, path: &str) -> Result<Option<Bytes>, GitError> {
        if let Some(content) = self.contents.get(&blob) {
            return Ok(content.clone());
        }
        let content = if self.repository.blob_size(blob)? > MAX_BLOB_BYTES {
            None
        } else {
            Some(self.repository.blob(blob, path)?).filter(|bytes| (self.wanted)(bytes))
        };
        self.contents.insert(blob, content.clone());
        Ok(content)
    }
}
