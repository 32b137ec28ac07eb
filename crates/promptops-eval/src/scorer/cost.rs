//! `cost`: what the answer cost.

use serde_json::{Value, json};

use super::{Building, Grading, Judged, Judgement, Score, Scorer, Settings, Unit, Unjudged, UnjudgedClass};

/// Measures the US dollars of the call: its tokens at the price of the model. Without either nothing is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost;

impl Settings for Cost {
    fn grading(&self) -> Grading {
        Grading::Quantity(Unit::UsDollars)
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for Cost {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        match judged.cost_usd {
            Some(cost) => Score::quantity(cost, format!("{cost} USD")).into(),
            None => {
                let message = "the price of the model is not known, or the provider does not count tokens".to_owned();
                Err(Unjudged { class: UnjudgedClass::Unmeasured, message }).into()
            }
        }
    }

    fn describe(&self) -> Value {
        json!({"type": "cost"})
    }

    fn unit(&self) -> Unit {
        Unit::UsDollars
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{answer, case, judge_with, scorer};
    use crate::scorer::{Judged, UnjudgedClass};

    #[test]
    fn dollars_count_where_they_are_known() {
        let judge = |text: &str, cost_usd| {
            let (answer, case) = (answer("x"), case(json!({})));
            judge_with(scorer(text, None).unwrap().as_ref(), &answer, &case, |judged| Judged { cost_usd, ..judged })
        };
        assert_eq!(judge("{type: cost}", Some(0.002)).unwrap().value, 0.002);
        assert_eq!(judge("{type: cost, threshold: 0.001}", Some(0.002)).unwrap().value, 0.0);
        assert_eq!(judge("{type: cost}", None).unwrap_err().class, UnjudgedClass::Unmeasured);
        // What is not known is neither below nor above a threshold.
        assert!(judge("{type: cost, threshold: 0.001, not: true}", None).is_err());
    }
}
