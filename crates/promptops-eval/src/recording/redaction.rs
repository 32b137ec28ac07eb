//! Blots out of answers what must not be kept, before they are recorded or judged.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use crate::client::Exchange;

/// What stands for what was blotted out.
pub const REDACTED: &str = "[redacted]";

/// Patterns of what must not be kept.
///
/// They are held against the texts inside a JSON document, and not against its syntax, which would break. In a stream they are
/// held against one piece of the answer at a time.
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
        if self.patterns.is_empty() || !self.patterns.iter().any(|pattern| pattern.is_match(&exchange.body)) {
            return;
        }
        exchange.body = if exchange.is_stream {
            let line = |line: &str| match line.strip_prefix("data: ") {
                Some(data) => format!("data: {}", self.document(data)),
                None => line.to_owned(),
            };
            exchange.body.split('\n').map(line).collect::<Vec<_>>().join("\n")
        } else {
            self.document(&exchange.body)
        };
    }

    fn document(&self, text: &str) -> String {
        match serde_json::from_str::<Value>(text) {
            Ok(mut json) => {
                self.value(&mut json);
                json.to_string()
            }
            Err(_) => self.text(text).into_owned(),
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.text(text) {
                    *text = redacted;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
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
    fn every_event_of_a_stream_is_looked_at() {
        let body = "data: {\"choices\":[{\"delta\":{\"content\":\"to ada@example.com\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        let exchange = Exchange { is_stream: true, ..Exchange::document(Api::OpenaiChat, 200, body, 1) };
        assert_eq!(decode(&redacted(exchange)).unwrap().text, "to [redacted]");
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        assert_eq!(Redaction::new(&["a".to_owned(), "(".to_owned()]).unwrap_err().0, "(");
    }
}
