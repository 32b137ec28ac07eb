//! Drift between two windows of invocations, with an interval per signal.
//!
//! [`compare`] takes two sets of invocations, usually of one prompt in one environment, and returns a [`Comparison`]: for
//! each signal both values, their difference with a confidence interval, and whether it counts as changed; and beside it
//! what changed in the ledger, such as models and prompt versions. It names no cause. [`v1`] is its promised JSON form.
//!
//! **Guarantee.** Without drift, one or more signals are called changed with probability at most `Options::alpha`, as far as
//! the intervals hold their levels; `docs/concepts/statistics.md` states what was measured. A signal is called changed if and
//! only if its interval excludes zero. That a signal is not called changed is no proof that it stayed: its interval says how
//! much change the data leave open.

mod compare;
mod comparison;
mod options;

mod column;
mod family;
mod labels;
mod ledger;
mod measure;

pub mod v1;

pub use compare::compare;
pub use comparison::{Comparison, DriftError, Method, Outcome, Shortage, Side, Signal, SignalName, Unit, Window, WindowName};
pub use ledger::{LedgerEntry, LedgerField, LedgerValue};
pub use options::Options;
