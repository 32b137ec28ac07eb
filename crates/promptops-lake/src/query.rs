//! SQL over the table of invocations.

use std::sync::Arc;

use arrow::array::{BooleanArray, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::common::DFSchema;
use datafusion::datasource::MemTable;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions::datetime::expr_fn::{date_part, to_char};
use datafusion::logical_expr::GetFieldAccess;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::prelude::{DataFrame, Expr, SessionConfig, SessionContext, cast, col, lit};
use futures::StreamExt;
use object_store::ObjectMeta;
use parquet::errors::ParquetError;
use url::Url;

use crate::answer::Answer;
use crate::error::{Failure, LakeError, classify};
use crate::file;
use crate::ids::Waiting;
use crate::lake::Lake;
use crate::owners;
use crate::partition::LANDING;
use crate::pricing;
use crate::schema::{TABLE, schema};
use crate::snapshot::{ListedStore, READ_ATTEMPTS, is_gone};

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
        self.reading(async |context| collect(context.sql_with_options(sql, only_reading()).await?).await).await
    }

    /// Answers one SQL `SELECT` as [`Lake::query`] does, and gives the rows as they are found.
    ///
    /// # Errors
    ///
    /// [`LakeError::Query`] when the statement cannot be answered; otherwise as the store fails.
    pub async fn ask(&self, sql: &str) -> Result<Answer, LakeError> {
        let begin = async |context: &SessionContext| context.sql_with_options(sql, only_reading()).await?.execute_stream().await;
        let batches = self.reading(begin).await?;
        Ok(Answer { lake: self.clone(), batches })
    }

    /// Reads from one snapshot of the lake, and from a later one when a file was gone before it was read.
    pub(crate) async fn reading<T>(
        &self,
        read: impl AsyncFn(&SessionContext) -> datafusion::error::Result<T>,
    ) -> Result<T, LakeError> {
        self.reading_in(&schema(), read).await
    }

    /// Reads as [`Lake::reading`] does, rows in these types.
    pub(crate) async fn reading_in<T>(
        &self,
        types: &SchemaRef,
        read: impl AsyncFn(&SessionContext) -> datafusion::error::Result<T>,
    ) -> Result<T, LakeError> {
        let mut attempt = 1;
        loop {
            let answer = match self.context(types).await {
                Ok(context) => read(&context).await,
                Err(error) if attempt < READ_ATTEMPTS && is_gone(&error) => {
                    attempt += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) if attempt < READ_ATTEMPTS && is_gone(&error) => attempt += 1,
                Err(error) => return Err(self.explain(error).await),
            }
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

    /// Prepares queries of the lake as it is now.
    async fn context(&self, types: &SchemaRef) -> Result<SessionContext, LakeError> {
        let failed = |error: DataFusionError| LakeError::Execution(error.strip_backtrace());
        let snapshot = self.snapshot().await?;
        let waiting = self.waiting(&snapshot.landed, &snapshot.settled).await?;
        let landed = self.landed_rows(&waiting).await?;
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(self.memory_limit)));
        let mut context = engine(runtime.build().map_err(failed)?, 0);
        context.register_udf(owners::function(&self.owners));
        self.register(&mut context, types, snapshot.settled, landed).map_err(failed)?;
        Ok(context)
    }

    /// Makes a table of the files of the hours and of landed rows.
    pub(crate) fn register(
        &self,
        context: &mut SessionContext,
        types: &SchemaRef,
        settled: Vec<ObjectMeta>,
        landed: LandedRows,
    ) -> datafusion::error::Result<()> {
        let url = Url::parse(ENGINE_URL).expect("a constant URL");
        let files = settled.into_iter().chain(landed.whole).collect();
        context.register_object_store(&url, Arc::new(ListedStore { store: Arc::clone(&self.store), files }));
        context.register_expr_planner(Arc::new(MapAccess))?;
        let mut table = settled_table(context, types)?;
        if landed.has_whole {
            table = table.union(landed_table(context, types)?)?;
        }
        if !landed.parts.is_empty() {
            let parts = landed.parts.iter().map(|part| in_types(part, types)).collect::<Result<_, _>>()?;
            let rows = MemTable::try_new(Arc::clone(types), vec![parts])?;
            table = table.union(with_folders(context.read_table(Arc::new(rows))?)?)?;
        }
        let mut columns = record_columns();
        columns.extend(["day", "hour"].map(col));
        columns.extend(pricing::columns(&self.prices));
        context.register_table(PRICED_VIEW, table.clone().select(columns)?.into_view())?;
        context.register_table(TABLE, table.into_view())?;
        Ok(())
    }

    /// Takes apart which landed rows count: files of which all rows do, which are read when they are wanted, and the rows of the
    /// others, of which there are few: those that were sent to two servers, or landed again after their compaction.
    pub(crate) async fn landed_rows(&self, waiting: &[Waiting]) -> Result<LandedRows, LakeError> {
        let mut landed = LandedRows::default();
        for one in waiting.iter().filter(|one| one.new_rows() > 0) {
            if one.new_rows() == one.counts.len() as u64 {
                landed.whole.push(one.file.clone());
                landed.has_whole = true;
            } else {
                landed.parts.extend(self.counting_rows(one).await?);
            }
        }
        Ok(landed)
    }

    async fn counting_rows(&self, waiting: &Waiting) -> Result<Vec<RecordBatch>, LakeError> {
        let unreadable = |error: ParquetError| file::unreadable(&waiting.file, error);
        let mut batches = file::open(&self.store, &waiting.file).await?.build().map_err(unreadable)?;
        let mut parts = Vec::new();
        let mut row = 0;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(unreadable)?;
            let counts = BooleanArray::from(waiting.counts[row..row + batch.num_rows()].to_vec());
            row += batch.num_rows();
            let part = filter_record_batch(&batch, &counts);
            parts.push(part.map_err(|error| unreadable(error.into()))?);
        }
        Ok(parts)
    }
}

/// The rows of landed files that count.
#[derive(Debug, Default)]
pub(crate) struct LandedRows {
    /// Files of which every row counts.
    whole: Vec<ObjectMeta>,
    has_whole: bool,
    /// Rows of the other files.
    parts: Vec<RecordBatch>,
}

/// What a statement may do.
fn only_reading() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// Collects the rows of a table.
pub(crate) async fn collect(rows: DataFrame) -> datafusion::error::Result<QueryResult> {
    let schema = Arc::clone(rows.schema().inner());
    Ok(QueryResult { schema, batches: rows.collect().await? })
}

/// Begins a session of the query engine; with 0 `partitions`, one for each core.
pub(crate) fn engine(runtime: RuntimeEnv, partitions: usize) -> SessionContext {
    // Plain strings instead of views, so that rows come back in the types of the schema.
    let mut config = SessionConfig::new()
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
        .with_information_schema(true);
    if partitions > 0 {
        config = config.with_target_partitions(partitions);
    }
    SessionContext::new_with_config_rt(config, Arc::new(runtime))
}

/// Brings the columns of a file into the types and the order of the table; those that it has not are null.
fn in_types(batch: &RecordBatch, types: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(column) => arrow::compute::cast(column, field.data_type()),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    };
    RecordBatch::try_new(Arc::clone(types), types.fields().iter().map(column).collect::<Result<_, _>>()?)
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

/// Returns the files of the hours as a table whose hour is a number.
///
/// The engine finds the folder of `hour = 5` by writing the number as `5`, and there is only `hour=05`: it would answer
/// with no rows. So the engine sees the folder's text, and the number is computed from it.
fn settled_table(context: &SessionContext, types: &SchemaRef) -> datafusion::error::Result<DataFrame> {
    let options =
        parquet_files().with_table_partition_cols(vec![("day".to_owned(), DataType::Utf8), ("hour".to_owned(), DataType::Utf8)]);
    let mut columns = record_columns();
    columns.push(col("day"));
    columns.push(cast(col("hour"), DataType::Int32).alias("hour"));
    listed(context, TABLE, options, types)?.select(columns)
}

/// Returns the landed files as a table with the same columns.
fn landed_table(context: &SessionContext, types: &SchemaRef) -> datafusion::error::Result<DataFrame> {
    with_folders(listed(context, LANDING, parquet_files(), types)?)
}

/// Adds the columns that are folders once the records are in their hours.
fn with_folders(table: DataFrame) -> datafusion::error::Result<DataFrame> {
    let mut columns = record_columns();
    columns.push(to_char(col("time"), lit("%Y-%m-%d")).alias("day"));
    columns.push(cast(date_part(lit("hour"), col("time")), DataType::Int32).alias("hour"));
    table.select(columns)
}

fn parquet_files() -> ListingOptions {
    ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet")
}

fn listed(
    context: &SessionContext,
    folder: &str,
    options: ListingOptions,
    types: &SchemaRef,
) -> datafusion::error::Result<DataFrame> {
    let location = ListingTableUrl::parse(format!("{ENGINE_URL}/{folder}/"))?;
    let config = ListingTableConfig::new(location).with_listing_options(options).with_schema(Arc::clone(types));
    context.read_table(Arc::new(ListingTable::try_new(config)?))
}

fn record_columns() -> Vec<Expr> {
    schema().fields().iter().map(|field| col(field.name().as_str())).collect()
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
}
