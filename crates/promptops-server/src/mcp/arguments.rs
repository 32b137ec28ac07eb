//! The arguments of a prompt: texts, as MCP has them, read as what the prompt's `inputs` say.

use jsonschema::Validator;
use rmcp::ErrorData;
use rmcp::model::PromptArgument;
use serde_json::{Map, Value, json};

use super::pinned_prompt::PinnedPrompt;

/// Bytes of all arguments of one request. A rendered prompt is not larger either.
pub(crate) const MAX_ARGUMENTS_BYTES: usize = 4 << 20;
/// Characters of what a schema says that a list repeats.
const SHOWN: usize = 300;

/// A declared variable.
pub(crate) struct Argument {
    pub(crate) name: String,
    schema: Value,
    /// Missing when the schema is none; then rendering decides what fits.
    validator: Option<Validator>,
}

impl Argument {
    pub(crate) fn new(name: &str, schema: &Value) -> Self {
        Self { name: name.to_owned(), schema: schema.clone(), validator: jsonschema::validator_for(schema).ok() }
    }

    /// Returns the variable as a list shows it.
    pub(crate) fn listed(&self) -> PromptArgument {
        let argument = PromptArgument::new(&self.name).with_required(self.is_required());
        match self.description() {
            text if text.is_empty() => argument,
            text => argument.with_description(text),
        }
    }

    /// Tells whether it must be given.
    pub(crate) fn is_required(&self) -> bool {
        self.schema.get("default").is_none()
    }

    /// Says what the schema says, for people and models.
    fn description(&self) -> String {
        let mut parts = Vec::new();
        if let Some(text) = self.schema.get("description").and_then(Value::as_str) {
            parts.push(text.trim().trim_end_matches('.').to_owned());
        }
        let allowed = self.allowed();
        if !allowed.is_empty() {
            parts.push(format!("One of: {}", allowed.join(", ")));
        } else if !self.takes_text() {
            let types = self.schema.get("type").map(types).filter(|types| !types.is_empty());
            parts.push(types.map_or_else(|| "As JSON".to_owned(), |types| format!("As JSON: {types}")));
        }
        if let Some(default) = self.schema.get("default") {
            parts.push(format!("Default: {}", as_given(default)));
        }
        shortened(&parts.join(". "))
    }

    /// Returns the values that the schema names, as they are given.
    pub(crate) fn allowed(&self) -> Vec<String> {
        let values = match self.schema.get("enum").and_then(Value::as_array) {
            Some(values) => values.clone(),
            None if self.schema.get("type").and_then(Value::as_str) == Some("boolean") => vec![true.into(), false.into()],
            None => self.schema.get("const").cloned().into_iter().collect(),
        };
        values.iter().map(as_given).collect()
    }

    /// Returns the values that the schema shows as examples, as they are given.
    pub(crate) fn examples(&self) -> Vec<String> {
        let examples = self.schema.get("examples").and_then(Value::as_array);
        examples.into_iter().flatten().chain(self.schema.get("default")).map(as_given).collect()
    }

    /// Tells whether some text fits the schema as it is.
    fn takes_text(&self) -> bool {
        match self.schema.get("type") {
            Some(Value::String(name)) => name == "string",
            Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
            _ => true,
        }
    }

    /// Reads what was given: a text that fits the schema as it stands, else JSON that does.
    fn read(&self, given: Value) -> Result<Value, ErrorData> {
        let Some(validator) = &self.validator else { return Ok(given) };
        if validator.is_valid(&given) {
            return Ok(given);
        }
        let value = match given {
            Value::String(text) if !self.takes_text() => serde_json::from_str(&text)
                .map_err(|error| self.refusal(&format!("must be given as JSON ({error}); {}", self.expected())))?,
            // A text where a text may stand, that does not fit: as JSON it may.
            Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            other => other,
        };
        let Some(error) = validator.iter_errors(&value).next() else { return Ok(value) };
        let place = error.instance_path().to_string();
        let place = if place.is_empty() { String::new() } else { format!(" at `{}`", shortened(&place)) };
        // What was given may be large or secret, so it is not repeated.
        Err(self.refusal(&format!(
            "does not fit its schema{place}: {}; {}",
            shortened(&error.masked().to_string()),
            self.expected()
        )))
    }

    fn expected(&self) -> String {
        match self.schema.get("enum") {
            Some(values) => format!("it is one of {}", shortened(&values.to_string())),
            None => format!("its schema is {}", shortened(&self.schema.to_string())),
        }
    }

    fn refusal(&self, reason: &str) -> ErrorData {
        ErrorData::invalid_params(format!("argument `{}` {reason}", self.name), Some(json!({"argument": self.name})))
    }
}

/// Reads the arguments of a request as the values that the prompt is rendered with.
///
/// # Errors
/// Invalid params, naming the argument that is missing, not declared, too large or not as its schema says.
pub(crate) fn read(prompt: &PinnedPrompt, given: Option<Map<String, Value>>) -> Result<Map<String, Value>, ErrorData> {
    let mut given = given.unwrap_or_default();
    let mut bytes = 0;
    for (name, value) in &given {
        bytes += name.len() + value.as_str().map_or_else(|| value.to_string().len(), str::len);
        if bytes > MAX_ARGUMENTS_BYTES {
            let message =
                format!("with argument `{}` the arguments are larger than {MAX_ARGUMENTS_BYTES} bytes", shortened(name));
            return Err(ErrorData::invalid_params(message, Some(json!({"argument": shortened(name)}))));
        }
    }
    let mut values = Map::new();
    for argument in prompt.arguments() {
        match given.shift_remove(&argument.name) {
            Some(value) => {
                values.insert(argument.name.clone(), argument.read(value)?);
            }
            None if !argument.is_required() => {}
            None => return Err(argument.refusal(&format!("is missing; {}", argument.expected()))),
        }
    }
    match given.keys().next() {
        Some(name) => Err(undeclared(prompt, name)),
        None => Ok(values),
    }
}

/// Refuses an argument that the prompt does not declare, and says which it does.
pub(crate) fn undeclared(prompt: &PinnedPrompt, name: &str) -> ErrorData {
    let name = shortened(name);
    let declared: Vec<String> = prompt.arguments().iter().map(|argument| format!("`{}`", argument.name)).collect();
    let declared = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
    let message = format!("prompt `{}` has no argument `{name}`; it has {declared}", prompt.id());
    ErrorData::invalid_params(message, Some(json!({"argument": name})))
}

/// Writes a value as it is given for an argument.
fn as_given(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn types(types: &Value) -> String {
    match types {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        one => one.as_str().unwrap_or_default().to_owned(),
    }
}

/// Returns the beginning of a text that may be long.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(schema: Value, given: &str) -> Result<Value, String> {
        Argument::new("x", &schema).read(given.into()).map_err(|error| error.message.into_owned())
    }

    #[test]
    fn a_text_that_fits_stays_and_everything_else_is_json() {
        for (schema, given, read) in [
            (json!({"type": "string"}), "5", json!("5")),
            (json!({}), "5", json!("5")),
            (json!({"type": "integer"}), "5", json!(5)),
            (json!({"type": "number"}), "0.5", json!(0.5)),
            (json!({"type": "boolean"}), "true", json!(true)),
            (json!({"type": ["string", "null"]}), "null", json!("null")),
            (json!({"type": "array", "items": {"type": "string"}}), r#"["a"]"#, json!(["a"])),
            (json!({"enum": [1, "1"]}), "1", json!("1")),
            (json!({"enum": [1, 2]}), "2", json!(2)),
            (json!({"type": "object", "required": ["a"]}), r#"{"a": 1}"#, json!({"a": 1})),
        ] {
            assert_eq!(read_one(schema.clone(), given), Ok(read), "{schema}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said_without_repeating_it() {
        let array = json!({"type": "array", "items": {"type": "string"}});
        assert_eq!(
            read_one(array.clone(), "secret").unwrap_err(),
            "argument `x` must be given as JSON (expected value at line 1 column 1); its schema is \
             {\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
        );
        let nested = read_one(array, r#"["a", {"secret": 1}]"#).unwrap_err();
        assert!(nested.starts_with("argument `x` does not fit its schema at `/1`:") && !nested.contains("secret"), "{nested}");
        let allowed = read_one(json!({"type": "string", "enum": ["de", "fr"]}), "secret").unwrap_err();
        assert!(allowed.contains(r#"it is one of ["de","fr"]"#) && !allowed.contains("secret"), "{allowed}");
        assert!(read_one(json!({"type": "integer"}), "1.5").is_err());
    }

    #[test]
    fn a_list_says_what_an_argument_takes() {
        let listed = |schema: Value| {
            let listed = Argument::new("x", &schema).listed();
            (listed.required, listed.description.unwrap_or_default())
        };
        assert_eq!(listed(json!({"type": "string"})), (Some(true), String::new()));
        let described = json!({"type": "array", "description": "Earlier messages.", "default": []});
        assert_eq!(listed(described), (Some(false), "Earlier messages. As JSON: array. Default: []".to_owned()));
        assert_eq!(listed(json!({"enum": ["de", 5]})).1, "One of: de, 5");
        assert_eq!(listed(json!({"type": "boolean"})).1, "One of: true, false");
    }
}
