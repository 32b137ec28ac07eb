//! The prompt files of the working tree, read in parallel and within bounds.

use std::io::Read as _;
use std::path::Path;

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
    /// Reads every `.yaml` and `.yml` file below the prompts folder. Symbolic links are not followed.
    pub fn read(project: &Project) -> Outcome<Self> {
        let folder = project.prompts_folder();
        let mut paths = Vec::new();
        collect(&folder, "", &mut paths).map_err(|(path, error)| {
            let failure = Failure::io("read the folder", &path, error);
            if failure.exit == Exit::NotFound {
                failure.hint("`prompts.path` in promptops.toml names the folder of prompts")
            } else {
                failure
            }
        })?;
        paths.sort_unstable();
        let prefix = project.config.prompts.path.trim_matches('/').to_owned();
        let read: Vec<Result<PromptFile, Box<Finding>>> =
            paths.into_par_iter().map(|path_in_folder| read_file(&folder, &prefix, path_in_folder)).collect();
        let mut tree = Self::default();
        for result in read {
            match result {
                Ok(file) => tree.files.push(file),
                Err(finding) => tree.findings.push(*finding),
            }
        }
        Ok(tree)
    }
}

/// Tells whether a file of this name holds a prompt.
pub fn is_prompt_file(name: &str) -> bool {
    (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.starts_with('.')
}

fn collect(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> Result<(), (std::path::PathBuf, std::io::Error)> {
    let fail = |error| (folder.to_owned(), error);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        // A name that is not text cannot belong to an id.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().map_err(fail)?;
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        if kind.is_dir() && !name.starts_with('.') {
            collect(&entry.path(), &path, paths)?;
        } else if kind.is_file() && is_prompt_file(&name) {
            paths.push(path);
        }
    }
    Ok(())
}

fn read_file(folder: &Path, prefix: &str, path_in_folder: String) -> Result<PromptFile, Box<Finding>> {
    let path = if prefix.is_empty() { path_in_folder.clone() } else { format!("{prefix}/{path_in_folder}") };
    let finding = |check: &str, message: String| Box::new(Finding::new(check, Severity::Error, &path, 0..0, message));
    let mut bytes = Vec::new();
    if let Err(error) = read_bounded(&folder.join(&path_in_folder), &mut bytes) {
        return Err(finding("unreadable-file", format!("the file cannot be read: {error}")));
    }
    if bytes.len() > MAX_FILE_BYTES {
        return Err(finding("file-limit", format!("the file is larger than the {MAX_FILE_BYTES} bytes that are read")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(PromptFile { path, path_in_folder, text }),
        Err(error) => {
            let place = error.utf8_error().valid_up_to();
            Err(finding("yaml-syntax", format!("the file is not UTF-8; the first wrong byte is number {}", place + 1)))
        }
    }
}

/// Bytes that hold almost every prompt, so that a file costs one call to open, one to read and one to close.
const USUAL_BYTES: usize = 16 << 10;

/// Reads at most one byte more than [`MAX_FILE_BYTES`].
fn read_bounded(path: &Path, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    let mut file = std::fs::File::open(path)?;
    let mut usual = [0; USUAL_BYTES];
    let mut filled = 0;
    // A regular file gives less than was asked for only at its end.
    while filled < USUAL_BYTES {
        match file.read(&mut usual[filled..]) {
            Ok(count) if filled + count < USUAL_BYTES => {
                bytes.extend_from_slice(&usual[..filled + count]);
                return Ok(());
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.extend_from_slice(&usual);
    file.take((MAX_FILE_BYTES + 1 - USUAL_BYTES) as u64).read_to_end(bytes).map(|_| ())
}
