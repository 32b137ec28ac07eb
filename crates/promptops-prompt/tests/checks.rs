//! Every file of `tests/checks` is a case: a small project, and the findings that it must give.
//!
//! Sections start with `=== <path>`; `=== base <path>` is a file at the base revision, `=== owners.yaml` the owners, and
//! `=== findings` what is expected. `PROMPTOPS_UPDATE_EXPECTED=1` writes the found ones there, to be reviewed.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and is told by the environment to update")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use promptops_prompt::check::{self, Base, BaseVersion, CHECKS, Summary, Surroundings, incompatible_change};
use promptops_prompt::compatibility::{self, Level};
use promptops_prompt::draft::Draft;
use promptops_prompt::finding::{self, Edit, Finding};
use promptops_prompt::owners::Owners;
use promptops_prompt::{Closure, Content};

struct Case {
    files: Vec<(String, String)>,
    base: Vec<(String, String)>,
    owners: Option<String>,
    expected: String,
}

fn read(text: &str) -> Case {
    let mut case = Case { files: Vec::new(), base: Vec::new(), owners: None, expected: String::new() };
    for section in text.split("=== ").skip(1) {
        let (name, body) = section.split_once('\n').unwrap();
        match name.split_once(' ') {
            Some(("base", path)) => case.base.push((path.to_owned(), body.to_owned())),
            _ if name == "findings" => case.expected = body.to_owned(),
            _ if name == "owners.yaml" => case.owners = Some(body.to_owned()),
            _ => case.files.push((name.to_owned(), body.to_owned())),
        }
    }
    case
}

/// Holds a version against the one at the base, as whoever has both contents does.
fn incompatible(case: &Case, summary: &Summary) -> Option<Finding> {
    let prompt = |files: &[(String, String)]| {
        let text = &files.iter().find(|(path, _)| *path == summary.path)?.1;
        Draft::parse(&summary.path, text).0.prompt()
    };
    let (old, new) = (prompt(&case.base)?, prompt(&case.files)?);
    let closure = |prompt| Closure::of(Content::new(prompt, BTreeMap::new()));
    let comparisons = compatibility::compare(&closure(&old), &closure(&new), Level::Full, &[]);
    let broken = compatibility::breaks(&old.reference(), &comparisons);
    let is_new = new.version > old.version && new.breaking().is_none();
    (is_new && !broken.is_empty()).then(|| incompatible_change::breaks(summary, Level::Full, &broken))
}

fn run(case: &Case) -> Vec<(String, String)> {
    let in_folder = |path: &str| path.strip_prefix("prompts/").unwrap().to_owned();
    let mut findings = Vec::new();
    let mut summaries = Vec::new();
    for (path, text) in &case.files {
        let report = check::check_file(path, &in_folder(path), text);
        findings.extend(report.findings);
        summaries.extend(report.summary);
    }
    let base: Base = case
        .base
        .iter()
        .filter_map(|(path, text)| check::check_file(path, &in_folder(path), text).summary)
        .map(|summary| {
            (summary.reference.id, BaseVersion { version: summary.reference.version, content_key: summary.content_key })
        })
        .collect();
    let owners = case.owners.as_ref().map(|text| Owners::parse("owners.yaml", text));
    findings.extend(owners.iter().flat_map(|(_, findings)| findings.iter().cloned()));
    let owners = owners.map(|(owners, _)| owners);
    let surroundings = Surroundings {
        owners: owners.as_ref(),
        base: (!case.base.is_empty()).then_some(&base),
        has_file: Some(&|path| path == "evals/there.yaml"),
    };
    let summaries: Vec<_> = summaries.iter().collect();
    findings.extend(check::check_project(&summaries, surroundings));
    findings.extend(summaries.iter().filter_map(|summary| incompatible(case, summary)));
    finding::sort(&mut findings);
    let show = |finding: &Finding| {
        let location = &finding.primary.location;
        let file = case.files.iter().find(|(path, _)| *path == location.path).map(|(_, text)| text);
        let text = file.or(case.owners.as_ref()).unwrap();
        let line = text[..location.span.start].matches('\n').count() + 1;
        let source = text[location.span.clone()].lines().next().unwrap_or_default();
        let mut shown =
            format!("{}[{}] {}:{line} `{source}`: {}\n", finding.severity.name(), finding.check, location.path, finding.message);
        shown.extend(finding.related.iter().map(|label| format!("  {}: {}\n", label.location.path, label.text)));
        shown.extend(finding.hint.iter().map(|hint| format!("  hint: {hint}\n")));
        for fix in &finding.fixes {
            let edit = |edit: &Edit| format!("{:?} → {:?}", &text[edit.span.clone()], edit.replacement);
            let (kind, edits) = (if fix.is_safe { "fix" } else { "suggestion" }, fix.edits.iter().map(edit).collect::<Vec<_>>());
            shown.push_str(&format!("  {kind}: {}: {}\n", fix.title, edits.join(", ")));
        }
        (finding.check.clone(), shown)
    };
    findings.iter().map(show).collect()
}

#[test]
fn every_case_gives_its_findings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checks");
    let is_updating = std::env::var_os("PROMPTOPS_UPDATE_EXPECTED").is_some();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let case = read(&text);
        let found = run(&case);
        seen.extend(found.iter().map(|(check, _)| check.clone()));
        let shown: String = found.into_iter().map(|(_, shown)| shown).collect();
        if shown == case.expected {
            continue;
        }
        if is_updating {
            let before = text.split("=== findings\n").next().unwrap();
            fs::write(&path, format!("{before}=== findings\n{shown}")).unwrap();
        }
        wrong.push(format!("{}:\n--- expected\n{}--- found\n{shown}", path.display(), case.expected));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Those need what is around the files; the examples of all checks are run by the command line's tests.
    seen.extend(["unreadable-file", "unused-suppression", "eval-file", "eval-dataset"].map(str::to_owned));
    let without_case: Vec<&str> = CHECKS.iter().map(|check| check.id).filter(|id| !seen.contains(*id)).collect();
    assert_eq!(without_case, Vec::<&str>::new(), "every check needs a case that finds something");
}
