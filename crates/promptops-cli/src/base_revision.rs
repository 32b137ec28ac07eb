//! The project as it stands at a revision: what a proposal is held to must not come with the proposal.

use std::fmt;
use std::path::Path;

use promptops_eval::spec::joined;
use promptops_store::{CommitId, Repository};

use crate::checks::git_failure;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::{CONFIG_FILE, Config, Project, PromptsConfig};
use crate::working_tree::{PromptFile, is_prompt_file};

/// The files of a project at a revision.
pub struct BaseRevision {
    repository: Repository,
    commit: CommitId,
    /// The project's root, from that of the repository.
    root: String,
}

impl fmt::Debug for BaseRevision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BaseRevision").field("commit", &self.commit).field("root", &self.root).finish_non_exhaustive()
    }
}

impl BaseRevision {
    /// Finds the revision.
    pub fn open(project: &Project, revision: &str) -> Outcome<Self> {
        let repository = Repository::discover(&project.root).map_err(git_failure)?;
        let commit = repository.resolve(revision).map_err(git_failure)?;
        let root = repository.relative(&project.root).map_err(git_failure)?;
        Ok(Self { repository, commit, root })
    }

    /// Returns the commit that the revision names.
    pub fn commit(&self) -> CommitId {
        self.commit
    }

    /// Returns the bytes of a file, by its path from the project's root; nothing where the revision has none.
    ///
    /// The path is taken as it is written: a proposal that makes a folder a link changes nothing about what stood in it.
    pub fn file(&self, path: &str) -> Outcome<Option<Vec<u8>>> {
        // What lies outside the repository was never committed.
        if path.starts_with('/') || self.in_repository(path).starts_with("..") {
            return Ok(None);
        }
        let file = self.repository.file_at(self.commit, &self.in_repository(path)).map_err(git_failure)?;
        Ok(file.map(|file| file.bytes.to_vec()))
    }

    /// Returns the text of a file, as [`BaseRevision::file`] its bytes.
    pub fn text(&self, path: &str) -> Outcome<Option<String>> {
        Ok(self.file(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Returns the configuration; the default where there is none. What is not valid allows nothing.
    pub fn config(&self) -> Outcome<Config> {
        Ok(self.text(CONFIG_FILE)?.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default())
    }

    /// Returns the folder of prompts, from the project's root: the one that the revision itself names, for a proposal that
    /// names another one would else make every prompt a new one.
    pub fn prompts_path(&self) -> Outcome<String> {
        // Read alone, so that a field of another release does not hide it.
        let table = self.text(CONFIG_FILE)?.and_then(|text| text.parse::<toml::Table>().ok());
        let stated = table.as_ref().and_then(|table| table.get("prompts")?.get("path")?.as_str());
        Ok(stated.map_or_else(|| PromptsConfig::default().path, str::to_owned).trim_matches('/').to_owned())
    }

    /// Returns the prompt files.
    pub fn prompt_files(&self) -> Outcome<Vec<PromptFile>> {
        let path = self.prompts_path()?;
        let folder = self.in_repository(&path);
        let mut files = Vec::new();
        for extension in ["yaml", "yml"] {
            for file in self.repository.files_at(self.commit, &folder, extension).map_err(git_failure)? {
                let path_in_folder = file.path.strip_prefix(&folder).unwrap_or(&file.path).trim_start_matches('/').to_owned();
                let is_prompt = path_in_folder.rsplit('/').next().is_some_and(is_prompt_file);
                // What was not text then is reported by the check of the file as it is now.
                if let (true, Ok(text)) = (is_prompt, String::from_utf8(file.bytes.to_vec())) {
                    files.push(PromptFile { path: joined(&path, &path_in_folder), path_in_folder, text });
                }
            }
        }
        Ok(files)
    }

    /// Refuses a project that lies elsewhere than at the revision, as seen from the folder that the command runs in: its rules
    /// would be looked for where none ever were.
    pub fn refuse_another_root(&self, directory: &Path) -> Outcome<()> {
        let Some(root) = self.root_above(directory)?.filter(|root| *root != self.root) else { return Ok(()) };
        let shown = |root: &str| if root.is_empty() { ".".to_owned() } else { root.to_owned() };
        let message = format!("the project moved from `{}` to `{}` since the base", shown(&root), shown(&self.root));
        Err(Failure::new(Exit::Refused, message)
            .hint("keep it where it is: in another folder nothing can be held against its base"))
    }

    /// Returns the root of the project that a folder belonged to, found as [`Project::find`] finds that of today.
    fn root_above(&self, directory: &Path) -> Outcome<Option<String>> {
        let Ok(from) = self.repository.relative(directory) else { return Ok(None) };
        let mut folders = vec![from.as_str()];
        while let Some(folder) = folders.last().filter(|folder| !folder.is_empty()) {
            folders.push(folder.rsplit_once('/').map_or("", |(above, _)| above));
        }
        for folder in &folders {
            let config = joined(folder, CONFIG_FILE);
            if self.repository.file_at(self.commit, &config).map_err(git_failure)?.is_some() {
                return Ok(Some((*folder).to_owned()));
            }
        }
        for folder in &folders {
            let prompts = joined(folder, &PromptsConfig::default().path);
            for extension in ["yaml", "yml"] {
                if !self.repository.files_at(self.commit, &prompts, extension).map_err(git_failure)?.is_empty() {
                    return Ok(Some((*folder).to_owned()));
                }
            }
        }
        Ok(None)
    }

    fn in_repository(&self, path: &str) -> String {
        joined(&self.root, path)
    }
}
