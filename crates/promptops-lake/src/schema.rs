//! The columns of the table.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
pub use promptops_telemetry::columns::TABLE;
use promptops_telemetry::columns::{COLUMNS, Column, ColumnType};

/// Time zone of all times.
pub(crate) const UTC: &str = "UTC";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let field = |column: &Column| Field::new(column.name, data_type(column.holds), !column.is_always_known());
    Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<Field>>()))
});

fn data_type(holds: ColumnType) -> DataType {
    match holds {
        ColumnType::Time => timestamp(),
        ColumnType::Text => DataType::Utf8,
        ColumnType::Version => DataType::Int32,
        ColumnType::Count => DataType::Int64,
        ColumnType::Number => DataType::Float64,
        ColumnType::Truth => DataType::Boolean,
        ColumnType::Scores => DataType::Map(Arc::new(entries()), false),
    }
}

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

/// Returns the same columns with texts as views: a reader of a file takes them from its dictionary without copying each.
pub(crate) fn schema_of_views() -> SchemaRef {
    static VIEWS: LazyLock<SchemaRef> = LazyLock::new(|| {
        let view = |field: &Arc<Field>| match field.data_type() {
            DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
            _ => Arc::clone(field),
        };
        Arc::new(Schema::new(SCHEMA.fields().iter().map(view).collect::<Fields>()))
    });
    Arc::clone(&VIEWS)
}
