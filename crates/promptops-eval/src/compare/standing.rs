//! Cases that stood at the base, where others came with the proposal.
//!
//! A loss of ten cases in a hundred is one in a hundred beside nine hundred easy cases. Whoever proposes a version may add cases, so what
//! the base measured by is looked at alone, too. It need not show by itself that there is no loss: cases are often added because
//! the old ones are too few for that.

use super::{Basis, MetricResult, MetricVerdict};
use crate::scorer::Unit;
use crate::spec::{MarginScale, Metric};

/// What a report says where the verdict is that of the cases of the base.
const WAY_OUT: &str = "bring the new cases in a pull request of their own, before the version";

/// Takes back what the cases of the base contradict: a metric that is refused over them alone is refused, and one that is not good
/// enough over them and shows a loss beyond the margin there is inconclusive.
pub(super) fn hold(basis: &Basis<'_>, results: &mut [MetricResult], standing: &[MetricResult]) {
    for (((metric, unit), result), standing) in basis.metrics.iter().zip(basis.units).zip(results).zip(standing) {
        let refuses = standing.verdict.refuses();
        let doubts = standing.verdict == MetricVerdict::Inconclusive && shows_loss_beyond_margin(metric, *unit, standing);
        if standing.verdict <= result.verdict || !(refuses || doubts) {
            continue;
        }
        let why = standing.reason.as_deref().unwrap_or(standing.verdict.as_str());
        result.verdict = standing.verdict;
        result.reason = Some(format!("over the cases of the base alone{}: {why}; {WAY_OUT}", figure(metric, *unit, standing)));
        result.is_worse_within_margin = false;
        result.is_improved = false;
    }
}

fn shows_loss_beyond_margin(metric: &Metric, unit: Unit, result: &MetricResult) -> bool {
    let Some(paired) = result.difference.as_ref().and_then(|difference| difference.paired.as_ref()) else { return false };
    let loss = if unit.less_is_better() { paired.estimate } else { -paired.estimate };
    loss >= metric.margin
}

/// Writes the difference over these cases, and how many they are.
fn figure(metric: &Metric, unit: Unit, result: &MetricResult) -> String {
    let Some(paired) = result.difference.as_ref().and_then(|difference| difference.paired.as_ref()) else { return String::new() };
    let estimate = match (unit, metric.scale) {
        (Unit::Share, MarginScale::Absolute) => format!("{:+.1} points", 100.0 * paired.estimate),
        (_, MarginScale::Ratio) => format!("{:+.1} %", 100.0 * paired.estimate),
        (_, MarginScale::Absolute) => format!("{:+.4}", paired.estimate),
    };
    format!(" ({estimate} of {} cases)", paired.cases)
}
