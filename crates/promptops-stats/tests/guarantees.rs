//! What the methods hold: coverage of intervals and error rates of verdicts.
//!
//! Rates of binary data are exact sums over all outcomes, the others are seeded simulations. The figures that
//! `docs/concepts/statistics.md` states are printed by
//! `cargo test -p promptops-stats --test guarantees -- --nocapture`.

#![expect(clippy::unwrap_used, reason = "functions that tests share unwrap as tests do")]

use promptops_stats::{
    ClusteredShare, Discordance, Interval, Margin, MeanEstimate, MetricRange, PairedCase, PairedMethod, Proportion, Scale,
    SortedSample, SplitMix64, Verdict, clopper_pearson, compare_paired, compare_quantity, mean_difference, newcombe,
    newcombe_clustered, quantile_difference, sign_flip, tango, wilson,
};

/// Draws a standard normal value by the method of Box and Muller.
fn normal(random: &mut SplitMix64) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

fn log_factorials(most: usize) -> Vec<f64> {
    let mut table = vec![0.0];
    for n in 1..=most {
        table.push(table[n - 1] + (n as f64).ln());
    }
    table
}

/// Returns the probabilities of 0 to `trials` successes.
fn binomial(trials: usize, share: f64) -> Vec<f64> {
    let table = log_factorials(trials);
    let weight = |count: usize, share: f64| if count == 0 { 1.0 } else { share.powi(count as i32) };
    (0..=trials)
        .map(|k| {
            let ways = (table[trials] - table[k] - table[trials - k]).exp();
            ways * weight(k, share) * weight(trials - k, 1.0 - share)
        })
        .collect()
}

/// Fails when a rate exceeds its bound by more than three standard errors of a simulation of so many runs.
fn at_most(rate: f64, bound: f64, runs: u32) {
    let error = (bound * (1.0 - bound) / f64::from(runs)).sqrt();
    assert!(rate <= bound + 3.0 * error, "a rate of {rate} exceeds {bound}");
}

#[test]
fn clopper_pearson_covers_every_proportion_and_wilson_most() {
    for trials in [10_usize, 59, 200] {
        let intervals = |method: fn(Proportion, f64) -> _| -> Vec<Interval> {
            (0..=trials as u64)
                .map(|k| {
                    let found: Result<Interval, _> = method(Proportion::new(k, trials as u64).unwrap(), 0.95);
                    found.unwrap()
                })
                .collect()
        };
        let (exact, score) = (intervals(clopper_pearson), intervals(wilson));
        let (mut exact_least, mut score_sum) = (1.0_f64, 0.0);
        for step in 1..400 {
            let share = f64::from(step) / 400.0;
            let probabilities = binomial(trials, share);
            let covered = |intervals: &[Interval]| -> f64 {
                intervals
                    .iter()
                    .zip(&probabilities)
                    .filter(|(interval, _)| interval.contains(share))
                    .map(|(_, probability)| probability)
                    .sum()
            };
            exact_least = exact_least.min(covered(&exact));
            score_sum += covered(&score) / 399.0;
        }
        println!("n={trials}: Clopper-Pearson least {exact_least:.4}, Wilson mean {score_sum:.4}");
        assert!(exact_least >= 0.95 - 1e-9);
        assert!((score_sum - 0.95).abs() < 0.01);
    }
}

#[test]
fn newcombe_covers_differences_of_shares() {
    for (n0, n1) in [(30_usize, 30_usize), (100, 40)] {
        let intervals: Vec<Vec<Interval>> = (0..=n0 as u64)
            .map(|k0| {
                let baseline = Proportion::new(k0, n0 as u64).unwrap();
                (0..=n1 as u64)
                    .map(|k1| {
                        let current = Proportion::new(k1, n1 as u64).unwrap();
                        newcombe(baseline, current, 0.95).unwrap()
                    })
                    .collect()
            })
            .collect();
        let (mut least, mut sum, mut count) = (1.0_f64, 0.0, 0.0);
        for step0 in 1..20 {
            for step1 in 1..20 {
                let (p0, p1) = (f64::from(step0) / 20.0, f64::from(step1) / 20.0);
                let (first, second) = (binomial(n0, p0), binomial(n1, p1));
                let mut covered = 0.0;
                for (row, weight) in intervals.iter().zip(&first) {
                    for (interval, other) in row.iter().zip(&second) {
                        covered += if interval.contains(p1 - p0) { weight * other } else { 0.0 };
                    }
                }
                least = least.min(covered);
                sum += covered;
                count += 1.0;
            }
        }
        println!("n={n0},{n1}: Newcombe mean {:.4}, least {least:.4}", sum / count);
        assert!(sum / count > 0.945 && least > 0.92);
    }
}

/// Calls `visit` with every outcome of `n` paired binary cases and its probability.
fn outcomes(n: usize, win: f64, loss: f64, mut visit: impl FnMut(Discordance, f64)) {
    let table = log_factorials(n);
    let weight = |count: usize, share: f64| if count == 0 { 1.0 } else { share.powi(count as i32) };
    for wins in 0..=n {
        for losses in 0..=(n - wins) {
            let same = n - wins - losses;
            let ways = (table[n] - table[wins] - table[losses] - table[same]).exp();
            let probability = ways * weight(wins, win) * weight(losses, loss) * weight(same, 1.0 - win - loss);
            visit(Discordance { losses: losses as u64, wins: wins as u64 }, probability);
        }
    }
}

#[test]
fn tango_covers_paired_differences() {
    for n in [20_usize, 60] {
        let (mut least, mut sum, mut count) = (1.0_f64, 0.0, 0.0);
        let interval = |discordance| tango(discordance, n as u64, 0.95).unwrap();
        let mut table = std::collections::BTreeMap::new();
        outcomes(n, 0.1, 0.1, |seen, _| {
            table.insert((seen.wins, seen.losses), interval(seen));
        });
        for (win, loss) in [(0.01, 0.01), (0.05, 0.05), (0.02, 0.12), (0.1, 0.2), (0.3, 0.3), (0.0, 0.1), (0.4, 0.1)] {
            let mut covered = 0.0;
            outcomes(n, win, loss, |seen, probability| {
                if table[&(seen.wins, seen.losses)].contains(win - loss) {
                    covered += probability;
                }
            });
            least = least.min(covered);
            sum += covered;
            count += 1.0;
        }
        println!("n={n}: Tango mean {:.4}, least {least:.4}", sum / count);
        assert!(sum / count > 0.945 && least > 0.92);
    }
}

#[test]
fn verdicts_on_binary_cases_err_at_most_as_often_as_alpha() {
    let (alpha, margin) = (0.05, 0.1);
    for n in [40_usize, 100, 200] {
        let (mut passed, mut regressed) = (0.0_f64, 0.0_f64);
        let mut verdicts = std::collections::BTreeMap::new();
        outcomes(n, 0.1, 0.1, |seen, _| {
            let interval = tango(seen, n as u64, 1.0 - 2.0 * alpha).unwrap();
            let verdict = Margin::new(margin).unwrap().decide(&interval).verdict;
            verdicts.insert((seen.wins, seen.losses), verdict);
        });
        for win in [0.0, 0.01, 0.03, 0.1, 0.25] {
            let rate = |loss: f64, wrong: Verdict| {
                let mut sum = 0.0;
                outcomes(n, win, loss, |seen, probability| {
                    if verdicts[&(seen.wins, seen.losses)] == wrong {
                        sum += probability;
                    }
                });
                sum
            };
            passed = passed.max(rate(win + margin, Verdict::Pass));
            regressed = regressed.max(rate(win, Verdict::Regressed));
        }
        println!("n={n}: binary, largest false pass {passed:.4}, false regressed {regressed:.4}");
        // A score interval is approximate; exact sums show how far. Discreteness costs up to a point here.
        assert!(passed <= alpha + 0.01 && regressed <= alpha + 0.01);
    }
}

/// Returns the shares of false passes (true loss = margin) and of false regressions (no loss) over simulated comparisons.
fn error_rates(runs: u32, margin: f64, mut draw: impl FnMut(&mut SplitMix64, f64) -> Vec<PairedCase>) -> (f64, f64) {
    let range = MetricRange::new(-10.0, 10.0).unwrap();
    let margin = Margin::new(margin).unwrap();
    let mut random = SplitMix64::new(42);
    let mut rate = |loss: f64, wrong: Verdict| {
        let mut count = 0;
        for _ in 0..runs {
            let comparison = compare_paired(&draw(&mut random, loss), range, 0.05).unwrap();
            count += u32::from(margin.decide(&comparison.interval).verdict == wrong);
        }
        f64::from(count) / f64::from(runs)
    };
    (rate(margin.value(), Verdict::Pass), rate(0.0, Verdict::Regressed))
}

#[test]
fn verdicts_on_graded_cases_err_at_most_as_often_as_alpha() {
    for n in [20, 100] {
        let runs = 6000;
        let (passed, regressed) = error_rates(runs, 0.05, |random, loss| {
            let mut case = || {
                let parent = random.unit();
                let candidate = parent - loss + 0.1 * normal(random);
                PairedCase::new(parent, candidate)
            };
            (0..n).map(|_| case()).collect()
        });
        println!("n={n}: graded, false pass {passed:.4}, false regressed {regressed:.4}");
        at_most(passed, 0.05, runs);
        at_most(regressed, 0.05, runs);
    }
}

#[test]
fn verdicts_on_clusters_err_about_as_often_as_alpha() {
    let runs = 4000;
    let (passed, regressed) = error_rates(runs, 0.1, |random, loss| {
        let mut cases = Vec::new();
        for cluster in 0..25 {
            let shared = 0.2 * normal(random);
            for _ in 0..=random.below(5) {
                let candidate = shared - loss + 0.1 * normal(random);
                cases.push(PairedCase { cluster: Some(cluster), ..PairedCase::new(0.0, candidate) });
            }
        }
        cases
    });
    println!("25 clusters: false pass {passed:.4}, false regressed {regressed:.4}");
    // The sandwich is known to be a little too narrow for few clusters of unequal size.
    at_most(passed, 0.06, runs);
    at_most(regressed, 0.06, runs);
}

#[test]
fn rare_large_losses_of_a_graded_metric_are_the_known_weak_spot() {
    // One case in twenty loses a point and no other moves: few losses make both the mean and its error small.
    let runs = 4000;
    let rates: Vec<f64> = [40, 200, 1000]
        .into_iter()
        .map(|n| {
            let (passed, _) = error_rates(runs, 0.05, |random, loss| {
                let mut case = || {
                    let lost = if random.unit() < loss { 1.0 } else { 0.0 };
                    PairedCase::new(0.5, 0.5 - lost)
                };
                (0..n).map(|_| case()).collect()
            });
            println!("n={n}: graded, rare losses of a whole point, false pass {passed:.4}");
            passed
        })
        .collect();
    // Stated in the documentation, and improving with size; a change for the worse is noticed here.
    assert!(rates[0] < 0.16 && rates[1] < 0.12 && rates[2] < 0.08, "{rates:?}");
}

#[test]
fn quantities_that_are_alike_are_rarely_called_worse() {
    let runs = 500;
    let tails = |mut difference: Box<dyn FnMut(&mut SplitMix64) -> f64>| {
        let mut random = SplitMix64::new(31);
        let (mut alarms, mut of_bootstrap, mut beyond) = (0, 0, 0);
        for _ in 0..runs {
            let case = |change: f64| PairedCase { parent: 10.0, candidate: 10.0 + change, cluster: None, weight: 1.0 };
            let cases: Vec<PairedCase> = (0..50).map(|_| case(difference(&mut random))).collect();
            let found = compare_quantity(&cases, Scale::Difference, 0.01, 1).unwrap();
            assert_eq!(found.method, PairedMethod::Bca);
            alarms += u32::from(found.p_upper < 0.01);
            of_bootstrap += u32::from(found.interval.low > 0.0);
            // What is called worse is so by the interval as well.
            beyond += u32::from(found.p_upper < 0.01 && found.interval.low <= 0.0);
        }
        assert_eq!(beyond, 0);
        (f64::from(alarms) / f64::from(runs), f64::from(of_bootstrap) / f64::from(runs))
    };
    // Log-normal costs of both versions.
    let alike = tails(Box::new(|random| normal(random).exp() - normal(random).exp()));
    // Savings that are rare and large, so that fifty cases have not seen them: the known weak spot.
    let skewed = tails(Box::new(|random| 0.5_f64.exp() - normal(random).exp()));
    println!("log-normal, n = 50, called worse at 1 %, by the bootstrap alone: alike {alike:?}, skewed {skewed:?}");
    at_most(alike.0, 0.01, runs);
    assert!(alike.1 > alike.0, "{alike:?}");
    at_most(skewed.0, 0.06, runs);
}

#[test]
fn sign_flips_keep_their_level() {
    let (runs, mut hits, mut random) = (2000, 0, SplitMix64::new(3));
    for run in 0..runs {
        let differences: Vec<f64> = (0..16).map(|_| normal(&mut random)).collect();
        let test = sign_flip(&differences, None, 199, u64::from(run)).unwrap();
        hits += u32::from(test.worse <= 0.05);
    }
    let rate = f64::from(hits) / f64::from(runs);
    println!("sign flips: {rate:.4} below 0.05");
    at_most(rate, 0.05, runs);
    assert!(rate > 0.03);
}

#[test]
fn differences_of_means_and_medians_cover() {
    for (n0, n1) in [(50, 50), (300, 60)] {
        let (runs, mut mean_hits, mut median_hits) = (3000, 0, 0);
        let mut random = SplitMix64::new(11);
        let mut draw =
            |count: usize, scale: f64| -> Vec<f64> { (0..count).map(|_| scale * (0.8 * normal(&mut random)).exp()).collect() };
        // Log-normal latencies and costs: median `scale`, mean `scale * exp(0.8²/2)`.
        let (median, mean) = (0.5, 0.5 * 0.32_f64.exp());
        for _ in 0..runs {
            let (baseline, current) = (draw(n0, 1.0), draw(n1, 1.5));
            let (first, second) = (MeanEstimate::of(&baseline).unwrap(), MeanEstimate::of(&current).unwrap());
            let interval = mean_difference(&first, &second, 0.95).unwrap();
            mean_hits += u32::from(!interval.contains(mean));
            let first = SortedSample::new(baseline).unwrap();
            let second = SortedSample::new(current).unwrap();
            let interval = quantile_difference(&first, &second, 0.5, 0.95).unwrap();
            median_hits += u32::from(!interval.contains(median));
        }
        let missed = |hits: u32| f64::from(hits) / f64::from(runs);
        let (mean, median) = (missed(mean_hits), missed(median_hits));
        println!("n={n0},{n1}: log-normal, Welch misses {mean:.4}, medians miss {median:.4}");
        at_most(mean, 0.07, runs);
        at_most(median, 0.05, runs);
    }
}

#[test]
fn clustered_shares_keep_their_level_where_independent_ones_do_not() {
    let (runs, mut clustered_hits, mut plain_hits) = (2000, 0, 0);
    let mut random = SplitMix64::new(5);
    let mut window = || {
        let (mut successes, mut clusters) = (Vec::new(), Vec::new());
        for cluster in 0..40 {
            let tendency = if random.unit() < 0.3 { 0.8 } else { 0.05 };
            for _ in 0..=random.below(6) {
                successes.push(random.unit() < tendency);
                clusters.push(cluster);
            }
        }
        ClusteredShare::of(&successes, &clusters).unwrap()
    };
    for _ in 0..runs {
        let (baseline, current) = (window(), window());
        let interval = newcombe_clustered(&baseline, &current, 0.95).unwrap();
        clustered_hits += u32::from(!interval.contains(0.0));
        let interval = newcombe(baseline.proportion, current.proportion, 0.95).unwrap();
        plain_hits += u32::from(!interval.contains(0.0));
    }
    let (clustered, plain) = (f64::from(clustered_hits) / f64::from(runs), f64::from(plain_hits) / f64::from(runs));
    println!("40 sessions a side: false alarms {clustered:.4}, ignoring sessions {plain:.4}");
    at_most(clustered, 0.05, runs);
    assert!(plain > 0.15);
}
