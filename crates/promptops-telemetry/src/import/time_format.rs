//! Times as foreign files write them.

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::quoted;

/// How a column writes its times, and which offset holds where it does not say.
#[derive(Debug, Clone)]
pub(super) struct TimeFormat {
    notation: Notation,
    offset: FixedOffset,
}

#[derive(Debug, Clone)]
enum Notation {
    /// RFC 3339, `YYYY-MM-DD HH:MM:SS`, or a plain date.
    Iso,
    /// Units since 1970-01-01 UTC; how many make a second.
    Epoch { per_second: f64 },
    /// A strftime pattern.
    Pattern(String),
}

impl TimeFormat {
    /// Compiles `format` (absent: ISO 8601) and `utc_offset` (absent: `+00:00`), or says what is wrong with them.
    pub(super) fn new(format: Option<&str>, utc_offset: Option<&str>) -> Result<Self, String> {
        let notation = match format {
            None => Notation::Iso,
            Some("unix") => Notation::Epoch { per_second: 1.0 },
            Some("unix_ms") => Notation::Epoch { per_second: 1000.0 },
            Some(pattern) => {
                if StrftimeItems::new(pattern).any(|item| matches!(item, Item::Error)) || !pattern.contains('%') {
                    return Err(format!(
                        "the time format {} is neither `unix`, `unix_ms` nor a strftime pattern",
                        quoted(pattern)
                    ));
                }
                Notation::Pattern(pattern.to_owned())
            }
        };
        let offset = match utc_offset {
            None => FixedOffset::east_opt(0).expect("zero is a valid offset"),
            Some(text) => text.parse().map_err(|_| format!("`utc_offset` is like `+02:00`, not {}", quoted(text)))?,
        };
        Ok(Self { notation, offset })
    }

    /// Reads a time; a plain date is its midnight, a time without an offset is in `utc_offset`.
    pub(super) fn parse(&self, text: &str) -> Option<DateTime<Utc>> {
        let text = text.trim();
        let time = match &self.notation {
            Notation::Iso => DateTime::parse_from_rfc3339(text)
                .map(|time| time.to_utc())
                .ok()
                .or_else(|| self.local(NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()))
                .or_else(|| self.local(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()))
                .or_else(|| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z").ok().map(|time| time.to_utc()))
                .or_else(|| self.date(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())),
            Notation::Epoch { per_second } => epoch(text, *per_second),
            Notation::Pattern(pattern) => DateTime::parse_from_str(text, pattern)
                .map(|time| time.to_utc())
                .ok()
                .or_else(|| self.local(NaiveDateTime::parse_from_str(text, pattern).ok()))
                .or_else(|| self.date(NaiveDate::parse_from_str(text, pattern).ok())),
        };
        time.filter(is_plausible)
    }

    fn local(&self, time: Option<NaiveDateTime>) -> Option<DateTime<Utc>> {
        time?.and_local_timezone(self.offset).single().map(|time| time.to_utc())
    }

    fn date(&self, date: Option<NaiveDate>) -> Option<DateTime<Utc>> {
        self.local(date.map(|date| date.and_time(NaiveTime::MIN)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, and `is_plausible` refuses what is left")]
fn epoch(text: &str, per_second: f64) -> Option<DateTime<Utc>> {
    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    DateTime::from_timestamp_micros((number * (1e6 / per_second)).round() as i64)
}

/// Four-digit years only: everything else is a unit or a format mistaken for another.
fn is_plausible(time: &DateTime<Utc>) -> bool {
    use chrono::Datelike as _;
    (1970..=9999).contains(&time.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Option<&str>, utc_offset: Option<&str>, text: &str) -> Option<String> {
        let format = TimeFormat::new(format, utc_offset).unwrap();
        format.parse(text).map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }

    #[test]
    fn iso_notations() {
        for (text, expected) in [
            ("2026-05-01T12:00:00Z", "2026-05-01T12:00:00Z"),
            ("2026-05-01T12:00:00.5+02:00", "2026-05-01T10:00:00.500Z"),
            ("2026-05-01T12:00:00", "2026-05-01T12:00:00Z"),
            ("2026-05-01 12:00:00.25", "2026-05-01T12:00:00.250Z"),
            ("2026-05-01 12:00:00+00:00", "2026-05-01T12:00:00Z"),
            (" 2026-05-01 ", "2026-05-01T00:00:00Z"),
        ] {
            assert_eq!(read(None, None, text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(read(None, Some("+02:00"), "2026-05-01").as_deref(), Some("2026-04-30T22:00:00Z"));
        assert_eq!(read(None, Some("+02:00"), "2026-05-01T12:00:00Z").as_deref(), Some("2026-05-01T12:00:00Z"));
    }

    #[test]
    fn patterns_and_epochs() {
        assert_eq!(read(Some("%m/%d/%Y, %H:%M:%S"), None, "07/26/2023, 21:03:32").as_deref(), Some("2023-07-26T21:03:32Z"));
        assert_eq!(read(Some("%Y%m%d"), None, "20230716").as_deref(), Some("2023-07-16T00:00:00Z"));
        assert_eq!(read(Some("%d.%m.%Y %H:%M %z"), None, "01.05.2026 12:00 +0200").as_deref(), Some("2026-05-01T10:00:00Z"));
        assert_eq!(read(Some("unix"), None, "1777636800.5").as_deref(), Some("2026-05-01T12:00:00.500Z"));
        assert_eq!(read(Some("unix_ms"), None, "1777636800500").as_deref(), Some("2026-05-01T12:00:00.500Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "soon", "2026-13-01", "2026-02-30T00:00:00Z", "0001-01-01"] {
            assert_eq!(read(None, None, text), None, "{text}");
        }
        assert_eq!(read(Some("unix"), None, "1777636800500"), None, "milliseconds read as seconds");
        assert_eq!(read(Some("unix"), None, "1e300"), None);
        assert_eq!(read(Some("unix"), None, "NaN"), None);
    }

    #[test]
    fn bad_formats_are_refused() {
        for pattern in ["%Q", "seconds", "%"] {
            assert!(TimeFormat::new(Some(pattern), None).is_err(), "{pattern}");
        }
        assert!(TimeFormat::new(None, Some("Berlin")).is_err());
    }
}
