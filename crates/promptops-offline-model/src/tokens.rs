//! The tokenizer: how the endpoint counts what it read and wrote.
//!
//! A token is up to six letters or digits of one word, or one other character; white space belongs to the token after
//! it. A message costs four tokens more for its role and delimiters. The rule is simple on purpose: anyone can count
//! along, and equal text costs the same with every model.

const LETTERS_PER_TOKEN: usize = 6;
const TOKENS_PER_MESSAGE: usize = 4;

/// Splits `text` into tokens; joined again they are `text`.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut letters = 0;
    for (position, character) in text.char_indices() {
        if character.is_alphanumeric() {
            let follows_other = letters == 0 && !text[start..position].trim().is_empty();
            if letters == LETTERS_PER_TOKEN || follows_other {
                tokens.push(&text[start..position]);
                start = position;
                letters = 0;
            }
            letters += 1;
        } else {
            if !text[start..position].trim().is_empty() {
                tokens.push(&text[start..position]);
                start = position;
            }
            letters = 0;
        }
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}

/// Counts the tokens of one answer.
pub(crate) fn count(text: &str) -> usize {
    tokens(text).len()
}

/// Counts the tokens of messages as a request sends them.
pub(crate) fn count_messages<'a>(contents: impl Iterator<Item = &'a str>) -> usize {
    contents.map(|content| TOKENS_PER_MESSAGE + count(content)).sum()
}

/// Returns the first `limit` tokens of `text`, and whether anything was cut off.
pub(crate) fn truncate(text: &str, limit: usize) -> (&str, bool) {
    let tokens = tokens(text);
    if tokens.len() <= limit {
        return (text, false);
    }
    let length = tokens[..limit].iter().map(|token| token.len()).sum();
    (&text[..length], true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_words_are_split_and_marks_stand_alone() {
        assert_eq!(tokens("billing"), ["billin", "g"]);
        assert_eq!(tokens("I was charged, twice!"), ["I", " was", " charge", "d", ",", " twice", "!"]);
        assert_eq!(tokens(""), Vec::<&str>::new());
        assert_eq!(tokens("{\"a\": 1}"), ["{", "\"", "a", "\"", ":", " 1", "}"]);
    }

    #[test]
    fn a_message_costs_four_tokens_more_than_its_text() {
        assert_eq!(count_messages(["one", "two words"].into_iter()), 4 + 1 + 4 + 2);
    }

    #[test]
    fn truncation_keeps_whole_tokens() {
        assert_eq!(truncate("I would say billing.", 3), ("I would say", true));
        assert_eq!(truncate("billing", 2), ("billing", false));
        assert_eq!(truncate("billing", 0), ("", true));
    }

    proptest! {
        #[test]
        fn joined_tokens_are_the_text(text in "\\PC{0,80}") {
            prop_assert_eq!(tokens(&text).concat(), text);
        }

        #[test]
        fn truncation_never_exceeds_its_limit(text in "\\PC{0,80}", limit in 0usize..20) {
            let (kept, cut) = truncate(&text, limit);
            prop_assert!(text.starts_with(kept));
            prop_assert!(count(kept) <= limit);
            prop_assert_eq!(cut, kept.len() < text.len());
        }
    }
}
