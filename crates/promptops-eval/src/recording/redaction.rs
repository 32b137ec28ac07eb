//! Blots out of answers what must not be kept, before they are recorded or judged.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use crate::client::{Exchange, assembled};

/// What stands for what was blotted out.
pub const REDACTED: &str = "[redacted]";

/// Patterns of what must not be kept.
///
/// They are held against the texts inside a JSON document as they read, however they are escaped, and not against its syntax,
/// which would break. A text that is JSON itself, such as the arguments of a tool, is looked into as well. A stream is put together
/// first, for its pieces hide what they make up; it is kept that way.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    patterns: Vec<Regex>,
}

impl Redaction {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// The first pattern that is none, and why.
    pub fn new(patterns: &[String]) -> Result<Self, (String, regex::Error)> {
        let compile = |pattern: &String| Regex::new(pattern).map_err(|error| (pattern.clone(), error));
        Ok(Self { patterns: patterns.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Blots out whatever a pattern matches in the body. What a live run judges is what a replay judges.
    pub fn apply(&self, exchange: &mut Exchange) {
        if self.patterns.is_empty() {
            return;
        }
        if exchange.is_stream
            && let Ok(whole) = assembled(exchange)
        {
            *exchange = whole;
        }
        let body = if exchange.is_stream { self.events(&exchange.body) } else { self.document(&exchange.body) };
        if let Some(body) = body {
            exchange.body = body;
        }
    }

    /// Returns a stream that is no answer, such as one that tells an error, without what matches; nothing where nothing does.
    fn events(&self, body: &str) -> Option<String> {
        let mut is_changed = false;
        let lines = body.split('\n').map(|line| {
            let Some((field, data)) = line.split_once(':').filter(|(field, _)| *field == "data") else {
                return Cow::Borrowed(line);
            };
            match self.document(data) {
                Some(redacted) => {
                    is_changed = true;
                    Cow::Owned(format!("{field}: {redacted}"))
                }
                None => Cow::Borrowed(line),
            }
        });
        let lines: Vec<Cow<'_, str>> = lines.collect();
        is_changed.then(|| lines.join("\n"))
    }

    /// Returns a document without what matches; nothing where nothing does.
    fn document(&self, text: &str) -> Option<String> {
        match serde_json::from_str::<Value>(text) {
            Ok(mut json) => self.value(&mut json, false).then(|| json.to_string()),
            Err(_) => match self.text(text) {
                Cow::Owned(redacted) => Some(redacted),
                Cow::Borrowed(_) => None,
            },
        }
    }

    /// Blots out what matches, and tells whether anything did. Numbers count where the model wrote them: those of the provider are
    /// counts and times, without which an answer cannot be read.
    fn value(&self, value: &mut Value, is_of_model: bool) -> bool {
        match value {
            Value::String(text) => self.string(text),
            Value::Number(number) => {
                let is_match = is_of_model && matches!(self.text(&number.to_string()), Cow::Owned(_));
                if is_match {
                    *value = REDACTED.into();
                }
                is_match
            }
            Value::Array(values) => values.iter_mut().fold(false, |changed, value| self.value(value, is_of_model) | changed),
            Value::Object(members) => members.iter_mut().fold(false, |changed, (name, value)| {
                let is_arguments = matches!(name.as_str(), "arguments" | "input") && (value.is_object() || value.is_array());
                self.value(value, is_of_model || is_arguments) | changed
            }),
            Value::Null | Value::Bool(_) => false,
        }
    }

    fn string(&self, text: &mut String) -> bool {
        let mut changed = false;
        if text.trim_start().starts_with(['{', '['])
            && let Ok(mut inner) = serde_json::from_str::<Value>(text)
            && self.value(&mut inner, true)
        {
            *text = inner.to_string();
            changed = true;
        }
        if let Cow::Owned(redacted) = self.text(text) {
            *text = redacted;
            changed = true;
        }
        changed
    }

    fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut redacted = Cow::Borrowed(text);
        for pattern in &self.patterns {
            if let Cow::Owned(replaced) = pattern.replace_all(&redacted, REDACTED) {
                redacted = Cow::Owned(replaced);
            }
        }
        redacted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Api, decode};

    fn redacted(exchange: Exchange) -> Exchange {
        let redaction = Redaction::new(&[r"\S+@example\.com".to_owned(), r"\b\d{16}\b".to_owned()]).unwrap();
        let mut exchange = exchange;
        redaction.apply(&mut exchange);
        exchange
    }

    #[test]
    fn the_syntax_around_a_match_stays() {
        let body = r#"{"choices":[{"message":{"content":"ada@example.com paid with 4111111111111111"}}]}"#;
        let exchange = redacted(Exchange::document(Api::OpenaiChat, 200, body, 1));
        assert_eq!(decode(&exchange).unwrap().text, "[redacted] paid with [redacted]");
        let untouched = r#"{"choices" : [{"message": {"content": "hello"}}]}"#;
        assert_eq!(redacted(Exchange::document(Api::OpenaiChat, 200, untouched, 1)).body, untouched);
        assert_eq!(redacted(Exchange::document(Api::OpenaiChat, 502, "<html>bo@example.com", 1)).body, "[redacted]");
    }

    #[test]
    fn a_match_is_found_however_the_provider_writes_it() {
        let redaction = Redaction::new(&["Müller".to_owned(), "^DE[0-9]{4}$".to_owned(), "key=\"[a-z]+\"".to_owned()]).unwrap();
        let text = |content: &str| {
            let body = format!(r#"{{"choices":[{{"message":{{"content":"{content}"}}}}]}}"#);
            let mut exchange = Exchange::document(Api::OpenaiChat, 200, body, 1);
            redaction.apply(&mut exchange);
            decode(&exchange).unwrap().text
        };
        // As Python writes JSON: everything that is not ASCII is escaped.
        assert_eq!(text(r"Frau M\u00fcller"), "Frau [redacted]");
        assert_eq!(text("DE1234"), "[redacted]");
        assert_eq!(text("not DE1234"), "not DE1234");
        assert_eq!(text(r#"with key=\"secret\" in it"#), "with [redacted] in it");
        // JSON within the text.
        assert_eq!(text(r#"{\"name\": \"M\\u00fcller\", \"n\": 1}"#), r#"{"name":"[redacted]","n":1}"#);
    }

    #[test]
    fn what_a_model_hands_to_a_tool_is_looked_into_and_what_the_provider_counts_is_not() {
        let body = r#"{"content":[{"type":"tool_use","name":"pay","input":{"card":4111111111111111,"to":"ada@example.com"}}],
            "model":"m","stop_reason":"tool_use","usage":{"input_tokens":4111111111111111,"output_tokens":1}}"#;
        let answer = decode(&redacted(Exchange::document(Api::Anthropic, 200, body, 1))).unwrap();
        assert_eq!(answer.tool_calls[0].arguments, serde_json::json!({"card": "[redacted]", "to": "[redacted]"}));
        assert_eq!(answer.usage.unwrap().input, 4_111_111_111_111_111);
        let body =
            r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"pay","arguments":"{\"card\":4111111111111111}"}}]}}]}"#;
        let answer = decode(&redacted(Exchange::document(Api::OpenaiChat, 200, body, 1))).unwrap();
        assert_eq!(answer.tool_calls[0].arguments, serde_json::json!({"card": "[redacted]"}));
    }

    #[test]
    fn a_stream_is_put_together_before_it_is_looked_at() {
        let event = |content: &str, finish: &str| {
            format!(r#"{{"model":"m","choices":[{{"delta":{{"content":"{content}"}},"finish_reason":{finish}}}]}}"#)
        };
        // With and without a space behind the colon, in one piece and in several.
        for (pieces, colon) in [(vec!["to 4111111111111111"], "data:"), (vec!["to 41", "11111", "111111", "111"], "data: ")] {
            let mut body: String = pieces.iter().map(|piece| format!("{colon}{}\n\n", event(piece, "null"))).collect();
            body.push_str(&format!("{colon}{}\n\n{colon}[DONE]\n\n", event("", "\"stop\"")));
            let exchange =
                Exchange { is_stream: true, first_token_ms: Some(3), ..Exchange::document(Api::OpenaiChat, 200, body, 9) };
            let before = decode(&exchange).unwrap();
            let kept = redacted(exchange);
            assert!(!kept.body.contains("41") && !kept.is_stream, "{}", kept.body);
            assert_eq!(decode(&kept).unwrap(), crate::client::Answer { text: "to [redacted]".into(), ..before });
        }
        // One that tells an error is looked through event by event.
        let body = "event: error\ndata:{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"no ada@example.com\"}}\n\n";
        let kept = redacted(Exchange { is_stream: true, ..Exchange::document(Api::Anthropic, 200, body, 1) });
        assert!(kept.is_stream && !kept.body.contains("ada"), "{}", kept.body);
        assert!(decode(&kept).unwrap_err().to_string().contains("no [redacted]"));
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        assert_eq!(Redaction::new(&["a".to_owned(), "(".to_owned()]).unwrap_err().0, "(");
    }
}
