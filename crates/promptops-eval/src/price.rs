//! What tokens cost: a table with its date and its source, and the cost of a call by it.
//!
//! The table is read from LiteLLM's `model_prices_and_context_window.json`, of which it keeps the prices of text models. All
//! prices are US dollars for a million tokens.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use promptops_prompt::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::Usage;

/// What a million tokens of a model cost, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of input.
    pub input: f64,
    /// Of output.
    pub output: f64,
    /// Of input that the provider had cached; otherwise as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<f64>,
    /// Of input that the provider caches now; otherwise as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// Of output spent on reasoning; otherwise as `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<f64>,
    /// Of input in a batch. Evals send no batches: shown, and not counted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_input: Option<f64>,
    /// Of output in a batch; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_output: Option<f64>,
}

impl Price {
    /// Returns what a call cost, in US dollars.
    pub fn cost(&self, usage: &Usage) -> f64 {
        // A provider that counts wrong must not make a cost negative.
        let cached = usage.cached_input.min(usage.input);
        let written = usage.cache_write.min(usage.input - cached);
        let reasoning = usage.reasoning.min(usage.output);
        let parts = [
            (usage.input - cached - written, self.input),
            (cached, self.cached_input.unwrap_or(self.input)),
            (written, self.cache_write.unwrap_or(self.input)),
            (usage.output - reasoning, self.output),
            (reasoning, self.reasoning.unwrap_or(self.output)),
        ];
        parts.iter().map(|(tokens, price)| *tokens as f64 * price).sum::<f64>() / 1e6
    }
}

/// A table of prices, as it lies in a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    /// 1.
    pub version: u32,
    /// The day for which the prices are stated.
    pub date: NaiveDate,
    /// Where they come from, for people.
    pub source: String,
    /// The digest of the file that was read.
    pub digest: Digest,
    /// By the model's name, as the provider takes it.
    pub models: BTreeMap<String, Price>,
}

/// Says why a file gives no table.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// The file is not JSON of the form.
    #[error("the price file cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// Not one model of it has a price.
    #[error("the price file states no price of a text model")]
    Empty,
}

impl PriceTable {
    /// Reads LiteLLM's file.
    ///
    /// # Errors
    /// See [`PriceError`].
    pub fn from_litellm(bytes: &[u8], date: NaiveDate, source: &str) -> Result<Self, PriceError> {
        let file: BTreeMap<String, Value> = serde_json::from_slice(bytes).map_err(PriceError::Unreadable)?;
        // Its first entry explains the fields with values that are none.
        let stated = file.iter().filter(|(name, _)| *name != "sample_spec");
        let models: BTreeMap<String, Price> = stated.filter_map(|(name, entry)| Some((name.clone(), price(entry)?))).collect();
        if models.is_empty() {
            return Err(PriceError::Empty);
        }
        Ok(Self { version: 1, date, source: source.to_owned(), digest: Digest::of(bytes), models })
    }

    /// Reads a table as [`PriceTable::to_json`] writes it.
    ///
    /// # Errors
    /// [`PriceError::Unreadable`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, PriceError> {
        serde_json::from_slice(bytes).map_err(PriceError::Unreadable)
    }

    /// Writes the table, one model a line, so that a change of one price is a change of one line.
    pub fn to_json(&self) -> String {
        let string = |value: &str| Value::String(value.to_owned()).to_string();
        let head = format!(
            "{{\n\"version\": {},\n\"date\": {},\n\"source\": {},\n\"digest\": {},\n\"models\": {{\n",
            self.version,
            string(&self.date.to_string()),
            string(&self.source),
            string(&self.digest.to_string())
        );
        let line =
            |(name, price): (&String, &Price)| format!("{}: {}", string(name), serde_json::to_value(price).unwrap_or_default());
        let lines: Vec<String> = self.models.iter().map(line).collect();
        format!("{head}{}\n}}\n}}\n", lines.join(",\n"))
    }

    /// Returns the price of a model by its name, else by its name behind a provider's (`anthropic/…`, `us.…`).
    pub fn price(&self, model: &str) -> Option<(&str, &Price)> {
        let names = [model.to_owned(), format!("openai/{model}"), format!("anthropic/{model}"), format!("bedrock/{model}")];
        let found = names.iter().find_map(|name| self.models.get_key_value(name));
        found.map(|(name, price)| (name.as_str(), price))
    }
}

/// Reads one entry of LiteLLM's file, which states dollars for one token. An entry without a price for input and output is of
/// something that is not asked in tokens, or that is free; a cost of zero would be believed, so neither is taken.
fn price(entry: &Value) -> Option<Price> {
    // A price is written in the form of the shortest decimal, so that a million times it is rounded to what it stands for.
    let number = |name: &str| {
        let a_million = entry[name].as_f64().filter(|price| price.is_finite() && *price >= 0.0)? * 1e6;
        format!("{a_million:.6}").parse::<f64>().ok()
    };
    let (input, output) = (number("input_cost_per_token")?, number("output_cost_per_token")?);
    if input == 0.0 && output == 0.0 {
        return None;
    }
    Some(Price {
        input,
        output,
        cached_input: number("cache_read_input_token_cost"),
        cache_write: number("cache_creation_input_token_cost"),
        reasoning: number("output_cost_per_reasoning_token"),
        batch_input: number("input_cost_per_token_batches"),
        batch_output: number("output_cost_per_token_batches"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Price = Price {
        input: 3.0,
        output: 15.0,
        cached_input: None,
        cache_write: None,
        reasoning: None,
        batch_input: None,
        batch_output: None,
    };

    #[test]
    fn every_kind_of_token_has_its_price() {
        let price = Price { cached_input: Some(0.3), cache_write: Some(3.75), reasoning: Some(20.0), ..PLAIN };
        let usage = Usage { input: 1_000_000, output: 100_000, cached_input: 400_000, cache_write: 100_000, reasoning: 50_000 };
        let expected = 0.5 * 3.0 + 0.4 * 0.3 + 0.1 * 3.75 + 0.05 * 15.0 + 0.05 * 20.0;
        assert!((price.cost(&usage) - expected).abs() < 1e-12);
        assert!((PLAIN.cost(&usage) - (3.0 + 1.5)).abs() < 1e-12);
        let wrong = Usage { input: 10, output: 1, cached_input: 99, cache_write: 99, reasoning: 99 };
        assert!((PLAIN.cost(&wrong) - (30.0 + 15.0) / 1e6).abs() < 1e-12);
    }

    const LITELLM: &str = r#"{
        "sample_spec": {"input_cost_per_token": 1, "output_cost_per_token": 1},
        "gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06,
            "input_cost_per_token_batches": 1.25e-06, "output_cost_per_token_batches": 5e-06, "max_tokens": 16384},
        "anthropic/claude-x": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
            "cache_creation_input_token_cost": 3.75e-06, "cache_read_input_token_cost": 3e-07},
        "dall-e": {"input_cost_per_image": 0.04},
        "free": {"input_cost_per_token": 0, "output_cost_per_token": 0}
    }"#;

    #[test]
    fn litellm_s_file_becomes_a_table_with_date_and_source() {
        let date = NaiveDate::from_ymd_opt(2026, 11, 26).unwrap();
        let table = PriceTable::from_litellm(LITELLM.as_bytes(), date, "LiteLLM").unwrap();
        assert_eq!(table.models.keys().collect::<Vec<_>>(), ["anthropic/claude-x", "gpt-4o"]);
        let gpt = table.models["gpt-4o"];
        assert_eq!((gpt.input, gpt.output, gpt.cached_input, gpt.batch_output), (2.5, 10.0, Some(1.25), Some(5.0)));
        assert_eq!(table.price("claude-x").unwrap().0, "anthropic/claude-x");
        assert_eq!(table.price("claude"), None);
        assert_eq!(table.digest, Digest::of(LITELLM.as_bytes()));
        assert_eq!(PriceTable::from_json(table.to_json().as_bytes()).unwrap(), table);
        assert_eq!(table.to_json().lines().filter(|line| line.contains("\"input\"")).count(), 2);
    }

    #[test]
    fn a_file_without_prices_is_no_table() {
        let date = NaiveDate::default();
        assert!(matches!(PriceTable::from_litellm(b"<html>", date, ""), Err(PriceError::Unreadable(_))));
        assert!(matches!(PriceTable::from_litellm(b"{}", date, ""), Err(PriceError::Empty)));
        assert!(matches!(PriceTable::from_litellm(br#"{"a": {"input_cost_per_token": -1}}"#, date, ""), Err(PriceError::Empty)));
    }
}
