//! The value of an attribute.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::json::JsonValue;
use super::protobuf;

/// Levels of lists in lists that are read.
pub(super) const MAX_DEPTH: usize = 32;
/// Bytes of a list or an object that is read whole.
const MAX_STRUCTURED_BYTES: usize = 1 << 20;

/// The value of an attribute, as far as it was read.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Truth(bool),
    Whole(i64),
    Number(f64),
    Structured(Structured<'a>),
}

/// A list, an object or bytes, which are read when somebody wants them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Structured<'a> {
    /// The bytes of an `AnyValue`.
    Protobuf(&'a [u8]),
    /// The JSON of an `AnyValue`.
    Json(&'a str),
}

impl Structured<'_> {
    /// Returns it as JSON; nothing for what is too large, too deep or none.
    pub(super) fn to_json(self) -> Option<Json> {
        match self {
            Self::Protobuf(bytes) if bytes.len() <= MAX_STRUCTURED_BYTES => protobuf::to_json(bytes, MAX_DEPTH).ok().flatten(),
            Self::Json(text) if text.len() <= MAX_STRUCTURED_BYTES => {
                serde_json::from_str::<JsonValue<'_>>(text).ok()?.to_json(MAX_DEPTH)
            }
            _ => None,
        }
    }
}

impl<'a> Value<'a> {
    /// Returns a name: text that is not empty and no longer than `limit`, or a number or truth value in its place.
    pub(super) fn name(&self, limit: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text.as_ref())),
            Self::Truth(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
            Self::Whole(number) => Some(Cow::Owned(number.to_string())),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Structured(_) => None,
        }
        .filter(|name| !name.is_empty() && name.len() <= limit)
    }

    /// Returns a count: a whole number from 0, however it was written.
    pub(super) fn count(&self) -> Option<u64> {
        const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
        match self {
            Self::Whole(number) => u64::try_from(*number).ok(),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
            Self::Number(number) if number.fract() == 0.0 && (0.0..=LARGEST_EXACT).contains(number) => Some(*number as u64),
            Self::Text(text) => text.trim().parse().ok().filter(|count| i64::try_from(*count).is_ok()),
            _ => None,
        }
    }

    /// Returns a finite number.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Whole(number) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Truth(_) | Self::Structured(_) => None,
        }
        .filter(|number| number.is_finite())
    }

    /// Returns a truth value.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::Truth(truth) => Some(*truth),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// Returns the first of a list, or the value itself.
    pub(super) fn first(&self, limit: usize) -> Option<String> {
        match self {
            Self::Structured(structured) => {
                let first = structured.to_json()?.as_array_mut()?.first_mut()?.take();
                first.as_str().filter(|text| !text.is_empty() && text.len() <= limit).map(str::to_owned)
            }
            // Some write the list as JSON.
            Self::Text(text) if text.starts_with('[') && text.len() <= MAX_STRUCTURED_BYTES => {
                let list: Vec<String> = serde_json::from_str(text).ok()?;
                list.into_iter().next().filter(|first| !first.is_empty() && first.len() <= limit)
            }
            _ => self.name(limit).map(Cow::into_owned),
        }
    }

    /// Returns it as JSON; text as the JSON that it holds, or as text.
    pub(super) fn to_json(&self) -> Option<Json> {
        match self {
            Self::Text(text) if text.len() > MAX_STRUCTURED_BYTES => None,
            Self::Text(text) => Some(serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.as_ref()))),
            Self::Truth(truth) => Some((*truth).into()),
            Self::Whole(number) => Some((*number).into()),
            Self::Number(number) => Some((*number).into()),
            Self::Structured(structured) => structured.to_json(),
        }
    }

    /// Returns content: text as it is, and what has parts as JSON.
    pub(super) fn content(&self) -> Option<String> {
        match self {
            Self::Text(text) if text.len() > MAX_STRUCTURED_BYTES => None,
            Self::Text(text) => Some(text.clone().into_owned()),
            _ => self.to_json().map(|json| json.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    #[test]
    fn numbers_are_read_however_they_were_written() {
        assert_eq!((Value::Whole(7).count(), Value::Number(7.0).count(), text(" 7 ").count()), (Some(7), Some(7), Some(7)));
        for bad in [Value::Whole(-1), Value::Number(7.5), Value::Number(f64::NAN), text("7.5"), text("many"), Value::Truth(true)]
        {
            assert_eq!(bad.count(), None, "{bad:?}");
        }
        assert_eq!((Value::Whole(-7).number(), text("1e2").number()), (Some(-7.0), Some(100.0)));
        assert_eq!((Value::Number(f64::INFINITY).number(), text("NaN").number()), (None, None));
        assert_eq!((Value::Truth(true).truth(), text("False").truth(), Value::Whole(1).truth()), (Some(true), Some(false), None));
    }

    #[test]
    fn names_are_short_and_not_empty() {
        assert_eq!(text("gpt").name(3).as_deref(), Some("gpt"));
        assert_eq!(Value::Whole(42).name(3).as_deref(), Some("42"));
        assert_eq!(
            (text("gpt-4").name(3), text("").name(3), Value::Structured(Structured::Json("{}")).name(9)),
            (None, None, None)
        );
    }

    #[test]
    fn a_list_gives_its_first() {
        let list = r#"{"arrayValue":{"values":[{"stringValue":"stop"},{"stringValue":"length"}]}}"#;
        assert_eq!(Value::Structured(Structured::Json(list)).first(9).as_deref(), Some("stop"));
        assert_eq!(text(r#"["stop"]"#).first(9).as_deref(), Some("stop"));
        assert_eq!(text("stop").first(9).as_deref(), Some("stop"));
        for none in [r#"{"arrayValue":{"values":[]}}"#, r#"{"arrayValue":{"values":[{"intValue":"1"}]}}"#, "nonsense"] {
            assert_eq!(Value::Structured(Structured::Json(none)).first(9), None, "{none}");
        }
        assert_eq!(text("[stop").first(9), None);
    }
}
