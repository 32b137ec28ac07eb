//! What tokens cost: prices with the days they hold from, where they are from, and the cost of a call by them.
//!
//! All prices are US dollars for a million tokens. One code prices for everybody: evals before they ask, and whoever reads
//! records again. The file is described in `docs/reference/prices.md`.

mod litellm;
mod table;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use litellm::PriceList;
pub use table::{PriceError, PricePeriod, PriceSource, PriceTable, Stated};

use crate::record::Invocation;

/// What a million tokens cost, in US dollars.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
    /// Prices of calls with a long input, which hold for all tokens of such a call; by length, the shortest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub long: Vec<LongInput>,
    /// Prices of other tiers of service, such as `batch`, `flex` and `priority`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tiers: BTreeMap<String, Price>,
}

/// Prices of a call whose input is longer than so many tokens. What is left out is as in [`Price`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongInput {
    /// The input has more tokens than this, cached ones included.
    pub above: u64,
    /// Of input.
    pub input: f64,
    /// Of output.
    pub output: f64,
    /// Of input that the provider had cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<f64>,
    /// Of input that the provider caches now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the input, cached ones included.
    pub input: u64,
    /// Of the output, reasoning included.
    pub output: u64,
    /// Part of the input that was read from a cache.
    pub cached_input: u64,
    /// Part of the input that was written to a cache.
    pub cache_write: u64,
    /// Part of the output that was spent on reasoning.
    pub reasoning: u64,
}

/// Names under which providers serve a call at the price that is stated for a model.
const STANDARD: [&str; 5] = ["default", "standard", "auto", "on_demand", "on-demand"];

impl Price {
    /// Returns what a call in the standard tier cost, in US dollars.
    #[must_use]
    pub fn cost(&self, tokens: &Tokens) -> f64 {
        match self.long.iter().rev().find(|long| tokens.input > long.above) {
            Some(long) => {
                let price = Self {
                    input: long.input,
                    output: long.output,
                    cached_input: long.cached_input,
                    cache_write: long.cache_write,
                    ..Self::default()
                };
                price.cost_of_any_length(tokens)
            }
            None => self.cost_of_any_length(tokens),
        }
    }

    /// Returns what a call in a tier cost; `None` when no price is stated for the tier, or none for an input of this length.
    #[must_use]
    pub fn cost_in_tier(&self, tier: Option<&str>, tokens: &Tokens) -> Option<f64> {
        let Some(tier) = tier.filter(|tier| !STANDARD.contains(tier)) else { return Some(self.cost(tokens)) };
        let price = self.tiers.get(tier)?;
        let lengths = |price: &Self| price.long.iter().filter(|long| tokens.input > long.above).count();
        // A tier that does not say what a long input costs, where that costs more, does not say what this call cost.
        (lengths(price) >= lengths(self)).then(|| price.cost(tokens))
    }

    #[expect(clippy::cast_precision_loss, reason = "no call has 2^53 tokens")]
    fn cost_of_any_length(&self, tokens: &Tokens) -> f64 {
        // A provider that counts wrong must not make a cost negative.
        let cached = tokens.cached_input.min(tokens.input);
        let written = tokens.cache_write.min(tokens.input - cached);
        let reasoning = tokens.reasoning.min(tokens.output);
        let parts = [
            (tokens.input - cached - written, self.input),
            (cached, self.cached_input.unwrap_or(self.input)),
            (written, self.cache_write.unwrap_or(self.input)),
            (tokens.output - reasoning, self.output),
            (reasoning, self.reasoning.unwrap_or(self.output)),
        ];
        parts.iter().map(|(tokens, price)| *tokens as f64 * price).sum::<f64>() / 1e6
    }
}

/// What is known of a call that is to be priced.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call<'a> {
    /// When it was.
    pub time: DateTime<Utc>,
    /// The provider, as OpenTelemetry names it.
    pub provider: Option<&'a str>,
    /// The model that answered.
    pub responded_model: Option<&'a str>,
    /// The model that was asked.
    pub requested_model: Option<&'a str>,
    /// The tier of service.
    pub tier: Option<&'a str>,
    /// Tokens of the input, cached ones included.
    pub input_tokens: Option<u64>,
    /// Tokens of the output, reasoning included.
    pub output_tokens: Option<u64>,
    /// Part of the input.
    pub cached_tokens: Option<u64>,
    /// Part of the input.
    pub cache_write_tokens: Option<u64>,
    /// Part of the output.
    pub reasoning_tokens: Option<u64>,
}

impl<'a> From<&'a Invocation> for Call<'a> {
    fn from(record: &'a Invocation) -> Self {
        Self {
            time: record.time,
            provider: record.provider.as_deref(),
            responded_model: record.responded_model.as_deref(),
            requested_model: record.requested_model.as_deref(),
            tier: record.service_tier.as_deref(),
            input_tokens: record.input_tokens,
            output_tokens: record.output_tokens,
            cached_tokens: record.cached_tokens,
            cache_write_tokens: record.cache_write_tokens,
            reasoning_tokens: record.reasoning_tokens,
        }
    }
}

/// What a call cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// US dollars.
    pub usd: f64,
    /// Whether the call is older than the first price that is known of its model, which was taken.
    pub is_assumed: bool,
}

/// Why a call has no price.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoPrice {
    /// It does not say which model it asked.
    NoModel,
    /// It does not say how many tokens it took.
    NoTokens {
        /// The model.
        model: String,
    },
    /// No price is stated for the model, or none for this day.
    UnknownModel {
        /// The model.
        model: String,
    },
    /// No price is stated for the tier, or none for an input of this length in the tier.
    UnknownTier {
        /// The model.
        model: String,
        /// The tier.
        tier: String,
    },
}

impl fmt::Display for NoPrice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoModel => write!(formatter, "no model is recorded"),
            Self::NoTokens { model } => write!(formatter, "no tokens are recorded for `{model}`"),
            Self::UnknownModel { model } => write!(formatter, "no price is known for `{model}`"),
            Self::UnknownTier { model, tier } => write!(formatter, "no price is known for `{model}` in tier `{tier}`"),
        }
    }
}

impl Call<'_> {
    /// Returns what the call cost by a table: by the price that held when it was made, or at `moment` where one is given.
    ///
    /// # Errors
    ///
    /// Why it has no price.
    pub fn cost(&self, table: &PriceTable, moment: Option<DateTime<Utc>>) -> Result<Cost, NoPrice> {
        let model = self.responded_model.or(self.requested_model).ok_or(NoPrice::NoModel)?;
        let day = moment.unwrap_or(self.time).date_naive();
        let names = [self.responded_model, self.requested_model];
        let stated = names.into_iter().flatten().find_map(|name| table.price(self.provider, name, day));
        let Some(Stated { price, is_assumed, .. }) = stated else {
            return Err(NoPrice::UnknownModel { model: model.to_owned() });
        };
        let no_tokens = || NoPrice::NoTokens { model: model.to_owned() };
        let tokens = Tokens {
            // Where tokens cost nothing, as the output of embeddings does, they need not be known.
            input: self.input_tokens.or((price.input == 0.0).then_some(0)).ok_or_else(no_tokens)?,
            output: self.output_tokens.or((price.output == 0.0).then_some(0)).ok_or_else(no_tokens)?,
            cached_input: self.cached_tokens.unwrap_or(0),
            cache_write: self.cache_write_tokens.unwrap_or(0),
            reasoning: self.reasoning_tokens.unwrap_or(0),
        };
        match price.cost_in_tier(self.tier, &tokens) {
            Some(usd) => Ok(Cost { usd, is_assumed }),
            None => {
                let tier = self.tier.unwrap_or("standard").to_owned();
                Err(NoPrice::UnknownTier { model: model.to_owned(), tier })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn plain() -> Price {
        Price { input: 3.0, output: 15.0, ..Price::default() }
    }

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-12, "{left} {right}");
    }

    #[test]
    fn every_kind_of_token_has_its_price() {
        let price = Price { cached_input: Some(0.3), cache_write: Some(3.75), reasoning: Some(20.0), ..plain() };
        let tokens = Tokens { input: 1_000_000, output: 100_000, cached_input: 400_000, cache_write: 100_000, reasoning: 50_000 };
        close(price.cost(&tokens), 0.5 * 3.0 + 0.4 * 0.3 + 0.1 * 3.75 + 0.05 * 15.0 + 0.05 * 20.0);
        close(plain().cost(&tokens), 3.0 + 1.5);
        let wrong = Tokens { input: 10, output: 1, cached_input: 99, cache_write: 99, reasoning: 99 };
        close(plain().cost(&wrong), (30.0 + 15.0) / 1e6);
    }

    #[test]
    fn a_long_input_makes_the_whole_call_dearer() {
        let long = LongInput { above: 200_000, input: 6.0, output: 22.5, cached_input: Some(0.6), cache_write: None };
        let longer = LongInput { above: 400_000, input: 9.0, output: 30.0, cached_input: None, cache_write: None };
        let price = Price { cached_input: Some(0.3), long: vec![long, longer], ..plain() };
        let of = |input, cached_input| price.cost(&Tokens { input, output: 1000, cached_input, ..Tokens::default() });
        close(of(200_000, 0), (200_000.0 * 3.0 + 1000.0 * 15.0) / 1e6);
        close(of(200_001, 100_000), (100_001.0 * 6.0 + 100_000.0 * 0.6 + 1000.0 * 22.5) / 1e6);
        close(of(400_001, 1), (400_001.0 * 9.0 + 1000.0 * 30.0) / 1e6);
    }

    #[test]
    fn a_tier_has_its_own_prices_or_none() {
        let batch = Price { input: 1.5, output: 7.5, ..Price::default() };
        let long = LongInput { above: 100, input: 6.0, output: 22.5, cached_input: None, cache_write: None };
        let price = Price { cached_input: Some(0.3), tiers: [("batch".to_owned(), batch)].into(), long: vec![long], ..plain() };
        let short = Tokens { input: 100, output: 0, cached_input: 100, ..Tokens::default() };
        close(price.cost_in_tier(Some("batch"), &short).unwrap(), 100.0 * 1.5 / 1e6);
        for standard in [None, Some("default"), Some("standard"), Some("auto")] {
            close(price.cost_in_tier(standard, &short).unwrap(), 100.0 * 0.3 / 1e6);
        }
        assert_eq!(price.cost_in_tier(Some("priority"), &short), None);
        assert_eq!(
            price.cost_in_tier(Some("batch"), &Tokens { input: 101, ..short }),
            None,
            "the batch price is of short inputs"
        );
    }

    fn table() -> PriceTable {
        let day = |day| NaiveDate::from_ymd_opt(2026, 5, day).unwrap();
        let list = |date, input| {
            let models = [("gpt-4o".to_owned(), Price { input, output: 10.0, ..Price::default() })];
            PriceList { date, source: "test".to_owned(), digest: "sha256:0".to_owned(), models: models.into() }
        };
        let mut table = PriceTable::default();
        table.add(list(day(10), 5.0));
        table.add(list(day(20), 2.5));
        table
    }

    #[test]
    fn a_call_is_priced_as_of_its_day() {
        let call = |time: &str| Call {
            time: time.parse().unwrap(),
            responded_model: Some("gpt-4o"),
            input_tokens: Some(1_000_000),
            output_tokens: Some(0),
            ..Call::default()
        };
        let cost = |time: &str| call(time).cost(&table(), None).unwrap();
        assert_eq!(cost("2026-05-10T00:00:00Z"), Cost { usd: 5.0, is_assumed: false });
        assert_eq!(cost("2026-05-19T23:59:59Z"), Cost { usd: 5.0, is_assumed: false });
        assert_eq!(cost("2026-05-20T00:00:00Z"), Cost { usd: 2.5, is_assumed: false });
        assert_eq!(cost("2026-05-01T00:00:00Z"), Cost { usd: 5.0, is_assumed: true });
        let today = "2026-06-01T00:00:00Z".parse().unwrap();
        assert_eq!(call("2026-05-10T00:00:00Z").cost(&table(), Some(today)).unwrap().usd, 2.5);
    }

    #[test]
    fn what_has_no_price_says_why() {
        let call = Call { input_tokens: Some(1), output_tokens: Some(1), ..Call::default() };
        let why = |call: Call<'_>| call.cost(&table(), None).unwrap_err().to_string();
        assert_eq!(why(call), "no model is recorded");
        assert_eq!(why(Call { requested_model: Some("m"), ..call }), "no price is known for `m`");
        let known = Call { responded_model: Some("gpt-4o-unheard-of"), requested_model: Some("gpt-4o"), ..call };
        assert!(known.cost(&table(), None).is_ok(), "what was asked is taken where what answered is not known");
        assert_eq!(why(Call { output_tokens: None, ..known }), "no tokens are recorded for `gpt-4o-unheard-of`");
        assert_eq!(why(Call { tier: Some("scale"), ..known }), "no price is known for `gpt-4o-unheard-of` in tier `scale`");
    }
}
