//! What differs from run to run, and the name that stands for it in a snapshot.

use regex::Regex;

/// Replaces what differs from run to run.
pub struct Redactions {
    rules: Vec<(Regex, String)>,
}

impl Redactions {
    /// Replaces commits, ids, heads of the audit log, durations, numbers of system errors and the ports of loopback
    /// endpoints.
    pub fn standard() -> Self {
        Self { rules: Vec::new() }
            .pattern(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "[ID]")
            .pattern(r"\b\d+:sha256:[0-9a-f]{64}\b", "[HEAD]")
            .pattern(r"\b[0-9a-f]{40}\b", "[COMMIT]")
            // The short form; ten digits that begin with zeros are the number of an object.
            .pattern(r"\b0?[1-9a-f][0-9a-f]{8,9}\b", "[COMMIT]")
            .pattern(r"\b\d+\.\d+m?s\b", "[TIME]")
            .pattern(r"\(os error \d+\)", "(os error [N])")
            .pattern(r"\b127\.0\.0\.1:\d+", "127.0.0.1:[PORT]")
    }

    /// Replaces an exact text.
    #[must_use]
    pub fn text(self, text: &str, name: &str) -> Self {
        self.pattern(&regex::escape(text), name)
    }

    /// Replaces what a regular expression matches.
    #[must_use]
    pub fn pattern(mut self, pattern: &str, name: &str) -> Self {
        self.rules.push((Regex::new(pattern).unwrap(), name.to_owned()));
        self
    }

    /// Returns the text with everything replaced.
    pub fn apply(&self, text: &str) -> String {
        let replace = |text: String, (pattern, name): &(Regex, String)| pattern.replace_all(&text, name).into_owned();
        self.rules.iter().fold(text.to_owned(), replace)
    }
}
