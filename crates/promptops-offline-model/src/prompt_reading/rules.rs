//! Rules that decide between labels: conditions, precedence, and what to answer when nothing fits.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::words::{find_name, literal_regex, sentences, stems};

/// What the prompt says about deciding; labels are indices.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rules {
    /// "If …, choose …".
    pub(crate) conditions: Vec<Condition>,
    /// Winner and loser where both fit.
    pub(crate) precedence: Vec<(usize, usize)>,
    /// The label for what fits none.
    pub(crate) fallback: Option<usize>,
}

/// A rule that names a label for texts of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// The label to choose.
    pub(crate) label: usize,
    /// Alternatives; the stems of one of them must occur.
    pub(crate) alternatives: Vec<Vec<String>>,
}

/// Longer alternatives are descriptions: most of their words suffice.
const WORDS_ALL_NEEDED: usize = 2;

static CLAUSE: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"(?i)\b(?:if|when|whenever|where|as soon as|once)\b"));
static CONCESSION: LazyLock<Regex> =
    LazyLock::new(|| literal_regex(r"(?i)[,;]?\s*\b(?:even (?:if|when|though)|although|no matter|regardless|whatever)\b.*$"));
static SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)^(?:a |any )?(?:messages?|anything|everything|questions?|requests?|complaints?|whoever|customers? who)\s+(.+?)\s+(?:is|are|belongs?|goes|go|counts?)\b",
    )
});
static NOTHING_FITS: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\bnothing (?:else |above )?(?:fits|applies|matches)|\bnone (?:of|fits?|appl|match)|\bno (?:other )?(?:label|category|team|one)\b.*\b(?:fits|applies|matches)|\botherwise\b|\b(?:unsure|in doubt|unclear|not sure)\b|\b(?:does|do) not (?:fit|match)",
    )
});
static REMAINDER: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(?:anything|everything|whatever) (?:else|that does not|not covered)|\ball (?:the rest|other)\b|\bnone of the (?:above|others)",
    )
});
static TWO_FIT: LazyLock<Regex> =
    LazyLock::new(|| literal_regex(r"(?i)\b(?:both|between|tie|torn|as well as|doubt|fits? too|also fits?|more than one|two)\b"));
static PRECEDES: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(?:over|beats?|wins? (?:over|against)|takes? precedence over|outranks?|comes? before|goes before|rather than|before)\b",
    )
});
static ORDER: LazyLock<Regex> =
    LazyLock::new(|| literal_regex(r"(?i)\b(?:priority|precedence|order|ranking|first match)\b[^:\n]*:\s*(.+)$"));
static VERDICT: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)(?:\b(?:choose|answer|pick|use|prefer|select|label|classify|route|treat|goes|go|is|are|counts?|return|mark|rate|belongs?|say)(?:\s+(?:always|the|label|it|with|as|to|is|category|team|them|still|then|for))*\s+|(?:→|->|=>)\s*)[`\x22'*“]*",
    )
});
static ALTERNATIVE: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"(?i)[,;/]|\bor\b"));

/// Whether a definition says "anything else".
pub(super) fn is_remainder(definition: &str) -> bool {
    REMAINDER.is_match(definition)
}

/// Reads the rules about the labels called `names` from `text`.
pub(super) fn read(names: &[String], text: &str) -> Rules {
    let mut rules = Rules::default();
    for sentence in sentences(text) {
        read_sentence(sentence, names, &mut rules);
    }
    rules
}

fn read_sentence(sentence: &str, names: &[String], rules: &mut Rules) {
    if let Some(order) = ORDER.captures(sentence) {
        let ranked = mentioned(&order[1], names);
        if ranked.len() >= 2 {
            let pairs = ranked.iter().enumerate().flat_map(|(at, winner)| ranked[at + 1..].iter().map(|loser| (*winner, *loser)));
            rules.precedence.extend(pairs);
            return;
        }
    }
    if let Some(cut) = PRECEDES.find(sentence) {
        let (winners, losers) = (mentioned(&sentence[..cut.start()], names), mentioned(&sentence[cut.end()..], names));
        if let (Some(winner), false) = (winners.last(), losers.is_empty()) {
            rules.precedence.extend(losers.iter().filter(|loser| *loser != winner).map(|loser| (*winner, *loser)));
            return;
        }
    }
    let Some((label, target)) = target(sentence, names) else {
        return;
    };
    let Some(clause) = clause(sentence, target) else {
        if NOTHING_FITS.is_match(sentence) {
            rules.fallback = Some(label);
        }
        return;
    };
    let rivals: Vec<usize> = mentioned(clause, names).into_iter().filter(|rival| *rival != label).collect();
    if TWO_FIT.is_match(clause) && !rivals.is_empty() {
        rules.precedence.extend(rivals.into_iter().map(|loser| (label, loser)));
    } else if NOTHING_FITS.is_match(sentence) {
        rules.fallback = Some(label);
    } else {
        let alternatives = ALTERNATIVE.split(clause).map(stems).filter(|stems| !stems.is_empty()).collect::<Vec<_>>();
        if !alternatives.is_empty() {
            rules.conditions.push(Condition { label, alternatives });
        }
    }
}

/// The part of a rule that says when it holds; `None` when it has no such part.
fn clause(sentence: &str, target: Range<usize>) -> Option<&str> {
    let clause = match CLAUSE.find(sentence) {
        Some(cue) if cue.end() <= target.start => &sentence[cue.end()..target.start],
        Some(cue) if cue.start() >= target.end => &sentence[cue.end()..],
        _ => SUBJECT.captures(sentence)?.get(1)?.as_str(),
    };
    let end = CONCESSION.find(clause).map_or(clause.len(), |concession| concession.start());
    Some(clause[..end].trim())
}

/// The labels named in `text`, in the order of their first mention.
fn mentioned(text: &str, names: &[String]) -> Vec<usize> {
    let places = names.iter().enumerate().filter_map(|(label, name)| Some((find_name(text, name)?, label)));
    let mut places: Vec<(usize, usize)> = places.collect();
    places.sort_unstable();
    places.into_iter().map(|(_, label)| label).collect()
}

/// The last place where a label is what to answer: "choose billing", "is always `billing`".
fn target(sentence: &str, names: &[String]) -> Option<(usize, Range<usize>)> {
    let targets = VERDICT.find_iter(sentence).filter_map(|verdict| {
        let rest = &sentence[verdict.end()..];
        let label = names.iter().position(|name| find_name(rest, name) == Some(0))?;
        Some((label, verdict.start()..verdict.end() + names[label].len()))
    });
    targets.last()
}

impl Condition {
    /// Whether `stems` satisfy one alternative.
    pub(crate) fn holds(&self, contains: impl Fn(&str) -> bool) -> bool {
        self.alternatives.iter().any(|stems| {
            let met = stems.iter().filter(|stem| contains(stem)).count();
            if stems.len() <= WORDS_ALL_NEEDED { met == stems.len() } else { met * 3 >= stems.len() * 2 }
        })
    }
}
