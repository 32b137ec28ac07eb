//! SQL over the table of invocations.

use std::io::Write;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::DFSchema;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::GetFieldAccess;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::prelude::{DataFrame, Expr, SessionConfig, SessionContext, cast, col};
use url::Url;

use crate::answer::Answer;
use crate::error::{Failure, LakeError, classify};
use crate::lake::Lake;
use crate::owners;
use crate::pricing::{self, Prices};
use crate::schema::{TABLE, schema};

/// Name of the view of invocations with what they cost by the present prices.
const PRICED_VIEW: &str = "priced_invocations";
/// The address under which the query engine knows the store of the lake; it leads nowhere else.
const ENGINE_URL: &str = "lake://lake";

/// Rows that a statement asked for.
#[derive(Debug, Clone)]
pub struct QueryResult {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Lake {
    /// Answers one SQL `SELECT` over the table `invocations`.
    ///
    /// The columns are those of [`schema`] and `day`, `hour`. The dialect is DataFusion's; its names for functions are
    /// those of PostgreSQL where both have them. Statements that change anything, and other tables, are refused. Without
    /// `ORDER BY` the order is not defined. The result is held in memory; [`Lake::ask`] does not hold it.
    ///
    /// The view `priced_invocations` has the same columns, and `priced_usd`, `price_is_assumed` and `no_price`: what each
    /// call costs by [`Lake::with_prices`], whether that price is of a later day, and why there is none.
    ///
    /// # Errors
    ///
    /// [`LakeError::Query`] when the statement cannot be answered; [`LakeError::Corrupt`] with the file that cannot be
    /// read; otherwise as the store fails.
    pub async fn query(&self, sql: &str) -> Result<QueryResult, LakeError> {
        let rows = self.rows(sql).await?;
        self.collect(rows).await
    }

    /// Answers one SQL `SELECT` as [`Lake::query`] does, and gives the rows as they are found.
    ///
    /// # Errors
    ///
    /// [`LakeError::Query`] when the statement cannot be answered; otherwise as the store fails.
    pub async fn ask(&self, sql: &str) -> Result<Answer, LakeError> {
        match self.rows(sql).await?.execute_stream().await {
            Ok(batches) => Ok(Answer { lake: self.clone(), batches }),
            Err(error) => Err(self.explain(error).await),
        }
    }

    async fn rows(&self, sql: &str) -> Result<DataFrame, LakeError> {
        let context = self.context()?;
        self.refuse_empty_files().await?;
        let only_reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        match context.sql_with_options(sql, only_reading).await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(self.explain(error).await),
        }
    }

    /// Returns the table for a query that is built here.
    pub(crate) async fn table(&self) -> Result<DataFrame, LakeError> {
        self.refuse_empty_files().await?;
        match self.context()?.table(TABLE).await {
            Ok(table) => Ok(table),
            Err(error) => Err(self.explain(error).await),
        }
    }

    pub(crate) async fn collect(&self, rows: DataFrame) -> Result<QueryResult, LakeError> {
        let schema = Arc::clone(rows.schema().inner());
        match rows.collect().await {
            Ok(batches) => Ok(QueryResult { schema, batches }),
            Err(error) => Err(self.explain(error).await),
        }
    }

    /// Words an error, and finds the file when reading one failed.
    pub(crate) async fn explain(&self, error: DataFusionError) -> LakeError {
        match classify(error) {
            Failure::Statement(text) => LakeError::Query(text),
            Failure::Execution(text) => LakeError::Execution(text),
            Failure::Reading(error) => match self.first_unreadable().await {
                Ok(Some(corrupt)) => corrupt,
                Ok(None) => LakeError::Store { action: "read", place: TABLE.to_owned(), source: error.into() },
                Err(error) => error,
            },
        }
    }

    fn context(&self) -> Result<SessionContext, LakeError> {
        // Plain strings instead of views, so that rows come back in the types of the schema.
        let config = SessionConfig::new()
            .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
            .with_information_schema(true);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(self.memory_limit))).build_arc();
        let runtime = runtime.map_err(|error| LakeError::Execution(error.strip_backtrace()))?;
        let mut context = SessionContext::new_with_config_rt(config, runtime);
        let url = Url::parse(ENGINE_URL).expect("a constant URL");
        context.register_object_store(&url, Arc::clone(&self.store));
        context.register_udf(owners::function(&self.owners));
        let planned = context.register_expr_planner(Arc::new(MapAccess));
        let prepared = planned.and_then(|()| register_table(&context, &self.prices));
        prepared.map_err(|error| LakeError::Execution(error.strip_backtrace()))?;
        Ok(context)
    }
}

/// Lets `scores['judge']` name an entry of a map, as in Athena; the engine brings it only with its functions for lists.
#[derive(Debug)]
struct MapAccess;

impl ExprPlanner for MapAccess {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        _schema: &DFSchema,
    ) -> datafusion::error::Result<PlannerResult<RawFieldAccessExpr>> {
        Ok(match access.field_access {
            GetFieldAccess::NamedStructField { name } => PlannerResult::Planned(get_field(access.expr, name)),
            _ => PlannerResult::Original(access),
        })
    }
}

/// Registers the files as a table whose hour is a number.
///
/// The engine finds the folder of `hour = 5` by writing the number as `5`, and there is only `hour=05`: it would answer
/// with no rows. So the engine sees the folder's text, and the number is computed from it.
fn register_table(context: &SessionContext, prices: &Arc<Prices>) -> Result<(), DataFusionError> {
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()))
        .with_file_extension(".parquet")
        .with_table_partition_cols(vec![("day".to_owned(), DataType::Utf8), ("hour".to_owned(), DataType::Utf8)]);
    let location = ListingTableUrl::parse(format!("{ENGINE_URL}/{TABLE}/"))?;
    let config = ListingTableConfig::new(location).with_listing_options(options).with_schema(schema());
    let files = context.read_table(Arc::new(ListingTable::try_new(config)?))?;
    let mut columns: Vec<Expr> = schema().fields().iter().map(|field| col(field.name().as_str())).collect();
    columns.push(col("day"));
    columns.push(cast(col("hour"), DataType::Int32).alias("hour"));
    let table = files.select(columns.clone())?;
    columns.extend(pricing::columns(prices));
    context.register_table(PRICED_VIEW, table.clone().select(columns)?.into_view())?;
    context.register_table(TABLE, table.into_view())?;
    Ok(())
}

impl QueryResult {
    /// Returns the names and types of the columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the rows in batches; there may be none.
    #[must_use]
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Writes the rows as CSV with a header row; null is empty, times are RFC 3339 in UTC.
    ///
    /// # Errors
    ///
    /// [`LakeError::Execution`] when writing fails or a column is a list or a map, which CSV has not.
    pub fn write_csv(&self, output: impl Write) -> Result<(), LakeError> {
        let mut writer = arrow::csv::Writer::new(output);
        let empty = RecordBatch::new_empty(Arc::clone(&self.schema));
        for batch in std::iter::once(&empty).chain(&self.batches) {
            writer.write(batch).map_err(|error| LakeError::Execution(error.to_string()))?;
        }
        Ok(())
    }

    /// Writes the rows as one JSON object on each line; null members are left out, times are RFC 3339 in UTC.
    ///
    /// # Errors
    ///
    /// [`LakeError::Execution`] when writing fails or a column has a type that JSON has not.
    pub fn write_json_lines(&self, output: impl Write) -> Result<(), LakeError> {
        let mut writer = arrow::json::LineDelimitedWriter::new(output);
        for batch in &self.batches {
            writer.write(batch).map_err(|error| LakeError::Execution(error.to_string()))?;
        }
        writer.finish().map_err(|error| LakeError::Execution(error.to_string()))
    }
}
