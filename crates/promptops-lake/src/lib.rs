//! The Parquet lake of invocations: write, query, statistics.
//!
//! [`Lake`] keeps invocation records as Parquet files below `invocations/day=YYYY-MM-DD/hour=HH/` (UTC) of a folder or
//! an object store. The files are a plain Hive table, so Athena, Trino and Spark read them too; the columns are those of
//! [`schema`].
//!
//! **Invariant:** this crate alone names DataFusion, and no type of it appears in the public interface.

mod append;
mod error;
mod file;
mod filter;
mod lake;
mod partition;
mod query;
mod rows;
mod scan;
mod schema;
mod statistics;

pub use append::Appended;
pub use error::{Cause, LakeError};
pub use filter::Filter;
pub use lake::Lake;
pub use query::QueryResult;
pub use schema::{TABLE, schema};
pub use statistics::{GroupBy, LatencyPercentiles, StatisticsRow};
