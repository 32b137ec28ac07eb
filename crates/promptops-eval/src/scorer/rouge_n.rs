//! `rouge-n`: the share of n-grams that answer and reference have in common.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::expected::Expected;
use super::treebank;
use super::wording::Wording;
use super::{Judged, Judgement, Score, Scorer, Unjudged};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// The largest n-grams that are counted.
const MAX_N: usize = 9;

/// Which of the three figures counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    F1,
    Recall,
    Precision,
}

/// Grades an answer by ROUGE-N (Lin 2004): the overlap of its n-grams with those of the reference, as F1 unless told otherwise.
///
/// Words are lower-cased runs of letters and digits, without stemming. Equals `rouge_score` of Google for ASCII texts, which
/// drops all other letters. Of several references the best counts. With `like: promptfoo`, words are those of the Penn Treebank,
/// as promptfoo takes them: punctuation and endings such as `n't` count for themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct RougeN {
    expected: Expected,
    n: usize,
    measure: Measure,
    like_promptfoo: bool,
}

impl RougeN {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let span = fields.node("n").map(|node| node.span.clone());
        let n = fields.count("n").unwrap_or(1);
        if !(1..=MAX_N).contains(&n) {
            fields.findings.error(span.unwrap_or_default(), format!("`n` is a whole number from 1 to {MAX_N}, not {n}"));
        }
        let measure = match fields.choice("measure", &["f1", "recall", "precision"]) {
            Some(1) => Measure::Recall,
            Some(2) => Measure::Precision,
            _ => Measure::F1,
        };
        let like_promptfoo = fields.choice("like", &["promptfoo"]).is_some();
        Some(Self { expected: Expected::read_texts(fields)?, n, measure, like_promptfoo })
    }

    fn judge(&self, answer: &str, case: &Case) -> Result<Score, Unjudged> {
        let answer = self.ngrams(answer);
        let values = self.expected.some_texts(case)?.into_iter().map(|text| self.value(&answer, &self.ngrams(&text)));
        let best = values.fold(0.0, f64::max);
        Ok(Score::graded(best, format!("ROUGE-{} is {best:.3}", self.n)))
    }

    fn ngrams(&self, text: &str) -> HashMap<Vec<String>, usize> {
        let lower = text.to_lowercase();
        let words = if self.like_promptfoo { treebank::words(&lower) } else { words(&lower) };
        let mut counts = HashMap::new();
        for gram in words.windows(self.n.max(1)) {
            *counts.entry(gram.to_vec()).or_default() += 1;
        }
        counts
    }

    fn value(&self, answer: &HashMap<Vec<String>, usize>, reference: &HashMap<Vec<String>, usize>) -> f64 {
        let overlap: usize = reference.iter().map(|(gram, count)| *count.min(answer.get(gram).unwrap_or(&0))).sum();
        let share = |grams: &HashMap<Vec<String>, usize>| overlap as f64 / grams.values().sum::<usize>().max(1) as f64;
        let (precision, recall) = (share(answer), share(reference));
        match self.measure {
            Measure::Precision => precision,
            Measure::Recall => recall,
            Measure::F1 if overlap == 0 => 0.0,
            Measure::F1 => 2.0 * precision * recall / (precision + recall),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

impl Wording for RougeN {
    fn expected(&self) -> &Expected {
        &self.expected
    }
}

impl Scorer for RougeN {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        let measure = match self.measure {
            Measure::F1 => "f1",
            Measure::Recall => "recall",
            Measure::Precision => "precision",
        };
        let (expected, n, like_promptfoo) = (self.expected.describe(), self.n, self.like_promptfoo);
        json!({"type": "rouge-n", "expected": expected, "n": n, "measure": measure, "like_promptfoo": like_promptfoo})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{answer, case, judge, judge_answer, scorer};

    #[test]
    fn equals_rouge_score_of_google() {
        // rouge_score 0.1.2: RougeScorer([f"rouge{n}"], use_stemmer=False).score(reference, answer): precision, recall, F1.
        let quick = ("The quick brown fox jumps over the lazy dog.", "The quick brown dog jumps on the log.");
        let refund = ("Refund of $1,200.50 issued; it takes 3-5 days.", "A refund of $1,200.50 was issued. It takes 3-5 days.");
        let table = [
            (
                1,
                ("the cat was found under the bed", "the cat was under the bed"),
                [0.857_142_857_142_857_1, 1.0, 0.923_076_923_076_923],
            ),
            (
                2,
                ("the cat was found under the bed", "the cat was under the bed"),
                [0.666_666_666_666_666_6, 0.8, 0.727_272_727_272_727_2],
            ),
            (1, quick, [0.666_666_666_666_666_6, 0.75, 0.705_882_352_941_176_5]),
            (2, quick, [0.25, 0.285_714_285_714_285_7, 0.266_666_666_666_666_66]),
            (2, ("police killed the gunman", "the gunman kill police"), [0.333_333_333_333_333_3; 3]),
            (1, refund, [1.0, 0.846_153_846_153_846_1, 0.916_666_666_666_666_6]),
            (2, refund, [0.9, 0.75, 0.818_181_818_181_818_1]),
            (1, ("a a a b", "a a c"), [0.5, 0.666_666_666_666_666_6, 0.571_428_571_428_571_4]),
            (1, ("no overlap here", "totally different words"), [0.0; 3]),
        ];
        for (n, (answer, reference), expected) in table {
            for (measure, expected) in ["precision", "recall", "f1"].into_iter().zip(expected) {
                let text = format!("{{type: rouge-n, expected: want, n: {n}, measure: {measure}}}");
                let score = judge(scorer(&text, None).unwrap().as_ref(), answer, &case(json!({"want": reference})));
                assert!((score.value - expected).abs() < 1e-12, "{answer}: {measure} {} is not {expected}", score.value);
            }
        }
    }

    #[test]
    fn the_best_of_several_references_counts() {
        let case = case(json!({"many": ["a b", "c d"], "none": ""}));
        let best = scorer("{type: rouge-n, expected: many}", None).unwrap();
        assert_eq!(judge(best.as_ref(), "C, D!", &case).value, 1.0);
        assert_eq!(judge(best.as_ref(), "", &case).value, 0.0);
        let none = scorer("{type: rouge-n, expected: none}", None).unwrap();
        assert!(judge_answer(none.as_ref(), &answer("a"), &case).is_err());
        assert_eq!(judge(scorer("{type: rouge-n, value: größe}", None).unwrap().as_ref(), "Größe", &case).value, 1.0);
        assert_eq!(scorer("{type: rouge-n, value: a, n: 0}", None).unwrap_err(), "`n` is a whole number from 1 to 9, not 0");
    }
}
