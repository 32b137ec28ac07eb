//! Which signals count as changed, when all are asked at once.

use promptops_stats::{Interval, StatsError};

use crate::comparison::{Method, Outcome, Signal};
use crate::measure::{Evidence, IntervalAt, Measured};

/// Smallest p-value that is told apart; the distributions behind the intervals are no truer than that anyway.
const SMALLEST_P: f64 = 1e-12;

/// Decides by Holm's procedure and returns the signals in the order given, with the number that were tested.
///
/// With `k` signals undecided, each whose interval at level `1 - alpha / k` excludes zero is changed and leaves; this
/// repeats until none does. A changed signal keeps the interval at which it left, the others get theirs at the last
/// level, so that an interval excludes zero if and only if its signal is called changed. Holm's theorem bounds the probability
/// of any false call by `alpha`, whatever the dependence between signals. Each interval covers at its own level; all
/// of them together are sure to do so at `1 - alpha` only when no signal is called changed.
pub(crate) fn decide(measured: Vec<Measured>, alpha: f64) -> Result<(Vec<Signal>, usize), StatsError> {
    let tested = measured.iter().filter(|signal| !matches!(signal.evidence, Evidence::Insufficient(_))).count();
    let mut signals = Vec::with_capacity(measured.len());
    for signal in &measured {
        signals.push(undecided(signal)?);
    }
    let mut open: Vec<usize> =
        (0..measured.len()).filter(|index| !matches!(measured[*index].evidence, Evidence::Insufficient(_))).collect();
    loop {
        // A smaller share could not be told from none: its level would round to 1.
        let share = (alpha / open.len().max(1) as f64).max(SMALLEST_P);
        let mut still_open = Vec::new();
        for index in &open {
            let signal = &mut signals[*index];
            let changed = match &measured[*index].evidence {
                Evidence::Insufficient(_) => false,
                Evidence::Constant { p_value } => *p_value <= share,
                Evidence::Interval { at, .. } => {
                    let interval = at(1.0 - share)?;
                    signal.interval = Some(interval);
                    !interval.contains(0.0)
                }
            };
            if changed {
                signal.outcome = Outcome::Changed;
            } else {
                still_open.push(*index);
            }
        }
        if still_open.len() == open.len() {
            return Ok((signals, tested));
        }
        open = still_open;
    }
}

/// Describes a signal before anything is decided.
fn undecided(measured: &Measured) -> Result<Signal, StatsError> {
    let (method, p_value, outcome) = match &measured.evidence {
        Evidence::Insufficient(shortage) => (None, None, Outcome::Insufficient(*shortage)),
        Evidence::Constant { p_value } => (Some(Method::Constant), Some(p_value.max(SMALLEST_P)), Outcome::NotShown),
        Evidence::Interval { method, at } => (Some(*method), Some(p_value(at)?), Outcome::NotShown),
    };
    let difference = match (measured.baseline.value, measured.current.value) {
        (Some(baseline), Some(current)) => Some(current - baseline),
        _ => None,
    };
    Ok(Signal {
        name: measured.name.clone(),
        baseline: measured.baseline,
        current: measured.current,
        difference,
        interval: None,
        p_value,
        outcome,
        method,
        divergence: measured.divergence,
    })
}

/// Inverts the interval: the smallest `alpha` at which it excludes zero, by bisection on the logarithm, to five digits.
///
/// For the reader only; the decision asks the interval itself.
fn p_value(at: &IntervalAt) -> Result<f64, StatsError> {
    let excludes = |alpha: f64| -> Result<bool, StatsError> {
        let interval: Interval = at(1.0 - alpha)?;
        Ok(!interval.contains(0.0))
    };
    if excludes(SMALLEST_P)? {
        return Ok(SMALLEST_P);
    }
    let (mut low, mut high) = (SMALLEST_P.ln(), 0.0);
    // Halving the 28 units of the logarithm this often leaves five digits.
    for _ in 0..22 {
        let middle = 0.5 * (low + high);
        if excludes(f64::exp(middle))? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(f64::exp(high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::{Shortage, Side, SignalName};

    /// A signal whose interval has a reach of `-ln(1 - level)`, so that its p-value is `exp(-|difference|)`.
    fn signal(difference: f64) -> Measured {
        let at: IntervalAt = Box::new(move |level: f64| {
            let reach = -(1.0 - level).ln();
            Ok(Interval { low: difference - reach, high: difference + reach, level })
        });
        of(difference, Evidence::Interval { method: Method::Welch, at })
    }

    fn of(difference: f64, evidence: Evidence) -> Measured {
        let side = |value| Side { rows: 50, missing: 0, units: 50, value: Some(value) };
        let (baseline, current) = (side(0.0), side(difference));
        Measured { name: SignalName::Cost, baseline, current, divergence: None, evidence }
    }

    fn difference_at(p: f64) -> f64 {
        -f64::ln(p)
    }

    #[test]
    fn holm_steps_through_the_family() {
        // With four tested: .012 < .05/4, .016 < .05/3, .03 > .05/2. Bonferroni would call the first only.
        let measured = vec![
            signal(difference_at(0.3)),
            signal(-difference_at(0.012)),
            of(1.0, Evidence::Insufficient(Shortage::Rows { needed: 30 })),
            signal(difference_at(0.016)),
            signal(difference_at(0.03)),
        ];
        let (signals, tested) = decide(measured, 0.05).unwrap();
        assert_eq!(tested, 4);
        let changed: Vec<bool> = signals.iter().map(|signal| signal.outcome == Outcome::Changed).collect();
        assert_eq!(changed, [false, true, false, true, false]);
        let level = |index: usize| signals[index].interval.unwrap().level;
        assert!((level(1) - (1.0 - 0.05 / 4.0)).abs() < 1e-12);
        assert!((level(3) - (1.0 - 0.05 / 3.0)).abs() < 1e-12);
        assert!((level(0) - (1.0 - 0.05 / 2.0)).abs() < 1e-12 && level(0) == level(4));
        assert!(signals[2].interval.is_none() && signals[2].p_value.is_none());
        for signal in signals.iter().filter(|signal| signal.interval.is_some()) {
            let excludes = !signal.interval.unwrap().contains(0.0);
            assert_eq!(excludes, signal.outcome == Outcome::Changed);
        }
        assert!((signals[1].p_value.unwrap() - 0.012).abs() < 1e-6);
        assert!((signals[0].p_value.unwrap() - 0.3).abs() < 1e-5);
    }

    #[test]
    fn constants_that_differ_are_changed_without_an_interval() {
        let measured = vec![of(0.001, Evidence::Constant { p_value: 1e-23 }), of(0.0, Evidence::Constant { p_value: 1.0 })];
        let (signals, _) = decide(measured, 0.05).unwrap();
        assert_eq!((signals[0].outcome, signals[0].interval, signals[0].p_value), (Outcome::Changed, None, Some(1e-12)));
        assert_eq!((signals[1].outcome, signals[1].interval), (Outcome::NotShown, None));
    }

    #[test]
    fn an_empty_family_is_decided() {
        assert_eq!(decide(vec![], 0.05).unwrap(), (vec![], 0));
    }
}
