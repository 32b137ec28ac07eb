//! What every scorer takes besides its own settings: `threshold`, `graded` and `not`.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::calibration::Agreement;
use super::label::Labels;
use super::{Ask, Grading, Judged, Judgement, Score, Scorer, Unit};
use crate::dataset::DatasetError;
use crate::spec::fields::Fields;

/// What is made of a scorer's own score.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Adjustment {
    /// The value from which an answer passes; for a quantity, the largest that passes. The score is then 1 or 0.
    pub threshold: Option<f64>,
    /// Whether the score stays the grade, and the threshold decides the verdict alone.
    pub graded: bool,
    /// Whether good is bad and bad is good.
    pub negated: bool,
}

impl Adjustment {
    pub(crate) fn read(fields: &mut Fields<'_, '_>, kind: &str, grading: Grading) -> Self {
        let negated = fields.flag("not");
        // What grades in any case reads the word itself.
        let graded = kind != "per-case" && fields.flag("graded");
        let given = fields.number("threshold");
        let threshold = given.as_ref().map(|threshold| threshold.value);
        let mut refuse = |message: String| match &given {
            Some(given) => fields.findings.error(given.span.clone(), message),
            None => fields.findings.error(fields.span(), message),
        };
        match (grading, threshold) {
            (Grading::PassOrFail, Some(_)) => refuse(format!("`{kind}` passes or fails and takes no `threshold`")),
            (Grading::Share, Some(threshold)) if !(0.0..=1.0).contains(&threshold) => {
                refuse(format!("`threshold` of `{kind}` lies from 0 to 1, not at {threshold}"));
            }
            (Grading::Quantity(_), Some(threshold)) if !(threshold.is_finite() && threshold >= 0.0) => {
                refuse(format!("`threshold` of `{kind}` is a quantity, not {threshold}"));
            }
            (Grading::PassOrFail | Grading::Quantity(_), _) | (Grading::Share, None) if graded => {
                refuse(format!("`graded` of `{kind}` needs a grade and a `threshold`"));
            }
            (Grading::Quantity(_), None) if negated => refuse(format!("`not` of `{kind}` needs a `threshold`")),
            _ => {}
        }
        Self { threshold, graded, negated }
    }

    /// Returns the scorer with this adjustment.
    pub(crate) fn apply(self, kind: &'static str, inner: Box<dyn Scorer>) -> Box<dyn Scorer> {
        if self == Self::default() { inner } else { Box::new(Adjusted { kind, inner, adjustment: self }) }
    }
}

#[derive(Debug)]
struct Adjusted {
    kind: &'static str,
    inner: Box<dyn Scorer>,
    adjustment: Adjustment,
}

impl Adjusted {
    fn adjust(&self, score: Score) -> Score {
        let score = match self.adjustment.threshold {
            Some(threshold) => self.against(threshold, score),
            None => score,
        };
        if !self.adjustment.negated {
            return score;
        }
        let note = score.passed.then(|| match &score.note {
            Some(note) => format!("`{}` must not hold, but does: {note}", self.kind),
            None => format!("`{}` must not hold, but does", self.kind),
        });
        // A negated classification has no right label.
        Score { value: 1.0 - score.value, passed: !score.passed, note, classified: None }
    }

    fn against(&self, threshold: f64, score: Score) -> Score {
        let less_is_better = self.inner.unit().less_is_better();
        let passed = if less_is_better { score.value <= threshold } else { score.value >= threshold };
        let side = if less_is_better { "above" } else { "below" };
        let found = score.note.unwrap_or_else(|| format!("`{}` is {}", self.kind, score.value));
        let note = if passed { found } else { format!("{found}, {side} the threshold of {threshold}") };
        let value = if self.adjustment.graded { score.value } else { f64::from(u8::from(passed)) };
        Score { value, passed, note: Some(note), classified: score.classified }
    }
}

impl Scorer for Adjusted {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        match self.inner.score(judged) {
            Judgement::Ready(score) => Judgement::Ready(score.map(|score| self.adjust(score))),
            Judgement::Pending(score) => Judgement::Pending(score.map(|score| score.map(|score| self.adjust(score))).boxed()),
        }
    }

    fn describe(&self) -> Value {
        json!({"scorer": self.inner.describe(), "threshold": self.adjustment.threshold, "graded": self.adjustment.graded, "not": self.adjustment.negated})
    }

    fn unit(&self) -> Unit {
        if self.adjustment.threshold.is_some() { Unit::Share } else { self.inner.unit() }
    }

    fn needs_rival(&self) -> bool {
        self.inner.needs_rival()
    }

    fn runs_program(&self) -> bool {
        self.inner.runs_program()
    }

    fn labels(&self) -> Option<&Labels> {
        self.inner.labels().filter(|_| !self.adjustment.negated)
    }

    fn calibrate<'a>(&'a self, asks: Option<&'a dyn Ask>) -> Option<BoxFuture<'a, Result<Vec<Agreement>, DatasetError>>> {
        // What is good for people is what would score well: turned around where the scorer is.
        let adjust = |one: Agreement| Agreement {
            human: one.human != self.adjustment.negated,
            judged: one.judged.map(|score| self.adjust(score)),
        };
        let agreements = self.inner.calibrate(asks)?;
        Some(agreements.map(move |list| list.map(|list| list.into_iter().map(adjust).collect())).boxed())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::Unit;
    use crate::scorer::tests::{case, judge, scorer};

    #[test]
    fn every_scorer_can_be_turned_around() {
        let case = case(json!({"intent": "a"}));
        let not = scorer("{type: contains, value: sorry, not: true}", None).unwrap();
        let failed = judge(not.as_ref(), "so sorry", &case);
        assert_eq!((failed.value, failed.passed), (0.0, false));
        assert_eq!(failed.note.as_deref(), Some("`contains` must not hold, but does"));
        let passed = judge(not.as_ref(), "fine", &case);
        assert_eq!((passed.value, passed.passed, passed.note), (1.0, true, None));
        let label = scorer("{type: label, expected: intent, labels: [a, b], not: true}", None).unwrap();
        assert!(label.labels().is_none() && judge(label.as_ref(), "b", &case).passed);
    }

    #[test]
    fn a_threshold_makes_a_grade_a_verdict() {
        let case = case(json!({}));
        let graded = scorer("{type: rouge-n, value: the cat sat}", None).unwrap();
        let value = judge(graded.as_ref(), "the cat", &case).value;
        assert!((value - 0.8).abs() < 1e-12);
        let strict = scorer("{type: rouge-n, value: the cat sat, threshold: 0.9}", None).unwrap();
        let score = judge(strict.as_ref(), "the cat", &case);
        assert_eq!((score.value, score.passed), (0.0, false));
        assert_eq!(score.note.as_deref(), Some("ROUGE-1 is 0.800, below the threshold of 0.9"));
        let graded = scorer("{type: rouge-n, value: the cat sat, threshold: 0.9, graded: true}", None).unwrap();
        assert!(matches!(judge(graded.as_ref(), "the cat", &case), score if score.value == value && !score.passed));
        let not = scorer("{type: rouge-n, value: the cat sat, threshold: 0.9, not: true}", None).unwrap();
        assert!(judge(not.as_ref(), "the cat", &case).passed);
        let quick = scorer("{type: latency, threshold: 1}", None).unwrap();
        assert_eq!((quick.unit(), judge(quick.as_ref(), "", &case).value), (Unit::Share, 1.0));
    }

    #[test]
    fn thresholds_that_make_no_sense_are_findings() {
        let refused = |text: &str| scorer(text, None).unwrap_err();
        assert_eq!(refused("{type: contains, value: a, threshold: 0.5}"), "`contains` passes or fails and takes no `threshold`");
        assert_eq!(refused("{type: bleu, value: a, threshold: 40}"), "`threshold` of `bleu` lies from 0 to 1, not at 40");
        assert_eq!(refused("{type: latency, threshold: -1}"), "`threshold` of `latency` is a quantity, not -1");
        assert_eq!(refused("{type: bleu, value: a, graded: true}"), "`graded` of `bleu` needs a grade and a `threshold`");
        assert_eq!(refused("{type: latency, not: true}"), "`not` of `latency` needs a `threshold`");
    }
}
