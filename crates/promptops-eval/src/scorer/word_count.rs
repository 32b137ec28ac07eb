//! `word-count`: the answer has a certain number of words.

use serde_json::{Value, json};

use super::{Building, Judged, Judgement, Score, Scorer, Settings};
use crate::spec::fields::Fields;

/// Passes an answer with at least `min` and at most `max` words. Words are what white space separates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordCount {
    min: Option<usize>,
    max: Option<usize>,
}

impl WordCount {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let (min, max) = (fields.count("min"), fields.count("max"));
        if fields.node("min").or(fields.node("max")).is_none() {
            fields.findings.error(fields.span(), "the scorer lacks `min`, `max` or both");
        }
        if min.zip(max).is_some_and(|(min, max)| min > max) {
            fields.findings.error(fields.span(), "`min` is above `max`, so no answer passes");
        }
        Some(Self { min, max })
    }
}

impl Settings for WordCount {
    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for WordCount {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let count = judged.answer.text.split_whitespace().count();
        match (self.min, self.max) {
            (Some(min), _) if count < min => Score::fail(format!("{count} words, below the least of {min}")).into(),
            (_, Some(max)) if count > max => Score::fail(format!("{count} words, above the most of {max}")).into(),
            _ => Score::pass().into(),
        }
    }

    fn describe(&self) -> Value {
        json!({"type": "word-count", "min": self.min, "max": self.max})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{case, judge, scorer};

    #[test]
    fn both_ends_are_included() {
        let score = |text: &str, answer: &str| judge(scorer(text, None).unwrap().as_ref(), answer, &case(json!({})));
        for (answer, passes) in [("", false), ("one", false), ("one  two", true), ("a b\nc", true), ("a b c d", false)] {
            assert_eq!(score("{type: word-count, min: 2, max: 3}", answer).passed, passes, "{answer}");
        }
        assert_eq!(score("{type: word-count, max: 1}", "a b").note.unwrap(), "2 words, above the most of 1");
        assert_eq!(score("{type: word-count, min: 1}", " ").note.unwrap(), "0 words, below the least of 1");
    }

    #[test]
    fn limits_that_make_no_sense_are_findings() {
        let refused = |text: &str| scorer(text, None).unwrap_err();
        assert_eq!(refused("{type: word-count}"), "the scorer lacks `min`, `max` or both");
        assert_eq!(refused("{type: word-count, min: 3, max: 2}"), "`min` is above `max`, so no answer passes");
        assert_eq!(refused("{type: word-count, min: -1}"), "`min` is a whole number from 0 on, not -1");
    }
}
