//! Sentences, stems and negation: what the engine sees of a text.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;
use rust_stemmers::{Algorithm, Stemmer};

/// One content word of a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Term {
    /// The stem; prefixed with `¬` when it stands for "this does not happen", as in "does not *load*".
    pub(crate) stem: String,
    /// The word as written, in lower case.
    pub(crate) word: String,
    /// Whether the writer says that this is not what they are after, as in "I do not want to *cancel*".
    pub(crate) denied: bool,
    /// Counts phrases: words of equal phrase number have no punctuation between them.
    pub(crate) phrase: usize,
    /// Counts sentences, as [`sentences`] returns them.
    pub(crate) sentence: usize,
}

/// Words that say nothing about a topic, those of talking about messages included. Numbers are left out as well.
const STOP_WORDS: &str = "a about again all also already although always am an and another any anybody anyone anything are as \
    ask asked asking asks at back be because been before being both but by came can come comes could customer customers dear did \
    do does doing done each even ever every everyone few for from get gets getting go goes going gone got had has have having \
    he hello her here hey hi him his how i if in into is it its itself just know let like likes made make makes many matter \
    may maybe me mention mentions message messages might more most much must my myself need needs of off on once one only or \
    other our ours out over own people per please put quite rather really said same say says see seem seems sender shall she \
    should since so some someone something still such sure take talk talks tell than that the their them then there these \
    they thing things this those though through to too up us very via want wanted wants was way we well were what when where \
    whether which while who whole whom whose why will wish wishes with within would write writes writing yes yet you your yours \
    i'm i've i'd i'll it's that's there's you're we're they're we've you've let's what's he's she's \
    cannot can't couldn't don't doesn't didn't isn't aren't wasn't weren't won't wouldn't hasn't haven't hadn't shouldn't \
    not no never without nor neither cant dont doesnt didnt isnt wont im ive id";

/// Words that turn what follows into something that does not happen.
const NEGATORS: &str = "not no never without nor cannot can't couldn't don't doesn't didn't isn't aren't wasn't weren't won't \
    wouldn't hasn't haven't hadn't shouldn't cant dont doesnt didnt isnt wont unable";

/// Words that, after a negator, turn what follows into something that is not wanted.
const AIMS: &str = "want wants wanting need needs ask asking about look looking planning going intend intending \
    interested wish thinking complaining reason here";

const DENIED_TERMS: usize = 4;
const NEGATED_TERMS: usize = 2;
/// How far behind a negator its aim may stand: "I do not really want".
const AIM_DISTANCE: usize = 3;

static STOPS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP_WORDS.split_whitespace().collect());
static NEGATIONS: LazyLock<HashSet<&str>> = LazyLock::new(|| NEGATORS.split_whitespace().collect());
static AIM_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| AIMS.split_whitespace().collect());
static SENTENCE_END: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"[.!?…]+[)\x22”’]*(?:\s+|$)|\n+"));

/// Compiles a pattern that is a literal of this crate.
///
/// `\b` is made to look at ASCII only: the patterns spell English words, and Unicode boundaries keep the regex engine
/// from its fast path on any text with an accent in it.
pub(crate) fn literal_regex(pattern: &str) -> Regex {
    Regex::new(&pattern.replace(r"\b", r"(?-u:\b)")).expect("a pattern written in this crate is valid")
}

/// Finds `name` as whole words in `text`, in any case of ASCII letters; returns the byte where it starts.
pub(crate) fn find_name(text: &str, name: &str) -> Option<usize> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    text.char_indices().map(|(start, _)| start).find(|start| {
        let end = start + name.len();
        text.get(*start..end).is_some_and(|part| part.eq_ignore_ascii_case(name))
            && !text[..*start].ends_with(is_word)
            && !text[end..].starts_with(is_word)
    })
}

/// Splits `text` into trimmed sentences; a line break ends a sentence too.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for end in SENTENCE_END.find_iter(text) {
        sentences.push(text[start..end.end()].trim());
        start = end.end();
    }
    sentences.push(text[start..].trim());
    sentences.retain(|sentence| sentence.chars().any(char::is_alphanumeric));
    sentences
}

/// Returns the content words of `text` in order, stop words left out.
pub(crate) fn terms(text: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut phrase = 0;
    for (sentence, content) in sentences(text).into_iter().enumerate() {
        for words in phrases(content) {
            terms_of_phrase(&words, phrase, sentence, &mut terms);
            phrase += 1;
        }
    }
    terms
}

/// Returns the stems of `text` that it affirms, each once, in order of appearance.
pub(crate) fn stems(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let affirmed = terms(text).into_iter().filter(|term| !term.denied);
    affirmed.map(|term| term.stem).filter(|stem| seen.insert(stem.clone())).collect()
}

/// Returns each pair of neighbouring stems within a phrase.
pub(crate) fn word_pairs(terms: &[Term]) -> Vec<(String, String)> {
    let plain: Vec<&Term> = terms.iter().filter(|term| !term.denied && !term.stem.starts_with('¬')).collect();
    let neighbours = plain.windows(2).filter(|pair| pair[0].phrase == pair[1].phrase);
    neighbours.map(|pair| (pair[0].stem.clone(), pair[1].stem.clone())).collect()
}

fn terms_of_phrase(words: &[String], phrase: usize, sentence: usize, terms: &mut Vec<Term>) {
    let stemmer = Stemmer::create(Algorithm::English);
    let (mut denied, mut negated) = (0, 0);
    for (position, word) in words.iter().enumerate() {
        if NEGATIONS.contains(word.as_str()) {
            let rest = &words[position + 1..];
            let aimed = rest.iter().take(AIM_DISTANCE).any(|next| AIM_WORDS.contains(next.as_str()));
            (denied, negated) = if aimed { (DENIED_TERMS, 0) } else { (0, NEGATED_TERMS) };
        }
        if word == "but" {
            (denied, negated) = (0, 0);
        }
        let is_number = word.chars().all(|character| character.is_ascii_digit());
        if is_number || STOPS.contains(word.as_str()) || (denied > 0 && AIM_WORDS.contains(word.as_str())) {
            continue;
        }
        let stem = stemmer.stem(word).into_owned();
        if negated > 0 {
            let stem = format!("¬{stem}");
            terms.push(Term { stem, word: word.clone(), denied: false, phrase, sentence });
        }
        terms.push(Term { stem, word: word.clone(), denied: denied > 0, phrase, sentence });
        denied = denied.saturating_sub(1);
        negated = negated.saturating_sub(1);
    }
}

fn phrases(sentence: &str) -> Vec<Vec<String>> {
    let mut phrases = vec![Vec::new()];
    let mut word = String::new();
    let characters: Vec<char> = sentence.chars().collect();
    for (position, &character) in characters.iter().enumerate() {
        let inside_word = characters.get(position + 1).is_some_and(|next| next.is_alphanumeric());
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        } else if matches!(character, '\'' | '’') && !word.is_empty() && inside_word {
            word.push('\'');
        } else {
            end_word(&mut word, &mut phrases);
            if !character.is_whitespace() && !matches!(character, '-' | '/' | '`' | '*' | '_') {
                phrases.push(Vec::new());
            }
        }
    }
    end_word(&mut word, &mut phrases);
    phrases.retain(|words| !words.is_empty());
    phrases
}

fn end_word(word: &mut String, phrases: &mut [Vec<String>]) {
    if word.is_empty() {
        return;
    }
    // A possessive is the same topic: "the customer's" is about the customer.
    let text = std::mem::take(word);
    let text = if STOPS.contains(text.as_str()) { text } else { text.trim_end_matches("'s").to_owned() };
    if let Some(words) = phrases.last_mut() {
        words.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_at_marks_and_line_breaks() {
        let text = "It broke. Version 2.1 was fine!\nWhat now?";
        assert_eq!(sentences(text), ["It broke.", "Version 2.1 was fine!", "What now?"]);
        assert_eq!(sentences(" \n "), Vec::<&str>::new());
    }

    #[test]
    fn inflections_share_a_stem_and_stop_words_vanish() {
        assert_eq!(stems("I was charged for charges"), ["charg"]);
        assert_eq!(stems("cancelling my cancellation, cancelled"), ["cancel"]);
        assert_eq!(stems("please could you"), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_wanted_is_denied_up_to_the_next_clause() {
        let terms = terms("I don't want to cancel my plan, I want an invoice");
        let denied: Vec<_> = terms.iter().filter(|term| term.denied).map(|term| term.word.as_str()).collect();
        assert_eq!(denied, ["cancel", "plan"]);
        assert!(terms.iter().any(|term| term.word == "invoice" && !term.denied));
    }

    #[test]
    fn but_ends_a_denial() {
        let terms = terms("not looking for a refund but an upgrade");
        let denied: Vec<_> = terms.iter().map(|term| (term.word.as_str(), term.denied)).collect();
        assert_eq!(denied, [("refund", true), ("upgrade", false)]);
    }

    #[test]
    fn what_does_not_happen_keeps_its_topic_and_is_marked() {
        assert_eq!(stems("the export doesn't work"), ["export", "¬work", "work"]);
    }

    #[test]
    fn pairs_do_not_cross_punctuation() {
        let pairs = word_pairs(&terms("credit card, expired yesterday"));
        assert_eq!(pairs, [("credit".into(), "card".into()), ("expir".into(), "yesterday".into())]);
    }

    #[test]
    fn names_are_found_as_whole_words_in_any_case() {
        assert_eq!(find_name("Rebilling or Billing?", "billing"), Some(13));
        assert_eq!(find_name("billings, non_billing", "billing"), None);
        assert_eq!(find_name("é sales", "sales"), Some(3));
    }

    #[test]
    fn possessives_and_curly_apostrophes_are_understood() {
        assert_eq!(stems("the invoice’s total doesn’t load"), ["invoic", "total", "¬load", "load"]);
    }
}
