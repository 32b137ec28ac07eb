//! The sign-flip permutation test of paired differences.

use std::collections::BTreeMap;

use crate::error::{StatsError, check_finite};
use crate::random::SplitMix64;

/// Holds the p-values of a sign-flip test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignFlip {
    /// Probability of a mean difference at most as large as the one seen.
    pub worse: f64,
    /// Probability of a mean difference at least as large as the one seen.
    pub better: f64,
    /// Probability of a mean difference at least as far from zero as the one seen.
    pub two_sided: f64,
    /// Whether every assignment of signs was counted; otherwise they were drawn.
    pub exact: bool,
}

/// Tests whether paired differences are symmetric around zero by flipping the sign of each cluster.
///
/// Clusters keep their differences together; without `clusters` each difference is its own. When all `2^units` assignments are
/// no more than `draws` all are counted and the p-values are exact; otherwise `draws` are drawn with `seed` and `p = (1 +
/// hits) / (draws + 1)`, which keeps the level exactly (B. Phipson, G. K. Smyth, 2010). The same seed gives the same answer.
///
/// # Errors
/// [`StatsError::TooFew`] without differences or without draws, [`StatsError::Lengths`] when the slices differ in length,
/// [`StatsError::NotFinite`] on infinities and NaN.
pub fn sign_flip(differences: &[f64], clusters: Option<&[u32]>, draws: u32, seed: u64) -> Result<SignFlip, StatsError> {
    check_finite(differences)?;
    if differences.is_empty() || draws == 0 {
        let given = differences.len().min(draws as usize);
        return Err(StatsError::TooFew { needed: 1, given });
    }
    let sums = match clusters {
        None => differences.to_vec(),
        Some(clusters) => cluster_sums(differences, clusters)?,
    };
    let seen: f64 = sums.iter().sum();
    // Equal sums in another order differ by rounding; they are ties, not extremes.
    let tie = 1e-12 * sums.iter().map(|sum| sum.abs()).sum::<f64>();
    let mut hits = [0_u32; 3];
    let mut count = |flipped: f64| {
        hits[0] += u32::from(flipped <= seen + tie);
        hits[1] += u32::from(flipped >= seen - tie);
        hits[2] += u32::from(flipped.abs() >= seen.abs() - tie);
    };
    let exact = sums.len() < 31 && 1_u32 << sums.len() <= draws;
    let (added, total) = if exact {
        let assignments = 1_u32 << sums.len();
        (0..assignments).for_each(|signs| count(flip(&sums, |unit| signs >> unit & 1 == 1)));
        (0.0, assignments)
    } else {
        let mut random = SplitMix64::new(seed);
        for _ in 0..draws {
            let mut bits = 0;
            count(flip(&sums, |unit| {
                if unit % 64 == 0 {
                    bits = random.bits();
                }
                bits >> (unit % 64) & 1 == 1
            }));
        }
        (1.0, draws)
    };
    let share = |hits: u32| (f64::from(hits) + added) / (f64::from(total) + added);
    let [worse, better, two_sided] = hits.map(share);
    Ok(SignFlip { worse, better, two_sided, exact })
}

/// Adds up the values with their signs, the flipped ones negated.
fn flip(sums: &[f64], mut flipped: impl FnMut(usize) -> bool) -> f64 {
    sums.iter().enumerate().map(|(unit, sum)| if flipped(unit) { -sum } else { *sum }).sum()
}

fn cluster_sums(differences: &[f64], clusters: &[u32]) -> Result<Vec<f64>, StatsError> {
    if differences.len() != clusters.len() {
        return Err(StatsError::Lengths { left: differences.len(), right: clusters.len() });
    }
    let mut sums: BTreeMap<u32, f64> = BTreeMap::new();
    for (difference, cluster) in differences.iter().zip(clusters) {
        *sums.entry(*cluster).or_default() += difference;
    }
    Ok(sums.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_equal_losses_are_one_assignment_in_thirty_two() {
        let test = sign_flip(&[-0.2; 5], None, 10_000, 1).unwrap();
        assert!(test.exact);
        assert_eq!((test.worse, test.better, test.two_sided), (1.0 / 32.0, 1.0, 2.0 / 32.0));
    }

    #[test]
    fn drawing_approaches_counting() {
        let differences: Vec<f64> = (0..14).map(|i| f64::from(i % 5) - 1.3).collect();
        let counted = sign_flip(&differences, None, 1 << 14, 7).unwrap();
        let drawn = sign_flip(&differences, None, (1 << 14) - 1, 7).unwrap();
        assert!(counted.exact && !drawn.exact);
        assert!((counted.better - drawn.better).abs() < 0.01, "{counted:?} {drawn:?}");
        assert_eq!(drawn, sign_flip(&differences, None, (1 << 14) - 1, 7).unwrap());
        assert_ne!(drawn, sign_flip(&differences, None, (1 << 14) - 1, 8).unwrap());
    }

    #[test]
    fn copies_in_a_cluster_add_no_evidence() {
        let clusters: Vec<u32> = (0..40).map(|row| row / 10).collect();
        let test = sign_flip(&[1.0; 40], Some(&clusters), 10_000, 1).unwrap();
        assert_eq!(test.better, 1.0 / 16.0);
        let alone = sign_flip(&[1.0; 40], None, 10_000, 1).unwrap();
        assert!(alone.better < 0.001);
    }

    #[test]
    fn refuses_what_it_cannot_answer() {
        assert_eq!(sign_flip(&[], None, 9, 1), Err(StatsError::TooFew { needed: 1, given: 0 }));
        assert_eq!(sign_flip(&[1.0], None, 0, 1), Err(StatsError::TooFew { needed: 1, given: 0 }));
        let error = sign_flip(&[1.0, 2.0], Some(&[1]), 9, 1).unwrap_err();
        assert_eq!(error, StatsError::Lengths { left: 2, right: 1 });
    }
}
