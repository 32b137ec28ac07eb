//! `perplexity`: how sure the model was of its answer, by the probabilities of its own words.

use promptops_prompt::draft::Spanned;
use serde_json::{Value, json};

use super::{Building, Grading, Judged, Judgement, Score, Scorer, Settings, Unjudged, UnjudgedClass};
use crate::spec::fields::Fields;

/// Passes an answer whose perplexity is at most `max`; without it, grades by `1 / (1 + perplexity)`, which is one half for a model that
/// had no doubt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Perplexity {
    max: Option<f64>,
}

impl Perplexity {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let max = fields.number("max");
        if let Some(Spanned { value, span }) = &max
            && *value < 1.0
        {
            fields.findings.error(span.clone(), "no perplexity is below 1");
            return None;
        }
        Some(Self { max: max.map(|max| max.value) })
    }
}

impl Settings for Perplexity {
    fn grading(&self) -> Grading {
        if self.max.is_some() { Grading::PassOrFail } else { Grading::Share }
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(*self))
    }
}

impl Scorer for Perplexity {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let Some(perplexity) = judged.answer.perplexity else {
            let message = "the provider does not tell how probable its words were; some do where the prompt's parameters have `logprobs: true`";
            return Err(Unjudged { class: UnjudgedClass::Unmeasured, message: message.to_owned() }).into();
        };
        match self.max {
            Some(max) if perplexity <= max => Score::pass().into(),
            Some(max) => Score::fail(format!("the perplexity is {perplexity:.2}, more than {max}")).into(),
            None => Score::graded(1.0 / (1.0 + perplexity), format!("the perplexity is {perplexity:.2}")).into(),
        }
    }

    fn describe(&self) -> Value {
        json!({"type": "perplexity", "max": self.max})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::client::Answer;
    use crate::scorer::UnjudgedClass;
    use crate::scorer::tests::{answer, case, judge_answer, scorer};

    #[test]
    fn an_answer_that_the_model_was_sure_of_passes() {
        let of = |settings: &str, perplexity: Option<f64>| {
            let scorer = scorer(settings, None).unwrap();
            judge_answer(scorer.as_ref(), &Answer { perplexity, ..answer("x") }, &case(json!({})))
        };
        let at_most = "{type: perplexity, max: 2.5}";
        assert!(of(at_most, Some(2.5)).unwrap().passed);
        assert_eq!(of(at_most, Some(2.6)).unwrap().note.unwrap(), "the perplexity is 2.60, more than 2.5");
        assert_eq!(of("{type: perplexity}", Some(3.0)).unwrap().value, 0.25);
        let unknown = of(at_most, None).unwrap_err();
        assert!(unknown.class == UnjudgedClass::Unmeasured && unknown.message.contains("`logprobs: true`"), "{unknown:?}");
        assert_eq!(scorer("{type: perplexity, max: 0.5}", None).unwrap_err(), "no perplexity is below 1");
    }
}
