//! The proposal: the versions in the working tree, each with the version it is held against.

use std::collections::BTreeMap;

use promptops_prompt::draft::Draft;
use promptops_prompt::{Closure, Prompt, PromptId, PromptRef};

use crate::base_revision::BaseRevision;
use crate::closure;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::prompt_history::PromptHistory;
use crate::working_tree::{PromptFile, WorkingTree};

/// The working tree beside the history that it builds on.
#[derive(Debug)]
pub struct Proposal {
    /// The versions in the working tree that can be read as prompts.
    pub prompts: BTreeMap<PromptId, Prompt>,
    /// What is committed.
    history: PromptHistory,
    /// The base revision; nothing without one.
    base: Option<Base>,
}

/// The prompts that stand at the base revision, and all that came before.
#[derive(Debug)]
struct Base {
    revision: BaseRevision,
    prompts: BTreeMap<PromptId, Prompt>,
    history: PromptHistory,
}

/// A version and everything it includes.
#[derive(Debug)]
pub struct Version {
    /// The version.
    pub prompt: Prompt,
    /// Its content with all includes.
    pub closure: Closure,
}

impl Proposal {
    /// Reads the working tree, its history, and the state and history of `base`.
    ///
    /// Without a base a folder without Git history is fine, as long as nobody asks for a parent.
    pub fn read(project: &Project, base: Option<&str>) -> Outcome<Self> {
        let prompts = parse(WorkingTree::read(project)?.files);
        let history = match PromptHistory::read(project, "HEAD", None) {
            Ok(history) => history,
            Err(_) if base.is_none() && prompts.values().all(|prompt| own_parent(prompt).is_none()) => PromptHistory::default(),
            Err(failure) => return Err(failure),
        };
        let base = match base {
            Some(name) => {
                let revision = BaseRevision::open(project, name)?;
                let prompts = parse(revision.prompt_files()?);
                Some(Base { revision, prompts, history: PromptHistory::read(project, name, None)? })
            }
            None => None,
        };
        Ok(Self { prompts, history, base })
    }

    /// Returns the proposed version of a prompt with its includes, from the working tree first and then from history.
    pub fn candidate(&self, id: &PromptId) -> Outcome<Version> {
        let prompt = self.prompts.get(id).ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("there is no readable prompt `{id}`"))
                .hint("`promptops check` says what is wrong with a file that cannot be read")
        })?;
        let find = |reference: &PromptRef| {
            let proposed = self.prompts.get(&reference.id).filter(|prompt| prompt.version == reference.version);
            proposed.or_else(|| self.committed(reference))
        };
        Ok(Version { prompt: prompt.clone(), closure: closure::closure(&prompt.reference(), &find)? })
    }

    /// Tells whether there is a base to compare with.
    pub fn has_base(&self) -> bool {
        self.base.is_some()
    }

    /// Returns the bytes of a file at the base revision, by its path from the project's root; nothing without a base or such a file.
    pub fn base_file(&self, path: &str) -> Outcome<Option<Vec<u8>>> {
        match &self.base {
            Some(base) => base.revision.file(path),
            None => Ok(None),
        }
    }

    /// Returns the version at the base revision, with its includes as they were there.
    pub fn at_base(&self, id: &PromptId) -> Outcome<Option<Version>> {
        let Some(base) = &self.base else { return Ok(None) };
        let Some(prompt) = base.prompts.get(id) else { return Ok(None) };
        let find = |reference: &PromptRef| {
            let standing = base.prompts.get(&reference.id).filter(|prompt| prompt.version == reference.version);
            standing.or_else(|| base.history.get(reference).map(|version| &version.prompt))
        };
        Ok(Some(Version { prompt: prompt.clone(), closure: closure::closure(&prompt.reference(), &find)? }))
    }

    /// Returns the version that a candidate is held against: the one at the base revision where its content differs, else
    /// the stated parent from history. A first version and a fork of another prompt have none.
    pub fn baseline(&self, candidate: &Version) -> Outcome<Option<Version>> {
        if let Some(base) = self.at_base(&candidate.prompt.id)?
            && base.closure.root.digest() != candidate.closure.root.digest()
        {
            return Ok(Some(base));
        }
        let Some(parent) = own_parent(&candidate.prompt) else { return Ok(None) };
        let Some(prompt) = self.committed(parent) else {
            return Err(Failure::new(
                Exit::NotFound,
                format!("`{}` names `{parent}` as its parent, which no commit has", candidate.prompt.reference()),
            )
            .hint("commit the parent first; in a shallow clone run `git fetch --unshallow`"));
        };
        let closure = closure::closure(parent, &|reference| self.committed(reference))?;
        Ok(Some(Version { prompt: prompt.clone(), closure }))
    }

    /// Returns a prompt as it stands at the base revision.
    pub fn base_prompt(&self, id: &PromptId) -> Option<&Prompt> {
        self.base.as_ref()?.prompts.get(id)
    }

    /// Returns the prompts of the base revision that are not proposed any more.
    pub fn removed(&self) -> impl Iterator<Item = &Prompt> {
        let standing = self.base.iter().flat_map(|base| base.prompts.values());
        standing.filter(|prompt| !self.prompts.contains_key(&prompt.id))
    }

    /// Returns a version: the one in the working tree, else the one that stands at the base revision or came before it, else
    /// the one in the history of the working tree.
    pub fn find(&self, reference: &PromptRef) -> Option<&Prompt> {
        let is_it = |prompt: &&Prompt| prompt.version == reference.version;
        let proposed = self.prompts.get(&reference.id).filter(is_it);
        let base = self.base.iter().find_map(|base| {
            let standing = base.prompts.get(&reference.id).filter(is_it);
            standing.or_else(|| base.history.get(reference).map(|version| &version.prompt))
        });
        proposed.or(base).or_else(|| self.committed(reference))
    }

    /// Returns the newest version of the same prompt before one, committed here or at the base revision.
    pub fn newest_before(&self, reference: &PromptRef) -> Option<promptops_prompt::Version> {
        let histories = self.base.iter().map(|base| &base.history).chain([&self.history]);
        histories.filter_map(|history| history.newest_before(reference)).map(|version| version.prompt.version).max()
    }

    fn committed(&self, reference: &PromptRef) -> Option<&Prompt> {
        self.history.get(reference).map(|version| &version.prompt)
    }
}

/// Returns the parent that is a version of the same prompt.
fn own_parent(prompt: &Prompt) -> Option<&PromptRef> {
    prompt.parent.as_ref().filter(|parent| parent.id == prompt.id)
}

fn parse(files: Vec<PromptFile>) -> BTreeMap<PromptId, Prompt> {
    let prompts = files.iter().filter_map(|file| Draft::parse(&file.path, &file.text).0.prompt());
    prompts.map(|prompt| (prompt.id.clone(), prompt)).collect()
}
