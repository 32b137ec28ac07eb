//! `promptops query SQL`: questions to the lake.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use promptops_lake::{Answer, Filter, LakeError, RowFormat};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lake_access;
use crate::output::query_table::QueryTable;
use crate::price_access;
use crate::prompt_owners::with_owners;

/// Ask the lake in SQL; the table is `invocations`, with partition columns `day` and `hour` (UTC).
///
/// The view `priced_invocations` has the same columns and what each call costs by the table of prices: `priced_usd`,
/// `price_is_assumed`, `no_price`. The function `owner(prompt_id, prompt_version)` says who owns a version. Rows are shown as
/// they are found, and sorting and grouping go to the disk where memory does not suffice.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The statement, as "SELECT prompt_id, count(*) FROM invocations GROUP BY 1"; `-` reads it from standard input.
    sql: String,
    /// How rows are shown [default: as the name of the output ends, else table].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write rows into this file instead, whole or not at all.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show texts in full, however wide the terminal is.
    #[arg(long)]
    full: bool,
}

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: columns narrowed to the terminal, or one field a line where they do not fit.
    Table,
    /// One JSON object a line.
    Json,
    /// With a header row.
    Csv,
    /// One Parquet file.
    Parquet,
}

/// Runs the statement.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome<Exit> {
    let format = arguments.format.or_else(|| of_name(arguments.output.as_deref()?)).unwrap_or(Format::Table);
    if format == Format::Parquet && arguments.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::new(Exit::Usage, "a terminal cannot show Parquet").hint("name a file with `--output FILE`"));
    }
    let sql = statement(arguments)?;
    let project = context.project()?;
    let mut lake = lake_access::open(context, &project)?.with_prices(price_access::prices(&project)?);
    context.block_on(async {
        // Who owns what is asked only where somebody wants to know: it takes a look at the records and at the registry.
        if sql.to_lowercase().contains("owner(") {
            lake = with_owners(lake, &Filter::default(), context, &project).await?;
        }
        let answer = lake.ask(&sql).await.map_err(failure)?;
        let count = match (&arguments.output, row_format(format)) {
            (Some(path), Some(format)) => into_file(answer, format, &context.directory.join(path)).await?,
            (Some(_), None) => {
                return Err(Failure::new(Exit::Usage, "a table is for people, not for a file")
                    .hint("choose `--format csv`, `json` or `parquet`, or a name that ends so"));
            }
            (None, Some(format)) => return to_stdout(answer, format).await,
            (None, None) => draw(answer, arguments.full, context).await?,
        };
        context.printer.notice(if count == 1 { "1 row".to_owned() } else { format!("{count} rows") });
        Ok(Exit::Success)
    })?
}

fn of_name(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_lowercase().as_str() {
        "csv" => Some(Format::Csv),
        "json" | "jsonl" | "ndjson" => Some(Format::Json),
        "parquet" => Some(Format::Parquet),
        _ => None,
    }
}

fn row_format(format: Format) -> Option<RowFormat> {
    match format {
        Format::Table => None,
        Format::Json => Some(RowFormat::JsonLines),
        Format::Csv => Some(RowFormat::Csv),
        Format::Parquet => Some(RowFormat::Parquet),
    }
}

fn statement(arguments: &Arguments) -> Outcome<String> {
    if arguments.sql != "-" {
        return Ok(arguments.sql.clone());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| Failure::io("read", Path::new("standard input"), error))?;
    Ok(text)
}

async fn to_stdout(answer: Answer, format: RowFormat) -> Outcome<Exit> {
    match answer.write(format, std::io::BufWriter::new(std::io::stdout())).await {
        Ok(_) => Ok(Exit::Success),
        // Whoever reads has enough, as `head` does.
        Err(LakeError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Success),
        Err(LakeError::Output(error)) => Err(Failure::io("write the answer to", Path::new("stdout"), error)),
        Err(error) => Err(failure(error)),
    }
}

async fn into_file(answer: Answer, format: RowFormat, path: &Path) -> Outcome<u64> {
    // Under another name first, so that what stood there stays whole until all of the new is on the disk.
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let staged = path.with_file_name(name);
    let fail = |error| Failure::io("write", path, error);
    let file = File::create(&staged).map_err(fail)?;
    let written = match answer.write(format, std::io::BufWriter::new(&file)).await {
        Ok(count) => file.sync_all().and_then(|()| std::fs::rename(&staged, path)).map(|()| count).map_err(fail),
        Err(LakeError::Output(error)) => Err(fail(error)),
        Err(error) => Err(failure(error)),
    };
    if written.is_err() {
        // Nothing half-written stays behind where it can be helped.
        let _ = std::fs::remove_file(&staged);
    }
    written
}

async fn draw(mut answer: Answer, is_full: bool, context: &Context) -> Outcome<u64> {
    let mut table = QueryTable::new(answer.columns(), if is_full { None } else { context.terminal_width() });
    let mut count = 0;
    while let Some(rows) = answer.next_texts().await.map_err(failure)? {
        count += rows.len() as u64;
        context.printer.answer(&table.page(&rows, &context.printer));
    }
    if count == 0 {
        context.printer.answer(&table.page(&[], &context.printer));
    }
    Ok(count)
}

fn failure(error: LakeError) -> Failure {
    let is_statement = matches!(error, LakeError::Query(_));
    let failure = lake_access::failure(error);
    if is_statement {
        failure.hint("the table is `invocations`; `promptops query \"DESCRIBE invocations\"` lists its columns")
    } else {
        failure
    }
}
