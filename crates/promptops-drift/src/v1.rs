//! The promised JSON form of a comparison, version 1.
//!
//! Names and meanings of fields stay; fields may be added. Absent values are `null`, and so is an end of an interval that is
//! infinite. Times are RFC 3339 in UTC.

use chrono::{DateTime, SecondsFormat, Utc};
use promptops_stats::Divergence;
use serde::{Deserialize, Serialize};

use crate::comparison::{Comparison, Outcome, Shortage, Side, Signal, Unit, Window};
use crate::ledger::{LedgerEntry, LedgerValue};

/// The number that `schema_version` carries.
pub const SCHEMA_VERSION: u32 = 1;

/// A [`Comparison`] as one JSON object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is documented where it is meant, in `Comparison`")]
pub struct ComparisonV1 {
    pub schema_version: u32,
    pub baseline: WindowV1,
    pub current: WindowV1,
    pub alpha: f64,
    pub tested: usize,
    /// Number of signals whose outcome is `changed`.
    pub changed: usize,
    pub signals: Vec<SignalV1>,
    pub slow_above_ms: Option<f64>,
    pub label_divergence: Option<DivergenceV1>,
    pub ledger: Vec<LedgerEntryV1>,
}

/// A [`Window`] as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is documented where it is meant, in `Window`")]
pub struct WindowV1 {
    pub rows: usize,
    pub units: usize,
    pub first: String,
    pub last: String,
}

/// A [`Signal`] as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is documented where it is meant, in `Signal`")]
pub struct SignalV1 {
    /// Kind of signal, such as `error_share` or `label_share`.
    pub signal: String,
    /// Label or score that the signal is about, for kinds that have one.
    pub subject: Option<String>,
    /// `share`, `characters`, `tokens`, `usd`, `ms` or `score`.
    pub unit: String,
    pub baseline: SideV1,
    pub current: SideV1,
    pub difference: Option<f64>,
    pub interval: Option<IntervalV1>,
    pub p_value: Option<f64>,
    /// `changed`, `not_shown` or `insufficient`.
    pub outcome: String,
    /// Why the signal was not tested; only with `insufficient`.
    pub shortage: Option<ShortageV1>,
    pub method: Option<String>,
    pub divergence: Option<DivergenceV1>,
}

/// A [`Side`] as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is documented where it is meant, in `Side`")]
pub struct SideV1 {
    pub rows: usize,
    pub missing: usize,
    pub units: usize,
    pub value: Option<f64>,
}

/// An interval as JSON; an infinite end is `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is documented where it is meant, in `promptops_stats::Interval`")]
pub struct IntervalV1 {
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub level: f64,
}

/// A [`Shortage`] as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShortageV1 {
    /// What each window needs more of: `rows` or `units`.
    pub of: String,
    /// How many of them each window needs.
    pub needed: usize,
}

/// A [`Divergence`] as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is documented where it is meant, in `promptops_stats::Divergence`")]
pub struct DivergenceV1 {
    pub population_stability_index: f64,
    pub jensen_shannon: f64,
}

/// A [`LedgerEntry`] as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntryV1 {
    /// Name of the field, such as `responded_model`.
    pub field: String,
    /// Whether one window has a value that the other lacks.
    pub differs: bool,
    /// Every value with its rows and shares.
    pub values: Vec<LedgerValueV1>,
}

/// A [`LedgerValue`] as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is documented where it is meant, in `LedgerValue`")]
pub struct LedgerValueV1 {
    pub value: Option<String>,
    pub baseline_rows: usize,
    pub baseline_share: f64,
    pub current_rows: usize,
    pub current_share: f64,
}

impl From<&Comparison> for ComparisonV1 {
    fn from(comparison: &Comparison) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            baseline: (&comparison.baseline).into(),
            current: (&comparison.current).into(),
            alpha: comparison.alpha,
            tested: comparison.tested,
            changed: comparison.changed().count(),
            signals: comparison.signals.iter().map(SignalV1::from).collect(),
            slow_above_ms: comparison.slow_above_ms,
            label_divergence: comparison.label_divergence.map(DivergenceV1::from),
            ledger: comparison.ledger.iter().map(LedgerEntryV1::from).collect(),
        }
    }
}

impl From<&Window> for WindowV1 {
    fn from(window: &Window) -> Self {
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        Self { rows: window.rows, units: window.units, first: text(window.first), last: text(window.last) }
    }
}

impl From<&Signal> for SignalV1 {
    fn from(signal: &Signal) -> Self {
        let (outcome, shortage) = match signal.outcome {
            Outcome::Changed => ("changed", None),
            Outcome::NotShown => ("not_shown", None),
            Outcome::Insufficient(shortage) => ("insufficient", Some(shortage.into())),
        };
        let finite = |end: f64| end.is_finite().then_some(end);
        Self {
            signal: signal.name.kind().to_owned(),
            subject: signal.name.subject().map(str::to_owned),
            unit: unit_name(signal.name.unit()).to_owned(),
            baseline: signal.baseline.into(),
            current: signal.current.into(),
            difference: signal.difference,
            interval: signal.interval.map(|interval| IntervalV1 {
                low: finite(interval.low),
                high: finite(interval.high),
                level: interval.level,
            }),
            p_value: signal.p_value,
            outcome: outcome.to_owned(),
            shortage,
            method: signal.method.map(|method| method.as_str().to_owned()),
            divergence: signal.divergence.map(DivergenceV1::from),
        }
    }
}

impl From<Side> for SideV1 {
    fn from(side: Side) -> Self {
        Self { rows: side.rows, missing: side.missing, units: side.units, value: side.value }
    }
}

impl From<Shortage> for ShortageV1 {
    fn from(shortage: Shortage) -> Self {
        let (of, needed) = match shortage {
            Shortage::Rows { needed } => ("rows", needed),
            Shortage::Units { needed } => ("units", needed),
        };
        Self { of: of.to_owned(), needed }
    }
}

impl From<Divergence> for DivergenceV1 {
    fn from(divergence: Divergence) -> Self {
        Self { population_stability_index: divergence.population_stability_index, jensen_shannon: divergence.jensen_shannon }
    }
}

impl From<&LedgerEntry> for LedgerEntryV1 {
    fn from(entry: &LedgerEntry) -> Self {
        Self {
            field: entry.field.as_str().to_owned(),
            differs: entry.differs(),
            values: entry.values.iter().map(LedgerValueV1::from).collect(),
        }
    }
}

impl From<&LedgerValue> for LedgerValueV1 {
    fn from(value: &LedgerValue) -> Self {
        Self {
            value: value.value.clone(),
            baseline_rows: value.baseline_rows,
            baseline_share: value.baseline_share,
            current_rows: value.current_rows,
            current_share: value.current_share,
        }
    }
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Share => "share",
        Unit::Characters => "characters",
        Unit::Tokens => "tokens",
        Unit::Dollars => "usd",
        Unit::Milliseconds => "ms",
        Unit::Score => "score",
    }
}
