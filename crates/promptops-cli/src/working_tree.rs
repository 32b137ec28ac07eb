//! The prompt files of the working tree, read in parallel and within bounds.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use promptops_prompt::finding::{Finding, Severity};
use promptops_prompt::yaml::MAX_FILE_BYTES;
use rayon::prelude::*;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;

/// One prompt file as it stands in the working tree or at a revision.
#[derive(Debug, Clone)]
pub struct PromptFile {
    /// The path from the project's root, with `/`.
    pub path: String,
    /// The path below the prompts folder, with `/`.
    pub path_in_folder: String,
    /// Its text.
    pub text: String,
}

/// Every prompt file that could be read, sorted by path, and a finding for every one that could not.
#[derive(Debug, Default)]
pub struct WorkingTree {
    /// The files.
    pub files: Vec<PromptFile>,
    /// What is wrong with the others.
    pub findings: Vec<Finding>,
}

impl WorkingTree {
    /// Reads every prompt file of a project.
    pub fn read(project: &Project) -> Outcome<Self> {
        let listing = Listing::read(project)?;
        let read: Vec<Result<PromptFile, Box<Finding>>> =
            listing.paths.par_iter().map_init(Buffer::default, |buffer, path| listing.file(path, buffer)).collect();
        let mut tree = Self { files: Vec::new(), findings: listing.findings };
        for result in read {
            match result {
                Ok(file) => tree.files.push(file),
                Err(finding) => tree.findings.push(*finding),
            }
        }
        Ok(tree)
    }
}

/// The names of the prompt files, before any is read.
#[derive(Debug)]
pub struct Listing {
    /// The paths below the prompts folder, with `/`, sorted.
    pub paths: Vec<String>,
    /// What is wrong with what is named like a prompt and is no file.
    pub findings: Vec<Finding>,
    folder: PathBuf,
    prefix: String,
    /// Texts that count in place of what the files hold, by path from the project's root.
    overlay: HashMap<String, String>,
}

impl Listing {
    /// Finds every `.yaml` and `.yml` file below the prompts folder. Symbolic links are not followed, and named.
    pub fn read(project: &Project) -> Outcome<Self> {
        let folder = project.prompts_folder();
        let mut found = Found::default();
        collect(&folder, "", &mut found).map_err(|(path, error)| {
            let failure = Failure::io("read the folder", &path, error);
            if matches!(failure.exit, Exit::NotFound | Exit::Usage) {
                failure.hint("`prompts.path` in promptops.toml names the folder of prompts")
            } else {
                failure
            }
        })?;
        let Found { mut paths, others } = found;
        paths.sort_unstable();
        let prefix = project.config.prompts.path.trim_matches('/').to_owned();
        let findings = others.into_iter().map(|other| other.finding(&prefix)).collect();
        Ok(Self { paths, findings, folder: from_here(folder), prefix, overlay: HashMap::new() })
    }

    /// Lets texts count in place of what the files hold, also of files that are not there yet.
    #[must_use]
    pub fn with_overlay(mut self, overlay: &HashMap<String, String>) -> Self {
        for path in overlay.keys() {
            let in_folder =
                if self.prefix.is_empty() { Some(path.as_str()) } else { path.strip_prefix(&format!("{}/", self.prefix)) };
            let Some(path_in_folder) = in_folder.filter(|path| path.rsplit('/').next().is_some_and(is_prompt_file)) else {
                continue;
            };
            if let Err(at) = self.paths.binary_search_by(|known| known.as_str().cmp(path_in_folder)) {
                self.paths.insert(at, path_in_folder.to_owned());
            }
        }
        self.overlay.clone_from(overlay);
        self
    }

    /// Tells whether a path from the project's root is one of the files.
    pub fn holds(&self, path: &str) -> bool {
        let in_folder = if self.prefix.is_empty() { Some(path) } else { path.strip_prefix(&format!("{}/", self.prefix)) };
        in_folder.is_some_and(|path| self.paths.binary_search_by(|known| known.as_str().cmp(path)).is_ok())
    }

    /// Returns the path of one of the files from the project's root.
    pub fn path_from_root(&self, path_in_folder: &str) -> String {
        from_root(&self.prefix, path_in_folder)
    }

    /// Reads the bytes of one of the files, which may be anything. An unchanged file needs no more.
    pub fn bytes<'a>(&'a self, path_in_folder: &str, buffer: &'a mut Buffer) -> Result<&'a [u8], Box<Finding>> {
        if !self.overlay.is_empty()
            && let Some(text) = self.overlay.get(&self.path_from_root(path_in_folder))
        {
            return Ok(text.as_bytes());
        }
        read_bytes(&self.folder, &self.prefix, path_in_folder, buffer)
    }

    /// Makes one of the files of its bytes.
    pub fn file_of(&self, path_in_folder: &str, bytes: &[u8]) -> Result<PromptFile, Box<Finding>> {
        prompt_file(&self.prefix, path_in_folder, bytes)
    }

    /// Reads one of the files.
    pub fn file(&self, path_in_folder: &str, buffer: &mut Buffer) -> Result<PromptFile, Box<Finding>> {
        self.file_of(path_in_folder, self.bytes(path_in_folder, buffer)?)
    }
}

/// Tells whether a file of this name holds a prompt.
pub fn is_prompt_file(name: &str) -> bool {
    (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.starts_with('.')
}

/// What lies below the prompts folder.
#[derive(Debug, Default)]
struct Found {
    /// Paths of the files of prompts, from the prompts folder.
    paths: Vec<String>,
    /// What is named like a prompt, or may lead to prompts, and is not read.
    others: Vec<Other>,
}

/// Something that somebody may take for a prompt.
#[derive(Debug)]
struct Other {
    path: String,
    severity: Severity,
    what: &'static str,
    hint: &'static str,
}

impl Other {
    /// Tells what is wrong with an entry that is neither a file nor a folder of prompts; nothing where nobody would expect one.
    fn new(path: &str, name: &str, entry: &std::fs::DirEntry, kind: std::fs::FileType) -> Option<Self> {
        let other = |severity, what, hint| Some(Self { path: path.to_owned(), severity, what, hint });
        let is_named_so = is_prompt_file(name);
        if kind.is_symlink() {
            let leads_to_folder = || std::fs::metadata(entry.path()).is_ok_and(|target| target.is_dir());
            let hint = "put the file itself here: what a link leads to is not what Git keeps";
            return match is_named_so {
                true => other(Severity::Error, "symbolic links are not followed", hint),
                false if leads_to_folder() => other(Severity::Warning, "symbolic links are not followed", hint),
                false => None,
            };
        }
        match (is_named_so, kind.is_dir()) {
            (true, true) => other(Severity::Error, "a folder is named like a prompt file", "rename the folder"),
            (true, false) => other(Severity::Error, "this is not a regular file", "put a file here, or remove it"),
            (false, _) => None,
        }
    }

    fn finding(self, prefix: &str) -> Finding {
        Finding::new("unreadable-file", self.severity, &from_root(prefix, &self.path), 0..0, self.what).hint(self.hint)
    }
}

/// Returns the folder by the shorter way from where the process stands, if it is below: the system walks through every folder of a
/// path again for each file that is opened, which is a good part of checking files that did not change.
#[expect(clippy::disallowed_methods, reason = "no answer depends on it: both ways lead to the same folder")]
fn from_here(folder: PathBuf) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match folder.strip_prefix(&here) {
        Ok(below) if !below.as_os_str().is_empty() => below.to_owned(),
        _ => folder,
    }
}

fn from_root(prefix: &str, path_in_folder: &str) -> String {
    if prefix.is_empty() { path_in_folder.to_owned() } else { format!("{prefix}/{path_in_folder}") }
}

fn collect(folder: &Path, prefix: &str, found: &mut Found) -> Result<(), (PathBuf, std::io::Error)> {
    let fail = |error| (folder.to_owned(), error);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        // A name that is not text cannot belong to an id.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().map_err(fail)?;
        let path = from_root(prefix, &name);
        if kind.is_file() {
            if is_prompt_file(&name) {
                found.paths.push(path);
            }
            continue;
        }
        found.others.extend(Other::new(&path, &name, &entry, kind));
        if kind.is_dir() && !name.starts_with('.') {
            collect(&entry.path(), &path, found)?;
        }
    }
    Ok(())
}

/// Memory that one file after the other is read into.
#[derive(Debug)]
pub struct Buffer {
    /// Always at least [`USUAL_BYTES`], of which the file that was read last fills the beginning.
    bytes: Vec<u8>,
    filled: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { bytes: vec![0; USUAL_BYTES], filled: 0 }
    }
}

/// Bytes that hold almost every prompt, so that a file costs one call to open, one to read and one to close.
const USUAL_BYTES: usize = 16 << 10;

impl Buffer {
    /// Returns the file that was read last.
    fn file(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Reads at most one byte more than [`MAX_FILE_BYTES`].
    fn read(&mut self, path: &Path) -> std::io::Result<()> {
        let mut file = std::fs::File::open(path)?;
        self.bytes.truncate(USUAL_BYTES);
        self.filled = 0;
        // A regular file gives less than was asked for only at its end.
        while self.filled < USUAL_BYTES {
            let wanted = USUAL_BYTES - self.filled;
            match file.read(&mut self.bytes[self.filled..]) {
                Ok(count) => {
                    self.filled += count;
                    if count < wanted {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        file.take((MAX_FILE_BYTES + 1 - USUAL_BYTES) as u64).read_to_end(&mut self.bytes)?;
        self.filled = self.bytes.len();
        Ok(())
    }
}

/// Reads the bytes of a file into the buffer, unless they are too many.
fn read_bytes<'buffer>(
    folder: &Path,
    prefix: &str,
    path_in_folder: &str,
    buffer: &'buffer mut Buffer,
) -> Result<&'buffer [u8], Box<Finding>> {
    let finding =
        |check: &str, message: String| Finding::new(check, Severity::Error, &from_root(prefix, path_in_folder), 0..0, message);
    if let Err(error) = buffer.read(&folder.join(path_in_folder)) {
        let finding = finding("unreadable-file", format!("the file cannot be read: {error}"));
        return Err(Box::new(finding.hint("give this user the right to read it, or look after the disk")));
    }
    if buffer.filled > MAX_FILE_BYTES {
        let finding = finding("file-limit", format!("the file is larger than the {MAX_FILE_BYTES} bytes that are read"));
        return Err(Box::new(finding.hint("a file of this size is no prompt: move it out of the prompts folder")));
    }
    Ok(buffer.file())
}

/// Makes a file of its bytes.
fn prompt_file(prefix: &str, path_in_folder: &str, bytes: &[u8]) -> Result<PromptFile, Box<Finding>> {
    let path = from_root(prefix, path_in_folder);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(PromptFile { path, path_in_folder: path_in_folder.to_owned(), text: text.to_owned() }),
        Err(error) => {
            let message = format!("the file is not UTF-8; the first wrong byte is number {}", error.valid_up_to() + 1);
            let finding = Finding::new("yaml-syntax", Severity::Error, &path, 0..0, message);
            Err(Box::new(finding.hint("save it as UTF-8")))
        }
    }
}
