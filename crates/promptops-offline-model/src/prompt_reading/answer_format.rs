//! The form of answer a prompt demands, and how it wants the text read.

use std::sync::LazyLock;

use regex::Regex;

use crate::request::ResponseFormat;
use crate::words::{literal_regex, sentences};

/// The form of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AnswerFormat {
    /// Nothing was said: a sentence.
    Sentence,
    /// The label and nothing else.
    BareLabel(Insistence),
    /// The label as a JSON string.
    JsonString,
    /// A JSON object with these keys, in order; no key is known when the prompt names none.
    Json {
        /// Keys that the prompt shows.
        keys: Vec<String>,
        /// How strongly the prompt insists.
        insistence: Insistence,
    },
}

/// How strongly a prompt insists on a form; models differ in whether a mild wish is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insistence {
    /// "Answer with the label", "as JSON".
    Mild,
    /// "Answer with the label only", "nothing but JSON", or a response format in the request.
    Firm,
}

static ANSWERING: LazyLock<Regex> =
    LazyLock::new(|| literal_regex(r"(?i)\b(?:answer|reply|respond|return|output|write|give|print|say|produce|format)\w*\b"));
/// "Only the label.": a demand without a verb.
static FRAGMENT: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"(?i)^\W*(?:only|just|nothing but|exactly)\b"));
static FIRM: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(?:only|just|nothing else|nothing but|single word|one word|bare|exactly|no (?:other|explanation|prose|markdown|comment\w*|code fences?)|without (?:any )?(?:explanation|prose|comment\w*|markdown))\b",
    )
});
static LABEL_NOUN: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(?:label|category|class|intent|word|team|name|level|queue|topic|sentiment|urgency|one of|option|value)s?\b",
    )
});
static JSON: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"(?i)\bjson\b"));
static REFUSED_JSON: LazyLock<Regex> =
    LazyLock::new(|| literal_regex(r"(?i)\b(?:not|no|never|without|instead of)\b[^.\n]{0,20}\bjson\b"));
static SHOWN_KEY: LazyLock<Regex> = LazyLock::new(|| literal_regex("[{,]\\s*[\"'“]?([A-Za-z_][A-Za-z0-9_-]*)[\"'”]?\\s*:"));
static NAMED_KEYS: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(r"(?i)\b(?:keys?|fields?|propert(?:y|ies))\b\s*:?\s*((?:[,\s]*(?:and\s+)?[`\x22'“][A-Za-z_][\w-]*[`\x22'”])+)")
});
static QUOTED_NAME: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"[`\x22'“]([A-Za-z_][\w-]*)[`\x22'”]"));

/// "Ignore quoted text."
pub(super) static SKIP_QUOTES: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(?:ignore|disregard|skip|do not (?:use|count|consider|follow))\b[^.\n]*\b(?:quoted|quotes?|quotations?|forwarded|earlier e-?mails?)\b",
    )
});
/// "What the customer asks for decides", "judge a message by its request".
pub(super) static REQUESTS_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\bwhat (?:the \w+|they) (?:asks?|wants?|requests?)\b[^.\n]*\b(?:decides|counts|matters|not)\b|\b(?:judge|classify|decide|label)\b[^.\n]*\bby\b[^.\n]*\b(?:requests?|asks?|asked|wants?)\b",
    )
});

/// Reads the form that `instructions` and the request's own `response_format` demand.
pub(super) fn read(instructions: &str, response_format: &ResponseFormat) -> AnswerFormat {
    let keys = shown_keys(instructions);
    match response_format {
        ResponseFormat::JsonSchema(schema) if schema.get("enum").is_some() => return AnswerFormat::JsonString,
        ResponseFormat::JsonSchema(_) | ResponseFormat::JsonObject => {
            return AnswerFormat::Json { keys, insistence: Insistence::Firm };
        }
        ResponseFormat::Text => {}
    }
    let demands: Vec<&str> =
        sentences(instructions).into_iter().filter(|text| ANSWERING.is_match(text) || FRAGMENT.is_match(text)).collect();
    let insistence = |firm| if firm { Insistence::Firm } else { Insistence::Mild };
    let as_json = |text: &&&str| JSON.is_match(text) && !REFUSED_JSON.is_match(text);
    if let Some(demand) = demands.iter().find(as_json) {
        return AnswerFormat::Json { keys, insistence: insistence(FIRM.is_match(demand)) };
    }
    let about_label = demands.iter().filter(|text| LABEL_NOUN.is_match(text));
    let firm = about_label.clone().any(|text| FIRM.is_match(text));
    let mild = about_label.clone().any(|text| MILD.is_match(text));
    if firm || mild { AnswerFormat::BareLabel(insistence(firm)) } else { AnswerFormat::Sentence }
}

static MILD: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(?:answer|reply|respond|return|output|give|print)\w*\s+(?:me\s+)?(?:with\s+)?(?:the|a|one|its)\s+(?:\w+\s+)?(?:label|category|class|intent|word|team|name|level|queue|topic|sentiment|urgency|of)\b",
    )
});

fn shown_keys(instructions: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    let shown = SHOWN_KEY.captures_iter(instructions).map(|found| found[1].to_owned());
    let named = NAMED_KEYS.captures_iter(instructions).flat_map(|found| {
        let names: Vec<String> = QUOTED_NAME.captures_iter(&found[1]).map(|name| name[1].to_owned()).collect();
        names
    });
    for key in shown.chain(named) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}
