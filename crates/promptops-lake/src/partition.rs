//! Hours, the files of one hour, and the files that wait for their hours.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use object_store::path::Path;

use crate::schema::TABLE;

/// Name of the folder of what was landed and is not in its hours yet.
pub(crate) const LANDING: &str = "landing";

const HOUR_MICROS: i64 = 3_600_000_000;
/// The hours since 1970 that have a folder: those of the years 1970 to 9999.
const LAST_HOUR: i64 = 70_389_527;

/// One hour of UTC, which is one folder: how many hours it begins after 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition(i64);

impl Partition {
    /// Returns the hour that `time` is in; `None` outside of the years 1970 to 9999, which have no folder.
    pub(crate) fn of(time: DateTime<Utc>) -> Option<Self> {
        Self::of_micros(time.timestamp_micros())
    }

    /// Returns the hour of a time in microseconds since 1970; `None` outside of the years 1970 to 9999.
    pub(crate) fn of_micros(micros: i64) -> Option<Self> {
        let hour = micros.div_euclid(HOUR_MICROS);
        (0..=LAST_HOUR).contains(&hour).then_some(Self(hour))
    }

    /// Returns the hour whose folder a file is in; `None` when it is in none.
    pub(crate) fn of_file(file: &Path) -> Option<Self> {
        let mut parts = file.parts();
        let (table, day, hour) = (parts.next()?, parts.next()?, parts.next()?);
        let day = NaiveDate::parse_from_str(day.as_ref().strip_prefix("day=")?, "%Y-%m-%d").ok()?;
        let hour: u32 = hour.as_ref().strip_prefix("hour=")?.parse().ok()?;
        let time = day.and_hms_opt(hour, 0, 0)?.and_utc();
        (table.as_ref() == TABLE).then(|| Self::of(time))?
    }

    pub(crate) fn folder(self) -> Path {
        Path::from(self.to_string())
    }

    /// Returns the file with this number. Numbers have a fixed width, so that names sort as they do.
    pub(crate) fn file(self, number: u64) -> Path {
        Path::from(format!("{self}/{number:010}.parquet"))
    }

    /// Returns when the hour begins.
    pub(crate) fn start(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0 * HOUR_MICROS).unwrap_or_default()
    }

    /// Returns when the hour is over.
    pub(crate) fn end(self) -> DateTime<Utc> {
        self.start() + TimeDelta::hours(1)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{TABLE}/{}", self.start().format("day=%Y-%m-%d/hour=%H"))
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

/// Returns the file for records that are landed: its name says what is in it.
pub(crate) fn landed_file(content: &[u8]) -> Path {
    let hash = blake3::hash(content).to_hex();
    Path::from(format!("{LANDING}/{}.parquet", &hash[..32]))
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
        assert_eq!(Partition::of_file(&partition.file(7)), Some(partition));
        assert_eq!(partition.end(), "2026-05-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(number_of(&Path::from("invocations/part-00000.parquet")), None);
    }

    #[test]
    fn only_years_of_four_digits_have_folders() {
        let hour = |text: &str| Partition::of(text.parse().unwrap()).map(|hour| hour.to_string());
        assert_eq!(hour("1970-01-01T00:59:59.999999Z").unwrap(), "invocations/day=1970-01-01/hour=00");
        assert_eq!(hour("9999-12-31T23:59:59.999999Z").unwrap(), "invocations/day=9999-12-31/hour=23");
        assert_eq!(hour("1969-12-31T23:59:59.999999Z"), None);
        assert_eq!(Partition::of(DateTime::<Utc>::MAX_UTC), None);
        for path in [
            "invocations/day=2026-05-01/part.parquet",
            "other/day=2026-05-01/hour=01/1.parquet",
            "invocations/day=2026-02-30/hour=01/1.parquet",
            "invocations/day=2026-05-01/hour=24/1.parquet",
        ] {
            assert_eq!(Partition::of_file(&Path::from(path)), None, "{path}");
        }
    }

    #[test]
    fn the_name_of_what_is_landed_says_what_is_in_it() {
        let name = landed_file(b"one");
        assert_eq!(name, landed_file(b"one"));
        assert_ne!(name, landed_file(b"two"));
        assert_eq!(name.as_ref().len(), "landing/.parquet".len() + 32);
    }
}
