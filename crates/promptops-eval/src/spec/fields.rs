//! The fields of a YAML mapping, taken one by one; whatever is wrong or left over becomes a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use promptops_prompt::Severity;
use promptops_prompt::draft::Spanned;
use promptops_prompt::finding::Finding;
use promptops_prompt::yaml::{Kind, Node};
use serde_json::Value;

use super::CHECK;

/// Collects findings about one file.
#[derive(Debug)]
pub(crate) struct Findings {
    path: String,
    /// What was found so far.
    pub(crate) list: Vec<Finding>,
}

impl Findings {
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), list: Vec::new() }
    }

    pub(crate) fn error(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.list.push(Finding::new(CHECK, Severity::Error, &self.path, span, message));
    }

    pub(crate) fn error_with_hint(&mut self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.list.push(Finding::new(CHECK, Severity::Error, &self.path, span, message).hint(hint));
    }
}

/// The fields of one mapping.
pub(crate) struct Fields<'a, 'f> {
    /// What the mapping is, for messages: `the scorer`.
    what: &'static str,
    span: Range<usize>,
    pairs: &'a [(Node, Node)],
    asked: BTreeSet<&'static str>,
    pub(crate) findings: &'f mut Findings,
}

impl<'a, 'f> Fields<'a, 'f> {
    /// Takes a mapping apart; anything else is a finding.
    pub(crate) fn of(node: &'a Node, what: &'static str, findings: &'f mut Findings) -> Option<Self> {
        match &node.kind {
            Kind::Mapping(pairs) => {
                // A block ends where its last line ends; its first line is what a reader looks for.
                let first = pairs.first().map_or_else(|| node.span.clone(), |(key, _)| key.span.clone());
                Some(Self { what, span: first, pairs, asked: BTreeSet::new(), findings })
            }
            _ => {
                findings.error(node.span.clone(), format!("{what} is a mapping of fields, not {}", node.type_name()));
                None
            }
        }
    }

    /// Returns the place at which a missing field is told.
    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Returns a field as it stands.
    pub(crate) fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.insert(key);
        self.pairs.iter().find(|(name, _)| name.key_text() == key).map(|(_, value)| value)
    }

    /// Returns a field that must be there.
    pub(crate) fn required(&mut self, key: &'static str) -> Option<&'a Node> {
        let node = self.node(key);
        if node.is_none() {
            self.findings.error(self.span.clone(), format!("{} lacks `{key}`", self.what));
        }
        node
    }

    /// Returns a field that is a text, if it is there.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<Spanned<String>> {
        let node = self.node(key)?;
        self.text_of(key, node)
    }

    /// Returns a field that must be there and be a text.
    pub(crate) fn required_text(&mut self, key: &'static str) -> Option<Spanned<String>> {
        let node = self.required(key)?;
        self.text_of(key, node)
    }

    fn text_of(&mut self, key: &str, node: &Node) -> Option<Spanned<String>> {
        match node.as_text() {
            Some(text) => Some(Spanned { value: text.to_owned(), span: node.span.clone() }),
            None => {
                let hint = matches!(node.kind, Kind::Scalar(_)).then_some("put it in quotes to make it a text");
                self.wrong_type(key, "a text", node, hint);
                None
            }
        }
    }

    /// Returns a field that is a list of texts (or one text, which is a list of one), if it is there.
    pub(crate) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let node = self.node(key)?;
        if let Some(text) = node.as_text() {
            return Some(vec![text.to_owned()]);
        }
        let Kind::Sequence(items) = &node.kind else {
            self.wrong_type(key, "a list of texts", node, None);
            return None;
        };
        let texts: Option<Vec<String>> = items.iter().map(|item| self.text_of(key, item).map(|text| text.value)).collect();
        if items.is_empty() {
            self.findings.error(node.span.clone(), format!("`{key}` is empty"));
            return None;
        }
        texts
    }

    /// Returns a field that is a number, if it is there.
    pub(crate) fn number(&mut self, key: &'static str) -> Option<Spanned<f64>> {
        let node = self.node(key)?;
        match node.to_json(&mut Vec::new()).as_f64() {
            Some(number) => Some(Spanned { value: number, span: node.span.clone() }),
            None => {
                self.wrong_type(key, "a number", node, None);
                None
            }
        }
    }

    /// Returns a field that is a whole number from 0 on, if it is there.
    pub(crate) fn count(&mut self, key: &'static str) -> Option<usize> {
        let number = self.number(key)?;
        if number.value.fract() != 0.0 || !(0.0..=1e15).contains(&number.value) {
            let message = format!("`{key}` is a whole number from 0 on, not {}", number.value);
            self.findings.error(number.span, message);
            return None;
        }
        Some(number.value as usize)
    }

    /// Returns the number of the option that a field names, if it is there.
    pub(crate) fn choice(&mut self, key: &'static str, options: &[&str]) -> Option<usize> {
        let text = self.text(key)?;
        let found = options.iter().position(|option| *option == text.value);
        if found.is_none() {
            let (last, others) = options.split_last()?;
            let or = if others.is_empty() { String::new() } else { format!("`{}` or ", others.join("`, `")) };
            let message = format!("`{key}` is {or}`{last}`, not `{}`", text.value);
            self.findings.error(text.span, message);
        }
        found
    }

    /// Returns a field that is true or false; false when it is not there.
    pub(crate) fn flag(&mut self, key: &'static str) -> bool {
        let Some(node) = self.node(key) else { return false };
        match node.to_json(&mut Vec::new()) {
            Value::Bool(flag) => flag,
            _ => {
                self.wrong_type(key, "`true` or `false`", node, None);
                false
            }
        }
    }

    /// Returns a field as JSON, if it is there.
    pub(crate) fn json(&mut self, key: &'static str) -> Option<Spanned<Value>> {
        let node = self.node(key)?;
        let mut problems = Vec::new();
        let value = node.to_json(&mut problems);
        for problem in problems {
            self.findings.error(problem.span, problem.message);
        }
        Some(Spanned { value, span: node.span.clone() })
    }

    /// Returns a field that maps variables to columns; empty where it is not there.
    pub(crate) fn columns(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let Some(node) = self.node(key) else { return BTreeMap::new() };
        let Kind::Mapping(pairs) = &node.kind else {
            self.wrong_type(key, "a mapping of variables to columns", node, None);
            return BTreeMap::new();
        };
        let column = |(name, column): &(Node, Node)| Some((name.key_text().to_owned(), self.text_of(key, column)?.value));
        pairs.iter().filter_map(column).collect()
    }

    fn wrong_type(&mut self, key: &str, expected: &str, node: &Node, hint: Option<&str>) {
        let message = format!("`{key}` must be {expected}, not {}", node.type_name());
        match hint {
            Some(hint) => self.findings.error_with_hint(node.span.clone(), message, hint),
            None => self.findings.error(node.span.clone(), message),
        }
    }

    /// Ends the mapping: fields that nobody asked for are findings.
    pub(crate) fn finish(self) {
        let known = self.asked.iter().copied().collect::<Vec<_>>().join("`, `");
        for (key, _) in self.pairs {
            if !self.asked.contains(key.key_text()) {
                let message = format!("{} has no field `{}`", self.what, key.key_text());
                self.findings.error_with_hint(key.span.clone(), message, format!("its fields are `{known}`"));
            }
        }
    }
}
