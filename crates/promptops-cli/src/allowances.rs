//! What a project lets pass of what the checks found: suppressions in the files, levels in `promptops.toml`, and a baseline.
//!
//! Applied after the results of earlier runs are taken, so that those depend on nothing but the content of a file.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use promptops_prompt::baseline::{BASELINE_FILE, BaselineV1, Compared, KnownV1};
use promptops_prompt::finding::{self, Finding};
use promptops_prompt::suppression::{self, Suppressed, Suppression};

use crate::base_revision::BaseRevision;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::text_file;

/// Which baseline counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BaselineChoice {
    /// The one beside `promptops.toml`, if there is one.
    #[default]
    OfProject,
    /// This file.
    File(PathBuf),
    /// None.
    None,
}

/// Findings, sorted by what becomes of them.
#[derive(Debug, Default)]
pub struct Settled {
    /// Those that count.
    pub findings: Vec<Finding>,
    /// Those that a comment lets pass.
    pub suppressed: Vec<Suppressed>,
    /// Those that the baseline lets pass.
    pub known: Vec<Finding>,
    /// What is in the baseline and was not found again.
    pub vanished: Vec<KnownV1>,
}

/// Lets findings pass. `texts` are those of the files, secrets masked.
pub fn settle(
    project: &Project,
    choice: &BaselineChoice,
    has_run: &dyn Fn(&str) -> bool,
    findings: Vec<Finding>,
    suppressions: &[&[Suppression]],
    texts: &HashMap<String, String>,
) -> Outcome<Settled> {
    let by_path: HashMap<&str, &[Suppression]> =
        suppressions.iter().filter_map(|ones| Some((ones.first()?.path.as_str(), *ones))).collect();
    let (findings, suppressed) = suppression::apply(findings, &by_path, has_run);
    let mut findings = project.config.checks.apply(findings);
    finding::sort(&mut findings);
    match baseline(project, choice)? {
        Some(baseline) => {
            let Compared { new, known, vanished } = baseline.compare(findings, texts, has_run);
            Ok(Settled { findings: new, suppressed, known, vanished })
        }
        None => Ok(Settled { findings, suppressed, ..Settled::default() }),
    }
}

/// Returns the path of the baseline.
pub fn baseline_path(project: &Project, choice: &BaselineChoice) -> Option<PathBuf> {
    match choice {
        BaselineChoice::OfProject => Some(project.root.join(BASELINE_FILE)),
        BaselineChoice::File(path) => Some(path.clone()),
        BaselineChoice::None => None,
    }
}

fn baseline(project: &Project, choice: &BaselineChoice) -> Outcome<Option<BaselineV1>> {
    let Some(path) = baseline_path(project, choice) else { return Ok(None) };
    let text = match text_file::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && *choice == BaselineChoice::OfProject => return Ok(None),
        Err(error) => return Err(Failure::io("read the baseline", &path, error)),
    };
    parse(&text).map(Some).map_err(|reason| {
        Failure::new(Exit::Usage, format!("the baseline `{}` is not valid: {reason}", path.display()))
            .hint("write it anew with `promptops check --write-baseline`")
    })
}

/// Reads a baseline.
pub fn parse(text: &str) -> Result<BaselineV1, String> {
    let baseline: BaselineV1 = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match baseline.version {
        1 => Ok(baseline),
        other => Err(format!("its version is {other}, and this program knows 1")),
    }
}

/// Says where the project lets more pass than at the base: levels that fall, and findings that were added to the baseline.
pub fn weakened(project: &Project, base: &BaseRevision) -> Outcome<Vec<String>> {
    let mut weaker = project.config.checks.weaker_than(&base.config()?.checks);
    let known_before = base.text(BASELINE_FILE)?.and_then(|text| parse(&text).ok());
    let known_before: HashSet<String> =
        known_before.into_iter().flat_map(|baseline| baseline.findings).map(|known| known.fingerprint).collect();
    if let Some(now) = baseline(project, &BaselineChoice::OfProject)? {
        let added = now.findings.iter().filter(|known| !known_before.contains(&known.fingerprint)).count();
        if added > 0 {
            let findings = if added == 1 { "finding" } else { "findings" };
            weaker.push(format!("the baseline of the checks lets {added} more {findings} pass"));
        }
    }
    Ok(weaker)
}
