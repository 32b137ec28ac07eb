//! `contains`, `contains-all`, `contains-any`, and the same with an `i` in front: the answer has certain texts in it.

use serde_json::{Value, json};

use super::expected::Expected;
use super::{Building, Judged, Judgement, Score, Scorer, Settings, Unjudged, excerpt};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// How many of the texts must be in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    One,
    All,
    Any,
}

/// Passes an answer with the wanted texts in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Contains {
    quantifier: Quantifier,
    expected: Expected,
    ignore_case: bool,
}

impl Contains {
    /// Reads the scorer of this name: `icontains-any` is `contains-any` that takes upper and lower case for the same.
    pub(crate) fn read(kind: &str, fields: &mut Fields<'_, '_>) -> Option<Self> {
        let ignore_case = kind.starts_with('i') || fields.flag("ignore_case");
        let (quantifier, expected) = match kind.trim_start_matches('i') {
            "contains-all" => (Quantifier::All, Expected::read_texts(fields)?),
            "contains-any" => (Quantifier::Any, Expected::read_texts(fields)?),
            _ => (Quantifier::One, Expected::read_text(fields)?),
        };
        Some(Self { quantifier, expected, ignore_case })
    }

    fn judge(&self, answer: &str, case: &Case) -> Result<Score, Unjudged> {
        let parts = match self.quantifier {
            Quantifier::One => vec![self.expected.some_text(case)?.into_owned()],
            Quantifier::All | Quantifier::Any => self.expected.some_texts(case)?,
        };
        let lower = self.ignore_case.then(|| answer.to_lowercase());
        let has = |part: &&String| match &lower {
            Some(lower) => lower.contains(&part.to_lowercase()),
            None => answer.contains(part.as_str()),
        };
        Ok(match self.quantifier {
            Quantifier::Any if parts.iter().any(|part| has(&part)) => Score::pass(),
            Quantifier::Any => Score::fail(format!("none of `{}` is in `{}`", parts.join("`, `"), excerpt(answer))),
            Quantifier::One | Quantifier::All => match parts.iter().find(|part| !has(part)) {
                None => Score::pass(),
                Some(part) => Score::fail(format!("`{}` is not in `{}`", excerpt(part), excerpt(answer))),
            },
        })
    }
}

impl Settings for Contains {
    fn columns(&self) -> Vec<&str> {
        self.expected.columns()
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for Contains {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        let kind = match self.quantifier {
            Quantifier::One => "contains",
            Quantifier::All => "contains-all",
            Quantifier::Any => "contains-any",
        };
        json!({"type": kind, "expected": self.expected.describe(), "ignore_case": self.ignore_case})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{answer, case, judge_answer, scorer};

    const ANSWER: &str = "We are sorry; a Refund is on its way: refund 7.";

    /// Tells whether the answer passes; nothing where the scorer cannot judge.
    fn passes(text: &str) -> Option<bool> {
        let case = case(json!({"one": "refund", "many": ["refund", "sorry"], "cell": "[\"refund\", \"No\"]", "none": ""}));
        judge_answer(scorer(text, None).unwrap().as_ref(), &answer(ANSWER), &case).ok().map(|score| score.passed)
    }

    #[test]
    fn one_all_and_any() {
        assert_eq!(passes("{type: contains, value: sorry}"), Some(true));
        assert_eq!(passes("{type: contains, value: REFUND}"), Some(false));
        assert_eq!(passes("{type: icontains, value: REFUND}"), Some(true));
        assert_eq!(passes("{type: contains, value: REFUND, ignore_case: true}"), Some(true));
        assert_eq!(passes("{type: contains-all, value: [sorry, Refund]}"), Some(true));
        assert_eq!(passes("{type: contains-all, value: [sorry, REFUND]}"), Some(false));
        assert_eq!(passes("{type: icontains-all, value: [Sorry, REFUND]}"), Some(true));
        assert_eq!(passes("{type: contains-any, value: [never, sorry]}"), Some(true));
        assert_eq!(passes("{type: contains-any, value: never}"), Some(false));
        assert_eq!(passes("{type: icontains-any, value: [NEVER, SORRY]}"), Some(true));
    }

    #[test]
    fn columns_hold_a_text_or_a_list() {
        assert_eq!(passes("{type: contains, expected: one}"), Some(true));
        assert_eq!(passes("{type: contains-all, expected: many}"), Some(true));
        assert_eq!(passes("{type: contains-all, expected: one}"), Some(true));
        assert_eq!(passes("{type: contains-any, expected: cell}"), Some(true));
        assert_eq!(passes("{type: contains-all, expected: cell}"), Some(false));
        // Every answer contains the empty text, so an empty cell would always pass.
        assert_eq!(passes("{type: contains, expected: none}"), None);
        assert_eq!(passes("{type: contains-any, expected: none}"), None);
    }

    #[test]
    fn a_failure_says_what_is_missing() {
        let note = |text: &str| {
            judge_answer(scorer(text, None).unwrap().as_ref(), &answer("b"), &case(json!({}))).unwrap().note.unwrap()
        };
        assert_eq!(note("{type: contains-all, value: [b, a]}"), "`a` is not in `b`");
        assert_eq!(note("{type: contains-any, value: [c, a]}"), "none of `c`, `a` is in `b`");
        assert_eq!(scorer("{type: contains-any, value: []}", None).unwrap_err(), "`value` is empty");
    }
}
