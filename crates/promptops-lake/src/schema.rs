//! The columns of the table.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

/// Name of the table in SQL, and of the folder of its files.
pub const TABLE: &str = "invocations";

/// Time zone of all times.
pub(crate) const UTC: &str = "UTC";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let number = |name| Field::new(name, DataType::Float64, true);
    let count = |name| Field::new(name, DataType::Int64, true);
    let flag = |name| Field::new(name, DataType::Boolean, true);
    Arc::new(Schema::new(vec![
        Field::new("time", timestamp(), false),
        Field::new("invocation_id", DataType::Utf8, false),
        text("trace_id"),
        text("span_id"),
        text("parent_invocation"),
        text("agent"),
        text("session"),
        text("service"),
        text("runtime"),
        text("environment"),
        text("prompt_id"),
        Field::new("prompt_version", DataType::Int32, true),
        text("prompt_digest"),
        text("arm"),
        text("input_hash"),
        text("operation"),
        text("provider"),
        text("requested_model"),
        text("responded_model"),
        text("response_id"),
        text("fingerprint"),
        text("service_tier"),
        text("parameters_hash"),
        text("tools_hash"),
        number("latency_ms"),
        number("time_to_first_token_ms"),
        count("input_tokens"),
        count("output_tokens"),
        count("cached_tokens"),
        count("cache_write_tokens"),
        count("reasoning_tokens"),
        number("cost_usd"),
        text("price_table"),
        Field::new("status", DataType::Utf8, false),
        text("error_type"),
        text("finish_reason"),
        text("label"),
        flag("valid"),
        flag("refusal"),
        count("output_length"),
        Field::new("scores", DataType::Map(Arc::new(entries()), false), true),
        text("stratum"),
        text("source"),
        text("input"),
        text("output"),
    ]))
});

/// Returns the columns of the files: the fields of the invocation record under the same names and in the same units.
///
/// * `time` is a timestamp in microseconds, UTC; ids are text; `status` is `ok` or `error`.
/// * `prompt_version` is a 32-bit and counts are 64-bit signed integers, because Athena has no unsigned ones.
/// * `scores` is a map from text to double, null when there are none; in SQL `scores['judge']`.
/// * What is unknown is null.
///
/// In SQL the table has two more columns, which are the folders: `day` (text, `YYYY-MM-DD`) and `hour` (integer, 0 to
/// 23), both UTC. A condition on `day` spares reading the other days.
#[must_use]
pub fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

/// The entries of a map, named as the Parquet format names them.
pub(crate) fn entries() -> Field {
    Field::new("key_value", DataType::Struct(Fields::from(vec![score_name(), score_value()])), false)
}

pub(crate) fn score_name() -> Field {
    Field::new("key", DataType::Utf8, false)
}

pub(crate) fn score_value() -> Field {
    Field::new("value", DataType::Float64, false)
}
