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

/// Tells whether two values are the same JSON: `1.0` is the number `1`, and the order of an object's fields says nothing.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len() && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(same(&json!({"a": [1, {"b": 2.0}], "c": null}), &json!({"c": null, "a": [1.0, {"b": 2}]})));
        assert!(!same(&json!({"a": 1}), &json!({"a": 1, "b": 1})) && !same(&json!([1]), &json!(["1"])));
    }

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
