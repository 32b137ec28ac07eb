//! Every version of every prompt that Git remembers, by id, wherever its file lay.

use std::collections::BTreeMap;
use std::sync::Arc;

use promptops_prompt::draft::Draft;
use promptops_prompt::{Closure, Content, Digest, Prompt, PromptId, PromptRef, Version};
use promptops_store::{Commit, HistoryEntry, Repository};

use crate::checks::git_failure;
use crate::closure;
use crate::failure::Outcome;
use crate::project::Project;
use crate::working_tree::is_prompt_file;

/// One version as Git has it.
#[derive(Debug, Clone)]
pub struct CommittedVersion {
    /// The version.
    pub prompt: Prompt,
    /// The commit that brought this content.
    pub commit: Arc<Commit>,
    /// The path from the root of the repository in that commit.
    pub path: String,
    /// The file's text.
    pub text: String,
    /// How many other contents stood under this version before, in earlier commits. Zero where versions are kept immutable.
    pub rewrites: usize,
}

/// All versions, in the order of id and version.
#[derive(Debug, Default)]
pub struct PromptHistory {
    versions: BTreeMap<PromptRef, CommittedVersion>,
}

impl PromptHistory {
    /// Reads the history up to `revision`, of all prompts or of one.
    ///
    /// Looks into every folder of the repository, so that a prompt is found under whatever path it once had; a file counts as a
    /// prompt when it reads as one.
    pub fn read(project: &Project, revision: &str, only: Option<&PromptId>) -> Outcome<Self> {
        let repository = Repository::discover(&project.root).map_err(git_failure)?;
        let tip = repository.resolve(revision).map_err(git_failure)?;
        let finder = |bytes: &[u8]| may_be_prompt(bytes, only);
        let mut history = Self::default();
        for extension in ["yaml", "yml"] {
            let entries = repository.history(tip, "", extension, &finder).map_err(git_failure)?;
            entries.iter().for_each(|entry| history.add(entry, only));
        }
        Ok(history)
    }

    fn add(&mut self, entry: &HistoryEntry, only: Option<&PromptId>) {
        let is_prompt = entry.path.rsplit('/').next().is_some_and(is_prompt_file);
        let Some(text) = std::str::from_utf8(&entry.bytes).ok().filter(|_| is_prompt) else { return };
        let Some(prompt) = Draft::parse(&entry.path, text).0.prompt() else { return };
        if only.is_some_and(|only| *only != prompt.id) {
            return;
        }
        let own_digest = |prompt: &Prompt| Content::new(prompt, BTreeMap::new()).own_digest();
        let mut version = CommittedVersion {
            commit: entry.commit.clone(),
            path: entry.path.clone(),
            text: text.to_owned(),
            rewrites: 0,
            prompt,
        };
        if let Some(before) = self.versions.get(&version.prompt.reference()) {
            if own_digest(&before.prompt) == own_digest(&version.prompt) {
                // The same content under another path or with other metadata: the commit that brought it stays.
                version.commit = before.commit.clone();
                version.rewrites = before.rewrites;
            } else {
                version.rewrites = before.rewrites + 1;
            }
        }
        self.versions.insert(version.prompt.reference(), version);
    }

    /// Returns one version.
    pub fn get(&self, reference: &PromptRef) -> Option<&CommittedVersion> {
        self.versions.get(reference)
    }

    /// Returns the versions in the order of id and version.
    pub fn versions(&self) -> impl Iterator<Item = &CommittedVersion> {
        self.versions.values()
    }

    /// Returns the newest version of a prompt.
    pub fn newest(&self, id: &PromptId) -> Option<&CommittedVersion> {
        self.versions.values().rev().find(|version| version.prompt.id == *id)
    }

    /// Returns the newest version of the same prompt before one.
    pub fn newest_before(&self, reference: &PromptRef) -> Option<&CommittedVersion> {
        self.versions.range(reference.id.at(Version::FIRST)..reference.clone()).next_back().map(|(_, version)| version)
    }

    /// Returns a version with everything it includes.
    pub fn closure(&self, reference: &PromptRef) -> Outcome<Closure> {
        closure::closure(reference, &|reference| self.get(reference).map(|version| &version.prompt))
    }

    /// Returns the digest of a version (G1).
    pub fn digest(&self, reference: &PromptRef) -> Outcome<Digest> {
        Ok(self.closure(reference)?.root.digest())
    }
}

/// Tells quickly, without reading YAML, what cannot be a prompt. The names of fields may stand in quotes, so no `:` is asked for.
fn may_be_prompt(bytes: &[u8], only: Option<&PromptId>) -> bool {
    let needles = [only.map_or("id", PromptId::as_str), "version", "owner", "model"];
    std::str::from_utf8(bytes).is_ok_and(|text| needles.into_iter().all(|needle| text.contains(needle)))
}

#[cfg(test)]
mod tests {
    use super::may_be_prompt;

    #[test]
    fn a_prompt_may_be_written_as_json() {
        let json = br#"{"id": "a", "version": 1, "owner": "o", "model": "m", "tags": [], "template": "x"}"#;
        let id = "a".parse().expect("an id");
        assert!(may_be_prompt(json, None) && may_be_prompt(json, Some(&id)));
        assert!(!may_be_prompt(b"id: a\nversion: 1\n", None));
    }
}
