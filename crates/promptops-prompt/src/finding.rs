//! Findings: problems in what a person wrote. They are collected, never thrown one by one.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; never fails a run.
    Note,
    /// Probably a mistake; fails a run only when warnings are denied.
    Warning,
    /// Fails the run.
    Error,
}

impl Severity {
    /// Returns the name as users see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A place in a file: the path from the project's root with `/`, and a range of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The path from the project's root, with `/` between parts.
    pub path: String,
    /// The bytes of the file that are meant. Empty at a place where something is missing.
    pub span: Range<usize>,
}

/// A place with what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    pub location: Location,
    /// What, as a fragment; may be empty.
    pub text: String,
}

/// A change of the file that a finding is about, which mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What it does, as an imperative.
    pub title: String,
    /// Whether it is what everybody would do, so that it is made without asking. Others are offered.
    pub is_safe: bool,
    /// The changes, which belong together and do not overlap.
    pub edits: Vec<Edit>,
}

/// One change of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The bytes that are replaced; empty where something is put in.
    pub span: Range<usize>,
    /// By what.
    pub replacement: String,
}

impl Edit {
    /// Returns the change of these bytes.
    pub fn new(span: Range<usize>, replacement: impl Into<String>) -> Self {
        Self { span, replacement: replacement.into() }
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The stable id of the check, as `undeclared-variable`.
    pub check: String,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, as a lowercase fragment without a full stop.
    pub message: String,
    /// The place to look at first.
    pub primary: Label,
    /// Other places that belong to it.
    pub related: Vec<Label>,
    /// What to do next.
    pub hint: Option<String>,
    /// Changes that mend it, the likeliest first.
    pub fixes: Vec<Fix>,
}

impl Finding {
    /// Returns a finding of `check` at a place, without label, hint or fix.
    pub fn new(check: &str, severity: Severity, path: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let location = Location { path: path.to_owned(), span };
        Self {
            check: check.to_owned(),
            severity,
            message: message.into(),
            primary: Label { location, text: String::new() },
            related: Vec::new(),
            hint: None,
            fixes: Vec::new(),
        }
    }

    /// Returns every place that the finding names.
    pub fn locations(&self) -> impl Iterator<Item = &Location> {
        std::iter::once(&self.primary).chain(&self.related).map(|label| &label.location)
    }

    /// Says what stands at the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn related(mut self, path: &str, span: Range<usize>, text: impl Into<String>) -> Self {
        self.related.push(Label { location: Location { path: path.to_owned(), span }, text: text.into() });
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a change that mends it and that everybody would make.
    #[must_use]
    pub fn fix(mut self, title: impl Into<String>, edits: Vec<Edit>) -> Self {
        self.fixes.push(Fix { title: title.into(), is_safe: true, edits });
        self
    }

    /// Adds a change that may be what is wanted.
    #[must_use]
    pub fn suggest(mut self, title: impl Into<String>, edits: Vec<Edit>) -> Self {
        self.fixes.push(Fix { title: title.into(), is_safe: false, edits });
        self
    }
}

/// Puts findings into the order in which they are shown: by path, place, then check.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.primary.location.span.start, finding.primary.location.span.end);
        a.primary
            .location
            .path
            .cmp(&b.primary.location.path)
            .then_with(|| key(a).cmp(&key(b)))
            .then_with(|| a.check.cmp(&b.check))
            .then_with(|| a.message.cmp(&b.message))
    });
}
