//! `latency`: how long the answer took.

use serde_json::{Value, json};

use super::{Building, Grading, Judged, Judgement, Score, Scorer, Settings, Unit};

/// Measures the milliseconds from sending the call to the last byte of the answer. A replayed answer has the latency that was
/// recorded with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency;

impl Settings for Latency {
    fn grading(&self) -> Grading {
        Grading::Quantity(Unit::Milliseconds)
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for Latency {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let milliseconds = judged.answer.latency_ms;
        Score::quantity(milliseconds as f64, format!("{milliseconds} ms")).into()
    }

    fn describe(&self) -> Value {
        json!({"type": "latency"})
    }

    fn unit(&self) -> Unit {
        Unit::Milliseconds
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::client::Answer;
    use crate::scorer::Unit;
    use crate::scorer::tests::{answer, case, judge_answer, scorer};

    #[test]
    fn milliseconds_count_and_a_threshold_bounds_them() {
        let slow = Answer { latency_ms: 2_500, ..answer("x") };
        let judge = |text: &str| judge_answer(scorer(text, None).unwrap().as_ref(), &slow, &case(json!({}))).unwrap();
        let measured = judge("{type: latency}");
        assert_eq!((measured.value, measured.passed), (2_500.0, true));
        let bounded = judge("{type: latency, threshold: 2000}");
        assert_eq!((bounded.value, bounded.passed), (0.0, false));
        assert_eq!(bounded.note.as_deref(), Some("2500 ms, above the threshold of 2000"));
        assert_eq!(scorer("{type: latency}", None).unwrap().unit(), Unit::Milliseconds);
    }
}
