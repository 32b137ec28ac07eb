//! `bleu`: how much of the answer's wording stands in the reference.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::expected::Expected;
use super::wording::Wording;
use super::{Judged, Judgement, Score, Scorer, Unjudged};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// The longest n-grams that are counted, as in the paper.
const MAX_ORDER: usize = 4;

/// Grades an answer by the BLEU of this one sentence (Papineni et al. 2002), from 0 to 1.
///
/// Equals `sacrebleu.sentence_bleu(answer, references).score / 100` of sacrebleu 2: tokens as `13a`, exponential smoothing,
/// effective order, the closest reference length. Case matters. With `like: promptfoo`, as promptfoo counts: lower-cased words
/// between white space, matches of the one reference that has most of them, and a tenth of a millionth for none.
#[derive(Debug, Clone, PartialEq)]
pub struct Bleu {
    expected: Expected,
    like_promptfoo: bool,
}

/// What promptfoo takes for the precision of an order without any match.
const PROMPTFOO_NONE: f64 = 1e-7;

impl Bleu {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let like_promptfoo = fields.choice("like", &["promptfoo"]).is_some();
        Some(Self { expected: Expected::read_texts(fields)?, like_promptfoo })
    }

    fn judge(&self, answer: &str, case: &Case) -> Result<Score, Unjudged> {
        let references = self.expected.some_texts(case)?;
        let value = if self.like_promptfoo { bleu_like_promptfoo(answer, &references) } else { bleu(answer, &references) };
        Ok(Score::graded(value, format!("BLEU is {value:.3}")))
    }
}

fn bleu(answer: &str, references: &[String]) -> f64 {
    let answer = tokens(answer);
    let references: Vec<Vec<String>> = references.iter().map(|text| tokens(text)).collect();
    let mut smoothing = 1.0;
    let mut logarithms = Vec::new();
    let mut has_match = false;
    for order in 1..=MAX_ORDER.min(answer.len()) {
        let total = answer.len() + 1 - order;
        let matches = matches(&answer, &references, order);
        has_match |= matches > 0;
        let precision = if matches > 0 {
            matches as f64 / total as f64
        } else {
            smoothing *= 2.0;
            1.0 / (smoothing * total as f64)
        };
        logarithms.push(precision.ln());
    }
    if !has_match {
        return 0.0;
    }
    let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
    brevity_penalty(answer.len(), &references) * mean.exp()
}

fn bleu_like_promptfoo(answer: &str, references: &[String]) -> f64 {
    let words = |text: &str| -> Vec<String> { text.to_lowercase().split_whitespace().map(str::to_owned).collect() };
    let answer = words(answer);
    if answer.is_empty() {
        return 0.0;
    }
    let references: Vec<Vec<String>> = references.iter().map(|text| words(text)).collect();
    let precision = |order: usize| {
        let of_one = |reference| matches(&answer, std::slice::from_ref(reference), order);
        let most = references.iter().map(of_one).max().unwrap_or(0);
        if most == 0 { PROMPTFOO_NONE } else { most as f64 / (answer.len() + 1 - order) as f64 }
    };
    let orders = MAX_ORDER.min(answer.len());
    let mean = (1..=orders).map(|order| precision(order).ln()).sum::<f64>() / orders as f64;
    brevity_penalty(answer.len(), &references) * mean.exp()
}

/// Counts the n-grams of the answer that a reference has too, each as often as the reference that has most of them.
fn matches(answer: &[String], references: &[Vec<String>], order: usize) -> usize {
    let mut most: HashMap<&[String], usize> = HashMap::new();
    for reference in references {
        for (gram, count) in counts(reference, order) {
            let entry = most.entry(gram).or_default();
            *entry = count.max(*entry);
        }
    }
    counts(answer, order).into_iter().map(|(gram, count)| count.min(most.get(gram).copied().unwrap_or(0))).sum()
}

fn counts(tokens: &[String], order: usize) -> HashMap<&[String], usize> {
    let mut counts = HashMap::new();
    for gram in tokens.windows(order) {
        *counts.entry(gram).or_default() += 1;
    }
    counts
}

fn brevity_penalty(length: usize, references: &[Vec<String>]) -> f64 {
    // Of two references that are equally close the shorter one counts.
    let closest = references.iter().map(Vec::len).min_by_key(|reference| (reference.abs_diff(length), *reference)).unwrap_or(0);
    if length >= closest { 1.0 } else { (1.0 - closest as f64 / length as f64).exp() }
}

/// Splits a text as the `13a` tokenizer of WMT does: punctuation apart, but for that inside numbers.
fn tokens(text: &str) -> Vec<String> {
    static STEPS: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
        [
            (r"([\{-\~\[-\` -\&\(-\+\:-\@/])", " ${1} "),
            (r"([^0-9])([\.,])", "${1} ${2} "),
            (r"([\.,])([^0-9])", " ${1} ${2}"),
            (r"([0-9])(-)", "${1} ${2} "),
        ]
        .map(|(pattern, to)| (Regex::new(pattern).expect("the pattern is constant and tested"), to))
    });
    let mut text = text.trim_end().replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if text.contains('&') {
        for (entity, sign) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
            text = text.replace(entity, sign);
        }
    }
    text = format!(" {text} ");
    for (pattern, to) in STEPS.iter() {
        text = pattern.replace_all(&text, *to).into_owned();
    }
    text.split_whitespace().map(str::to_owned).collect()
}

impl Wording for Bleu {
    fn expected(&self) -> &Expected {
        &self.expected
    }
}

impl Scorer for Bleu {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        json!({"type": "bleu", "expected": self.expected.describe(), "like_promptfoo": self.like_promptfoo})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{answer, case, judge, judge_answer, scorer};

    #[test]
    fn equals_sacrebleu() {
        // sacrebleu 2.6.0: sentence_bleu(answer, references).score / 100.
        let guide = [
            "It is a guide to action that ensures that the military will forever heed Party commands.",
            "It is the guiding principle which guarantees the military forces always being under the command of the Party.",
            "It is the practical guide for the army always to heed the directions of the party.",
        ];
        let military = "It is a guide to action which ensures that the military always obeys the commands of the party.";
        let jerry = "Tom & Jerry's \"house\" (old) is well-kept, 10-fold!";
        let table = [
            ("the cat is on the mat", vec!["the cat is on the mat"], 1.0),
            (
                "The quick brown fox jumps over the lazy dog.",
                vec!["The quick brown dog jumps on the log."],
                0.193_048_697_548_044_93,
            ),
            ("the the the the the the the", vec!["the cat is on the mat", "there is a cat on the mat"], 0.078_098_498_423_006_37),
            (military, guide.to_vec(), 0.540_172_589_859_514_1),
            (
                "Refund of $1,200.50 issued; it takes 3-5 days.",
                vec!["A refund of $1,200.50 was issued. It takes 3-5 days."],
                0.426_435_614_334_961_74,
            ),
            ("cat", vec!["cat"], 1.0),
            ("cat on", vec!["the cat sat on the mat"], 0.095_696_496_510_410_97),
            ("no overlap here", vec!["totally different words"], 0.0),
            ("Tom &amp; Jerry's \"house\" (old)\nis well-kept, 10-fold.", vec![jerry], 0.930_604_859_102_099_4),
            ("Grüße aus Köln: 3.5 % mehr.", vec!["Grüße aus Köln, 3.5 % mehr"], 0.345_720_784_641_941_2),
        ];
        let scorer = scorer("{type: bleu, expected: want}", None).unwrap();
        for (answer, references, expected) in table {
            let value = judge(scorer.as_ref(), answer, &case(json!({"want": references}))).value;
            assert!((value - expected).abs() < 1e-12, "{answer}: {value} is not {expected}");
        }
    }

    #[test]
    fn nothing_is_worth_nothing_and_a_missing_reference_is_an_error() {
        let scorer = scorer("{type: bleu, expected: want}", None).unwrap();
        assert_eq!(judge(scorer.as_ref(), "", &case(json!({"want": "a b"}))).value, 0.0);
        assert!(judge_answer(scorer.as_ref(), &answer("a"), &case(json!({"want": " "}))).is_err());
    }
}
