//! Regular expressions of JavaScript, written so that ours match the same.
//!
//! promptfoo compiles a pattern without flags. There `\d`, `\w` and `\b` know ASCII only, `.` stops at four characters, a bracket
//! inside a class is a plain one, and a brace that begins no repetition is plain, too. What needs backtracking, look-around and
//! back references, is refused.

use std::fmt::Write as _;

/// What JavaScript takes for white space, inside a class.
const SPACE: &str = r"\t\n\x0B\x0C\r \u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}\u{FEFF}";

/// Returns the pattern in our dialect.
///
/// # Errors
/// What it uses that has no counterpart, for people.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut writer = Writer { characters: &characters, at: 0, pattern: String::with_capacity(pattern.len()) };
    writer.run()?;
    regex::Regex::new(&writer.pattern).map_err(|error| {
        let text = error.to_string();
        format!("it is no regular expression here: {}", text.lines().last().unwrap_or_default().trim_start_matches("error: "))
    })?;
    Ok(writer.pattern)
}

struct Writer<'c> {
    characters: &'c [char],
    at: usize,
    pattern: String,
}

impl Writer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, character)| self.peek(index) == Some(character))
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some(character) = self.peek(0) {
            match character {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '.' => {
                    self.at += 1;
                    self.pattern.push_str(r"[^\n\r\u{2028}\u{2029}]");
                }
                '(' if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| self.starts_with(look)) => {
                    return Err("it looks ahead or behind".to_owned());
                }
                '(' if self.starts_with("(?") && !self.starts_with("(?:") && !self.starts_with("(?<") => {
                    return Err("it sets flags inside the pattern".to_owned());
                }
                '{' if !self.is_repetition() => self.plain(),
                '}' | ']' if !(character == '}' && self.closes_repetition()) => self.plain(),
                _ => {
                    self.pattern.push(character);
                    self.at += 1;
                }
            }
        }
        Ok(())
    }

    /// Writes one character so that it means itself.
    fn plain(&mut self) {
        if let Some(character) = self.peek(0) {
            self.pattern.push('\\');
            self.pattern.push(character);
            self.at += 1;
        }
    }

    /// Tells whether `{2}`, `{2,}` or `{2,3}` stands here.
    fn is_repetition(&self) -> bool {
        let inside: String = self.characters[self.at + 1..].iter().take_while(|character| **character != '}').collect();
        let is_closed = self.at + 1 + inside.chars().count() < self.characters.len();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_range = match inside.split_once(',') {
            None => is_number(&inside),
            Some((low, high)) => is_number(low) && (high.is_empty() || is_number(high)),
        };
        is_closed && is_range
    }

    /// Tells whether the brace here ends a repetition that was written as such.
    fn closes_repetition(&self) -> bool {
        let open = self.pattern.rfind('{');
        open.is_some_and(|open| {
            let is_plain = self.pattern[..open].ends_with('\\') && !self.pattern[..open].ends_with(r"\\");
            !is_plain && self.pattern[open + 1..].bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
        })
    }

    fn class(&mut self) -> Result<(), String> {
        self.at += 1;
        let is_negated = self.peek(0) == Some('^');
        self.at += usize::from(is_negated);
        if self.peek(0) == Some(']') {
            // `[]` matches nothing and `[^]` anything.
            self.at += 1;
            self.pattern.push_str(if is_negated { r"(?s:.)" } else { r"[^\s\S]" });
            return Ok(());
        }
        self.pattern.push_str(if is_negated { "[^" } else { "[" });
        loop {
            match self.peek(0) {
                None => return Err("a class is not closed".to_owned()),
                Some(']') => {
                    self.pattern.push(']');
                    self.at += 1;
                    return Ok(());
                }
                Some('\\') => self.escape(true)?,
                Some('[' | '&' | '~' | '^') => self.plain(),
                Some(character) => {
                    self.pattern.push(character);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let Some(escaped) = self.peek(1) else { return Err("it ends in a backslash".to_owned()) };
        self.at += 2;
        let wrap = |class: &str| if in_class { class.to_owned() } else { format!("[{class}]") };
        match escaped {
            'd' => self.pattern.push_str(&wrap("0-9")),
            'D' => self.pattern.push_str("[^0-9]"),
            'w' => self.pattern.push_str(&wrap("A-Za-z0-9_")),
            'W' => self.pattern.push_str("[^A-Za-z0-9_]"),
            's' => self.pattern.push_str(&wrap(SPACE)),
            'S' => {
                let _ = write!(self.pattern, "[^{SPACE}]");
            }
            'b' if in_class => self.pattern.push_str(r"\x08"),
            'b' => self.pattern.push_str(r"(?-u:\b)"),
            'B' if !in_class => self.pattern.push_str(r"(?-u:\B)"),
            'n' | 'r' | 't' | 'f' | 'v' => {
                self.pattern.push('\\');
                self.pattern.push(escaped);
            }
            '0' if !self.peek(0).is_some_and(|next| next.is_ascii_digit()) => self.pattern.push_str(r"\x00"),
            '0'..='9' => return Err("it refers back to a group".to_owned()),
            'k' if self.peek(0) == Some('<') => return Err("it refers back to a group".to_owned()),
            'x' => self.code(2, 'x')?,
            'u' => self.code(4, 'u')?,
            'c' | 'p' | 'P' => return Err(format!("`\\{escaped}` means something else without flags")),
            // Anything else means itself.
            other if other.is_ascii_alphanumeric() || other == '_' => self.pattern.push(other),
            other => {
                if regex_syntax_needs_escape(other) {
                    self.pattern.push('\\');
                }
                self.pattern.push(other);
            }
        }
        Ok(())
    }

    /// `\xHH` or `\uHHHH`; without the digits the letter means itself.
    fn code(&mut self, digits: usize, letter: char) -> Result<(), String> {
        let code: String = (0..digits).map_while(|index| self.peek(index)).filter(char::is_ascii_hexdigit).collect();
        if code.len() < digits {
            self.pattern.push(letter);
            return Ok(());
        }
        if u32::from_str_radix(&code, 16).ok().and_then(char::from_u32).is_none() {
            return Err(format!("`\\u{code}` is half a character"));
        }
        self.at += digits;
        let _ = write!(self.pattern, r"\u{{{code}}}");
        Ok(())
    }
}

/// Tells whether a character may stand behind a backslash in our dialect, so that it means itself.
fn regex_syntax_needs_escape(character: char) -> bool {
    character.is_ascii_punctuation() && !matches!(character, '<' | '>' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each with what JavaScript says, recorded with `new RegExp(pattern).test(text)`.
    #[test]
    fn a_translated_pattern_matches_as_in_javascript() {
        for (pattern, text, matches) in [
            (r"^\d+$", "١٢", false),
            (r"^\d+$", "12", true),
            (r"^\w+$", "é", false),
            (r"\bé", "é", false),
            (r"a.b", "a\u{2028}b", false),
            (r"a.b", "a b", true),
            (r"^\s$", "\u{feff}", true),
            (r"^\s$", "\u{85}", false),
            (r"[[]", "[", true),
            (r"[a&&b]", "&", true),
            (r#"{"a""#, r#"{"a": 1}"#, true),
            (r"a{2}", "aa", true),
            (r"a{2,}b}", "aaab}", true),
            (r"^[^]$", "\n", true),
            (r"[]", "a", false),
            (r"\/path\/", "/path/", true),
            (r"\u0041\x42", "AB", true),
            (r"[\w.-]+@[\w-]+\.com", "a.b-c@d.com", true),
            (r"(?<year>\d{4})-(?:\d\d)", "2026-11", true),
            (r"\-\:\'", "-:'", true),
            (r"a$", "a\n", false),
            (r"[^\S]", " ", true),
        ] {
            let ours = translate(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(regex::Regex::new(&ours).unwrap().is_match(text), matches, "{pattern} as {ours} on {text:?}");
        }
    }

    #[test]
    fn what_needs_backtracking_is_refused() {
        for (pattern, message) in [
            (r"a(?=b)", "it looks ahead or behind"),
            (r"(?<!a)b", "it looks ahead or behind"),
            (r"(a)\1", "it refers back to a group"),
            (r"(?i)a", "it sets flags inside the pattern"),
            (r"\p{L}", r"`\p` means something else without flags"),
            ("a(", "it is no regular expression here: unclosed group"),
            ("[a", "a class is not closed"),
        ] {
            assert_eq!(translate(pattern).unwrap_err(), message, "{pattern}");
        }
    }
}
