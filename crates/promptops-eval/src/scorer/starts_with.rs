//! `starts-with`: the answer begins with a text.

use serde_json::{Value, json};

use super::expected::Expected;
use super::{Building, Judged, Judgement, Score, Scorer, Settings, Unjudged, excerpt};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// Passes an answer that begins with the text, byte for byte unless told otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct StartsWith {
    expected: Expected,
    ignore_case: bool,
}

impl StartsWith {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let ignore_case = fields.flag("ignore_case");
        Some(Self { expected: Expected::read_text(fields)?, ignore_case })
    }

    fn judge(&self, answer: &str, case: &Case) -> Result<Score, Unjudged> {
        let start = self.expected.some_text(case)?;
        let starts = if self.ignore_case {
            answer.to_lowercase().starts_with(&start.to_lowercase())
        } else {
            answer.starts_with(start.as_ref())
        };
        let note = || format!("`{}` does not start with `{}`", excerpt(answer), excerpt(&start));
        Ok(if starts { Score::pass() } else { Score::fail(note()) })
    }
}

impl Settings for StartsWith {
    fn columns(&self) -> Vec<&str> {
        self.expected.columns()
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for StartsWith {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        json!({"type": "starts-with", "expected": self.expected.describe(), "ignore_case": self.ignore_case})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{answer, case, judge, judge_answer, scorer};

    #[test]
    fn the_beginning_decides() {
        let case = case(json!({"start": "Dear", "none": " "}));
        let score = |text: &str, answer: &str| judge(scorer(text, None).unwrap().as_ref(), answer, &case);
        assert!(score("{type: starts-with, expected: start}", "Dear Ada").passed);
        assert!(!score("{type: starts-with, expected: start}", " Dear Ada").passed);
        assert!(score("{type: starts-with, value: dear, ignore_case: true}", "Dear Ada").passed);
        assert_eq!(score("{type: starts-with, value: dear}", "Dear Ada").note.unwrap(), "`Dear Ada` does not start with `dear`");
        let empty = scorer("{type: starts-with, expected: none}", None).unwrap();
        assert!(judge_answer(empty.as_ref(), &answer("x"), &case).is_err());
    }
}
