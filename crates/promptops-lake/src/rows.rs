//! Records as rows of the table, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Float64Builder, Int32Array, Int64Array, MapArray, MapBuilder, MapFieldNames,
    StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::DateTime;
use promptops_telemetry::{Invocation, Uuid};

use crate::error::LakeError;
use crate::partition::Partition;
use crate::schema::{TABLE, UTC, schema, score_name, score_value};

/// Refuses what the columns cannot hold.
pub(crate) fn check(record: &Invocation) -> Result<Partition, LakeError> {
    let wrong = |reason: String| LakeError::Record { invocation_id: record.invocation_id.to_string(), reason };
    record.check_range().map_err(|error| wrong(error.to_string()))?;
    Partition::of(record.time).ok_or_else(|| wrong(format!("`time` has no folder: `{}`", record.time.to_rfc3339())))
}

/// Makes rows of checked records. Numbers that are not finite become null.
pub(crate) fn to_batch(records: &[&Invocation]) -> Result<RecordBatch, ArrowError> {
    let text = |field: fn(&Invocation) -> Option<&str>| -> ArrayRef {
        Arc::new(records.iter().map(|record| field(record)).collect::<StringArray>())
    };
    let number = |field: fn(&Invocation) -> Option<f64>| -> ArrayRef {
        let values = records.iter().map(|record| field(record).filter(|value| value.is_finite()));
        Arc::new(values.collect::<Float64Array>())
    };
    let count = |field: fn(&Invocation) -> Option<u64>| -> ArrayRef {
        let values = records.iter().map(|record| field(record).and_then(|value| i64::try_from(value).ok()));
        Arc::new(values.collect::<Int64Array>())
    };
    let flag = |field: fn(&Invocation) -> Option<bool>| -> ArrayRef {
        Arc::new(records.iter().map(|record| field(record)).collect::<BooleanArray>())
    };
    let version = |record: &&Invocation| record.prompt_version.and_then(|version| i32::try_from(version).ok());
    let times = TimestampMicrosecondArray::from_iter_values(records.iter().map(|record| record.time.timestamp_micros()));
    let ids = StringArray::from_iter_values(records.iter().map(|record| record.invocation_id.to_string()));
    let parents: StringArray = records.iter().map(|record| record.parent_invocation.map(|id| id.to_string())).collect();

    let columns: Vec<ArrayRef> = vec![
        Arc::new(times.with_timezone(UTC)),
        Arc::new(ids),
        text(|record| record.trace_id.as_deref()),
        text(|record| record.span_id.as_deref()),
        Arc::new(parents),
        text(|record| record.agent.as_deref()),
        text(|record| record.session.as_deref()),
        text(|record| record.service.as_deref()),
        text(|record| record.runtime.as_deref()),
        text(|record| record.environment.as_deref()),
        text(|record| record.prompt_id.as_deref()),
        Arc::new(records.iter().map(version).collect::<Int32Array>()),
        text(|record| record.prompt_digest.as_deref()),
        text(|record| record.arm.as_deref()),
        text(|record| record.input_hash.as_deref()),
        text(|record| record.operation.as_deref()),
        text(|record| record.provider.as_deref()),
        text(|record| record.requested_model.as_deref()),
        text(|record| record.responded_model.as_deref()),
        text(|record| record.response_id.as_deref()),
        text(|record| record.fingerprint.as_deref()),
        text(|record| record.service_tier.as_deref()),
        text(|record| record.parameters_hash.as_deref()),
        text(|record| record.tools_hash.as_deref()),
        number(|record| record.latency_ms),
        number(|record| record.time_to_first_token_ms),
        count(|record| record.input_tokens),
        count(|record| record.output_tokens),
        count(|record| record.cached_tokens),
        count(|record| record.cache_write_tokens),
        count(|record| record.reasoning_tokens),
        number(|record| record.cost_usd),
        text(|record| record.price_table.as_deref()),
        text(|record| Some(record.status.as_str())),
        text(|record| record.error_type.as_deref()),
        text(|record| record.finish_reason.as_deref()),
        text(|record| record.label.as_deref()),
        flag(|record| record.valid),
        flag(|record| record.refusal),
        count(|record| record.output_length),
        scores(records)?,
        text(|record| record.stratum.as_deref()),
        text(|record| record.source.as_deref()),
        text(|record| record.input.as_deref()),
        text(|record| record.output.as_deref()),
    ];
    RecordBatch::try_new(schema(), columns)
}

fn scores(records: &[&Invocation]) -> Result<ArrayRef, ArrowError> {
    let names = MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), Float64Builder::new())
        .with_keys_field(score_name())
        .with_values_field(score_value());
    for record in records {
        let mut any = false;
        for (name, score) in record.scores.iter().filter(|(_, score)| score.is_finite()) {
            builder.keys().append_value(name);
            builder.values().append_value(*score);
            any = true;
        }
        builder.append(any)?;
    }
    Ok(Arc::new(builder.finish()))
}

/// Makes records of rows that have the columns of [`schema`].
///
/// # Errors
///
/// When a column is missing, has another type, or holds what is no id, status or time.
pub(crate) fn from_batch(batch: &RecordBatch) -> Result<Vec<Invocation>, LakeError> {
    let columns = Columns(batch);
    let times: &TimestampMicrosecondArray = columns.get("time")?;
    let ids: &StringArray = columns.get("invocation_id")?;
    let statuses: &StringArray = columns.get("status")?;
    let mut records = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let time =
            DateTime::from_timestamp_micros(times.value(row)).ok_or_else(|| unexpected("time", &times.value(row).to_string()))?;
        let mut record = Invocation::new(time, uuid("invocation_id", ids.value(row))?);
        record.status = statuses.value(row).parse().map_err(|_| unexpected("status", statuses.value(row)))?;
        records.push(record);
    }

    columns.text("trace_id", &mut records, |record| &mut record.trace_id)?;
    columns.text("span_id", &mut records, |record| &mut record.span_id)?;
    columns.text("agent", &mut records, |record| &mut record.agent)?;
    columns.text("session", &mut records, |record| &mut record.session)?;
    columns.text("service", &mut records, |record| &mut record.service)?;
    columns.text("runtime", &mut records, |record| &mut record.runtime)?;
    columns.text("environment", &mut records, |record| &mut record.environment)?;
    columns.text("prompt_id", &mut records, |record| &mut record.prompt_id)?;
    columns.text("prompt_digest", &mut records, |record| &mut record.prompt_digest)?;
    columns.text("arm", &mut records, |record| &mut record.arm)?;
    columns.text("input_hash", &mut records, |record| &mut record.input_hash)?;
    columns.text("operation", &mut records, |record| &mut record.operation)?;
    columns.text("provider", &mut records, |record| &mut record.provider)?;
    columns.text("requested_model", &mut records, |record| &mut record.requested_model)?;
    columns.text("responded_model", &mut records, |record| &mut record.responded_model)?;
    columns.text("response_id", &mut records, |record| &mut record.response_id)?;
    columns.text("fingerprint", &mut records, |record| &mut record.fingerprint)?;
    columns.text("service_tier", &mut records, |record| &mut record.service_tier)?;
    columns.text("parameters_hash", &mut records, |record| &mut record.parameters_hash)?;
    columns.text("tools_hash", &mut records, |record| &mut record.tools_hash)?;
    columns.text("price_table", &mut records, |record| &mut record.price_table)?;
    columns.text("error_type", &mut records, |record| &mut record.error_type)?;
    columns.text("finish_reason", &mut records, |record| &mut record.finish_reason)?;
    columns.text("label", &mut records, |record| &mut record.label)?;
    columns.text("stratum", &mut records, |record| &mut record.stratum)?;
    columns.text("source", &mut records, |record| &mut record.source)?;
    columns.text("input", &mut records, |record| &mut record.input)?;
    columns.text("output", &mut records, |record| &mut record.output)?;
    columns.number("latency_ms", &mut records, |record| &mut record.latency_ms)?;
    columns.number("time_to_first_token_ms", &mut records, |record| &mut record.time_to_first_token_ms)?;
    columns.number("cost_usd", &mut records, |record| &mut record.cost_usd)?;
    columns.count("input_tokens", &mut records, |record| &mut record.input_tokens)?;
    columns.count("output_tokens", &mut records, |record| &mut record.output_tokens)?;
    columns.count("cached_tokens", &mut records, |record| &mut record.cached_tokens)?;
    columns.count("cache_write_tokens", &mut records, |record| &mut record.cache_write_tokens)?;
    columns.count("reasoning_tokens", &mut records, |record| &mut record.reasoning_tokens)?;
    columns.count("output_length", &mut records, |record| &mut record.output_length)?;
    columns.flag("valid", &mut records, |record| &mut record.valid)?;
    columns.flag("refusal", &mut records, |record| &mut record.refusal)?;
    let parents: &StringArray = columns.get("parent_invocation")?;
    let versions: &Int32Array = columns.get("prompt_version")?;
    let scores: &MapArray = columns.get("scores")?;
    for (row, record) in records.iter_mut().enumerate() {
        if parents.is_valid(row) {
            record.parent_invocation = Some(uuid("parent_invocation", parents.value(row))?);
        }
        if versions.is_valid(row) {
            let version = versions.value(row);
            record.prompt_version = Some(u32::try_from(version).map_err(|_| unexpected("prompt_version", &version.to_string()))?);
        }
        if scores.is_valid(row) {
            record.scores = score_map(scores, row)?;
        }
    }
    Ok(records)
}

fn score_map(scores: &MapArray, row: usize) -> Result<BTreeMap<String, f64>, LakeError> {
    let entries = scores.value(row);
    let names = entries.column(0).as_any().downcast_ref::<StringArray>();
    let values = entries.column(1).as_any().downcast_ref::<Float64Array>();
    let (Some(names), Some(values)) = (names, values) else {
        return Err(LakeError::Execution("column `scores` is not a map from text to double".to_owned()));
    };
    Ok((0..entries.len()).map(|entry| (names.value(entry).to_owned(), values.value(entry))).collect())
}

fn uuid(column: &str, text: &str) -> Result<Uuid, LakeError> {
    text.parse().map_err(|_| unexpected(column, text))
}

fn unexpected(column: &str, value: &str) -> LakeError {
    LakeError::Execution(format!("column `{column}` of table `{TABLE}` holds an unexpected value, `{value}`"))
}

/// Access to columns by name and type.
pub(crate) struct Columns<'a>(pub(crate) &'a RecordBatch);

impl<'a> Columns<'a> {
    pub(crate) fn get<T: Array + 'static>(&self, name: &str) -> Result<&'a T, LakeError> {
        let column = self.any(name)?.as_any().downcast_ref::<T>();
        column.ok_or_else(|| LakeError::Execution(format!("column `{name}` of table `{TABLE}` is of another type")))
    }

    /// Returns a column of any type.
    pub(crate) fn any(&self, name: &str) -> Result<&'a ArrayRef, LakeError> {
        let column = self.0.column_by_name(name);
        column.ok_or_else(|| LakeError::Execution(format!("column `{name}` of table `{TABLE}` is missing")))
    }

    fn text(
        &self,
        name: &str,
        records: &mut [Invocation],
        field: fn(&mut Invocation) -> &mut Option<String>,
    ) -> Result<(), LakeError> {
        for (record, value) in records.iter_mut().zip(self.get::<StringArray>(name)?) {
            *field(record) = value.map(str::to_owned);
        }
        Ok(())
    }

    fn number(
        &self,
        name: &str,
        records: &mut [Invocation],
        field: fn(&mut Invocation) -> &mut Option<f64>,
    ) -> Result<(), LakeError> {
        for (record, value) in records.iter_mut().zip(self.get::<Float64Array>(name)?) {
            *field(record) = value;
        }
        Ok(())
    }

    fn count(
        &self,
        name: &str,
        records: &mut [Invocation],
        field: fn(&mut Invocation) -> &mut Option<u64>,
    ) -> Result<(), LakeError> {
        for (record, value) in records.iter_mut().zip(self.get::<Int64Array>(name)?) {
            *field(record) = value.and_then(|value| u64::try_from(value).ok());
        }
        Ok(())
    }

    fn flag(
        &self,
        name: &str,
        records: &mut [Invocation],
        field: fn(&mut Invocation) -> &mut Option<bool>,
    ) -> Result<(), LakeError> {
        for (record, value) in records.iter_mut().zip(self.get::<BooleanArray>(name)?) {
            *field(record) = value;
        }
        Ok(())
    }
}
