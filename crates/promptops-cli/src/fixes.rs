//! `--fix`: changes the files as the findings say, by ranges of bytes, so that comments and everything else stay.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use promptops_prompt::finding::{Edit, Finding};
use similar::TextDiff;

use crate::checks::{self, CheckOptions, Checked};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::project::Project;
use crate::secret_mask;

/// So many times the files are looked at again after they were mended: one fix may make room for another.
const MAX_ROUNDS: usize = 10;

/// Files as they would be after all safe fixes.
#[derive(Debug)]
pub struct Mended {
    files: BTreeMap<String, MendedFile>,
    /// What the checks say of the files as they would be.
    pub left: Checked,
}

/// One file, before and after.
#[derive(Debug)]
struct MendedFile {
    before: String,
    after: String,
    titles: Vec<String>,
}

/// Makes every safe fix, in memory: finds, mends and looks again until nothing is left to mend.
pub fn mend(project: &Project, options: &CheckOptions) -> Outcome<Mended> {
    let mut files: BTreeMap<String, MendedFile> = BTreeMap::new();
    for _ in 0..MAX_ROUNDS {
        let checked = checked_with(project, options, &files)?;
        if !mend_once(project, &checked, &mut files)? {
            return Ok(Mended { files, left: checked });
        }
    }
    let left = checked_with(project, options, &files)?;
    Ok(Mended { files, left })
}

fn checked_with(project: &Project, options: &CheckOptions, files: &BTreeMap<String, MendedFile>) -> Outcome<Checked> {
    let overlay: HashMap<String, String> = files.iter().map(|(path, file)| (path.clone(), file.after.clone())).collect();
    checks::run(project, &CheckOptions { overlay, goes_on: true, ..options.clone() })
}

/// Applies the safe fixes of one look at the files; tells whether there was one.
fn mend_once(project: &Project, checked: &Checked, files: &mut BTreeMap<String, MendedFile>) -> Outcome<bool> {
    let mut by_path: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    // What is known already is mended, too: a baseline is to become smaller.
    for finding in checked.findings.iter().chain(&checked.known) {
        by_path.entry(finding.primary.location.path.as_str()).or_default().push(finding);
    }
    let mut has_mended = false;
    for (path, findings) in by_path {
        let (chosen, titles) = safe_edits(findings.iter().copied());
        if chosen.is_empty() {
            continue;
        }
        let current = match files.get(path) {
            Some(file) => file.after.clone(),
            None => read(&project.root.join(path))?,
        };
        let Some(after) = checked.texts.get(path).and_then(|looked_at| applied(&current, looked_at, chosen)) else { continue };
        let file = files.entry(path.to_owned()).or_insert_with(|| MendedFile {
            before: current,
            after: String::new(),
            titles: Vec::new(),
        });
        file.after = after;
        file.titles.extend(titles.into_iter().map(|title| format!("{path}: {title}")));
        has_mended = true;
    }
    Ok(has_mended)
}

/// Returns the changes of all safe fixes of one file that do not overlap, and names the fixes.
pub fn safe_edits<'a>(findings: impl Iterator<Item = &'a Finding>) -> (Vec<Edit>, Vec<String>) {
    let (mut chosen, mut titles): (Vec<Edit>, Vec<String>) = Default::default();
    for finding in findings {
        let Some(fix) = finding.fixes.iter().find(|fix| fix.is_safe) else { continue };
        // A fix is made as a whole or not at all; one that is left out comes with the next look.
        if fix.edits.iter().all(|edit| chosen.iter().all(|other| !overlap(&edit.span, &other.span))) {
            chosen.extend(fix.edits.iter().cloned());
            titles.push(format!("{} ({})", fix.title, finding.check));
        }
    }
    (chosen, titles)
}

/// Tells whether two changes touch each other. Two that put something in at one place do: their order would be a guess.
fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start.max(other.start) < one.end.min(other.end) || (one.start == other.start && (one.is_empty() || other.is_empty()))
}

/// Applies changes that do not overlap, from the last to the first. `looked_at` is the text that the changes are about, secrets
/// masked; nothing if the file is another by now.
fn applied(current: &str, looked_at: &str, mut edits: Vec<Edit>) -> Option<String> {
    let mut masked = current.to_owned();
    secret_mask::mask_text(&mut masked);
    if masked != looked_at {
        return None;
    }
    edits.sort_by_key(|edit| std::cmp::Reverse((edit.span.start, edit.span.end)));
    let mut text = current.to_owned();
    for edit in edits {
        text.get(edit.span.clone())?;
        text.replace_range(edit.span, &edit.replacement);
    }
    Some(text)
}

fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, error))
}

impl Mended {
    /// Tells whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Names every fix.
    pub fn titles(&self) -> impl Iterator<Item = &str> {
        self.files.values().flat_map(|file| &file.titles).map(String::as_str)
    }

    /// Says in one line what was mended; `verb` is `were` or `would be`.
    pub fn summary(&self, verb: &str) -> String {
        let (fixes, files) = (self.titles().count(), self.files.len());
        match (fixes, verb) {
            (0, _) => "there is nothing to mend".to_owned(),
            (1, "were") => "1 finding was mended".to_owned(),
            (1, _) => format!("1 finding {verb} mended"),
            _ => format!("{fixes} findings {verb} mended in {files} {}", if files == 1 { "file" } else { "files" }),
        }
    }

    /// Shows the changes as a unified diff, secrets masked.
    pub fn diff(&self) -> String {
        let shown = |(path, file): (&String, &MendedFile)| {
            let (mut before, mut after) = (file.before.clone(), file.after.clone());
            secret_mask::mask_text(&mut before);
            secret_mask::mask_text(&mut after);
            TextDiff::from_lines(&before, &after).unified_diff().header(&format!("a/{path}"), &format!("b/{path}")).to_string()
        };
        self.files.iter().map(shown).collect()
    }

    /// Writes the files, each at once or not at all. A file that somebody changed meanwhile stops it.
    pub fn write(&self, project: &Project) -> Outcome<()> {
        for (path, file) in &self.files {
            let path = project.root.join(path);
            if read(&path)? != file.before {
                return Err(Failure::new(Exit::Conflict, format!("`{}` changed while it was mended", path.display()))
                    .hint("run the same command again"));
            }
            replace(&path, &file.after).map_err(|error| Failure::io("write", &path, error))?;
        }
        Ok(())
    }
}

/// Replaces the content of a file by a new file beside it, with the same permissions.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let staged = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let permissions = std::fs::metadata(path)?.permissions();
    let written = std::fs::write(&staged, text)
        .and_then(|()| std::fs::set_permissions(&staged, permissions))
        .and_then(|()| std::fs::rename(&staged, path));
    if written.is_err() {
        // Nothing half-written stays behind; the failure that is reported says more than this one would.
        let _ = std::fs::remove_file(&staged);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_made_from_the_last_to_the_first() {
        let edits = vec![Edit::new(0..1, "A"), Edit::new(4..5, ""), Edit::new(2..2, "-")];
        assert_eq!(applied("abcde", "abcde", edits.clone()).as_deref(), Some("Ab-cd"));
        assert_eq!(applied("abcdX", "abcde", edits), None);
    }

    #[test]
    fn a_secret_stays_what_it_is() {
        let text = "password: tr0ub4dor&3\nownr: t\n";
        let looked_at = "password: ***********\nownr: t\n";
        let after = applied(text, looked_at, vec![Edit::new(22..26, "owner")]);
        assert_eq!(after.as_deref(), Some("password: tr0ub4dor&3\nowner: t\n"));
    }

    #[test]
    fn touching_changes_do_not_overlap() {
        assert!(overlap(&(0..2), &(1..3)));
        assert!(!overlap(&(0..2), &(2..3)));
        assert!(overlap(&(2..2), &(2..2)));
        assert!(!overlap(&(1..2), &(2..2)));
    }
}
