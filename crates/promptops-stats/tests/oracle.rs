//! Every method against SciPy, statsmodels or NumPy, on the cases of `oracle.json` (see `make_oracle.py`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken vector or argument should fail the test")]

use promptops_stats::{
    ClusteredShare, Discordance, MeanEstimate, MetricRange, PairedCase, PairedMethod, Proportion, Sides, SortedSample,
    benjamini_hochberg, clopper_pearson, compare_paired, holm, mcnemar_exact, mean_difference, newcombe, power, sign_flip, tango,
    wilson, wilson_clustered,
};
use serde_json::Value;

/// Calls `check` with each case of a section, of which there are at least fifty.
fn each(section: &str, check: impl Fn(&Value, &[f64])) {
    let vectors: Value = serde_json::from_str(include_str!("oracle.json")).unwrap();
    let cases = vectors[section].as_array().unwrap();
    assert!(cases.len() >= 50, "{section} has only {} cases", cases.len());
    for case in cases {
        check(case, &numbers(case, "expected"));
    }
}

fn numbers(case: &Value, key: &str) -> Vec<f64> {
    case[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("no number `{key}` in {case}"))
}

fn count(case: &Value, key: &str) -> u64 {
    case[key].as_u64().unwrap_or_else(|| panic!("no count `{key}` in {case}"))
}

fn labels(case: &Value, key: &str) -> Vec<u32> {
    case[key].as_array().unwrap().iter().map(|value| value.as_u64().unwrap() as u32).collect()
}

fn proportion(pair: &Value) -> Proportion {
    Proportion::new(pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap()).unwrap()
}

/// Fails unless all values agree to 1e-9 of the largest of them, or of `scale` where that is larger.
fn agree(actual: &[f64], expected: &[f64], scale: f64, case: &Value) {
    assert_eq!(actual.len(), expected.len(), "{case}");
    let largest = expected.iter().fold(scale, |largest, value| largest.max(value.abs()));
    for (left, right) in actual.iter().zip(expected) {
        assert!((left - right).abs() <= 1e-9 * largest, "{actual:?} is not {expected:?} in {case}");
    }
}

/// Fails unless each value agrees to 1e-9 of itself.
fn agree_each(actual: &[f64], expected: &[f64], case: &Value) {
    assert_eq!(actual.len(), expected.len(), "{case}");
    for (left, right) in actual.iter().zip(expected) {
        let near = (left - right).abs() <= 1e-9 * right.abs();
        assert!(near, "{actual:?} is not {expected:?} in {case}");
    }
}

#[test]
fn wilson_agrees_with_scipy() {
    each("wilson", |case, expected| {
        let given = Proportion::new(count(case, "successes"), count(case, "trials")).unwrap();
        let interval = wilson(given, number(case, "level")).unwrap();
        agree(&[interval.low, interval.high], expected, 0.0, case);
    });
}

#[test]
fn clopper_pearson_agrees_with_scipy() {
    each("clopper_pearson", |case, expected| {
        let given = Proportion::new(count(case, "successes"), count(case, "trials")).unwrap();
        let interval = clopper_pearson(given, number(case, "level")).unwrap();
        agree_each(&[interval.low, interval.high], expected, case);
    });
}

#[test]
fn newcombe_agrees_with_statsmodels() {
    each("newcombe", |case, expected| {
        let (baseline, current) = (proportion(&case["baseline"]), proportion(&case["current"]));
        let interval = newcombe(baseline, current, number(case, "level")).unwrap();
        agree(&[interval.low, interval.high], expected, 0.0, case);
    });
}

#[test]
fn tango_agrees_with_its_definition() {
    each("tango", |case, expected| {
        let discordance = Discordance { losses: count(case, "losses"), wins: count(case, "wins") };
        let interval = tango(discordance, count(case, "cases"), number(case, "level")).unwrap();
        agree(&[interval.low, interval.high], expected, 0.0, case);
    });
}

#[test]
fn mean_intervals_agree_with_scipy() {
    each("mean", |case, expected| {
        let estimate = MeanEstimate::of(&numbers(case, "values")).unwrap();
        let interval = estimate.interval(number(case, "level")).unwrap();
        agree(&[interval.low, interval.high], expected, 0.0, case);
    });
}

#[test]
fn clustered_means_agree_with_statsmodels() {
    each("mean_clustered", |case, expected| {
        let estimate = MeanEstimate::of_clusters(&numbers(case, "values"), &labels(case, "clusters")).unwrap();
        agree_each(&[estimate.standard_error], &[number(case, "error")], case);
        let interval = estimate.interval(number(case, "level")).unwrap();
        agree(&[interval.low, interval.high], expected, 0.0, case);
    });
}

#[test]
fn welch_agrees_with_scipy() {
    each("welch", |case, expected| {
        let baseline = MeanEstimate::of(&numbers(case, "baseline")).unwrap();
        let current = MeanEstimate::of(&numbers(case, "current")).unwrap();
        let interval = mean_difference(&baseline, &current, number(case, "level")).unwrap();
        agree(&[interval.low, interval.high], expected, 0.0, case);
    });
}

#[test]
fn clustered_shares_agree_with_their_definition() {
    each("wilson_clustered", |case, expected| {
        let successes: Vec<bool> =
            case["successes"].as_array().unwrap().iter().map(|success| success.as_bool().unwrap()).collect();
        let share = ClusteredShare::of(&successes, &labels(case, "clusters")).unwrap();
        agree_each(&[share.effective_trials], &[number(case, "effective")], case);
        let interval = wilson_clustered(&share, number(case, "level")).unwrap();
        agree(&[interval.low, interval.high], expected, 0.0, case);
    });
}

#[test]
fn quantiles_agree_with_scipy_and_numpy() {
    each("quantile", |case, expected| {
        let sample = SortedSample::new(numbers(case, "values")).unwrap();
        let probability = number(case, "probability");
        let largest = sample.values().iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let estimate = sample.quantile(probability).unwrap();
        agree(&[estimate], &[number(case, "estimate")], largest, case);
        let interval = sample.interval(probability, number(case, "level")).unwrap();
        // SciPy gives no number for an end that the sample cannot bound.
        for (end, wanted) in [interval.low, interval.high].into_iter().zip(expected) {
            assert!(end == *wanted || (end.is_infinite() && wanted.is_nan()), "{end} in {case}");
        }
    });
}

#[test]
fn paired_comparisons_agree_with_scipy() {
    each("paired", |case, expected| {
        let (parent, candidate) = (numbers(case, "parent"), numbers(case, "candidate"));
        let cases: Vec<PairedCase> = parent
            .iter()
            .zip(&candidate)
            .map(|(parent, candidate)| PairedCase { parent: *parent, candidate: *candidate, cluster: None })
            .collect();
        let most = parent.iter().chain(&candidate).fold(0.0_f64, |most, x| most.max(x.abs()));
        let range = MetricRange::new(-2.0 * most, 2.0 * most).unwrap();
        let comparison = compare_paired(&cases, range, number(case, "alpha")).unwrap();
        assert_eq!(comparison.method, PairedMethod::StudentT);
        agree(&[comparison.interval.low, comparison.interval.high], expected, 0.0, case);
    });
}

#[test]
fn mcnemar_agrees_with_statsmodels() {
    each("mcnemar", |case, expected| {
        let discordance = Discordance { losses: count(case, "losses"), wins: count(case, "wins") };
        let test = mcnemar_exact(discordance);
        agree_each(&[test.worse, test.better, test.two_sided], expected, case);
    });
}

#[test]
fn counted_sign_flips_agree_with_scipy() {
    each("sign_flip", |case, expected| {
        let test = sign_flip(&numbers(case, "differences"), None, 1 << 10, 1).unwrap();
        assert!(test.exact);
        agree_each(&[test.worse, test.better, test.two_sided], expected, case);
    });
}

#[test]
fn power_agrees_with_the_noncentral_t_of_scipy() {
    each("power", |case, expected| {
        let at = |sides| {
            let (freedom, alpha) = (number(case, "freedom"), number(case, "alpha"));
            power(number(case, "shift"), 1.0, freedom, alpha, sides).unwrap()
        };
        agree_each(&[at(Sides::One), at(Sides::Two)], expected, case);
    });
}

#[test]
fn adjusted_p_values_agree_with_statsmodels() {
    each("holm", |case, expected| agree_each(&holm(&numbers(case, "p")).unwrap(), expected, case));
    each("benjamini_hochberg", |case, expected| {
        agree_each(&benjamini_hochberg(&numbers(case, "p")).unwrap(), expected, case);
    });
}
