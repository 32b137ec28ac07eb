//! Suppressions: comments in a prompt file that let a finding pass, with the reason.
//!
//! `# promptops: allow secret -- the key of the public demo`. A comment at the end of a line is about the entry that begins on that
//! line, one on a line of its own about the entry after it; both cover all of that entry, since a template cannot hold comments.

use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::finding::{Edit, Finding, Severity};
use crate::yaml::{Kind, Node, Scalar, Style, whole_lines};

/// A comment that lets findings pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// The file, from the project's root.
    pub path: String,
    /// The checks whose findings pass.
    pub checks: Vec<String>,
    /// Why.
    pub reason: String,
    /// The bytes of the comment, with the `#`.
    pub comment: Range<usize>,
    /// The bytes it is about: from the comment or the start of its line to the end of the entry.
    pub covers: Range<usize>,
    /// The bytes to remove when it is no longer needed: the comment with the space before it, or its line.
    pub removal: Range<usize>,
}

/// A finding that a comment lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// The finding.
    pub finding: Finding,
    /// Why it passes.
    pub reason: String,
}

/// What such a comment begins with.
const MARK: &str = "promptops:";
const FORM: &str = "write `# promptops: allow CHECK -- reason`, with commas between several checks";
/// So many comments of one file are read.
const MAX_SUPPRESSIONS: usize = 200;

/// Reads the suppressions of a file, and adds a finding for each that is not well-formed.
pub fn read(path: &str, text: &str, root: &Node, findings: &mut Vec<Finding>) -> Vec<Suppression> {
    let mut suppressions = Vec::new();
    if !text.contains(MARK) {
        return suppressions;
    }
    let mut scalars = Vec::new();
    collect_scalars(root, &mut scalars);
    scalars.sort_unstable_by_key(|(span, _)| span.start);
    let is_comment = |at: usize| is_comment(text, at, &scalars);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let comment = line.match_indices('#').map(|(at, _)| start + at).find(|at| is_comment(*at));
        let end = start + line.trim_end().len();
        if let Some(at) = comment
            && let Some(body) = text[at..end].trim_start_matches('#').trim_start().strip_prefix(MARK)
            && suppressions.len() < MAX_SUPPRESSIONS
        {
            match parse(body) {
                Ok((checks, reason)) => suppressions.push(suppression(path, text, at..end, start, checks, reason)),
                Err(message) => {
                    findings.push(Finding::new("suppression-form", Severity::Error, path, at..end, message).hint(FORM));
                }
            }
        }
        start += line.len();
    }
    suppressions
}

/// Lets findings pass, and finds suppressions that nothing needs. `has_run` tells whether a check was carried out at all.
pub fn apply(
    findings: Vec<Finding>,
    by_path: &HashMap<&str, &[Suppression]>,
    has_run: impl Fn(&str) -> bool,
) -> (Vec<Finding>, Vec<Suppressed>) {
    let mut used: HashMap<&str, Vec<Vec<bool>>> = HashMap::new();
    for (path, suppressions) in by_path {
        used.insert(path, suppressions.iter().map(|one| vec![false; one.checks.len()]).collect());
    }
    let (mut left, mut suppressed) = (Vec::new(), Vec::new());
    for finding in findings {
        let location = &finding.primary.location;
        let suppressions = by_path.get(location.path.as_str()).copied().unwrap_or_default();
        let matching = suppressions.iter().enumerate().find_map(|(index, one)| {
            let covers = one.covers.start <= location.span.start && location.span.start < one.covers.end.max(1);
            let check = one.checks.iter().position(|check| *check == finding.check)?;
            covers.then_some((index, check, one))
        });
        match matching {
            Some((index, check, one)) => {
                if let Some(used) = used.get_mut(location.path.as_str()) {
                    used[index][check] = true;
                }
                suppressed.push(Suppressed { finding, reason: one.reason.clone() });
            }
            None => left.push(finding),
        }
    }
    for (path, suppressions) in by_path {
        for (one, used) in suppressions.iter().zip(&used[path]) {
            left.extend(unused(path, one, used, &has_run));
        }
    }
    (left, suppressed)
}

/// Says which checks of a comment have nothing to let pass.
fn unused(path: &str, one: &Suppression, used: &[bool], has_run: &impl Fn(&str) -> bool) -> Option<Finding> {
    let is_needed = |(check, used): &(&String, &bool)| **used || !has_run(check);
    let (needed, idle): (Vec<_>, Vec<_>) = one.checks.iter().zip(used).partition(is_needed);
    if idle.is_empty() {
        return None;
    }
    let needed: Vec<&str> = needed.into_iter().map(|(check, _)| check.as_str()).collect();
    let listed = idle.iter().map(|(check, _)| format!("`{check}`")).collect::<Vec<_>>().join(" and ");
    let message = format!("there is no finding of {listed} here to suppress");
    let finding = Finding::new("unused-suppression", Severity::Warning, path, one.comment.clone(), message);
    Some(if needed.is_empty() {
        finding.fix("remove the suppression", vec![Edit::new(one.removal.clone(), "")])
    } else {
        let rest = written(&needed, &one.reason);
        finding.fix(format!("keep only {}", needed.join(", ")), vec![Edit::new(one.comment.clone(), rest)])
    })
}

/// Returns the comment that lets findings of these checks pass.
pub fn written(checks: &[&str], reason: &str) -> String {
    format!("# {MARK} allow {} -- {reason}", checks.join(", "))
}

/// Returns where a comment on a line of its own stands that covers `at`, with its indentation: before the line of the entry of the
/// outermost mapping that holds it, or of a message.
pub fn place_for(text: &str, at: usize) -> (usize, String) {
    let at = at.min(text.len());
    let mut line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    loop {
        let line = text[line_start..].lines().next().unwrap_or_default();
        let indentation = line.len() - line.trim_start().len();
        let is_text = line.trim().is_empty() || line.trim_start().starts_with('#');
        if line_start == 0 || (indentation == 0 && !is_text) {
            return (line_start, String::new());
        }
        line_start = text[..line_start - 1].rfind('\n').map_or(0, |end| end + 1);
    }
}

fn suppression(
    path: &str,
    text: &str,
    comment: Range<usize>,
    line_start: usize,
    checks: Vec<String>,
    reason: String,
) -> Suppression {
    let before = &text[line_start..comment.start];
    let is_alone = before.trim_start_matches('\u{feff}').trim().is_empty();
    let removal = match whole_lines(text, comment.clone()).filter(|_| is_alone) {
        Some(lines) => lines,
        None => line_start + before.trim_end().len()..comment.end,
    };
    let anchor = if is_alone { next_entry(text, comment.end) } else { Some(line_start) };
    let end = anchor.map_or(comment.end, |anchor| entry_end(text, anchor));
    let start = if is_alone { comment.start } else { line_start };
    Suppression { path: path.to_owned(), checks, reason, comment, covers: start..end, removal }
}

/// Returns the start of the first line after `from` that is neither empty nor a comment.
fn next_entry(text: &str, from: usize) -> Option<usize> {
    let mut start = from + text[from..].find('\n')? + 1;
    for line in text[start..].split_inclusive('\n') {
        let content = line.trim();
        if !content.is_empty() && !content.starts_with('#') {
            return Some(start);
        }
        start += line.len();
    }
    None
}

/// Returns the end of the entry that begins on a line: all lines after it that are indented further, or are empty, or are items of a
/// list that a key at the same indentation has.
fn entry_end(text: &str, anchor: usize) -> usize {
    let mut lines = text[anchor..].split_inclusive('\n');
    let Some(first) = lines.next() else { return anchor };
    let indentation = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_item = |line: &str| line.trim_start().starts_with("- ") || line.trim() == "-";
    let own = indentation(first);
    let mut end = anchor + first.len();
    for line in lines {
        let is_inside =
            line.trim().is_empty() || indentation(line) > own || (indentation(line) == own && is_item(line) && !is_item(first));
        if !is_inside {
            break;
        }
        end += line.len();
    }
    end
}

/// Reads what stands after `promptops:`.
fn parse(body: &str) -> Result<(Vec<String>, String), String> {
    let Some(rest) = body.trim().strip_prefix("allow ") else {
        return Err("a comment for promptops says `allow`".to_owned());
    };
    let Some((checks, reason)) = rest.split_once("--").map(|(checks, reason)| (checks, reason.trim())) else {
        return Err("the suppression gives no reason".to_owned());
    };
    if reason.is_empty() {
        return Err("the suppression gives no reason".to_owned());
    }
    let mut names = Vec::new();
    for name in checks.split(',').map(str::trim) {
        let Some(check) = Check::find(name) else {
            let near = Check::near(name);
            return Err(match near.first() {
                Some(near) => format!("there is no check `{name}`; did you mean `{near}`?"),
                None => format!("there is no check `{name}`"),
            });
        };
        if check.is_firm || check.id == "unused-suppression" {
            return Err(format!("`{name}` cannot be suppressed"));
        }
        names.push(name.to_owned());
    }
    Ok((names, reason.to_owned()))
}

fn collect_scalars<'node>(node: &'node Node, scalars: &mut Vec<(Range<usize>, &'node Scalar)>) {
    match &node.kind {
        Kind::Scalar(scalar) => scalars.push((node.span.clone(), scalar)),
        Kind::Sequence(items) => items.iter().for_each(|item| collect_scalars(item, scalars)),
        Kind::Mapping(pairs) => pairs.iter().for_each(|(key, value)| {
            collect_scalars(key, scalars);
            collect_scalars(value, scalars);
        }),
    }
}

/// Tells whether a `#` begins a comment: after white space, and outside of texts.
fn is_comment(text: &str, at: usize, scalars: &[(Range<usize>, &Scalar)]) -> bool {
    let before = text[..at].chars().next_back();
    if before.is_some_and(|before| ![' ', '\t', '\n', '\r', '\u{feff}'].contains(&before)) {
        return false;
    }
    let next = scalars.partition_point(|(span, _)| span.start <= at);
    let Some((span, scalar)) = next.checked_sub(1).map(|last| &scalars[last]) else { return true };
    if !span.contains(&at) {
        return true;
    }
    // The line of `|` or `>` belongs to the span of some blocks, and may end in a comment.
    let is_block = matches!(scalar.style, Style::Literal | Style::Folded) && text[span.start..].starts_with(['|', '>']);
    is_block && !text[span.start..at].contains('\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn read_all(text: &str) -> (Vec<Suppression>, Vec<String>) {
        let (node, problems) = yaml::parse(text);
        assert_eq!(problems, []);
        let mut findings = Vec::new();
        let read = read("a.yaml", text, &node.unwrap(), &mut findings);
        (read, findings.into_iter().map(|finding| finding.message).collect())
    }

    /// What the comments of a text are about.
    fn covered(text: &str) -> Vec<&str> {
        read_all(text).0.iter().map(|one| &text[one.covers.clone()]).collect()
    }

    #[test]
    fn a_comment_covers_the_entry_beside_or_below_it() {
        let allow = "# promptops: allow secret -- made up";
        assert_eq!(covered(&format!("a: 1\nb: 2 {allow}\nc: 3\n")), [format!("b: 2 {allow}\n")]);
        assert_eq!(
            covered(&format!("a: 1\n{allow}\n# and more\n\nb:\n  c: 2\n\n  d: 3\ne: 4\n")),
            [format!("{allow}\n# and more\n\nb:\n  c: 2\n\n  d: 3\n")]
        );
        assert_eq!(covered(&format!("{allow}\nm:\n- a: 1\n- b: 2\nn: 3\n")), [format!("{allow}\nm:\n- a: 1\n- b: 2\n")]);
        assert_eq!(covered(&format!("m:\n- a: 1 {allow}\n  c: 2\n- b: 2\n")), [format!("- a: 1 {allow}\n  c: 2\n")]);
        assert_eq!(
            covered(&format!("a: 1\r\nt: | {allow}\r\n  x\r\n  y\r\nb: 2\r\n")),
            [format!("t: | {allow}\r\n  x\r\n  y\r\n")]
        );
        assert_eq!(covered(&format!("a: 1\n{allow}")), [allow]);
    }

    #[test]
    fn what_stands_in_a_text_is_no_comment() {
        for text in [
            "t: |\n  # promptops: allow secret -- no\n  x\n",
            "t: >\n  a # promptops: allow secret -- no\n",
            "t: \"a # promptops: allow secret -- no\"\n",
            "t: 'a\n  # promptops: allow secret -- no'\n",
            "t: a#promptops: allow\n",
        ] {
            let (read, messages) = read_all(&text.replace("a#promptops: allow", "a#promptops:allow"));
            assert_eq!((read, messages), (Vec::new(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn a_comment_of_another_form_is_named() {
        let message = |comment: &str| read_all(&format!("a: 1 # promptops: {comment}\n")).1;
        assert_eq!(message("deny secret"), ["a comment for promptops says `allow`"]);
        assert_eq!(message("allow secret"), ["the suppression gives no reason"]);
        assert_eq!(message("allow secret -- "), ["the suppression gives no reason"]);
        assert_eq!(message("allow secrets -- x"), ["there is no check `secrets`; did you mean `secret`?"]);
        assert_eq!(message("allow secret, wrong-type -- x"), ["`wrong-type` cannot be suppressed"]);
        assert_eq!(message("allow secret, floating-model -- x"), Vec::<String>::new());
    }

    #[test]
    fn one_that_nothing_needs_is_found_and_removed() {
        let text = "a: 1\n# promptops: allow secret, floating-model -- x\nb: 2 \nc: 3   # promptops: allow secret -- y\n";
        let (read, _) = read_all(text);
        let finding = Finding::new("floating-model", Severity::Warning, "a.yaml", text.find("b:").unwrap()..54, "alias");
        let by_path = HashMap::from([("a.yaml", read.as_slice())]);
        let (left, suppressed) = apply(vec![finding], &by_path, |_| true);
        assert_eq!(suppressed.len(), 1);
        let mended = left.iter().rev().fold(text.to_owned(), |mut text, finding| {
            let edit = &finding.fixes[0].edits[0];
            text.replace_range(edit.span.clone(), &edit.replacement);
            text
        });
        assert_eq!(mended, "a: 1\n# promptops: allow floating-model -- x\nb: 2 \nc: 3\n");
        let (left, _) = apply(Vec::new(), &by_path, |_| false);
        assert_eq!(left, []);
    }

    #[test]
    fn a_suppression_is_put_above_its_entry() {
        let text = "# head\nid: a\ntemplate: |\n  one\n\n  two {{ x }}\n";
        assert_eq!(place_for(text, text.find("x }}").unwrap()), (text.find("template").unwrap(), String::new()));
        assert_eq!(place_for(text, 0), (0, String::new()));
    }
}
