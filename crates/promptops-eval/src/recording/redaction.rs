//! Blots out of answers what must not be kept, before they are recorded, judged or told about.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Captures, Regex};
use serde_json::Value;

use crate::client::{Exchange, assembled};

/// What stands for what was blotted out.
pub const REDACTED: &str = "[redacted]";

/// The shortest text that counts as a secret. What stands in for a key where none is needed is a short word, of which answers are full.
const MIN_SECRET: usize = 8;
/// The shortest text that is looked for within decoded bytes: shorter ones come about by chance.
const MIN_DECODED: usize = 12;
/// Reads base64 that was cut out of the middle of something, where the last letter may hold bits of what followed.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
);

/// All that an address must escape.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Patterns of what must not be kept, and the secrets that the run itself holds.
///
/// They are held against the texts inside a JSON document as they read, however they are escaped, and not against its syntax,
/// which would break. A text that is JSON itself, such as the arguments of a tool, is looked into as well. A stream is put together
/// first, for its pieces hide what they make up; it is kept that way. Sixteen or more letters of base64 are decoded and go as a whole
/// where a pattern or a secret is found in them.
///
/// A secret is blotted out wherever it stands, the names of members included.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    patterns: Vec<Regex>,
    secrets: Vec<Secret>,
}

/// A key, password or token.
#[derive(Clone, PartialEq)]
struct Secret {
    text: String,
    /// The text as it stands, and as it stands in an address, where some escape no more than they must.
    forms: Vec<String>,
    /// What base64 of any text around the secret has in it, by where the secret begins.
    encoded: Vec<String>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(REDACTED)
    }
}

impl Secret {
    fn new(text: &str) -> Self {
        let mut forms = vec![text.to_owned()];
        for escaped in [UNRESERVED, NON_ALPHANUMERIC] {
            let in_address = utf8_percent_encode(text, escaped).to_string();
            forms.extend((!forms.contains(&in_address)).then_some(in_address));
        }
        let mut encoded = Vec::new();
        // The letters at both ends depend on what stands before and behind.
        for (before, skipped) in [(0, 0), (1, 2), (2, 3)] {
            let bytes = [&[0; 2][..before], text.as_bytes()].concat();
            let last = usize::from(bytes.len() % 3 != 0);
            for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let letters = engine.encode(&bytes);
                encoded.push(letters[skipped..letters.len() - last].to_owned());
            }
        }
        Self { text: text.to_owned(), forms, encoded }
    }

    fn is_in(&self, text: &str) -> bool {
        self.forms.iter().chain(&self.encoded).any(|form| text.contains(form.as_str()))
    }
}

impl Redaction {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// The first pattern that is none, and why.
    pub fn new(patterns: &[String]) -> Result<Self, (String, regex::Error)> {
        let compile = |pattern: &String| Regex::new(pattern).map_err(|error| (pattern.clone(), error));
        Ok(Self { patterns: patterns.iter().map(compile).collect::<Result<_, _>>()?, secrets: Vec::new() })
    }

    /// Returns the one that blots out nothing.
    pub fn none() -> &'static Self {
        static NONE: Redaction = Redaction { patterns: Vec::new(), secrets: Vec::new() };
        &NONE
    }

    /// Blots out this secret too. One of fewer than eight characters is none.
    #[must_use]
    pub fn and_secret(mut self, secret: &str) -> Self {
        if secret.len() >= MIN_SECRET {
            self.add(Secret::new(secret));
        }
        self
    }

    /// Blots out all that the other one does, too.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.patterns.extend(other.patterns.iter().cloned());
        other.secrets.iter().for_each(|secret| self.add(secret.clone()));
        self
    }

    /// Keeps the longest first: one may be the beginning of another.
    fn add(&mut self, secret: Secret) {
        if !self.secrets.contains(&secret) {
            let at = self.secrets.partition_point(|other| other.text.len() > secret.text.len());
            self.secrets.insert(at, secret);
        }
    }

    /// Blots out whatever a pattern matches in the body. What a live run judges is what a replay judges.
    pub fn apply(&self, exchange: &mut Exchange) {
        if self.patterns.is_empty() && !self.may_have_secret(&exchange.body) {
            return;
        }
        if !self.patterns.is_empty()
            && exchange.is_stream
            && let Ok(whole) = assembled(exchange)
        {
            *exchange = whole;
        }
        let body = if exchange.is_stream { self.events(&exchange.body) } else { self.document(&exchange.body) };
        if let Some(body) = body {
            exchange.body = body;
        }
        // The names of members are no texts, but no place for secrets either.
        for form in self.secrets.iter().flat_map(|secret| &secret.forms) {
            if exchange.body.contains(form.as_str()) {
                exchange.body = exchange.body.replace(form.as_str(), REDACTED);
            }
        }
    }

    /// Tells whether it is worth to look for secrets: whether there is one, or letters are written in a way that could hide one.
    fn may_have_secret(&self, body: &str) -> bool {
        let is_escaped = || ["\\u00", "\\/"].iter().any(|escape| body.contains(escape));
        !self.secrets.is_empty() && (self.secrets.iter().any(|secret| secret.is_in(body)) || is_escaped())
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
                // They have the answer once more, in pieces that hide what they make up.
                if name == "logprobs" && !value.is_null() && !self.patterns.is_empty() {
                    *value = Value::Null;
                    return true;
                }
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

    /// Returns a text without what matches. What is cut is cut afterwards, or half of a match would stay.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut redacted = Cow::Borrowed(text);
        for form in self.secrets.iter().flat_map(|secret| &secret.forms) {
            if redacted.contains(form.as_str()) {
                redacted = Cow::Owned(redacted.replace(form.as_str(), REDACTED));
            }
        }
        for pattern in &self.patterns {
            if let Cow::Owned(replaced) = pattern.replace_all(&redacted, REDACTED) {
                redacted = Cow::Owned(replaced);
            }
        }
        if let Some(decoded) = self.encoded(&redacted) {
            redacted = Cow::Owned(decoded);
        }
        redacted
    }

    /// Returns a text without the base64 in which something matches; nothing where nothing does.
    fn encoded(&self, text: &str) -> Option<String> {
        // Sixteen letters are twelve bytes. Mail and PEM break lines.
        static LETTERS: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?:[A-Za-z0-9+/_-]{60,76}\r?\n)+[A-Za-z0-9+/_-]+={0,2}|[A-Za-z0-9+/_-]{16,}={0,2}")
                .expect("the pattern is constant and tested")
        });
        if self.patterns.is_empty() && !self.secrets.iter().any(|secret| secret.is_in(text)) {
            return None;
        }
        let mut is_changed = false;
        let redacted = LETTERS.replace_all(text, |found: &Captures<'_>| {
            let hides = self.is_hidden_in(&found[0]);
            is_changed |= hides;
            if hides { REDACTED.to_owned() } else { found[0].to_owned() }
        });
        let redacted = redacted.into_owned();
        is_changed.then_some(redacted)
    }

    fn is_hidden_in(&self, letters: &str) -> bool {
        let letters = letters.chars().filter(|letter| !matches!(letter, '\r' | '\n' | '='));
        let letters: String = letters
            .map(|letter| {
                if letter == '-' {
                    '+'
                } else if letter == '_' {
                    '/'
                } else {
                    letter
                }
            })
            .collect();
        // What stands before the base64 may look like it.
        (0..4).filter_map(|start| letters.get(start..)).any(|letters| {
            let whole = letters.len() - usize::from(letters.len() % 4 == 1);
            let Ok(bytes) = LENIENT.decode(&letters[..whole]) else { return false };
            let text = String::from_utf8_lossy(&bytes);
            let is_noise = |character: char| character == '\u{fffd}' || (character.is_control() && !character.is_whitespace());
            let mut readable = text.split(is_noise).filter(|part| part.len() >= MIN_DECODED);
            self.secrets.iter().any(|secret| text.contains(&secret.text))
                || readable.any(|part| self.patterns.iter().any(|pattern| pattern.is_match(part)))
        })
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
    fn a_match_is_found_in_base64() {
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        let redaction = Redaction::new(&[r"\S+@example\.com".to_owned(), "(?i)müller".to_owned()]).unwrap();
        let redaction = redaction.and_secret("sk-live/4711?x+y");
        for secret in
            ["ada@example.com", "Herr Müller wohnt hier", "sk-live/4711?x+y", "a sk-live/4711?x+y b", "ab sk-live/4711?x+y"]
        {
            for letters in [STANDARD.encode(secret), URL_SAFE.encode(secret), STANDARD_NO_PAD.encode(secret)] {
                let shown = redaction.text(&format!("Authorization: Basic {letters}, sent")).into_owned();
                assert_eq!(shown, format!("Authorization: Basic {REDACTED}, sent"), "{secret}");
                // As a part of a token, of an address, and of a JSON document that is escaped needlessly.
                assert_eq!(redaction.text(&format!("{letters}.c2ln")), format!("{REDACTED}.c2ln"));
                assert!(!redaction.text(&format!("https://x.test/a/{letters}")).contains(&letters));
                let body = format!("{{\"error\":{{\"message\":\"got {}\"}}}}", letters.replace('/', "\\/"));
                let mut exchange = Exchange::document(Api::OpenaiChat, 500, body, 1);
                redaction.apply(&mut exchange);
                assert!(exchange.body.contains("got [redacted]"), "{}", exchange.body);
            }
        }
        // With lines as in mail, around bytes that are no text.
        let bytes = [&[0xff_u8, 0, 7].repeat(40)[..], b"write to ada@example.com", &[0xfe_u8, 1].repeat(40)].concat();
        let letters = STANDARD.encode(bytes);
        let lines = letters.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\r\n");
        assert_eq!(redaction.text(&format!("part:\n{lines}\nend")), "part:\n[redacted]\nend");
        // What decodes to something else stays, and so do long words and numbers of requests.
        for text in [
            &STANDARD.encode("eve@example.org writes"),
            "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
            "internationalization",
            "crates/promptops-eval/src/recording",
        ] {
            assert_eq!(redaction.text(text), *text);
        }
    }

    #[test]
    fn a_secret_goes_wherever_it_stands_and_a_word_is_none() {
        let redaction = Redaction::default().and_secret("sk/secret-1");
        let shown = |body: &str| {
            let mut exchange = Exchange::document(Api::OpenaiChat, 401, body, 1);
            redaction.apply(&mut exchange);
            exchange.body
        };
        assert_eq!(shown(r#"{"sk/secret-1": "unknown"}"#), r#"{"[redacted]": "unknown"}"#);
        assert_eq!(shown(r#"{"error": "no sk\/secret\u002d1"}"#), r#"{"error":"no [redacted]"}"#);
        assert_eq!(shown("<p>/v1?key=sk%2Fsecret%2D1"), "<p>/v1?key=[redacted]");
        assert_eq!(shown("<p>/v1?key=sk%2Fsecret-1"), "<p>/v1?key=[redacted]");
        assert_eq!(shown("<p>nothing"), "<p>nothing");
        assert!(!format!("{redaction:?}").contains("secret-1"));
        // One that begins another.
        let longer = redaction.clone().and_secret("sk/secret-1-more");
        assert_eq!(longer.text("sk/secret-1-more, sk/secret-1"), "[redacted], [redacted]");
        // Keys for servers that need none.
        let word = Redaction::default().and_secret("ollama");
        assert_eq!(word.text("I am ollama"), "I am ollama");
        let both = word.and(&redaction).and(&Redaction::new(&["ol.a".to_owned()]).unwrap());
        assert_eq!(both.text("I am ollama sk/secret-1"), "I am [redacted]ma [redacted]");
    }

    #[test]
    fn the_pieces_of_an_answer_beside_its_probabilities_go() {
        let body = r#"{"choices":[{"message":{"content":"to ada@example.com"},"logprobs":{"content":[{"token":" ada@","logprob":-0.1},{"token":"example.com","logprob":-0.2}]}}]}"#;
        let mut exchange = Exchange::document(Api::OpenaiChat, 200, body, 1);
        Redaction::default().apply(&mut exchange);
        assert_eq!(exchange.body, body);
        Redaction::new(&[r"\S+@example\.com".to_owned()]).unwrap().apply(&mut exchange);
        assert_eq!(exchange.body, r#"{"choices":[{"message":{"content":"to [redacted]"},"logprobs":null}]}"#);
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        assert_eq!(Redaction::new(&["a".to_owned(), "(".to_owned()]).unwrap_err().0, "(");
    }
}
