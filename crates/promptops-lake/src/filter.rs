//! Which records are wanted.

use chrono::{DateTime, Utc};
use datafusion::prelude::{Expr, col, lit};
use datafusion::scalar::ScalarValue;
use promptops_telemetry::Status;

use crate::group_by::GroupBy;
use crate::owners::PromptOwners;
use crate::partition::day;
use crate::schema::UTC;

/// Chooses records; each field that is set must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this prompt.
    pub prompt_id: Option<String>,
    /// Only this version.
    pub prompt_version: Option<u32>,
    /// Only prompts of this owner, as [`crate::Lake::with_owners`] was told.
    pub owner: Option<String>,
    /// Only this side of a rollout.
    pub arm: Option<String>,
    /// Only records that ended like this.
    pub status: Option<Status>,
    /// Only this label.
    pub label: Option<String>,
    /// Only this conversation or job.
    pub session: Option<String>,
    /// Only this trace.
    pub trace_id: Option<String>,
    /// Only this environment.
    pub environment: Option<String>,
    /// Only this service.
    pub service: Option<String>,
    /// Only this model: the one that answered where it is known, else the one that was asked.
    pub model: Option<String>,
    /// Only at or after this time, UTC.
    pub since: Option<DateTime<Utc>>,
    /// Only before this time, UTC.
    pub until: Option<DateTime<Utc>>,
}

impl Filter {
    /// Returns the condition; `None` when every record fits.
    pub(crate) fn condition(&self, owners: &PromptOwners) -> Option<Expr> {
        let text = |expression: Expr, value: &Option<String>| value.clone().map(|value| expression.eq(lit(value)));
        let conditions = [
            text(col("prompt_id"), &self.prompt_id),
            self.prompt_version.map(|version| col("prompt_version").eq(lit(i64::from(version)))),
            self.owner.as_ref().map(|owner| GroupBy::Owner.column(owners).eq(lit(owner))),
            text(col("arm"), &self.arm),
            self.status.map(|status| col("status").eq(lit(status.as_str()))),
            text(col("label"), &self.label),
            text(col("session"), &self.session),
            text(col("trace_id"), &self.trace_id),
            text(col("environment"), &self.environment),
            text(col("service"), &self.service),
            text(model(), &self.model),
            // The conditions on the day say nothing new; they spare opening the files of other days.
            self.since.map(|since| col("time").gt_eq(time(since)).and(col("day").gt_eq(lit(day(since))))),
            self.until.map(|until| col("time").lt(time(until)).and(col("day").lt_eq(lit(day(until))))),
        ];
        conditions.into_iter().flatten().reduce(Expr::and)
    }
}

/// The model that answered where it is known, else the one that was asked.
pub(crate) fn model() -> Expr {
    datafusion::prelude::coalesce(vec![col("responded_model"), col("requested_model")])
}

fn time(time: DateTime<Utc>) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(time.timestamp_micros()), Some(UTC.into())))
}
