//! Files stay small enough to know, and name no path of the machine they were written on.

use super::{Finding, TextFile};

/// Longer files are two files; the median of the codebases this one learns from is under a quarter of it.
const MOST_LINES: usize = 900;

/// Languages whose files people write and read; data and generated schemas may be longer.
const LANGUAGES: &[&str] = &[".rs", ".py", ".js", ".mjs", ".ts", ".tsx"];

/// Folders of the machines this repository is written on; they mean nothing to its readers. Split, so as not to find
/// this file.
const MACHINE_FOLDERS: &[&str] = &[concat!("/", "work", "/"), concat!("/", "farm", "/")];

/// Lists files that are too long, and lines that name a folder of the machine they were written on.
pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        findings.extend(too_long(file));
        findings.extend(machine_folders(file));
    }
    findings
}

fn too_long(file: &TextFile) -> Option<Finding> {
    let is_source = LANGUAGES.iter().any(|suffix| file.path.ends_with(suffix));
    let lines = file.text.lines().count();
    (is_source && lines > MOST_LINES).then(|| {
        Finding::new(
            &file.path,
            format!("{lines} lines, and a file has {MOST_LINES} at most; would it be easier to know as two?"),
        )
    })
}

fn machine_folders(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for folder in MACHINE_FOLDERS {
            if starts_a_path(line, folder) {
                let place = format!("{}:{}", file.path, index + 1);
                findings.push(Finding::new(place, format!("names `{folder}`, a folder of the machine it was written on")));
            }
        }
    }
    findings
}

/// Says whether the folder stands in the line as the start of a path, not in the middle of a longer one.
fn starts_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|character| character.is_alphanumeric() || "._-}>".contains(character))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: impl Into<String>) -> TextFile {
        TextFile { path: path.to_owned(), text: text.into() }
    }

    #[test]
    fn bounds_sources_only() {
        let long = "x\n".repeat(MOST_LINES + 1);
        let fitting = "x\n".repeat(MOST_LINES);
        assert_eq!(check(&[file("a.rs", fitting), file("a.jsonl", long.clone())]), []);
        let found = check(&[file("a.rs", long.clone()), file("b.py", long)]);
        let places: Vec<&str> = found.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(places, ["a.rs", "b.py"]);
    }

    #[test]
    fn finds_folders_of_a_machine() {
        let folder = MACHINE_FOLDERS[0];
        let found = check(&[file("a.md", format!("fine\nsee `{folder}x`\nfile://{folder}y"))]);
        let places: Vec<&str> = found.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(places, ["a.md:2", "a.md:3"]);
    }

    #[test]
    fn leaves_longer_paths_alone() {
        let folder = MACHINE_FOLDERS[0];
        assert_eq!(check(&[file("a.yml", format!("/home/runner{folder}x docs{folder}y ${{HOME}}{folder}z"))]), []);
    }
}
