//! Times on the command line: a moment in UTC, or how long ago.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// A moment, or a span back from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeArgument {
    /// `2026-11-01`, `2026-11-01T03:00Z`, `2026-11-01T03:00:00+01:00`; without a zone UTC is meant.
    At(DateTime<Utc>),
    /// `30m`, `24h`, `7d`, `4w` ago.
    Ago(TimeDelta),
}

impl TimeArgument {
    /// Returns the moment.
    pub fn resolve(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(time) => time,
            // Before the beginning of time there is nothing to leave out.
            Self::Ago(span) => now.checked_sub_signed(span).unwrap_or(DateTime::<Utc>::MIN_UTC),
        }
    }
}

impl FromStr for TimeArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(span) = span(text) {
            return Ok(Self::Ago(span));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.to_utc()));
        }
        let without_zone = text.trim_end_matches('Z');
        let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];
        if let Some(time) = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(without_zone, format).ok()) {
            return Ok(Self::At(time.and_utc()));
        }
        match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(day) => Ok(Self::At(day.and_time(chrono::NaiveTime::MIN).and_utc())),
            Err(_) => {
                Err("write a time as `2026-11-01T03:00Z` or `2026-11-01` (UTC), or how long ago as `24h` or `7d`".to_owned())
            }
        }
    }
}

fn span(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last()?;
    let count: i64 = text[..text.len() - unit.len_utf8()].parse().ok().filter(|count| *count >= 0)?;
    match unit {
        'm' => TimeDelta::try_minutes(count),
        'h' => TimeDelta::try_hours(count),
        'd' => TimeDelta::try_days(count),
        'w' => TimeDelta::try_weeks(count),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_moments_and_spans() {
        let at = |text: &str| match text.parse() {
            Ok(TimeArgument::At(time)) => time.to_rfc3339(),
            other => format!("{other:?}"),
        };
        assert_eq!(at("2026-11-01"), "2026-11-01T00:00:00+00:00");
        assert_eq!(at("2026-11-01T03:00Z"), "2026-11-01T03:00:00+00:00");
        assert_eq!(at("2026-11-01T03:00:30+01:00"), "2026-11-01T02:00:30+00:00");
        assert_eq!("7d".parse(), Ok(TimeArgument::Ago(TimeDelta::days(7))));
        assert_eq!(
            "90000000000d".parse().map(|time: TimeArgument| time.resolve(DateTime::UNIX_EPOCH)),
            Ok(DateTime::<Utc>::MIN_UTC)
        );
        for bad in ["", "d", "9000000000000000000w", "-1d", "7y", "yesterday", "2026-13-01", "1é"] {
            assert!(bad.parse::<TimeArgument>().is_err(), "{bad}");
        }
    }
}
