//! `equals`: the answer is what is expected.

use promptops_prompt::yaml::Kind;
use serde_json::{Value, json};

use super::expected::Expected;
use super::{Building, Judged, Judgement, Score, Scorer, Settings, Unjudged, excerpt, json_text};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// Passes an answer that equals the expected text, byte for byte unless told otherwise.
///
/// Where a JSON object or list is expected, the answer is read as JSON and compared by value.
#[derive(Debug, Clone, PartialEq)]
pub struct Equals {
    /// What is expected.
    pub expected: Expected,
    /// Whether upper and lower case are the same.
    pub ignore_case: bool,
    /// Whether white space around the answer and the expected text is left out.
    pub trim: bool,
}

impl Equals {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let (ignore_case, trim) = (fields.flag("ignore_case"), fields.flag("trim"));
        let expected = Expected::read(fields, "a text, a list or a mapping", |fields| {
            if fields.node("value").is_some_and(|node| !matches!(node.kind, Kind::Scalar(_))) {
                fields.json("value").map(|json| json.value)
            } else {
                fields.text("value").map(|text| Value::String(text.value))
            }
        })?;
        Some(Self { expected, ignore_case, trim })
    }

    fn normal(&self, text: &str) -> String {
        let text = if self.trim { text.trim() } else { text };
        if self.ignore_case { text.to_lowercase() } else { text.to_owned() }
    }

    fn judge(&self, answer: &str, case: &Case) -> Result<Score, Unjudged> {
        let is_equal = match self.expected.value(case) {
            Some(expected @ (Value::Object(_) | Value::Array(_))) => {
                json_text::read(answer, false).is_some_and(|answer| json_text::same(&answer, expected))
            }
            _ => self.normal(answer) == self.normal(&self.expected.stated_text(case)?),
        };
        if is_equal {
            return Ok(Score::pass());
        }
        let expected = self.expected.stated_text(case)?;
        Ok(Score::fail(format!("expected `{}`, got `{}`", excerpt(&expected), excerpt(answer))))
    }
}

impl Settings for Equals {
    fn columns(&self) -> Vec<&str> {
        self.expected.columns()
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for Equals {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        let expected = self.expected.describe();
        json!({"type": "equals", "expected": expected, "ignore_case": self.ignore_case, "trim": self.trim})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::UnjudgedClass;
    use crate::scorer::tests::{answer, case, judge, judge_answer, scorer};

    fn passes(text: &str, answer: &str) -> bool {
        let case = case(json!({"want": "Yes ", "n": 7, "order": {"id": 7, "items": ["a"]}}));
        judge(scorer(text, None).unwrap().as_ref(), answer, &case).passed
    }

    #[test]
    fn compares_with_a_column_or_a_text() {
        assert!(passes("{type: equals, expected: want}", "Yes "));
        assert!(!passes("{type: equals, expected: want}", "Yes"));
        assert!(passes("{type: equals, expected: want, trim: true}", " Yes\n"));
        assert!(!passes("{type: equals, expected: want, trim: true}", "yes"));
        assert!(passes("{type: equals, expected: want, trim: true, ignore_case: true}", "YES"));
        assert!(passes("{type: equals, value: ÄÖ, ignore_case: true}", "äö"));
        assert!(passes("{type: equals, expected: n}", "7"));
        assert!(passes("{type: equals, value: ''}", ""));
    }

    #[test]
    fn json_is_compared_by_value() {
        assert!(passes("{type: equals, expected: order}", " {\"items\": [\"a\"], \"id\": 7}"));
        assert!(!passes("{type: equals, expected: order}", "{\"id\": 8, \"items\": [\"a\"]}"));
        assert!(passes("{type: equals, value: [1, {a: b}]}", "[1,{\"a\":\"b\"}]"));
        assert!(!passes("{type: equals, value: [1]}", "1"));
    }

    #[test]
    fn a_failure_says_what_was_expected() {
        let scorer = scorer("{type: equals, value: a}", None).unwrap();
        assert_eq!(judge(scorer.as_ref(), "b\nc", &case(json!({}))).note.as_deref(), Some("expected `a`, got `b c`"));
    }

    #[test]
    fn a_case_without_a_value_is_not_judged() {
        for text in ["{type: equals, expected: want}", "{type: equals, expected: want, not: true}"] {
            let scorer = scorer(text, None).unwrap();
            for want in [json!(null), json!(""), json!(" ")] {
                let unjudged = judge_answer(scorer.as_ref(), &answer(""), &case(json!({"want": want}))).unwrap_err();
                assert_eq!(unjudged.class, UnjudgedClass::Reference);
                assert_eq!(unjudged.message, "column `want` is empty, so there is nothing to compare with");
            }
        }
    }

    #[test]
    fn one_of_the_two_must_be_there() {
        let message = "the scorer lacks `expected` (a column) or `value` (a text, a list or a mapping)";
        assert_eq!(scorer("{type: equals}", None).unwrap_err(), message);
    }
}
