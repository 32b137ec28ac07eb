//! Comparing two windows of invocations.

use std::collections::BTreeSet;

use promptops_stats::{SortedSample, StatsError};
use promptops_telemetry::{Invocation, Status};

use crate::column::{Column, Rows};
use crate::comparison::{Comparison, DriftError, SignalName, Window, WindowName};
use crate::family::decide;
use crate::labels::{any_other, frequent, label_divergence};
use crate::ledger::ledger;
use crate::measure::{Measured, mean, median, share};
use crate::options::Options;

/// Compares two windows of invocations, signal by signal.
///
/// The caller chooses what is comparable, usually one prompt in one environment, and sees to it that the windows do not
/// overlap. Rows are independent of each other unless they share a session; then sessions are the units, with standard errors
/// robust to what happens inside them. Signals about answers look at answered calls only ([`Status::Ok`]).
///
/// * **Shares** (errors, validity, refusals, labels, slow calls): Newcombe's interval.
/// * **Means** (length, tokens, cost, scores): Welch's interval. A score that is 0 or 1 on every row is a share.
/// * **Labels**: one signal for each label expected at least five times in the smaller window, the most frequent
///   [`Options::max_labels`] of them; the rest together are [`SignalName::OtherLabels`].
/// * **Slow calls**: the share above the baseline's own quantile, whose error is that of a share among the baseline's rows.
/// * **Median latency**: order statistics.
///
/// Which signals count as changed is decided for all together, by Holm's procedure. The result is a function of the
/// arguments: nothing is drawn at random. Time grows with `rows · ln(rows)`.
///
/// # Errors
/// [`DriftError::EmptyWindow`] when a window has no rows; the other variants when an option is out of range.
pub fn compare(baseline: &[Invocation], current: &[Invocation], options: &Options) -> Result<Comparison, DriftError> {
    options.check()?;
    let pair = Pair { baseline: Rows::new(baseline), current: Rows::new(current), options };
    let (first, second) =
        (window(baseline, &pair.baseline, WindowName::Baseline)?, window(current, &pair.current, WindowName::Current)?);

    let mut measured = pair.outcomes()?;
    let labels = pair.labels()?;
    measured.extend(labels.signals);
    measured.extend(pair.sizes()?);
    let latency = pair.latency()?;
    measured.extend(latency.signals);
    measured.extend(pair.scores(baseline, current)?);

    let (signals, tested) = decide(measured, options.alpha)?;
    Ok(Comparison {
        baseline: first,
        current: second,
        alpha: options.alpha,
        tested,
        signals,
        slow_above_ms: latency.slow_above_ms,
        label_divergence: labels.divergence,
        ledger: ledger(baseline, current),
    })
}

fn window(invocations: &[Invocation], rows: &Rows<'_>, name: WindowName) -> Result<Window, DriftError> {
    let times = invocations.iter().map(|invocation| invocation.time);
    let (Some(first), Some(last)) = (times.clone().min(), times.max()) else {
        return Err(DriftError::EmptyWindow(name));
    };
    Ok(Window { rows: invocations.len(), units: rows.units(), first, last })
}

/// Holds both windows while their signals are measured.
struct Pair<'a> {
    baseline: Rows<'a>,
    current: Rows<'a>,
    options: &'a Options,
}

struct Labels {
    signals: Vec<Measured>,
    divergence: Option<promptops_stats::Divergence>,
}

struct Latency {
    signals: Vec<Measured>,
    slow_above_ms: Option<f64>,
}

impl<'a> Pair<'a> {
    fn share(&self, name: SignalName, columns: &[Column<bool>; 2]) -> Result<Measured, StatsError> {
        share(name, &columns[0], &columns[1], self.options.min_rows, self.options)
    }

    fn mean(&self, name: SignalName, read: impl Fn(&'a Invocation) -> Option<f64> + Copy) -> Result<Measured, StatsError> {
        mean(name, &self.baseline.numbers(read), &self.current.numbers(read), self.options)
    }

    fn answered<T>(&self, read: impl Fn(&'a Invocation) -> Option<T> + Copy) -> [Column<T>; 2] {
        [self.baseline.answered(read), self.current.answered(read)]
    }

    fn outcomes(&self) -> Result<Vec<Measured>, StatsError> {
        let failed = |invocation: &Invocation| Some(invocation.status == Status::Error);
        Ok(vec![
            self.share(SignalName::ErrorShare, &[self.baseline.all(failed), self.current.all(failed)])?,
            self.share(SignalName::ValidShare, &self.answered(|invocation| invocation.valid))?,
            self.share(SignalName::RefusalShare, &self.answered(|invocation| invocation.refusal))?,
        ])
    }

    fn labels(&self) -> Result<Labels, StatsError> {
        let [baseline, current] = self.answered(|invocation| invocation.label.as_deref());
        let chosen = frequent(&baseline, &current, self.options.max_labels);
        let mut signals = Vec::new();
        for label in &chosen {
            let has = |column: &Column<&str>| column.map(|other| other == label);
            signals.push(self.share(SignalName::Label((*label).to_owned()), &[has(&baseline), has(&current)])?);
        }
        if any_other(&baseline, &chosen) || any_other(&current, &chosen) {
            let other = |column: &Column<&str>| column.map(|label| !chosen.contains(label));
            signals.push(self.share(SignalName::OtherLabels, &[other(&baseline), other(&current)])?);
        }
        Ok(Labels { signals, divergence: label_divergence(&baseline, &current, &chosen)? })
    }

    fn sizes(&self) -> Result<Vec<Measured>, StatsError> {
        let count = |value: Option<u64>| value.map(|value| value as f64);
        Ok(vec![
            self.mean(SignalName::OutputLength, |invocation| count(invocation.output_length))?,
            self.mean(SignalName::InputTokens, |invocation| count(invocation.input_tokens))?,
            self.mean(SignalName::OutputTokens, |invocation| count(invocation.output_tokens))?,
            self.mean(SignalName::Cost, |invocation| invocation.cost_usd)?,
        ])
    }

    fn latency(&self) -> Result<Latency, StatsError> {
        let read = |invocation: &Invocation| invocation.latency_ms;
        let (baseline, current) = (self.baseline.numbers(read), self.current.numbers(read));
        let slow_above_ms = match SortedSample::new(baseline.values.clone()) {
            Ok(sample) => Some(sample.quantile(self.options.latency_quantile)?),
            Err(_) => None,
        };
        let bound = slow_above_ms.unwrap_or(f64::INFINITY);
        let slow = |column: &Column<f64>| column.map(|latency| *latency > bound);
        let mut tail =
            share(SignalName::SlowShare, &slow(&baseline), &slow(&current), self.options.min_tail_rows(), self.options)?;
        if slow_above_ms.is_none() {
            // Without a bound no call is slow or not.
            (tail.current.value, tail.divergence) = (None, None);
        }
        let middle = median(SignalName::LatencyMedian, &baseline, &current, self.options)?;
        Ok(Latency { signals: vec![tail, middle], slow_above_ms })
    }

    fn scores(&self, baseline: &'a [Invocation], current: &'a [Invocation]) -> Result<Vec<Measured>, StatsError> {
        let names: BTreeSet<&str> =
            baseline.iter().chain(current).flat_map(|invocation| invocation.scores.keys().map(String::as_str)).collect();
        let mut signals = Vec::new();
        for name in names {
            let read = |invocation: &Invocation| invocation.scores.get(name).copied();
            let columns = [self.baseline.numbers(read), self.current.numbers(read)];
            let binary = columns.iter().flat_map(|column| &column.values).all(|value| *value == 0.0 || *value == 1.0);
            let name = SignalName::Score(name.to_owned());
            signals.push(if binary {
                self.share(name, &columns.map(|column| column.map(|value| *value == 1.0)))?
            } else {
                mean(name, &columns[0], &columns[1], self.options)?
            });
        }
        Ok(signals)
    }
}
