//! Sampling: a seeded draw among scored choices.

/// Scores are scaled so that the best counts this much before the softmax: at temperature 1 a clear winner mostly wins.
const SHARPNESS: f64 = 4.0;

/// Picks a choice by its score: the best at temperature 0, otherwise a softmax draw that `seed` decides.
///
/// Equal scores at temperature 0 go to the first. Returns `None` when there is no choice.
pub(crate) fn pick(scores: &[f64], temperature: f64, seed: u64) -> Option<usize> {
    let best = best(scores)?;
    if temperature <= 0.0 {
        return Some(best);
    }
    let scale = SHARPNESS / (scores[best].abs().max(1.0) * temperature);
    let weights: Vec<f64> = scores.iter().map(|score| ((score - scores[best]) * scale).exp()).collect();
    let mut rest = unit_interval(seed) * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        rest -= weight;
        if rest < 0.0 {
            return Some(index);
        }
    }
    Some(best)
}

/// Hashes bytes into a seed (FNV-1a, 64 bits), so that a request without a seed is repeatable too.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn best(scores: &[f64]) -> Option<usize> {
    let mut best = None;
    for (index, score) in scores.iter().enumerate() {
        if best.is_none_or(|best: usize| *score > scores[best]) {
            best = Some(index);
        }
    }
    best
}

/// The first output of SplitMix64 as a number in [0, 1), <https://prng.di.unimi.it/splitmix64.c>.
fn unit_interval(seed: u64) -> f64 {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^= state >> 31;
    (state >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_temperature_takes_the_best_and_the_first_of_equals() {
        assert_eq!(pick(&[0.1, 2.0, 1.9], 0.0, 7), Some(1));
        assert_eq!(pick(&[1.0, 1.0], 0.0, 7), Some(0));
        assert_eq!(pick(&[], 0.0, 7), None);
    }

    #[test]
    fn a_seed_decides_and_shares_follow_the_softmax() {
        let scores = [1.0, 0.5];
        assert_eq!(pick(&scores, 1.0, 42), pick(&scores, 1.0, 42));
        let second = (0..4_000).filter(|seed| pick(&scores, 1.0, *seed) == Some(1)).count();
        // exp(-2) / (1 + exp(-2)) = 0.1192; five standard errors are 0.026.
        let share = second as f64 / 4_000.0;
        assert!((share - 0.1192).abs() < 0.026, "share {share}");
    }

    #[test]
    fn heat_flattens_the_draw() {
        let share = |temperature| (0..2_000).filter(|seed| pick(&[2.0, 0.0], temperature, *seed) == Some(1)).count();
        assert!(share(0.2) < share(1.0));
        assert!(share(1.0) < share(2.0));
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
