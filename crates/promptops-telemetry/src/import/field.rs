//! The fields of a record that text can be read into.

use chrono::DateTime;
use uuid::Uuid;

use super::quoted;
use crate::hash::derived_id;
use crate::record::{Invocation, Status};

/// A field, and how text becomes its value.
#[derive(Debug, Clone)]
pub(super) enum Field {
    Time,
    Id,
    Parent,
    Version,
    Status,
    Text(fn(&mut Invocation) -> &mut Option<String>),
    Number(fn(&mut Invocation) -> &mut Option<f64>),
    Count(fn(&mut Invocation) -> &mut Option<u64>),
    Flag(fn(&mut Invocation) -> &mut Option<bool>),
    Score(String),
}

/// Every field but the scores, in the order of the record.
const FIELDS: &[(&str, Field)] = &[
    ("time", Field::Time),
    ("invocation_id", Field::Id),
    ("trace_id", Field::Text(|record| &mut record.trace_id)),
    ("span_id", Field::Text(|record| &mut record.span_id)),
    ("parent_invocation", Field::Parent),
    ("agent", Field::Text(|record| &mut record.agent)),
    ("session", Field::Text(|record| &mut record.session)),
    ("service", Field::Text(|record| &mut record.service)),
    ("runtime", Field::Text(|record| &mut record.runtime)),
    ("environment", Field::Text(|record| &mut record.environment)),
    ("prompt_id", Field::Text(|record| &mut record.prompt_id)),
    ("prompt_version", Field::Version),
    ("prompt_digest", Field::Text(|record| &mut record.prompt_digest)),
    ("arm", Field::Text(|record| &mut record.arm)),
    ("input_hash", Field::Text(|record| &mut record.input_hash)),
    ("operation", Field::Text(|record| &mut record.operation)),
    ("provider", Field::Text(|record| &mut record.provider)),
    ("requested_model", Field::Text(|record| &mut record.requested_model)),
    ("responded_model", Field::Text(|record| &mut record.responded_model)),
    ("response_id", Field::Text(|record| &mut record.response_id)),
    ("fingerprint", Field::Text(|record| &mut record.fingerprint)),
    ("service_tier", Field::Text(|record| &mut record.service_tier)),
    ("parameters_hash", Field::Text(|record| &mut record.parameters_hash)),
    ("tools_hash", Field::Text(|record| &mut record.tools_hash)),
    ("latency_ms", Field::Number(|record| &mut record.latency_ms)),
    ("time_to_first_token_ms", Field::Number(|record| &mut record.time_to_first_token_ms)),
    ("input_tokens", Field::Count(|record| &mut record.input_tokens)),
    ("output_tokens", Field::Count(|record| &mut record.output_tokens)),
    ("cached_tokens", Field::Count(|record| &mut record.cached_tokens)),
    ("cache_write_tokens", Field::Count(|record| &mut record.cache_write_tokens)),
    ("reasoning_tokens", Field::Count(|record| &mut record.reasoning_tokens)),
    ("cost_usd", Field::Number(|record| &mut record.cost_usd)),
    ("price_table", Field::Text(|record| &mut record.price_table)),
    ("status", Field::Status),
    ("error_type", Field::Text(|record| &mut record.error_type)),
    ("finish_reason", Field::Text(|record| &mut record.finish_reason)),
    ("label", Field::Text(|record| &mut record.label)),
    ("valid", Field::Flag(|record| &mut record.valid)),
    ("refusal", Field::Flag(|record| &mut record.refusal)),
    ("output_length", Field::Count(|record| &mut record.output_length)),
    ("stratum", Field::Text(|record| &mut record.stratum)),
    ("source", Field::Text(|record| &mut record.source)),
    ("input", Field::Text(|record| &mut record.input)),
    ("output", Field::Text(|record| &mut record.output)),
];

/// Names every field, in the order of the record.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|(name, _)| *name)
}

impl Field {
    /// Finds a field by name; `scores.NAME` is the score called NAME.
    pub(super) fn named(name: &str) -> Option<Self> {
        if let Some(score) = name.strip_prefix("scores.").filter(|score| !score.is_empty()) {
            return Some(Self::Score(score.to_owned()));
        }
        FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| field.clone())
    }

    /// Tells whether the value is a number, so that it can be scaled.
    pub(super) const fn is_numeric(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Count(_) | Self::Score(_))
    }

    /// Tells whether the value is one of two, so that a pattern can decide it.
    pub(super) const fn is_binary(&self) -> bool {
        matches!(self, Self::Flag(_) | Self::Status)
    }

    /// Sets the field from text, numbers multiplied by `scale`, or says why the text is no value.
    ///
    /// `time` is set when the record is made and nothing happens here.
    pub(super) fn set(&self, record: &mut Invocation, text: &str, scale: f64) -> Result<(), String> {
        match self {
            Self::Time => {}
            Self::Id => record.invocation_id = id(record.time, text),
            Self::Parent => record.parent_invocation = Some(text.trim().parse().map_err(|_| not("a UUID", text))?),
            Self::Version => {
                let version = count(text, 1.0).and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
                record.prompt_version = Some(version.ok_or_else(|| not("a version, which is a whole number from 1", text))?);
            }
            Self::Status => {
                record.status = text.trim().to_ascii_lowercase().parse::<Status>().map_err(|error| error.to_string())?
            }
            Self::Text(field) => *field(record) = Some(text.to_owned()),
            Self::Number(field) => {
                let number = number(text, scale).filter(|number| *number >= 0.0);
                *field(record) = Some(number.ok_or_else(|| not("a number from 0", text))?);
            }
            Self::Count(field) => {
                *field(record) = Some(count(text, scale).ok_or_else(|| not("a whole number from 0", text))?);
            }
            Self::Flag(field) => *field(record) = Some(flag(text).ok_or_else(|| not("`true` or `false`", text))?),
            Self::Score(name) => {
                let number = number(text, scale).ok_or_else(|| not("a number", text))?;
                record.scores.insert(name.clone(), number);
            }
        }
        Ok(())
    }

    /// Sets a binary field by whether a pattern matched.
    pub(super) fn decide(&self, record: &mut Invocation, matched: bool) {
        match self {
            Self::Flag(field) => *field(record) = Some(matched),
            Self::Status => record.status = if matched { Status::Ok } else { Status::Error },
            _ => {}
        }
    }
}

fn not(expected: &str, text: &str) -> String {
    format!("not {expected}: {}", quoted(text))
}

/// Keeps a UUID and derives one from an id of any other form.
fn id(time: DateTime<chrono::Utc>, text: &str) -> Uuid {
    let text = text.trim();
    text.parse().unwrap_or_else(|_| derived_id(time, &[b"id", text.as_bytes()]))
}

fn number(text: &str, scale: f64) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    // Multiplying by one would be exact too, but -0 and the like stay as they are written.
    let scaled = if scale == 1.0 { number } else { number * scale };
    scaled.is_finite().then_some(scaled)
}

/// Reads a whole number; also `4.0`, which is how programs write counts in a column that has gaps.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before")]
fn count(text: &str, scale: f64) -> Option<u64> {
    const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
    if scale == 1.0
        && let Ok(count) = text.trim().parse::<u64>()
    {
        return i64::try_from(count).is_ok().then_some(count);
    }
    let number = number(text, scale)?;
    (number.fract() == 0.0 && (0.0..=LARGEST_EXACT).contains(&number)).then_some(number as u64)
}

fn flag(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::InvocationV1;

    fn set(name: &str, text: &str) -> Result<Invocation, String> {
        let mut record = Invocation::new(DateTime::UNIX_EPOCH, Uuid::nil());
        Field::named(name).unwrap().set(&mut record, text, 1.0)?;
        Ok(record)
    }

    #[test]
    fn every_member_of_the_wire_form_is_a_field() {
        let mut record = Invocation::new(DateTime::UNIX_EPOCH, Uuid::nil());
        for name in names() {
            let text = match name {
                "parent_invocation" => "00000000-0000-0000-0000-000000000001",
                "status" => "ok",
                _ => "1",
            };
            Field::named(name).unwrap().set(&mut record, text, 1.0).unwrap();
        }
        let wire = serde_json::to_value(InvocationV1::from(&record)).unwrap();
        let mut members: Vec<&str> = wire.as_object().unwrap().keys().map(String::as_str).collect();
        members.retain(|name| *name != "schema_version");
        let mut expected: Vec<&str> = names().collect();
        members.sort_unstable();
        expected.sort_unstable();
        assert_eq!(members, expected);
    }

    #[test]
    fn counts() {
        assert_eq!(set("output_tokens", " 4 ").unwrap().output_tokens, Some(4));
        assert_eq!(set("output_tokens", "4.0").unwrap().output_tokens, Some(4));
        for text in ["-1", "4.5", "many", "NaN", "1e300", "18446744073709551615"] {
            let reason = set("output_tokens", text).unwrap_err();
            assert_eq!(reason, format!("not a whole number from 0: `{text}`"));
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(set("latency_ms", "1e2").unwrap().latency_ms, Some(100.0));
        assert_eq!(set("scores.judge", "-0.5").unwrap().scores["judge"], -0.5);
        for text in ["-1", "NaN", "inf", "", "1,5"] {
            assert!(set("latency_ms", text).is_err(), "{text}");
        }
    }

    #[test]
    fn versions_begin_at_one() {
        assert_eq!(set("prompt_version", "3").unwrap().prompt_version, Some(3));
        for text in ["0", "-1", "v3", "4294967296"] {
            assert!(set("prompt_version", text).is_err(), "{text}");
        }
    }

    #[test]
    fn foreign_ids_become_uuids() {
        let uuid = "019f0000-0000-7000-8000-000000000001";
        assert_eq!(set("invocation_id", uuid).unwrap().invocation_id.to_string(), uuid);
        let derived = set("invocation_id", "req_1").unwrap().invocation_id;
        assert_eq!(derived.get_version_num(), 8);
        assert_eq!(derived, set("invocation_id", "req_1").unwrap().invocation_id);
        assert_ne!(derived, set("invocation_id", "req_2").unwrap().invocation_id);
    }

    #[test]
    fn unknown_fields_are_none() {
        for name in ["", "colour", "scores", "scores.", "Time"] {
            assert!(Field::named(name).is_none(), "{name}");
        }
    }
}
