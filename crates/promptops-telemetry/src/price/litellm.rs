//! The prices of LiteLLM's `model_prices_and_context_window.json`, of which those of text models are kept.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::table::PriceError;
use super::{LongInput, Price};

/// Prices that were stated together.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceList {
    /// The day for which they are stated.
    pub date: NaiveDate,
    /// Where they come from, for people.
    pub source: String,
    /// The digest of the file, as `sha256:…`.
    pub digest: String,
    /// By the model's name.
    pub models: BTreeMap<String, Price>,
}

/// What the file calls tiers, and what records do.
const TIERS: [(&str, &str); 3] = [("_batches", "batch"), ("_flex", "flex"), ("_priority", "priority")];
/// What the file calls inputs that are longer than others.
const LENGTHS: [(&str, u64); 4] = [
    ("_above_128k_tokens", 128_000),
    ("_above_200k_tokens", 200_000),
    ("_above_256k_tokens", 256_000),
    ("_above_272k_tokens", 272_000),
];

impl PriceList {
    /// Reads LiteLLM's file.
    ///
    /// # Errors
    ///
    /// [`PriceError::Unreadable`], [`PriceError::Empty`].
    pub fn from_litellm(bytes: &[u8], date: NaiveDate, source: &str) -> Result<Self, PriceError> {
        let file: BTreeMap<String, Value> = serde_json::from_slice(bytes).map_err(PriceError::Unreadable)?;
        // Its first entry explains the fields with values that are none.
        let stated = file.iter().filter(|(name, _)| *name != "sample_spec");
        let models: BTreeMap<String, Price> = stated.filter_map(|(name, entry)| Some((name.clone(), price(entry)?))).collect();
        if models.is_empty() {
            return Err(PriceError::Empty);
        }
        let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { date, source: source.to_owned(), digest: format!("sha256:{hex}"), models })
    }
}

/// Reads one entry. One without a price for input and output is of something that is not asked in tokens, or that is free; a
/// cost of zero would be believed, so neither is taken.
fn price(entry: &Value) -> Option<Price> {
    let mut price = rates(entry, "")?;
    if price.input == 0.0 && price.output == 0.0 {
        return None;
    }
    let tiers = TIERS.iter().filter_map(|(suffix, tier)| Some(((*tier).to_owned(), rates(entry, suffix)?)));
    price.tiers = tiers.collect();
    Some(price)
}

/// Reads the prices of a tier, for inputs of every length.
fn rates(entry: &Value, tier: &str) -> Option<Price> {
    let number = |name: &str, length: &str| number(entry, &format!("{name}{length}{tier}"));
    let long = LENGTHS.iter().filter_map(|(length, above)| {
        Some(LongInput {
            above: *above,
            input: number("input_cost_per_token", length)?,
            output: number("output_cost_per_token", length)?,
            cached_input: number("cache_read_input_token_cost", length),
            cache_write: number("cache_creation_input_token_cost", length),
        })
    });
    Some(Price {
        input: number("input_cost_per_token", "")?,
        output: number("output_cost_per_token", "")?,
        cached_input: number("cache_read_input_token_cost", ""),
        cache_write: number("cache_creation_input_token_cost", ""),
        reasoning: number("output_cost_per_reasoning_token", ""),
        long: long.collect(),
        tiers: BTreeMap::new(),
    })
}

/// Reads dollars for one token as dollars for a million. A price is written in the form of the shortest decimal, so that a
/// million times it is rounded to what it stands for.
fn number(entry: &Value, name: &str) -> Option<f64> {
    let a_million = entry[name].as_f64().filter(|price| price.is_finite() && *price >= 0.0)? * 1e6;
    format!("{a_million:.6}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LITELLM: &str = r#"{
        "sample_spec": {"input_cost_per_token": 1, "output_cost_per_token": 1},
        "gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06,
            "input_cost_per_token_batches": 1.25e-06, "output_cost_per_token_batches": 5e-06,
            "input_cost_per_token_priority": 4.25e-06, "output_cost_per_token_priority": 1.7e-05,
            "cache_read_input_token_cost_priority": 2.125e-06, "max_tokens": 16384},
        "anthropic/claude-x": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
            "cache_creation_input_token_cost": 3.75e-06, "cache_read_input_token_cost": 3e-07,
            "input_cost_per_token_above_200k_tokens": 6e-06, "output_cost_per_token_above_200k_tokens": 2.25e-05,
            "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06, "cache_read_input_token_cost_above_200k_tokens": 6e-07},
        "dall-e": {"input_cost_per_image": 0.04},
        "free": {"input_cost_per_token": 0, "output_cost_per_token": 0}
    }"#;

    #[test]
    fn litellm_s_file_becomes_a_list_with_date_and_source() {
        let date = NaiveDate::from_ymd_opt(2026, 11, 26).unwrap();
        let list = PriceList::from_litellm(LITELLM.as_bytes(), date, "LiteLLM").unwrap();
        assert_eq!((list.date, list.source.as_str()), (date, "LiteLLM"));
        assert_eq!(list.models.keys().collect::<Vec<_>>(), ["anthropic/claude-x", "gpt-4o"]);
        let batch = Price { input: 1.25, output: 5.0, ..Price::default() };
        let priority = Price { input: 4.25, output: 17.0, cached_input: Some(2.125), ..Price::default() };
        let tiers = [("batch".to_owned(), batch), ("priority".to_owned(), priority)].into();
        let expected = Price { input: 2.5, output: 10.0, cached_input: Some(1.25), tiers, ..Price::default() };
        assert_eq!(list.models["gpt-4o"], expected);
        let long = LongInput { above: 200_000, input: 6.0, output: 22.5, cached_input: Some(0.6), cache_write: Some(7.5) };
        assert_eq!(list.models["anthropic/claude-x"].long, [long]);
        assert_eq!(list.models["anthropic/claude-x"].cache_write, Some(3.75));
        assert_eq!(list.digest.len(), 71);
    }

    #[test]
    fn a_file_without_prices_is_no_list() {
        let read = |bytes: &[u8]| PriceList::from_litellm(bytes, NaiveDate::default(), "");
        assert!(matches!(read(b"<html>"), Err(PriceError::Unreadable(_))));
        assert!(matches!(read(b"{}"), Err(PriceError::Empty)));
        assert!(matches!(read(br#"{"a": {"input_cost_per_token": -1}}"#), Err(PriceError::Empty)));
    }
}
