//! Reports: what an evaluation found, as a document with a version.

mod corrected;
pub mod v1;

use std::collections::BTreeMap;

use promptops_prompt::Digest;
use promptops_stats::{Interval, PairedComparison, SortedSample};
use serde_json::{Map, Value, json};

use crate::client::decode;
use crate::compare::slices::SliceResult;
use crate::compare::{self, MetricResult, MetricVerdict};
use crate::dataset::{Case, Dataset, inputs};
use crate::error::EvalError;
use crate::evaluate::{Evaluation, Prepared};
use crate::recording::{Key, Recording};
use crate::run::{CaseResult, Run};
use crate::scorer::Unit;
use crate::scorer::label::Confusion;
use crate::spec::MarginScale;
use crate::subject::Subject;

/// Cases that changed and are listed; of a large dataset more than a reader can look at.
pub const MOST_FLIPS: usize = 1000;
/// Cases that must pass, do not, and are listed.
pub const MOST_FAILURES: usize = 1000;

/// Writes down what an evaluation found. The same answers give the same report, however they were come by.
///
/// # Errors
/// [`EvalError::Dataset`], [`EvalError::RecordingFile`]: inputs and answers of the cases that changed are read again.
pub fn build(
    prepared: &Prepared<'_>,
    candidate: &Subject,
    parent: Option<&Subject>,
    evaluation: &Evaluation,
    recording: &Recording,
) -> Result<v1::Report, EvalError> {
    let builder = Builder { prepared, evaluation, recording, scorers: prepared.scorers_digest() };
    let parent_side = evaluation.parent.as_ref().zip(parent).map(|(run, subject)| builder.side(subject, run)).transpose()?;
    let results = evaluation.comparison.metrics.iter().enumerate();
    let metrics: Vec<v1::Metric> = results.map(|(index, result)| builder.metric(index, result)).collect::<Result<_, _>>()?;
    let must_pass = builder.must_pass()?;
    let (flips, more_flips) = builder.flips(candidate, parent)?;
    let reasons = reasons(&metrics, &must_pass, evaluation);
    Ok(v1::Report {
        format: v1::FORMAT.to_owned(),
        eval: prepared.spec.path.clone(),
        verdict: evaluation.comparison.verdict.as_str().to_owned(),
        reasons,
        // Where half of the error rate went into looking, what is shown at the end has the other half.
        level: if evaluation.looks.is_some() { 1.0 - compare::ALPHA } else { 1.0 - 2.0 * compare::ALPHA },
        alarm: compare::ALARM,
        power: compare::POWER,
        dataset: v1::Dataset {
            path: prepared.dataset.path.clone(),
            digest: prepared.dataset.digest,
            cases: prepared.dataset.len() as u64,
            repeats: prepared.spec.repeats,
        },
        scorers: builder.scorers,
        candidate: builder.side(candidate, &evaluation.candidate)?,
        parent: parent_side,
        slices: builder.slices(),
        warnings: builder.warnings(&metrics),
        metrics,
        errors: v1::Errors {
            candidate: evaluation.comparison.errors.candidate,
            parent: evaluation.comparison.errors.parent,
            share: rounded(evaluation.comparison.errors.share),
            allowed: prepared.spec.max_error_share,
        },
        early_stop: evaluation.looks.as_ref().map(|looks| v1::EarlyStop {
            stopped: looks.has_stopped,
            cases: looks.cases as u64,
            of_cases: looks.of_cases as u64,
        }),
        must_pass,
        flips,
        more_flips,
        prices: None,
    })
}

/// Says why the version does not pass: first what refuses it, then what is open.
fn reasons(metrics: &[v1::Metric], must_pass: &v1::MustPass, evaluation: &Evaluation) -> Vec<String> {
    let said = |verdicts: &[MetricVerdict]| -> Vec<String> {
        let is_one = |metric: &&v1::Metric| verdicts.iter().any(|verdict| verdict.as_str() == metric.verdict);
        metrics.iter().filter(is_one).map(v1::Metric::sentence).collect()
    };
    let mut reasons: Vec<String> = evaluation.comparison.too_many_errors.iter().cloned().collect();
    reasons.extend(said(&[MetricVerdict::Regressed, MetricVerdict::BelowMinimum, MetricVerdict::AboveMaximum]));
    if !must_pass.failed.is_empty() {
        let names: Vec<String> = must_pass.failed.iter().take(5).map(|case| format!("`{}`", case.case)).collect();
        let failed = must_pass.failures();
        let more = failed - names.len() as u64;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let count = format!("{failed} of {}", must_pass.cases);
        reasons.push(format!("{count} cases that must pass fail: {}{more}", names.join(", ")));
    }
    reasons.extend(said(&[MetricVerdict::Inconclusive, MetricVerdict::NoBaseline]));
    reasons.extend(evaluation.parent_is_incomparable.clone());
    reasons
}

struct Builder<'a> {
    prepared: &'a Prepared<'a>,
    evaluation: &'a Evaluation,
    recording: &'a Recording,
    scorers: Digest,
}

impl Builder<'_> {
    fn side(&self, subject: &Subject, run: &Run) -> Result<v1::Side, EvalError> {
        let answered = &run.told.answered_by;
        let models: Vec<&str> = answered.keys().map(|(model, _)| model.as_str()).collect();
        let parameters = subject.parameters_digest();
        let dataset = self.prepared.dataset.digest;
        let key = json!([dataset, self.scorers, self.prepared.spec.repeats, subject.content.model, models, parameters]);
        Ok(v1::Side {
            prompt: subject.reference.clone(),
            digest: subject.digest,
            model: subject.content.model.clone(),
            answered_by: answered.iter().map(answered_by).collect(),
            parameters,
            comparability_key: Digest::of_json(&key),
            totals: totals(run)?,
        })
    }

    fn metric(&self, index: usize, result: &MetricResult) -> Result<v1::Metric, EvalError> {
        let metric = &self.prepared.spec.metrics[index];
        let paired = result.difference.as_ref().and_then(|difference| difference.paired);
        Ok(v1::Metric {
            name: metric.name.value.clone(),
            verdict: result.verdict.as_str().to_owned(),
            reason: result.reason.clone(),
            unit: self.prepared.scorers[index].unit(),
            guarded: metric.guarded,
            margin: metric.margin,
            margin_scale: match metric.scale {
                MarginScale::Absolute => v1::Scale::Absolute,
                MarginScale::Ratio => v1::Scale::Ratio,
            },
            minimum: metric.minimum,
            maximum: metric.maximum,
            improved: result.is_improved,
            worse_within_margin: result.is_worse_within_margin,
            candidate: value(&result.candidate),
            parent: result.difference.as_ref().map(|difference| value(&difference.parent)),
            difference: paired.as_ref().map(|paired| difference(paired, self.prepared.scorers[index].unit())),
            minimum_detectable_effect: result.difference.and_then(|difference| difference.minimum_detectable).map(rounded),
            p_worse: result.difference.map(|difference| rounded(difference.p_worse)),
            p_worse_adjusted: result.difference.map(|difference| rounded(difference.p_worse_adjusted)),
            p_exact: result.difference.and_then(|difference| difference.p_exact).map(rounded),
            labels: self.labels(index)?,
            judge: self.judge(index, result)?,
        })
    }

    fn slices(&self) -> Vec<v1::Slice> {
        let slice = |result: &SliceResult| {
            let slice = &self.evaluation.slices[result.slice];
            v1::Slice {
                column: slice.column.clone(),
                value: slice.value.clone(),
                metric: self.name(result.metric),
                difference: difference(&result.paired, self.prepared.scorers[result.metric].unit()),
                minimum_detectable_effect: result.minimum_detectable.map(rounded),
                p_worse_adjusted: rounded(result.p_worse_adjusted),
                worse: result.is_worse,
            }
        };
        self.evaluation.comparison.slices.iter().map(slice).collect()
    }

    fn warnings(&self, metrics: &[v1::Metric]) -> Vec<String> {
        let within = metrics.iter().filter(|metric| metric.guarded && metric.worse_within_margin);
        let mut warnings: Vec<String> = within.map(v1::Metric::sentence).collect();
        for slice in self.slices().iter().filter(|slice| slice.worse) {
            let Some(metric) = metrics.iter().find(|metric| metric.name == slice.metric) else { continue };
            warnings.push(format!(
                "{} is worse where {} is `{}`: {} of {} cases",
                slice.metric,
                slice.column,
                slice.value,
                metric.difference_text(&slice.difference),
                slice.difference.cases
            ));
        }
        warnings.extend(self.evaluation.notes.clone());
        warnings
    }

    /// The cases of both runs.
    fn dataset(&self) -> &Dataset {
        self.evaluation.asked.as_ref().unwrap_or(self.prepared.dataset)
    }

    fn labels(&self, index: usize) -> Result<Option<v1::Labels>, EvalError> {
        let Some(labels) = self.prepared.scorers[index].labels() else { return Ok(None) };
        let confusion = |run: &Run| {
            let mut confusion = Confusion::new(labels);
            run.each_attempt(|attempt| {
                if let Some(classified) = attempt.scores[index].as_ref().ok().and_then(|score| score.classified) {
                    confusion.add(classified.right, classified.answered);
                }
            })?;
            Ok::<_, EvalError>(v1::Confusion { macro_f1: confusion.macro_f1().map(rounded), counts: confusion.counts })
        };
        Ok(Some(v1::Labels {
            labels: labels.names().to_vec(),
            candidate: confusion(&self.evaluation.candidate)?,
            parent: self.evaluation.parent.as_ref().map(confusion).transpose()?,
        }))
    }

    /// Says how far the judge of a metric agrees with people, and what the shares are once its errors are taken out.
    fn judge(&self, index: usize, result: &MetricResult) -> Result<Option<v1::Judge>, EvalError> {
        let Some(found) = self.evaluation.calibrations[index].as_ref() else { return Ok(None) };
        let drawn = self.evaluation.drawn.as_deref();
        let corrected = |run: &Run| {
            let corrected = corrected::share(&found.calibration, (run, index), &self.dataset().heads, drawn)?;
            let value = |(estimate, found)| v1::Value { estimate: Some(rounded(estimate)), interval: Some(interval(&found)) };
            Ok::<_, EvalError>(corrected.map(value))
        };
        let slope = found.calibration.slope();
        let estimate = result.difference.as_ref().and_then(|difference| difference.paired).map(|paired| paired.estimate);
        Ok(Some(v1::Judge {
            labelled: found.calibration.good.trials() + found.calibration.bad.trials() + found.unjudged,
            unjudged: found.unjudged,
            sensitivity: rounded(found.calibration.good.share()),
            specificity: rounded(found.calibration.bad.share()),
            kappa: found.kappa.map(rounded),
            candidate: corrected(&self.evaluation.candidate)?,
            parent: self.evaluation.parent.as_ref().map(corrected).transpose()?.flatten(),
            difference: estimate.filter(|_| slope > 0.0).map(|estimate| rounded(estimate / slope)),
        }))
    }

    /// Lists the cases that must pass and do not, at most [`MOST_FAILURES`], and counts the rest.
    fn must_pass(&self) -> Result<v1::MustPass, EvalError> {
        let comparison = &self.evaluation.comparison;
        let mut failed = Vec::new();
        for failure in comparison.must_pass_failures.iter().take(MOST_FAILURES) {
            let Some(case) = self.dataset().heads.get(failure.case) else { continue };
            let result = self.evaluation.candidate.cases.get(failure.case)?;
            let metric = failure.metrics[0];
            let shown = result.attempts.iter().find(|attempt| !attempt.passes(metric));
            failed.push(v1::MustPassFailure {
                case: case.name,
                line: case.line,
                metrics: failure.metrics.iter().map(|metric| self.name(*metric)).collect(),
                outside: failure.is_outside,
                note: shown.and_then(|attempt| attempt.note(metric)),
            });
        }
        let more = (comparison.must_pass_failures.len() - failed.len()) as u64;
        Ok(v1::MustPass { cases: comparison.must_pass as u64, failed, more })
    }

    fn name(&self, metric: usize) -> String {
        self.prepared.spec.metrics[metric].name.value.clone()
    }

    /// Lists the cases that pass on one side and not on the other, at most [`MOST_FLIPS`], and counts the rest; losses first,
    /// for they are what a reader looks for.
    fn flips(&self, candidate: &Subject, parent: Option<&Subject>) -> Result<(Vec<v1::Flip>, u64), EvalError> {
        let (Some(before), Some(parent)) = (&self.evaluation.parent, parent) else { return Ok((Vec::new(), 0)) };
        let after = &self.evaluation.candidate;
        let mut found: Vec<(v1::Change, usize, usize)> = Vec::new();
        let (mut counts, mut all) = (BTreeMap::new(), 0);
        for (index, (before, after)) in before.cases.iter().zip(after.cases.iter()).enumerate() {
            let (before, after) = (before?, after?);
            // A quantity has no pass, and what is not known is neither lost nor won.
            for metric in (0..self.prepared.scorers.len()).filter(|metric| self.prepared.scorers[*metric].unit() == Unit::Share) {
                let (Some(passed), Some(passes)) = (before.passes(metric), after.passes(metric)) else { continue };
                if passed != passes {
                    let change = if passes { v1::Change::FailToPass } else { v1::Change::PassToFail };
                    let count: &mut usize = counts.entry((change, metric)).or_default();
                    *count += 1;
                    all += 1;
                    // More of one kind are never listed.
                    if *count <= MOST_FLIPS {
                        found.push((change, metric, index));
                    }
                }
            }
        }
        found.sort_unstable();
        found.truncate(MOST_FLIPS);
        let more = all - found.len() as u64;
        let mut of_cases: BTreeMap<usize, Vec<(v1::Change, usize)>> = BTreeMap::new();
        for (change, metric, index) in found {
            of_cases.entry(index).or_default().push((change, metric));
        }
        let mut flips = Vec::new();
        let last = of_cases.keys().next_back().map_or(0, |last| last + 1);
        for (index, case) in self.dataset().rows().take(last).enumerate() {
            let case = case?;
            let Some(changes) = of_cases.remove(&index) else { continue };
            let (before, after) = (before.cases.get(index)?, after.cases.get(index)?);
            for (change, metric) in changes {
                let passes = change == v1::Change::FailToPass;
                let flip = v1::Flip {
                    metric: self.name(metric),
                    case: case.head.name.clone(),
                    line: case.head.line,
                    change,
                    must_pass: case.head.must_pass,
                    input: self.input(&case, candidate),
                    parent: self.outcome((&before, metric, !passes), parent, &case)?,
                    candidate: self.outcome((&after, metric, passes), candidate, &case)?,
                };
                flips.push((metric, flip));
            }
        }
        flips.sort_by_key(|(metric, flip)| (flip.change, *metric));
        Ok((flips.into_iter().map(|(_, flip)| flip).collect(), more))
    }

    /// Returns the first repeat that came out as most did, with its answer, which is read again from the recording.
    fn outcome(
        &self,
        (result, metric, passes): (&CaseResult, usize, bool),
        subject: &Subject,
        case: &Case,
    ) -> Result<v1::Outcome, EvalError> {
        let shown = result.known(metric).find(|(_, attempt)| attempt.passes(metric) == passes);
        let mut answer = None;
        if let Some((repeat, _)) = shown.filter(|(_, attempt)| attempt.answer.is_ok())
            && let Ok(call) = subject.call(&self.input(case, subject))
            && let Some((exchange, _)) = self.recording.get(&Key { request: call.digest(), repeat })?
        {
            answer = decode(&exchange).ok().map(|answer| answer.text);
        }
        let note = shown.and_then(|(_, attempt)| attempt.note(metric));
        Ok(v1::Outcome { share: rounded(result.share(metric)), answer, note })
    }

    fn input(&self, case: &Case, subject: &Subject) -> Map<String, Value> {
        let columns = crate::evaluate::columns(self.prepared.spec, self.prepared.dataset, &subject.content);
        inputs(case, self.prepared.dataset.format, &columns, &subject.content.inputs)
    }
}

fn answered_by(((model, fingerprint), calls): (&(String, Option<String>), &u64)) -> v1::AnsweredBy {
    let is_offline = fingerprint.as_deref().is_some_and(|fingerprint| fingerprint.starts_with("offline-classifier-"));
    let note = is_offline.then(|| "PromptOps' offline model: rules over the prompt's own text, not a language model".to_owned());
    v1::AnsweredBy { model: model.clone(), fingerprint: fingerprint.clone(), calls: *calls, note }
}

fn totals(run: &Run) -> Result<v1::Totals, EvalError> {
    let quantile = |times: &[u32], share: f64| {
        let times = SortedSample::new(times.iter().map(|time| f64::from(*time)).collect()).ok()?;
        times.quantile(share).ok().map(rounded)
    };
    let (mut calls, mut cost_usd, mut failures) = (0, None, BTreeMap::new());
    run.each_attempt(|attempt| {
        calls += 1;
        if let Some(cost) = attempt.cost_usd {
            cost_usd = Some(cost_usd.unwrap_or(0.0) + cost);
        }
        if let Err(failure) = &attempt.answer {
            *failures.entry(failure.class).or_default() += 1;
        }
    })?;
    let told = &run.told;
    Ok(v1::Totals {
        calls,
        failures,
        tokens: (told.counted > 0).then_some(told.usage),
        latency_ms_p50: quantile(&told.latencies_ms, 0.5),
        latency_ms_p95: quantile(&told.latencies_ms, 0.95),
        first_token_ms_p50: quantile(&told.first_token_ms, 0.5),
        first_token_ms_p95: quantile(&told.first_token_ms, 0.95),
        cost_usd: cost_usd.map(rounded),
    })
}

fn difference(paired: &PairedComparison, unit: Unit) -> v1::Difference {
    let (lower, higher) = (paired.discordance.losses, paired.discordance.wins);
    let (worse, better) = if unit.less_is_better() { (higher, lower) } else { (lower, higher) };
    v1::Difference {
        estimate: rounded(paired.estimate),
        interval: interval(&paired.interval),
        method: paired.method.as_str().to_owned(),
        cases: paired.cases as u64,
        units: paired.units as u64,
        worse,
        better,
    }
}

fn value(value: &compare::Value) -> v1::Value {
    v1::Value { estimate: value.estimate.map(rounded), interval: value.interval.as_ref().map(interval) }
}

fn interval(interval: &Interval) -> [f64; 2] {
    [rounded(interval.low), rounded(interval.high)]
}

/// Rounds to nine decimals: far below what any figure means, and enough to be equal on every platform.
fn rounded(value: f64) -> f64 {
    let rounded = (value * 1e9).round() / 1e9;
    // A negative zero would be written as `-0.0`.
    if rounded == 0.0 { 0.0 } else { rounded }
}
