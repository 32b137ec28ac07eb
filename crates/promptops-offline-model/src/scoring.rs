//! Scoring: how much of what a prompt says about each label is found in a message.
//!
//! Every label has a profile: stems from its name, its definition and its examples, each with a weight. A stem that
//! speaks for many labels counts little: its weight is multiplied by `ln(labels / labels with the stem) / ln(labels)`,
//! which is 1 for a stem of one label only and 0 for a stem of all. A label's score is the sum over the message's
//! stems; conditions stated in the prompt, similar examples and excluded topics add to it or take from it. Then the
//! prompt's precedence rules and its answer for "nothing fits" are applied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use crate::model::Abilities;
use crate::prompt_reading::{Focus, LabelSet};
use crate::words::{literal_regex, sentences, stems, terms, word_pairs};

/// The scores of one message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// One score per label, in the prompt's order.
    pub(crate) scores: Vec<f64>,
    /// Per label, the message's words that spoke for it.
    pub(crate) matched: Vec<Vec<String>>,
}

/// Weight of the label's own name.
const NAME_WEIGHT: f64 = 1.0;
/// Weight of two neighbouring words of a definition found side by side.
const PAIR_WEIGHT: f64 = 0.75;
/// Examples together never make a stem stronger than a definition would.
const MOST_FROM_EXAMPLES: f64 = 1.0;
/// Weight of a word that a definition excludes.
const EXCLUSION_WEIGHT: f64 = -1.0;
/// Share of a word's weight that is taken away when the writer denies it.
const DENIAL: f64 = -0.5;
/// Share of a word's weight that is left when it was misspelled.
const TYPO: f64 = 0.7;
const SHORTEST_TYPO: usize = 5;
/// Below this no label fits.
const LEAST_EVIDENCE: f64 = 0.5;
/// A label is in contention when it reaches this share of the best score.
const CONTENTION: f64 = 0.4;
/// Examples less similar than this say nothing.
const LEAST_SIMILARITY: f64 = 0.25;
const REQUEST_EMPHASIS: f64 = 1.6;
const STORY_EMPHASIS: f64 = 0.7;

static REQUEST: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\?|\b(?:please|can you|could you|can i|could i|would you|want|need|would like|i'd like|how (?:do|can) i|let me know|help me|looking (?:for|to))\b",
    )
});
static QUOTED_LINE: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"(?m)^\s*(?:>.*|On .{4,80} wrote:\s*)$"));
static QUOTED_SPAN: LazyLock<Regex> =
    LazyLock::new(|| literal_regex(r"\x22[^\x22\n]*\s[^\x22\n]*\s[^\x22\n]*\x22|“[^”\n]*\s[^”\n]*\s[^”\n]*”"));

/// Scores `input` against every label of `set`.
pub(crate) fn score(set: &LabelSet, input: &str, focus: Focus, abilities: &Abilities) -> Verdict {
    let evidence = Evidence::collect(set, abilities);
    let message = Message::read(input, focus, &evidence, abilities);
    let mut verdict = Verdict { scores: Vec::new(), matched: Vec::new() };
    for profile in &evidence.profiles {
        let (score, matched) = profile.score(&message, &evidence);
        verdict.scores.push(score);
        verdict.matched.push(matched);
    }
    if abilities.reads_examples {
        add_similarity(set, &message, &evidence, abilities, &mut verdict.scores);
    }
    for condition in &set.rules.conditions {
        if condition.holds(|stem| message.affirms(stem)) {
            verdict.scores[condition.label] += abilities.rule_weight;
        }
    }
    apply_fallback(set, &mut verdict.scores);
    apply_precedence(set, &mut verdict.scores);
    verdict
}

/// What is left of `input` when the prompt wants quotations skipped; the whole of it when nothing would be left.
pub(crate) fn without_quotes(input: &str) -> String {
    let kept = QUOTED_LINE.replace_all(input, "");
    let kept = QUOTED_SPAN.replace_all(&kept, "");
    if kept.trim().is_empty() { input.to_owned() } else { kept.trim().to_owned() }
}

fn apply_fallback(set: &LabelSet, scores: &mut [f64]) {
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if let Some(fallback) = set.rules.fallback
        && best < LEAST_EVIDENCE
    {
        scores[fallback] = LEAST_EVIDENCE;
    }
}

/// Lifts a winner just above its losers when it is in contention.
fn apply_precedence(set: &LabelSet, scores: &mut [f64]) {
    let before = scores.to_vec();
    for &(winner, loser) in &set.rules.precedence {
        let contends = before[winner] >= LEAST_EVIDENCE && before[winner] >= CONTENTION * before[loser];
        if contends && scores[winner] <= scores[loser] {
            scores[winner] = scores[loser] + LEAST_EVIDENCE;
        }
    }
}

fn add_similarity(set: &LabelSet, message: &Message, evidence: &Evidence, abilities: &Abilities, scores: &mut [f64]) {
    let mut best = vec![0.0f64; scores.len()];
    for ((_, label), example) in set.examples.iter().zip(&evidence.examples) {
        best[*label] = best[*label].max(similarity(message, example, evidence));
    }
    for (score, similarity) in scores.iter_mut().zip(best) {
        if similarity >= LEAST_SIMILARITY {
            *score += abilities.similarity_weight * similarity;
        }
    }
}

/// Cosine of the two sets of stems, each stem weighted by its rarity among labels.
fn similarity(message: &Message, example: &BTreeSet<String>, evidence: &Evidence) -> f64 {
    let weight = |stem: &str| 0.2 + evidence.rarity(stem);
    let norm = |stems: &mut dyn Iterator<Item = &String>| stems.map(|stem| weight(stem).powi(2)).sum::<f64>().sqrt();
    let affirmed: BTreeSet<String> =
        message.words.iter().filter(|(_, word)| !word.denied).map(|(stem, _)| stem.clone()).collect();
    let shared: f64 = affirmed.intersection(example).map(|stem| weight(stem).powi(2)).sum();
    let length = norm(&mut affirmed.iter()) * norm(&mut example.iter());
    if length > 0.0 { shared / length } else { 0.0 }
}

/// What the prompt says, by stem.
struct Evidence {
    profiles: Vec<Profile>,
    /// In how many labels' profiles a stem stands.
    spread: BTreeMap<String, usize>,
    /// Stems of each example, in the prompt's order.
    examples: Vec<BTreeSet<String>>,
}

/// What speaks for and against one label.
#[derive(Default)]
struct Profile {
    stems: BTreeMap<String, f64>,
    pairs: BTreeSet<(String, String)>,
    excluded: BTreeSet<String>,
}

impl Evidence {
    fn collect(set: &LabelSet, abilities: &Abilities) -> Self {
        let mut profiles: Vec<Profile> = set.labels.iter().map(|_| Profile::default()).collect();
        let mut examples = Vec::new();
        if abilities.reads_examples {
            for (text, label) in &set.examples {
                let found = stems(text);
                for stem in &found {
                    let weight = profiles[*label].stems.entry(stem.clone()).or_default();
                    *weight = (*weight + abilities.example_weight).min(MOST_FROM_EXAMPLES);
                }
                examples.push(found.into_iter().collect());
            }
        }
        for (label, profile) in set.labels.iter().zip(&mut profiles) {
            profile.define(label, abilities);
        }
        let mut spread = BTreeMap::new();
        for stem in profiles.iter().flat_map(|profile| profile.stems.keys()) {
            *spread.entry(stem.clone()).or_insert(0) += 1;
        }
        Self { profiles, spread, examples }
    }

    /// 1 for a stem of one label only, 0 for a stem of all labels or of none.
    fn rarity(&self, stem: &str) -> f64 {
        let labels = self.profiles.len() as f64;
        match self.spread.get(stem) {
            Some(_) if labels < 2.0 => 1.0,
            Some(spread) => (labels / *spread as f64).ln() / labels.ln(),
            None => 0.0,
        }
    }
}

impl Profile {
    fn define(&mut self, label: &crate::prompt_reading::Label, abilities: &Abilities) {
        for stem in stems(&label.name.replace(['_', '-'], " ")) {
            *self.stems.entry(stem).or_default() += NAME_WEIGHT;
        }
        let mut defined = BTreeSet::new();
        for text in &label.covers {
            defined.extend(stems(text));
            if abilities.reads_word_pairs {
                self.pairs.extend(word_pairs(&terms(text)));
            }
        }
        for stem in defined {
            *self.stems.entry(stem).or_default() += abilities.definition_weight;
        }
        let excluded = label.excludes.iter().flat_map(|text| stems(text));
        self.excluded = excluded.filter(|stem| !self.stems.contains_key(stem)).collect();
    }

    fn score(&self, message: &Message, evidence: &Evidence) -> (f64, Vec<String>) {
        let mut score = 0.0;
        let mut matched = Vec::new();
        for (stem, word) in &message.words {
            let weight = self.stems.get(stem).copied().unwrap_or_default() * evidence.rarity(stem) * word.emphasis;
            if word.denied {
                score += DENIAL * weight;
            } else if weight > 0.0 {
                score += weight;
                matched.push((word.position, word.text.clone()));
            }
            if self.excluded.contains(stem) && !word.denied {
                score += EXCLUSION_WEIGHT;
            }
        }
        score += PAIR_WEIGHT * self.pairs.intersection(&message.pairs).count() as f64;
        matched.sort();
        matched.dedup_by(|left, right| left.1 == right.1);
        (score, matched.into_iter().map(|(_, word)| word).collect())
    }
}

/// The message's stems.
struct Message {
    words: BTreeMap<String, Word>,
    pairs: BTreeSet<(String, String)>,
}

struct Word {
    text: String,
    position: usize,
    emphasis: f64,
    denied: bool,
}

impl Message {
    fn read(input: &str, focus: Focus, evidence: &Evidence, abilities: &Abilities) -> Self {
        let input = if focus.skip_quotes { without_quotes(input) } else { input.to_owned() };
        let emphasis: Vec<f64> = sentences(&input).into_iter().map(|sentence| emphasis(sentence, focus)).collect();
        let terms = terms(&input);
        let mut words: BTreeMap<String, Word> = BTreeMap::new();
        for (position, term) in terms.iter().enumerate() {
            let mut emphasis = emphasis[term.sentence];
            let mut stem = term.stem.clone();
            if abilities.tolerates_typos
                && let Some(meant) = corrected(&stem, evidence)
            {
                stem = meant;
                emphasis *= TYPO;
            }
            let word = Word { text: term.word.clone(), position, emphasis, denied: term.denied };
            match words.get_mut(&stem) {
                Some(known) if known.denied && !word.denied => *known = word,
                Some(known) if known.denied == word.denied => known.emphasis = known.emphasis.max(word.emphasis),
                Some(_) => {}
                None => {
                    words.insert(stem, word);
                }
            }
        }
        let pairs = if abilities.reads_word_pairs { word_pairs(&terms).into_iter().collect() } else { BTreeSet::new() };
        Self { words, pairs }
    }

    fn affirms(&self, stem: &str) -> bool {
        self.words.get(stem).is_some_and(|word| !word.denied)
    }
}

/// A message of one sentence has no story to tell apart from its request.
fn emphasis(sentence: &str, focus: Focus) -> f64 {
    match focus.requests_first {
        false => 1.0,
        true if REQUEST.is_match(sentence) => REQUEST_EMPHASIS,
        true => STORY_EMPHASIS,
    }
}

/// The known stem that an unknown one is one slip away from: a letter wrong, missing, doubled or swapped.
fn corrected(stem: &str, evidence: &Evidence) -> Option<String> {
    let long_enough = stem.chars().count() >= SHORTEST_TYPO && stem.chars().all(char::is_alphabetic);
    if !long_enough || evidence.spread.contains_key(stem) {
        return None;
    }
    let mut candidates = evidence.spread.keys().filter(|known| {
        let alike = known.chars().next() == stem.chars().next() && known.chars().count() >= SHORTEST_TYPO;
        alike && strsim::damerau_levenshtein(known, stem) == 1
    });
    candidates.next().cloned()
}

#[cfg(test)]
mod tests;
