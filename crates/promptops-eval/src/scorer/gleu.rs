//! `gleu`: how much of its wording the answer shares with the reference, in both directions.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::expected::Expected;
use super::wording::Wording;
use super::{Judged, Judgement, Score, Scorer, Unjudged};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// The longest n-grams that are counted, as in the paper.
const MAX_ORDER: usize = 4;

/// Grades an answer by GLEU (Wu et al. 2016): of its n-grams of one to four words, the smaller one of precision and recall.
///
/// Words are lower-cased, stand between white space and end without full stops, as promptfoo takes them. Equals
/// `nltk.translate.gleu_score` on the same words. Of several references the best counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Gleu {
    expected: Expected,
}

impl Gleu {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        Some(Self { expected: Expected::read_texts(fields)? })
    }

    fn judge(&self, answer: &str, case: &Case) -> Result<Score, Unjudged> {
        let answer = words(answer);
        let values = self.expected.some_texts(case)?.into_iter().map(|text| gleu(&answer, &words(&text)));
        let best = values.fold(0.0, f64::max);
        Ok(Score::graded(best, format!("GLEU is {best:.3}")))
    }
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words: Vec<String> = lower.split_whitespace().map(|word| word.trim_end_matches('.').to_owned()).collect();
    if words.iter().all(String::is_empty) { Vec::new() } else { words }
}

fn gleu(answer: &[String], reference: &[String]) -> f64 {
    let (answered, wanted) = (grams(answer), grams(reference));
    let matched: usize = answered.iter().map(|(gram, count)| *count.min(wanted.get(gram).unwrap_or(&0))).sum();
    let longer = answered.values().sum::<usize>().max(wanted.values().sum());
    if longer == 0 { 0.0 } else { matched as f64 / longer as f64 }
}

fn grams(words: &[String]) -> HashMap<&[String], usize> {
    let mut counts = HashMap::new();
    for gram in (1..=MAX_ORDER).flat_map(|order| words.windows(order)) {
        *counts.entry(gram).or_default() += 1;
    }
    counts
}

impl Wording for Gleu {
    fn expected(&self) -> &Expected {
        &self.expected
    }
}

impl Scorer for Gleu {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        json!({"type": "gleu", "expected": self.expected.describe()})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{answer, case, judge, judge_answer, scorer};

    #[test]
    fn equals_nltk() {
        // nltk 3.9: sentence_gleu([reference.split()], answer.split()) on lower-cased texts without full stops.
        let military = "It is a guide to action which ensures that the military always obeys the commands of the party";
        let guide = "It is a guide to action that ensures that the military will forever heed Party commands.";
        let table = [
            (military, vec![guide], 0.454_545_454_545_454_5),
            ("The cat sat on the mat.", vec!["the cat sat on the mat"], 1.0),
            ("the the the", vec!["the cat"], 1.0 / 6.0),
            ("a b c", vec!["x y", "a b d"], 0.5),
            ("no overlap", vec!["totally different words"], 0.0),
        ];
        let scorer = scorer("{type: gleu, expected: want}", None).unwrap();
        for (answer, references, expected) in table {
            let value = judge(scorer.as_ref(), answer, &case(json!({"want": references}))).value;
            assert!((value - expected).abs() < 1e-12, "{answer}: {value} is not {expected}");
        }
    }

    #[test]
    fn nothing_is_worth_nothing_and_a_missing_reference_is_an_error() {
        let scorer = scorer("{type: gleu, expected: want}", None).unwrap();
        for empty in ["", " ", "...", ". ."] {
            assert_eq!(judge(scorer.as_ref(), empty, &case(json!({"want": "a b"}))).value, 0.0);
        }
        assert!(judge_answer(scorer.as_ref(), &answer("a"), &case(json!({"want": " "}))).is_err());
    }
}
