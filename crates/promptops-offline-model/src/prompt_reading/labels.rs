//! Finding the label set and what the prompt says about each label.

use std::sync::LazyLock;

use regex::Regex;

use super::{Example, Rules, rules};
use crate::words::{find_name, literal_regex, sentences};

/// The labels to choose from, with everything the prompt says about them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LabelSet {
    /// The labels, in the prompt's order.
    pub(crate) labels: Vec<Label>,
    /// What decides between them.
    pub(crate) rules: Rules,
    /// Texts with the label wanted for each, as an index into `labels`.
    pub(crate) examples: Vec<(String, usize)>,
}

/// One label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// The name as the prompt spells it.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) covers: Vec<String>,
    /// What it is not for.
    pub(crate) excludes: Vec<String>,
}

const LABEL_WORDS: usize = 3;
const LABEL_LENGTH: usize = 40;
/// Stands for a bracketed remark while a list is split.
const BRACKET: char = '\u{1}';
const QUOTE_MARKS: [char; 10] = ['`', '"', '\'', '*', '“', '”', '[', ']', '<', '>'];

static ONE_OF: LazyLock<Regex> =
    LazyLock::new(|| literal_regex(r"(?i)\bone of(?: the| these| those)?(?: following)?\b[ \t]*:?[ \t]*"));
static NAMED_LIST: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(?:labels?|categor(?:y|ies)|class(?:es)?|intents?|options?|teams?|queues?|levels?|allowed values)\b[^:\n.]{0,30}:[ \t]*",
    )
});
static SORTED_INTO: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)\b(?:classify|categori[sz]e|label|route|sort|decide|judge|rate|choose|mark)\b[^.\n:]{0,80}?\b(?:as|into|between|whether it is|is)[ \t]+",
    )
});
static SHOWN_VALUE: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"[\x22'][\w-]+[\x22'][ \t]*:[ \t]*"));
static LIST_INTRODUCTION: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(r"(?i)\b(?:labels?|categor\w+|class\w*|intents?|one of|teams?|queues?|levels?|options?|topics?)\b")
});
static ITEM: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"^\s*(?:[-*•]|\d+[.)])\s+(.+)$"));
static HEAD: LazyLock<Regex> =
    LazyLock::new(|| literal_regex(r"^[`\x22'*“]*([\p{L}\d][\p{L}\d_ -]*?)[`\x22'*”]*\s*(?::|—|–|=|->|→|\s-\s)[*]*\s*(.+)$"));
static SEPARATOR: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"(?i)[,/|]|\b(?:or|and)\s"));
static TRAILING_CLAUSE: LazyLock<Regex> =
    LazyLock::new(|| literal_regex(r"(?i)\s+(?:for|to|that|which|based|depending|with|as|in|by|when|if|according|from|on)\b.*$"));
static EXCLUSION: LazyLock<Regex> = LazyLock::new(|| {
    literal_regex(
        r"(?i)[\s,;(]*\b(?:but not|not for|not about|never for|except(?: for)?|excluding|does not (?:cover|include))\b:?\s+([^.;)]+)[.;)]?",
    )
});

const USE: [&str; 5] = ["use", "choose", "pick", "select", "answer"];
static USED_FOR: LazyLock<Regex> = LazyLock::new(|| literal_regex(r"(?i)^\s+for[:,]?\s+"));
static MEANS: LazyLock<Regex> =
    LazyLock::new(|| literal_regex(r"(?i)^\s+(?:means|covers|is for|is about|is when|includes|concerns|are|stands for)[:,]?\s+"));

impl LabelSet {
    /// Reads what `instructions` say about the labels called `names`.
    pub(super) fn read(names: Vec<String>, instructions: &str, shown: &[Example]) -> Self {
        let labels: Vec<Label> = names.iter().map(|name| label(name, instructions)).collect();
        let mut rules = rules::read(&names, &undefined_lines(&names, instructions));
        let rest = labels.iter().position(|label| label.covers.iter().any(|text| rules::is_remainder(text)));
        rules.fallback = rules.fallback.or(rest);
        let examples = shown.iter().filter_map(|example| {
            let index = names.iter().position(|name| answers_with(&example.answer, name))?;
            Some((example.input.clone(), index))
        });
        Self { examples: examples.collect(), labels, rules }
    }
}

/// Finds the names of the labels; empty when the text offers no choice.
pub(super) fn find_names(text: &str) -> Vec<String> {
    enumerated(&ONE_OF, text)
        .or_else(|| listed(text))
        .or_else(|| enumerated(&NAMED_LIST, text))
        .or_else(|| enumerated(&SORTED_INTO, text))
        .or_else(|| enumerated(&SHOWN_VALUE, text).filter(|_| text.contains('|')))
        .unwrap_or_default()
}

/// Names after a cue such as "one of": `a, b or c`.
fn enumerated(cue: &Regex, text: &str) -> Option<Vec<String>> {
    cue.find_iter(text).find_map(|found| {
        let rest = text[found.end()..].lines().next().unwrap_or_default();
        let after_colon = rest.split_once(':').filter(|(before, _)| before.len() <= LABEL_LENGTH).map(|(_, after)| after);
        let candidates = after_colon.into_iter().chain([rest]);
        let mut lists = candidates.map(|candidate| split_list(candidate).into_iter().map(|(name, _)| name).collect());
        lists.find(|names: &Vec<String>| names.len() >= 2)
    })
}

/// Names that head the items of a list, when the line before speaks of labels.
fn listed(text: &str) -> Option<Vec<String>> {
    let mut introduction = "";
    let mut names: Vec<String> = Vec::new();
    let mut sound = false;
    for line in text.lines().chain(["end"]) {
        if let Some(item) = ITEM.captures(line) {
            sound &= match name_of_item(&item[1]) {
                Some(name) => {
                    names.push(name);
                    true
                }
                None => false,
            };
            continue;
        }
        if line.trim().is_empty() || (line.starts_with([' ', '\t']) && !names.is_empty()) {
            continue;
        }
        if sound && names.len() >= 2 && LIST_INTRODUCTION.is_match(introduction) {
            return Some(names);
        }
        names.clear();
        sound = true;
        introduction = line;
    }
    None
}

fn name_of_item(item: &str) -> Option<String> {
    match HEAD.captures(item) {
        Some(parts) => clean_name(&parts[1]),
        None => clean_name(item),
    }
}

/// Splits `a, b (meaning) or c` up to the end of the sentence, with what stands in brackets.
fn split_list(text: &str) -> Vec<(String, Option<String>)> {
    let (plain, meanings) = without_brackets(text);
    let mut meanings = meanings.into_iter();
    let mut items = Vec::new();
    for part in SEPARATOR.split(&plain).filter(|part| !part.trim().is_empty()) {
        let meaning = part.contains(BRACKET).then(|| meanings.next()).flatten();
        let part = part.replace(BRACKET, "");
        let Some(name) = clean_name(&TRAILING_CLAUSE.replace(&part, "")) else {
            break;
        };
        items.push((name, meaning));
    }
    items
}

/// Replaces each bracketed remark by [`BRACKET`] and returns the remarks; stops at the end of the sentence.
fn without_brackets(text: &str) -> (String, Vec<String>) {
    let mut plain = String::new();
    let mut meanings: Vec<String> = Vec::new();
    let mut depth = 0usize;
    for character in text.chars() {
        match (character, depth) {
            ('(', _) => {
                depth += 1;
                if depth == 1 {
                    plain.push(BRACKET);
                    meanings.push(String::new());
                }
            }
            (')', _) => depth = depth.saturating_sub(1),
            ('.' | ';' | ':' | '?' | '—', 0) => break,
            (_, 0) => plain.push(character),
            _ => meanings.iter_mut().last().into_iter().for_each(|meaning| meaning.push(character)),
        }
    }
    (plain, meanings)
}

fn clean_name(text: &str) -> Option<String> {
    let name = text.trim().trim_matches(QUOTE_MARKS).trim_end_matches(['.', ':', ',']).trim_matches(QUOTE_MARKS).trim();
    let words = name.split_whitespace().count();
    let sound = name.chars().all(|character| character.is_alphanumeric() || matches!(character, ' ' | '_' | '-'));
    (sound && (1..=LABEL_WORDS).contains(&words) && name.len() <= LABEL_LENGTH).then(|| name.to_owned())
}

/// Collects what the text says about one label.
fn label(name: &str, text: &str) -> Label {
    let mut covers = definition_lines(name, text);
    covers.extend(bracketed(name, text));
    covers.extend(defining_sentences(name, text));
    let excludes = covers.iter().flat_map(|cover| {
        let found: Vec<String> = EXCLUSION.captures_iter(cover).map(|part| part[1].to_owned()).collect();
        found
    });
    let excludes = excludes.collect();
    let covers = covers.iter().map(|cover| EXCLUSION.replace_all(cover, ". ").into_owned()).collect();
    Label { name: name.to_owned(), covers, excludes }
}

/// Lines `name: definition`, in a list or not, with the indented lines that continue them, and sections headed by it.
fn definition_lines(name: &str, text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    let mut section = false;
    for line in text.lines() {
        let item = ITEM.captures(line);
        let content = item.as_ref().map_or(line.trim(), |item| item.get(1).map_or("", |content| content.as_str()));
        if let Some(heading) = line.trim().strip_prefix('#') {
            section = heading.trim_matches(['#', ' ', '`', '*', ':']).eq_ignore_ascii_case(name);
            open = false;
        } else if let Some(definition) = defined(name, content) {
            found.push(definition.to_owned());
            open = true;
        } else if open && item.is_none() && line.starts_with([' ', '\t']) && !content.is_empty() {
            if let Some(last) = found.last_mut() {
                last.push(' ');
                last.push_str(content);
            }
        } else {
            open = false;
            if section && !content.is_empty() {
                found.push(content.to_owned());
            }
        }
    }
    found
}

fn defined<'a>(name: &str, content: &'a str) -> Option<&'a str> {
    let parts = HEAD.captures(content)?;
    let definition = parts.get(2)?.as_str();
    parts[1].trim().eq_ignore_ascii_case(name).then_some(definition)
}

/// `one of billing (charges), technical (errors)`.
fn bracketed(name: &str, text: &str) -> Vec<String> {
    let lists = ONE_OF.find_iter(text).chain(NAMED_LIST.find_iter(text)).chain(SORTED_INTO.find_iter(text));
    let items = lists.flat_map(|cue| split_list(text[cue.end()..].lines().next().unwrap_or_default()));
    items.filter(|(item, _)| item.eq_ignore_ascii_case(name)).filter_map(|(_, meaning)| meaning).collect()
}

/// `billing means …`, `Use billing for …`.
fn defining_sentences(name: &str, text: &str) -> Vec<String> {
    let found = sentences(text).into_iter().filter_map(|sentence| {
        let sentence = ITEM.captures(sentence).map_or(sentence, |item| item.get(1).map_or("", |item| item.as_str()));
        let place = find_name(sentence, name)?;
        let before = sentence[..place].trim_end_matches(QUOTE_MARKS);
        let after = sentence[place + name.len()..].trim_start_matches(QUOTE_MARKS);
        let used = before.trim_end().rsplit(' ').next().is_some_and(|verb| USE.contains(&verb.to_lowercase().as_str()));
        let defined = if used { USED_FOR.find(after) } else { MEANS.find(after).filter(|_| before.is_empty()) };
        defined.map(|defined| after[defined.end()..].to_owned())
    });
    found.collect()
}

/// The text without the lines that define a label: what is left may hold rules.
fn undefined_lines(names: &[String], text: &str) -> String {
    let mut open = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        let item = ITEM.captures(line);
        let content = item.as_ref().map_or(line.trim(), |item| item.get(1).map_or("", |content| content.as_str()));
        let continues = open && item.is_none() && line.starts_with([' ', '\t']);
        open = continues || names.iter().any(|name| defined(name, content).is_some());
        if !open {
            kept.push(content);
        }
    }
    kept.join("\n")
}

/// Whether an example's answer is this label, bare or as the value of a JSON object.
fn answers_with(answer: &str, name: &str) -> bool {
    if let Ok(serde_json::Value::Object(object)) = serde_json::from_str(answer) {
        return object.values().any(|value| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(name)));
    }
    answer.trim().eq_ignore_ascii_case(name)
}
