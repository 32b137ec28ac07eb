//! The Parquet lake of invocations: write, query, statistics.
