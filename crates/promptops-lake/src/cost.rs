//! What groups of calls cost: as it was recorded, and by a table of prices.

use std::collections::BTreeMap;

use arrow::array::{Array, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::prelude::{Expr, cast, col, lit};

use crate::error::LakeError;
use crate::filter::Filter;
use crate::group_by::{GroupBy, Kind};
use crate::lake::Lake;
use crate::pricing;
use crate::query::collect;
use crate::rows::Columns;

/// What one group of calls cost, US dollars.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CostRow {
    /// What the group has in common, in the order that was asked for; `None` where the record does not say.
    pub group: Vec<Option<String>>,
    /// Number of calls.
    pub count: u64,
    /// Sum over the calls whose record has a cost; `None` where none has.
    pub recorded_usd: Option<f64>,
    /// Number of these.
    pub with_recorded: u64,
    /// Sum over the calls that have a price; `None` where none has.
    pub priced_usd: Option<f64>,
    /// Number of these.
    pub with_price: u64,
    /// Number of calls that are older than the first price of their model, which was taken.
    pub assumed: u64,
    /// Why the others have no price, and how many.
    pub no_price: BTreeMap<String, u64>,
}

impl CostRow {
    /// Adds what another group cost.
    pub fn add(&mut self, other: &Self) {
        let usd = |sum: &mut Option<f64>, more: Option<f64>| {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0.0) + more);
            }
        };
        self.count += other.count;
        usd(&mut self.recorded_usd, other.recorded_usd);
        self.with_recorded += other.with_recorded;
        usd(&mut self.priced_usd, other.priced_usd);
        self.with_price += other.with_price;
        self.assumed += other.assumed;
        for (reason, count) in &other.no_price {
            *self.no_price.entry(reason.clone()).or_default() += count;
        }
    }
}

/// Names of columns inside the query; the record's columns have others.
const REASON: &str = "reason";
const COUNT: &str = "calls";
const RECORDED: &str = "recorded";
const WITH_RECORDED: &str = "with_recorded";
const PRICED: &str = "priced";
const WITH_PRICE: &str = "with_price";
const ASSUMED: &str = "assumed";

impl Lake {
    /// Computes what the records that fit cost, one row for each group, sorted by group (unknown first), by the prices of
    /// [`Lake::with_prices`]. Memory grows with the number of groups, not of records.
    ///
    /// # Errors
    ///
    /// [`LakeError::Corrupt`] with the file that cannot be read; otherwise as the store fails.
    pub async fn costs(&self, filter: &Filter, group_by: &[GroupBy]) -> Result<Vec<CostRow>, LakeError> {
        let [priced, assumed, reason] = pricing::columns(&self.prices);
        let groups = group_by.iter().enumerate();
        let mut columns: Vec<Expr> = groups.map(|(place, group)| group.column(&self.owners).alias(alias(place))).collect();
        columns.extend([
            col("cost_usd").alias(RECORDED),
            priced.alias(PRICED),
            cast(assumed, DataType::Int64).alias(ASSUMED),
            reason.alias(REASON),
        ]);
        let mut keys: Vec<Expr> = (0..group_by.len()).map(|place| col(alias(place))).collect();
        keys.push(col(REASON));
        let numbers = vec![
            count(lit(1)).alias(COUNT),
            sum(col(RECORDED)).alias("sum_recorded"),
            count(col(RECORDED)).alias(WITH_RECORDED),
            sum(col(PRICED)).alias("sum_priced"),
            count(col(PRICED)).alias(WITH_PRICE),
            sum(col(ASSUMED)).alias("sum_assumed"),
        ];
        let rows = self
            .reading(async |context| {
                let rows = self.filtered(context, filter).await?.select(columns.clone())?;
                collect(rows.aggregate(keys.clone(), numbers.clone())?).await
            })
            .await?;
        let mut found: BTreeMap<Vec<Option<String>>, CostRow> = BTreeMap::new();
        for batch in rows.batches().iter().filter(|batch| batch.num_rows() > 0) {
            let columns = Columns(batch);
            let groups: Vec<Vec<Option<String>>> = group_by
                .iter()
                .enumerate()
                .map(|(place, group)| texts(&columns, &alias(place), *group))
                .collect::<Result<_, LakeError>>()?;
            for row in 0..batch.num_rows() {
                let group: Vec<Option<String>> = groups.iter().map(|column| column[row].clone()).collect();
                let own = found.entry(group.clone()).or_insert_with(|| CostRow { group, ..CostRow::default() });
                own.add(&part(&columns, row)?);
            }
        }
        Ok(found.into_values().collect())
    }
}

/// Reads the part of a group that has one reason for having no price, or none.
fn part(columns: &Columns<'_>, row: usize) -> Result<CostRow, LakeError> {
    let number = |name: &str| -> Result<u64, LakeError> {
        let column: &Int64Array = columns.get(name)?;
        Ok(if column.is_valid(row) { u64::try_from(column.value(row)).unwrap_or(0) } else { 0 })
    };
    let usd = |name: &str| -> Result<Option<f64>, LakeError> {
        let column: &Float64Array = columns.get(name)?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    };
    let reasons: &StringArray = columns.get(REASON)?;
    let count = number(COUNT)?;
    Ok(CostRow {
        group: Vec::new(),
        count,
        recorded_usd: usd("sum_recorded")?,
        with_recorded: number(WITH_RECORDED)?,
        priced_usd: usd("sum_priced")?,
        with_price: number(WITH_PRICE)?,
        assumed: number("sum_assumed")?,
        no_price: reasons.is_valid(row).then(|| (reasons.value(row).to_owned(), count)).into_iter().collect(),
    })
}

fn alias(place: usize) -> String {
    format!("group_{place}")
}

fn texts(columns: &Columns<'_>, name: &str, group: GroupBy) -> Result<Vec<Option<String>>, LakeError> {
    Ok(match group.kind() {
        Kind::Number => {
            let column: &Int32Array = columns.get(name)?;
            column.iter().map(|value| value.map(|value| group.text(value.into()))).collect()
        }
        Kind::Time => {
            let column: &TimestampMicrosecondArray = columns.get(name)?;
            column.iter().map(|value| value.map(|value| group.text(value))).collect()
        }
        Kind::Text => {
            let column: &StringArray = columns.get(name)?;
            column.iter().map(|value| value.map(str::to_owned)).collect()
        }
    })
}
