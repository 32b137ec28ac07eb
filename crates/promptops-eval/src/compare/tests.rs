use promptops_prompt::draft::Spanned;
use promptops_prompt::yaml;

use super::*;
use crate::client::ErrorClass;
use crate::dataset::{Columns, Format, Source};
use crate::run::{Attempt, Failure, Served, Told};
use crate::scorer::{Score, ScorerSpec};
use crate::spec::fields::Findings;

/// What one call came to: a good answer, a bad one, or none in time.
#[derive(Clone, Copy, PartialEq)]
enum Call {
    Good,
    Bad,
    Late,
}
use Call::{Bad, Good, Late};

fn dataset(count: usize) -> Dataset {
    let rows: String = (0..count).map(|index| format!("{index}\n")).collect();
    let columns = Columns { case: Some("id".into()), ..Columns::default() };
    Dataset::read("d.csv", Format::Csv, Source::of_bytes(format!("id\n{rows}")), &columns).unwrap()
}

fn metric(margin: f64, minimum: Option<f64>) -> Metric {
    let mut findings = Findings::new("e.yaml");
    let scorer = ScorerSpec::read(&yaml::parse("{type: equals, value: x}").0.unwrap(), &mut findings).unwrap();
    Metric { name: Spanned { value: "accuracy".into(), span: 0..0 }, scorer, scorer_span: 0..0, margin, minimum }
}

fn attempt(call: Call) -> Attempt {
    let (answer, score) = match call {
        Good => (Ok(()), Score::pass()),
        Bad => (Ok(()), Score::fail("bad")),
        Late => (Err(Failure { class: ErrorClass::Timeout, message: "late".into() }), Score::fail("late")),
    };
    Attempt { answer, scores: vec![Ok(score)], cost_usd: None }
}

fn run_of(cases: &[Vec<Call>]) -> Run {
    let cases = cases.iter().map(|calls| CaseResult { attempts: calls.iter().map(|call| attempt(*call)).collect() });
    Run { reference: "a@1".parse().unwrap(), cases: cases.collect(), told: Told::default(), served: Served::default() }
}

/// A run of 200 cases of which those from `from` are bad.
fn bad_from(from: usize) -> Vec<Vec<Call>> {
    (0..200).map(|index| vec![if index < from { Good } else { Bad }]).collect()
}

fn compared(margin: f64, candidate: &[Vec<Call>], parent: &[Vec<Call>]) -> Comparison {
    compare(&dataset(candidate.len()), &[metric(margin, None)], &run_of(candidate), Some(&run_of(parent))).unwrap()
}

#[test]
fn the_interval_decides_and_not_the_estimate() {
    // 180 of 200 against 178, 160 and 176: Tango's 90 % intervals are about ±1.6, ±3.6 and ±2 points around the difference.
    let verdict = |from| compared(0.03, &bad_from(from), &bad_from(180)).metrics[0].verdict;
    assert_eq!(verdict(180), MetricVerdict::Pass);
    assert_eq!(verdict(178), MetricVerdict::Pass);
    assert_eq!(verdict(160), MetricVerdict::Regressed);
    let comparison = compared(0.03, &bad_from(185), &bad_from(180));
    assert_eq!((comparison.verdict, comparison.metrics[0].verdict), (Verdict::Pass, MetricVerdict::Pass));
    let difference = comparison.metrics[0].difference.unwrap();
    assert!((difference.paired.unwrap().estimate - 0.025).abs() < 1e-12);
    assert!(difference.minimum_detectable.unwrap() > 0.0);
}

#[test]
fn a_small_dataset_is_inconclusive_and_never_a_pass() {
    let cases = vec![vec![Good]; 10];
    let comparison = compared(0.03, &cases, &cases);
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
    let difference = comparison.metrics[0].difference.unwrap();
    assert!(difference.minimum_detectable.unwrap() > 0.03, "{difference:?}");
    let one = compared(0.03, &cases[..1], &cases[..1]);
    assert_eq!((one.verdict, one.metrics[0].difference.unwrap().paired), (Verdict::Inconclusive, None));
}

#[test]
fn repeats_are_averaged_and_never_cases_of_their_own() {
    let thrice = |calls: [Call; 3]| vec![calls.to_vec(); 12];
    let comparison = compared(0.5, &thrice([Good, Good, Bad]), &thrice([Good, Good, Good]));
    let paired = comparison.metrics[0].difference.unwrap().paired.unwrap();
    assert_eq!(paired.cases, 12);
    assert!((paired.estimate + 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn clusters_widen_the_interval() {
    let (candidate, parent) = (bad_from(170), bad_from(180));
    let alone = compared(0.03, &candidate, &parent).metrics[0].difference.unwrap().paired.unwrap();
    let mut clustered = dataset(200);
    for (index, case) in clustered.heads.iter_mut().enumerate() {
        case.cluster = Some((index / 10).to_string().into());
    }
    let together = compare(&clustered, &[metric(0.03, None)], &run_of(&candidate), Some(&run_of(&parent))).unwrap();
    let together = together.metrics[0].difference.unwrap().paired.unwrap();
    assert_eq!((alone.units, together.units), (200, 20));
    assert!(together.interval.width() > 2.0 * alone.interval.width());
}

#[test]
fn the_floor_is_a_hard_rule() {
    let run = run_of(&bad_from(150));
    let comparison = |minimum| compare(&dataset(200), &[metric(0.03, Some(minimum))], &run, Some(&run)).unwrap();
    assert_eq!(comparison(0.75).verdict, Verdict::Pass);
    assert_eq!(comparison(0.76).metrics[0].verdict, MetricVerdict::BelowMinimum);
    assert_eq!(comparison(0.76).verdict, Verdict::Refused);
    assert!(comparison(0.75).metrics[0].candidate.interval.unwrap().contains(0.75));
}

#[test]
fn a_first_version_is_held_to_its_floor_or_to_nothing() {
    let run = run_of(&bad_from(150));
    let verdict = |minimum| compare(&dataset(200), &[metric(0.03, minimum)], &run, None).unwrap().verdict;
    assert_eq!(verdict(None), Verdict::NoBaseline);
    assert_eq!(verdict(Some(0.7)), Verdict::Pass);
    assert_eq!(verdict(Some(0.8)), Verdict::Refused);
}

#[test]
fn a_case_that_must_pass_outweighs_every_average() {
    let mut dataset = dataset(200);
    dataset.heads[199].must_pass = true;
    let candidate = run_of(&bad_from(199));
    let comparison = compare(&dataset, &[metric(0.5, None)], &candidate, Some(&run_of(&bad_from(100)))).unwrap();
    assert_eq!((comparison.metrics[0].verdict, comparison.verdict), (MetricVerdict::Pass, Verdict::Refused));
    assert_eq!(comparison.must_pass_failures, [MustPassFailure { case: 199, metrics: vec![0], is_outside: false }]);
    let mut late = bad_from(200);
    late[199] = vec![Late];
    let comparison = compare(&dataset, &[metric(0.5, None)], &run_of(&late), Some(&run_of(&bad_from(200)))).unwrap();
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
}

#[test]
fn failures_outside_the_prompt_never_decide() {
    let late = |mut cases: Vec<Vec<Call>>, count: usize| {
        for case in cases.iter_mut().rev().take(count) {
            *case = vec![Late];
        }
        cases
    };
    // Thirty timeouts of the candidate look like a regression, thirty of the parent like an improvement.
    let candidate = compared(0.03, &late(bad_from(200), 30), &bad_from(200));
    assert_eq!(candidate.metrics[0].verdict, MetricVerdict::Inconclusive);
    assert!(candidate.metrics[0].reason.as_ref().unwrap().contains("outside the prompt"));
    let parent = compared(0.03, &bad_from(185), &late(bad_from(200), 30));
    assert_eq!(parent.metrics[0].verdict, MetricVerdict::Inconclusive);
    // Where they make no difference the verdict stands.
    assert_eq!(compared(0.03, &late(bad_from(100), 1), &bad_from(180)).metrics[0].verdict, MetricVerdict::Regressed);
    assert_eq!(compared(0.1, &late(bad_from(200), 1), &bad_from(200)).metrics[0].verdict, MetricVerdict::Pass);
    // Nor do they sink a version below its floor.
    let run = run_of(&late(bad_from(200), 30));
    let floor = compare(&dataset(200), &[metric(0.03, Some(0.9))], &run, None).unwrap();
    assert_eq!(floor.metrics[0].verdict, MetricVerdict::Inconclusive);
}

#[test]
fn p_values_are_adjusted_for_the_number_of_metrics() {
    let (candidate, parent) = (run_of(&bad_from(170)), run_of(&bad_from(180)));
    let two = |run: &Run| {
        let mut cases = run.cases.clone();
        for attempt in cases.iter_mut().flat_map(|case| &mut case.attempts) {
            let score = attempt.scores[0].clone();
            attempt.scores.push(score);
        }
        Run { reference: run.reference.clone(), cases, told: run.told.clone(), served: run.served }
    };
    let metrics = [metric(0.03, None), metric(0.03, None)];
    let comparison = compare(&dataset(200), &metrics, &two(&candidate), Some(&two(&parent))).unwrap();
    for metric in &comparison.metrics {
        let difference = metric.difference.unwrap();
        // McNemar's exact test of ten losses to none: 2^-10.
        assert!((difference.p_worse - 1.0 / 1024.0).abs() < 1e-12);
        assert!((difference.p_worse_adjusted - 2.0 / 1024.0).abs() < 1e-12);
    }
}

#[test]
fn what_a_dataset_cannot_show_is_said_with_the_number_it_takes() {
    // z² (1 - margin) / margin with z² = 2.7055: 267.8 and 87.5.
    assert_eq!(cases_to_pass(0.01), Some(268));
    assert_eq!(cases_to_pass(0.03), Some(88));
    assert_eq!(cases_to_pass(1e-6), None);
    let same = bad_from(200);
    let comparison = compared(0.01, &same, &same);
    let reason = comparison.metrics[0].reason.as_deref();
    assert_eq!(
        reason,
        Some("no case changed, but 200 cases cannot exclude a loss of 0.01; that takes 268 cases or a wider margin")
    );
}
