//! `label`: the answer is the right one of a list of labels. Gives accuracy, macro-F1 and the confusion matrix.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::expected::Expected;
use super::{Building, Classified, Judged, Judgement, Score, Scorer, Settings, Unjudged, UnjudgedClass, excerpt};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// The scorer as an eval file states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSettings {
    /// The column with the right label.
    expected: String,
    /// The labels; otherwise the `enum` of the prompt's `output`.
    labels: Option<Vec<String>>,
}

impl LabelSettings {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let labels = fields.texts("labels");
        let expected = fields.required_text("expected")?;
        Some(Self { expected: expected.value, labels })
    }
}

impl Settings for LabelSettings {
    fn columns(&self) -> Vec<&str> {
        vec![&self.expected]
    }

    fn build(&self, building: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        let from_prompt = || {
            let labels = building.output?.get("enum")?.as_array()?;
            labels.iter().map(|label| label.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        };
        let Some(names) = self.labels.clone().or_else(from_prompt) else {
            return Err("the scorer needs `labels`, for the prompt's `output` has no `enum` of texts".to_owned());
        };
        Ok(Box::new(Label { expected: Expected::Column(self.expected.clone()), labels: Labels::new(names)? }))
    }
}

/// The labels of a classification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    by_normal_form: BTreeMap<String, usize>,
}

impl Labels {
    pub(crate) fn new(names: Vec<String>) -> Result<Self, String> {
        let mut by_normal_form = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            if let Some(other) = by_normal_form.insert(normal(name), index) {
                return Err(format!("the labels `{}` and `{name}` cannot be told apart in an answer", names[other]));
            }
        }
        Ok(Self { names, by_normal_form })
    }

    /// Returns the labels in the order in which they were stated.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the number of the label that a text is, or nothing.
    ///
    /// White space and punctuation around it and upper and lower case make no difference; anything more does: `billing.` is
    /// a label, `I think billing` is none.
    pub fn find(&self, text: &str) -> Option<usize> {
        self.by_normal_form.get(&normal(text)).copied()
    }
}

fn normal(text: &str) -> String {
    let is_edge =
        |character: char| character.is_whitespace() || character.is_ascii_punctuation() || "“”„‘’«»…".contains(character);
    text.trim_matches(is_edge).to_lowercase()
}

/// Passes an answer that is the expected label.
#[derive(Debug)]
pub struct Label {
    expected: Expected,
    labels: Labels,
}

impl Label {
    fn judge(&self, answer: &str, case: &Case) -> Result<Score, Unjudged> {
        let expected = self.expected.some_text(case)?;
        // Turned around or in a set, a fail for want of a reference would count as a pass.
        let right = self.labels.find(&expected).ok_or_else(|| Unjudged {
            class: UnjudgedClass::Reference,
            message: format!("the expected label `{}` is not among the labels", excerpt(&expected)),
        })?;
        let names = self.labels.names();
        let answered = self.labels.find(answer);
        let score = match answered {
            Some(found) if found == right => Score::pass(),
            Some(found) => Score::fail(format!("expected `{}`, got `{}`", names[right], names[found])),
            None => Score::fail(format!("expected `{}`, got no label: `{}`", names[right], excerpt(answer))),
        };
        Ok(Score { classified: Some(Classified { right, answered }), ..score })
    }
}

impl Scorer for Label {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        json!({"type": "label", "expected": self.expected.column(), "labels": self.labels.names()})
    }

    fn labels(&self) -> Option<&Labels> {
        Some(&self.labels)
    }
}

/// How often each label was answered where each was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// The labels, naming rows (right) and columns (answered).
    pub labels: Vec<String>,
    /// `counts[right][answered]`; the last column counts answers that are no label.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Returns an empty matrix.
    pub fn new(labels: &Labels) -> Self {
        let count = labels.names().len();
        Self { labels: labels.names().to_vec(), counts: vec![vec![0; count + 1]; count] }
    }

    /// Counts one answer; nothing where there is none, because the call failed.
    pub fn add(&mut self, right: usize, answered: Option<usize>) {
        let column = answered.unwrap_or(self.labels.len());
        self.counts[right][column] += 1;
    }

    /// Returns the mean of the labels' F1, over the labels that were right or answered at least once.
    ///
    /// F1 is `2 TP / (2 TP + FP + FN)`. An answer that is no label is a miss (FN) for the right one. Equals
    /// `sklearn.metrics.f1_score(average="macro")` with the occurring labels given as `labels`.
    pub fn macro_f1(&self) -> Option<f64> {
        let mut scores = Vec::new();
        for label in 0..self.labels.len() {
            let hits = self.counts[label][label];
            let right: u64 = self.counts[label].iter().sum();
            let answered: u64 = self.counts.iter().map(|row| row[label]).sum();
            if right + answered > 0 {
                scores.push(2.0 * hits as f64 / (right + answered) as f64);
            }
        }
        if scores.is_empty() { None } else { Some(scores.iter().sum::<f64>() / scores.len() as f64) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scorer::tests::{answer, case, judge, judge_answer, scorer};

    fn output() -> Value {
        json!({"enum": ["billing", "technical", "other"]})
    }

    #[test]
    fn only_the_label_itself_counts() {
        let scorer = scorer("{type: label, expected: intent}", Some(&output())).unwrap();
        let case = case(json!({"intent": "Billing"}));
        for good in ["billing", " Billing.\n", "\"BILLING\"", "**billing**", "“billing”"] {
            assert!(judge(scorer.as_ref(), good, &case).passed, "{good}");
        }
        for bad in ["", "I think billing", "billing or technical", "bill ing", "technical"] {
            assert!(!judge(scorer.as_ref(), bad, &case).passed, "{bad}");
        }
        assert_eq!(judge(scorer.as_ref(), "technical!", &case).note.unwrap(), "expected `billing`, got `technical`");
        assert_eq!(judge(scorer.as_ref(), "dunno", &case).note.unwrap(), "expected `billing`, got no label: `dunno`");
    }

    #[test]
    fn a_case_without_a_right_label_is_not_judged_however_the_scorer_is_used() {
        let label = "type: label, expected: intent, labels: [a, b]";
        for text in [format!("{{{label}}}"), format!("{{{label}, not: true}}"), format!("{{type: set, of: [{{{label}}}]}}")] {
            let scorer = scorer(&text, None).unwrap();
            let message = |intent: Value| {
                let unjudged = judge_answer(scorer.as_ref(), &answer("a"), &case(json!({"intent": intent}))).unwrap_err();
                assert_eq!(unjudged.class, UnjudgedClass::Reference);
                unjudged.message.trim_start_matches("`label`: ").to_owned()
            };
            for empty in [json!(""), json!("  "), Value::Null] {
                assert_eq!(message(empty), "column `intent` is empty, so there is nothing to compare with");
            }
            assert_eq!(message(json!("c")), "the expected label `c` is not among the labels");
        }
    }

    #[test]
    fn labels_come_from_the_eval_file_or_the_prompt() {
        let own = scorer("{type: label, expected: intent, labels: [a, b]}", Some(&output())).unwrap();
        assert_eq!(own.labels().unwrap().names(), ["a", "b"]);
        assert!(scorer("{type: label, expected: intent}", None).unwrap_err().contains("needs `labels`"));
        let clash = scorer("{type: label, expected: intent, labels: [a, A.]}", None).unwrap_err();
        assert_eq!(clash, "the labels `a` and `A.` cannot be told apart in an answer");
    }

    #[test]
    fn macro_f1_equals_that_of_scikit_learn() {
        // sklearn.metrics.f1_score(right, answered, labels=["a", "b", "c"], average="macro") of scikit-learn 1.7 with
        // right    = a a a a b b b c c c
        // answered = a a b - b b a c - a      gives 0.5555555555555555.
        let labels = Labels::new(vec!["a".into(), "b".into(), "c".into(), "unused".into()]).unwrap();
        let mut confusion = Confusion::new(&labels);
        let answers = [
            ("a", "a"),
            ("a", "a"),
            ("a", "b"),
            ("a", "-"),
            ("b", "b"),
            ("b", "b"),
            ("b", "a"),
            ("c", "c"),
            ("c", "-"),
            ("c", "a"),
        ];
        for (right, answered) in answers {
            confusion.add(labels.find(right).unwrap(), labels.find(answered));
        }
        assert_eq!(confusion.counts[0], [2, 1, 0, 0, 1]);
        assert!((confusion.macro_f1().unwrap() - 0.555_555_555_555_555_5).abs() < 1e-15);
        assert_eq!(Confusion::new(&labels).macro_f1(), None);
    }
}
