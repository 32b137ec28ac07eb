//! Statistics of evaluations and drift: intervals, paired comparisons, power.
//!
//! Everything here is a pure function of its arguments: no clock, no ambient randomness, no I/O. Where a method draws
//! random numbers, the seed is an argument and the same seed gives the same answer on every platform.
//!
//! Every interval is two-sided and carries its confidence level. Functions refuse what they cannot answer with a
//! [`StatsError`]; none returns a number that only looks like an answer, such as a zero-width interval for a sample
//! without variation. `docs/concepts/statistics.md` tells which method is used where and what it was measured to hold.

mod special;

mod error;
mod interval;
mod mean;
mod proportion;
mod quantile;
mod unit;

mod bootstrap;
mod mcnemar;
mod paired;
mod permutation;
mod tango;

mod multiplicity;
mod power;
mod verdict;

mod asymptotic;
mod betting;

mod agreement;
mod divergence;
mod random;

pub use agreement::{Calibration, cohens_kappa};
pub use asymptotic::asymptotic_sequence;
pub use betting::{BettingSequence, Wealth};
pub use bootstrap::{Bootstrap, bca, resample};
pub use divergence::{Divergence, divergence};
pub use error::StatsError;
pub use interval::{Interval, hybrid_difference};
pub use mcnemar::{Discordance, McNemar, mcnemar_exact};
pub use mean::{MeanEstimate, mean_difference};
pub use multiplicity::{benjamini_hochberg, holm};
pub use paired::{MetricRange, PairedCase, PairedComparison, PairedMethod, Scale, compare_paired, compare_quantity};
pub use permutation::{SignFlip, sign_flip};
pub use power::{CaseVariance, Sides, minimum_detectable_effect, power, required_cases, required_cases_normal};
pub use proportion::{
    ClusteredShare, Proportion, clopper_pearson, clopper_pearson_upper, newcombe, newcombe_clustered, wilson, wilson_clustered,
};
pub use quantile::{SortedSample, quantile_difference};
pub use random::SplitMix64;
pub use tango::tango;
pub use unit::{Unit, ratio_of_sums};
pub use verdict::{Decision, Margin, Verdict};
