//! `contains-json`: the answer has a JSON object in it, amid other text.

use jsonschema::Validator;
use promptops_prompt::yaml;
use serde_json::{Value, json};

use super::{Building, Judged, Judgement, Score, Scorer, Settings, excerpt};
use crate::spec::fields::Fields;

/// The longest object that is looked for, in bytes, so that a text of braces costs no more than one of words.
const MAX_BYTES: usize = 100_000;
/// Braces at which an object is looked for.
const MAX_PLACES: usize = 200;

/// The scorer as an eval file states it.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainsJsonSettings {
    schema: Option<Value>,
}

impl ContainsJsonSettings {
    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        let schema = fields.json("schema");
        if let Some(Err(error)) = schema.as_ref().map(|schema| jsonschema::validator_for(&schema.value)) {
            let span = schema.as_ref().map_or(0..0, |schema| schema.span.clone());
            fields.findings.error(span, format!("`schema` is no JSON Schema: {error}"));
        }
        Self { schema: schema.map(|schema| schema.value) }
    }
}

impl Settings for ContainsJsonSettings {
    fn build(&self, _: &Building<'_>) -> Result<Box<dyn Scorer>, String> {
        let validator = self.schema.as_ref().map(jsonschema::validator_for).transpose();
        let validator = validator.map_err(|error| format!("the schema is no JSON Schema: {error}"))?;
        Ok(Box::new(ContainsJson { schema: self.schema.clone(), validator }))
    }
}

/// Passes an answer with an object between braces, and with a schema, one of whose objects fulfils it.
///
/// Objects are read as YAML reads them, a superset of JSON: models leave out quotes and add commas. An object whose end is missing is
/// completed.
#[derive(Debug)]
pub struct ContainsJson {
    schema: Option<Value>,
    validator: Option<Validator>,
}

impl Scorer for ContainsJson {
    fn score<'a>(&'a self, judged: &'a Judged<'a>) -> Judgement<'a> {
        let objects = objects(&judged.answer.text);
        let Some(first) = objects.first() else {
            return Score::fail(format!("no JSON object in `{}`", excerpt(&judged.answer.text))).into();
        };
        let Some(validator) = &self.validator else { return Score::pass().into() };
        if objects.iter().any(|object| validator.is_valid(object)) {
            return Score::pass().into();
        }
        let reason = validator.iter_errors(first).next().map_or_else(String::new, |error| error.to_string());
        Score::fail(format!("no object of the schema: {}", excerpt(&reason))).into()
    }

    fn describe(&self) -> Value {
        json!({"type": "contains-json", "schema": self.schema})
    }
}

/// Returns the objects in a text, those within others left out.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    let mut from = 0;
    for _ in 0..MAX_PLACES {
        let Some(start) = text[from..].find('{').map(|at| from + at) else { break };
        match object(&text[start..]) {
            Some((object, length)) => {
                objects.push(object);
                from = start + length;
            }
            None => from = start + 1,
        }
    }
    objects
}

/// Reads the object that a text begins with, and says how long it is.
fn object(text: &str) -> Option<(Value, usize)> {
    // A lone brace at the end begins nothing.
    if text.len() == 1 {
        return None;
    }
    let mut depth = 0_usize;
    let mut end = text.len();
    for (at, character) in text.char_indices().take_while(|(at, _)| *at < MAX_BYTES) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            end = at + 1;
            break;
        }
    }
    let completed = format!("{}{}", &text[..end], "}".repeat(depth));
    let (node, problems) = yaml::parse(&completed);
    let value = node.filter(|_| problems.is_empty())?.to_json(&mut Vec::new());
    value.is_object().then_some((value, end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scorer::tests::{case, judge, scorer};

    #[test]
    fn objects_are_found_amid_text() {
        assert_eq!(objects("Sure: {\"a\": {\"b\": 1}} and {c: 2,}"), [json!({"a": {"b": 1}}), json!({"c": 2})]);
        assert_eq!(objects("cut {\"a\": [1, {\"b\": 2"), [json!({"b": 2})]);
        assert_eq!(objects("cut {\"a\": {\"b\": 2"), [json!({"a": {"b": 2}})]);
        assert_eq!(objects("none, [1, 2] or }{"), Vec::<Value>::new());
        assert_eq!(objects(&"{".repeat(5000)), Vec::<Value>::new());
    }

    #[test]
    fn one_object_of_the_schema_is_enough() {
        let text = "{type: contains-json, schema: {type: object, required: [b]}}";
        let with_schema = scorer(text, None).unwrap();
        let score = |answer: &str| judge(with_schema.as_ref(), answer, &case(json!({})));
        assert!(score("{\"a\": 1} then {\"b\": 2}").passed);
        assert_eq!(score("{\"a\": 1}").note.unwrap(), "no object of the schema: \"b\" is a required property");
        assert_eq!(score("sorry").note.unwrap(), "no JSON object in `sorry`");
        assert!(judge(scorer("{type: contains-json}", None).unwrap().as_ref(), "x {} y", &case(json!({}))).passed);
        assert!(scorer("{type: contains-json, schema: {type: 3}}", None).unwrap_err().starts_with("`schema` is no JSON Schema"));
    }
}
