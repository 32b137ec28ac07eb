//! Runs the checks over a project: each file once, unchanged ones from the cache, then all of them together.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use promptops_prompt::baseline::KnownV1;
use promptops_prompt::check::{self, Base, BaseVersion, Summary, Surroundings};
use promptops_prompt::finding::{self, Finding, Severity};
use promptops_prompt::owners::Owners;
use promptops_prompt::suppression::{Suppressed, Suppression};
use promptops_store::{CommitId, GitError};
use rayon::prelude::*;

use crate::allowances::{self, BaselineChoice, Settled};
use crate::base_revision::BaseRevision;
use crate::check_cache::{CheckCache, Key, LookedAt};
use crate::compatibility;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::secret_mask;
use crate::text_file;
use crate::working_tree::{Buffer, Listing, PromptFile};

/// The name of the file with people and teams.
pub const OWNERS_FILE: &str = "owners.yaml";

/// How to run.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// The revision to compare with.
    pub base: Option<String>,
    /// Whether new versions are held against those before them, as far as there is a base. The gate does that itself.
    pub with_compatibility: bool,
    /// Whether results are neither taken from the cache nor kept.
    pub without_cache: bool,
    /// Which findings are known already.
    pub baseline: BaselineChoice,
    /// Texts that count in place of what the files hold, by path from the project's root.
    pub overlay: HashMap<String, String>,
    /// Whether the process goes on after this look; then the summaries are returned, and all other memory is given back.
    pub goes_on: bool,
    /// What the base revision holds, for the next look.
    pub known_base: KnownBase,
}

/// What a base revision holds, kept from one look to the next; clones share it. A commit never changes, so of Git only the commit that
/// the revision names is looked up again.
#[derive(Debug, Clone, Default)]
pub struct KnownBase(Arc<Mutex<Option<BaseAt>>>);

/// The prompts of a commit.
type BaseAt = (CommitId, Arc<Base>);

impl KnownBase {
    /// Returns the prompts of a revision of the project. The project is the same each time.
    fn at(&self, project: &Project, revision: &str, cache: &CheckCache) -> Outcome<Arc<Base>> {
        let revision = BaseRevision::open(project, revision)?;
        // What is kept is whole or not there at all, whatever a thread that ended was doing.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, base)) = known.as_ref().filter(|(commit, _)| *commit == revision.commit()) {
            return Ok(Arc::clone(base));
        }
        let base = Arc::new(base(&revision.prompt_files()?, cache));
        *known = Some((revision.commit(), Arc::clone(&base)));
        Ok(base)
    }
}

/// What the checks gave.
#[derive(Debug)]
pub struct Checked {
    /// Every finding that counts, in the order in which they are shown.
    pub findings: Vec<Finding>,
    /// Findings that a comment lets pass.
    pub suppressed: Vec<Suppressed>,
    /// Findings that the baseline lets pass.
    pub known: Vec<Finding>,
    /// What is in the baseline and was not found again.
    pub vanished: Vec<KnownV1>,
    /// The names of the prompt files.
    pub listing: Listing,
    /// What there is to know of each file, if it was asked for.
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
    let read_cache = || if options.without_cache { CheckCache::none() } else { CheckCache::read(&project.cache_folder()) };
    let (listing, cache) = rayon::join(|| Listing::read(project), read_cache);
    let mut listing = listing?.with_overlay(&options.overlay);
    let base = options.base.as_deref().map(|revision| options.known_base.at(project, revision, &cache)).transpose()?;
    let (looked_at, unreadable) = look_at(&listing, &cache);
    let (owners, owners_text, owners_findings) = match options.overlay.get(OWNERS_FILE) {
        Some(text) => owners_file(text.clone()),
        None => read_owners(project)?,
    };

    let has_file = |path: &str| project.root.join(path).is_file();
    let surroundings = Surroundings { owners: owners.as_ref(), base: base.as_deref(), has_file: Some(&has_file) };
    let summaries: Vec<&Summary> = looked_at.iter().filter_map(|looked| looked.report.summary.as_ref()).collect();
    let copies_and_references =
        || rayon::join(|| check::check_copies(&summaries), || check::check_references(&summaries, surroundings));
    let ((copies, references), kept) = rayon::join(copies_and_references, || cache.write(&looked_at));

    let mut findings = unreadable;
    findings.extend(owners_findings);
    findings.extend(copies);
    findings.extend(references);
    if let (Some(revision), Some(base)) = (options.base.as_deref().filter(|_| options.with_compatibility), &base) {
        findings.extend(compatibility::findings(project, revision, &summaries, base)?);
    }
    findings.extend(looked_at.iter().flat_map(|looked| looked.report.findings.iter().cloned()));
    let file_count = listing.paths.len();
    let suppressions: Vec<&[Suppression]> = looked_at.iter().map(|looked| looked.report.suppressions.as_slice()).collect();
    let mut texts = shown_texts(&findings, &suppressions, &listing, &cache, &looked_at);
    findings.append(&mut listing.findings);
    finding::sort(&mut findings);
    texts.extend(owners_text.map(|text| (OWNERS_FILE.to_owned(), text)));
    secret_mask::mask(&mut findings, &mut texts);
    let has_run = |check: &str| match check {
        "immutable-version" => options.base.is_some(),
        "incompatible-change" => options.base.is_some() && options.with_compatibility,
        _ => true,
    };
    let settled = allowances::settle(project, &options.baseline, &has_run, findings, &suppressions, &texts)?;
    let mut summaries = Vec::new();
    if options.goes_on {
        summaries.extend(looked_at.into_iter().filter_map(|looked| looked.report.summary));
    } else {
        // The process ends soon; giving back ten thousand reports piece by piece would take longer than some checks.
        std::mem::forget(looked_at);
    }
    let Settled { findings, suppressed, known, vanished } = settled;
    Ok(Checked { findings, suppressed, known, vanished, listing, summaries, texts, file_count, cache_failure: kept.err() })
}

/// Reads each file, takes its report from the cache if it is known, and looks at it otherwise. One file after the other on each
/// thread, so that a text is read, hashed and looked at while it is in the processor's cache, and its memory serves the next.
///
/// Also returns what is wrong with files that cannot be read.
fn look_at(listing: &Listing, cache: &CheckCache) -> (Vec<LookedAt>, Vec<Finding>) {
    let look = |buffer: &mut Buffer, path_in_folder: &String| {
        let bytes = listing.bytes(path_in_folder, buffer)?;
        let key = cache.key(&listing.path_from_root(path_in_folder), path_in_folder, bytes);
        if let Some(report) = cache.get(&key) {
            return Ok(LookedAt { key, report, is_new: false });
        }
        let file = listing.file_of(path_in_folder, bytes)?;
        Ok(LookedAt { key, report: check::check_file(&file.path, &file.path_in_folder, &file.text), is_new: true })
    };
    let looked: Vec<Result<LookedAt, Box<Finding>>> = listing.paths.par_iter().map_init(Buffer::default, look).collect();
    let mut unreadable = Vec::new();
    // Collected where the results lie, since there are many and they are large.
    let looked_at = looked.into_iter().filter_map(|result| result.map_err(|finding| unreadable.push(*finding)).ok()).collect();
    (looked_at, unreadable)
}

/// Returns the texts of the files that something is said about, read once more. One that changed since it was looked at is left
/// out: places in it would be wrong.
fn shown_texts(
    findings: &[Finding],
    suppressions: &[&[Suppression]],
    listing: &Listing,
    cache: &CheckCache,
    looked_at: &[LookedAt],
) -> HashMap<String, String> {
    let mut is_shown: HashSet<&str> =
        findings.iter().flat_map(Finding::locations).map(|location| location.path.as_str()).collect();
    // Of a suppression it is not known yet whether anything needs it.
    is_shown.extend(suppressions.iter().filter_map(|ones| Some(ones.first()?.path.as_str())));
    if is_shown.is_empty() {
        return HashMap::new();
    }
    let keys: HashSet<&Key> = looked_at.iter().map(|looked| &looked.key).collect();
    let shown = listing.paths.par_iter().filter(|path| is_shown.contains(listing.path_from_root(path).as_str()));
    let read = |buffer: &mut Buffer, path: &String| listing.file(path, buffer).ok();
    let files = shown.map_init(Buffer::default, read).flatten().filter(|file| keys.contains(&cache.key_of(file)));
    files.map(|file| (file.path, file.text)).collect()
}

/// Returns the prompts of a revision. A file that did not change since costs no second look.
fn base(files: &[PromptFile], cache: &CheckCache) -> Base {
    let summary = |file: &PromptFile| match cache.get(&cache.key_of(file)) {
        Some(report) => report.summary,
        None => check::check_file(&file.path, &file.path_in_folder, &file.text).summary,
    };
    let summaries: Vec<Option<Summary>> = files.par_iter().map(summary).collect();
    let entry = |summary: Summary| {
        let base = BaseVersion { version: summary.reference.version, content_key: summary.content_key };
        (summary.reference.id, base)
    };
    summaries.into_iter().flatten().map(entry).collect()
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

/// Reads `owners.yaml` of the working tree for a command that needs all of it to be right; nothing when there is none.
pub fn owners_of(project: &Project) -> Outcome<Option<Owners>> {
    let (owners, _, findings) = read_owners(project)?;
    match findings.iter().find(|finding| finding.severity == Severity::Error) {
        Some(finding) => Err(Failure::new(Exit::Usage, format!("`{OWNERS_FILE}` is not valid: {}", finding.message))
            .hint("`promptops check` shows the place")),
        None => Ok(owners),
    }
}

type OwnersFile = (Option<Owners>, Option<String>, Vec<Finding>);

fn owners_file(text: String) -> OwnersFile {
    let (owners, findings) = Owners::parse(OWNERS_FILE, &text);
    (Some(owners), Some(text), findings)
}

fn read_owners(project: &Project) -> Outcome<OwnersFile> {
    let path = project.root.join(OWNERS_FILE);
    match text_file::read(&path) {
        Ok(text) => Ok(owners_file(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((None, None, Vec::new())),
        Err(error) => Err(Failure::io("read", &path, error)),
    }
}
