//! Rows of a Parquet file.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row as Record};
use serde_json::{Map, Number, Value};

use super::Source;
use super::rows::{Event, Events, Problem, Row};

/// Returns the header and every row, one row group after the other; `line` is the number of the row, from 1.
///
/// # Errors
/// When the file cannot be opened.
pub(super) fn events(source: &Source) -> io::Result<Events> {
    let opened = match source {
        Source::File(path) => ParquetRows::new(SerializedFileReader::new(File::open(path)?)),
        Source::Memory(bytes) => ParquetRows::new(SerializedFileReader::new(Bytes::from_owner(Arc::clone(bytes)))),
        Source::Held(_) => return Ok(Box::new(std::iter::empty())),
    };
    Ok(match opened {
        Ok((header, rows)) => Box::new(std::iter::once(header).chain(rows).map(Ok)),
        Err(error) => {
            let message = format!("the file is not Parquet that can be read: {error}");
            Box::new(std::iter::once(Ok(Event::Problem(Problem::new(1, 0..0, message)))))
        }
    })
}

struct ParquetRows {
    records: RowIter<'static>,
    number: u64,
    has_ended: bool,
}

impl ParquetRows {
    fn new<R: parquet::file::reader::ChunkReader + 'static>(
        reader: Result<SerializedFileReader<R>, ParquetError>,
    ) -> Result<(Event, Self), ParquetError> {
        let reader = reader?;
        let fields = reader.metadata().file_metadata().schema().get_fields();
        let names = fields.iter().map(|field| field.name().to_owned()).collect();
        let records = RowIter::from_file_into(Box::new(reader));
        Ok((Event::Header { names, span: 0..0 }, Self { records, number: 0, has_ended: false }))
    }
}

impl Iterator for ParquetRows {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.has_ended {
            return None;
        }
        let record = self.records.next()?;
        self.number += 1;
        Some(match record.map_err(|error| error.to_string()).and_then(|record| values(&record)) {
            Ok(values) => Event::Row(Row { line: self.number, span: 0..0, values }),
            Err(message) => {
                // Whatever follows a row that cannot be decoded cannot be trusted.
                self.has_ended = true;
                Event::Problem(Problem::new(self.number, 0..0, format!("the row cannot be read: {message}")))
            }
        })
    }
}

fn values(record: &Record) -> Result<Map<String, Value>, String> {
    record.get_column_iter().map(|(name, field)| Ok((name.clone(), value(name, field)?))).collect()
}

/// Returns a field as JSON. Numbers that JSON does not have become texts, times RFC 3339.
fn value(name: &str, field: &Field) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => Value::Bool(*truth),
        Field::Byte(number) => (*number).into(),
        Field::Short(number) => (*number).into(),
        Field::Int(number) => (*number).into(),
        Field::Long(number) => (*number).into(),
        Field::UByte(number) => (*number).into(),
        Field::UShort(number) => (*number).into(),
        Field::UInt(number) => (*number).into(),
        Field::ULong(number) => (*number).into(),
        Field::Float16(number) => float(f64::from(*number)),
        // Through its text, so that 0.1 stays 0.1.
        Field::Float(number) => float(number.to_string().parse().unwrap_or(f64::NAN)),
        Field::Double(number) => float(*number),
        Field::Str(text) => Value::String(text.clone()),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => return Err(format!("column `{name}` has bytes that are no text")),
        },
        Field::TimestampMillis(time) => timestamp(time.checked_mul(1000)),
        Field::TimestampMicros(time) => timestamp(Some(*time)),
        Field::Date(_) | Field::TimeMillis(_) | Field::TimeMicros(_) | Field::Decimal(_) => Value::String(field.to_string()),
        Field::Group(record) => Value::Object(values(record)?),
        Field::ListInternal(list) => {
            Value::Array(list.elements().iter().map(|item| value(name, item)).collect::<Result<_, _>>()?)
        }
        Field::MapInternal(map) => {
            let entry = |(key, item): &(Field, Field)| {
                let key = match value(name, key)? {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                Ok::<_, String>((key, value(name, item)?))
            };
            Value::Object(map.entries().iter().map(entry).collect::<Result<_, _>>()?)
        }
    })
}

fn float(number: f64) -> Value {
    Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
}

fn timestamp(microseconds: Option<i64>) -> Value {
    let time = microseconds.and_then(chrono::DateTime::from_timestamp_micros);
    time.map_or(Value::Null, |time| Value::String(time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::dataset::{Columns, Dataset, DatasetError, Format};

    fn read(source: Source, weight: Option<&str>) -> Result<Dataset, Vec<String>> {
        let columns = Columns {
            case: Some("id".into()),
            must_pass: Some("critical".into()),
            weight: weight.map(str::to_owned),
            ..Columns::default()
        };
        Dataset::read("d.parquet", Format::Parquet, source, &columns).map_err(|error| match error {
            DatasetError::Findings(findings) => findings.into_iter().map(|finding| finding.message).collect(),
            other => vec![other.to_string()],
        })
    }

    /// `tests/data/make_parquet.py` writes it.
    fn file() -> Source {
        Source::File(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases.parquet"))
    }

    #[test]
    fn what_pyarrow_writes_is_a_dataset() {
        let dataset = read(file(), None).unwrap();
        let heads: Vec<_> = dataset.heads.iter().map(|head| (head.name, head.line, head.must_pass)).collect();
        assert_eq!(heads, [("a".to_owned(), 1, true), ("b".to_owned(), 2, false), ("c".to_owned(), 3, false)]);
        assert_eq!(dataset.columns, ["id", "message", "critical", "traffic", "n", "price", "tags", "order", "at"]);
        let rows: Vec<_> = dataset.rows().collect::<Result<_, _>>().unwrap();
        let expected = json!({
            "id": "a", "message": "my invoice\nis wrong", "critical": true, "traffic": 2.5, "n": 1, "price": 0.1,
            "tags": ["x", "y"], "order": {"id": 7, "open": true}, "at": "2026-05-01T12:00:00.250Z",
        });
        assert_eq!(Value::Object(rows[0].values.clone()), expected);
        assert_eq!((&rows[2].values["message"], &rows[2].values["tags"]), (&Value::Null, &Value::Null));
        let Source::File(path) = file() else { panic!("a file") };
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(dataset.digest, promptops_prompt::Digest::of(&bytes));
        assert_eq!(read(Source::of_bytes(&bytes), None).unwrap().heads, dataset.heads);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_number_of_the_row() {
        let found = read(file(), Some("traffic")).unwrap_err();
        assert_eq!(found, ["row 3: column `traffic` is no weight: `NaN` (a weight is a positive number)"]);
        assert_eq!(read(file(), Some("weight")).unwrap_err().len(), 1);
        let Source::File(path) = file() else { panic!("a file") };
        let bytes = std::fs::read(path).unwrap();
        for broken in [b"id\na\n".as_slice(), b"", &bytes[..bytes.len() / 2]] {
            let found = read(Source::of_bytes(broken), None).unwrap_err();
            assert!(found[0].starts_with("row 1: the file is not Parquet that can be read: "), "{found:?}");
        }
        // Pages that do not decode.
        let mut damaged = bytes;
        damaged[4..200].fill(0xff);
        let found = read(Source::of_bytes(damaged), None).unwrap_err();
        assert!(found[0].contains("cannot be read"), "{found:?}");
    }
}
