//! YAML in block style whose keys and scalars are written as JSON writes them, where they are not plain words.
//!
//! A JSON scalar is a YAML 1.2 scalar with the same meaning, so nothing has to be decided about quoting: no text turns into a
//! number, a date or `null`.

use std::fmt::Write as _;

use serde_json::Value;

/// Writes a document, with a final newline.
pub fn to_text(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

/// Writes a value that begins on a line of its own.
fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let _ = write!(text, "{:indent$}{}:", "", key(name));
                after_key(value, indent, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(text, "{:indent$}-", "");
                after_dash(item, indent, text);
            }
        }
        scalar => {
            let _ = writeln!(text, "{:indent$}{scalar}", "");
        }
    }
}

fn after_key(value: &Value, indent: usize, text: &mut String) {
    if is_flow(value) {
        let _ = writeln!(text, " {value}");
    } else {
        text.push('\n');
        block(value, indent + 2, text);
    }
}

/// The first field of a mapping stands on the line of the dash.
fn after_dash(item: &Value, indent: usize, text: &mut String) {
    if is_flow(item) {
        let _ = writeln!(text, " {item}");
        return;
    }
    let mut below = String::new();
    block(item, indent + 2, &mut below);
    let _ = write!(text, " {}", &below[indent + 2..]);
}

/// Whether a value is written on one line: scalars, and what is empty.
fn is_flow(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

/// Writes a key: plain when it is a word that means nothing else.
fn key(name: &str) -> String {
    let is_word = name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&name.to_ascii_lowercase().as_str());
    if is_word { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use promptops_prompt::yaml;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({
            "plain": "text", "like a number": "1e3", "like-a-date": "2026-01-01", "no": "yes", "null": null,
            "numbers": [0, -1, 2.5], "nothing": [], "none": {}, "truth": true,
            "text": "two\nlines: \"quoted\" # no comment\t\u{e9}\u{1f600}",
            "deep": [{"a": [{"b": 1, "c": [[1, 2], ["x"]]}], "d": "e"}, [], {}, "f"]
        });
        let text = to_text(&value);
        let (node, problems) = yaml::parse(&text);
        assert_eq!(problems, [], "{text}");
        let mut problems = Vec::new();
        assert_eq!(node.unwrap().to_json(&mut problems), value, "{text}");
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn blocks_are_indented_by_two() {
        let value = json!({"a": {"b": [1, {"c": "d", "e": []}]}});
        assert_eq!(to_text(&value), "a:\n  b:\n    - 1\n    - c: \"d\"\n      e: []\n");
    }
}
