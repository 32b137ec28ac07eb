//! `json-valid`: the answer is JSON.

use serde_json::{Value, json};

use super::{Building, Judged, Judgement, Score, Scorer, Settings, excerpt, json_text};
use crate::spec::fields::Fields;

/// Passes an answer that is JSON, with nothing but white space around it; with `anywhere`, one with an object or list in it.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonValid {
    anywhere: bool,
}

impl JsonValid {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        Self { anywhere: fields.flag("anywhere") }
    }
}

impl Settings for JsonValid {
    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for JsonValid {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let answer = &judged.answer.text;
        match json_text::read(answer, self.anywhere) {
            Some(_) => Score::pass().into(),
            None if self.anywhere => Score::fail(format!("no JSON in `{}`", excerpt(answer))).into(),
            None => Score::fail(format!("not JSON: `{}`", excerpt(answer))).into(),
        }
    }

    fn describe(&self) -> Value {
        json!({"type": "json-valid", "anywhere": self.anywhere})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{case, judge, scorer};

    #[test]
    fn the_whole_answer_is_json_unless_told_otherwise() {
        let score = |text: &str, answer: &str| judge(scorer(text, None).unwrap().as_ref(), answer, &case(json!({})));
        let fenced = "```json\n{\"a\": 1}\n```";
        assert!(score("{type: json-valid}", " [1]\n").passed);
        assert!(!score("{type: json-valid}", fenced).passed);
        assert_eq!(score("{type: json-valid}", "I cannot").note.unwrap(), "not JSON: `I cannot`");
        assert!(score("{type: json-valid, anywhere: true}", fenced).passed);
        assert!(!score("{type: json-valid, anywhere: true}", "I cannot").passed);
    }
}
