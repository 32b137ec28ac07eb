//! Finding few-shot examples: arrows, input and output lines, and earlier turns of the conversation.

use std::sync::LazyLock;

use regex::Regex;

use crate::words::literal_regex;

/// A text the prompt shows, with the answer it wants for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// The text shown.
    pub(crate) input: String,
    /// The answer shown, as written.
    pub(crate) answer: String,
}

/// More words than this on the right of an arrow are prose, not an answer.
const ANSWER_WORDS: usize = 4;
/// More labels than this are free text, not a label set.
const MOST_LABELS: usize = 12;

static ARROW: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)^\s*(?:[-*•]\s+|\d+[.)]\s+)?(?:(?:message|input|text|user|customer|example|q)(?: \d+)?\s*:\s*)?(.+?)\s*(?:→|->|=>)\s*(.+?)\s*$",
    )
});
static INPUT: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(r"(?i)^\s*(?:[-*•]\s+)?(?:message|input|text|user|customer|question|ticket|q)(?: \d+)?\s*:\s*(.+)$")
});
static OUTPUT: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)^\s*(?:output|label|answer|intent|assistant|category|class|team|urgency|sentiment|a)(?: \d+)?\s*:\s*(.+)$",
    )
});

/// Takes the examples out of `instructions`; returns them and what is left.
pub(super) fn take(instructions: &str) -> (Vec<Example>, String) {
    let mut examples = Vec::new();
    let mut rest: Vec<&str> = Vec::new();
    let mut lines = instructions.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(example) = arrow(line) {
            examples.push(example);
        } else if let (Some(input), Some(output)) = (INPUT.captures(line), lines.peek().and_then(|next| OUTPUT.captures(next))) {
            examples.push(Example { input: unquoted(&input[1]), answer: unquoted(&output[1]) });
            lines.next();
        } else {
            rest.push(line);
        }
    }
    (examples, rest.join("\n"))
}

/// Returns the distinct answers of `examples` when they look like labels; none otherwise.
pub(super) fn answers(examples: &[Example]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for example in examples {
        if example.answer.split_whitespace().count() > 2 {
            return Vec::new();
        }
        if !names.contains(&example.answer) {
            names.push(example.answer.clone());
        }
    }
    names.retain(|_| examples.len() >= 2);
    if (2..=MOST_LABELS).contains(&names.len()) { names } else { Vec::new() }
}

fn arrow(line: &str) -> Option<Example> {
    let found = ARROW.captures(line)?;
    let (input, answer) = (unquoted(&found[1]), unquoted(&found[2]));
    let is_answer = answer.starts_with('{') || answer.split_whitespace().count() <= ANSWER_WORDS;
    // A definition such as "billing -> charges" has no sentence on its left.
    let is_text = input.split_whitespace().count() >= 2;
    (is_answer && is_text).then_some(Example { input, answer })
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['"', '“', '”', '`', '*', '\'']).trim_end_matches('.').to_owned()
}
