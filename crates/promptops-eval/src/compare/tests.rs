use promptops_prompt::draft::Spanned;
use promptops_prompt::yaml;

use super::*;
use crate::client::ErrorClass;
use crate::dataset::{Columns, Dataset, Format, Head, Source};
use crate::run::{Attempt, Failure};
use crate::scorer::{Score, ScorerSpec, Unjudged, UnjudgedClass};
use crate::spec::MarginScale;
use crate::spec::fields::Findings;

/// What one call came to: a good answer, a bad one, none in time, or a refusal of the provider.
#[derive(Clone, Copy, PartialEq)]
enum Call {
    Good,
    Bad,
    Late,
    Refused,
}
use Call::{Bad, Good, Late, Refused};

fn dataset(count: usize) -> Dataset {
    let rows: String = (0..count).map(|index| format!("{index}\n")).collect();
    let columns = Columns { case: Some("id".into()), ..Columns::default() };
    Dataset::read("d.csv", Format::Csv, Source::of_bytes(format!("id\n{rows}")), &columns).unwrap()
}

/// Changes the heads of a dataset.
fn with_heads(mut dataset: Dataset, change: impl Fn(usize, &mut Head)) -> Dataset {
    let changed = dataset.heads.iter().enumerate().map(|(index, mut head)| {
        change(index, &mut head);
        head
    });
    dataset.heads = changed.collect();
    dataset
}

fn metric(margin: f64, minimum: Option<f64>) -> Metric {
    let mut findings = Findings::new("e.yaml");
    let scorer = ScorerSpec::read(&yaml::parse("{type: equals, value: x}").0.unwrap(), &mut findings).unwrap();
    Metric {
        name: Spanned { value: "accuracy".into(), span: 0..0 },
        scorer,
        scorer_span: 0..0,
        margin,
        scale: MarginScale::Absolute,
        margin_span: 0..0,
        minimum,
        maximum: None,
        guarded: true,
    }
}

fn attempt(call: Call) -> Attempt {
    let (answer, score) = match call {
        Good => (Ok(()), Score::pass()),
        Bad => (Ok(()), Score::fail("bad")),
        Late => (Err(Failure { class: ErrorClass::Timeout, message: "late".into() }), Score::fail("late")),
        Refused => (Err(Failure { class: ErrorClass::BadRequest, message: "no".into() }), Score::fail("no")),
    };
    Attempt { answer, scores: vec![Ok(score)], cost_usd: None }
}

fn run_of(cases: &[Vec<Call>]) -> Outcomes {
    outcomes(cases, &[Unit::Share])
}

fn outcomes(cases: &[Vec<Call>], units: &[Unit]) -> Outcomes {
    let mut outcomes = Outcomes::new(units.to_vec());
    for calls in cases {
        let mut attempts: Vec<Attempt> = calls.iter().map(|call| attempt(*call)).collect();
        for attempt in &mut attempts {
            attempt.scores = vec![attempt.scores[0].clone(); units.len()];
        }
        outcomes.push(&attempts);
    }
    outcomes
}

/// A run over quantities, one for each case.
fn quantities(values: &[f64]) -> Outcomes {
    let mut outcomes = Outcomes::new(vec![Unit::Milliseconds]);
    for value in values {
        let score = Score { value: *value, ..Score::pass() };
        outcomes.push(&[Attempt { scores: vec![Ok(score)], ..attempt(Good) }]);
    }
    outcomes
}

/// Compares with the usual settings.
fn compare(
    dataset: &Dataset,
    metrics: &[Metric],
    candidate: &Outcomes,
    parent: Option<&Outcomes>,
) -> Result<Comparison, EvalError> {
    super::compare(&basis(&dataset.heads, metrics, candidate.units()), candidate, parent)
}

fn basis<'a>(heads: &'a Heads, metrics: &'a [Metric], units: &'a [Unit]) -> Basis<'a> {
    Basis::of(heads, metrics, units, 0.2)
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
    let clustered = with_heads(dataset(200), |index, head| head.cluster = Some((index / 10).to_string().into()));
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
    let dataset = with_heads(dataset(200), |index, head| head.must_pass = index == 199);
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
    assert!(candidate.metrics[0].reason.as_ref().unwrap().contains("outside the prompt"), "{candidate:?}");
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
    let two = |from| outcomes(&bad_from(from), &[Unit::Share; 2]);
    let (candidate, parent) = (two(170), two(180));
    let metrics = [metric(0.03, None), metric(0.03, None)];
    let comparison = compare(&dataset(200), &metrics, &candidate, Some(&parent)).unwrap();
    for metric in &comparison.metrics {
        let difference = metric.difference.unwrap();
        // The score statistic of ten losses to none is -sqrt(10), with a tail of 0.000783; McNemar's exact test says 2^-10.
        assert!((difference.p_worse - 0.000_782_7).abs() < 1e-7, "{difference:?}");
        assert!((difference.p_worse_adjusted - 2.0 * difference.p_worse).abs() < 1e-12);
        assert!((difference.p_exact.unwrap() - 1.0 / 1024.0).abs() < 1e-12);
    }
}

#[test]
fn what_a_dataset_cannot_show_is_said_with_the_number_it_takes() {
    let same = bad_from(200);
    let comparison = compared(0.01, &same, &same);
    let reason = comparison.metrics[0].reason.as_deref();
    assert_eq!(
        reason,
        Some("no case changed, but 200 cases cannot exclude a loss of 0.01; that takes 268 cases or a wider margin")
    );
}

#[test]
fn one_bad_metric_among_many_is_named_only_when_it_stands_the_correction() {
    // Eight losses to none: p = 0.0023, by which one metric alone may be called regressed and one of ten may not.
    let (worse, same) = (bad_from(192), bad_from(200));
    let alone = compared(0.005, &worse, &same);
    assert_eq!(alone.metrics[0].verdict, MetricVerdict::Regressed);
    let metrics = vec![metric(0.005, None); 10];
    let mut candidate = Outcomes::new(vec![Unit::Share; 10]);
    for calls in &worse {
        let mut attempt = attempt(calls[0]);
        attempt.scores.extend(vec![Ok(Score::pass()); 9]);
        candidate.push(&[attempt]);
    }
    let among = compare(&dataset(200), &metrics, &candidate, Some(&outcomes(&same, &[Unit::Share; 10]))).unwrap();
    assert_eq!(among.verdict, Verdict::Inconclusive);
    let reason = among.metrics[0].reason.as_deref().unwrap();
    assert_eq!(reason, "probably worse, but among 10 metrics not beyond doubt (p = 0.023, doubted above 0.01)");
    let four = compared(0.005, &bad_from(196), &same);
    let reason = four.metrics[0].reason.as_deref().unwrap();
    assert_eq!(reason, "probably worse, but not beyond doubt (p = 0.023, doubted above 0.01)");
    // A metric that does not decide takes nothing away from the others, and refuses nothing.
    let mut unguarded = metrics.clone();
    unguarded[1..].iter_mut().for_each(|metric| metric.guarded = false);
    let found = compare(&dataset(200), &unguarded, &candidate, Some(&outcomes(&same, &[Unit::Share; 10]))).unwrap();
    assert_eq!((found.verdict, found.metrics[1].verdict), (Verdict::Refused, MetricVerdict::Unguarded));
    unguarded[0].guarded = false;
    let found = compare(&dataset(200), &unguarded, &candidate, Some(&outcomes(&same, &[Unit::Share; 10]))).unwrap();
    assert_eq!(found.verdict, Verdict::NoBaseline);
}

#[test]
fn surely_worse_by_less_than_the_margin_passes_with_a_warning() {
    let comparison = compared(0.08, &bad_from(192), &bad_from(200));
    let metric = &comparison.metrics[0];
    assert_eq!((comparison.verdict, metric.verdict, metric.is_worse_within_margin), (Verdict::Pass, MetricVerdict::Pass, true));
    assert_eq!(metric.reason.as_deref(), Some("worse than the parent, but within the margin"));
    let better = compared(0.08, &bad_from(200), &bad_from(180));
    assert!(better.metrics[0].is_improved && !better.metrics[0].is_worse_within_margin);
}

#[test]
fn more_errors_than_are_borne_leave_no_verdict() {
    let mut late = bad_from(100);
    late[..41].iter_mut().for_each(|case| *case = vec![Late]);
    // Regressed beyond doubt, if what is left of the cases were to be trusted.
    let comparison = compared(0.03, &late, &bad_from(200));
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
    assert_eq!((comparison.errors.candidate, comparison.errors.parent), (41, 0));
    assert!(comparison.too_many_errors.unwrap().starts_with("20.5% of the answers were not given"));
    // An answer that a scorer could not judge is one of them, and no fail: what is left all passes.
    let mut candidate = run_of(&bad_from(200));
    let unjudged = Unjudged { class: UnjudgedClass::JudgeAnswer, message: "nonsense".into() };
    candidate = (0..200).fold(Outcomes::new(candidate.units().to_vec()), |mut outcomes, index| {
        let score = if index < 2 { Err(unjudged.clone()) } else { Ok(Score::pass()) };
        outcomes.push(&[Attempt { scores: vec![score], ..attempt(Good) }]);
        outcomes
    });
    let comparison = compare(&dataset(200), &[metric(0.1, None)], &candidate, Some(&run_of(&bad_from(200)))).unwrap();
    assert_eq!(comparison.metrics[0].candidate.estimate, Some(1.0));
    assert_eq!((comparison.verdict, comparison.errors.candidate), (Verdict::Pass, 2));
    assert_eq!(comparison.metrics[0].difference.unwrap().paired.unwrap().cases, 198);
}

#[test]
fn a_provider_that_refuses_decides_nothing() {
    let refused = |count: usize| (0..200).map(|index| vec![if index < count { Refused } else { Good }]).collect::<Vec<_>>();
    // One that refuses everything, on both sides alike, has shown nothing; be as many errors allowed as there may.
    let metrics = [metric(0.05, None)];
    let (heads, all, none) = (dataset(200).heads, run_of(&refused(200)), run_of(&refused(0)));
    let basis = Basis { max_error_share: 1.0, ..basis(&heads, &metrics, all.units()) };
    let verdict = |candidate, parent| {
        let found = super::compare(&basis, candidate, parent).unwrap();
        (found.verdict, found.too_many_errors.unwrap_or_default())
    };
    assert_eq!(verdict(&all, Some(&all)), (Verdict::Inconclusive, "the candidate gave no answer at all".into()));
    assert_eq!(verdict(&none, Some(&all)), (Verdict::Inconclusive, "the parent gave no answer at all".into()));
    assert_eq!(verdict(&all, None).0, Verdict::Inconclusive);
    // One that begins to refuse on the way would have refused any version.
    let half = compared(0.05, &refused(100), &bad_from(200));
    assert_eq!((half.verdict, half.errors.candidate, half.errors.parent), (Verdict::Inconclusive, 100, 0));
    assert!(half.too_many_errors.unwrap().starts_with("50.0% of the answers were not given"));
    // A few requests that are refused are what the version wrote.
    let few = compared(0.05, &refused(30), &bad_from(200));
    assert_eq!((few.verdict, few.errors.candidate), (Verdict::Refused, 30));
}

#[test]
fn a_version_that_answers_nothing_of_a_quantity_does_not_pass_it() {
    let metric = |maximum| Metric { maximum, ..latency(50.0, MarginScale::Absolute) };
    let fails = |class, count: usize| {
        let mut run = quantities(&vec![300.0; 200 - count]);
        for _ in 0..count {
            let failure = Failure { class, message: "no".into() };
            run.push(&[Attempt { answer: Err(failure), scores: vec![Ok(Score::fail("no"))], cost_usd: None }]);
        }
        run
    };
    let verdict = |candidate: &Outcomes, parent: Option<&Outcomes>, maximum| {
        let found = compare(&dataset(200), &[metric(maximum)], candidate, parent).unwrap();
        (found.verdict, found.metrics[0].verdict, found.metrics[0].reason.clone().unwrap_or_default())
    };
    let (whole, nothing) = (fails(ErrorClass::Render, 0), fails(ErrorClass::Render, 200));
    let reason = "no answer was given and judged, so there is nothing to go by".to_owned();
    let found = verdict(&nothing, None, Some(1000.0));
    assert_eq!(found, (Verdict::Inconclusive, MetricVerdict::Inconclusive, reason.clone()));
    assert_eq!(verdict(&nothing, Some(&whole), Some(1000.0)), (Verdict::Inconclusive, MetricVerdict::Inconclusive, reason));
    // What is left when the long cases fail is no cheaper.
    let many = verdict(&fails(ErrorClass::Render, 130), Some(&whole), Some(1000.0));
    let reason = "65.0% of the answers were not given, so that nothing is known of what they take".to_owned();
    assert_eq!(many, (Verdict::Inconclusive, MetricVerdict::Inconclusive, reason));
    assert_eq!(verdict(&fails(ErrorClass::Render, 130), None, Some(100.0)).1, MetricVerdict::Inconclusive);
    let few = verdict(&fails(ErrorClass::Render, 20), Some(&whole), Some(1000.0));
    assert_eq!((few.0, few.1), (Verdict::Pass, MetricVerdict::Pass));
    assert_eq!(verdict(&fails(ErrorClass::Timeout, 20), None, Some(1000.0)).1, MetricVerdict::Pass);
}

#[test]
fn cases_that_were_not_drawn_are_no_part_of_a_mean_and_must_pass() {
    let mut heads: Vec<Head> = dataset(200).heads.iter().collect();
    heads[190..].iter_mut().for_each(|head| head.must_pass = true);
    let heads: Heads = heads.into_iter().collect();
    let drawn: Vec<bool> = (0..200).map(|case| case < 190).collect();
    let (metrics, candidate, parent) = ([metric(0.05, None)], run_of(&bad_from(190)), run_of(&bad_from(200)));
    let basis = Basis { drawn: Some(&drawn), ..basis(&heads, &metrics, candidate.units()) };
    let found = super::compare(&basis, &candidate, Some(&parent)).unwrap();
    assert_eq!((found.metrics[0].verdict, found.metrics[0].candidate.estimate), (MetricVerdict::Pass, Some(1.0)));
    assert_eq!((found.verdict, found.must_pass_failures.len()), (Verdict::Refused, 10));
}

#[test]
fn weights_count_in_values_and_differences() {
    // The last ten cases, all lost, weigh as much as all others together.
    let dataset = with_heads(dataset(200), |index, head| head.weight = if index < 190 { 1.0 } else { 19.0 });
    let comparison = compare(&dataset, &[metric(0.03, None)], &run_of(&bad_from(190)), Some(&run_of(&bad_from(200)))).unwrap();
    assert_eq!(comparison.metrics[0].candidate.estimate, Some(0.5));
    let paired = comparison.metrics[0].difference.unwrap().paired.unwrap();
    assert!((paired.estimate + 0.5).abs() < 1e-12 && paired.interval.high < -0.2, "{paired:?}");
}

fn latency(margin: f64, scale: MarginScale) -> Metric {
    Metric { scale, ..metric(margin, None) }
}

#[test]
fn of_a_quantity_less_is_better_and_the_margin_may_be_a_ratio() {
    let before: Vec<f64> = (0..200).map(|case| 400.0 + f64::from(case % 37) * 10.0).collect();
    let after = |factor: f64| -> Vec<f64> {
        before.iter().enumerate().map(|(case, value)| value * factor + f64::from(case as u32 % 11) - 5.0).collect()
    };
    let verdict = |factor, metric: Metric| {
        compare(&dataset(200), &[metric], &quantities(&after(factor)), Some(&quantities(&before))).unwrap().metrics[0].clone()
    };
    let ratio = || latency(0.1, MarginScale::Ratio);
    assert_eq!(verdict(1.0, ratio()).verdict, MetricVerdict::Pass);
    let slower = verdict(1.05, ratio());
    assert!(slower.verdict == MetricVerdict::Pass && slower.is_worse_within_margin, "{slower:?}");
    let paired = slower.difference.unwrap().paired.unwrap();
    assert!((paired.estimate - 0.05).abs() < 0.002 && paired.interval.width() < 0.01, "{paired:?}");
    assert_eq!(verdict(1.2, ratio()).verdict, MetricVerdict::Regressed);
    assert!(verdict(0.9, ratio()).is_improved);
    let absolute = |margin| latency(margin, MarginScale::Absolute);
    assert_eq!(verdict(1.05, absolute(40.0)).verdict, MetricVerdict::Pass);
    assert_eq!(verdict(1.05, absolute(20.0)).verdict, MetricVerdict::Regressed);
    let ceiling = Metric { maximum: Some(600.0), ..ratio() };
    assert_eq!(verdict(1.08, ceiling.clone()).verdict, MetricVerdict::AboveMaximum);
    assert_eq!(verdict(1.0, ceiling).verdict, MetricVerdict::Pass);
}

#[test]
fn an_answer_that_was_not_given_is_not_the_fastest() {
    let values: Vec<f64> = vec![500.0; 100];
    let mut candidate = quantities(&values[..90]);
    for _ in 0..10 {
        let refused = Failure { class: ErrorClass::Render, message: "no".into() };
        candidate.push(&[Attempt { answer: Err(refused), scores: vec![Ok(Score::fail("no"))], cost_usd: None }]);
    }
    let metric = latency(0.1, MarginScale::Ratio);
    let comparison = compare(&dataset(100), &[metric], &candidate, Some(&quantities(&values))).unwrap();
    assert_eq!(comparison.metrics[0].candidate.estimate, Some(500.0));
    assert_eq!(comparison.metrics[0].difference.unwrap().paired.unwrap().cases, 90);
}

#[test]
fn easy_cases_that_come_with_a_version_do_not_hide_its_loss() {
    // The first hundred cases stood before, and the rest are answered well by anybody.
    let with_losses = |losses: usize, all: usize| -> Vec<Vec<Call>> {
        (0..all).map(|index| vec![if index < losses { Bad } else { Good }]).collect()
    };
    let found = |losses: usize, all: usize, standing: Option<usize>, minimum| {
        let (candidate, parent, dataset) = (run_of(&with_losses(losses, all)), run_of(&with_losses(0, all)), dataset(all));
        let standing: Option<Vec<bool>> = standing.map(|count| (0..all).map(|case| case < count).collect());
        let metrics = [metric(0.03, minimum)];
        let basis = Basis { standing: standing.as_deref(), ..basis(&dataset.heads, &metrics, candidate.units()) };
        let found = super::compare(&basis, &candidate, Some(&parent)).unwrap();
        (found.metrics[0].verdict, found.metrics[0].reason.clone().unwrap_or_default())
    };
    assert_eq!(found(12, 100, None, None).0, MetricVerdict::Regressed);
    assert_eq!(found(12, 1_000, None, None).0, MetricVerdict::Pass, "what is guarded against");
    let way_out = "bring the new cases in a pull request of their own, before the version";
    let reason = format!("over the cases of the base alone (-12.0 points of 100 cases): worse than the parent; {way_out}");
    assert_eq!(found(12, 1_000, Some(100), None), (MetricVerdict::Regressed, reason));
    // A loss that a hundred cases do not show beyond doubt is doubted.
    let (verdict, reason) = found(4, 1_000, Some(100), None);
    assert_eq!(verdict, MetricVerdict::Inconclusive);
    assert!(reason.starts_with("over the cases of the base alone (-4.0 points of 100 cases): "), "{reason}");
    // The limit holds over them, too.
    let below = found(12, 1_000, Some(100), Some(0.9));
    assert_eq!(below.0, MetricVerdict::BelowMinimum);
    assert!(below.1.contains("below the minimum of 0.9"), "{below:?}");
    // Too few cases at the base are what others are added for.
    assert_eq!(found(0, 30, None, None).0, MetricVerdict::Inconclusive);
    assert_eq!(found(0, 1_000, Some(30), None).0, MetricVerdict::Pass);
    assert_eq!(found(1, 1_000, Some(100), None).0, MetricVerdict::Pass);
    // New cases count as well: a loss among them is one.
    let (candidate, parent, all) = (run_of(&bad_from(160)), run_of(&bad_from(200)), dataset(200));
    let standing: Vec<bool> = (0..200).map(|case| case < 100).collect();
    let metrics = [metric(0.03, None)];
    let basis = Basis { standing: Some(&standing), ..basis(&all.heads, &metrics, candidate.units()) };
    let found = super::compare(&basis, &candidate, Some(&parent)).unwrap();
    assert_eq!(
        (found.metrics[0].verdict, found.metrics[0].reason.as_deref()),
        (MetricVerdict::Regressed, Some("worse than the parent"))
    );
}

#[test]
fn a_slice_that_loses_is_found_and_does_not_decide() {
    let dataset = dataset(200);
    let slice = |value: &str, from: usize, to: usize| Slice {
        column: "channel".into(),
        value: value.into(),
        members: (0..200).map(|case| (from..to).contains(&case)).collect(),
    };
    let slices = [slice("chat", 0, 160), slice("mail", 160, 200)];
    let metrics = [metric(0.15, None)];
    // Every loss is in the last forty cases.
    let (candidate, parent) = (run_of(&bad_from(186)), run_of(&bad_from(200)));
    let basis = Basis { slices: &slices, ..basis(&dataset.heads, &metrics, candidate.units()) };
    let comparison = super::compare(&basis, &candidate, Some(&parent)).unwrap();
    assert_eq!(comparison.verdict, Verdict::Pass);
    let found: Vec<_> = comparison.slices.iter().map(|found| (found.slice, found.is_worse, found.paired.cases)).collect();
    assert_eq!(found, [(0, false, 160), (1, true, 40)]);
    assert!(comparison.slices[1].minimum_detectable.unwrap() > comparison.slices[0].minimum_detectable.unwrap());
}

#[test]
fn a_version_held_against_itself_raises_few_alarms() {
    use promptops_stats::SplitMix64;

    let dataset = dataset(300);
    let mut random = SplitMix64::new(9);
    let calls: Vec<Vec<Call>> =
        (0..300).map(|_| (0..4).map(|_| if random.unit() < 0.8 { Good } else { Bad }).collect()).collect();
    let repeats: Vec<Outcomes> =
        (0..4).map(|repeat| run_of(&calls.iter().map(|calls| vec![calls[repeat]]).collect::<Vec<_>>())).collect();
    let metrics = [metric(0.05, Some(0.99))];
    let basis = basis(&dataset.heads, &metrics, repeats[0].units());
    let found = a_a::measure(&basis, &repeats, 200, 1).unwrap();
    assert_eq!((found.split, found.comparisons, found.cases), (a_a::Split::Repeats, 200, 300));
    assert!(found.regressed <= 8 && found.passed > 50, "{found:?}");
    assert_eq!(found.regressed + found.passed + found.inconclusive, 200);
    assert_eq!(found.by_metric, [found.regressed]);
    assert!(found.interval.contains(found.regressed as f64 / 200.0));
    let by_cases = a_a::measure(&basis, &repeats[..1], 200, 1).unwrap();
    assert_eq!((by_cases.split, by_cases.cases), (a_a::Split::Cases, 150));
    assert!(by_cases.regressed <= 8, "{by_cases:?}");
}

#[test]
fn cases_that_depend_on_each_other_stay_together_where_a_version_is_held_against_itself() {
    use promptops_stats::SplitMix64;

    // Forty clusters of six cases and more, in each of which all cases come out alike.
    let of_case = |index: usize| index % 40;
    let mut random = SplitMix64::new(4);
    let goods: Vec<bool> = (0..40).map(|_| random.unit() < 0.5).collect();
    let calls: Vec<Vec<Call>> = (0..250).map(|index| vec![if goods[of_case(index)] { Good } else { Bad }]).collect();
    let run = [run_of(&calls)];
    let metrics = [metric(0.05, None)];
    let clustered = with_heads(dataset(250), |index, head| head.cluster = Some(of_case(index).to_string().into()));
    let measured = |dataset: &Dataset| a_a::measure(&basis(&dataset.heads, &metrics, run[0].units()), &run, 300, 1).unwrap();
    let found = measured(&clustered);
    // Ten clusters have seven cases and the others six, so nothing but one of an odd pair is lost.
    assert_eq!((found.split, found.cases), (a_a::Split::Cases, 125));
    assert!(found.regressed <= 9, "{found:?}");
    // Torn apart they look like many independent cases, and their luck like losses.
    let torn = measured(&dataset(250));
    assert!(torn.cases == 125 && found.inconclusive > torn.inconclusive, "{torn:?}");
    let one = with_heads(dataset(250), |_, head| head.cluster = Some("one".into()));
    let refused = a_a::measure(&basis(&one.heads, &metrics, run[0].units()), &run, 9, 1);
    assert!(matches!(refused, Err(EvalError::CannotSplit { has_clusters: true })));
}
