//! How each kind of signal is measured: shares, means, medians.

use promptops_stats::{
    ClusteredShare, Divergence, Interval, MeanEstimate, Proportion, SortedSample, StatsError, divergence, hybrid_difference,
    mean_difference, newcombe, newcombe_clustered, quantile_difference, wilson_clustered,
};

use crate::column::Column;
use crate::comparison::{Method, Shortage, Side, SignalName};
use crate::options::Options;

/// Computes the interval of a difference at a level.
pub(crate) type IntervalAt = Box<dyn Fn(f64) -> Result<Interval, StatsError>>;

/// Holds a signal before it is decided what counts as changed.
pub(crate) struct Measured {
    pub(crate) name: SignalName,
    pub(crate) baseline: Side,
    pub(crate) current: Side,
    pub(crate) divergence: Option<Divergence>,
    pub(crate) evidence: Evidence,
}

/// Holds what a signal's data allow to say.
pub(crate) enum Evidence {
    /// Too little to test.
    Insufficient(Shortage),
    /// Each window holds one value only.
    Constant { p_value: f64 },
    /// An interval for every level; wider levels give wider intervals.
    Interval { method: Method, at: IntervalAt },
}

/// Measures a share, in rows that number at least `min_rows` in each window.
pub(crate) fn share(
    name: SignalName,
    baseline: &Column<bool>,
    current: &Column<bool>,
    min_rows: usize,
    options: &Options,
) -> Result<Measured, StatsError> {
    let counts = |column: &Column<bool>| {
        let successes = column.values.iter().filter(|success| **success).count() as u64;
        [column.values.len() as u64 - successes, successes]
    };
    let side = |column: &Column<bool>| {
        let [failures, successes] = counts(column);
        let value = (failures + successes > 0).then(|| successes as f64 / (failures + successes) as f64);
        column.side(value)
    };
    let (first, second) = (side(baseline), side(current));
    let divergence = match (first.rows, second.rows) {
        (0, _) | (_, 0) => None,
        _ => Some(divergence(&counts(baseline), &counts(current))?),
    };
    let evidence = if let Some(shortage) = shortage(baseline, current, min_rows, options) {
        Evidence::Insufficient(shortage)
    } else if baseline.shares_units() || current.shares_units() {
        let of = |column: &Column<bool>| ClusteredShare::of(&column.values, &column.units);
        let (first, second) = (of(baseline)?, of(current)?);
        let at = Box::new(move |level| newcombe_clustered(&first, &second, level));
        Evidence::Interval { method: Method::NewcombeClustered, at }
    } else {
        let of = |column: &Column<bool>| {
            let [failures, successes] = counts(column);
            Proportion::new(successes, failures + successes)
        };
        let (first, second) = (of(baseline)?, of(current)?);
        Evidence::Interval { method: Method::Newcombe, at: Box::new(move |level| newcombe(first, second, level)) }
    };
    Ok(Measured { name, baseline: first, current: second, divergence, evidence })
}

/// Measures a mean.
pub(crate) fn mean(
    name: SignalName,
    baseline: &Column<f64>,
    current: &Column<f64>,
    options: &Options,
) -> Result<Measured, StatsError> {
    let side = |column: &Column<f64>| {
        let count = column.values.len();
        column.side((count > 0).then(|| column.values.iter().sum::<f64>() / count as f64))
    };
    let (mut first_side, mut second_side) = (side(baseline), side(current));
    let evidence = if let Some(shortage) = shortage(baseline, current, options.min_rows, options) {
        Evidence::Insufficient(shortage)
    } else {
        let clustered = baseline.shares_units() || current.shares_units();
        let of = |column: &Column<f64>| {
            if clustered { MeanEstimate::of_clusters(&column.values, &column.units) } else { MeanEstimate::of(&column.values) }
        };
        let (first, second) = (of(baseline)?, of(current)?);
        // The estimate's mean is exact for equal values, where a rounded sum is not.
        (first_side.value, second_side.value) = (Some(first.mean), Some(second.mean));
        if first.standard_error == 0.0 && second.standard_error == 0.0 {
            let p_value = constant_p_value(&first, &second);
            Evidence::Constant { p_value }
        } else {
            let method = if clustered { Method::WelchClustered } else { Method::Welch };
            Evidence::Interval { method, at: Box::new(move |level| mean_difference(&first, &second, level)) }
        }
    };
    let divergence = decile_divergence(baseline, current)?;
    Ok(Measured { name, baseline: first_side, current: second_side, divergence, evidence })
}

/// Measures a median.
pub(crate) fn median(
    name: SignalName,
    baseline: &Column<f64>,
    current: &Column<f64>,
    options: &Options,
) -> Result<Measured, StatsError> {
    let side = |column: &Column<f64>| match SortedSample::new(column.values.clone()) {
        Ok(sample) => column.side(sample.quantile(0.5).ok()),
        Err(_) => column.side(None),
    };
    let evidence = if let Some(shortage) = shortage(baseline, current, options.min_rows, options) {
        Evidence::Insufficient(shortage)
    } else if baseline.shares_units() || current.shares_units() {
        let (first, second) = (ClusteredMedian::of(baseline)?, ClusteredMedian::of(current)?);
        let at = Box::new(move |level| {
            let (low, high) = (first.interval(level)?, second.interval(level)?);
            Ok(hybrid_difference((first.median, &low), (second.median, &high)))
        });
        Evidence::Interval { method: Method::Woodruff, at }
    } else {
        let of = |column: &Column<f64>| SortedSample::new(column.values.clone());
        let (first, second) = (of(baseline)?, of(current)?);
        let at = Box::new(move |level| quantile_difference(&first, &second, 0.5, level));
        Evidence::Interval { method: Method::OrderStatistics, at }
    };
    let divergence = decile_divergence(baseline, current)?;
    Ok(Measured { name, baseline: side(baseline), current: side(current), divergence, evidence })
}

/// Holds a median of rows that share units.
struct ClusteredMedian {
    sample: SortedSample,
    median: f64,
    /// One half, with the effective number of rows that the share at or below the median has.
    half: ClusteredShare,
}

impl ClusteredMedian {
    fn of(column: &Column<f64>) -> Result<Self, StatsError> {
        let sample = SortedSample::new(column.values.clone())?;
        let median = sample.quantile(0.5)?;
        let below: Vec<bool> = column.values.iter().map(|value| *value <= median).collect();
        let share = ClusteredShare::of(&below, &column.units)?;
        let half = ClusteredShare { proportion: Proportion::new(1, 2)?, ..share };
        Ok(Self { sample, median, half })
    }

    /// Returns Woodruff's interval: limits of one half, read off the sample.
    fn interval(&self, level: f64) -> Result<Interval, StatsError> {
        let limits = wilson_clustered(&self.half, level)?;
        Ok(self.sample.interval_of_share(limits.low, limits.high, level))
    }
}

/// Returns what is missing for a test, if anything is.
fn shortage<T>(baseline: &Column<T>, current: &Column<T>, needed: usize, options: &Options) -> Option<Shortage> {
    if baseline.values.len().min(current.values.len()) < needed {
        return Some(Shortage::Rows { needed });
    }
    let shared = baseline.shares_units() || current.shares_units();
    let needed = options.min_units;
    (shared && baseline.distinct.min(current.distinct) < needed).then_some(Shortage::Units { needed })
}

/// Returns the probability, if units were dealt to the windows at random, that one value fills one and another the other.
///
/// That is 2 of all `C(u0+u1, u0)` ways to deal them; 1 where the constants are equal.
fn constant_p_value(baseline: &MeanEstimate, current: &MeanEstimate) -> f64 {
    if baseline.mean == current.mean {
        return 1.0;
    }
    let (fewer, more) = (baseline.units.min(current.units), baseline.units.max(current.units));
    let ways: f64 = (1..=fewer).map(|unit| ((more + unit) as f64 / unit as f64).ln()).sum();
    (2.0 * (-ways).exp()).min(1.0)
}

/// Computes the distance between the values in ten bins, cut at the baseline's deciles.
fn decile_divergence(baseline: &Column<f64>, current: &Column<f64>) -> Result<Option<Divergence>, StatsError> {
    if baseline.values.is_empty() || current.values.is_empty() {
        return Ok(None);
    }
    let sample = SortedSample::new(baseline.values.clone())?;
    let mut cuts = Vec::new();
    for decile in 1..10_u32 {
        cuts.push(sample.quantile(f64::from(decile) / 10.0)?);
    }
    cuts.dedup();
    let counts = |column: &Column<f64>| {
        let mut bins = vec![0_u64; cuts.len() + 1];
        for value in &column.values {
            bins[cuts.partition_point(|cut| cut < value)] += 1;
        }
        bins
    };
    divergence(&counts(baseline), &counts(current)).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column<T>(values: Vec<T>, per_unit: usize) -> Column<T> {
        let units: Vec<u32> = (0..values.len()).map(|row| (row / per_unit) as u32).collect();
        Column { distinct: values.len().div_ceil(per_unit), values, units, missing: 3 }
    }

    fn method(measured: &Measured) -> Method {
        match &measured.evidence {
            Evidence::Interval { method, .. } => *method,
            Evidence::Constant { .. } => Method::Constant,
            Evidence::Insufficient(shortage) => panic!("insufficient: {shortage:?}"),
        }
    }

    fn spread(count: usize) -> Vec<f64> {
        (0..count).map(|row| (row * 7919 % 101) as f64).collect()
    }

    #[test]
    fn shared_units_choose_the_clustered_method() {
        let options = Options::default();
        let (alone, shared) = (column(spread(90), 1), column(spread(90), 3));
        let name = || SignalName::Cost;
        assert_eq!(method(&mean(name(), &alone, &alone, &options).unwrap()), Method::Welch);
        assert_eq!(method(&mean(name(), &alone, &shared, &options).unwrap()), Method::WelchClustered);
        assert_eq!(method(&median(name(), &alone, &alone, &options).unwrap()), Method::OrderStatistics);
        assert_eq!(method(&median(name(), &shared, &alone, &options).unwrap()), Method::Woodruff);
        let flags = |per_unit| column(spread(90).iter().map(|value| *value > 50.0).collect(), per_unit);
        let measured = share(name(), &flags(1), &flags(1), 30, &options).unwrap();
        assert_eq!(method(&measured), Method::Newcombe);
        assert_eq!((measured.baseline.rows, measured.baseline.missing), (90, 3));
        let measured = share(name(), &flags(3), &flags(1), 30, &options).unwrap();
        assert_eq!((method(&measured), measured.baseline.units), (Method::NewcombeClustered, 30));
    }

    #[test]
    fn few_sessions_are_too_few_however_many_rows() {
        let (alone, shared) = (column(spread(900), 1), column(spread(900), 100));
        let measured = mean(SignalName::Cost, &alone, &shared, &Options::default()).unwrap();
        assert!(matches!(measured.evidence, Evidence::Insufficient(Shortage::Units { needed: 10 })));
        let few = column(spread(29), 1);
        let measured = median(SignalName::Cost, &alone, &few, &Options::default()).unwrap();
        assert!(matches!(measured.evidence, Evidence::Insufficient(Shortage::Rows { needed: 30 })));
        assert!(measured.current.value.is_some());
    }

    #[test]
    fn constants_are_compared_by_permutation() {
        let constant = |value: f64| column(vec![value; 40], 1);
        let p_value = |measured: Measured| match measured.evidence {
            Evidence::Constant { p_value } => p_value,
            _ => panic!("not constant"),
        };
        let options = Options::default();
        let same = mean(SignalName::Cost, &constant(0.003), &constant(0.003), &options).unwrap();
        assert_eq!(p_value(same), 1.0);
        let other = mean(SignalName::Cost, &constant(0.003), &constant(0.004), &options).unwrap();
        assert_eq!((other.baseline.value, other.current.value), (Some(0.003), Some(0.004)));
        // C(80, 40) is 1.075e23.
        assert!((p_value(other) * 1.075e23 - 2.0).abs() < 0.01);
    }

    #[test]
    fn a_median_of_sessions_is_less_sure_than_one_of_rows() {
        let copies = |per_unit: usize| -> Vec<f64> { (0..300).map(|row| (row / per_unit * 37 % 100) as f64).collect() };
        let width = |per_unit: usize| {
            let (first, second) = (column(copies(per_unit), per_unit), column(copies(per_unit), per_unit));
            let measured = median(SignalName::LatencyMedian, &first, &second, &Options::default()).unwrap();
            let Evidence::Interval { at, .. } = measured.evidence else { panic!("no interval") };
            let interval = at(0.95).unwrap();
            assert!(interval.contains(0.0));
            interval.width()
        };
        assert!(width(5) > 1.5 * width(1));
    }
}
