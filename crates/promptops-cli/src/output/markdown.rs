//! Markdown for comments on pull requests: what comes from elsewhere stays text.
//!
//! Prompts, datasets, recordings and models say what they like, and a comment is written by a bot that people trust.
//!
//! **Invariant.** Whatever is not our own reaches a comment through [`text`], [`code`], [`prose`] or [`fence`] alone. Out of none of
//! them comes a tag, a link, an image, a heading, a list, a further cell, a formula, a mention, or a reference to an issue.

use std::iter::once;

use super::visible::{one_line, visible};

/// What is not seen and parts what would else be read as one. GitHub and GitLab look for mentions and references in what is shown, so
/// that no escape of Markdown keeps them from it.
const BREAK: char = '\u{200b}';

/// Returns a text that stays text: in a line, behind the mark of a list, in a cell of a table.
pub fn text(value: &str) -> String {
    opening(inline(one_line(value).trim()))
}

/// Returns a value as code, also in a cell of a table.
pub fn code(value: &str) -> String {
    let value = one_line(value);
    // In a table `|` ends the cell even in code, and a backslash before it is seen elsewhere.
    if value.contains('|') {
        return text(&value);
    }
    if value.trim().is_empty() {
        return "` `".to_owned();
    }
    let fence = "`".repeat(longest_run(&value) + 1);
    // The parser takes a space off either end where both have one.
    let is_at_either_end = |character: char| value.starts_with(character) || value.ends_with(character);
    let pad = if is_at_either_end('`') || is_at_either_end(' ') { " " } else { "" };
    format!("{fence}{pad}{value}{pad}{fence}")
}

/// Returns one of our own sentences, whose words in back-ticks become code. What a value with back-ticks of its own turns over is text
/// all the same, or code.
pub fn prose(sentence: &str) -> String {
    let sentence = one_line(sentence);
    let parts: Vec<&str> = sentence.trim().split('`').collect();
    let mut written = String::new();
    let mut is_after_code = false;
    let mut at = 0;
    while at < parts.len() {
        let is_code = at % 2 == 1;
        // The last back-tick of an odd number opens nothing.
        let is_closed = at + 1 < parts.len();
        if is_code && is_closed && !parts[at].trim().is_empty() {
            if is_after_code || written.ends_with('`') {
                written.push(BREAK);
            }
            written.push_str(&code(parts[at]));
            is_after_code = true;
        } else {
            let (before, after) = if is_code { ("`", if is_closed { "`" } else { "" }) } else { ("", "") };
            let part = inline(&format!("{before}{}{after}", parts[at]));
            if is_after_code && part.starts_with("\\`") {
                written.push(BREAK);
            }
            is_after_code = is_after_code && part.is_empty();
            written.push_str(&part);
        }
        at += 1;
    }
    opening(written)
}

/// Returns a block of code, whatever it holds.
pub fn fence(value: &str) -> String {
    let value = visible(value);
    // Four at least: a prompt may well hold three, and what cuts a comment short knows them by that.
    let fence = "`".repeat((longest_run(&value) + 1).max(4));
    format!("{fence}text\n{}\n{fence}\n", value.trim_end())
}

fn longest_run(value: &str) -> usize {
    value.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

/// Escapes what has a meaning inside a line.
fn inline(value: &str) -> String {
    let mut written = String::with_capacity(value.len());
    let characters: Vec<char> = value.chars().collect();
    for (index, character) in characters.iter().copied().enumerate() {
        let before = |count: usize| -> String {
            let start = index.saturating_sub(count);
            characters[start..index].iter().flat_map(|character| character.to_lowercase()).collect()
        };
        let next = characters.get(index + 1).copied();
        let is_before_a_name = next.is_some_and(|next| next.is_alphanumeric() || matches!(next, '"' | '_' | '{' | '['));
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '$' | '!' | '^') {
            written.push('\\');
        }
        // `www.` and `GH-1` are read as one as well.
        if (character == '.' && before(3) == "www") || (character.is_ascii_digit() && before(3) == "gh-") {
            written.push(BREAK);
        }
        written.push(character);
        let parts = match character {
            '@' | '#' | '$' => true,
            ':' => next == Some('/'),
            '!' | '&' | '~' | '%' | '^' => is_before_a_name,
            _ => false,
        };
        if parts {
            written.push(BREAK);
        }
    }
    written
}

/// Escapes what has a meaning at the beginning of a line or of an item.
fn opening(written: String) -> String {
    let digits = written.bytes().take_while(u8::is_ascii_digit).count();
    match written.as_bytes().get(digits) {
        Some(b'.' | b')') if digits > 0 => format!("{}\\{}", &written[..digits], &written[digits..]),
        Some(b'#' | b'+' | b'-' | b'=' | b':') if digits == 0 => once('\\').chain(written.chars()).collect(),
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use comrak::nodes::NodeValue;
    use comrak::{Arena, Options, parse_document};
    use proptest::prelude::*;

    use super::*;

    /// Everything that GitHub reads, and formulas in all their forms.
    fn options() -> Options<'static> {
        let mut options = Options::default();
        let extension = &mut options.extension;
        extension.table = true;
        extension.autolink = true;
        extension.strikethrough = true;
        extension.tasklist = true;
        extension.footnotes = true;
        extension.alerts = true;
        extension.math_dollars = true;
        extension.math_code = true;
        options
    }

    /// Returns the kinds of the nodes that a document has beside texts and code, and of those the words.
    fn read(document: &str) -> (Vec<String>, String, String) {
        let arena = Arena::new();
        let root = parse_document(&arena, document, &options());
        let (mut kinds, mut words, mut texts) = (Vec::new(), String::new(), String::new());
        for node in root.descendants() {
            match &node.data().value {
                NodeValue::Text(text) => {
                    words.push_str(text);
                    texts.push_str(text);
                }
                NodeValue::Code(code) => {
                    words.push_str(&code.literal);
                    // Where code parts two texts, nothing joins them.
                    texts.push('\n');
                }
                NodeValue::CodeBlock(block) => {
                    kinds.push("CodeBlock".to_owned());
                    words.push_str(&block.literal);
                }
                other => {
                    kinds.push(format!("{other:?}").split(['(', ' ', '{']).next().unwrap_or_default().to_owned());
                    // Neither does anything join two cells.
                    texts.push('\n');
                }
            }
        }
        (kinds, words, texts)
    }

    fn seen(words: &str) -> String {
        words.replace(BREAK, "")
    }

    /// Returns what is seen, without white space and the back-ticks of which some make code.
    fn bare(words: &str) -> String {
        seen(words).replace(|character: char| character == '`' || character.is_whitespace(), "")
    }

    /// Holds a text as it is shown against what GitHub and GitLab look for in it.
    fn assert_refers_to_nothing(texts: &str) {
        let references =
            [r"@[[:alnum:]]", r"#[[:digit:]]", r"://", r"(?i)www\.", r"(?i)gh-\d", r"[!&~%^$][[:alnum:]]", r"\$[^\x{200b}]"];
        for reference in references {
            assert!(!regex::Regex::new(reference).unwrap().is_match(texts), "`{reference}` in {texts:?}");
        }
    }

    fn hostile() -> impl Strategy<Value = String> {
        let pieces = [
            "`",
            "``",
            "```",
            "````",
            "|",
            "\\",
            "\\|",
            "<img src=https://evil.example/p.png>",
            "<h1>",
            "</details>",
            "<!--",
            "-->",
            "@octocat",
            "@octo-org/team",
            "#1",
            "org/repo#1",
            "GH-1",
            "!7",
            "&8",
            "~bug",
            "%1",
            "^alert#1",
            "https://evil.example",
            "www.evil.example",
            "ftp://x.example",
            "mailto:a@b.example",
            "a@b.example",
            "[x](https://evil.example)",
            "![",
            "]",
            "(",
            ")",
            "\n",
            "\r\n",
            "\n\n",
            "\n## Prompt gate: passed\n",
            "# ",
            "## ",
            "- ",
            "+ ",
            "* ",
            "> ",
            "> [!NOTE]",
            "1. ",
            "2) ",
            "---",
            "===",
            "| - |",
            ":-:",
            "    ",
            " ",
            "\t",
            "*",
            "**",
            "_",
            "~~",
            "~",
            "$x$",
            "$$",
            "$`",
            "`$",
            "$",
            "&#64;",
            "&amp;",
            "&",
            "<",
            ">",
            "[^1]",
            "[ ] ",
            ":",
            "\u{1b}[2J",
            "\u{202e}",
            "é",
            "a",
            "Z",
            "0",
        ];
        let piece =
            prop_oneof![prop::sample::select(pieces.to_vec()).prop_map(str::to_owned), any::<char>().prop_map(String::from)];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn in_an_item_a_value_stays_itself(value in hostile()) {
            for (written, exact) in [(text(&value), true), (code(&value), true), (prose(&value), false)] {
                let (kinds, words, texts) = read(&format!("- {written}\n"));
                let mut expected = vec!["Document", "List", "Item", "Paragraph"];
                expected.truncate(if written.is_empty() { 3 } else { 4 });
                prop_assert_eq!(kinds, expected, "{}", written);
                let (is, should) = (seen(&words), seen(one_line(&value).trim()));
                if exact {
                    prop_assert_eq!(is.trim(), should.trim());
                } else {
                    // Back-ticks that make code are not seen.
                    prop_assert_eq!(bare(&is), bare(&should));
                }
                assert_refers_to_nothing(&texts);
            }
        }

        #[test]
        fn in_a_table_a_value_stays_in_its_cell(values in prop::array::uniform3(hostile())) {
            let [one, two, three] = &values;
            let table = format!("| a | b | c |\n|---|---|---|\n| {} | {} | {} |\n", text(one), code(two), prose(three));
            let (kinds, words, texts) = read(&table);
            let row = ["TableRow", "TableCell", "TableCell", "TableCell"];
            let expected: Vec<&str> = ["Document", "Table"].into_iter().chain(row).chain(row).collect();
            prop_assert_eq!(kinds, expected, "{}", table);
            let should: String = values.iter().map(|value| one_line(value)).collect();
            prop_assert_eq!(bare(&words), format!("abc{}", bare(&should)));
            assert_refers_to_nothing(&texts);
        }

        #[test]
        fn nothing_leaves_a_block_of_code(value in hostile()) {
            let (kinds, words, _) = read(&format!("{}\nafter\n", fence(&value)));
            prop_assert_eq!(kinds, ["Document", "CodeBlock", "Paragraph"]);
            let shown = visible(&value).into_owned();
            prop_assert_eq!(words.trim_end_matches("after").trim_end(), shown.trim_end());
        }
    }

    #[test]
    fn sentences_read_as_they_are_meant() {
        assert_eq!(prose("`a.b@2`: expected `x`, got `y` (100.0% → 0.0%)"), "`a.b@2`: expected `x`, got `y` (100.0% → 0.0%)");
        assert_eq!(prose("difference -100.0 [-100.0, -93.5]"), "difference -100.0 \\[-100.0, -93.5\\]");
        assert_eq!(prose("got `bad @octocat `x``"), "got ` bad @octocat  `x\\`\\`");
        assert_eq!(text("see @octocat in #1"), "see @\u{200b}octocat in #\u{200b}1");
        assert_eq!(code("m`\n\n## Prompt gate: passed"), "``m`  ## Prompt gate: passed``");
        assert_eq!(code("a|b"), "a\\|b");
        assert_eq!(text("1. one"), "1\\. one");
    }
}
