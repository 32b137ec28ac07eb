//! Simulations of what the gate's methods hold, by any number of runs: few in a test, many for the documentation.

#![allow(clippy::unwrap_used, reason = "arguments are constants")]

use promptops_stats::{
    BettingSequence, Discordance, Interval, Margin, MeanEstimate, PairedCase, PairedMethod, Scale, SplitMix64, Unit, Verdict,
    asymptotic_sequence, bca, compare_quantity, tango,
};

/// Draws a standard normal value by the method of Box and Muller.
pub fn normal(random: &mut SplitMix64) -> f64 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

/// How often something came true, and of how many runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub hits: u32,
    pub runs: u32,
}

impl Rate {
    pub fn share(self) -> f64 {
        f64::from(self.hits) / f64::from(self.runs)
    }

    /// Tells whether the share is no more than three standard errors above a bound.
    #[allow(dead_code, reason = "tests hold bounds, the example writes figures")]
    pub fn is_at_most(self, bound: f64) -> bool {
        self.share() <= bound + 3.0 * (bound * (1.0 - bound) / f64::from(self.runs)).sqrt()
    }
}

pub fn rate(runs: u32, mut comes_true: impl FnMut(u32) -> bool) -> Rate {
    Rate { hits: (0..runs).map(|run| u32::from(comes_true(run))).sum(), runs }
}

/// One case of two versions that pass or fail: 1 where the candidate wins, -1 where it loses.
fn difference(random: &mut SplitMix64, wins: f64, losses: f64) -> f64 {
    let drawn = random.unit();
    if drawn < wins {
        1.0
    } else if drawn < wins + losses {
        -1.0
    } else {
        0.0
    }
}

/// How often a candidate that is worse by just the margin passes, by Tango's interval: the worst of several win rates, exact.
pub fn tango_false_pass(cases: u64, margin: f64, alpha: f64) -> f64 {
    let mut log_factorials = vec![0.0];
    for n in 1..=cases {
        log_factorials.push(log_factorials[n as usize - 1] + (n as f64).ln());
    }
    let power = |share: f64, count: u64| if count == 0 { 0.0 } else { count as f64 * share.ln() };
    let mut worst = 0.0_f64;
    for wins in [0.005, 0.01, 0.03, 0.1, 0.25] {
        let losses = wins + margin;
        let mut passed = 0.0;
        for won in 0..=cases {
            for lost in 0..=(cases - won) {
                let same = cases - won - lost;
                let ways = log_factorials[cases as usize]
                    - log_factorials[won as usize]
                    - log_factorials[lost as usize]
                    - log_factorials[same as usize];
                let logarithm = ways + power(wins, won) + power(losses, lost) + power(1.0 - wins - losses, same);
                if logarithm < -40.0 {
                    continue;
                }
                let interval = tango(Discordance { losses: lost, wins: won }, cases, 1.0 - 2.0 * alpha).unwrap();
                if Margin::new(margin).unwrap().decide(&interval).verdict == Verdict::Pass {
                    passed += logarithm.exp();
                }
            }
        }
        worst = worst.max(passed);
    }
    worst
}

/// How often an ordinary 95 % interval around no difference excludes zero at least once, when it is looked at after every `step`
/// cases, from 20 on.
pub fn false_alarms_of_peeking(runs: u32, cases: usize, step: usize) -> Rate {
    rate(runs, |run| {
        let mut random = SplitMix64::new(u64::from(run));
        let (mut sum, mut squares) = (0.0, 0.0);
        for seen in 1..=cases {
            let value = difference(&mut random, 0.15, 0.15);
            sum += value;
            squares += value * value;
            let looks = seen >= 20 && seen % step == 0;
            let (count, mean) = (seen as f64, sum / seen as f64);
            let error = ((squares / count - mean * mean) / (count - 1.0)).sqrt();
            if looks && (mean / error).abs() > 1.959_964 {
                return true;
            }
        }
        false
    })
}

/// The same for the betting sequence, on one side at `alpha`, looked at after every case.
pub fn false_alarms_of_betting(runs: u32, cases: usize, alpha: f64) -> Rate {
    rate(runs, |run| {
        let mut random = SplitMix64::new(u64::from(run));
        let mut sequence = BettingSequence::new(-1.0, 1.0, alpha, cases, 1.0).unwrap();
        let mut worse = sequence.below(0.0);
        for _ in 0..cases {
            sequence.push(Unit { sum: difference(&mut random, 0.15, 0.15), weight: 1.0 }).unwrap();
            worse.advance(&sequence);
        }
        // The largest wealth so far is what any look would have seen.
        worse.p_value() <= alpha
    })
}

/// How often the betting sequence lets a candidate pass that is worse by just the margin, looked at after every case.
pub fn false_passes_of_betting(runs: u32, cases: usize, alpha: f64, margin: f64) -> Rate {
    rate(runs, |run| {
        let mut random = SplitMix64::new(u64::from(run));
        let mut sequence = BettingSequence::new(-1.0, 1.0, alpha, cases, 1.0).unwrap();
        let mut within = sequence.above(-margin);
        for _ in 0..cases {
            sequence.push(Unit { sum: difference(&mut random, 0.05, 0.05 + margin), weight: 1.0 }).unwrap();
            within.advance(&sequence);
        }
        within.p_value() <= alpha
    })
}

/// How much wider than a single look the interval of the betting sequence is at its end, at the same level.
pub fn price_of_betting(runs: u32, cases: usize) -> f64 {
    let ratio = |run: u32| {
        let mut random = SplitMix64::new(u64::from(run));
        let mut sequence = BettingSequence::new(-1.0, 1.0, 0.05, cases, 1.0).unwrap();
        let (mut wins, mut losses) = (0, 0);
        for _ in 0..cases {
            let value = difference(&mut random, 0.05, 0.05);
            wins += u64::from(value > 0.0);
            losses += u64::from(value < 0.0);
            sequence.push(Unit { sum: value, weight: 1.0 }).unwrap();
        }
        let once = tango(Discordance { losses, wins }, cases as u64, 0.9).unwrap();
        sequence.interval().width() / once.width()
    };
    (0..runs).map(ratio).sum::<f64>() / f64::from(runs)
}

/// The share of the cases after which a candidate with so many wins and losses is told apart, the mean over runs, and the share
/// of the runs in which it is.
pub fn stops(runs: u32, cases: usize, margin: f64, (wins, losses): (f64, f64)) -> (f64, Rate) {
    let mut asked = 0;
    let stopped = rate(runs, |run| {
        let mut random = SplitMix64::new(u64::from(run));
        let mut sequence = BettingSequence::new(-1.0, 1.0, 0.025, cases, 1.0).unwrap();
        let (mut within, mut worse) = (sequence.above(-margin), sequence.below(0.0));
        for seen in 1..=cases {
            sequence.push(Unit { sum: difference(&mut random, wins, losses), weight: 1.0 }).unwrap();
            within.advance(&sequence);
            worse.advance(&sequence);
            if within.p_value() <= 0.025 || worse.p_value() <= 0.005 {
                asked += seen;
                return true;
            }
        }
        asked += cases;
        false
    });
    (asked as f64 / f64::from(runs) / cases as f64, stopped)
}

/// How often an asymptotic confidence sequence around log-normal quantities ever misses their mean, from 50 units on.
pub fn misses_of_asymptotic(runs: u32, units: usize) -> Rate {
    let mean = 0.125_f64.exp();
    rate(runs, |run| {
        let mut random = SplitMix64::new(u64::from(run));
        let mut values = Vec::new();
        for _ in 0..units {
            values.push((0.5 * normal(&mut random)).exp());
            if values.len() >= 50 && values.len() % 10 == 0 {
                let estimate = MeanEstimate::of(&values).unwrap();
                if !asymptotic_sequence(&estimate, 0.05, units / 2).unwrap().contains(mean) {
                    return true;
                }
            }
        }
        false
    })
}

/// How often the upper end of a 90 % interval for the ratio of two costs is too low (so that a dearer candidate would pass),
/// by the bootstrap and by Student's t: costs are log-normal, and the candidate's depend on the parent's.
pub fn ratio_too_low(runs: u32, cases: usize) -> (Rate, Rate) {
    let truth = 0.1;
    let draw = |run: u32| -> Vec<PairedCase> {
        let mut random = SplitMix64::new(u64::from(run));
        let case = |random: &mut SplitMix64| {
            let parent = normal(random).exp();
            let noise = (0.6 * normal(random) - 0.18).exp();
            PairedCase::new(parent, (1.0 + truth) * parent * noise)
        };
        (0..cases).map(|_| case(&mut random)).collect()
    };
    let by_bootstrap = rate(runs, |run| {
        let found = compare_quantity(&draw(run), Scale::Ratio, 0.05, 1).unwrap();
        assert_eq!(found.method, PairedMethod::Bca);
        found.interval.high < truth
    });
    let by_student = rate(runs, |run| {
        let units: Vec<Unit> =
            draw(run).iter().map(|case| Unit { sum: case.candidate - case.parent, weight: case.parent }).collect();
        let interval: Interval = promptops_stats::ratio_of_sums(&units).unwrap().interval(0.9).unwrap();
        interval.high < truth
    });
    (by_bootstrap, by_student)
}

/// How often the 95 % BCa interval of a skewed mean misses it.
pub fn bca_misses(runs: u32, cases: usize) -> Rate {
    let mean = 0.5_f64.exp();
    rate(runs, |run| {
        let mut random = SplitMix64::new(u64::from(run));
        let units: Vec<Unit> = (0..cases).map(|_| Unit { sum: normal(&mut random).exp(), weight: 1.0 }).collect();
        !bca(&units, 999, 1, 0.95).unwrap().interval.contains(mean)
    })
}
