//! What a run may spend, and what it has spent.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::EvalError;

/// What a run may spend on calls that are not recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// Calls, retries included.
    pub calls: Option<u64>,
    /// US dollars; needs a price, and a provider that counts tokens.
    pub usd: Option<f64>,
}

/// A budget and what was taken out of it, by candidate, parent and judges alike.
#[derive(Debug, Default)]
pub struct Purse {
    budget: Budget,
    started: AtomicU64,
    calls: AtomicU64,
    nano_usd: AtomicU64,
}

impl Purse {
    /// Begins with nothing spent.
    pub fn new(budget: Budget) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Returns the US dollars that were spent.
    pub fn spent_usd(&self) -> f64 {
        self.nano_usd.load(Ordering::Relaxed) as f64 / 1e9
    }

    /// Tells whether no more than so many US dollars may be spent.
    pub(super) fn is_limited_in_usd(&self) -> bool {
        self.budget.usd.is_some()
    }

    /// Tells whether one more call may be started, and counts it.
    pub(super) fn open(&self) -> bool {
        let started = self.started.fetch_add(1, Ordering::Relaxed);
        // Retries are known only when they have happened, so both counts bound the next call.
        let calls = started.max(self.calls.load(Ordering::Relaxed));
        self.budget.calls.is_none_or(|limit| calls < limit) && self.budget.usd.is_none_or(|limit| self.spent_usd() < limit)
    }

    pub(super) fn spend(&self, attempts: u32) {
        self.calls.fetch_add(u64::from(attempts), Ordering::Relaxed);
    }

    pub(super) fn pay(&self, usd: f64) {
        self.nano_usd.fetch_add((usd * 1e9).ceil() as u64, Ordering::Relaxed);
    }

    pub(super) fn error(&self) -> EvalError {
        let budget = match (self.budget.calls, self.budget.usd) {
            (Some(calls), Some(usd)) => format!("{calls} calls or {usd} USD"),
            (Some(calls), None) => format!("{calls} calls"),
            (None, usd) => format!("{} USD", usd.unwrap_or_default()),
        };
        EvalError::Budget { budget, calls: self.calls.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_close_the_purse() {
        let calls = Purse::new(Budget { calls: Some(3), usd: None });
        assert!(calls.open());
        // Two retries count like calls.
        calls.spend(3);
        assert!(!calls.open());
        assert_eq!(calls.error().to_string(), "the budget of 3 calls is used up after 3 calls");
        let usd = Purse::new(Budget { calls: None, usd: Some(0.5) });
        assert!(usd.open());
        usd.pay(0.3);
        assert!(usd.open());
        usd.pay(0.3);
        assert!(!usd.open());
        assert!((usd.spent_usd() - 0.6).abs() < 1e-9);
        assert_eq!(usd.error().to_string(), "the budget of 0.5 USD is used up after 0 calls");
    }
}
