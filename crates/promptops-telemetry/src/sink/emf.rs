//! Records as CloudWatch metrics, in the embedded metric format.
//!
//! Format and limits:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{Counter, Sink};
use crate::hash::content_hash;
use crate::record::{Invocation, Status};

/// Longest namespace, characters.
const MAX_NAMESPACE: usize = 256;
/// Longest value of a dimension, characters.
const MAX_DIMENSION_VALUE: usize = 1024;
/// Longest text property, characters. With every property at this length an event stays below 256 KB, the lowest limit
/// that CloudWatch ever had.
const MAX_PROPERTY: usize = 512;
/// CloudWatch refuses events that are older than this.
const OLDEST: TimeDelta = TimeDelta::days(14);
/// CloudWatch refuses events that are further in the future than this.
const NEWEST: TimeDelta = TimeDelta::hours(2);
/// Value of a dimension that the record does not know. CloudWatch refuses empty values.
const UNKNOWN: &str = "unknown";

/// Writes each record as one line of CloudWatch embedded metric format.
///
/// In AWS Lambda, standard output is the place for it; no permission beyond writing logs is needed. CloudWatch extracts
/// `Latency` (milliseconds), `InputTokens`, `OutputTokens`, `Errors`, `Invocations` (counts) and `CostUSD` (US dollars)
/// under the dimension sets `[prompt_id, environment]` and, when the version is known, `[prompt_id, prompt_version,
/// environment]`. There are no other dimensions, because each combination of values is a billed metric. Further fields
/// are properties that CloudWatch Logs Insights can search: never content.
///
/// A metric that is unknown, not finite or negative is left out. A record outside of the time that CloudWatch accepts
/// (14 days back, 2 hours ahead) and a failed write count as dropped.
pub struct EmfSink<W: Write + Send> {
    writer: Mutex<W>,
    namespace: String,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    dropped: Counter,
}

/// The namespace is empty, too long or has characters that CloudWatch refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a CloudWatch namespace has 1 to 256 characters of `A-Z a-z 0-9 . - _ / # :` and does not begin with a colon, not `{0}`")]
pub struct InvalidNamespace(
    /// The namespace as it was given.
    pub String,
);

impl<W: Write + Send> EmfSink<W> {
    /// Creates a sink that writes metrics of `namespace` to `writer`; `clock` tells the present time.
    ///
    /// # Errors
    ///
    /// [`InvalidNamespace`] when CloudWatch would refuse the namespace.
    pub fn new(
        writer: W,
        namespace: &str,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Result<Self, InvalidNamespace> {
        let allowed = |character: char| character.is_ascii_alphanumeric() || ".-_/#:".contains(character);
        if namespace.is_empty()
            || namespace.len() > MAX_NAMESPACE
            || namespace.starts_with(':')
            || !namespace.chars().all(allowed)
        {
            return Err(InvalidNamespace(namespace.to_owned()));
        }
        Ok(Self {
            writer: Mutex::new(writer),
            namespace: namespace.to_owned(),
            clock: Box::new(clock),
            dropped: Counter::default(),
        })
    }
}

impl<W: Write + Send> Sink for EmfSink<W> {
    fn record(&self, invocation: &Invocation) {
        let age = (self.clock)().signed_duration_since(invocation.time);
        if age > OLDEST || age < -NEWEST {
            self.dropped.add_one();
            return;
        }
        let mut line = event(&self.namespace, invocation).to_string();
        line.push('\n');
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.write_all(line.as_bytes()).is_err() {
            self.dropped.add_one();
        }
    }

    fn flush(&self) {
        // A record that was taken has been handed to the writer; should flushing fail there is nothing left to count.
        let _ = self.writer.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }

    fn dropped(&self) -> u64 {
        self.dropped.get()
    }
}

/// Builds the event: metadata in `_aws`; dimensions, metrics and properties beside it.
fn event(namespace: &str, invocation: &Invocation) -> Value {
    let mut definitions = Vec::new();
    let mut members = Map::new();
    for (name, unit, value) in metrics(invocation) {
        if let Some(value) = value.filter(|value| value.is_finite() && *value >= 0.0 && *value < 2_f64.powi(360)) {
            definitions.push(json!({"Name": name, "Unit": unit}));
            members.insert(name.to_owned(), json!(value));
        }
    }

    let mut dimension_sets = vec![json!(["prompt_id", "environment"])];
    members.insert("prompt_id".to_owned(), dimension_value(invocation.prompt_id.as_deref()).into());
    members.insert("environment".to_owned(), dimension_value(invocation.environment.as_deref()).into());
    if let Some(version) = invocation.prompt_version {
        dimension_sets.push(json!(["prompt_id", "prompt_version", "environment"]));
        members.insert("prompt_version".to_owned(), version.to_string().into());
    }

    for (name, value) in properties(invocation) {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    }

    let mut root = Map::new();
    root.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": invocation.time.timestamp_millis(),
            "CloudWatchMetrics": [{
                "Namespace": namespace,
                "Dimensions": dimension_sets,
                "Metrics": definitions,
            }],
        }),
    );
    root.append(&mut members);
    Value::Object(root)
}

#[expect(clippy::cast_precision_loss, reason = "CloudWatch keeps every number as a 64-bit float")]
fn metrics(invocation: &Invocation) -> [(&'static str, &'static str, Option<f64>); 6] {
    let failed = if invocation.status == Status::Error { 1.0 } else { 0.0 };
    [
        ("Invocations", "Count", Some(1.0)),
        ("Errors", "Count", Some(failed)),
        ("Latency", "Milliseconds", invocation.latency_ms),
        ("InputTokens", "Count", invocation.input_tokens.map(|tokens| tokens as f64)),
        ("OutputTokens", "Count", invocation.output_tokens.map(|tokens| tokens as f64)),
        ("CostUSD", "None", invocation.cost_usd),
    ]
}

/// Names the fields that Logs Insights can search. None is called like a metric or a dimension.
fn properties(invocation: &Invocation) -> [(&'static str, Option<Value>); 18] {
    let text =
        |field: &Option<String>| field.as_ref().map(|value| Value::from(value.chars().take(MAX_PROPERTY).collect::<String>()));
    [
        ("invocation_id", Some(invocation.invocation_id.to_string().into())),
        ("trace_id", text(&invocation.trace_id)),
        ("span_id", text(&invocation.span_id)),
        ("agent", text(&invocation.agent)),
        ("session", text(&invocation.session)),
        ("service", text(&invocation.service)),
        ("prompt_digest", text(&invocation.prompt_digest)),
        ("arm", text(&invocation.arm)),
        ("input_hash", text(&invocation.input_hash)),
        ("requested_model", text(&invocation.requested_model)),
        ("responded_model", text(&invocation.responded_model)),
        ("status", Some(invocation.status.as_str().into())),
        ("error_type", text(&invocation.error_type)),
        ("finish_reason", text(&invocation.finish_reason)),
        ("label", text(&invocation.label)),
        ("valid", invocation.valid.map(Value::from)),
        ("refusal", invocation.refusal.map(Value::from)),
        ("stratum", text(&invocation.stratum)),
    ]
}

/// Makes a value that CloudWatch accepts: printable ASCII with a character that is not a space, at most 1024 long.
///
/// Other bytes and `%` are percent-encoded, so that different values stay different. What would be too long is cut and
/// ends with a hash of the whole. Blank values become `unknown`.
fn dimension_value(value: Option<&str>) -> String {
    let value = value.unwrap_or_default();
    if value.trim().is_empty() {
        return UNKNOWN.to_owned();
    }
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if (byte.is_ascii_graphic() || byte == b' ') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    if encoded.len() > MAX_DIMENSION_VALUE {
        let hash = content_hash(value);
        let tail = &hash["sha256:".len()..][..16];
        encoded.truncate(MAX_DIMENSION_VALUE - tail.len() - 1);
        encoded.push('~');
        encoded.push_str(tail);
    }
    encoded
}
