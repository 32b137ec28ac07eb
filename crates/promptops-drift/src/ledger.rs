//! What the calls were made with, window by window.

use std::collections::BTreeMap;

use promptops_telemetry::Invocation;

/// Names a field of the record that says what a call was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerField {
    /// Prompt and version, as `id@version`.
    Prompt,
    /// Behaviour digest of the prompt version.
    PromptDigest,
    /// Model that was asked for.
    RequestedModel,
    /// Model that the provider says answered.
    RespondedModel,
    /// Fingerprint of the provider's system.
    Fingerprint,
    /// Hash of the sampling parameters.
    ParametersHash,
    /// Hash of the tool definitions.
    ToolsHash,
    /// Price table of the costs.
    PriceTable,
}

impl LedgerField {
    /// Every field, in the order of reports.
    pub const ALL: [Self; 8] = [
        Self::Prompt,
        Self::PromptDigest,
        Self::RequestedModel,
        Self::RespondedModel,
        Self::Fingerprint,
        Self::ParametersHash,
        Self::ToolsHash,
        Self::PriceTable,
    ];

    /// Returns the name that JSON and reports use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::PromptDigest => "prompt_digest",
            Self::RequestedModel => "requested_model",
            Self::RespondedModel => "responded_model",
            Self::Fingerprint => "fingerprint",
            Self::ParametersHash => "parameters_hash",
            Self::ToolsHash => "tools_hash",
            Self::PriceTable => "price_table",
        }
    }

    fn read(self, invocation: &Invocation) -> Option<String> {
        match self {
            Self::Prompt => match (&invocation.prompt_id, invocation.prompt_version) {
                (Some(id), Some(version)) => Some(format!("{id}@{version}")),
                (Some(id), None) => Some(id.clone()),
                (None, Some(version)) => Some(format!("@{version}")),
                (None, None) => None,
            },
            Self::PromptDigest => invocation.prompt_digest.clone(),
            Self::RequestedModel => invocation.requested_model.clone(),
            Self::RespondedModel => invocation.responded_model.clone(),
            Self::Fingerprint => invocation.fingerprint.clone(),
            Self::ParametersHash => invocation.parameters_hash.clone(),
            Self::ToolsHash => invocation.tools_hash.clone(),
            Self::PriceTable => invocation.price_table.clone(),
        }
    }
}

/// Holds the values of one field in both windows.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerEntry {
    /// The field.
    pub field: LedgerField,
    /// Every value that either window has, rows without one included, in ascending order with the absent value first.
    pub values: Vec<LedgerValue>,
}

impl LedgerEntry {
    /// Returns whether one window has a value that the other lacks. Rows without a value say nothing.
    #[must_use]
    pub fn differs(&self) -> bool {
        let known = self.values.iter().filter(|value| value.value.is_some());
        known.into_iter().any(|value| (value.baseline_rows == 0) != (value.current_rows == 0))
    }
}

/// Holds how often one value occurs.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerValue {
    /// The value; absent for rows that do not say.
    pub value: Option<String>,
    /// Rows of the baseline with the value.
    pub baseline_rows: usize,
    /// Those rows as a share of the baseline, from 0 to 1.
    pub baseline_share: f64,
    /// Rows of the current window with the value.
    pub current_rows: usize,
    /// Those rows as a share of the current window, from 0 to 1.
    pub current_share: f64,
}

/// Lists every field that any row has a value of.
pub(crate) fn ledger(baseline: &[Invocation], current: &[Invocation]) -> Vec<LedgerEntry> {
    let mut entries = Vec::new();
    for field in LedgerField::ALL {
        let mut counts: BTreeMap<Option<String>, (usize, usize)> = BTreeMap::new();
        for invocation in baseline {
            counts.entry(field.read(invocation)).or_default().0 += 1;
        }
        for invocation in current {
            counts.entry(field.read(invocation)).or_default().1 += 1;
        }
        if counts.keys().all(Option::is_none) {
            continue;
        }
        let share = |rows: usize, window: &[Invocation]| rows as f64 / window.len() as f64;
        let values = counts
            .into_iter()
            .map(|(value, (baseline_rows, current_rows))| LedgerValue {
                value,
                baseline_rows,
                baseline_share: share(baseline_rows, baseline),
                current_rows,
                current_share: share(current_rows, current),
            })
            .collect();
        entries.push(LedgerEntry { field, values });
    }
    entries
}

#[cfg(test)]
mod tests {
    use promptops_telemetry::Uuid;

    use super::*;

    fn row(version: Option<u32>, model: Option<&str>) -> Invocation {
        let time = "2026-05-01T12:00:00Z".parse().unwrap();
        Invocation {
            prompt_id: Some("support.intent".to_owned()),
            prompt_version: version,
            responded_model: model.map(str::to_owned),
            ..Invocation::new(time, Uuid::from_u128(1))
        }
    }

    #[test]
    fn a_new_model_differs_and_a_moved_share_does_not() {
        let baseline = [row(Some(1), Some("old")), row(Some(2), Some("old")), row(Some(2), None)];
        let current = [row(Some(1), Some("old")), row(Some(1), Some("new")), row(Some(2), None), row(Some(2), None)];
        let entries = ledger(&baseline, &current);
        let fields: Vec<LedgerField> = entries.iter().map(|entry| entry.field).collect();
        assert_eq!(fields, [LedgerField::Prompt, LedgerField::RespondedModel]);
        assert!(!entries[0].differs() && entries[1].differs());
        let shares: Vec<(Option<&str>, usize, f64)> =
            entries[1].values.iter().map(|value| (value.value.as_deref(), value.baseline_rows, value.current_share)).collect();
        assert_eq!(shares, [(None, 1, 0.5), (Some("new"), 0, 0.25), (Some("old"), 2, 0.25)]);
        assert_eq!(entries[0].values[0].value.as_deref(), Some("support.intent@1"));
    }

    #[test]
    fn rows_that_stop_saying_are_no_change() {
        let entries = ledger(&[row(Some(1), Some("m"))], &[row(Some(1), Some("m")), row(Some(1), None)]);
        assert!(entries.iter().all(|entry| !entry.differs()));
    }
}
