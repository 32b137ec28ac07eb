//! McNemar's exact test of paired binary outcomes.

use crate::special::binomial_cdf;

/// Counts the cases of a paired binary comparison in which parent and candidate differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discordance {
    /// Cases that the parent passes and the candidate fails.
    pub losses: u64,
    /// Cases that the candidate passes and the parent fails.
    pub wins: u64,
}

/// Holds the p-values of McNemar's exact test.
///
/// They say how surprising the discordant cases are if both sides were equally good. A large value is *not* evidence that
/// nothing regressed: for that, see [`crate::Margin`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// Probability of at least this many losses if losses and wins are equally likely.
    pub worse: f64,
    /// Probability of at least this many wins if losses and wins are equally likely.
    pub better: f64,
    /// Probability of an imbalance at least this large either way; at most 1.
    pub two_sided: f64,
}

/// Computes McNemar's exact test: given the discordant cases, losses are binomial with probability one half.
///
/// `worse = P(Bin(b+c, 1/2) >= b)` with `b` losses and `c` wins; two-sided is twice the smaller tail. All are 1 without
/// discordant cases. Source: Q. McNemar, Psychometrika 12, 1947; `statsmodels.stats.contingency_tables.mcnemar(exact=True)`.
#[must_use]
pub fn mcnemar_exact(discordance: Discordance) -> McNemar {
    let Discordance { losses, wins } = discordance;
    let total = losses + wins;
    // P(X >= losses) = P(total - X <= wins), and X and total - X have the same distribution.
    let worse = binomial_cdf(wins, total, 0.5);
    let better = binomial_cdf(losses, total, 0.5);
    McNemar { worse, better, two_sided: (2.0 * worse.min(better)).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_losses_to_none_is_the_textbook_case() {
        let test = mcnemar_exact(Discordance { losses: 5, wins: 0 });
        assert!((test.worse - 0.03125).abs() < 1e-15);
        assert!((test.two_sided - 0.0625).abs() < 1e-15);
        assert_eq!(test.better, 1.0);
    }

    #[test]
    fn no_discordant_case_says_nothing() {
        let test = mcnemar_exact(Discordance { losses: 0, wins: 0 });
        assert_eq!((test.worse, test.better, test.two_sided), (1.0, 1.0, 1.0));
    }

    #[test]
    fn agresti_approval_ratings() {
        // A. Agresti, *Categorical Data Analysis*: 1,600 voters, 150 changed to disapproval, 86 to approval.
        let test = mcnemar_exact(Discordance { losses: 150, wins: 86 });
        assert!((test.two_sided - 3.716e-5).abs() < 5e-9, "{test:?}");
    }
}
