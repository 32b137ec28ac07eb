//! Hours, and the files of one hour.

use std::fmt;

use chrono::{DateTime, Datelike, Timelike, Utc};
use object_store::path::Path;

use crate::schema::TABLE;

/// One hour of UTC, which is one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Partition {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
}

impl Partition {
    /// Returns the hour that `time` is in; `None` outside of the years 1970 to 9999, which have no folder.
    pub(crate) fn of(time: DateTime<Utc>) -> Option<Self> {
        (1970..=9999).contains(&time.year()).then(|| Self {
            year: time.year(),
            month: time.month(),
            day: time.day(),
            hour: time.hour(),
        })
    }

    pub(crate) fn folder(self) -> Path {
        Path::from(self.to_string())
    }

    /// Returns the file with this number. Numbers have a fixed width, so that names sort as they do.
    pub(crate) fn file(self, number: u64) -> Path {
        Path::from(format!("{self}/{number:010}.parquet"))
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour } = self;
        write!(formatter, "{TABLE}/day={year:04}-{month:02}-{day:02}/hour={hour:02}")
    }
}

/// Returns the number of a file that [`Partition::file`] named; files of other tools have none.
pub(crate) fn number_of(file: &Path) -> Option<u64> {
    file.filename()?.strip_suffix(".parquet")?.parse().ok()
}

/// Formats the value of the `day` column.
pub(crate) fn day(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_utc_hours() {
        let time: DateTime<Utc> = "2026-05-01T01:30:00+02:00".parse().unwrap();
        let partition = Partition::of(time).unwrap();
        assert_eq!(partition.to_string(), "invocations/day=2026-04-30/hour=23");
        assert_eq!(partition.file(7).as_ref(), "invocations/day=2026-04-30/hour=23/0000000007.parquet");
        assert_eq!(number_of(&partition.file(7)), Some(7));
        assert_eq!(number_of(&Path::from("invocations/part-00000.parquet")), None);
        assert_eq!(Partition::of(DateTime::<Utc>::MAX_UTC), None);
    }
}
