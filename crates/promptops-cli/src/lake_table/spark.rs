//! The table of Spark, as a view of the session: Spark finds the folders itself when the view is made, and needs no catalog.

use promptops_telemetry::columns::COLUMNS;

use super::athena::FOLDERS;
use super::{Dialect, LakeTable, Statement};

const DIALECT: Dialect = Dialect::Spark;

/// Returns the statement that makes the table.
pub(super) fn table(table: &LakeTable) -> Vec<Statement> {
    let columns = COLUMNS.iter().map(|one| (one.name, one.holds, one.meaning)).chain(FOLDERS);
    let columns: Vec<String> = columns
        .map(|(name, holds, meaning)| format!("  {name} {} COMMENT {}", DIALECT.column_type(holds), DIALECT.text(meaning)))
        .collect();
    let sql = format!(
        "CREATE OR REPLACE TEMPORARY VIEW {} (\n{}\n)\nUSING parquet\nOPTIONS (path {})",
        table.table,
        columns.join(",\n"),
        DIALECT.text(&table.folder()),
    );
    vec![Statement { name: table.table.clone(), purpose: "the table of invocations, for this session".to_owned(), sql }]
}
