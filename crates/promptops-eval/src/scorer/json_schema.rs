//! `json-schema`: the answer is what a JSON Schema describes.

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{Building, Judged, Judgement, Score, Scorer, Settings, excerpt, json_text};
use crate::spec::fields::Fields;

/// The scorer as an eval file states it: with a schema, or with the prompt's `output`.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonSchemaSettings {
    schema: Option<Value>,
    anywhere: bool,
}

impl JsonSchemaSettings {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        let anywhere = fields.flag("anywhere");
        let schema = fields.json("schema");
        if let Some(Err(error)) = schema.as_ref().map(|schema| validator(&schema.value)) {
            let span = schema.as_ref().map_or(0..0, |schema| schema.span.clone());
            fields.findings.error(span, format!("`schema` is no JSON Schema: {error}"));
        }
        Self { schema: schema.map(|schema| schema.value), anywhere }
    }
}

impl Settings for JsonSchemaSettings {
    fn build(&self, building: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        let Some(schema) = self.schema.as_ref().or(building.output) else {
            return Err("the scorer needs a `schema`, for the prompt states no `output`".to_owned());
        };
        let validator = validator(schema).map_err(|error| format!("the schema is no JSON Schema: {error}"))?;
        Ok(Box::new(JsonSchema { schema: schema.clone(), validator, anywhere: self.anywhere }))
    }
}

/// Compiles a schema. References to other files and addresses are refused: nothing is fetched.
fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::validator_for(schema).map_err(|error| error.to_string())
}

/// Passes an answer that is JSON of the schema, or a text where the schema describes a text.
///
/// A model that is asked for one of `["billing", "sales"]` answers `billing`, without quotes. So an answer also passes if
/// its text, without white space at its ends, is valid as a JSON string. With `anywhere`, the first object or list in the answer
/// is judged where the answer as a whole is no JSON.
#[derive(Debug)]
pub struct JsonSchema {
    schema: Value,
    validator: Validator,
    anywhere: bool,
}

impl JsonSchema {
    fn judge(&self, answer: &str) -> Score {
        let text = answer.trim();
        let parsed = json_text::read(text, self.anywhere);
        if parsed.as_ref().is_some_and(|value| self.validator.is_valid(value)) {
            return Score::pass();
        }
        let as_text = Value::String(text.to_owned());
        if self.validator.is_valid(&as_text) {
            return Score::pass();
        }
        let value = parsed.as_ref().unwrap_or(&as_text);
        let reason = self.validator.iter_errors(value).next().map_or_else(String::new, |error| {
            let place = error.instance_path().to_string();
            if place.is_empty() { error.to_string() } else { format!("{place}: {error}") }
        });
        match parsed {
            Some(_) => Score::fail(excerpt(&reason)),
            None => Score::fail(format!("not JSON: `{}`", excerpt(answer))),
        }
    }
}

impl Scorer for JsonSchema {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        self.judge(&judged.answer.text).into()
    }

    fn describe(&self) -> Value {
        json!({"type": "json-schema", "schema": self.schema, "anywhere": self.anywhere})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::scorer::tests::{case, judge, scorer};

    fn note(output: &Value, answer: &str) -> Option<String> {
        judge(scorer("{type: json-schema}", Some(output)).unwrap().as_ref(), answer, &case(json!({}))).note
    }

    #[test]
    fn the_prompts_output_is_the_default() {
        let output = json!({"type": "object", "required": ["team"], "properties": {"team": {"enum": ["a", "b"]}}});
        assert_eq!(note(&output, "{\"team\": \"a\"}\n"), None);
        assert_eq!(note(&output, "{\"team\": \"c\"}").unwrap(), "/team: \"c\" is not one of \"a\" or \"b\"");
        assert_eq!(note(&output, "Sure! {\"team\": \"a\"}").unwrap(), "not JSON: `Sure! {\"team\": \"a\"}`");
        assert_eq!(note(&output, "{\"team\": \"a\"").unwrap(), "not JSON: `{\"team\": \"a\"`");
    }

    #[test]
    fn a_text_counts_as_a_json_string_where_the_schema_admits_it() {
        let labels = json!({"enum": ["billing", "7", "true"]});
        for answer in ["billing", " billing\n", "\"billing\"", "7", "true"] {
            assert_eq!(note(&labels, answer), None, "{answer}");
        }
        assert!(note(&labels, "Billing").is_some());
        assert!(note(&labels, "billing or sales").is_some());
        assert_eq!(note(&json!({"type": "integer"}), "7"), None);
        assert!(note(&json!({"type": "integer"}), "\"7\"").is_some());
    }

    #[test]
    fn a_schema_of_its_own_comes_first() {
        let scorer = scorer("{type: json-schema, schema: {type: integer}}", Some(&json!({"enum": ["x"]}))).unwrap();
        assert!(judge(scorer.as_ref(), "3", &case(json!({}))).passed);
    }

    #[test]
    fn json_inside_an_answer_counts_when_asked_for() {
        let text = "{type: json-schema, schema: {type: object, required: [team]}, anywhere: true}";
        let scorer = scorer(text, None).unwrap();
        assert!(judge(scorer.as_ref(), "Here it is:\n```json\n{\"team\": \"a\"}\n```", &case(json!({}))).passed);
        let wrong = judge(scorer.as_ref(), "Here it is: {\"queue\": 1}", &case(json!({})));
        assert_eq!(wrong.note.unwrap(), "\"team\" is a required property");
    }

    #[test]
    fn without_any_schema_or_with_a_bad_one_there_is_no_scorer() {
        assert!(scorer("{type: json-schema}", None).unwrap_err().contains("needs a `schema`"));
        let error = scorer("{type: json-schema, schema: {type: strin}}", None).unwrap_err();
        assert!(error.starts_with("`schema` is no JSON Schema: "), "{error}");
        let remote = scorer("{type: json-schema, schema: {$ref: 'http://127.0.0.1:9/schema.json'}}", None);
        assert!(remote.is_err());
    }
}
