//! Parameters and tools, from the form that most providers share to the form of one.
//!
//! A prompt states parameters as its provider takes them, and those go as they are. The few that every provider has under a
//! name of its own (`max_tokens`, `stop`) may be written in the form of OpenAI's chat completions, so that a prompt can change
//! its model without being written anew.

use serde_json::{Map, Value, json};

/// Parameters of a call that are not sent yet.
pub(super) struct Parameters {
    left: Map<String, Value>,
}

impl Parameters {
    /// Takes the parameters of a prompt. What the client itself decides is dropped: a stream would be answered with events
    /// where a document is awaited, and the reverse.
    pub(super) fn of(parameters: &Map<String, Value>) -> Self {
        let mut left = parameters.clone();
        for decided in ["stream", "model", "messages"] {
            left.shift_remove(decided);
        }
        Self { left }
    }

    /// Takes out the first of these that is stated; the others of them stay.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<Value> {
        names.iter().find_map(|name| self.left.shift_remove(*name))
    }

    /// Gives the rest, to be sent as it is.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.left
    }
}

/// Returns a value as a list, as APIs take stop sequences that know no single one.
pub(super) fn list(value: Value) -> Value {
    if value.is_array() { value } else { json!([value]) }
}

/// A function as OpenAI's chat completions describe it.
pub(super) struct Function<'a> {
    pub(super) name: &'a Value,
    pub(super) description: Option<&'a Value>,
    pub(super) schema: Value,
}

/// Turns every tool that is described as a function of chat completions into another form; others stay as they are.
pub(super) fn tools(tools: &Value, form: impl Fn(&Function<'_>) -> Value) -> Value {
    let Some(list) = tools.as_array() else { return tools.clone() };
    list.iter()
        .map(|tool| match tool.get("function").filter(|function| function.is_object()) {
            Some(function) => form(&Function {
                name: &function["name"],
                description: function.get("description"),
                schema: function.get("parameters").cloned().unwrap_or_else(|| json!({"type": "object", "properties": {}})),
            }),
            None => tool.clone(),
        })
        .collect()
}

/// Reads arguments that a model wrote as a text of JSON.
pub(super) fn arguments(text: &str) -> Value {
    // A tool without parameters is called with nothing at all by some models.
    if text.trim().is_empty() {
        return json!({});
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_goes_as_it_is() {
        let stated = json!({"temperature": 0, "stream": true, "max_tokens": 5, "model": "other", "messages": [], "seed": 1});
        let mut parameters = Parameters::of(stated.as_object().unwrap());
        assert_eq!(parameters.take(&["max_completion_tokens", "max_tokens"]), Some(json!(5)));
        assert_eq!(parameters.take(&["stop"]), None);
        assert_eq!(Value::Object(parameters.rest()), json!({"temperature": 0, "seed": 1}));
    }

    #[test]
    fn tools_of_a_provider_s_own_form_stay() {
        let stated = json!([
            {"type": "function", "function": {"name": "a", "description": "d"}},
            {"type": "web_search"},
        ]);
        let turned = tools(&stated, |function| json!({"n": function.name, "d": function.description, "s": function.schema}));
        assert_eq!(turned, json!([{"n": "a", "d": "d", "s": {"type": "object", "properties": {}}}, {"type": "web_search"}]));
    }

    #[test]
    fn arguments_that_are_no_json_are_kept_as_text() {
        assert_eq!(arguments("{\"a\": 1}"), json!({"a": 1}));
        assert_eq!(arguments(" "), json!({}));
        assert_eq!(arguments("{a"), json!("{a"));
    }
}
