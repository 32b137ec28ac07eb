//! What a configuration is read with: its files, the places in them, and what is wrong at these.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::ops::Range;
use std::rc::Rc;

use promptops_prompt::Severity;
use promptops_prompt::finding::Finding;
use promptops_prompt::yaml::{self, Kind, Node};
use serde_json::Value;

use super::CHECK;

/// The files beside a configuration. Paths are meant from its folder.
pub trait Files {
    /// Reads a text.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, path: &str) -> io::Result<String>;

    /// Returns the files that a pattern with `*`, `?` or `[…]` names, sorted.
    ///
    /// # Errors
    /// What the system says, or that the pattern is none.
    fn matching(&self, pattern: &str) -> io::Result<Vec<String>>;
}

/// Endings of files that promptfoo runs instead of reading them.
const CODE: [&str; 17] =
    ["js", "cjs", "mjs", "ts", "cts", "mts", "jsx", "tsx", "py", "rb", "go", "sh", "bash", "exe", "bat", "cmd", "ps1"];

/// A place in one of the files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) path: Rc<str>,
    pub(super) span: Range<usize>,
}

/// A node of one of the files.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'n> {
    pub(super) path: &'n Rc<str>,
    pub(super) node: &'n Node,
}

impl<'n> At<'n> {
    pub(super) fn place(self) -> Place {
        // A block ends where its last line ends; its first line is what a reader looks for.
        let span = match &self.node.kind {
            Kind::Mapping(pairs) => pairs.first().map_or_else(|| self.node.span.clone(), |(key, _)| key.span.clone()),
            _ => self.node.span.clone(),
        };
        Place { path: Rc::clone(self.path), span }
    }

    fn with(self, node: &'n Node) -> Self {
        Self { path: self.path, node }
    }

    /// Returns the pairs of a mapping, each with the place of its key.
    pub(super) fn pairs(self) -> Option<Vec<(&'n str, Place, Self)>> {
        let Kind::Mapping(pairs) = &self.node.kind else { return None };
        let pair = |(key, value): &'n (Node, Node)| {
            let place = Place { path: Rc::clone(self.path), span: key.span.clone() };
            (key.key_text(), place, self.with(value))
        };
        Some(pairs.iter().map(pair).collect())
    }

    /// Returns the items of a list.
    pub(super) fn items(self) -> Option<Vec<Self>> {
        let Kind::Sequence(items) = &self.node.kind else { return None };
        Some(items.iter().map(|item| self.with(item)).collect())
    }

    pub(super) fn get(self, key: &str) -> Option<Self> {
        self.node.get(key).map(|node| self.with(node))
    }

    pub(super) fn text(self) -> Option<&'n str> {
        self.node.as_text()
    }

    pub(super) fn is_null(self) -> bool {
        self.json().is_null()
    }

    /// Returns the value as JSON; what JSON does not have becomes null, which [`Reader::value`] tells.
    pub(super) fn json(self) -> Value {
        self.node.to_json(&mut Vec::new())
    }
}

/// A file that was read as YAML or JSON.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) path: Rc<str>,
    pub(super) node: Node,
}

impl Document {
    pub(super) fn root(&self) -> At<'_> {
        At { path: &self.path, node: &self.node }
    }
}

/// Reads files and collects findings.
pub(super) struct Reader<'f> {
    files: &'f dyn Files,
    findings: Vec<Finding>,
    told: HashSet<(Place, String)>,
    texts: BTreeMap<String, String>,
}

impl<'f> Reader<'f> {
    pub(super) fn new(files: &'f dyn Files) -> Self {
        Self { files, findings: Vec::new(), told: HashSet::new(), texts: BTreeMap::new() }
    }

    /// Returns what was found, and the texts of the files that it was found in.
    pub(super) fn finish(self) -> (Vec<Finding>, BTreeMap<String, String>) {
        (self.findings, self.texts)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Tells something once: what comes up case by case stands at one place all the same.
    fn tell(&mut self, severity: Severity, place: &Place, message: String, hint: Option<&str>) {
        if self.told.insert((place.clone(), message.clone())) {
            let finding = Finding::new(CHECK, severity, &place.path, place.span.clone(), message);
            self.findings.push(match hint {
                Some(hint) => finding.hint(hint),
                None => finding,
            });
        }
    }

    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.tell(Severity::Error, place, message.into(), None);
    }

    pub(super) fn error_with_hint(&mut self, place: &Place, message: impl Into<String>, hint: &str) {
        self.tell(Severity::Error, place, message.into(), Some(hint));
    }

    /// Says that something has no effect here, which changes no result.
    pub(super) fn note(&mut self, place: &Place, message: impl Into<String>) {
        self.tell(Severity::Note, place, message.into(), None);
    }

    /// Refuses what promptfoo would run.
    pub(super) fn code(&mut self, place: &Place, what: &str) {
        let hint = "only the data of a configuration is read; write it as data, or as a scorer of type `command`";
        self.error_with_hint(place, format!("{what} is code, which is not run"), hint);
    }

    /// Returns the text that is shown beside findings in a file.
    pub(super) fn keep(&mut self, path: &str, text: &str) -> Rc<str> {
        self.texts.insert(path.to_owned(), text.to_owned());
        Rc::from(path)
    }

    /// Reads what `file://…`, or a path without it, names. Code is refused.
    pub(super) fn open(&mut self, reference: &str, at: &Place) -> Option<(Rc<str>, String)> {
        let path = reference.strip_prefix("file://").unwrap_or(reference);
        if is_code(path) {
            self.code(at, &format!("`{path}`"));
            return None;
        }
        match self.files.read(path) {
            Ok(text) => {
                let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
                Some((self.keep(path, &text), text))
            }
            Err(error) => {
                self.error(at, format!("`{path}` cannot be read: {error}"));
                None
            }
        }
    }

    /// Tells whether a file can be read.
    pub(super) fn has(&self, path: &str) -> bool {
        self.files.read(path).is_ok()
    }

    /// Reads a YAML or JSON file.
    pub(super) fn document(&mut self, reference: &str, at: &Place) -> Option<Document> {
        let (path, text) = self.open(reference, at)?;
        self.parse(path, &text)
    }

    pub(super) fn parse(&mut self, path: Rc<str>, text: &str) -> Option<Document> {
        let (node, problems) = yaml::parse(text);
        let is_empty = problems.is_empty() && node.is_none();
        for problem in problems {
            self.error(&Place { path: Rc::clone(&path), span: problem.span }, problem.message);
        }
        if is_empty {
            self.error(&Place { path: Rc::clone(&path), span: 0..0 }, "the file is empty");
        }
        node.map(|node| Document { path, node })
    }

    /// Returns the files that a pattern names; a plain path names itself.
    pub(super) fn matching(&mut self, pattern: &str, at: &Place) -> Vec<String> {
        if !is_pattern(pattern) {
            return vec![pattern.to_owned()];
        }
        match self.files.matching(pattern) {
            Ok(paths) if paths.is_empty() => {
                self.error(at, format!("no file is named by `{pattern}`"));
                Vec::new()
            }
            Ok(paths) => paths,
            Err(error) => {
                self.error(at, format!("`{pattern}` cannot be looked up: {error}"));
                Vec::new()
            }
        }
    }

    /// Returns a value as JSON; what JSON does not have is told.
    pub(super) fn value(&mut self, at: At<'_>) -> Value {
        let mut problems = Vec::new();
        let value = at.node.to_json(&mut problems);
        for problem in problems {
            self.error(&Place { path: Rc::clone(at.path), span: problem.span }, problem.message);
        }
        value
    }

    /// Returns a text, or says that there is none.
    pub(super) fn text<'n>(&mut self, what: &str, at: At<'n>) -> Option<&'n str> {
        let text = at.text();
        if text.is_none() {
            self.error(&at.place(), format!("{what} is a text, not {}", at.node.type_name()));
        }
        text
    }

    pub(super) fn number(&mut self, what: &str, at: At<'_>) -> Option<f64> {
        let number = at.json().as_f64();
        if number.is_none() {
            self.error(&at.place(), format!("{what} is a number, not {}", at.node.type_name()));
        }
        number
    }

    pub(super) fn flag(&mut self, what: &str, at: At<'_>) -> bool {
        match at.json() {
            Value::Bool(flag) => flag,
            _ => {
                self.error(&at.place(), format!("{what} is `true` or `false`, not {}", at.node.type_name()));
                false
            }
        }
    }

    /// Returns a list of texts; one text is a list of one.
    pub(super) fn texts(&mut self, what: &str, at: At<'_>) -> Vec<String> {
        match at.items() {
            Some(items) => items.into_iter().filter_map(|item| self.text(what, item).map(str::to_owned)).collect(),
            None => self.text(what, at).map(str::to_owned).into_iter().collect(),
        }
    }
}

/// Tells whether a path has characters that make it a pattern.
pub(super) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

/// Tells whether promptfoo would run a file, also one with the name of a function after a colon.
pub(super) fn is_code(reference: &str) -> bool {
    let path = reference.strip_prefix("file://").unwrap_or(reference);
    let has_ending =
        |path: &str| path.rsplit_once('.').is_some_and(|(_, ending)| CODE.contains(&ending.to_ascii_lowercase().as_str()));
    has_ending(path) || path.rsplit_once(':').is_some_and(|(path, _)| has_ending(path))
}

/// Returns the ending of a path, in lower case.
pub(super) fn ending(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or_else(String::new, |(_, ending)| ending.to_ascii_lowercase())
}
