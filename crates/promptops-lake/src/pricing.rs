//! What calls cost by a table of prices, as columns of a query.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};
use datafusion::common::cast::{as_int64_array, as_string_array, as_timestamp_microsecond_array};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::{Expr, col};
use promptops_telemetry::price::{Call, Cost, NoPrice, PriceTable};

use crate::schema::timestamp;

/// What tokens cost, and when.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prices {
    /// The prices.
    pub table: PriceTable,
    /// The moment whose prices are taken for every call; otherwise each call has those of its own time.
    pub at: Option<DateTime<Utc>>,
}

/// The columns that say what a call was, in the order of [`Calls`].
const CALL: [&str; 10] = [
    "time",
    "provider",
    "responded_model",
    "requested_model",
    "service_tier",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
];

/// Returns the columns `priced_usd`, `price_is_assumed` and `no_price` of a call.
pub(crate) fn columns(prices: &Arc<Prices>) -> [Expr; 3] {
    let named = |function: ScalarUDF| {
        let name = function.name().to_owned();
        function.call(CALL.map(col).into()).alias(name)
    };
    [
        named(function("priced_usd", DataType::Float64, prices, |costs| {
            let usd = costs.iter().map(|cost| cost.as_ref().ok().map(|cost| cost.usd));
            Arc::new(usd.collect::<Float64Array>())
        })),
        named(function("price_is_assumed", DataType::Boolean, prices, |costs| {
            let assumed = costs.iter().map(|cost| cost.as_ref().ok().map(|cost| cost.is_assumed));
            Arc::new(assumed.collect::<BooleanArray>())
        })),
        named(function("no_price", DataType::Utf8, prices, |costs| {
            let reasons = costs.iter().map(|cost| cost.as_ref().err().map(ToString::to_string));
            Arc::new(reasons.collect::<StringArray>())
        })),
    ]
}

fn function(name: &str, result: DataType, prices: &Arc<Prices>, column: fn(&[Result<Cost, NoPrice>]) -> ArrayRef) -> ScalarUDF {
    let mut types = vec![timestamp()];
    types.extend(std::iter::repeat_n(DataType::Utf8, 4));
    types.extend(std::iter::repeat_n(DataType::Int64, 5));
    let prices = Arc::clone(prices);
    let price = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let calls = Calls::new(&arrays)?;
        let costs: Vec<_> = (0..calls.times.len()).map(|row| calls.call(row).cost(&prices.table, prices.at)).collect();
        Ok(ColumnarValue::Array(column(&costs)))
    };
    create_udf(name, types, result, Volatility::Immutable, Arc::new(price))
}

/// Calls as columns.
struct Calls<'a> {
    times: &'a TimestampMicrosecondArray,
    texts: [&'a StringArray; 4],
    counts: [&'a Int64Array; 5],
}

impl<'a> Calls<'a> {
    fn new(arrays: &'a [ArrayRef]) -> Result<Self, DataFusionError> {
        let text = |place: usize| as_string_array(&arrays[place]);
        let count = |place: usize| as_int64_array(&arrays[place]);
        Ok(Self {
            times: as_timestamp_microsecond_array(&arrays[0])?,
            texts: [text(1)?, text(2)?, text(3)?, text(4)?],
            counts: [count(5)?, count(6)?, count(7)?, count(8)?, count(9)?],
        })
    }

    fn call(&self, row: usize) -> Call<'a> {
        let text = |column: &'a StringArray| column.is_valid(row).then(|| column.value(row));
        let count = |column: &Int64Array| column.is_valid(row).then(|| u64::try_from(column.value(row)).unwrap_or(0));
        let [provider, responded_model, requested_model, tier] = self.texts.map(text);
        let [input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens] = self.counts.map(count);
        Call {
            time: DateTime::from_timestamp_micros(self.times.value(row)).unwrap_or_default(),
            provider,
            responded_model,
            requested_model,
            tier,
            input_tokens,
            output_tokens,
            cached_tokens,
            cache_write_tokens,
            reasoning_tokens,
        }
    }
}
