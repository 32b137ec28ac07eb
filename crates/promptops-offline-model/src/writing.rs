//! Writing: the most central sentences of a text, and replies built from them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::extraction;
use crate::prompt_reading::{Limits, WritingBrief};
use crate::words::{literal_regex, sentences, stems};

/// A summary without a stated length.
const DEFAULT_SENTENCES: usize = 2;
/// Facts used in one reply when the prompt states no length.
const MOST_FACTS: usize = 2;
const FIRST_SENTENCE_BONUS: f64 = 1.25;

static COURTESY: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)^(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|thanks|thank you|many thanks|cheers|(?:kind |best )?regards|best)\b.{0,24}$",
    )
});

/// Writes the most central sentences of `input`, in their order, within the brief's limits.
pub(crate) fn summarise(brief: &WritingBrief, input: &str) -> String {
    let wanted = brief.limits.sentences.unwrap_or(DEFAULT_SENTENCES);
    let central = most_central(input, wanted);
    let text = if brief.bullets {
        central.iter().map(|sentence| format!("- {sentence}")).collect::<Vec<_>>().join("\n")
    } else {
        central.join(" ")
    };
    within_words(&text, brief.limits)
}

/// Writes a reply: a greeting, what the message is about, the facts of the prompt that touch it, and the signature.
pub(crate) fn reply(brief: &WritingBrief, input: &str) -> String {
    let greeting = match extraction::find("name", input).first() {
        Some(name) => format!("Hello {name},"),
        None => "Hello,".to_owned(),
    };
    let matter = most_central(input, 1).first().map_or("", |sentence| sentence.trim_end_matches(['.', '!', '?']));
    let mut body = vec![format!("thank you for your message: \"{matter}\".")];
    let most_facts = brief.limits.sentences.map_or(MOST_FACTS, |limit| limit.saturating_sub(1));
    let facts = facts_about(&brief.facts, input, most_facts);
    if facts.is_empty() && brief.limits.sentences.is_none_or(|limit| limit > 1) {
        body.push("A colleague will look into it and come back to you.".to_owned());
    }
    body.extend(facts.into_iter().map(str::to_owned));
    let signature = brief.signature.as_ref().map_or(String::new(), |name| format!("\n\n{name}"));
    let body = within_words(&body.join(" "), brief.limits);
    format!("{greeting}\n\n{body}{signature}")
}

/// The `wanted` sentences that share most with the rest of the text, in the text's order.
///
/// Greetings and closings are left out unless there is nothing else. A sentence's centrality is the mean count of its stems over the whole text; the first sentence has a small bonus.
pub(crate) fn most_central(text: &str, wanted: usize) -> Vec<&str> {
    let mut sentences = sentences(text);
    if sentences.iter().any(|sentence| !COURTESY.is_match(sentence)) {
        sentences.retain(|sentence| !COURTESY.is_match(sentence));
    }
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for stem in sentences.iter().flat_map(|sentence| stems(sentence)) {
        *counts.entry(stem).or_default() += 1.0;
    }
    let mut ranked: Vec<(f64, usize)> = Vec::new();
    for (index, sentence) in sentences.iter().enumerate() {
        let stems = stems(sentence);
        let sum: f64 = stems.iter().filter_map(|stem| counts.get(stem)).sum();
        let bonus = if index == 0 { FIRST_SENTENCE_BONUS } else { 1.0 };
        // The square root keeps one-word sentences from winning by their shortness.
        ranked.push((bonus * sum / (stems.len().max(1) as f64).sqrt(), index));
    }
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let mut chosen: Vec<usize> = ranked.into_iter().take(wanted).map(|(_, index)| index).collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|index| sentences[index]).collect()
}

fn facts_about<'a>(facts: &'a [String], input: &str, most: usize) -> Vec<&'a str> {
    let sought = stems(input);
    let shared = |fact: &str| stems(fact).iter().filter(|stem| sought.contains(stem)).count();
    let mut ranked: Vec<(usize, usize)> = facts.iter().enumerate().map(|(index, fact)| (shared(fact), index)).collect();
    ranked.retain(|(shared, _)| *shared > 0);
    ranked.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
    ranked.into_iter().take(most).map(|(_, index)| facts[index].as_str()).collect()
}

/// Cuts after the last word that the limit allows.
fn within_words(text: &str, limits: Limits) -> String {
    let Some(limit) = limits.words else { return text.to_owned() };
    let mut words = 0;
    let mut inside = false;
    for (position, character) in text.char_indices() {
        if character.is_whitespace() {
            inside = false;
        } else if !inside {
            words += 1;
            inside = true;
            if words > limit {
                return format!("{}…", text[..position].trim_end().trim_end_matches([',', ';', ':']));
            }
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY: &str = "The export of my invoices fails every morning. I had a coffee. The export shows an error about \
        invoices and stops. My dog is called Rex. Please repair the export.";

    #[test]
    fn central_sentences_win_and_keep_their_order() {
        assert_eq!(
            most_central(STORY, 2),
            ["The export of my invoices fails every morning.", "The export shows an error about invoices and stops."]
        );
        assert_eq!(most_central("", 2), Vec::<&str>::new());
    }

    #[test]
    fn limits_are_kept() {
        let limits = Limits { sentences: Some(3), words: Some(6) };
        let brief = WritingBrief { limits, bullets: false, ..WritingBrief::default() };
        let summary = summarise(&brief, STORY);
        assert_eq!(summary, "The export of my invoices fails…");
        let bullets = WritingBrief { limits: Limits { sentences: Some(1), words: None }, bullets: true, ..brief };
        assert_eq!(summarise(&bullets, STORY), "- The export of my invoices fails every morning.");
    }

    #[test]
    fn a_reply_names_the_matter_and_uses_facts_that_touch_it() {
        let brief = WritingBrief {
            facts: vec!["Refunds take five working days.".into(), "Exports run at night.".into()],
            signature: Some("The support team".into()),
            ..WritingBrief::default()
        };
        assert_eq!(
            reply(&brief, "Where is my refund? Thanks, Ada"),
            "Hello Ada,\n\nthank you for your message: \"Where is my refund\". Refunds take five working days.\n\nThe support team"
        );
    }

    #[test]
    fn a_reply_without_facts_promises_a_colleague() {
        let text = reply(&WritingBrief::default(), "My screen is blue.");
        assert_eq!(
            text,
            "Hello,\n\nthank you for your message: \"My screen is blue\". A colleague will look into it and come back to you."
        );
    }
}
