//! JSON in an answer.

use serde_json::{Deserializer, Value};

/// Places in a text at which JSON is looked for, so that a text of brackets costs no more than one of words.
const MAX_PLACES: usize = 200;

/// Reads an answer that is JSON, with white space around it; with `anywhere`, else the first object or list in it.
pub(crate) fn read(text: &str, anywhere: bool) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text.trim()) {
        return Some(value);
    }
    let places = text.match_indices(['{', '[']).take(if anywhere { MAX_PLACES } else { 0 });
    places.into_iter().find_map(|(at, _)| Deserializer::from_str(&text[at..]).into_iter().next()?.ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_whole_answer_or_the_first_value_in_it() {
        assert_eq!(read(" {\"a\": 1}\n", false), Some(json!({"a": 1})));
        assert_eq!(read("3", false), Some(json!(3)));
        let fenced = "Sure [really]:\n```json\n{\"a\": [1, 2]}\n```\nand {\"b\": 2}";
        assert_eq!((read(fenced, false), read(fenced, true)), (None, Some(json!({"a": [1, 2]}))));
        assert_eq!(read("{\"a\": 1", true), None);
        assert_eq!(read("no JSON, not even 3", true), None);
        assert_eq!(read(&"[".repeat(1_000_000), true), None);
    }
}
