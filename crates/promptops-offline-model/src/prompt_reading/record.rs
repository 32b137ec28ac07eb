//! The fields of a JSON answer, from a schema or from the keys a prompt shows.

use serde_json::Value;

use super::{Example, LabelSet};

/// One field of a JSON answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// The key.
    pub(crate) name: String,
    /// What to fill in.
    pub(crate) kind: FieldKind,
    /// Whether null may stand for "not found".
    pub(crate) nullable: bool,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldKind {
    /// One of the labels.
    Choice(LabelSet),
    /// Text found in the message, by what the key's name asks for.
    Text,
    /// A number found in the message, or how sure the choice is.
    Number,
    /// A whole number found in the message.
    Integer,
    /// Whether the message mentions what the key names.
    Boolean,
    /// All texts found.
    List,
}

/// Keys that accompany a choice and never are one.
const COMPANIONS: [&str; 8] = ["reason", "confidence", "explanation", "rationale", "score", "summary", "evidence", "reasoning"];

/// Returns the strings of a schema's `enum`.
pub(super) fn enumeration(schema: &Value) -> Option<Vec<String>> {
    let names: Vec<String> = schema.get("enum")?.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    (!names.is_empty()).then_some(names)
}

/// Returns a field for each property of an object schema, in its order.
pub(super) fn fields_of_schema(schema: &Value, instructions: &str, shown: &[Example]) -> Vec<Field> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    let fields = properties.iter().map(|(name, property)| {
        let types: Vec<&str> = match property.get("type") {
            Some(Value::String(single)) => vec![single],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let kind = match (enumeration(property), types.iter().find(|name| **name != "null")) {
            (Some(names), _) => FieldKind::Choice(LabelSet::read(names, instructions, shown)),
            (None, Some(&"number")) => FieldKind::Number,
            (None, Some(&"integer")) => FieldKind::Integer,
            (None, Some(&"boolean")) => FieldKind::Boolean,
            (None, Some(&"array")) => FieldKind::List,
            (None, _) => FieldKind::Text,
        };
        Field { name: name.clone(), kind, nullable: types.contains(&"null") }
    });
    fields.collect()
}

/// Returns a field for each key shown; the first that can be is the choice among `names`.
pub(super) fn fields_of_keys(keys: &[String], names: Vec<String>, instructions: &str, shown: &[Example]) -> Vec<Field> {
    let mut choice = (!names.is_empty()).then(|| LabelSet::read(names, instructions, shown));
    let mut fields: Vec<Field> = Vec::new();
    for key in keys {
        let lower = key.to_lowercase();
        let kind = match lower.as_str() {
            "confidence" | "score" | "probability" => FieldKind::Number,
            name if COMPANIONS.contains(&name) => FieldKind::Text,
            _ => choice.take().map_or(FieldKind::Text, FieldKind::Choice),
        };
        fields.push(Field { name: key.clone(), kind, nullable: true });
    }
    if let Some(set) = choice {
        fields.insert(0, Field { name: "label".to_owned(), kind: FieldKind::Choice(set), nullable: false });
    }
    if fields.is_empty() {
        fields.push(Field { name: "summary".to_owned(), kind: FieldKind::Text, nullable: true });
    }
    fields
}
