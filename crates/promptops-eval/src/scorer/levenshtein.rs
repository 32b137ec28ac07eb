//! `levenshtein`: how few characters must be changed to make the expected text of the answer.

use rapidfuzz::distance::levenshtein;
use serde_json::{Value, json};

use super::expected::Expected;
use super::{Building, Grading, Judged, Judgement, Score, Scorer, Settings, Unjudged, UnjudgedClass};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// The longest text that is compared, in characters: the time grows with the product of both lengths.
pub const MAX_CHARACTERS: usize = 100_000;

/// Grades an answer by `1 - distance / length of the longer text`, so that equal texts have 1.
///
/// With `max_distance`, an answer passes that is at most so many insertions, deletions and substitutions away.
#[derive(Debug, Clone, PartialEq)]
pub struct Levenshtein {
    expected: Expected,
    ignore_case: bool,
    max_distance: Option<usize>,
}

impl Levenshtein {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let ignore_case = fields.flag("ignore_case");
        let max_distance = fields.count("max_distance");
        Some(Self { expected: Expected::read_text(fields)?, ignore_case, max_distance })
    }

    fn judge(&self, answer: &str, case: &Case) -> Result<Score, Unjudged> {
        let expected = self.expected.stated_text(case)?;
        let characters = |text: &str| -> Vec<char> {
            if self.ignore_case { text.to_lowercase().chars().collect() } else { text.chars().collect() }
        };
        let (answer, expected) = (characters(answer), characters(&expected));
        let longer = answer.len().max(expected.len());
        if longer > MAX_CHARACTERS {
            let message = format!("a text of {longer} characters is too long to compare; the most are {MAX_CHARACTERS}");
            return Err(Unjudged { class: UnjudgedClass::Unmeasured, message });
        }
        let distance = levenshtein::distance(answer, expected);
        let similarity = if longer == 0 { 1.0 } else { 1.0 - distance as f64 / longer as f64 };
        let note = format!("{distance} characters differ, similarity {similarity:.3}");
        Ok(match self.max_distance {
            None => Score::graded(similarity, note),
            Some(most) if distance <= most => Score { note: Some(note), ..Score::pass() },
            Some(most) => Score::fail(format!("{note}, above the most of {most}")),
        })
    }
}

impl Settings for Levenshtein {
    fn columns(&self) -> Vec<&str> {
        self.expected.columns()
    }

    fn grading(&self) -> Grading {
        if self.max_distance.is_some() { Grading::PassOrFail } else { Grading::Share }
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for Levenshtein {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        let expected = self.expected.describe();
        let (ignore_case, most) = (self.ignore_case, self.max_distance);
        json!({"type": "levenshtein", "expected": expected, "ignore_case": ignore_case, "max_distance": most})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::MAX_CHARACTERS;
    use crate::scorer::UnjudgedClass;
    use crate::scorer::tests::{answer, case, judge, judge_answer, scorer};

    #[test]
    fn the_distance_is_counted_in_characters() {
        let case = case(json!({"want": "sitting"}));
        let score = |text: &str, answer: &str| judge(scorer(text, None).unwrap().as_ref(), answer, &case);
        // The textbook's example: three changes make `sitting` of `kitten`.
        let kitten = score("{type: levenshtein, expected: want}", "kitten");
        assert!((kitten.value - 4.0 / 7.0).abs() < 1e-12 && kitten.passed);
        assert_eq!(kitten.note.unwrap(), "3 characters differ, similarity 0.571");
        assert_eq!(score("{type: levenshtein, value: über}", "uber").value, 0.75);
        assert_eq!(score("{type: levenshtein, value: ÜBER, ignore_case: true}", "über").value, 1.0);
        assert_eq!(score("{type: levenshtein, value: ''}", "").value, 1.0);
    }

    #[test]
    fn a_case_without_a_value_is_not_judged() {
        for more in ["", ", max_distance: 3", ", not: true"] {
            let scorer = scorer(&format!("{{type: levenshtein, expected: want{more}}}"), None).unwrap();
            let unjudged = judge_answer(scorer.as_ref(), &answer("cat"), &case(json!({"want": ""}))).unwrap_err();
            assert_eq!(unjudged.class, UnjudgedClass::Reference);
        }
    }

    #[test]
    fn a_largest_distance_makes_it_a_verdict() {
        let case = case(json!({}));
        let score = |most: u32| {
            let scorer = scorer(&format!("{{type: levenshtein, value: sitting, max_distance: {most}}}"), None).unwrap();
            judge(scorer.as_ref(), "kitten", &case)
        };
        assert_eq!((score(3).value, score(3).passed, score(2).value), (1.0, true, 0.0));
        assert_eq!(score(2).note.unwrap(), "3 characters differ, similarity 0.571, above the most of 2");
        let both = scorer("{type: levenshtein, value: a, max_distance: 1, threshold: 0.5}", None).unwrap_err();
        assert_eq!(both, "`levenshtein` passes or fails and takes no `threshold`");
    }

    #[test]
    fn long_texts_end_in_time() {
        let text = "ab".repeat(MAX_CHARACTERS / 2);
        let scorer = scorer("{type: levenshtein, value: ba}", None).unwrap();
        let score = judge_answer(scorer.as_ref(), &answer(&text), &case(json!({}))).unwrap();
        assert!(score.value < 0.001);
        let longer = judge_answer(scorer.as_ref(), &answer(&format!("{text}c")), &case(json!({})));
        assert!(longer.unwrap_err().message.contains("too long to compare"));
    }
}
