//! Runs the checks over a project: each file once, unchanged ones from the cache, then all of them together.

use std::collections::HashMap;

use promptops_prompt::check::{self, Base, BaseVersion, FileReport, Summary, Surroundings};
use promptops_prompt::finding::{self, Finding, Severity};
use promptops_prompt::owners::Owners;
use promptops_store::{GitError, Repository};
use rayon::prelude::*;

use crate::check_cache::{CheckCache, Key};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::secret_mask;
use crate::working_tree::{PromptFile, WorkingTree, is_prompt_file};

/// The name of the file with people and teams.
pub const OWNERS_FILE: &str = "owners.yaml";

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// The revision to compare with.
    pub base: Option<String>,
    /// Whether results are neither taken from the cache nor kept.
    pub without_cache: bool,
}

/// What the checks gave.
#[derive(Debug)]
pub struct Checked {
    /// Every finding, in the order in which they are shown.
    pub findings: Vec<Finding>,
    /// What is known of each readable prompt.
    pub summaries: Vec<Summary>,
    /// The texts of the files, for showing findings; secrets are masked where there are any.
    pub texts: HashMap<String, String>,
    /// How many prompt files there are, readable or not.
    pub file_count: usize,
    /// Why results could not be kept, if so.
    pub cache_failure: Option<std::io::Error>,
}

impl Checked {
    /// Counts the findings of one severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Runs every check over the project's working tree.
pub fn run(project: &Project, options: &CheckOptions) -> Outcome<Checked> {
    let tree = WorkingTree::read(project)?;
    let cache = if options.without_cache { CheckCache::none() } else { CheckCache::read(&project.cache_folder()) };
    let reports = look_at(&tree.files, &cache);
    let base = options.base.as_deref().map(|revision| base(project, revision, &cache)).transpose()?;
    let (owners, owners_text, owners_findings) = read_owners(project)?;
    let cache_failure = keep(&cache, &reports);

    let file_count = tree.files.len() + tree.findings.len();
    let mut findings = tree.findings;
    findings.extend(owners_findings);
    let mut summaries = Vec::with_capacity(reports.len());
    for (_, report) in reports {
        let report = report.into_owned();
        findings.extend(report.findings);
        summaries.extend(report.summary);
    }
    let has_file = |path: &str| project.root.join(path).is_file();
    let surroundings = Surroundings { owners: owners.as_ref(), base: base.as_ref(), has_file: Some(&has_file) };
    findings.extend(check::check_project(&summaries, surroundings));
    finding::sort(&mut findings);
    let mut texts: HashMap<String, String> = tree.files.into_iter().map(|file| (file.path, file.text)).collect();
    texts.extend(owners_text.map(|text| (OWNERS_FILE.to_owned(), text)));
    secret_mask::mask(&mut findings, &mut texts);
    Ok(Checked { findings, summaries, texts, file_count, cache_failure })
}

type Report<'cache> = std::borrow::Cow<'cache, FileReport>;

fn look_at<'cache>(files: &[PromptFile], cache: &'cache CheckCache) -> Vec<(Key, Report<'cache>)> {
    let look = |file: &PromptFile| {
        let key = CheckCache::key(file);
        let report = match cache.get(&key) {
            Some(report) => Report::Borrowed(report),
            None => Report::Owned(check::check_file(&file.path, &file.path_in_folder, &file.text)),
        };
        (key, report)
    };
    files.par_iter().map(look).collect()
}

fn keep(cache: &CheckCache, reports: &[(Key, Report<'_>)]) -> Option<std::io::Error> {
    let used: Vec<(Key, &FileReport)> = reports.iter().map(|(key, report)| (*key, report.as_ref())).collect();
    cache.write(&used).err()
}

/// Returns the prompts as they stood at `revision`. A file that did not change costs no second look.
pub fn base(project: &Project, revision: &str, cache: &CheckCache) -> Outcome<Base> {
    let reports = look_at(&files_at(project, revision)?, cache).into_iter().map(|(_, report)| report.into_owned().summary);
    let entry = |summary: Summary| {
        let base = BaseVersion { version: summary.reference.version, content_key: summary.content_key };
        (summary.reference.id, base)
    };
    Ok(reports.flatten().map(entry).collect())
}

/// Returns the prompt files as they stood at `revision`.
pub fn files_at(project: &Project, revision: &str) -> Outcome<Vec<PromptFile>> {
    let repository = Repository::discover(&project.root).map_err(git_failure)?;
    let folder = repository.relative(&project.prompts_folder()).map_err(git_failure)?;
    let commit = repository.resolve(revision).map_err(git_failure)?;
    let mut files = Vec::new();
    for extension in ["yaml", "yml"] {
        for file in repository.files_at(commit, &folder, extension).map_err(git_failure)? {
            let path_in_folder = file.path.strip_prefix(&folder).unwrap_or(&file.path).trim_start_matches('/').to_owned();
            let is_prompt = path_in_folder.rsplit('/').next().is_some_and(is_prompt_file);
            // What was not text then is reported by the check of the file as it is now.
            if let (true, Ok(text)) = (is_prompt, String::from_utf8(file.bytes.to_vec())) {
                let path = format!("{}/{path_in_folder}", project.config.prompts.path.trim_matches('/'));
                files.push(PromptFile { path, path_in_folder, text });
            }
        }
    }
    Ok(files)
}

/// Turns a failure of Git into one of the command.
pub fn git_failure(error: GitError) -> Failure {
    let hint = error.hint().map(str::to_owned);
    let failure = Failure::from_error(Exit::NotFound, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

type OwnersFile = (Option<Owners>, Option<String>, Vec<Finding>);

fn read_owners(project: &Project) -> Outcome<OwnersFile> {
    let path = project.root.join(OWNERS_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let (owners, findings) = Owners::parse(OWNERS_FILE, &text);
            Ok((Some(owners), Some(text), findings))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((None, None, Vec::new())),
        Err(error) => Err(Failure::io("read", &path, error)),
    }
}
