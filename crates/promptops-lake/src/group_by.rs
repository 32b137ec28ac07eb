//! What records of one group have in common.

use chrono::{DateTime, Datelike as _, Days, DurationRound as _, Months, NaiveTime, TimeDelta, Utc};
use datafusion::functions::datetime::expr_fn::date_trunc;
use datafusion::prelude::{Expr, col, lit};

use crate::filter::model;
use crate::owners::{self, PromptOwners};

/// What records of one group have in common. Times are UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupBy {
    /// The prompt's id.
    Prompt,
    /// The prompt's version.
    Version,
    /// The owner of the prompt's version, as [`crate::Lake::with_owners`] was told; records do not have it.
    Owner,
    /// The side of a rollout that the prompt was loaded for.
    Arm,
    /// The model that answered where it is known, else the one that was asked.
    Model,
    /// The provider that was called.
    Provider,
    /// The kind of the call.
    Operation,
    /// The tier that the provider served the call in.
    Tier,
    /// The service that made the call.
    Service,
    /// The kind of process that made the call.
    Runtime,
    /// The agent that made the call.
    Agent,
    /// The conversation or job.
    Session,
    /// The environment.
    Environment,
    /// How the call ended: `ok` or `error`.
    Status,
    /// The kind of the error.
    Error,
    /// Why the model stopped.
    Finish,
    /// The label that the output chose.
    Label,
    /// The group of comparable inputs.
    Stratum,
    /// The import file or SDK that the record came from.
    Source,
    /// The minute, as `2026-05-01T08:15`.
    Minute,
    /// The hour, as `2026-05-01T08`.
    Hour,
    /// The day, as `2026-05-01`.
    Day,
    /// The week, by its Monday.
    Week,
    /// The month, as `2026-05`.
    Month,
}

/// How the values of a group are kept while records are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Time,
}

impl GroupBy {
    /// Every way to group, in the order of the documentation.
    pub const ALL: [Self; 24] = [
        Self::Prompt,
        Self::Version,
        Self::Owner,
        Self::Arm,
        Self::Model,
        Self::Provider,
        Self::Operation,
        Self::Tier,
        Self::Service,
        Self::Runtime,
        Self::Agent,
        Self::Session,
        Self::Environment,
        Self::Status,
        Self::Error,
        Self::Finish,
        Self::Label,
        Self::Stratum,
        Self::Source,
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
    ];

    /// Returns the name that users write, such as `prompt`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Version => "version",
            Self::Owner => "owner",
            Self::Arm => "arm",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Operation => "operation",
            Self::Tier => "tier",
            Self::Service => "service",
            Self::Runtime => "runtime",
            Self::Agent => "agent",
            Self::Session => "session",
            Self::Environment => "environment",
            Self::Status => "status",
            Self::Error => "error",
            Self::Finish => "finish",
            Self::Label => "label",
            Self::Stratum => "stratum",
            Self::Source => "source",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// Tells whether groups follow one another in time.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Minute | Self::Hour | Self::Day | Self::Week | Self::Month)
    }

    /// Returns the names of the groups of time between two moments, those of both included; none for what is no time.
    pub fn times_between(self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = String> {
        let day = |time: DateTime<Utc>| time.with_time(NaiveTime::MIN).single();
        let unit = match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Hour => TimeDelta::hours(1),
            Self::Week => TimeDelta::weeks(1),
            _ => TimeDelta::days(1),
        };
        let begin = match self {
            Self::Minute | Self::Hour => from.duration_trunc(unit).ok(),
            Self::Week => day(from).and_then(|day| day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into()))),
            Self::Month => day(from).and_then(|day| day.with_day(1)),
            Self::Day => day(from),
            _ => None,
        };
        let next = move |time: &DateTime<Utc>| match self {
            Self::Month => time.checked_add_months(Months::new(1)),
            _ => time.checked_add_signed(unit),
        };
        let format = self.format();
        let times = std::iter::successors(begin, next).take_while(move |time| *time <= to);
        times.map(move |time| time.format(format).to_string())
    }

    const fn format(self) -> &'static str {
        match self {
            Self::Minute => "%Y-%m-%dT%H:%M",
            Self::Hour => "%Y-%m-%dT%H",
            Self::Month => "%Y-%m",
            _ => "%Y-%m-%d",
        }
    }

    pub(crate) fn column(self, owners: &PromptOwners) -> Expr {
        let begin = |unit: &str| date_trunc(lit(unit), col("time"));
        match self {
            Self::Prompt => col("prompt_id"),
            Self::Version => col("prompt_version"),
            Self::Owner => owners::function(owners).call(vec![col("prompt_id"), col("prompt_version")]),
            Self::Model => model(),
            Self::Tier => col("service_tier"),
            Self::Error => col("error_type"),
            Self::Finish => col("finish_reason"),
            Self::Minute => begin("minute"),
            Self::Hour => begin("hour"),
            Self::Week => begin("week"),
            Self::Month => begin("month"),
            Self::Arm
            | Self::Provider
            | Self::Operation
            | Self::Service
            | Self::Runtime
            | Self::Agent
            | Self::Session
            | Self::Environment
            | Self::Status
            | Self::Label
            | Self::Stratum
            | Self::Source
            | Self::Day => col(self.as_str()),
        }
    }

    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Version => Kind::Number,
            Self::Minute | Self::Hour | Self::Week | Self::Month => Kind::Time,
            _ => Kind::Text,
        }
    }

    /// Writes a value of [`Kind::Number`] or, in microseconds since 1970, of [`Kind::Time`].
    pub(crate) fn text(self, value: i64) -> String {
        match self.kind() {
            Kind::Time => DateTime::from_timestamp_micros(value).unwrap_or_default().format(self.format()).to_string(),
            Kind::Number | Kind::Text => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_groups_are_distinct() {
        let names: std::collections::BTreeSet<&str> = GroupBy::ALL.iter().map(|group| group.as_str()).collect();
        assert_eq!(names.len(), GroupBy::ALL.len());
    }

    #[test]
    fn times_are_written_as_far_as_they_are_the_same() {
        let time = DateTime::parse_from_rfc3339("2026-05-04T08:15:00Z").unwrap().timestamp_micros();
        let written = [GroupBy::Minute, GroupBy::Hour, GroupBy::Week, GroupBy::Month].map(|group| group.text(time));
        assert_eq!(written, ["2026-05-04T08:15", "2026-05-04T08", "2026-05-04", "2026-05"]);
        assert_eq!(GroupBy::Version.text(12), "12");
    }

    #[test]
    fn times_between_two_moments_leave_none_out() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let between =
            |group: GroupBy, from: &str, to: &str| group.times_between(time(from), time(to)).collect::<Vec<_>>().join(" ");
        assert_eq!(
            between(GroupBy::Hour, "2026-05-01T22:59:00Z", "2026-05-02T00:00:00Z"),
            "2026-05-01T22 2026-05-01T23 2026-05-02T00"
        );
        assert_eq!(between(GroupBy::Minute, "2026-05-01T22:58:59Z", "2026-05-01T22:59:00Z"), "2026-05-01T22:58 2026-05-01T22:59");
        assert_eq!(between(GroupBy::Day, "2026-02-28T23:00:00Z", "2026-03-01T00:00:00Z"), "2026-02-28 2026-03-01");
        assert_eq!(between(GroupBy::Week, "2026-05-06T08:00:00Z", "2026-05-12T08:00:00Z"), "2026-05-04 2026-05-11");
        assert_eq!(between(GroupBy::Month, "2025-12-31T08:00:00Z", "2026-02-01T00:00:00Z"), "2025-12 2026-01 2026-02");
        assert_eq!(between(GroupBy::Day, "2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z"), "");
        assert_eq!(between(GroupBy::Model, "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"), "");
    }
}
