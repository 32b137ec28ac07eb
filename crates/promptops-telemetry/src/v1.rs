//! The wire form of the invocation record, version 1: one JSON object, documented in `spec/invocation.md`.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::import::quoted;
use crate::record::{Invocation, OutOfRange, Status, check_range, counts};

/// The number that `schema_version` carries.
pub const SCHEMA_VERSION: u32 = 1;

/// An invocation as one JSON object.
///
/// Absent and null mean unknown. Unknown members are ignored, so that a later writer may add some. The fields mean what
/// those of [`Invocation`] mean. `Text` is what a member that is a text is read into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "Text: Deserialize<'de>"))]
#[expect(missing_docs, reason = "each field is documented where it is meant, in `Invocation`")]
pub struct InvocationV1<Text = String> {
    #[serde(default = "current_version")]
    pub schema_version: u32,
    /// RFC 3339 with any offset; written in UTC with microseconds.
    #[serde(serialize_with = "serialize_time", deserialize_with = "deserialize_time")]
    pub time: DateTime<Utc>,
    /// May be absent in a file that is imported; the import then derives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_invocation: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_digest: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_hash: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_model: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responded_model: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_hash: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools_hash: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_first_token_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_table: Option<Text>,
    #[serde(default)]
    pub status: StatusV1,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_length: Option<u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stratum: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Text>,
}

/// How a call ended, `ok` or `error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusV1 {
    /// The provider answered.
    #[default]
    Ok,
    /// The caller got no answer.
    Error,
}

const fn current_version() -> u32 {
    SCHEMA_VERSION
}

fn serialize_time<S: serde::Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Reads a time as chrono does, and says which text is none: chrono's own message names neither.
fn deserialize_time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let time = text.parse::<DateTime<Utc>>();
    time.map_err(|_| serde::de::Error::custom(format_args!("`time` is not as `2026-05-01T10:00:00Z`: {}", quoted(&text))))
}

fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|value| value.is_finite())
}

/// Renders an invocation as one line of JSON without the line feed.
///
/// Numbers that are not finite are left out, since JSON has none.
#[must_use]
pub fn to_line(invocation: &Invocation) -> String {
    serde_json::to_string(&InvocationV1::from(invocation)).expect("strings and finite numbers always serialize")
}

impl From<&Invocation> for InvocationV1 {
    fn from(invocation: &Invocation) -> Self {
        let Invocation {
            time,
            invocation_id,
            trace_id,
            span_id,
            parent_invocation,
            agent,
            session,
            service,
            runtime,
            environment,
            prompt_id,
            prompt_version,
            prompt_digest,
            arm,
            input_hash,
            operation,
            provider,
            requested_model,
            responded_model,
            response_id,
            fingerprint,
            service_tier,
            parameters_hash,
            tools_hash,
            latency_ms,
            time_to_first_token_ms,
            input_tokens,
            output_tokens,
            cached_tokens,
            cache_write_tokens,
            reasoning_tokens,
            cost_usd,
            price_table,
            status,
            error_type,
            finish_reason,
            label,
            valid,
            refusal,
            output_length,
            scores,
            stratum,
            source,
            input,
            output,
        } = invocation.clone();
        Self {
            schema_version: SCHEMA_VERSION,
            time,
            invocation_id: Some(invocation_id),
            trace_id,
            span_id,
            parent_invocation,
            agent,
            session,
            service,
            runtime,
            environment,
            prompt_id,
            prompt_version,
            prompt_digest,
            arm,
            input_hash,
            operation,
            provider,
            requested_model,
            responded_model,
            response_id,
            fingerprint,
            service_tier,
            parameters_hash,
            tools_hash,
            latency_ms: finite(latency_ms),
            time_to_first_token_ms: finite(time_to_first_token_ms),
            input_tokens,
            output_tokens,
            cached_tokens,
            cache_write_tokens,
            reasoning_tokens,
            cost_usd: finite(cost_usd),
            price_table,
            status: match status {
                Status::Ok => StatusV1::Ok,
                Status::Error => StatusV1::Error,
            },
            error_type,
            finish_reason,
            label,
            valid,
            refusal,
            output_length,
            scores: scores.into_iter().filter(|(_, score)| score.is_finite()).collect(),
            stratum,
            source,
            input,
            output,
        }
    }
}

impl<Text> InvocationV1<Text> {
    /// Refuses what no lake holds, as [`Invocation::check_range`] does.
    ///
    /// # Errors
    /// [`OutOfRange`] for the first such value.
    pub fn check_range(&self) -> Result<(), OutOfRange> {
        check_range(self.time, self.prompt_version, counts!(self))
    }
}

impl InvocationV1 {
    /// Converts to the record, giving it `derived_id` when the wire form names no id.
    ///
    /// The schema version is not looked at; a reader refuses later versions before it converts.
    #[must_use]
    pub fn into_invocation(self, derived_id: impl FnOnce(DateTime<Utc>) -> Uuid) -> Invocation {
        Invocation {
            time: self.time,
            invocation_id: self.invocation_id.unwrap_or_else(|| derived_id(self.time)),
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent_invocation: self.parent_invocation,
            agent: self.agent,
            session: self.session,
            service: self.service,
            runtime: self.runtime,
            environment: self.environment,
            prompt_id: self.prompt_id,
            prompt_version: self.prompt_version,
            prompt_digest: self.prompt_digest,
            arm: self.arm,
            input_hash: self.input_hash,
            operation: self.operation,
            provider: self.provider,
            requested_model: self.requested_model,
            responded_model: self.responded_model,
            response_id: self.response_id,
            fingerprint: self.fingerprint,
            service_tier: self.service_tier,
            parameters_hash: self.parameters_hash,
            tools_hash: self.tools_hash,
            latency_ms: self.latency_ms,
            time_to_first_token_ms: self.time_to_first_token_ms,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cached_tokens: self.cached_tokens,
            cache_write_tokens: self.cache_write_tokens,
            reasoning_tokens: self.reasoning_tokens,
            cost_usd: self.cost_usd,
            price_table: self.price_table,
            status: match self.status {
                StatusV1::Ok => Status::Ok,
                StatusV1::Error => Status::Error,
            },
            error_type: self.error_type,
            finish_reason: self.finish_reason,
            label: self.label,
            valid: self.valid,
            refusal: self.refusal,
            output_length: self.output_length,
            scores: self.scores,
            stratum: self.stratum,
            source: self.source,
            input: self.input,
            output: self.output,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Invocation {
        Invocation {
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
            parent_invocation: Some(Uuid::from_u128(3)),
            prompt_id: Some("support.intent".into()),
            prompt_version: Some(2),
            latency_ms: Some(412.5),
            input_tokens: Some(u64::MAX),
            cost_usd: Some(1e-7),
            status: Status::Error,
            error_type: Some("timeout".into()),
            valid: Some(false),
            scores: BTreeMap::from([("judge".into(), 0.25)]),
            output: Some("line\nbreak \u{2028} \"quote\" é".into()),
            ..Invocation::new("2026-05-01T12:00:00.123456Z".parse().unwrap(), Uuid::from_u128(9))
        }
    }

    fn parse(line: &str) -> Invocation {
        let wire: InvocationV1 = serde_json::from_str(line).unwrap();
        wire.into_invocation(|_| unreachable!("the line names an id"))
    }

    #[test]
    fn round_trips_on_one_line() {
        let line = to_line(&full());
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(parse(&line), full());
    }

    #[test]
    fn writes_utc_and_leaves_out_what_is_unknown() {
        let bare = Invocation::new("2026-05-01T12:00:00+02:00".parse().unwrap(), Uuid::from_u128(1));
        assert_eq!(
            to_line(&bare),
            r#"{"schema_version":1,"time":"2026-05-01T10:00:00.000000Z","invocation_id":"00000000-0000-0000-0000-000000000001","status":"ok"}"#
        );
    }

    #[test]
    fn leaves_out_numbers_that_are_not_finite() {
        let mut invocation = full();
        invocation.latency_ms = Some(f64::NAN);
        invocation.cost_usd = Some(f64::INFINITY);
        invocation.scores.insert("broken".into(), f64::NEG_INFINITY);
        let read = parse(&to_line(&invocation));
        assert_eq!(read.latency_ms, None);
        assert_eq!(read.cost_usd, None);
        assert_eq!(read.scores, BTreeMap::from([("judge".into(), 0.25)]));
    }

    #[test]
    fn ignores_unknown_members_and_accepts_null() {
        let line = r#"{"time":"2026-05-01T12:00:00+02:00","invocation_id":"00000000-0000-0000-0000-000000000001","colour":{"deep":[1]},"label":null}"#;
        let read = parse(line);
        assert_eq!(read.time.to_rfc3339(), "2026-05-01T10:00:00+00:00");
        assert_eq!(read.label, None);
        assert_eq!(read.status, Status::Ok);
    }

    #[test]
    fn an_absent_id_is_derived_from_the_time() {
        let wire: InvocationV1 = serde_json::from_str(r#"{"time":"1970-01-01T00:00:07Z"}"#).unwrap();
        let read = wire.into_invocation(|time| Uuid::from_u128(u128::try_from(time.timestamp()).unwrap()));
        assert_eq!(read.invocation_id.as_u128(), 7);
    }
}
