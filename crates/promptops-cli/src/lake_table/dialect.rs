//! What engines say differently.

use promptops_telemetry::columns::ColumnType;

/// The SQL of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Amazon Athena: Hive's statements for tables, Trino's for queries.
    Athena,
    /// Trino.
    Trino,
    /// Spark, as in AWS Glue.
    Spark,
}

impl Dialect {
    /// Writes a text.
    pub fn text(self, value: &str) -> String {
        match self {
            Self::Athena | Self::Trino => format!("'{}'", value.replace('\'', "''")),
            // Two quotes would end one text and begin the next.
            Self::Spark => format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")),
        }
    }

    /// Names the type of a column.
    pub fn column_type(self, holds: ColumnType) -> &'static str {
        match (self, holds) {
            // Trino's own default; with `hive.timestamp-precision` it reads microseconds.
            (Self::Trino, ColumnType::Time) => "timestamp(3)",
            (_, ColumnType::Time) => "timestamp",
            (Self::Trino, ColumnType::Text) => "varchar",
            (_, ColumnType::Text) => "string",
            (Self::Trino, ColumnType::Version) => "integer",
            (_, ColumnType::Version) => "int",
            (_, ColumnType::Count) => "bigint",
            (_, ColumnType::Number) => "double",
            (_, ColumnType::Truth) => "boolean",
            (Self::Trino, ColumnType::Scores) => "map(varchar, double)",
            (_, ColumnType::Scores) => "map<string,double>",
        }
    }

    /// Writes a percentile of the values that are known: exact in Spark, estimated elsewhere.
    pub fn percentile(self, value: &str, share: f64) -> String {
        match self {
            Self::Athena | Self::Trino => format!("approx_percentile({value}, {share})"),
            Self::Spark => format!("percentile({value}, {share})"),
        }
    }

    /// Writes the moment so many hours ago, UTC, as the column `time` is.
    pub fn hours_ago(self, hours: u32) -> String {
        match self {
            // Without the cast `time` would be taken for a time of the session's zone.
            Self::Athena | Self::Trino => {
                format!("CAST(current_timestamp AT TIME ZONE 'UTC' - INTERVAL '{hours}' HOUR AS timestamp)")
            }
            Self::Spark => format!("current_timestamp() - INTERVAL {hours} HOURS"),
        }
    }

    /// Writes the day so many days ago, UTC, as the column `day` is.
    pub fn days_ago(self, days: u32) -> String {
        match self {
            Self::Athena | Self::Trino => {
                format!("date_format(current_timestamp AT TIME ZONE 'UTC' - INTERVAL '{days}' DAY, '%Y-%m-%d')")
            }
            Self::Spark => format!(
                "date_format(to_utc_timestamp(current_timestamp() - INTERVAL {days} DAYS, current_timezone()), 'yyyy-MM-dd')"
            ),
        }
    }

    /// Writes what makes a row of each score, with the columns `score` and `value`.
    pub fn each_score(self) -> &'static str {
        match self {
            Self::Athena | Self::Trino => "CROSS JOIN UNNEST(scores) AS each_score (score, value)",
            Self::Spark => "LATERAL VIEW explode(scores) each_score AS score, value",
        }
    }

    /// Begins a statement that makes a view.
    pub fn create_view(self) -> &'static str {
        match self {
            Self::Athena | Self::Trino => "CREATE OR REPLACE VIEW",
            Self::Spark => "CREATE OR REPLACE TEMPORARY VIEW",
        }
    }
}
