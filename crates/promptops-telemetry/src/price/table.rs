//! The table: for each model the prices that held, one after the other.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Price, PriceList};

/// A table of prices, as it lies in a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    /// 1.
    pub version: u32,
    /// Where prices come from, by the day they were taken over.
    pub sources: Vec<PriceSource>,
    /// By the model's name, as the provider takes it; the prices of a model by the day they hold from.
    pub models: BTreeMap<String, Vec<PricePeriod>>,
}

/// Where the prices of a day come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSource {
    /// The day for which the prices are stated.
    pub date: NaiveDate,
    /// Where they come from, for people.
    pub source: String,
    /// The digest of the file that was read, as `sha256:…`.
    pub digest: String,
}

/// A price and the days it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricePeriod {
    /// The first day, UTC.
    pub from: NaiveDate,
    /// The first day on which it no longer holds; otherwise it holds until the next, or to this day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    /// The price.
    pub price: Price,
}

/// A price that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stated<'a> {
    /// The name in the table.
    pub model: &'a str,
    /// The price.
    pub price: &'a Price,
    /// The day it holds from.
    pub from: NaiveDate,
    /// Whether the day that was asked for is before that.
    pub is_assumed: bool,
}

/// Says why a file gives no prices.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// The file is not JSON of the form.
    #[error("the price file cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// Not one model of it has a price.
    #[error("the price file states no price of a text model")]
    Empty,
    /// The prices of a model are not in order of the days they hold from.
    #[error("the prices of `{model}` are not in the order of their days")]
    OutOfOrder {
        /// The model.
        model: String,
    },
}

/// What LiteLLM's file writes before the models of a provider, by the provider's name in OpenTelemetry.
const PREFIXES: [(&str, &str); 15] = [
    ("anthropic", "anthropic"),
    ("aws.bedrock", "bedrock"),
    ("azure.ai.inference", "azure_ai"),
    ("azure.ai.openai", "azure"),
    ("cohere", "cohere"),
    ("deepseek", "deepseek"),
    ("gcp.gemini", "gemini"),
    ("gcp.gen_ai", "gemini"),
    ("gcp.vertex_ai", "vertex_ai"),
    ("groq", "groq"),
    ("ibm.watsonx.ai", "watsonx"),
    ("mistral_ai", "mistral"),
    ("openai", "openai"),
    ("perplexity", "perplexity"),
    ("x_ai", "xai"),
];
/// What is tried where the provider is not known.
const LIKELY: [&str; 3] = ["openai", "anthropic", "bedrock"];

impl Default for PriceTable {
    fn default() -> Self {
        Self { version: 1, sources: Vec::new(), models: BTreeMap::new() }
    }
}

impl PriceTable {
    /// Reads a table as [`PriceTable::to_json`] writes it.
    ///
    /// # Errors
    ///
    /// [`PriceError::Unreadable`], [`PriceError::OutOfOrder`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, PriceError> {
        let table: Self = serde_json::from_slice(bytes).map_err(PriceError::Unreadable)?;
        let is_ordered = |periods: &&Vec<PricePeriod>| periods.is_sorted_by(|left, right| left.from < right.from);
        match table.models.iter().find(|(_, periods)| !is_ordered(periods)) {
            Some((model, _)) => Err(PriceError::OutOfOrder { model: model.clone() }),
            None => Ok(table),
        }
    }

    /// Writes the table, one model a line, so that a change of one price is a change of one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let line = |value: Result<Value, serde_json::Error>| value.unwrap_or_default().to_string();
        let sources: Vec<String> = self.sources.iter().map(|source| line(serde_json::to_value(source))).collect();
        let model = |(name, periods): (&String, &Vec<PricePeriod>)| {
            format!("{}: {}", Value::String(name.clone()), line(serde_json::to_value(periods)))
        };
        let models: Vec<String> = self.models.iter().map(model).collect();
        format!(
            "{{\n\"version\": {},\n\"sources\": [\n{}\n],\n\"models\": {{\n{}\n}}\n}}\n",
            self.version,
            sources.join(",\n"),
            models.join(",\n")
        )
    }

    /// Returns what a record names the table by: the digest of its bytes.
    #[must_use]
    pub fn identity(&self) -> String {
        let digest = Sha256::digest(self.to_json());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }

    /// Takes over the prices of a day. A model whose price is the one that held then already keeps its entry; what the list no
    /// longer names keeps its price, so that old records do.
    pub fn add(&mut self, list: PriceList) {
        let PriceList { date, source, digest, models } = list;
        self.sources.retain(|known| known.date != date);
        self.sources.push(PriceSource { date, source, digest });
        self.sources.sort_by_key(|source| source.date);
        for (name, price) in models {
            let periods = self.models.entry(name).or_default();
            periods.retain(|period| period.from != date);
            let place = periods.partition_point(|period| period.from < date);
            let held = place.checked_sub(1).and_then(|before| periods.get(before));
            if held.is_none_or(|held| held.price != price || held.until.is_some_and(|until| until <= date)) {
                periods.insert(place, PricePeriod { from: date, until: None, price });
            }
        }
    }

    /// Takes a price that was agreed on for a model, which holds on every day and at every provider.
    pub fn agree(&mut self, model: &str, price: Price) {
        let behind_provider = format!("/{model}");
        self.models.retain(|name, _| !name.ends_with(&behind_provider));
        self.models.insert(model.to_owned(), vec![PricePeriod { from: NaiveDate::MIN, until: None, price }]);
    }

    /// Returns the price of a model on a day, by its name as the provider's, by the name alone, or by its name behind that of
    /// a likely provider (`anthropic/…`). Before the first price of a model that one is returned.
    #[must_use]
    pub fn price(&self, provider: Option<&str>, model: &str, day: NaiveDate) -> Option<Stated<'_>> {
        let prefix = PREFIXES.iter().find(|(name, _)| Some(*name) == provider).map(|(_, prefix)| *prefix);
        let own = prefix.map(|prefix| format!("{prefix}/{model}"));
        let others = LIKELY.iter().map(|prefix| format!("{prefix}/{model}"));
        let names = own.into_iter().chain([model.to_owned()]).chain(others);
        let (name, periods) =
            names.filter_map(|name| self.models.get_key_value(&name)).find(|(_, periods)| !periods.is_empty())?;
        let begun = periods.partition_point(|period| period.from <= day);
        let (period, is_assumed) = match begun.checked_sub(1) {
            Some(last) => (periods.get(last)?, false),
            None => (periods.first()?, true),
        };
        if period.until.is_some_and(|until| until <= day) {
            return None;
        }
        Some(Stated { model: name, price: &period.price, from: period.from, is_assumed })
    }

    /// Returns where the prices that hold from a day come from.
    #[must_use]
    pub fn source(&self, from: NaiveDate) -> Option<&PriceSource> {
        self.sources.iter().find(|source| source.date == from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn list(date: &str, models: &[(&str, f64)]) -> PriceList {
        let price = |input| Price { input, output: 2.0, ..Price::default() };
        let models = models.iter().map(|(name, input)| ((*name).to_owned(), price(*input))).collect();
        PriceList { date: day(date), source: format!("list of {date}"), digest: "sha256:0".to_owned(), models }
    }

    #[test]
    fn a_new_list_adds_a_period_only_where_the_price_changed() {
        let mut table = PriceTable::default();
        table.add(list("2026-05-01", &[("a", 1.0), ("b", 1.0), ("c", 1.0)]));
        table.add(list("2026-06-01", &[("a", 1.0), ("b", 3.0), ("d", 4.0)]));
        let from = |model: &str| table.models[model].iter().map(|period| period.from.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(from("a"), "2026-05-01");
        assert_eq!(from("b"), "2026-05-01 2026-06-01");
        assert_eq!(from("c"), "2026-05-01", "a list that no longer names a model does not end its price");
        assert_eq!(from("d"), "2026-06-01");
        // A list of a day in between, and one again for the same day.
        table.add(list("2026-05-15", &[("b", 2.0)]));
        table.add(list("2026-05-15", &[("b", 2.5)]));
        let input = |date: &str| table.price(None, "b", day(date)).unwrap().price.input;
        assert_eq!([input("2026-05-14"), input("2026-05-15"), input("2026-06-01")], [1.0, 2.5, 3.0]);
        assert_eq!(table.sources.len(), 3);
        assert_eq!(table.source(day("2026-05-15")).unwrap().source, "list of 2026-05-15");
        assert_eq!(PriceTable::from_json(table.to_json().as_bytes()).unwrap(), table);
        assert_eq!(table.to_json().lines().filter(|line| line.contains("\"input\"")).count(), 4, "one line a model");
        assert_eq!(table.identity().len(), "sha256:".len() + 64);
    }

    #[test]
    fn a_price_may_end() {
        let mut table = PriceTable::default();
        table.add(list("2026-05-01", &[("a", 1.0)]));
        table.models.get_mut("a").unwrap()[0].until = Some(day("2026-05-10"));
        assert!(table.price(None, "a", day("2026-05-09")).is_some());
        assert_eq!(table.price(None, "a", day("2026-05-10")), None);
        table.add(list("2026-06-01", &[("a", 1.0)]));
        assert_eq!(table.price(None, "a", day("2026-06-01")).unwrap().from, day("2026-06-01"), "it holds again");
    }

    #[test]
    fn names_are_looked_for_as_the_provider_s_first() {
        let mut table = PriceTable::default();
        table.add(list(
            "2026-05-01",
            &[("gpt-4o", 1.0), ("azure/gpt-4o", 2.0), ("anthropic/claude-x", 3.0), ("bedrock/claude-x", 4.0)],
        ));
        let at = day("2026-05-01");
        let found = |provider, model: &str| table.price(provider, model, at).map(|stated| stated.price.input);
        assert_eq!(found(None, "gpt-4o"), Some(1.0));
        assert_eq!(found(Some("azure.ai.openai"), "gpt-4o"), Some(2.0));
        assert_eq!(found(Some("somebody"), "gpt-4o"), Some(1.0));
        assert_eq!(found(None, "claude-x"), Some(3.0));
        assert_eq!(found(Some("aws.bedrock"), "claude-x"), Some(4.0));
        assert_eq!(found(None, "claude"), None);
        table.agree("gpt-4o", Price { input: 0.5, ..Price::default() });
        let agreed = table.price(Some("azure.ai.openai"), "gpt-4o", day("1980-01-01")).unwrap();
        assert_eq!((agreed.price.input, agreed.is_assumed), (0.5, false));
    }

    #[test]
    fn days_out_of_order_are_refused() {
        let period = r#"{"from": "2026-05-01", "price": {"input": 1, "output": 1}}"#;
        let text = format!(r#"{{"version": 1, "sources": [], "models": {{"a": [{period}, {period}]}}}}"#);
        assert!(matches!(PriceTable::from_json(text.as_bytes()), Err(PriceError::OutOfOrder { model }) if model == "a"));
        assert!(matches!(PriceTable::from_json(b"{}"), Err(PriceError::Unreadable(_))));
    }
}
