//! The answer of a question, batch by batch, so that it need not lie in memory.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::csv::WriterBuilder as CsvWriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{LineDelimited, WriterBuilder as JsonWriterBuilder};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::error::LakeError;
use crate::lake::Lake;

/// Rows that a statement asks for, while they are found.
///
/// At most some batches of rows are in memory; sorting and grouping spill to the disk beyond [`Lake::with_memory_limit`].
pub struct Answer {
    pub(crate) lake: Lake,
    pub(crate) batches: SendableRecordBatchStream,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerColumn {
    /// Its name.
    pub name: String,
    /// Whether its values are numbers.
    pub is_number: bool,
}

/// The form in which rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// CSV with a header row; null is empty, times are RFC 3339 in UTC, lists and maps are JSON.
    Csv,
    /// One JSON object on each line; null members are left out, times are RFC 3339 in UTC.
    JsonLines,
    /// One Parquet file, compressed with zstd.
    Parquet,
}

impl Answer {
    /// Returns the columns.
    #[must_use]
    pub fn columns(&self) -> Vec<AnswerColumn> {
        let column = |field: &Arc<Field>| AnswerColumn { name: field.name().clone(), is_number: field.data_type().is_numeric() };
        self.batches.schema().fields().iter().map(column).collect()
    }

    /// Returns the next rows as texts, `None` for null; nothing after the last.
    ///
    /// # Errors
    ///
    /// [`LakeError::Corrupt`] with the file that cannot be read; otherwise as the store fails.
    pub async fn next_texts(&mut self) -> Result<Option<Vec<Vec<Option<String>>>>, LakeError> {
        let Some(batch) = self.next().await? else { return Ok(None) };
        texts(&batch).map(Some).map_err(|error| LakeError::Execution(error.to_string()))
    }

    /// Writes all rows, each batch when it is found, and returns how many there were.
    ///
    /// # Errors
    ///
    /// [`LakeError::Output`] when `output` fails, after which nothing more is read; otherwise as [`Answer::next_texts`].
    pub async fn write(self, format: RowFormat, output: impl Write + Send) -> Result<u64, LakeError> {
        match format {
            RowFormat::Csv => self.write_csv(output).await,
            RowFormat::JsonLines => self.write_json_lines(output).await,
            RowFormat::Parquet => self.write_parquet(output).await,
        }
    }

    async fn write_csv(mut self, mut output: impl Write) -> Result<u64, LakeError> {
        let head = flat(&RecordBatch::new_empty(self.batches.schema()))?;
        output.write_all(&csv(&head, true)?).map_err(LakeError::Output)?;
        let mut count = 0;
        while let Some(batch) = self.next().await? {
            output.write_all(&csv(&flat(&batch)?, false)?).map_err(LakeError::Output)?;
            count += batch.num_rows() as u64;
        }
        output.flush().map_err(LakeError::Output)?;
        Ok(count)
    }

    async fn write_json_lines(mut self, mut output: impl Write) -> Result<u64, LakeError> {
        let mut count = 0;
        while let Some(batch) = self.next().await? {
            output.write_all(&json_lines(&batch, false)?).map_err(LakeError::Output)?;
            count += batch.num_rows() as u64;
        }
        output.flush().map_err(LakeError::Output)?;
        Ok(count)
    }

    async fn write_parquet(mut self, output: impl Write + Send) -> Result<u64, LakeError> {
        let level = ZstdLevel::try_new(3).expect("3 is a level of zstd");
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let mut writer = ArrowWriter::try_new(output, self.batches.schema(), Some(properties)).map_err(parquet)?;
        let mut count = 0;
        while let Some(batch) = self.next().await? {
            writer.write(&batch).map_err(parquet)?;
            count += batch.num_rows() as u64;
        }
        writer.close().map_err(parquet)?;
        Ok(count)
    }

    /// Returns the next batch that has rows.
    async fn next(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        loop {
            match self.batches.next().await {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => return Ok(Some(batch)),
                Some(Err(error)) => return Err(self.lake.explain(error).await),
                None => return Ok(None),
            }
        }
    }
}

fn texts(batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>, ArrowError> {
    let options = FormatOptions::default().with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let columns: Vec<(&ArrayRef, ArrayFormatter<'_>)> = batch
        .columns()
        .iter()
        .map(|column| Ok((column, ArrayFormatter::try_new(column.as_ref(), &options)?)))
        .collect::<Result<_, ArrowError>>()?;
    let cell = |(column, texts): &(&ArrayRef, ArrayFormatter<'_>), row| match column.is_null(row) {
        true => Ok(None),
        false => texts.value(row).try_to_string().map(Some),
    };
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| cell(column, row)).collect()).collect()
}

fn csv(batch: &RecordBatch, with_header: bool) -> Result<Vec<u8>, LakeError> {
    let mut bytes = Vec::new();
    let mut writer = CsvWriterBuilder::new().with_header(with_header).build(&mut bytes);
    writer.write(batch).map_err(written)?;
    drop(writer);
    Ok(bytes)
}

fn json_lines(batch: &RecordBatch, with_nulls: bool) -> Result<Vec<u8>, LakeError> {
    let mut writer = JsonWriterBuilder::new().with_explicit_nulls(with_nulls).build::<_, LineDelimited>(Vec::new());
    writer.write(batch).and_then(|()| writer.finish()).map_err(written)?;
    Ok(writer.into_inner())
}

/// Writes lists, maps and structures as JSON, which a cell of CSV has room for.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let schema: SchemaRef = batch.schema();
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            fields.push(Field::new(field.name(), DataType::Utf8, true));
            columns.push(Arc::new(json_texts(column)?) as ArrayRef);
        } else {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(written)
}

fn json_texts(column: &ArrayRef) -> Result<StringArray, LakeError> {
    const BEGIN: &str = "{\"v\":";
    let field = Field::new("v", column.data_type().clone(), true);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::clone(column)]).map_err(written)?;
    let lines = json_lines(&batch, true)?;
    let lines = String::from_utf8_lossy(&lines);
    let values = lines.lines().enumerate().map(|(row, line)| {
        let value = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix('}')).unwrap_or(line);
        column.is_valid(row).then_some(value)
    });
    Ok(values.collect())
}

fn written(error: ArrowError) -> LakeError {
    LakeError::Execution(error.to_string())
}

fn parquet(error: ParquetError) -> LakeError {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => LakeError::Output(*error),
            Err(other) => LakeError::Execution(other.to_string()),
        },
        other => LakeError::Execution(other.to_string()),
    }
}
