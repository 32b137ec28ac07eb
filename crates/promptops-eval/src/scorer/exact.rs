//! `exact`: the answer is the expected text.

use serde_json::{Value, json};

use super::{Judged, Judgement, Score, Scorer, excerpt};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// Where the expected text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// A column of the dataset.
    Column(String),
    /// The same text for every case.
    Value(String),
}

impl Expected {
    /// Returns the column, if it is one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Column(column) => Some(column),
            Self::Value(_) => None,
        }
    }

    fn text(&self, case: &Case) -> String {
        match self {
            Self::Column(column) => case.text(column).unwrap_or_default(),
            Self::Value(value) => value.clone(),
        }
    }
}

/// Passes an answer that equals the expected text, byte for byte unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact {
    /// What is expected.
    pub expected: Expected,
    /// Whether upper and lower case are the same.
    pub ignore_case: bool,
    /// Whether white space around the answer and the expected text is left out.
    pub trim: bool,
}

impl Exact {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let (ignore_case, trim) = (fields.flag("ignore_case"), fields.flag("trim"));
        let expected = match (fields.text("expected"), fields.text("value")) {
            (Some(column), None) => Expected::Column(column.value),
            (None, Some(value)) => Expected::Value(value.value),
            (None, None) => {
                // A wrong type was told already.
                if fields.node("expected").or(fields.node("value")).is_none() {
                    fields.findings.error(fields.span(), "the scorer lacks `expected` (a column) or `value` (a text)");
                }
                return None;
            }
            (Some(_), Some(_)) => {
                let message = "the scorer takes either `expected` (a column) or `value` (a text), not both";
                fields.findings.error(fields.span(), message);
                return None;
            }
        };
        Some(Self { expected, ignore_case, trim })
    }

    fn normal(&self, text: &str) -> String {
        let text = if self.trim { text.trim() } else { text };
        if self.ignore_case { text.to_lowercase() } else { text.to_owned() }
    }
}

impl Exact {
    fn judge(&self, answer: &str, case: &Case) -> Score {
        let expected = self.expected.text(case);
        if self.normal(answer) == self.normal(&expected) {
            Score::pass()
        } else {
            Score::fail(format!("expected `{}`, got `{}`", excerpt(&expected), excerpt(answer)))
        }
    }
}

impl Scorer for Exact {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        let (column, value) = match &self.expected {
            Expected::Column(column) => (Some(column), None),
            Expected::Value(value) => (None, Some(value)),
        };
        json!({"type": "exact", "expected": column, "value": value, "ignore_case": self.ignore_case, "trim": self.trim})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{case, judge, scorer};

    fn passes(text: &str, answer: &str) -> bool {
        judge(scorer(text, None).unwrap().as_ref(), answer, &case(json!({"want": "Yes ", "n": 7}))).passed
    }

    #[test]
    fn compares_with_a_column_or_a_text() {
        assert!(passes("{type: exact, expected: want}", "Yes "));
        assert!(!passes("{type: exact, expected: want}", "Yes"));
        assert!(passes("{type: exact, expected: want, trim: true}", " Yes\n"));
        assert!(!passes("{type: exact, expected: want, trim: true}", "yes"));
        assert!(passes("{type: exact, expected: want, trim: true, ignore_case: true}", "YES"));
        assert!(passes("{type: exact, value: ÄÖ, ignore_case: true}", "äö"));
        assert!(passes("{type: exact, expected: n}", "7"));
    }

    #[test]
    fn a_failure_says_what_was_expected() {
        let score = judge(scorer("{type: exact, value: a}", None).unwrap().as_ref(), "b\nc", &case(json!({})));
        assert_eq!(score.note.as_deref(), Some("expected `a`, got `b c`"));
    }

    #[test]
    fn one_of_the_two_must_be_there() {
        let message = "the scorer lacks `expected` (a column) or `value` (a text)";
        assert_eq!(scorer("{type: exact}", None).unwrap_err(), message);
    }
}
