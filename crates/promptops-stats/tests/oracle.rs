//! Every method against SciPy, statsmodels or NumPy, on the cases of `oracle.json` (see `make_oracle.py`), and on fresh random
//! ones where a Python with these libraries is at hand (`cargo xtask test` has one).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken vector or argument should fail the test")]
#![expect(clippy::print_stdout, reason = "the seed of fresh inputs is to be seen")]

use std::process::Command;
use std::sync::LazyLock;

use promptops_stats::{
    BettingSequence, ClusteredShare, Discordance, MeanEstimate, MetricRange, PairedCase, PairedMethod, Proportion, Sides,
    SortedSample, Unit, bca, benjamini_hochberg, clopper_pearson, cohens_kappa, compare_paired, holm, mcnemar_exact,
    mean_difference, newcombe, power, ratio_of_sums, required_cases, sign_flip, tango, wilson, wilson_clustered,
};
use serde_json::Value;

/// A Python in whose environment the libraries are.
const PYTHON_VARIABLE: &str = "PROMPTOPS_TEST_PYTHON";

static RECORDED: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("oracle.json")).unwrap());

/// Values for random inputs that nobody saw before; none without Python.
static FRESH: LazyLock<Option<Value>> = LazyLock::new(|| {
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment where Python is")]
    let python = std::env::var_os(PYTHON_VARIABLE)?;
    #[expect(clippy::disallowed_methods, reason = "the seed is to be another every time, and is printed")]
    let now = std::time::SystemTime::now();
    let seed = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis().to_string();
    println!("the seed of the fresh inputs is {seed}");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/make_oracle.py");
    let output = Command::new(python).args(["-W", "ignore", script, &seed]).output().unwrap();
    assert!(output.status.success(), "seed {seed}: {}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
});

/// Calls `check` with each recorded case of a section, and then with each fresh one.
fn each(section: &str, check: impl Fn(&Value, &[f64])) {
    cases(&RECORDED, section, &check);
    match &*FRESH {
        Some(fresh) => cases(fresh, section, &check),
        None => println!("without `{PYTHON_VARIABLE}` no fresh inputs: `{section}` was compared with the recorded values only"),
    }
}

/// Calls `check` with each case of a section, of which there are at least fifty.
fn cases(vectors: &Value, section: &str, check: &impl Fn(&Value, &[f64])) {
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
        let cases: Vec<PairedCase> =
            parent.iter().zip(&candidate).map(|(parent, candidate)| PairedCase::new(*parent, *candidate)).collect();
        let most = parent.iter().chain(&candidate).fold(0.0_f64, |most, x| most.max(x.abs()));
        let range = MetricRange::new(-2.0 * most, 2.0 * most).unwrap();
        let comparison = compare_paired(&cases, range, number(case, "alpha")).unwrap();
        assert_eq!(comparison.method, PairedMethod::StudentT);
        agree(&[comparison.interval.low, comparison.interval.high], expected, 0.0, case);
        agree(&[comparison.p_lower, comparison.p_upper], &numbers(case, "tails"), 0.0, case);
    });
}

#[test]
fn weighted_and_clustered_means_agree_with_weighted_least_squares_of_statsmodels() {
    each("weighted", |case, expected| {
        let weights = numbers(case, "weights");
        let cases: Vec<Unit> =
            numbers(case, "values").iter().zip(weights).map(|(value, weight)| Unit { sum: weight * value, weight }).collect();
        let clusters = case["clusters"].is_array().then(|| labels(case, "clusters"));
        let estimate = ratio_of_sums(&Unit::group(&cases, clusters.as_deref()).unwrap()).unwrap();
        agree(&[estimate.mean, estimate.standard_error], expected, 0.0, case);
    });
}

#[test]
fn the_bootstrap_agrees_with_scipy_on_equal_draws() {
    each("bca", |case, expected| {
        let values = numbers(case, "values");
        let units: Vec<Unit> = values.iter().map(|value| Unit { sum: *value, weight: 1.0 }).collect();
        let (draws, seed) = (count(case, "draws") as u32, count(case, "seed"));
        let found = bca(&units, draws, seed, number(case, "level")).unwrap();
        let largest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        agree(&[found.interval.low, found.interval.high], expected, largest, case);
    });
}

#[test]
fn betting_agrees_with_its_definition() {
    each("betting", |case, expected| {
        let (range, weights) = (numbers(case, "range"), numbers(case, "weights"));
        let most_weight = weights.iter().fold(0.0_f64, |most, weight| most.max(*weight));
        let most = count(case, "most") as usize;
        let mut sequence = BettingSequence::new(range[0], range[1], number(case, "alpha"), most, most_weight).unwrap();
        for (value, weight) in numbers(case, "values").iter().zip(weights) {
            sequence.push(Unit { sum: weight * value, weight }).unwrap();
        }
        let interval = sequence.interval();
        agree(&[interval.low, interval.high], expected, 1.0, case);
    });
}

#[test]
fn kappa_agrees_with_statsmodels() {
    each("kappa", |case, expected| {
        agree(&[cohens_kappa(&labels(case, "first"), &labels(case, "second")).unwrap()], expected, 1.0, case);
    });
}

#[test]
fn required_cases_agree_with_statsmodels() {
    each("required_cases", |case, expected| {
        let sides = if count(case, "sides") == 1 { Sides::One } else { Sides::Two };
        let (alpha, wanted) = (number(case, "alpha"), number(case, "power"));
        let needed = required_cases(1.0, number(case, "effect"), alpha, wanted, sides).unwrap();
        agree(&[needed as f64], expected, 0.0, case);
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
