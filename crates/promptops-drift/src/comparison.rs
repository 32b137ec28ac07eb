//! What a comparison says.

use std::fmt;

use chrono::{DateTime, Utc};
use promptops_stats::{Divergence, Interval, StatsError};

use crate::ledger::LedgerEntry;

/// Holds what changed from one window of invocations to another, and how sure that is.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The window compared with.
    pub baseline: Window,
    /// The window in question.
    pub current: Window,
    /// Probability of one or more false calls among the signals.
    pub alpha: f64,
    /// Signals that were tested; those without data enough are listed but not tested.
    pub tested: usize,
    /// Every signal, in a fixed order: outcomes, labels, lengths and tokens, cost, latency, scores.
    pub signals: Vec<Signal>,
    /// Latency above which a call counts as slow, milliseconds; absent without latencies in the baseline.
    pub slow_above_ms: Option<f64>,
    /// Distance between the label distributions, pooled as the label signals are; for display only.
    pub label_divergence: Option<Divergence>,
    /// Values that the calls were made with, field by field, with their shares in both windows.
    pub ledger: Vec<LedgerEntry>,
}

impl Comparison {
    /// Returns the signals that count as changed.
    pub fn changed(&self) -> impl Iterator<Item = &Signal> {
        self.signals.iter().filter(|signal| signal.outcome == Outcome::Changed)
    }

    /// Returns the signal of that name.
    #[must_use]
    pub fn signal(&self, name: &SignalName) -> Option<&Signal> {
        self.signals.iter().find(|signal| signal.name == *name)
    }

    /// Returns the ledger entries whose sets of values differ between the windows.
    pub fn ledger_changes(&self) -> impl Iterator<Item = &LedgerEntry> {
        self.ledger.iter().filter(|entry| entry.differs())
    }
}

/// Describes one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Invocations.
    pub rows: usize,
    /// Independent units: distinct sessions, and rows without one.
    pub units: usize,
    /// Time of the first invocation, UTC.
    pub first: DateTime<Utc>,
    /// Time of the last invocation, UTC.
    pub last: DateTime<Utc>,
}

/// Names one of the two windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowName {
    /// The window compared with.
    Baseline,
    /// The window in question.
    Current,
}

impl fmt::Display for WindowName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Baseline => "baseline",
            Self::Current => "current",
        })
    }
}

/// Holds what the windows say about one signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// What is measured.
    pub name: SignalName,
    /// The baseline's side.
    pub baseline: Side,
    /// The current window's side.
    pub current: Side,
    /// Current value less baseline value; absent when either window has none.
    pub difference: Option<f64>,
    /// Interval of the true difference; absent when the signal was not tested or is constant in both windows.
    ///
    /// Its level is the one the signal was tested at, `1 - alpha / k` with `k` the signals that were still undecided in Holm's
    /// procedure. An end may be infinite where the windows are too small for that level.
    pub interval: Option<Interval>,
    /// Probability of a difference at least as large without drift, for this signal alone; never given below 1e-12.
    pub p_value: Option<f64>,
    /// Whether the signal changed.
    pub outcome: Outcome,
    /// Method behind the interval; absent when the signal was not tested.
    pub method: Option<Method>,
    /// Distances between the binned values (ten bins by the baseline's deciles, or two for shares); for display only.
    pub divergence: Option<Divergence>,
}

/// Holds one window's side of a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side {
    /// Rows with a value.
    pub rows: usize,
    /// Rows that could have a value and have none: every row for the error share, answered rows for all else.
    pub missing: usize,
    /// Independent units among the rows with a value.
    pub units: usize,
    /// The value, in the signal's [`Unit`]; absent without rows.
    pub value: Option<f64>,
}

/// Says whether a signal changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The data show a change: the interval excludes zero, or two constants differ.
    Changed,
    /// The data show no change. The interval says how much change they leave open.
    NotShown,
    /// The data do not suffice to test the signal.
    Insufficient(Shortage),
}

/// Says what is missing for a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shortage {
    /// Fewer rows with a value than the method needs, in either window.
    Rows {
        /// Rows that each window needs.
        needed: usize,
    },
    /// Fewer independent units than the method needs, in either window.
    Units {
        /// Units that each window needs.
        needed: usize,
    },
}

/// Names what is measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalName {
    /// Share of all calls that ended in an error.
    ErrorShare,
    /// Share of outputs that conform to the output schema.
    ValidShare,
    /// Share of outputs that are refusals.
    RefusalShare,
    /// Share of outputs with this label.
    Label(String),
    /// Share of outputs with a label that is too rare to be a signal of its own.
    OtherLabels,
    /// Mean length of the output, characters.
    OutputLength,
    /// Mean number of input tokens.
    InputTokens,
    /// Mean number of output tokens.
    OutputTokens,
    /// Mean cost of a call, US dollars.
    Cost,
    /// Share of calls slower than the baseline's quantile; see [`Comparison::slow_above_ms`].
    SlowShare,
    /// Median latency, milliseconds.
    LatencyMedian,
    /// Mean of this score.
    Score(String),
}

impl SignalName {
    /// Returns the kind of signal, as JSON and reports name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ErrorShare => "error_share",
            Self::ValidShare => "valid_share",
            Self::RefusalShare => "refusal_share",
            Self::Label(_) => "label_share",
            Self::OtherLabels => "other_label_share",
            Self::OutputLength => "output_length",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Cost => "cost_usd",
            Self::SlowShare => "slow_share",
            Self::LatencyMedian => "latency_median_ms",
            Self::Score(_) => "score",
        }
    }

    /// Returns the label or the score that the signal is about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Label(name) | Self::Score(name) => Some(name),
            _ => None,
        }
    }

    /// Returns the unit of value, difference and interval.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        match self {
            Self::ErrorShare | Self::ValidShare | Self::RefusalShare | Self::Label(_) | Self::OtherLabels | Self::SlowShare => {
                Unit::Share
            }
            Self::OutputLength => Unit::Characters,
            Self::InputTokens | Self::OutputTokens => Unit::Tokens,
            Self::Cost => Unit::Dollars,
            Self::LatencyMedian => Unit::Milliseconds,
            Self::Score(_) => Unit::Score,
        }
    }
}

/// Names the unit of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A share from 0 to 1.
    Share,
    /// Characters (Unicode scalar values).
    Characters,
    /// Tokens as the provider counts them.
    Tokens,
    /// US dollars.
    Dollars,
    /// Milliseconds.
    Milliseconds,
    /// Whatever the score is in.
    Score,
}

/// Names the method behind an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Newcombe's hybrid score interval of two independent shares.
    Newcombe,
    /// Newcombe's interval with effective numbers of rows, as rows share sessions.
    NewcombeClustered,
    /// Welch's interval of two means.
    Welch,
    /// Welch's interval with standard errors robust to sessions.
    WelchClustered,
    /// Order statistics of both medians, combined.
    OrderStatistics,
    /// Woodruff's interval of both medians with standard errors robust to sessions, combined.
    Woodruff,
    /// Each window holds one value only: no interval can be given, and a difference is tested by permutation.
    Constant,
}

impl Method {
    /// Returns the name that JSON and reports use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newcombe => "newcombe",
            Self::NewcombeClustered => "newcombe_clustered",
            Self::Welch => "welch",
            Self::WelchClustered => "welch_clustered",
            Self::OrderStatistics => "order_statistics",
            Self::Woodruff => "woodruff",
            Self::Constant => "constant",
        }
    }
}

/// Says why two windows cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DriftError {
    /// A window holds no invocation: choose other bounds or filters.
    #[error("a window holds no invocation: `{0}`")]
    EmptyWindow(WindowName),
    /// The error rate is out of range.
    #[error("alpha lies strictly between 0 and 0.5, not at `{0}`")]
    Alpha(f64),
    /// The latency quantile is out of range.
    #[error("the latency quantile lies strictly between 0 and 1, not at `{0}`")]
    LatencyQuantile(f64),
    /// A minimum size is below what any method needs.
    #[error("a minimum number of rows or units is at least 2, not `{0}`")]
    Minimum(usize),
    /// A method refused data that it should have taken: a bug to report.
    #[error("a statistic could not be computed")]
    Statistics(#[from] StatsError),
}
