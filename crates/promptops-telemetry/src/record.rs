//! The invocation record: one row for each call of a model.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, Utc};
use uuid::Uuid;

/// How a call of a model ended, seen from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Status {
    /// The provider answered. What the answer is worth is said by `valid`, `refusal` and `scores`.
    #[default]
    Ok,
    /// The caller got no answer; `error_type` says why.
    Error,
}

impl Status {
    /// Returns the name that the wire and the lake use: `ok` or `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The text is not the name of a [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a status is `ok` or `error`, not `{0}`")]
pub struct UnknownStatus(
    /// The text as it was given.
    pub String,
);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        match text {
            "ok" => Ok(Self::Ok),
            "error" => Ok(Self::Error),
            _ => Err(UnknownStatus(text.to_owned())),
        }
    }
}

/// Holds everything that is kept of one call of a model.
///
/// Only `time` and `invocation_id` are always known, so every other field may be absent: an absent value is unknown,
/// never zero. Start from [`Invocation::new`] and set the fields that are known:
///
/// ```
/// use chrono::{DateTime, Utc};
/// use promptops_telemetry::{Invocation, Uuid};
///
/// let time: DateTime<Utc> = "2026-05-01T12:00:00Z".parse()?;
/// let invocation = Invocation {
///     prompt_id: Some("support.intent".to_owned()),
///     prompt_version: Some(2),
///     latency_ms: Some(412.0),
///     ..Invocation::new(time, Uuid::from_u128(1))
/// };
/// assert_eq!(invocation.output_tokens, None);
/// # Ok::<(), chrono::ParseError>(())
/// ```
///
/// Times are UTC, durations milliseconds, money US dollars, lengths characters (Unicode scalar values). Numbers must be
/// finite; the wire form leaves out those that are not.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// When the call began, UTC. Kept to the microsecond.
    pub time: DateTime<Utc>,
    /// What makes the record count once: a UUIDv7 from the caller, or one derived from the source by an import.
    pub invocation_id: Uuid,
    /// Trace the call belongs to, as 32 lower-case hexadecimal digits (W3C trace context).
    pub trace_id: Option<String>,
    /// Span of the call, as 16 lower-case hexadecimal digits.
    pub span_id: Option<String>,
    /// Invocation that caused this one, for agents that call models in turn.
    pub parent_invocation: Option<Uuid>,
    /// Agent that made the call.
    pub agent: Option<String>,
    /// Conversation or job that calls share; records of one session are not independent of each other.
    pub session: Option<String>,
    /// Service that made the call.
    pub service: Option<String>,
    /// Kind of process that made the call, such as `lambda`, `glue`, `process` or `agent`.
    pub runtime: Option<String>,
    /// Environment the prompt was resolved in, such as `prod`.
    pub environment: Option<String>,
    /// Prompt that was rendered.
    pub prompt_id: Option<String>,
    /// Version of the prompt, from 1.
    pub prompt_version: Option<u32>,
    /// Behaviour digest of the prompt version, `sha256:` and 64 hexadecimal digits.
    pub prompt_digest: Option<String>,
    /// Side of a rollout that the prompt was loaded for: `control`, `candidate`, or `unkeyed` where no key was given.
    pub arm: Option<String>,
    /// Hash of the rendered input, `sha256:` and 64 hexadecimal digits; equal inputs have equal hashes.
    pub input_hash: Option<String>,
    /// Kind of the call, such as `chat`, `text_completion` or `embeddings`.
    pub operation: Option<String>,
    /// Provider that was called, such as `openai`, `anthropic` or `aws.bedrock`.
    pub provider: Option<String>,
    /// Model that was asked for.
    pub requested_model: Option<String>,
    /// Model that the provider says answered.
    pub responded_model: Option<String>,
    /// The provider's own id of the answer.
    pub response_id: Option<String>,
    /// Fingerprint of the provider's system, such as OpenAI's `system_fingerprint`.
    pub fingerprint: Option<String>,
    /// Tier that the provider served the call in, such as `batch`, `flex` or `priority`; prices depend on it.
    pub service_tier: Option<String>,
    /// Hash of the sampling parameters.
    pub parameters_hash: Option<String>,
    /// Hash of the tool definitions.
    pub tools_hash: Option<String>,
    /// Time from request to the complete answer, milliseconds.
    pub latency_ms: Option<f64>,
    /// Time from request to the first token of the answer, milliseconds.
    pub time_to_first_token_ms: Option<f64>,
    /// Tokens of the input, cached ones included.
    pub input_tokens: Option<u64>,
    /// Tokens of the output, reasoning included.
    pub output_tokens: Option<u64>,
    /// Tokens of the input that the provider read from its cache; part of `input_tokens`.
    pub cached_tokens: Option<u64>,
    /// Tokens of the input that the provider wrote to its cache; part of `input_tokens`.
    pub cache_write_tokens: Option<u64>,
    /// Tokens spent on reasoning; part of `output_tokens`.
    pub reasoning_tokens: Option<u64>,
    /// Cost of the call, US dollars.
    pub cost_usd: Option<f64>,
    /// Identity of the price table that `cost_usd` was computed with; absent when the cost was given.
    pub price_table: Option<String>,
    /// How the call ended.
    pub status: Status,
    /// Kind of the error when `status` is [`Status::Error`], such as `timeout` or `rate_limit`.
    pub error_type: Option<String>,
    /// Why the model stopped, such as `stop`, `length` or `tool_calls`.
    pub finish_reason: Option<String>,
    /// Class that the output chose, where the prompt has classes.
    pub label: Option<String>,
    /// Whether the output conforms to the prompt's output schema.
    pub valid: Option<bool>,
    /// Whether the model refused to answer.
    pub refusal: Option<bool>,
    /// Length of the output, characters.
    pub output_length: Option<u64>,
    /// Named scores of the output, such as those of a judge.
    pub scores: BTreeMap<String, f64>,
    /// Group of comparable inputs that the call belongs to.
    pub stratum: Option<String>,
    /// Where the record came from: the name of an import file, or the SDK.
    pub source: Option<String>,
    /// Rendered input. Absent unless content capture is switched on for the prompt.
    pub input: Option<String>,
    /// Output as the model gave it. Absent unless content capture is switched on for the prompt.
    pub output: Option<String>,
}

/// Names the counts of a record, in either of its forms, with their values.
macro_rules! counts {
    ($record:expr) => {
        [
            ("input_tokens", $record.input_tokens),
            ("output_tokens", $record.output_tokens),
            ("cached_tokens", $record.cached_tokens),
            ("cache_write_tokens", $record.cache_write_tokens),
            ("reasoning_tokens", $record.reasoning_tokens),
            ("output_length", $record.output_length),
        ]
    };
}
pub(crate) use counts;

impl Invocation {
    /// Creates a successful invocation of which only time and id are known.
    #[must_use]
    pub fn new(time: DateTime<Utc>, invocation_id: Uuid) -> Self {
        Self {
            time,
            invocation_id,
            trace_id: None,
            span_id: None,
            parent_invocation: None,
            agent: None,
            session: None,
            service: None,
            runtime: None,
            environment: None,
            prompt_id: None,
            prompt_version: None,
            prompt_digest: None,
            arm: None,
            input_hash: None,
            operation: None,
            provider: None,
            requested_model: None,
            responded_model: None,
            response_id: None,
            fingerprint: None,
            service_tier: None,
            parameters_hash: None,
            tools_hash: None,
            latency_ms: None,
            time_to_first_token_ms: None,
            input_tokens: None,
            output_tokens: None,
            cached_tokens: None,
            cache_write_tokens: None,
            reasoning_tokens: None,
            cost_usd: None,
            price_table: None,
            status: Status::Ok,
            error_type: None,
            finish_reason: None,
            label: None,
            valid: None,
            refusal: None,
            output_length: None,
            scores: BTreeMap::new(),
            stratum: None,
            source: None,
            input: None,
            output: None,
        }
    }
}

/// A value is larger or smaller than what a lake holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfRange {
    /// A count is larger than a signed integer of 64 bits, or the version than one of 32.
    #[error("`{field}` is out of range: `{value}`")]
    Number {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// The time has no folder.
    #[error("the year of `time` is not within 1970 to 9999: `{0}`")]
    Year(
        /// The time, RFC 3339.
        String,
    ),
}

impl Invocation {
    /// Refuses what no lake holds: Athena has no unsigned integers, and its folders have years of four digits.
    ///
    /// # Errors
    /// [`OutOfRange`] for the first such value.
    pub fn check_range(&self) -> Result<(), OutOfRange> {
        check_range(self.time, self.prompt_version, counts!(self))
    }
}

pub(crate) fn check_range<const N: usize>(
    time: DateTime<Utc>,
    version: Option<u32>,
    counts: [(&'static str, Option<u64>); N],
) -> Result<(), OutOfRange> {
    for (field, count) in counts {
        if let Some(value) = count.filter(|count| i64::try_from(*count).is_err()) {
            return Err(OutOfRange::Number { field, value });
        }
    }
    if let Some(version) = version.filter(|version| i32::try_from(*version).is_err()) {
        return Err(OutOfRange::Number { field: "prompt_version", value: version.into() });
    }
    if !(1970..=9999).contains(&time.year()) {
        return Err(OutOfRange::Year(time.to_rfc3339()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_names_round_trip() {
        for status in [Status::Ok, Status::Error] {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        let error = "OK".parse::<Status>().unwrap_err();
        assert_eq!(error.to_string(), "a status is `ok` or `error`, not `OK`");
    }

    #[test]
    fn new_leaves_everything_unknown() {
        let time: DateTime<Utc> = "2026-05-01T12:00:00Z".parse().unwrap();
        let invocation = Invocation::new(time, Uuid::from_u128(7));
        assert_eq!(invocation.time, time);
        assert_eq!(invocation.invocation_id.as_u128(), 7);
        assert_eq!(invocation.status, Status::Ok);
        assert_eq!(invocation.input_tokens, None);
        assert!(invocation.scores.is_empty());
    }
}
