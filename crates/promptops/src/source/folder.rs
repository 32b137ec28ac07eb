//! Prompt files in a folder, for development: nothing pins them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use promptops_prompt::draft::Draft;
use promptops_prompt::id::NameError;
use promptops_prompt::template::analyse;
use promptops_prompt::yaml::MAX_FILE_BYTES;
use promptops_prompt::{Closure, Content, Prompt, PromptId, PromptRef, Severity, Version};

use super::{FileStamp, Loaded};
use crate::error::{Error, close_names};
use crate::kept::Ask;
use crate::warning::{Warning, Warnings};

/// How deep includes may be nested.
const MAX_DEPTH: usize = 32;
/// Folders that the search for like names opens at most.
const MAX_SEARCHED_FOLDERS: usize = 1000;

/// A folder with one file per prompt, as `customer-support/intent-classifier.yaml`.
#[derive(Debug)]
pub(crate) struct FolderSource {
    folder: PathBuf,
    strict: bool,
}

/// What one load has read so far.
#[derive(Default)]
struct Reading {
    includes: BTreeMap<PromptRef, Content>,
    files: Vec<FileStamp>,
    /// References that are being read, from the outermost in.
    open: Vec<PromptRef>,
}

impl FolderSource {
    pub(crate) fn new(folder: PathBuf, strict: bool) -> Self {
        Self { folder, strict }
    }

    pub(crate) fn load(&self, id: &PromptId, ask: Ask<'_>, warnings: &Warnings) -> Result<Loaded, Error> {
        let version = match ask {
            Ask::Version(number) => Some(Version::new(number).ok_or_else(|| NameError::Version(number.to_string()))?),
            Ask::Pinned | Ask::Key(_) | Ask::Arm(_) => None,
        };
        if self.strict {
            return Err(Error::NotPinned { id: id.clone(), version, pinned: None });
        }
        warnings.say(Warning::Folder(self.folder.clone()));
        let mut reading = Reading::default();
        let prompt = self.read(id, &mut reading)?;
        if let Some(version) = version.filter(|version| *version != prompt.version) {
            let place = format!("the folder has version {} and not {version}; it", prompt.version);
            return Err(Error::NotFound { id: id.clone(), place, close: Vec::new() });
        }
        let root = self.content(&prompt, &mut reading)?;
        let digest = root.digest();
        let closure = Closure { root, includes: reading.includes };
        Ok(Loaded { prompt, digest, closure, files: reading.files, arm: None, rollout: None })
    }

    /// Reads one file.
    fn read(&self, id: &PromptId, reading: &mut Reading) -> Result<Prompt, Error> {
        let relative = id.file_path();
        let path = self.folder.join(&relative);
        let invalid = |problem: String| Error::Invalid { path: path.clone(), problems: vec![problem] };
        let text = match read_text(&path) {
            Ok((stamp, text)) => {
                reading.files.push(stamp);
                text
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                let place = format!("folder `{}`", self.folder.display());
                let names = self.names();
                let close = close_names(id.as_str(), names.iter().map(String::as_str));
                return Err(Error::NotFound { id: id.clone(), place, close });
            }
            Err(error) => return Err(invalid(error.to_string())),
        };
        let (draft, findings) = Draft::parse(&relative, &text);
        let Some(prompt) = draft.prompt() else {
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
            return Err(Error::Invalid { path, problems: errors.map(|finding| finding.message.clone()).collect() });
        };
        if prompt.id != *id {
            return Err(invalid(format!("its id is `{}`, which belongs into another file", prompt.id)));
        }
        Ok(prompt)
    }

    /// Makes the content of `prompt`, reading what it includes.
    fn content(&self, prompt: &Prompt, reading: &mut Reading) -> Result<Content, Error> {
        let path = || self.folder.join(prompt.id.file_path());
        let invalid = |problem: String| Error::Invalid { path: path(), problems: vec![problem] };
        reading.open.push(prompt.reference());
        let mut digests = BTreeMap::new();
        for template in prompt.body.templates() {
            let found = analyse(template).map_err(|error| invalid(error.message))?;
            for include in found.includes {
                let reference = include.target.map_err(|error| invalid(error.to_string()))?;
                if digests.contains_key(&reference) {
                    continue;
                }
                let digest = match reading.includes.get(&reference) {
                    Some(content) => content.digest(),
                    None => self.include(&reference, reading, &invalid)?.digest(),
                };
                digests.insert(reference, digest);
            }
        }
        reading.open.pop();
        Ok(Content::new(prompt, digests))
    }

    fn include(&self, reference: &PromptRef, reading: &mut Reading, invalid: &dyn Fn(String) -> Error) -> Result<Content, Error> {
        if reading.open.contains(reference) {
            return Err(invalid(format!("it includes itself by way of `{reference}`")));
        }
        if reading.open.len() >= MAX_DEPTH {
            return Err(invalid(format!("includes are nested more than {MAX_DEPTH} deep, at `{reference}`")));
        }
        let included = match self.read(&reference.id, reading) {
            Ok(included) => included,
            Err(Error::NotFound { .. }) => {
                return Err(invalid(format!("it includes `{reference}`, which has no file in the folder")));
            }
            Err(error) => return Err(error),
        };
        if included.version != reference.version {
            let version = included.version;
            return Err(invalid(format!("it includes `{reference}`, but the folder has version {version} of that prompt")));
        }
        let content = self.content(&included, reading)?;
        reading.includes.insert(reference.clone(), content.clone());
        Ok(content)
    }

    /// Returns the ids that the folder has files for.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![(self.folder.clone(), String::new())];
        let mut opened = 0;
        while let Some((folder, prefix)) = folders.pop() {
            opened += 1;
            if opened > MAX_SEARCHED_FOLDERS {
                break;
            }
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let file_name = entry.file_name();
                let Some(name) = file_name.to_str() else { continue };
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push((entry.path(), format!("{prefix}{name}.")));
                } else if let Some(stem) = name.strip_suffix(".yaml") {
                    names.push(format!("{prefix}{stem}"));
                }
            }
        }
        names
    }
}

/// Reads a file whose state is taken before its text, so that a change in between is seen later.
fn read_text(path: &Path) -> std::io::Result<(FileStamp, String)> {
    let stamp = FileStamp::of(path)?;
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_string(&mut text)?;
    if text.len() > MAX_FILE_BYTES {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, format!("the file is larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok((stamp, text))
}
