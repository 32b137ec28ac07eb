//! Statistics of evaluations and drift: intervals, paired comparisons, power.
