//! `contains`: the answer has certain texts in it.

use serde_json::{Value, json};

use super::{Judged, Judgement, Score, Scorer, excerpt};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// What must be in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    /// All of these texts.
    All(Vec<String>),
    /// At least one of these texts.
    Any(Vec<String>),
    /// The text in this column; where the value is a JSON list, all of its texts.
    Column(String),
}

/// Passes an answer with the wanted texts in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contains {
    /// What must be in the answer.
    pub parts: Parts,
    /// Whether upper and lower case are the same.
    pub ignore_case: bool,
}

impl Contains {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let ignore_case = fields.flag("ignore_case");
        let given = ["all", "any", "expected"].into_iter().filter(|key| fields.node(key).is_some()).count();
        if given != 1 {
            let message = "the scorer takes one of `all`, `any` (lists of texts) and `expected` (a column)";
            fields.findings.error(fields.span(), message);
            return None;
        }
        let parts = None
            .or_else(|| fields.texts("all").map(Parts::All))
            .or_else(|| fields.texts("any").map(Parts::Any))
            .or_else(|| fields.text("expected").map(|column| Parts::Column(column.value)))?;
        Some(Self { parts, ignore_case })
    }

    /// Returns the column, if there is one.
    pub fn column(&self) -> Option<&str> {
        match &self.parts {
            Parts::Column(column) => Some(column),
            Parts::All(_) | Parts::Any(_) => None,
        }
    }

    fn has(&self, answer: &str, part: &str) -> bool {
        if self.ignore_case { answer.to_lowercase().contains(&part.to_lowercase()) } else { answer.contains(part) }
    }

    fn all(&self, answer: &str, parts: &[String]) -> Score {
        match parts.iter().find(|part| !self.has(answer, part)) {
            None => Score::pass(),
            Some(part) => Score::fail(format!("`{}` is not in `{}`", excerpt(part), excerpt(answer))),
        }
    }
}

impl Contains {
    fn judge(&self, answer: &str, case: &Case) -> Score {
        match &self.parts {
            Parts::All(parts) => self.all(answer, parts),
            Parts::Any(parts) if parts.iter().any(|part| self.has(answer, part)) => Score::pass(),
            Parts::Any(parts) => Score::fail(format!("none of `{}` is in `{}`", parts.join("`, `"), excerpt(answer))),
            Parts::Column(column) => match case.values.get(column) {
                Some(Value::Array(items)) => {
                    let parts: Vec<String> =
                        items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
                    self.all(answer, &parts)
                }
                _ => match case.text(column).filter(|part| !part.is_empty()) {
                    Some(part) => self.all(answer, &[part]),
                    // Every answer contains the empty text, so an empty cell would always pass.
                    None => Score::fail(format!("column `{column}` is empty")),
                },
            },
        }
    }
}

impl Scorer for Contains {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        let (kind, parts) = match &self.parts {
            Parts::All(parts) => ("all", json!(parts)),
            Parts::Any(parts) => ("any", json!(parts)),
            Parts::Column(column) => ("expected", json!(column)),
        };
        json!({"type": "contains", kind: parts, "ignore_case": self.ignore_case})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{case, judge, scorer};

    fn passes(text: &str, answer: &str) -> bool {
        let case = case(json!({"one": "refund", "many": ["refund", "sorry"], "none": ""}));
        judge(scorer(text, None).unwrap().as_ref(), answer, &case).passed
    }

    #[test]
    fn all_any_and_a_column() {
        let answer = "We are sorry; a Refund is on its way: refund 7.";
        assert!(passes("{type: contains, all: [sorry, Refund]}", answer));
        assert!(!passes("{type: contains, all: [sorry, REFUND]}", answer));
        assert!(passes("{type: contains, all: [Sorry, REFUND], ignore_case: true}", answer));
        assert!(passes("{type: contains, any: [never, sorry]}", answer));
        assert!(!passes("{type: contains, any: [never]}", answer));
        assert!(passes("{type: contains, any: sorry}", answer));
        assert!(passes("{type: contains, expected: one}", answer));
        assert!(passes("{type: contains, expected: many}", answer));
        assert!(!passes("{type: contains, expected: many}", "refund"));
        assert!(!passes("{type: contains, expected: none}", answer));
    }

    #[test]
    fn exactly_one_kind_is_stated() {
        for text in ["{type: contains}", "{type: contains, all: [a], any: [b]}"] {
            let message = "the scorer takes one of `all`, `any` (lists of texts) and `expected` (a column)";
            assert_eq!(scorer(text, None).unwrap_err(), message);
        }
    }
}
