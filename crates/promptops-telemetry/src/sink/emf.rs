//! Records as CloudWatch metrics, in the embedded metric format.
//!
//! Format and limits:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use uuid::Uuid;

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
/// About what an event takes.
const LINE_BYTES: usize = 1024;
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
    output: Mutex<Output<W>>,
    namespace: String,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    dropped: Counter,
}

struct Output<W> {
    writer: W,
    /// The last write stopped inside a line.
    line_is_cut: bool,
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
            output: Mutex::new(Output { writer, line_is_cut: false }),
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
        let mut line = Vec::with_capacity(LINE_BYTES);
        let event = Event { namespace: &self.namespace, invocation };
        serde_json::to_writer(&mut line, &event).expect("names are texts and numbers are finite, so an event is JSON");
        line.push(b'\n');
        if !self.output.lock().unwrap_or_else(PoisonError::into_inner).write_line(&line) {
            self.dropped.add_one();
        }
    }

    fn flush(&self) {
        // A record that was taken has been handed to the writer; should flushing fail there is nothing left to count.
        let _ = self.output.lock().unwrap_or_else(PoisonError::into_inner).writer.flush();
    }

    fn dropped(&self) -> u64 {
        self.dropped.get()
    }
}

impl<W: Write> Output<W> {
    /// Writes one line; returns whether all of it was written.
    fn write_line(&mut self, line: &[u8]) -> bool {
        if self.line_is_cut {
            // Else this line would be lost with the one that was cut.
            if self.write(b"\n") < 1 {
                return false;
            }
            self.line_is_cut = false;
        }
        let written = self.write(line);
        self.line_is_cut = written > 0 && written < line.len();
        written == line.len()
    }

    /// Writes what can be written, and returns how many bytes that were.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.writer.write(&bytes[written..]) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        written
    }
}

/// One line: metadata in `_aws`; metrics, dimensions and properties beside it.
///
/// Written as it is made: a tree of JSON in between would take most of the time of a record.
struct Event<'a> {
    namespace: &'a str,
    invocation: &'a Invocation,
}

/// What `_aws` holds.
#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(rename = "Timestamp")]
    timestamp_ms: i64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: [Directive<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: &'a [&'a [&'a str]],
    metrics: &'a [Definition],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let invocation = self.invocation;
        let known = metrics(invocation).map(|(name, unit, value)| {
            let value = value.filter(|value| value.is_finite() && *value >= 0.0 && *value < 2_f64.powi(360));
            value.map(|value| (Definition { name, unit }, value))
        });
        let (definitions, values): (Vec<Definition>, Vec<f64>) = known.into_iter().flatten().unzip();
        let sets: &[&[&str]] = &[&["prompt_id", "environment"], &["prompt_id", "prompt_version", "environment"]];
        let directive = Directive {
            namespace: self.namespace,
            dimensions: if invocation.prompt_version.is_some() { sets } else { &sets[..1] },
            metrics: &definitions,
        };
        let mut event = serializer.serialize_map(None)?;
        let timestamp_ms = invocation.time.timestamp_millis();
        event.serialize_entry("_aws", &Metadata { timestamp_ms, directives: [directive] })?;
        for (definition, value) in definitions.iter().zip(&values) {
            event.serialize_entry(definition.name, value)?;
        }
        event.serialize_entry("prompt_id", &dimension_value(invocation.prompt_id.as_deref()))?;
        event.serialize_entry("environment", &dimension_value(invocation.environment.as_deref()))?;
        if let Some(version) = invocation.prompt_version {
            event.serialize_entry("prompt_version", &version.to_string())?;
        }
        for (name, value) in properties(invocation) {
            match value {
                Some(Property::Text(text)) => event.serialize_entry(name, cut(text))?,
                Some(Property::Id(id)) => event.serialize_entry(name, &id)?,
                Some(Property::Truth(truth)) => event.serialize_entry(name, &truth)?,
                None => {}
            }
        }
        event.end()
    }
}

/// A field that Logs Insights can search.
enum Property<'a> {
    Text(&'a str),
    Id(Uuid),
    Truth(bool),
}

/// Returns the first [`MAX_PROPERTY`] characters.
fn cut(text: &str) -> &str {
    match text.char_indices().nth(MAX_PROPERTY) {
        Some((end, _)) if text.len() > MAX_PROPERTY => &text[..end],
        _ => text,
    }
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
fn properties(invocation: &Invocation) -> [(&'static str, Option<Property<'_>>); 18] {
    fn text(field: Option<&String>) -> Option<Property<'_>> {
        field.map(|text| Property::Text(text))
    }
    [
        ("invocation_id", Some(Property::Id(invocation.invocation_id))),
        ("trace_id", text(invocation.trace_id.as_ref())),
        ("span_id", text(invocation.span_id.as_ref())),
        ("agent", text(invocation.agent.as_ref())),
        ("session", text(invocation.session.as_ref())),
        ("service", text(invocation.service.as_ref())),
        ("prompt_digest", text(invocation.prompt_digest.as_ref())),
        ("arm", text(invocation.arm.as_ref())),
        ("input_hash", text(invocation.input_hash.as_ref())),
        ("requested_model", text(invocation.requested_model.as_ref())),
        ("responded_model", text(invocation.responded_model.as_ref())),
        ("status", Some(Property::Text(invocation.status.as_str()))),
        ("error_type", text(invocation.error_type.as_ref())),
        ("finish_reason", text(invocation.finish_reason.as_ref())),
        ("label", text(invocation.label.as_ref())),
        ("valid", invocation.valid.map(Property::Truth)),
        ("refusal", invocation.refusal.map(Property::Truth)),
        ("stratum", text(invocation.stratum.as_ref())),
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
