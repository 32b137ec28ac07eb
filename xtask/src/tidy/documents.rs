//! Every path a Markdown document names is in the repository.
//!
//! Links to relative paths count, and words in backticks that look like a path from the root: their first part is a
//! tracked file or folder of the root, or they are a capitalised document name such as `README.md`. Fenced code shows
//! what a user types in their own repository and is left alone.

use std::collections::BTreeSet;

use super::{Finding, TextFile};

/// Lists every path that a Markdown document names and that is not tracked.
pub(super) fn check(files: &[TextFile], tracked: &BTreeSet<String>) -> Vec<Finding> {
    let tree = Tree::new(tracked);
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line_number, line) in prose_lines(&file.text) {
            let place = format!("{}:{line_number}", file.path);
            for target in relative_links(line) {
                let resolved = resolve(folder, target);
                if !resolved.as_deref().is_some_and(|path| tree.holds(path)) {
                    findings.push(Finding::new(&place, format!("links to `{target}`, which is not in the repository")));
                }
            }
            for path in code_spans(line).filter_map(|span| tree.as_path(span)) {
                let beside = resolve(folder, path);
                if !tree.holds(path) && !beside.as_deref().is_some_and(|path| tree.holds(path)) {
                    findings.push(Finding::new(&place, format!("names `{path}`, which is not in the repository")));
                }
            }
        }
    }
    findings
}

/// The tracked files and the folders they lie in.
struct Tree<'tracked> {
    files: &'tracked BTreeSet<String>,
    folders: BTreeSet<&'tracked str>,
}

impl<'tracked> Tree<'tracked> {
    fn new(files: &'tracked BTreeSet<String>) -> Self {
        let mut folders = BTreeSet::from([""]);
        for file in files {
            folders.extend(file.match_indices('/').map(|(at, _)| &file[..at]));
        }
        Self { files, folders }
    }

    /// Says whether a file or folder is there. Of a path with a placeholder (`*`, `<name>`, `{a,b}`, `NNNN`) what stands
    /// before the placeholder's part must be there.
    fn holds(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        if self.files.contains(path) || self.folders.contains(path) {
            return true;
        }
        let parts: Vec<&str> = path.split('/').collect();
        match parts.iter().position(|part| is_placeholder(part)) {
            Some(first) => self.folders.contains(parts[..first].join("/").as_str()),
            None => false,
        }
    }

    /// Returns the path from the root that a word in backticks names, when it looks like one.
    fn as_path<'span>(&self, span: &'span str) -> Option<&'span str> {
        let path = without_line_number(span.trim_end_matches(['.', ',', ';']));
        let fitting = |character: char| character.is_alphanumeric() || "._-/*<>{},@+".contains(character);
        if path.is_empty() || !path.chars().all(fitting) {
            return None;
        }
        let names_document = path.strip_suffix(".md").is_some_and(is_capitalised);
        match path.split_once('/') {
            Some((first, rest)) => (!rest.is_empty() && !first.is_empty() && self.folders.contains(first)).then_some(path),
            None => names_document.then_some(path),
        }
    }
}

fn is_placeholder(part: &str) -> bool {
    part.contains(['*', '<', '{']) || part.contains("NNNN")
}

fn is_capitalised(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|character| character.is_ascii_uppercase() || character == '_')
}

fn without_line_number(path: &str) -> &str {
    match path.rsplit_once(':') {
        Some((file, line)) if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) => file,
        _ => path,
    }
}

/// Returns the lines outside fenced code and HTML comments, with their numbers.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => return Some((index + 1, line)),
            (Some(_), _) => {}
        }
        None
    })
}

/// Returns what stands between backticks; a span ends with as many backticks as it starts with.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let start = rest.find('`')?;
        let marks = rest[start..].bytes().take_while(|byte| *byte == b'`').count();
        let inside = &rest[start + marks..];
        let end = inside.find(&"`".repeat(marks))?;
        rest = &inside[end + marks..];
        Some(inside[..end].trim())
    })
}

/// Returns the relative targets of `[text](target)` and `[name]: target`, without their anchors.
fn relative_links(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
    targets.extend(definition.and_then(|target| target.split_whitespace().next()));
    for (at, _) in line.match_indices("](") {
        let inside = &line[at + 2..];
        let in_code = line[..at].matches('`').count() % 2 == 1;
        if let (false, Some(end)) = (in_code, inside.find(')')) {
            targets.extend(inside[..end].split_whitespace().next());
        }
    }
    targets
        .into_iter()
        .map(|target| target.trim_matches(['<', '>']))
        .map(|target| target.split_once('#').map_or(target, |(path, _)| path))
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// Joins a relative path to the folder of its document; `None` when it leaves the repository.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tidy says of one document in a small repository.
    fn found_in(path: &str, text: &str) -> Vec<String> {
        let tracked = ["README.md", "crates/a/src/lib.rs", "docs/guides/start.md", "docs/decisions/0001-one.md", "spec/form.md"];
        let mut tracked: BTreeSet<String> = tracked.map(str::to_owned).into();
        tracked.insert(path.to_owned());
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        check(&[file], &tracked).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn accepts_what_is_there() {
        let text = "`crates/a`, `crates/a/src/lib.rs:12`, `docs/guides/`, `README.md` and `docs/decisions/NNNN-*.md`,\n\
                    [start](docs/guides/start.md#first) and [form]\n\n[form]: spec/form.md\n";
        assert_eq!(found_in("GUIDE.md", text), Vec::<String>::new());
    }

    #[test]
    fn names_the_place_of_what_is_not() {
        let text = "one\n`crates/b/src/lib.rs` and `MISSING.md`\n[gone](docs/gone.md)\n[also]: ../outside.md\n";
        assert_eq!(
            found_in("GUIDE.md", text),
            [
                "GUIDE.md:2: names `crates/b/src/lib.rs`, which is not in the repository",
                "GUIDE.md:2: names `MISSING.md`, which is not in the repository",
                "GUIDE.md:3: links to `docs/gone.md`, which is not in the repository",
                "GUIDE.md:4: links to `../outside.md`, which is not in the repository",
            ]
        );
    }

    #[test]
    fn wants_the_part_before_a_placeholder() {
        assert_eq!(found_in("GUIDE.md", "`crates/*/src` and `docs/decisions/<number>.md`"), Vec::<String>::new());
        assert_eq!(found_in("GUIDE.md", "`crates/b/*.rs`").len(), 1);
    }

    #[test]
    fn resolves_links_from_the_document() {
        assert_eq!(
            found_in("docs/guides/next.md", "[a](start.md) [b](../../README.md) [c](../decisions/)"),
            Vec::<String>::new()
        );
        assert_eq!(found_in("docs/guides/next.md", "[a](README.md)").len(), 1);
        assert_eq!(found_in("docs/guides/next.md", "`docs/guides/start.md`"), Vec::<String>::new());
    }

    #[test]
    fn leaves_alone_what_is_no_path_of_the_repository() {
        let text = "`prompts/support/intent.yaml` `promptops.toml` `application/json` `cargo xtask test` `crates/{{ x }}`\n\
                    [web](https://example.com/docs/x.md) [mail](mailto:a@example.com) [here](#anchor) `[x](gone.md)`\n\
                    ```\n`crates/nope/lib.rs` [x](gone.md)\n```\n";
        assert_eq!(found_in("GUIDE.md", text), Vec::<String>::new());
    }

    #[test]
    fn reads_on_after_a_fence() {
        assert_eq!(found_in("GUIDE.md", "```text\n~~~\n```\n`crates/nope`\n").len(), 1);
    }

    #[test]
    fn reads_spans_of_several_backticks() {
        let spans: Vec<&str> = code_spans("a `b` ``c ` d`` e `f").collect();
        assert_eq!(spans, ["b", "c ` d"]);
    }
}
