//! `finish-reason`: the model stopped for a certain reason.

use serde_json::{Value, json};

use super::{Building, Judged, Judgement, Score, Scorer, Settings, Unjudged, UnjudgedClass};
use crate::spec::fields::Fields;

/// Passes an answer that ended for one of these reasons: `stop`, `length`, `tool-calls`, `content-filter`, or what the
/// provider itself calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishReason {
    wanted: Vec<String>,
}

impl FinishReason {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        fields.required("value")?;
        Some(Self { wanted: fields.texts("value")? })
    }
}

/// Returns the name under which the reasons of all providers are compared.
fn common(reason: &str) -> &str {
    match reason {
        "end_turn" | "stop_sequence" | "completed" => "stop",
        "max_tokens" | "max_output_tokens" | "model_context_window_exceeded" => "length",
        "tool_calls" | "tool_use" | "function_call" => "tool-calls",
        "content_filter" | "content_filtered" | "guardrail_intervened" | "refusal" => "content-filter",
        other => other,
    }
}

impl Settings for FinishReason {
    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for FinishReason {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let Some(reason) = judged.answer.finish_reason.as_deref() else {
            let message = "the provider does not say why the model stopped".to_owned();
            return Err(Unjudged { class: UnjudgedClass::Unmeasured, message }).into();
        };
        let is_wanted = self.wanted.iter().any(|wanted| wanted == reason || common(wanted) == common(reason));
        if is_wanted { Score::pass().into() } else { Score::fail(format!("it stopped because of `{reason}`")).into() }
    }

    fn describe(&self) -> Value {
        json!({"type": "finish-reason", "value": self.wanted})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::client::Answer;
    use crate::scorer::UnjudgedClass;
    use crate::scorer::tests::{answer, case, judge_answer, scorer};

    #[test]
    fn reasons_are_the_same_whoever_names_them() {
        let judge = |text: &str, reason: Option<&str>| {
            let answer = Answer { finish_reason: reason.map(str::to_owned), ..answer("x") };
            judge_answer(scorer(text, None).unwrap().as_ref(), &answer, &case(json!({})))
        };
        for reason in ["stop", "end_turn", "completed"] {
            assert!(judge("{type: finish-reason, value: stop}", Some(reason)).unwrap().passed, "{reason}");
        }
        assert!(judge("{type: finish-reason, value: [length, tool-calls]}", Some("tool_use")).unwrap().passed);
        assert!(judge("{type: finish-reason, value: max_tokens}", Some("length")).unwrap().passed);
        assert!(judge("{type: finish-reason, value: pause_turn}", Some("pause_turn")).unwrap().passed);
        let cut = judge("{type: finish-reason, value: stop}", Some("length")).unwrap();
        assert_eq!(cut.note.as_deref(), Some("it stopped because of `length`"));
        assert_eq!(judge("{type: finish-reason, value: stop}", None).unwrap_err().class, UnjudgedClass::Unmeasured);
        assert_eq!(scorer("{type: finish-reason}", None).unwrap_err(), "the scorer lacks `value`");
    }
}
