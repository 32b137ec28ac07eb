//! Words as the Penn Treebank takes them, in the form of js-rouge 3.2.3, by which promptfoo counts.

use std::sync::LazyLock;

use fancy_regex::Regex;

/// Rules in the order in which they apply: what is parted from what.
static BEFORE: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    compiled(&[
        (r"\.{3}", " ... "),
        // Not inside of numbers.
        (r"[:,](?!\p{Nd})", " ${0} "),
        (r"[;@#$%&]", " ${0} "),
        // The full stop at the end, but for that of an acronym.
        (r"([^.])(?<!\b[A-Za-z]\.[A-Za-z])(\.)([\])}>'\s]*)$", "${1} ${2}${3} "),
        (r"[?!]", " ${0} "),
        (r"[\]\[(){}<>]", " ${0} "),
        ("--", " -- "),
    ])
});

/// Rules that need a space around the whole.
static AFTER: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let mut rules =
        compiled(&[(r"([^'])' ", "${1} ' "), (r"'([sSmMdD]) ", " '${1} "), (r"('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", " ${1} ")]);
    let word = r"[\p{ID_Continue}\u{200c}\u{200d}]";
    let contractions =
        ["(can)(not)", "(d)('ye)", "(gim)(me)", "(gon)(na)", "(got)(ta)", "(lem)(me)", "(more)('n)", "(wan)(na)(?= )"];
    for contraction in contractions.into_iter().chain(["('t)(is)", "('t)(was)"]) {
        let pattern = format!("(?i)(?<!{word}){contraction}(?!{word})");
        rules.push((Regex::new(&pattern).expect("the pattern is constant and tested"), " ${1} ${2} "));
    }
    rules
});

static QUOTE: LazyLock<Regex> = LazyLock::new(|| one("``|''|\""));
static OPENS_AFTER: LazyLock<Regex> = LazyLock::new(|| one(r"^[\s\p{P}<]$"));
static OPENS_AT_END_AFTER: LazyLock<Regex> = LazyLock::new(|| one(r"^[\s\p{Ps}<]$"));
static OPENS_BEFORE: LazyLock<Regex> = LazyLock::new(|| one(r"^[\p{L}\p{N}\p{Sc}\p{Ps}]$"));

fn one(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is constant and tested")
}

fn compiled(rules: &[(&str, &'static str)]) -> Vec<(Regex, &'static str)> {
    rules.iter().map(|(pattern, to)| (one(pattern), *to)).collect()
}

/// Splits a text into words; quotes become `` and ''.
pub(super) fn words(text: &str) -> Vec<String> {
    let is_space = |character: char| character.is_whitespace() || character == '\u{feff}';
    let text = text.split(is_space).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let mut text = quotes(&text);
    for (pattern, to) in BEFORE.iter() {
        text = pattern.replace_all(&text, *to).into_owned();
    }
    text = format!(" {text} ");
    for (pattern, to) in AFTER.iter() {
        text = pattern.replace_all(&text, *to).into_owned();
    }
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Tells opening quotes from closing ones, before anything is parted.
fn quotes(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let (mut end, mut is_inside) = (0, false);
    for found in QUOTE.find_iter(text).flatten() {
        let before = text[..found.start()].chars().next_back().map(String::from);
        let is_after = |pattern: &Regex| before.as_ref().is_some_and(|before| matches(pattern, before));
        let may_open = found.end() < text.len() || before.is_none() || is_after(&OPENS_AT_END_AFTER);
        let opens = !is_inside && (before.is_none() || is_after(&OPENS_AFTER) || text[..found.start()].ends_with("``"));
        let ends_sentence = before.as_deref().is_some_and(|before| [".", "!", "?"].contains(&before));
        // Two apostrophes open only what two apostrophes close.
        let is_pair = found.as_str() == "\"" || (before.is_some() && opens_pair(&text[found.end()..]));
        is_inside = found.as_str() == "``" || (may_open && opens && !ends_sentence && is_pair);
        written.push_str(&text[end..found.start()]);
        written.push_str(if is_inside { " `` " } else { " '' " });
        end = found.end();
    }
    written.push_str(&text[end..]);
    written
}

fn opens_pair(rest: &str) -> bool {
    let next = rest.chars().next().map(String::from);
    let closing = QUOTE.find(rest).ok().flatten().map(|found| found.as_str());
    next.is_some_and(|next| matches(&OPENS_BEFORE, &next)) && closing == Some("''")
}

fn matches(pattern: &Regex, text: &str) -> bool {
    pattern.is_match(text).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_js_rouge() {
        // js-rouge 3.2.3: treeBankTokenize(text.toLowerCase()).join("|").
        for (text, expected) in [
            ("The quick brown fox jumps over the lazy dog.", "the|quick|brown|fox|jumps|over|the|lazy|dog|."),
            ("Refund of $1,200.50 issued; it takes 3-5 days...", "refund|of|$|1,200.50|issued|;|it|takes|3-5|days|..."),
            ("He said \"hello there\", didn't he? Yes!", "he|said|``|hello|there|''|,|did|n't|he|?|yes|!"),
            (
                "I cannot come, they'll gimme 3:30 (or 4:15) [maybe] -- we're gonna wanna go",
                "i|can|not|come|,|they|'ll|gim|me|3:30|(|or|4:15|)|[|maybe|]|--|we|'re|gon|na|wan|na|go",
            ),
            ("The U.S.A. and e.g. this.", "the|u.s.a.|and|e.g.|this|."),
            (
                "Ask \"why?\" (\"now\") and ''quoted'' or ``this''.",
                "ask|``|why|?|''|(|``|now|''|)|and|``|quoted|''|or|``|this|''|.",
            ),
            ("Grüße aus Köln: 3,5 % mehr & 'tis Tom's d'ye", "grüße|aus|köln|:|3,5|%|mehr|&|'t|is|tom|'s|d|'ye"),
            ("dogs' tails 'n' more'n that", "dogs|'|tails|'n|'|more|'n|that"),
            ("a@b.example #1 <b>bold</b> {x}", "a|@|b.example|#|1|<|b|>|bold|<|/b|>|{|x|}"),
            ("He said \"stop.\"", "he|said|``|stop|.|''"),
            ("can't CANNOT wannabe wanna", "ca|n't|can|not|wannabe|wan|na"),
            ("two\nlines\tand\u{a0}spaces", "two|lines|and|spaces"),
            ("\"\"", "``|''"),
            ("it's 5'10\" tall", "it|'s|5'10|''|tall"),
            ("end \"", "end|``"),
            ("'t was 'twas", "'t|was|'t|was"),
        ] {
            assert_eq!(words(&text.to_lowercase()).join("|"), expected, "{text}");
        }
        assert!(words(" \n\u{feff}").is_empty());
    }
}
