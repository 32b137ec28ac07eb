//! `tokens`: how many tokens the answer took.

use serde_json::{Value, json};

use super::{Building, Grading, Judged, Judgement, Score, Scorer, Settings, Unit, Unjudged, UnjudgedClass};
use crate::spec::fields::Fields;

/// What is counted, as eval files name it.
const COUNTS: [&str; 4] = ["total", "input", "output", "reasoning"];

/// Measures the tokens that the provider counts: of request and answer together unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// An index into [`COUNTS`].
    count: usize,
}

impl Tokens {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        Self { count: fields.choice("count", &COUNTS).unwrap_or(0) }
    }
}

impl Settings for Tokens {
    fn grading(&self) -> Grading {
        Grading::Quantity(Unit::Tokens)
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for Tokens {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let Some(usage) = judged.answer.usage else {
            let message = "the provider does not count tokens".to_owned();
            return Err(Unjudged { class: UnjudgedClass::Unmeasured, message }).into();
        };
        let tokens = match COUNTS[self.count] {
            "input" => usage.input,
            "output" => usage.output,
            "reasoning" => usage.reasoning,
            _ => usage.input + usage.output,
        };
        Score::quantity(tokens as f64, format!("{tokens} tokens")).into()
    }

    fn describe(&self) -> Value {
        json!({"type": "tokens", "count": COUNTS[self.count]})
    }

    fn unit(&self) -> Unit {
        Unit::Tokens
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::client::{Answer, Usage};
    use crate::scorer::UnjudgedClass;
    use crate::scorer::tests::{answer, case, judge_answer, scorer};

    #[test]
    fn the_provider_counts() {
        let usage = Usage { input: 90, output: 12, cached_input: 64, cache_write: 0, reasoning: 5 };
        let counted = Answer { usage: Some(usage), ..answer("x") };
        let judge = |text: &str, answer| judge_answer(scorer(text, None).unwrap().as_ref(), answer, &case(json!({})));
        let value = |text: &str| judge(text, &counted).unwrap().value;
        assert_eq!(value("{type: tokens}"), 102.0);
        assert_eq!(value("{type: tokens, count: input}"), 90.0);
        assert_eq!(value("{type: tokens, count: output}"), 12.0);
        assert_eq!(value("{type: tokens, count: reasoning}"), 5.0);
        assert_eq!(value("{type: tokens, count: output, threshold: 12}"), 1.0);
        assert_eq!(judge("{type: tokens}", &answer("x")).unwrap_err().class, UnjudgedClass::Unmeasured);
        let unknown = scorer("{type: tokens, count: cached}", None).unwrap_err();
        assert_eq!(unknown, "`count` is `total`, `input`, `output` or `reasoning`, not `cached`");
    }
}
