//! The JSON Schema of the record, of the members as the code has them and their meaning as `spec/invocation.md` says it.

use serde_json::{Map, Value, json};

use crate::import::field::{self, Field};
use crate::v1::SCHEMA_VERSION;

const SPEC: &str = include_str!("../../../spec/invocation.md");
const LARGEST_COUNT: u64 = (1 << 63) - 1;

/// Returns the JSON Schema (2020-12) of one record in its wire form.
///
/// It takes what a later writer may write: members that are not listed. That times are of the calendar and texts of a reasonable
/// length it does not say.
#[must_use]
pub fn record() -> Value {
    let mut members = Map::new();
    members.insert("schema_version".to_owned(), described("schema_version", json!({"const": SCHEMA_VERSION})));
    for (name, field) in field::all() {
        if name == "stratum" {
            let scores = json!({"type": ["object"], "additionalProperties": {"type": "number"}});
            members.insert("scores".to_owned(), described("scores", scores));
        }
        members.insert(name.to_owned(), described(name, type_of(name, field)));
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

fn type_of(name: &str, field: &Field) -> Value {
    let hash = "^sha256:[0-9a-f]{64}$";
    match field {
        Field::Time => json!({"type": "string", "format": "date-time"}),
        Field::Id | Field::Parent => json!({"type": ["string", "null"], "format": "uuid"}),
        Field::Version => json!({"type": ["integer", "null"], "minimum": 1, "maximum": i32::MAX}),
        Field::Status => json!({"enum": ["ok", "error"], "default": "ok"}),
        Field::Text(_) if name.ends_with("_hash") || name.ends_with("_digest") => {
            json!({"type": ["string", "null"], "pattern": hash})
        }
        Field::Text(_) | Field::Score(_) => json!({"type": ["string", "null"]}),
        Field::Number(_) => json!({"type": ["number", "null"], "minimum": 0}),
        Field::Count(_) => json!({"type": ["integer", "null"], "minimum": 0, "maximum": LARGEST_COUNT}),
        Field::Flag(_) => json!({"type": ["boolean", "null"]}),
    }
}

/// Puts the meaning of a member before what it may be.
fn described(name: &str, kind: Value) -> Value {
    let row = SPEC.lines().find_map(|line| line.strip_prefix(&format!("| `{name}` | ")));
    let meaning = row.and_then(|row| row.split(" | ").nth(1)).unwrap_or_default();
    let mut described = Map::from_iter([("description".to_owned(), meaning.replace('`', "").into())]);
    if let Value::Object(kind) = kind {
        described.extend(kind);
    }
    described.into()
}
