//! The JSON Schema of the record, made of the one list of its columns.

use serde_json::{Map, Value, json};

use crate::columns::{COLUMNS, Column, ColumnType};
use crate::v1::SCHEMA_VERSION;

const LARGEST_COUNT: u64 = (1 << 63) - 1;

/// Returns the JSON Schema (2020-12) of one record in its wire form.
///
/// It takes what a later writer may write: members that are not listed. That times are of the calendar and texts of a reasonable
/// length it does not say.
#[must_use]
pub fn record() -> Value {
    let mut members = Map::new();
    members.insert("schema_version".to_owned(), json!({"description": "version of this schema", "const": SCHEMA_VERSION}));
    for column in COLUMNS {
        let mut member = Map::from_iter([("description".to_owned(), column.meaning.into())]);
        if let Value::Object(kind) = kind(column) {
            member.extend(kind);
        }
        members.insert(column.name.to_owned(), member.into());
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Invocation",
        "description": "One call of a model. A member that is absent or null is unknown, never zero.",
        "type": "object",
        "required": ["time"],
        "properties": members,
    })
}

fn kind(column: &Column) -> Value {
    match (column.holds, column.name) {
        (ColumnType::Time, _) => json!({"type": "string", "format": "date-time"}),
        (_, "status") => json!({"enum": ["ok", "error"], "default": "ok"}),
        (_, "invocation_id" | "parent_invocation") => json!({"type": ["string", "null"], "format": "uuid"}),
        (ColumnType::Text, name) if name.ends_with("_hash") || name.ends_with("_digest") => {
            json!({"type": ["string", "null"], "pattern": "^sha256:[0-9a-f]{64}$"})
        }
        (ColumnType::Text, _) => json!({"type": ["string", "null"]}),
        (ColumnType::Version, _) => json!({"type": ["integer", "null"], "minimum": 1, "maximum": i32::MAX}),
        (ColumnType::Count, _) => json!({"type": ["integer", "null"], "minimum": 0, "maximum": LARGEST_COUNT}),
        (ColumnType::Number, _) => json!({"type": ["number", "null"], "minimum": 0}),
        (ColumnType::Truth, _) => json!({"type": ["boolean", "null"]}),
        (ColumnType::Scores, _) => json!({"type": "object", "additionalProperties": {"type": "number"}}),
    }
}
