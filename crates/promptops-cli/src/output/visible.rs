//! Texts from elsewhere on a terminal: answers of models, names of cases, messages of servers.
//!
//! **Invariant.** Nothing in them steers the terminal or changes the order in which a line is read.

use std::borrow::Cow;

/// Returns a text whose control characters are written out. Line breaks and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let stays = |character: char| matches!(character, '\n' | '\t') || !steers(character);
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n");
    Cow::Owned(written_out(text.chars(), stays))
}

/// Returns a text as one line whose control characters are written out.
pub fn one_line(text: &str) -> String {
    let spaced = |character: char| if matches!(character, '\n' | '\r' | '\t') { ' ' } else { character };
    written_out(text.replace("\r\n", "\n").chars().map(spaced), |character| !steers(character))
}

fn written_out(characters: impl Iterator<Item = char>, stays: impl Fn(char) -> bool) -> String {
    let mut written = String::new();
    for character in characters {
        if stays(character) {
            written.push(character);
        } else {
            written.extend(character.escape_unicode());
        }
    }
    written
}

/// Tells whether a character is a control one, sets the direction of what follows, or is seen by programs alone.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{2028}' | '\u{2029}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(visible("Grüße, 世界 👩‍🔧\n\tx"), "Grüße, 世界 👩‍🔧\n\tx");
        assert_eq!(visible("a\x1b[2Jb\x07\r\n\u{9b}1m"), "a\\u{1b}[2Jb\\u{7}\n\\u{9b}1m");
        assert_eq!(visible("ok\rerror \u{202e}dessap"), "ok\\u{d}error \\u{202e}dessap");
        assert_eq!(one_line("a\r\nb\tc\x1b]0;title\x07\u{e0041}"), "a b c\\u{1b}]0;title\\u{7}\\u{e0041}");
    }
}
