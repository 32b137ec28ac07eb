//! `json-path`: what a JSONPath finds in the answer is what is expected.

use serde_json::{Value, json};
use serde_json_path::JsonPath as Query;

use super::expected::Expected;
use super::{Building, Judged, Judgement, Score, Scorer, Settings, excerpt, json_text};
use crate::dataset::Case;
use crate::spec::fields::Fields;

/// Passes an answer in which the path (RFC 9535) finds a value that equals the expected one, or any value where none is stated.
///
/// A cell of a CSV file is a text, so a text that is expected also stands for the JSON that it is: `7` for the number.
#[derive(Debug, Clone)]
pub struct JsonPath {
    path: String,
    query: Query,
    expected: Option<Expected>,
    anywhere: bool,
}

impl JsonPath {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let anywhere = fields.flag("anywhere");
        let is_compared = fields.node("expected").or(fields.node("value")).is_some();
        let expected = if is_compared {
            Some(Expected::read(fields, "any value", |fields| fields.json("value").map(|json| json.value))?)
        } else {
            None
        };
        let path = fields.required_text("path")?;
        match Query::parse(&path.value) {
            Ok(query) => Some(Self { path: path.value, query, expected, anywhere }),
            Err(error) => {
                fields.findings.error(path.span, format!("`path` is no JSONPath: {error}"));
                None
            }
        }
    }

    fn judge(&self, answer: &str, case: &Case) -> Score {
        let Some(json) = json_text::read(answer, self.anywhere) else {
            return Score::fail(format!("not JSON: `{}`", excerpt(answer)));
        };
        let found = self.query.query(&json).all();
        if found.is_empty() {
            return Score::fail(format!("`{}` finds nothing in `{}`", self.path, excerpt(answer)));
        }
        let Some(expected) = &self.expected else { return Score::pass() };
        let wanted = expected.value(case).unwrap_or(&Value::Null);
        let as_json: Option<Value> = wanted.as_str().and_then(|text| serde_json::from_str(text).ok());
        if found.iter().any(|value| **value == *wanted || Some(*value) == as_json.as_ref()) {
            return Score::pass();
        }
        let found = found.iter().map(|value| value.to_string()).collect::<Vec<_>>().join("`, `");
        Score::fail(format!("`{}` finds `{}` where `{}` is expected", self.path, excerpt(&found), excerpt(&wanted.to_string())))
    }
}

impl Settings for JsonPath {
    fn columns(&self) -> Vec<&str> {
        self.expected.as_ref().map(Expected::columns).unwrap_or_default()
    }

    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        Ok(Box::new(self.clone()))
    }
}

impl Scorer for JsonPath {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text, judged.case).into()
    }

    fn describe(&self) -> Value {
        let expected = self.expected.as_ref().map(Expected::describe);
        json!({"type": "json-path", "path": self.path, "expected": expected, "anywhere": self.anywhere})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scorer::tests::{case, judge, scorer};

    fn note(text: &str, answer: &str) -> Option<String> {
        judge(scorer(text, None).unwrap().as_ref(), answer, &case(json!({"n": "7", "team": "billing"}))).note
    }

    #[test]
    fn what_is_found_is_compared() {
        let answer = r#"{"team": "billing", "orders": [{"id": 3}, {"id": 7}]}"#;
        assert_eq!(note("{type: json-path, path: $.team, expected: team}", answer), None);
        assert_eq!(note("{type: json-path, path: '$.orders[*].id', expected: n}", answer), None);
        assert_eq!(note("{type: json-path, path: '$.orders[?@.id > 5]'}", answer), None);
        assert_eq!(note("{type: json-path, path: '$.orders[0]', value: {id: 3}}", answer), None);
        assert_eq!(note("{type: json-path, path: $.team, anywhere: true}", &format!("Here: {answer}!")), None);
    }

    #[test]
    fn a_failure_says_what_was_found() {
        let answer = r#"{"team": "sales"}"#;
        let wrong = note("{type: json-path, path: $.team, expected: team}", answer).unwrap();
        assert_eq!(wrong, "`$.team` finds `\"sales\"` where `\"billing\"` is expected");
        let nothing = note("{type: json-path, path: $.queue}", answer).unwrap();
        assert_eq!(nothing, "`$.queue` finds nothing in `{\"team\": \"sales\"}`");
        assert_eq!(note("{type: json-path, path: $}", "billing").unwrap(), "not JSON: `billing`");
    }

    #[test]
    fn a_path_that_is_none_is_a_finding() {
        let error = scorer("{type: json-path, path: 'team['}", None).unwrap_err();
        assert!(error.starts_with("`path` is no JSONPath: "), "{error}");
        assert_eq!(scorer("{type: json-path}", None).unwrap_err(), "the scorer lacks `path`");
    }
}
