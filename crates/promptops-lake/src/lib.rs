//! The Parquet lake of invocations: write, query, statistics.
//!
//! [`Lake`] keeps invocation records as Parquet files below `invocations/day=YYYY-MM-DD/hour=HH/` (UTC) of a folder or
//! an object store. The files are a plain Hive table, so Athena, Trino and Spark read them too; the columns are those of
//! [`schema`].
//!
//! ```
//! use promptops_lake::{Filter, GroupBy, Lake};
//! use promptops_store::StoreOptions;
//! use promptops_telemetry::{Invocation, Uuid};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let lake = Lake::open("memory://", &StoreOptions::default())?;
//! let call = Invocation {
//!     prompt_id: Some("support.intent".to_owned()),
//!     latency_ms: Some(412.0),
//!     ..Invocation::new("2026-05-01T12:00:00Z".parse()?, Uuid::from_u128(1))
//! };
//! assert_eq!(lake.append(&[call.clone(), call]).await?.written, 1);
//!
//! let rows = lake.statistics(&Filter::default(), &[GroupBy::Prompt]).await?;
//! assert_eq!(rows[0].group, [Some("support.intent".to_owned())]);
//! assert_eq!(rows[0].count, 1);
//!
//! let slow = lake.query("SELECT day, hour FROM invocations WHERE latency_ms > 400").await?;
//! assert_eq!(slow.row_count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Invariant:** this crate alone names DataFusion, and no type of it appears in the public interface.

mod answer;
mod append;
mod compact;
mod cost;
mod error;
mod exact_sum;
mod expire;
mod file;
mod filter;
mod follow;
mod group_by;
mod groups;
mod ids;
mod lake;
mod land;
mod owners;
mod partition;
mod pricing;
mod query;
mod rows;
mod scan;
mod schema;
mod snapshot;
mod statistics;
mod verify;
mod write;

pub use answer::{Answer, AnswerColumn, RowFormat};
pub use append::Appended;
pub use compact::{CompactSettings, Compacted};
pub use cost::CostRow;
pub use error::{Cause, LakeError};
pub use expire::Expired;
pub use filter::Filter;
pub use follow::Follower;
pub use group_by::GroupBy;
pub use lake::Lake;
pub use owners::PromptOwners;
pub use pricing::Prices;
pub use query::QueryResult;
pub use schema::{TABLE, schema};
pub use statistics::{LatencyPercentiles, Statistics, StatisticsRow};
pub use verify::{Problem, ProblemKind, Verified};
