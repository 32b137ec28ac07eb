//! What a prompt says about a text to be written: its length, its facts, its signature.

use std::sync::LazyLock;

use regex::Regex;

use crate::words::{literal_regex, sentences};

/// What is said about a text to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WritingBrief {
    /// How long it may be.
    pub(crate) limits: Limits,
    /// Whether it is a list.
    pub(crate) bullets: bool,
    /// Facts that may be used, as the prompt states them.
    pub(crate) facts: Vec<String>,
    /// What to sign with.
    pub(crate) signature: Option<String>,
}

/// How long a text may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most sentences, or bullets.
    pub(crate) sentences: Option<usize>,
    /// Most words.
    pub(crate) words: Option<usize>,
}

const NUMBERS: [&str; 10] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

static LIMIT: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(\d{1,4}|one|two|three|four|five|six|seven|eight|nine|ten|single)\s+(?:\w+\s+)?(sentences?|words?|bullets?(?: points?)?|lines?)\b",
    )
});
static BULLETS: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"(?i)\bbullet(?:s|ed| points?)?\b"));
static REPLY: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(?:draft|write|compose|prepare|send)\b[^.\n]{0,40}\b(?:reply|answer|response|e-?mail|letter)\b|\b(?:reply|respond|write back)\s+to\b|\banswer the (?:customer|message|question|user)\b",
    )
});
static SIGNATURE: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?im)\b(?:sign|end|close)\b[^.\n:]{0,30}?\b(?:as|with|off with)\b:?\s*[\x22“'`]?([^\x22”'`\n]+?)[\x22”'`]?\.?\s*$",
    )
});
static FACTS_HEADING: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)^[#*\s]*[\w\s]{0,40}\b(?:facts|knowledge|policy|policies|articles?|background|offers?)\b[\w\s()]{0,40}:?[*\s]*$",
    )
});

/// Whether the prompt asks for a reply rather than a summary.
pub(super) fn asks_for_reply(instructions: &str) -> bool {
    REPLY.is_match(instructions)
}

impl WritingBrief {
    /// Reads the brief from `instructions`.
    pub(super) fn read(instructions: &str) -> Self {
        let mut limits = Limits::default();
        for found in LIMIT.captures_iter(instructions) {
            let Some(number) = number(&found[1].to_lowercase()) else { continue };
            let slot = if found[2].to_lowercase().starts_with("word") { &mut limits.words } else { &mut limits.sentences };
            *slot = Some(slot.map_or(number, |earlier| earlier.min(number)));
        }
        Self {
            limits,
            bullets: BULLETS.is_match(instructions),
            facts: facts(instructions),
            signature: SIGNATURE.captures(instructions).map(|found| found[1].trim().to_owned()),
        }
    }
}

fn number(text: &str) -> Option<usize> {
    if text == "single" {
        return Some(1);
    }
    let spelled = NUMBERS.iter().position(|name| *name == text).map(|index| index + 1);
    spelled.or_else(|| text.parse().ok()).filter(|number| *number > 0)
}

/// Sentences under a heading such as "Facts:", up to an empty line.
fn facts(instructions: &str) -> Vec<String> {
    let mut facts = Vec::new();
    let mut open = false;
    for line in instructions.lines() {
        if FACTS_HEADING.is_match(line) {
            open = true;
        } else if line.trim().is_empty() {
            open = false;
        } else if open {
            let content = line.trim().trim_start_matches(['-', '*', '•']).trim();
            facts.extend(sentences(content).into_iter().map(str::to_owned));
        }
    }
    facts
}
